/* What only an application is told: who the device is, and how its sessions go. */
#include "sim/cortexm/guest/settings.h"

#include "sim/cortexm/guest/board.h"

#include <stdlib.h>
#include <string.h>

static const struct guest_setting_row rows[] = {
    GUEST_SETTING_ROW("name", GUEST_SETTING_TEXT, device.name),
    GUEST_SETTING_ROW("system", GUEST_SETTING_TEXT, device.system),
    GUEST_SETTING_ROW("journal", GUEST_SETTING_REGION, device.journal),
    GUEST_SETTING_ROW("progress", GUEST_SETTING_REGION, device.progress),
    GUEST_SETTING_ROW("header", GUEST_SETTING_NUMBER, device.header_size),
    GUEST_SETTING_ROW("manufacturer", GUEST_SETTING_TEXT, device.manufacturer),
    GUEST_SETTING_ROW("manufacturer-id", GUEST_SETTING_TEXT, device.manufacturer_id),
    GUEST_SETTING_ROW("product", GUEST_SETTING_TEXT, device.product),
    GUEST_SETTING_ROW("serial", GUEST_SETTING_TEXT, device.serial),
    GUEST_SETTING_ROW("board", GUEST_SETTING_TEXT, device.board),
    GUEST_SETTING_ROW("topic-prefix", GUEST_SETTING_TEXT, device.topic_prefix),
    GUEST_SETTING_ROW("by-http", GUEST_SETTING_SWITCH, life.session.by_http),
    GUEST_SETTING_ROW("file", GUEST_SETTING_POINTER, life.session.file),
    GUEST_SETTING_ROW("send-direct", GUEST_SETTING_SWITCH, life.session.send_direct),
    GUEST_SETTING_ROW("chunk", GUEST_SETTING_NUMBER, life.session.chunk_size),
    GUEST_SETTING_ROW("no-result", GUEST_SETTING_SWITCH, life.session.no_result),
    GUEST_SETTING_ROW("permanent", GUEST_SETTING_SWITCH, life.session.permanent),
    GUEST_SETTING_ROW("stay", GUEST_SETTING_SWITCH, life.session.stay),
    GUEST_SETTING_ROW("hold", GUEST_SETTING_SWITCH, life.session.hold),
    GUEST_SETTING_ROW("initiate", GUEST_SETTING_SWITCH, life.session.initiate),
    GUEST_SETTING_ROW("initial-check", GUEST_SETTING_NUMBER, life.session.timing.initial_check),
    GUEST_SETTING_ROW("next-check", GUEST_SETTING_NUMBER, life.session.timing.next_check),
    GUEST_SETTING_ROW("job-wait", GUEST_SETTING_NUMBER, life.session.timing.job_wait),
    GUEST_SETTING_ROW("data-wait", GUEST_SETTING_NUMBER, life.session.timing.data_wait),
    GUEST_SETTING_ROW("connect-wait", GUEST_SETTING_NUMBER, life.session.timing.connect_wait),
    GUEST_SETTING_ROW("retry", GUEST_SETTING_NUMBER, life.session.timing.retry_first),
    GUEST_SETTING_ROW("retry-last", GUEST_SETTING_NUMBER, life.session.timing.retry_last),
    GUEST_SETTING_ROW("keep-alive", GUEST_SETTING_NUMBER, life.session.timing.keep_alive),
    GUEST_SETTING_ROW("connect-tries", GUEST_SETTING_NUMBER, life.session.timing.connect_tries),
    GUEST_SETTING_ROW("data-tries", GUEST_SETTING_NUMBER, life.session.timing.data_tries),
    GUEST_SETTING_ROW("broker", GUEST_SETTING_POINTER, broker),
    GUEST_SETTING_ROW("broker-port", GUEST_SETTING_NUMBER, broker_port),
    GUEST_SETTING_ROW("broker-tls", GUEST_SETTING_SWITCH, broker_tls),
    GUEST_SETTING_ROW("server", GUEST_SETTING_POINTER, server),
    GUEST_SETTING_ROW("server-port", GUEST_SETTING_NUMBER, server_port),
    GUEST_SETTING_ROW("server-tls", GUEST_SETTING_SWITCH, server_tls),
    GUEST_SETTING_ROW("reverts", GUEST_SETTING_SWITCH, scheme.reverts),
    GUEST_SETTING_ROW("in-status", GUEST_SETTING_SWITCH, scheme.in_status),
    GUEST_SETTING_ROW("store", GUEST_SETTING_SWITCH, scheme.store),
    GUEST_SETTING_ROW("max-end", GUEST_SETTING_NUMBER, scheme.max_end),
    GUEST_SETTING_ROW("act-permanent", GUEST_SETTING_SWITCH, act.permanent),
    GUEST_SETTING_ROW("image", GUEST_SETTING_NUMBER, act.size),
    {NULL, 0, 0},
};

