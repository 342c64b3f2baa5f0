#include "agent/update/service.h"

#include "agent/update/steps.h"
#include "agent/update/to_store.h"

#include <string.h>

/* ---- from notices to events -------------------------------------------------------------- */

/* How far a session has come, as its events told it. */
enum phase {
    RESTING,
    CHECKING, /* CHECK_START was told */
    FOUND,    /* UPDATE_AVAILABLE */
    FETCHING, /* DOWNLOAD_START */
    FETCHED,  /* DOWNLOAD_SUCCESS */
    PATCH_MISSED,
    PATCH_FOUND,
    PATCH_STARTING, /* PATCH_START */
    PATCH_FETCHING,
    PATCH_FETCHED,
    PATCH_VERIFYING,
    APPLYING,
    MADE, /* PATCH_COMPLETED */
    VERIFYING,
    STORING,
    OVER, /* all has been told */
};

#define ANY        (-1)
#define LONGEST_MS (UINT32_MAX - 1u) /* seven weeks: whatever comes of it then is not begun */

/* ROW: in `phase`, at a notice of `type` (of a state's beginning, or with an error `code`; ANY:
 * whichever), `event` is told, and the phase is `next`. The first row that fits counts, and then
 * those that fit its new phase. */
struct event_row {
    uint8_t phase;
    uint8_t type;  /* enum ota_notice_type */
    int16_t state; /* enum ota_state */
    int16_t code;
    uint8_t event;
    uint8_t next;
};

static const struct event_row rows[] = {
    {RESTING, OTA_NOTICE_STATE, OTA_STATE_QUERY, ANY, OTA_SERVICE_CHECK_START, CHECKING},
    {CHECKING, OTA_NOTICE_JOB, ANY, ANY, OTA_SERVICE_UPDATE_AVAILABLE, FOUND},
    {CHECKING, OTA_NOTICE_REFUSED, ANY, OTA_E_JSON, OTA_SERVICE_CHECK_FAILED, OVER},
    {CHECKING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_UPDATE_NOT_AVAILABLE, OVER},
    {CHECKING, OTA_NOTICE_ERASED, ANY, OTA_OK, OTA_SERVICE_ERASED, OVER},
    {CHECKING, OTA_NOTICE_ERASED, ANY, ANY, OTA_SERVICE_ERASE_FAILED, OVER},
    {CHECKING, OTA_NOTICE_IDLE, ANY, OTA_E_NO_UPDATE, OTA_SERVICE_UPDATE_NOT_AVAILABLE, RESTING},
    {CHECKING, OTA_NOTICE_IDLE, ANY, ANY, OTA_SERVICE_CHECK_FAILED, RESTING},
    {PATCH_MISSED, OTA_NOTICE_STATE, OTA_STATE_PEEK, ANY, OTA_SERVICE_PATCH_BASE_NOT_FOUND, FOUND},
    {PATCH_MISSED, OTA_NOTICE_STATE, OTA_STATE_ERASE, ANY, OTA_SERVICE_PATCH_BASE_NOT_FOUND, FOUND},
    {PATCH_MISSED, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_NONE, FOUND},
    {FOUND, OTA_NOTICE_STATE, OTA_STATE_PEEK, ANY, OTA_SERVICE_DOWNLOAD_START, FETCHING},
    {FOUND, OTA_NOTICE_STATE, OTA_STATE_ERASE, ANY, OTA_SERVICE_DOWNLOAD_START, FETCHING},
    {FOUND, OTA_NOTICE_REFUSED, ANY, OTA_E_STOPPED, OTA_SERVICE_NONE, OVER},
    {FOUND, OTA_NOTICE_REFUSED, ANY, OTA_E_NO_SPACE, OTA_SERVICE_STORE_FULL, OVER},
    {FOUND, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_TRIGGER_FAILED, OVER},
    {FOUND, OTA_NOTICE_PATCH, ANY, OTA_OK, OTA_SERVICE_NONE, PATCH_FOUND},
    {FOUND, OTA_NOTICE_PATCH, ANY, OTA_E_NO_IMAGE, OTA_SERVICE_NONE, PATCH_MISSED},
    {PATCH_FOUND, OTA_NOTICE_STATE, OTA_STATE_PEEK, ANY, OTA_SERVICE_PATCH_START, PATCH_STARTING},
    {PATCH_FOUND, OTA_NOTICE_STATE, OTA_STATE_ERASE, ANY, OTA_SERVICE_PATCH_START, PATCH_STARTING},
    {PATCH_STARTING, OTA_NOTICE_STATE, ANY, ANY, OTA_SERVICE_DOWNLOAD_START, PATCH_FETCHING},
    {PATCH_FOUND, OTA_NOTICE_REFUSED, ANY, OTA_E_STOPPED, OTA_SERVICE_NONE, OVER},
    {PATCH_FOUND, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_TRIGGER_FAILED, OVER},
    {PATCH_FETCHING, OTA_NOTICE_STATE, OTA_STATE_VERIFY, ANY, OTA_SERVICE_DOWNLOAD_SUCCESS,
     PATCH_FETCHED},
    {PATCH_FETCHED, OTA_NOTICE_STATE, OTA_STATE_VERIFY, ANY, OTA_SERVICE_PATCH_VERIFY_START,
     PATCH_VERIFYING},
    {PATCH_FETCHING, OTA_NOTICE_PATCH, ANY, ANY, OTA_SERVICE_DOWNLOAD_FAILED, FOUND},
    {PATCH_FETCHING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_DOWNLOAD_FAILED, OVER},
    {APPLYING, OTA_NOTICE_PATCH, ANY, OTA_OK, OTA_SERVICE_PATCH_COMPLETED, MADE},
    {MADE, OTA_NOTICE_PATCH, ANY, OTA_OK, OTA_SERVICE_VERIFY_START, VERIFYING},
    {APPLYING, OTA_NOTICE_PATCH, ANY, ANY, OTA_SERVICE_PATCH_VERIFY_FAILED, FOUND},
    {APPLYING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_PATCH_VERIFY_FAILED, OVER},
    {PATCH_VERIFYING, OTA_NOTICE_PATCH, ANY, OTA_OK, OTA_SERVICE_PATCH_VERIFY_SUCCESS, APPLYING},
    {PATCH_VERIFYING, OTA_NOTICE_PATCH, ANY, ANY, OTA_SERVICE_PATCH_VERIFY_FAILED, FOUND},
    {PATCH_VERIFYING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_PATCH_VERIFY_FAILED, OVER},
    {FETCHING, OTA_NOTICE_STATE, OTA_STATE_VERIFY, ANY, OTA_SERVICE_DOWNLOAD_SUCCESS, FETCHED},
    {FETCHED, OTA_NOTICE_STATE, OTA_STATE_VERIFY, ANY, OTA_SERVICE_VERIFY_START, VERIFYING},
    {FETCHING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_DOWNLOAD_FAILED, OVER},
    {VERIFYING, OTA_NOTICE_STATE, OTA_STATE_INSTALL, ANY, OTA_SERVICE_VERIFY_SUCCESS, STORING},
    {VERIFYING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_VERIFY_FAILED, OVER},
    {STORING, OTA_NOTICE_PENDING, ANY, ANY, OTA_SERVICE_STORED, OVER},
    {STORING, OTA_NOTICE_REFUSED, ANY, ANY, OTA_SERVICE_STORE_FULL, OVER},
};

