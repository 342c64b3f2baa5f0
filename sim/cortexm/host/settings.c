#include "sim/cortexm/host/settings.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define ROOM 0x10000L /* BOARD_SETTINGS_SIZE of the guest */

static void put_number(FILE *out, const char *key, uint32_t value)
{
    if (value != 0)
        fprintf(out, "%s=%u\n", key, value);
}

static void put_switch(FILE *out, const char *key, bool value)
{
    if (value)
        fprintf(out, "%s=1\n", key);
}

static void put_text(FILE *out, const char *key, const char *value)
{
    if (value != NULL && *value != '\0')
        fprintf(out, "%s=%s\n", key, value);
}

static void put_region(FILE *out, const char *key, const struct sim_region *region)
{
    if (region->size != 0)
        fprintf(out, "%s=0x%x 0x%x\n", key, region->address, region->size);
}

static void put_hex(FILE *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", bytes[i]);
    fputc('\n', out);
}

static void put_chip(FILE *out, const struct flash_part *part)
{
    fprintf(out, "chip=0x%x %u %u 0x%02x %u %u %d", part->size, part->unit, part->page,
            part->erased, part->programs, part->row, part->reprogram_zero);
    for (size_t i = 0; i < part->run_count; i++)
        fprintf(out, " %u 0x%x", part->runs[i].count, part->runs[i].size);
    fputc('\n', out);
}

static void put_device(FILE *out, const struct sim_device *device)
{
    put_text(out, "name", device->name);
    put_text(out, "system", device->system);
    for (size_t i = 0; i < device->chip_count; i++)
        put_chip(out, &device->chips[i].part);
    put_region(out, "loader", &device->loader);
    put_region(out, "primary", &device->primary);
    put_region(out, "secondary", &device->secondary);
    put_region(out, "journal", &device->journal);
    put_region(out, "progress", &device->progress);
    put_region(out, "scratch", &device->scratch);
    put_region(out, "status", &device->status);
    put_region(out, "factory", &device->factory);
    put_number(out, "attempts", device->attempts);
    put_text(out, "scheme", device->scheme->name);
    put_switch(out, "reverts", device->scheme->reverts);
    put_switch(out, "in-status", device->scheme->in_status != NULL);
    put_switch(out, "store", device->scheme->store);
    put_number(out, "max-end", sim_device_max_end(device));
    put_number(out, "align", device->format.align);
    put_number(out, "write-size", device->format.write_size);
    put_number(out, "max-sectors", device->format.max_sectors);
    put_number(out, "header", device->header_size);
    put_switch(out, "validate-primary", device->validate_primary);
    put_switch(out, "refuse-older", device->refuse_older_version);
    put_switch(out, "security-counter", device->use_counter);
    for (size_t i = 0; i < device->key_count; i++) {
        const struct crypto_key *key = &device->keys[i];
        fprintf(out, "key=%s ", key->scheme == CRYPTO_ECDSA_P256 ? "ecdsa" : "rsa");
        put_hex(out, key->der, key->der_size);
    }
    put_text(out, "manufacturer", device->manufacturer);
    put_text(out, "manufacturer-id", device->manufacturer_id);
    put_text(out, "product", device->product);
    put_text(out, "serial", device->serial);
    put_text(out, "board", device->board);
    put_text(out, "topic-prefix", device->topic_prefix);
    put_number(out, "watchdog-ms", device->watchdog_ms);
}

static const char *answer_word(enum ota_answer answer)
{
    return answer == OTA_ANSWER_STOP ? "stop" : answer == OTA_ANSWER_DONE ? "done" : "fail";
}

