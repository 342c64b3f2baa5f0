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

void ota_settle(struct ota_agent *agent)
{
    struct ota_record *record = &agent->record;
    struct img_trailer trailer;
    img_trailer_read(&agent->config.primary, &agent->config.format, &trailer);
    agent->trial = agent->config.reverts && img_is_trial(&trailer);
    if (record->phase != OTA_PHASE_STAGED && record->phase != OTA_PHASE_INSTALL)
        return;
    bool runs = img_version_compare(&record->target, &agent->running) == 0;
    if (runs && record->phase == OTA_PHASE_INSTALL)
        return;
    if (runs) {
        record->phase = OTA_PHASE_INSTALL; /* the cut came after the request: if this one is
                                            * reverted, it counts */
    } else if (record->phase == OTA_PHASE_STAGED) {
        record->phase = OTA_PHASE_IDLE; /* cut before the loader was asked: as if never begun */
    } else {
        record->phase = OTA_PHASE_FAILED;
        record->reason = OTA_E_REVERTED;
        record->failures++;
    }
    save_loosely(agent);
}

bool ota_is_tested(const struct ota_agent *agent)
{
    return agent->trial && agent->config.confirm_itself;
}

bool ota_is_due(const struct ota_agent *agent)
{
    return agent->trial ? agent->config.confirm_itself : agent->record.phase != OTA_PHASE_IDLE;
}

void ota_owe_failure(struct ota_agent *agent, int code)
{
    agent->fetching = false;
    agent->record.phase = OTA_PHASE_FAILED;
    agent->record.target = agent->offer;
    agent->record.reason = code;
    save_loosely(agent);
}

enum ota_state ota_fail(struct ota_agent *agent, int code)
{
    ota_log(agent, OTA_LOG_WARNING, "update refused", code);
    agent->outcome = code;
    ota_notify(agent, OTA_NOTICE_REFUSED, code);
    ota_owe_failure(agent, code);
    return OTA_STATE_REPORT;
}

/* ---- verify, install --------------------------------------------------------------------- */

/* What lies in flash is a trusted image, nothing but that image, and the one that was announced. */
static int verify(const struct ota_agent *agent, struct img_info *info)
{
    const struct ota_config *config = &agent->config;
    const struct img_rules rules = {config->keys, config->key_count, config->max_end};
    struct img_fault fault = {0};
    int error = img_check(&config->secondary, &rules, agent->ports.crypto, info, &fault);
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, fault.what != NULL ? fault.what : "image", error);
        return error;
    }
    if (info->end != agent->total)
        return info->end < agent->total ? OTA_E_IMG_SIZE : OTA_E_IMG_TRUNCATED;
    const struct img_version *version = &info->header.version;
    if (img_version_compare(version, &agent->offer) != 0 ||
        img_version_compare(version, &agent->running) <= 0)
        return OTA_E_IMG_VERSION;
    return 0;
}

/* Failures are counted of one image: another version or another build of it starts anew. */
static void stage(struct ota_record *record, const struct img_info *info)
{
    bool same = img_version_compare(&record->failed, &info->header.version) == 0 &&
                memcmp(record->failed_digest, info->digest, CRYPTO_SHA256_SIZE) == 0;
    if (!same)
        record->failures = 0;
    record->phase = OTA_PHASE_STAGED;
    record->target = info->header.version;
    record->reason = 0;
    record->failed = info->header.version;
    memcpy(record->failed_digest, info->digest, CRYPTO_SHA256_SIZE);
}

enum ota_state ota_verify_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct flash_port *flash = agent->ports.flash;
    struct img_info info;
    (void)event;
    int error = flash->sync(flash->context);
    if (error == 0)
        error = verify(agent, &info);
    if (error != 0)
        return ota_fail(agent, error);
    stage(&agent->record, &info);
    return OTA_STATE_INSTALL;
}

/* Begun and not known to be done: the loader must not find it, for Failure will be reported. */
static void withdraw(const struct ota_agent *agent)
{
    const struct flash_area *slot = &agent->config.secondary;
    struct flash_sector sector;
    int error = flash_area_sector(slot, slot->size - 1, &sector);
    if (error == 0)
        error = flash_area_erase_sector(slot, sector.start);
    if (error != 0)
        ota_log(agent, OTA_LOG_ERROR, "trailer", error);
}

enum ota_state ota_install_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct ota_config *config = &agent->config;
    const struct flash_port *flash = agent->ports.flash;
    (void)event;
    int error = ota_save(agent);
    if (error != 0)
        return ota_fail(agent, error);
    error = img_set_pending(&config->secondary, &config->format, config->permanent);
    if (error == 0)
        error = flash->sync(flash->context);
    if (error != 0) {
        withdraw(agent);
        return ota_fail(agent, error);
    }
    agent->record.phase = OTA_PHASE_INSTALL;
    save_loosely(agent);
    agent->fetching = false;
    agent->restart = true;
    ota_notify(agent, OTA_NOTICE_PENDING, 0);
    return OTA_STATE_LEAVE;
}

/* ---- confirm, report --------------------------------------------------------------------- */

enum ota_state ota_confirm_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct flash_port *flash = agent->ports.flash;
    (void)event;
    int error = 0;
    if (agent->trial)
        error = img_confirm(&agent->config.primary, &agent->config.format);
    if (error == 0 && agent->trial)
        error = flash->sync(flash->context);
    if (error != 0) {
        ota_log(agent, OTA_LOG_ERROR, "cannot confirm", error);
        return OTA_STATE_RESET;
    }
    agent->trial = false;
    agent->record.phase = OTA_PHASE_SUCCEEDED;
    agent->record.target = agent->running;
    agent->record.reason = 0;
    agent->record.failures = 0;
    ota_notify(agent, OTA_NOTICE_CONFIRMED, 0);
    save_loosely(agent);
    return OTA_STATE_REPORT;
}

enum ota_state ota_report_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_speaker speaker;
    (void)event;
    ota_speaker(agent, &speaker);
    bool success = agent->record.phase == OTA_PHASE_SUCCEEDED;
    int error = ota_publish(
        agent, agent->config.protocol->result(&speaker, success, agent->text, sizeof agent->text));
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "report", error);
        return ota_retry(agent);
    }
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_REPORT;
}

enum ota_state ota_report_published(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0)
        return ota_publish_failed(agent, event);
    if (agent->unacked > 0)
        return OTA_STATE_REPORT; /* of an earlier request: the report's is among those to come */
    int code = agent->record.phase == OTA_PHASE_SUCCEEDED ? 0 : agent->record.reason;
    ota_notify(agent, OTA_NOTICE_REPORTED, code);
    agent->record.phase = OTA_PHASE_IDLE;
    agent->record.reason = 0;
    save_loosely(agent);
    agent->tries = 0;
    if (agent->checking && !agent->offered)
        return OTA_STATE_ASK; /* that was owed from before; now for what is new */
    agent->outcome = code;
    return OTA_STATE_LEAVE;
}