static void tell(const struct ota_service *service, enum ota_service_event event)
{
    if (event != OTA_SERVICE_NONE && service->config.tell != NULL)
        service->config.tell(service->config.context, event);
}

static bool fits(const struct event_row *row, uint8_t phase, const struct ota_notice *notice)
{
    return row->phase == phase && row->type == notice->type &&
           (row->state == ANY || row->state == (int)notice->state) &&
           (row->code == ANY || row->code == notice->code);
}

/* A session that was offered something and lost it on the way says so at its end. */
static void end_session(struct ota_service *service)
{
    if (service->phase >= FOUND && service->phase <= PATCH_FETCHING)
        tell(service, OTA_SERVICE_DOWNLOAD_FAILED);
    service->phase = RESTING;
    service->asked = false;
    service->initiate = false;
}

/* A check that nobody asked for does not begin where there are no periodic ones. */
static bool is_unwanted(const struct ota_service *service)
{
    return service->phase == RESTING && !service->config.periodic && !service->asked;
}

static void notice(struct ota_service *service, const struct ota_notice *notice)
{
    bool unwanted = notice->type == OTA_NOTICE_STATE && is_unwanted(service);
    if (unwanted)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fits(&rows[i], service->phase, notice)) {
            service->phase = rows[i].next;
            tell(service, (enum ota_service_event)rows[i].event);
        }
    if (notice->type == OTA_NOTICE_IDLE)
        end_session(service);
}

/* ---- what the session asks --------------------------------------------------------------- */

