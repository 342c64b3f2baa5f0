#include "agent/update/steps.h"

#include <string.h>

/* ---- the record -------------------------------------------------------------------------- */

int ota_save(struct ota_agent *agent)
{
    int error = ota_journal_write(&agent->journal, &agent->record);
    if (error != 0)
        ota_log(agent, OTA_LOG_ERROR, "journal", error);
    return error;
}

/* Saves a record whose loss costs a repeated step and no more: what happens next is right anyway.
 */
static void save_loosely(struct ota_agent *agent)
{
    int error = ota_save(agent);
    (void)error; /* logged */
}

/* A result is sent to whoever sent a job. */
static bool is_answerable(const struct ota_agent *agent)
{
    return !ota_is_direct(agent) && !agent->config.do_not_send_result;
}

void ota_settle(struct ota_agent *agent)
{
    struct ota_record *record = &agent->record;
    agent->trial = ota_parts(agent)->target->is_on_trial(agent);
    if (record->phase != OTA_PHASE_STAGED && record->phase != OTA_PHASE_INSTALL)
        return;
    bool runs = img_version_compare(&record->target, &agent->speaker.running) == 0;
    if (runs && record->phase == OTA_PHASE_INSTALL)
        return;
    if (runs) {
        record->phase = OTA_PHASE_INSTALL; /* the cut came after the request: if this one is
                                            * reverted, it counts */
    } else if (record->phase == OTA_PHASE_STAGED) {
        record->phase = OTA_PHASE_IDLE; /* cut before the loader was asked: as if never begun */
    } else {
        record->phase = is_answerable(agent) ? OTA_PHASE_FAILED : OTA_PHASE_IDLE;
        record->reason = OTA_E_REVERTED;
        ota_record_reverted(record);
        ota_log(agent, OTA_LOG_WARNING, "update", OTA_E_REVERTED);
    }
    save_loosely(agent);
}

bool ota_is_tested(const struct ota_agent *agent)
{
    return agent->trial && agent->config.confirm_itself;
}

bool ota_is_due(const struct ota_agent *agent)
{
    if (agent->pending)
        return false;
    return agent->trial ? agent->config.confirm_itself : agent->record.phase != OTA_PHASE_IDLE;
}

bool ota_is_settled(const struct ota_agent *agent)
{
    enum ota_phase phase = agent->record.phase;
    return !agent->trial && (phase == OTA_PHASE_SUCCEEDED || phase == OTA_PHASE_FAILED);
}

bool ota_succeeded(const struct ota_agent *agent)
{
    return agent->record.phase == OTA_PHASE_SUCCEEDED;
}

bool ota_is_passing(int code)
{
    static const int passing[] = {OTA_E_CONNECT, OTA_E_DISCONNECTED, OTA_E_TIMEOUT,
                                  OTA_E_HTTP_STATUS};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (code == passing[i])
            return true;
    return ota_err_is_tls(code);
}

/* What came over a line that failed is good for another try; of what was refused nothing is. */
static bool is_worth_keeping(int code)
{
    return code == OTA_E_STOPPED || ota_is_passing(code);
}

/* The journal's own errors are logged; the fetch begins anew then, or ends in the same refusal. */
static void forget_progress(struct ota_agent *agent)
{
    int error = ota_progress_clear(&agent->progress);
    if (error != 0)
        ota_log(agent, OTA_LOG_WARNING, "progress", error);
}

void ota_owe_failure(struct ota_agent *agent, int code)
{
    if (agent->fetching && !is_worth_keeping(code))
        forget_progress(agent);
    agent->fetching = false;
    if (!is_answerable(agent)) {
        if (agent->record.phase == OTA_PHASE_STAGED) { /* nothing of it is due any more */
            agent->record.phase = OTA_PHASE_IDLE;
            save_loosely(agent);
        }
        return;
    }
    agent->record.phase = OTA_PHASE_FAILED;
    agent->record.target = agent->offer;
    agent->record.reason = code;
    memcpy(agent->record.path, agent->source.path, OTA_PATH_MAX);
    save_loosely(agent);
}

enum ota_state ota_fail(struct ota_agent *agent, int code)
{
    ota_log(agent, OTA_LOG_WARNING, "update refused", code);
    agent->failure = code;
    agent->outcome = code;
    ota_notify(agent, OTA_NOTICE_REFUSED, code);
    ota_owe_failure(agent, code);
    return ota_proceed(agent);
}

/* ---- verify, install --------------------------------------------------------------------- */

