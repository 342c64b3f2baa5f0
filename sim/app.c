#include "sim/app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum app_timer_id { TIMER_FEED, TIMER_REFUSE, TIMER_REFUSE_HTTP };

/* ---- no network -------------------------------------------------------------------------- */

static int refuse_connect(void *context, const struct mqtt_connect *options)
{
    struct app *app = context;
    (void)options;
    return app->config.clock->arm(app->config.clock->context, TIMER_REFUSE, 0);
}

static int refuse_topic(void *context, const char *topic, int qos)
{
    (void)context, (void)topic, (void)qos;
    return OTA_E_DISCONNECTED;
}

static int refuse_unsubscribe(void *context, const char *topic)
{
    (void)context, (void)topic;
    return OTA_E_DISCONNECTED;
}

static int refuse_publish(void *context, const char *topic, const void *payload, size_t length,
                          int qos)
{
    (void)context, (void)topic, (void)payload, (void)length, (void)qos;
    return OTA_E_DISCONNECTED;
}

static int refuse_disconnect(void *context)
{
    (void)context;
    return OTA_E_DISCONNECTED;
}

static int refuse_request(void *context, const struct http_request *request)
{
    struct app *app = context;
    (void)request;
    return app->config.clock->arm(app->config.clock->context, TIMER_REFUSE_HTTP, 0);
}

static void cancel_request(void *context)
{
    struct app *app = context;
    app->config.clock->disarm(app->config.clock->context, TIMER_REFUSE_HTTP);
}

/* ---- what it says to its agent ----------------------------------------------------------- */

bool app_answers_add(struct app_answers *answers, const char *text, size_t length)
{
    static const struct {
        const char *word;
        enum ota_answer answer;
    } words[] = {
        {"stop=", OTA_ANSWER_STOP}, {"done=", OTA_ANSWER_DONE}, {"fail=", OTA_ANSWER_FAILED}};
    struct app_answer found = {.step = ""};
    const size_t word = strlen(words[0].word); /* they are of one length */
    if (answers->count == APP_ANSWERS || length <= word || length - word >= sizeof found.step)
        return false;
    memcpy(found.step, text + word, length - word);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (memcmp(text, words[i].word, word) == 0)
            found.answer = words[i].answer;
    if (found.answer == OTA_ANSWER_CONTINUE || !ota_is_step(found.step))
        return false;
    answers->items[answers->count++] = found;
    return true;
}

static enum ota_answer decide(void *context, struct ota_question *question)
{
    const struct app *app = context;
    const struct app_answers *answers = &app->config.answers;
    for (size_t i = 0; question->ask == OTA_ASK_STEP && i < answers->count; i++)
        if (strcmp(question->state, answers->items[i].step) == 0)
            return answers->items[i].answer;
    const struct ota_config *agent = &app->config.agent;
    return agent->decide != NULL ? agent->decide(agent->decide_context, question)
                                 : OTA_ANSWER_CONTINUE;
}

/* ---- life -------------------------------------------------------------------------------- */

/* Feeds the watchdog now and every quarter of its time. */
static int feed(struct app *app)
{
    const struct platform_port *platform = app->config.ports.platform;
    if (app->config.watchdog_ms == 0)
        return OTA_OK;
    platform->watchdog_feed(platform->context);
    return app->config.clock->arm(app->config.clock->context, TIMER_FEED,
                                  app->config.watchdog_ms / 4);
}

int app_start(struct app *app, const struct app_config *config)
{
    memset(app, 0, sizeof *app);
    app->config = *config;
    if (config->behaviour == APP_HANGS)
        return OTA_OK;
    if (config->behaviour == APP_CRASHES) {
        config->crash(config->context);
        return OTA_OK;
    }
    app->no_network = (struct mqtt_port){
        app, refuse_connect, refuse_topic, refuse_unsubscribe, refuse_publish, refuse_disconnect};
    struct ota_ports ports = config->ports;
    app->no_server = (struct http_port){app, refuse_request, cancel_request};
    if (config->behaviour == APP_OFFLINE) {
        ports.mqtt = &app->no_network;
        ports.http = &app->no_server;
    }
    struct ota_config agent = config->agent;
    agent.confirm_itself = config->behaviour != APP_FORGETS;
    agent.piece = app->piece;
    agent.piece_size = sizeof app->piece;
    agent.text = app->text;
    agent.text_size = sizeof app->text;
    agent.parts.say = &ota_say;
    agent.decide = decide;
    agent.decide_context = app;
    int result = feed(app);
    if (result == OTA_OK)
        result = ota_init(&app->agent, &agent, &ports);
    if (result != OTA_OK)
        return result;
    const struct ota_event start = {.type = OTA_EVENT_START};
    ota_step(&app->agent, &start);
    return OTA_OK;
}

static bool is_alive(const struct app *app)
{
    return app->config.behaviour != APP_HANGS && app->config.behaviour != APP_CRASHES;
}

void app_event(struct app *app, const struct ota_event *event)
{
    if (is_alive(app))
        ota_step(&app->agent, event);
}

void app_timer(struct app *app, unsigned id)
{
    if (!is_alive(app))
        return;
    if (id == TIMER_REFUSE || id == TIMER_REFUSE_HTTP) {
        const struct ota_event refused = {.type = id == TIMER_REFUSE ? OTA_EVENT_MQTT_CONNECTED
                                                                     : OTA_EVENT_HTTP_DONE,
                                          .code = OTA_E_CONNECT};
        ota_step(&app->agent, &refused);
    } else if (id == TIMER_FEED && feed(app) != OTA_OK) {
        /* Without the timer the watchdog will fire: that is what it is for. */
        return;
    }
}

/* ---- event lines ------------------------------------------------------------------------- */

void app_notice_line(const struct ota_notice *notice, char out[APP_LINE])
{
    const struct img_version *v = &notice->version;
    const char *word = ota_err_word(notice->code);
    switch (notice->type) {
    case OTA_NOTICE_STATE:
        snprintf(out, APP_LINE, "state %s", ota_state_word(notice->state));
        break;
    case OTA_NOTICE_JOB:
        snprintf(out, APP_LINE, "job %u.%u.%u", v->major, v->minor, v->revision);
        break;
    case OTA_NOTICE_PROGRESS:
        snprintf(out, APP_LINE, "progress %" PRIu32 " %" PRIu32, notice->done, notice->total);
        break;
    case OTA_NOTICE_REFUSED:
        snprintf(out, APP_LINE, "reject %s", word);
        break;
    case OTA_NOTICE_PENDING:
        snprintf(out, APP_LINE, "pending %u.%u.%u", v->major, v->minor, v->revision);
        break;
    case OTA_NOTICE_CONFIRMED:
        snprintf(out, APP_LINE, "confirmed %u.%u.%u", v->major, v->minor, v->revision);
        break;
    case OTA_NOTICE_REPORTED:
        if (notice->code == OTA_OK)
            snprintf(out, APP_LINE, "reported success");
        else
            snprintf(out, APP_LINE, "reported failure %s", word);
        break;
    case OTA_NOTICE_PATCH:
        snprintf(out, APP_LINE, "patch %s", word);
        break;
    case OTA_NOTICE_ERASED:
        if (notice->code == OTA_OK)
            snprintf(out, APP_LINE, "erased %u.%u.%u", v->major, v->minor, v->revision);
        else
            snprintf(out, APP_LINE, "not-erased %u.%u.%u %s", v->major, v->minor, v->revision,
                     word);
        break;
    case OTA_NOTICE_IDLE:
        snprintf(out, APP_LINE, "idle %s", word);
        break;
    }
}