/* What is available is not fetched before it may be. */
static enum ota_answer decide(struct ota_service *service, const struct ota_question *question)
{
    const struct ota_service_config *config = &service->config;
    bool unwanted = question->ask == OTA_ASK_STEP && strcmp(question->state, "query") == 0 &&
                    is_unwanted(service);
    bool found =
        service->phase == FOUND || service->phase == PATCH_FOUND || service->phase == PATCH_MISSED;
    bool held = question->ask == OTA_ASK_SUCCESS && found &&
                strcmp(question->state, "parse") == 0 && !config->auto_update && !service->initiate;
    if (held)
        service->waiting = true;
    return unwanted || held ? OTA_ANSWER_STOP : OTA_ANSWER_CONTINUE;
}

/* ---- messages ---------------------------------------------------------------------------- */

static int check(struct ota_service *service, bool initiate)
{
    const struct ota_event event = {.type = OTA_EVENT_CHECK};
    service->asked = true;
    service->initiate = initiate;
    service->waiting = false;
    ota_step(service->agent, &event);
    return 0;
}

static int reset(struct ota_service *service)
{
    const struct platform_port *platform = service->agent->ports.platform;
    if (!service->agent->pending && !service->changed)
        return OTA_E_NO_IMAGE;
    platform->reset(platform->context);
    return 0;
}

/* Ways to another image than the one that runs. */
static const struct way {
    int (*ask)(struct store *store);
    uint8_t success; /* enum ota_service_event */
    uint8_t failure;
    bool rejects; /* what runs */
} ways[] = {
    {store_factory_reset, OTA_SERVICE_FACTORY_RESET_SUCCESS, OTA_SERVICE_FACTORY_RESET_FAILED,
     false},
    {store_roll_back, OTA_SERVICE_ROLLBACK_SUCCESS, OTA_SERVICE_ROLLBACK_FAILED, true},
};

/* What was sent away does not come back with the next check. That is all that is lost if the record
 * cannot be written. */
static void reject_running(struct ota_agent *agent)
{
    struct ota_record *record = &agent->record;
    const struct img_version *running = &agent->speaker.running;
    struct img_row row;
    const struct store *store = &agent->config.stored->store;
    if (store_row(store, store->state.installed, &row) != 0)
        return;
    ota_record_stage(record, running, row.digest);
    while (ota_record_failures(record, running) < OTA_REVERTS_MAX)
        ota_record_reverted(record);
    int error = ota_save(agent);
    (void)error; /* logged */
}

static int give_way(struct ota_service *service, const struct way *way)
{
    struct ota_stored *stored = service->agent->config.stored;
    int error = stored != NULL ? store_open(&stored->store, &stored->config) : OTA_E_UNSUPPORTED;
    if (error == 0)
        error = way->ask(&stored->store);
    if (error == 0 && way->rejects)
        reject_running(service->agent);
    tell(service, (enum ota_service_event)(error == 0 ? way->success : way->failure));
    if (error != 0)
        return error;
    service->changed = true;
    return service->config.auto_reset ? reset(service) : 0;
}

static int message(struct ota_service *service, enum ota_service_message message)
{
    if (service->agent->state != OTA_STATE_IDLE)
        return OTA_E_BUSY;
    switch (message) {
    case OTA_SERVICE_CHECK:
    case OTA_SERVICE_INITIATE:
        return check(service, message == OTA_SERVICE_INITIATE);
    case OTA_SERVICE_RESET:
        return reset(service);
    case OTA_SERVICE_FACTORY_RESET:
    case OTA_SERVICE_ROLLBACK:
        return give_way(service, &ways[message == OTA_SERVICE_ROLLBACK]);
    }
    return OTA_E_ARGUMENT;
}

/* ---- beginning --------------------------------------------------------------------------- */

static void configure(const struct ota_service_config *config, struct ota_config *agent_config)
{
    agent_config->stay_after_complete = !config->auto_reset;
    if (!config->periodic)
        agent_config->timing.next_check = LONGEST_MS;
    else if (config->interval_ms != 0)
        agent_config->timing.next_check = config->interval_ms;
}

static void begin(struct ota_service *service, const struct ota_service_config *config,
                  struct ota_agent *agent, struct ota_config *agent_config)
{
    *service = (struct ota_service){.config = *config, .agent = agent};
    if (service->config.interval_ms == 0)
        service->config.interval_ms = agent_config->timing.next_check;
    if (service->config.interval_ms == 0)
        service->config.interval_ms = ota_default_timing.next_check;
    configure(config, agent_config);
    if (!config->periodic)
        agent_config->timing.initial_check = LONGEST_MS;
}

static void set(struct ota_service *service, const struct ota_service_config *config)
{
    struct ota_config *agent_config = &service->agent->config;
    service->config = *config;
    configure(config, agent_config);
    if (service->agent->state == OTA_STATE_IDLE)
        ota_wait(service->agent, agent_config->timing.next_check);
}