static void put_session(FILE *out, const struct sim_session *session)
{
    const struct ota_timing *timing = &session->timing;
    put_switch(out, "by-http", session->by_http);
    put_text(out, "flow", session->flow == OTA_FLOW_DIRECT ? "direct" : "job");
    put_text(out, "file", session->file);
    put_switch(out, "send-direct", session->send_direct);
    put_number(out, "chunk", session->chunk_size);
    for (size_t i = 0; i < session->answers.count; i++) {
        const struct app_answer *answer = &session->answers.items[i];
        fprintf(out, "answer=%s=%s\n", answer_word(answer->answer), answer->step);
    }
    put_switch(out, "no-result", session->no_result);
    put_switch(out, "permanent", session->permanent);
    put_switch(out, "stay", session->stay);
    put_switch(out, "hold", session->hold);
    put_switch(out, "initiate", session->initiate);
    put_number(out, "initial-check", timing->initial_check);
    put_number(out, "next-check", timing->next_check);
    put_number(out, "job-wait", timing->job_wait);
    put_number(out, "data-wait", timing->data_wait);
    put_number(out, "connect-wait", timing->connect_wait);
    put_number(out, "retry", timing->retry_first);
    put_number(out, "retry-last", timing->retry_last);
    put_number(out, "keep-alive", timing->keep_alive);
    put_number(out, "connect-tries", timing->connect_tries);
    put_number(out, "data-tries", timing->data_tries);
}

static void put_act(FILE *out, const struct sim_act *act)
{
    if (act == NULL)
        return;
    put_text(out, "act", sim_act_word(act->kind));
    put_switch(out, "act-permanent", act->permanent);
    fprintf(out, "act-version=%u.%u.%u\n", act->version.major, act->version.minor,
            act->version.revision);
    if (act->image != NULL) {
        put_number(out, "image", act->size);
        fprintf(out, "row=");
        put_hex(out, act->row, IMG_ROW_SIZE);
    }
}

static void put_peer(FILE *out, const char *key, const struct cortexm_peer *peer)
{
    if (peer->host != NULL)
        fprintf(out, "%s=%s\n%s-port=%u\n%s-tls=%d\n", key, peer->host, key, peer->port, key,
                peer->tls);
}

static int put_file(FILE *out, const char *key, const char *path)
{
    if (path == NULL)
        return OTA_OK;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return OTA_E_IO;
    fprintf(out, "%s=", key);
    for (int c = getc(file); c != EOF; c = getc(file))
        fprintf(out, "%02x", (unsigned)c);
    fputc('\n', out);
    bool good = ferror(file) == 0;
    fclose(file);
    return good ? OTA_OK : OTA_E_IO;
}

static int put_all(FILE *out, const struct cortexm_settings *settings)
{
    static const char *const timings[] = {
        [SIM_TIMING_DESK] = "desk", [SIM_TIMING_FAST] = "fast", [SIM_TIMING_DEFAULT] = "default"};
    const struct sim_life_config *life = settings->life;
    put_device(out, life->device);
    put_session(out, &life->session);
    put_text(out, "timing", timings[life->timing]);
    put_switch(out, "once", life->once);
    put_switch(out, "boot-only", life->boot_only);
    put_act(out, life->act);
    put_peer(out, "broker", &settings->broker);
    put_peer(out, "server", &settings->server);
    put_text(out, "nv", settings->nv);
    put_number(out, "marks", settings->marks);
    put_number(out, "log", settings->log_level);
    put_number(out, "time", (uint32_t)time(NULL)); /* the board has no clock for that */
    fprintf(out, "seed=");
    put_hex(out, settings->seed, sizeof settings->seed);
    int result = put_file(out, "ca", settings->ca);
    if (result == OTA_OK)
        result = put_file(out, "cert", settings->certificate);
    if (result == OTA_OK)
        result = put_file(out, "private", settings->private_key);
    fputc('\0', out);
    return result;
}

int cortexm_settings_write(const struct cortexm_settings *settings, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return OTA_E_IO;
    int result = put_all(out, settings);
    if (result == OTA_OK && ftell(out) > ROOM)
        result = OTA_E_NO_SPACE;
    int saved = errno;
    bool good = ferror(out) == 0;
    good = fclose(out) == 0 && good;
    if (result != OTA_OK)
        errno = saved;
    return result != OTA_OK ? result : good ? OTA_OK : OTA_E_IO;
}