/* What lies in flash is a trusted image, nothing but that image, and the one that was announced. */
static int verify(struct ota_agent *agent, struct img_info *info)
{
    int error = ota_parts(agent)->target->check(agent, info);
    if (error != 0)
        return error;
    if (info->end > agent->config.max_end)
        return OTA_E_IMG_SIZE;
    uint32_t total = ota_image_total(agent);
    if (total != 0 && info->end != total) /* 0: the application fetched it */
        return info->end < total ? OTA_E_IMG_SIZE : OTA_E_IMG_TRUNCATED;
    const struct img_version *version = &info->header.version;
    if (!agent->announced)
        agent->offer = *version;
    if (img_version_compare(version, &agent->offer) != 0 ||
        img_version_compare(version, &agent->speaker.running) <= 0)
        return OTA_E_IMG_VERSION;
    return 0;
}

static void stage(struct ota_record *record, const struct img_info *info, const char *path)
{
    ota_record_stage(record, &info->header.version, info->digest);
    record->phase = OTA_PHASE_STAGED;
    record->target = info->header.version;
    record->reason = 0;
    memcpy(record->path, path, OTA_PATH_MAX);
}

enum ota_state ota_verify_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct flash_port *flash = agent->ports.flash;
    const struct ota_target *target = ota_parts(agent)->target;
    struct img_info info = {0};
    (void)event;
    int error = flash->sync(flash->context);
    if (error == 0 && target->complete != NULL)
        error = target->complete(agent);
    if (error > 0) {
        ota_wait(agent, 0);
        return OTA_STATE_VERIFY;
    }
    if (error == OTA_E_CHANGED)
        return ota_ask_anew(agent);
    if (error == 0)
        error = verify(agent, &info);
    if (error != 0)
        return ota_fail(agent, error);
    stage(&agent->record, &info, agent->source.path);
    return OTA_STATE_INSTALL;
}

/* Begun and not known to be done: the loader must not find it, for Failure will be reported. */
static void withdraw(struct ota_agent *agent)
{
    int error = ota_parts(agent)->target->withdraw(agent);
    if (error != 0)
        ota_log(agent, OTA_LOG_ERROR, "cannot withdraw", error);
}

enum ota_state ota_install_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct ota_config *config = &agent->config;
    const struct flash_port *flash = agent->ports.flash;
    (void)event;
    int error = ota_save(agent);
    if (error != 0)
        return ota_fail(agent, error);
    forget_progress(agent); /* the loader may move the slot's content from now on */
    if (!ota_is_taken_over(agent))
        error = ota_parts(agent)->target->hand_over(agent);
    if (error == 0)
        error = flash->sync(flash->context);
    if (error != 0) {
        withdraw(agent);
        return ota_fail(agent, error);
    }
    agent->record.phase = OTA_PHASE_INSTALL;
    save_loosely(agent);
    agent->fetching = false;
    agent->restart = !config->stay_after_complete;
    agent->pending = true;
    ota_notify(agent, OTA_NOTICE_PENDING, 0);
    return OTA_STATE_LEAVE;
}

/* ---- confirm, report --------------------------------------------------------------------- */

static int confirm(struct ota_agent *agent)
{
    const struct flash_port *flash = agent->ports.flash;
    const struct ota_target *target = ota_parts(agent)->target;
    if (!agent->trial)
        return 0;
    if (ota_is_taken_over(agent))
        return target->is_on_trial(agent) ? OTA_E_UNCONFIRMED : 0;
    int error = target->confirm(agent);
    return error != 0 ? error : flash->sync(flash->context);
}

enum ota_state ota_confirm_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = confirm(agent);
    if (error == OTA_E_UNCONFIRMED)
        return ota_stop(agent, error);
    if (error != 0) {
        ota_log(agent, OTA_LOG_ERROR, "cannot confirm", error);
        agent->failure = error;
        return OTA_STATE_RESET;
    }
    agent->trial = false;
    agent->record.phase = is_answerable(agent) ? OTA_PHASE_SUCCEEDED : OTA_PHASE_IDLE;
    agent->record.target = agent->speaker.running;
    agent->record.reason = 0;
    ota_record_confirmed(&agent->record, &agent->speaker.running);
    ota_notify(agent, OTA_NOTICE_CONFIRMED, 0);
    save_loosely(agent);
    return ota_proceed(agent);
}

enum ota_state ota_report_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = ota_publish(agent, agent->text_length);
    return ota_asked(agent, error, agent->config.timing.connect_wait);
}

enum ota_state ota_reported(struct ota_agent *agent, bool delivered)
{
    int code = agent->record.phase == OTA_PHASE_SUCCEEDED ? 0 : agent->record.reason;
    if (delivered)
        ota_notify(agent, OTA_NOTICE_REPORTED, code);
    agent->record.phase = OTA_PHASE_IDLE;
    agent->record.reason = 0;
    save_loosely(agent);
    agent->tries = 0;
    if (!agent->checking || agent->offered)
        agent->outcome = code;
    return ota_proceed(agent); /* if that was owed from before, now for what is new */
}

enum ota_state ota_report_published(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0)
        return ota_publish_failed(agent, event);
    if (agent->unacked > 0)
        return OTA_STATE_REPORT; /* of an earlier request: the report's is among those to come */
    return ota_reported(agent, true);
}