static void lead(struct ota_service *service, const struct ota_source *server)
{
    struct ota_config *config = &service->agent->config;
    service->server = *server;
    config->connection = server->connection;
    config->http_host = service->server.host;
    config->http_port = server->port;
    config->http_file = service->server.path;
}

/* ---- what an application shows ----------------------------------------------------------- */

static const struct view {
    uint8_t event; /* enum ota_service_event */
    uint8_t state; /* enum ota_service_state */
    uint8_t core;  /* enum ota_core_state */
} views[] = {
    [CHECKING] = {OTA_SERVICE_CHECK_START, OTA_SERVICE_STATE_READ_JSON, OTA_CORE_IDLE},
    [FOUND] = {OTA_SERVICE_UPDATE_AVAILABLE, OTA_SERVICE_STATE_TRIGGER, OTA_CORE_IDLE},
    [FETCHING] = {OTA_SERVICE_DOWNLOAD_START, OTA_SERVICE_STATE_WAIT_CORE, OTA_CORE_DOWNLOAD_IMAGE},
    [FETCHED] = {OTA_SERVICE_DOWNLOAD_SUCCESS, OTA_SERVICE_STATE_WAIT_CORE, OTA_CORE_VERIFY},
    [PATCH_MISSED] = {OTA_SERVICE_UPDATE_AVAILABLE, OTA_SERVICE_STATE_TRIGGER,
                      OTA_CORE_SEARCH_PATCH_BASE},
    [PATCH_FOUND] = {OTA_SERVICE_UPDATE_AVAILABLE, OTA_SERVICE_STATE_TRIGGER,
                     OTA_CORE_SEARCH_PATCH_BASE},
    [PATCH_STARTING] = {OTA_SERVICE_PATCH_START, OTA_SERVICE_STATE_WAIT_CORE,
                        OTA_CORE_DOWNLOAD_IMAGE},
    [PATCH_FETCHING] = {OTA_SERVICE_DOWNLOAD_START, OTA_SERVICE_STATE_WAIT_CORE,
                        OTA_CORE_DOWNLOAD_IMAGE},
    [PATCH_FETCHED] = {OTA_SERVICE_DOWNLOAD_SUCCESS, OTA_SERVICE_STATE_WAIT_CORE,
                       OTA_CORE_VERIFY_PATCH},
    [PATCH_VERIFYING] = {OTA_SERVICE_PATCH_VERIFY_START, OTA_SERVICE_STATE_WAIT_CORE,
                         OTA_CORE_VERIFY_PATCH},
    [APPLYING] = {OTA_SERVICE_PATCH_VERIFY_SUCCESS, OTA_SERVICE_STATE_WAIT_CORE,
                  OTA_CORE_PATCH_BUILD},
    [MADE] = {OTA_SERVICE_PATCH_COMPLETED, OTA_SERVICE_STATE_WAIT_CORE, OTA_CORE_VERIFY},
    [VERIFYING] = {OTA_SERVICE_VERIFY_START, OTA_SERVICE_STATE_WAIT_CORE, OTA_CORE_VERIFY},
    [STORING] = {OTA_SERVICE_VERIFY_SUCCESS, OTA_SERVICE_STATE_WAIT_CORE, OTA_CORE_DATABASE_ENTRY},
    [OVER] = {OTA_SERVICE_WAITING_FOR_CORE, OTA_SERVICE_STATE_UPDATE_USER, OTA_CORE_UPDATE_USER},
};

static struct view view(const struct ota_service *service)
{
    struct view resting = {OTA_SERVICE_IDLE, OTA_SERVICE_STATE_IDLE, OTA_CORE_IDLE};
    if (service->phase != RESTING)
        return views[service->phase];
    if (service->config.periodic)
        resting = (struct view){OTA_SERVICE_WAITING_FOR_PERIOD, OTA_SERVICE_STATE_WAIT_TIMER,
                                OTA_CORE_IDLE};
    if (service->agent->state != OTA_STATE_IDLE)
        resting.state = OTA_SERVICE_STATE_CONNECT;
    return resting;
}

static enum ota_service_event status(const struct ota_service *service)
{
    return (enum ota_service_event)view(service).event;
}

static enum ota_service_state state(const struct ota_service *service)
{
    return (enum ota_service_state)view(service).state;
}

static enum ota_core_state core(const struct ota_service *service)
{
    return (enum ota_core_state)view(service).core;
}

const struct ota_service_calls ota_service = {begin, notice, decide, message, set,
                                              lead,  status, state,  core};