static enum sim_timing timing_of(const char *word)
{
    if (word == NULL || strcmp(word, "default") == 0)
        return SIM_TIMING_DEFAULT;
    return strcmp(word, "fast") == 0 ? SIM_TIMING_FAST : SIM_TIMING_DESK;
}

/* "MAJOR.MINOR.REVISION" */
static bool read_version(const char *text, struct img_version *out)
{
    char *end;
    out->major = (uint8_t)strtoul(text, &end, 10);
    out->minor = *end == '.' ? (uint8_t)strtoul(end + 1, &end, 10) : 0;
    out->revision = *end == '.' ? (uint16_t)strtoul(end + 1, &end, 10) : 0;
    return *end == '\0';
}

/* What the application is to do by its own hand. */
static bool read_act(struct guest_settings *settings)
{
    struct sim_act *act = &settings->act;
    const char *word = guest_setting("act", NULL);
    const char *version = guest_setting("act-version", NULL);
    const char *row = guest_setting("row", NULL);
    if (word == NULL)
        return true;
    for (int kind = SIM_ACT_CONFIRM; kind <= SIM_ACT_FORGET; kind++)
        if (strcmp(word, sim_act_word((enum sim_act_kind)kind)) == 0)
            act->kind = (enum sim_act_kind)kind;
    settings->life.act = act;
    if (act->size != 0) {
        act->image = (const uint8_t *)BOARD_IMAGE;
        act->row = settings->row;
    }
    return act->kind != SIM_ACT_NONE && version != NULL && read_version(version, &act->version) &&
           (act->size == 0 ||
            (row != NULL &&
             guest_setting_bytes(row, settings->row, IMG_ROW_SIZE) == (int)IMG_ROW_SIZE));
}

int guest_settings_read_all(struct guest_settings *settings)
{
    struct sim_session *session = &settings->life.session;
    if (guest_settings_read(settings, guest_settings_of_loader) != 0)
        return OTA_E_ARGUMENT;
    for (const struct guest_setting_row *row = rows; row->key != NULL; row++) {
        const char *value = guest_setting(row->key, NULL);
        if (value != NULL && !guest_setting_set(settings, row, value))
            return OTA_E_ARGUMENT;
    }
    guest_scheme_tell(&settings->scheme);
    const char *flow = guest_setting("flow", NULL);
    session->flow = flow != NULL && strcmp(flow, "direct") == 0 ? OTA_FLOW_DIRECT : OTA_FLOW_JOB;
    settings->life.timing = timing_of(guest_setting("timing", NULL));
    const char *answer = guest_setting("answer", NULL);
    for (; answer != NULL; answer = guest_setting("answer", answer))
        if (!app_answers_add(&session->answers, answer, strlen(answer)))
            return OTA_E_ARGUMENT;
    if (!read_act(settings))
        return OTA_E_ARGUMENT;
    const char *seed = guest_setting("seed", NULL);
    return seed != NULL &&
                   guest_setting_bytes(seed, settings->seed, GUEST_SEED_SIZE) == GUEST_SEED_SIZE
               ? OTA_OK
               : OTA_E_ARGUMENT;
}
