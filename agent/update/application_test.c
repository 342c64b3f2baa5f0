#include "agent/update/session_rig.h"

/* The application of these tests gives one answer in one place and CONTINUE everywhere else. */
struct said {
    const char *state;
    enum ota_ask ask;
    enum ota_answer answer;
    const char *document; /* put into the question's; NULL: left alone */
    unsigned asked;       /* so often was that place met */
    int code;             /* of the last FAILURE */
    unsigned steps;       /* questions of any kind */
};

static struct said said;

static enum ota_answer decide(void *context, struct ota_question *question)
{
    struct rig *rig = context;
    said.steps++;
    assert_true(question->document_size > OTA_JSON_MAX);
    assert_int_equal(question->code != 0, question->ask == OTA_ASK_FAILURE);
    if (question->ask == OTA_ASK_FAILURE)
        said.code = question->code;
    if (strcmp(question->state, said.state) != 0 || question->ask != said.ask)
        return OTA_ANSWER_CONTINUE;
    said.asked++;
    if (said.answer == OTA_ANSWER_DONE && strcmp(said.state, "connect") == 0)
        rig->linked = true;
    if (said.document != NULL)
        strcpy(question->document, said.document);
    return said.answer;
}

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    said = (struct said){.state = ""};
    rig->config.decide = decide;
    rig->config.decide_context = rig;
    rig->config.progress.size = RIG_PROGRESS;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

#define NOTHING OTA_STATES

/* What the state waits for does not come: the line breaks. */
static void fail_here(struct rig *rig)
{
    if (rig->requested)
        rig_done(rig, OTA_E_DISCONNECTED);
    else if (rig->agent.state == OTA_STATE_CONNECT)
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_DISCONNECTED);
    else if (rig->agent.state == OTA_STATE_SUBSCRIBE)
        rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_DISCONNECTED);
    else
        rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
}

/* Broker, cloud and server answer whatever is asked; the state `fails` fails once. Returns when the
 * session is over (idle) or the device resets. */
static void play(struct rig *rig, const char *connection, enum ota_state fails)
{
    for (unsigned i = 0; i < 300; i++) {
        assert_int_not_equal(rig->armed, RIG_NO_TIMER); /* B25 */
        if (rig->agent.state == fails) {
            fails = NOTHING;
            fail_here(rig);
            continue;
        }
        switch (rig->agent.state) {
        case OTA_STATE_IDLE:
        case OTA_STATE_RESET:
            return;
        case OTA_STATE_CONNECT:
            rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
            break;
        case OTA_STATE_SUBSCRIBE:
            rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
            break;
        case OTA_STATE_ASK:
            rig_job_at(rig, connection);
            break;
        case OTA_STATE_RECEIVE:
            for (uint32_t c = 0; c < rig_chunks(rig); c++)
                rig_chunk(rig, c);
            if (rig->agent.state == OTA_STATE_RECEIVE)
                rig_timer(rig);
            break;
        case OTA_STATE_SWITCH:
        case OTA_STATE_LEAVE:
            rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
            break;
        case OTA_STATE_QUERY:
            rig_serve_job(rig, connection);
            break;
        case OTA_STATE_PROBE:
        case OTA_STATE_POST:
            rig_status(rig, 200);
            break;
        case OTA_STATE_PEEK:
        case OTA_STATE_FETCH:
            rig_serve(rig);
            break;
        case OTA_STATE_PAUSE:
        case OTA_STATE_ERASE:
            rig_timer(rig);
            break;
        default:
            rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        }
    }
    fail_msg("the session does not end:\n%s", rig->story + strlen(rig->story) - 300);
}

#define BY_OTHER_BROKER "\"Connection\": \"MQTT\", \"Broker\": \"b.example\", \"Port\": \"8884\""

enum journey { JOB_MQTT, JOB_HTTP, JOB_BROKER, HOME_HTTP, TRIAL_MQTT, TRIAL_HTTP, REFUSED };

/* One session of the kind in which the state occurs. */
static void travel(struct rig *rig, enum journey journey, enum ota_state fails)
{
    static const char *const connections[] = {
        [JOB_MQTT] = RIG_BY_MQTT,  [JOB_HTTP] = RIG_BY_HTTP,   [JOB_BROKER] = BY_OTHER_BROKER,
        [HOME_HTTP] = RIG_BY_HTTP, [TRIAL_MQTT] = RIG_BY_MQTT, [TRIAL_HTTP] = RIG_BY_HTTP,
        [REFUSED] = RIG_BY_MQTT,
    };
    bool trial = journey == TRIAL_MQTT || journey == TRIAL_HTTP;
    rig->config.connection =
        journey == HOME_HTTP || journey == TRIAL_HTTP ? OTA_BY_HTTP : OTA_BY_MQTT;
    if (trial) {
        struct said wanted = said;
        said = (struct said){.state = ""};
        rig_boot(rig);
        rig_event(rig, OTA_EVENT_CHECK, 0);
        play(rig, connections[journey], NOTHING);
        rig_swap(rig, true);
        rig->story[0] = 0;
        said = wanted;
    }
    if (journey == REFUSED)
        rig->verdict = OTA_E_IMG_SIGNATURE;
    rig_boot(rig);
    if (rig->agent.state == OTA_STATE_IDLE)
        rig_event(rig, OTA_EVENT_CHECK, 0);
    play(rig, connections[journey], fails);
}

struct place {
    const char *state;
    enum journey journey;
    const char *stopped; /* how a session ends that STOP ended there */
    const char *done;    /* … that went on after DONE */
    bool reported;       /* STOP there is reported as a Failure: a job was accepted */
    const char *after;   /* how a session ends that STOP to its SUCCESS ended; NULL: has none */
    bool owed;           /* … and that is reported as a Failure */
};

static const struct place places[] = {
    {"connect", JOB_MQTT, "idle stopped", "> reset", false, "idle stopped", false},
    {"subscribe", JOB_MQTT, "idle stopped", "> reset", false, "idle stopped", false},
    {"pause", JOB_MQTT, "idle stopped", "> reset", false, "idle stopped", false},
    {"ask", JOB_MQTT, "idle stopped", "idle bad-job", false, "idle stopped",
     false}, /* the request is no job */
    {"query", HOME_HTTP, "idle stopped", "idle bad-json", false, "idle stopped",
     false}, /* nothing was put there */
    {"parse", JOB_MQTT, "idle stopped", "> reset", false, "idle stopped", true},
    {"parse", HOME_HTTP, "idle stopped", "> reset", false, "idle stopped", true},
    {"switch", JOB_BROKER, "idle stopped", "> reset", true, "idle stopped", true},
    {"peek", JOB_HTTP, "idle stopped", "idle bad-magic", true, "idle stopped",
     true}, /* the slot is not filled */
    {"erase", JOB_MQTT, "idle stopped", "> reset", true, "idle stopped", true},
    {"request", JOB_MQTT, "idle stopped", "> reset", true, "idle stopped", true},
    {"receive", JOB_MQTT, "idle stopped", "idle bad-magic", true, "idle stopped", true},
    {"fetch", JOB_HTTP, "idle stopped", "idle bad-tlv", true, "idle stopped", true},
    {"write", JOB_MQTT, "idle stopped", "idle bad-magic", true, NULL, false},
    {"write", HOME_HTTP, "idle stopped", "idle bad-magic", true, NULL, false},
    {"verify", JOB_MQTT, "idle stopped", "> reset", true, "idle stopped", true},
    {"install", JOB_MQTT, "idle stopped", "> reset", true, "idle stopped", false},
    {"leave", JOB_MQTT, "> reset", "> reset", false, "> reset", false},
    {"idle", REFUSED, "idle bad-signature", "idle bad-signature", true, "idle bad-signature", true},
    {"reset", JOB_MQTT, "idle stopped", "idle ok", false, NULL, false},
    {"probe", TRIAL_HTTP, "idle stopped", "idle ok", false, "idle stopped", false},
    {"confirm", TRIAL_MQTT, "idle stopped", "idle unconfirmed", false, "idle stopped", false},
    {"report", TRIAL_MQTT, "idle stopped", "idle ok", false, "idle stopped", false},
    {"post", TRIAL_HTTP, "idle stopped", "idle ok", false, "idle stopped", true},
};

/* "pause" is only met when something failed. */
static enum ota_state fails_in(const struct place *place)
{
    return strcmp(place->state, "pause") == 0 ? OTA_STATE_CONNECT : NOTHING;
}

static unsigned count_failures(const struct rig *rig)
{
    return rig_count(rig, RIG_FAILURE) + rig_count(rig, "> post");
}

/* The session has ended as such an answer there makes it end. */
static void check_end(struct rig *rig, const struct place *place)
{
    bool step = said.ask == OTA_ASK_STEP;
    const char *stopped = step ? place->stopped : place->after;
    bool ends = said.answer == OTA_ANSWER_STOP || said.answer == OTA_ANSWER_FAILED;
    if (said.ask == OTA_ASK_FAILURE) {
        assert_int_equal(said.asked, 0); /* see a_failure_may_be_the_last */
        return;
    }
    assert_int_equal(said.asked > 0, stopped != NULL);
    if (stopped == NULL)
        return;
    if (ends && said.answer == OTA_ANSWER_FAILED && strcmp(stopped, "idle stopped") == 0)
        stopped = "idle app-failed";
    if (ends) {
        rig_expect(rig, stopped);
        assert_int_equal(count_failures(rig), step ? place->reported : place->owed);
    } else if (step && said.answer == OTA_ANSWER_DONE) {
        rig_expect(rig, place->done);
    } else {
        assert_int_equal(rig_count(rig, "idle stopped") + rig_count(rig, "idle app-failed"), 0);
    }
}

/* How a session ends there, for each answer to each question: the agent never hangs, always has a
 * deadline, and does what its header says. */
static void every_answer_in_every_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (enum ota_ask ask = OTA_ASK_STEP; ask <= OTA_ASK_FAILURE; ask++) {
            for (enum ota_answer answer = OTA_ANSWER_CONTINUE; answer <= OTA_ANSWER_FAILED;
                 answer++) {
                void *fresh;
                set_up(&fresh);
                struct rig *rig = fresh;
                said = (struct said){.state = places[i].state, .ask = ask, .answer = answer};
                travel(rig, places[i].journey, fails_in(&places[i]));
                assert_int_not_equal(rig->armed, RIG_NO_TIMER);
                check_end(rig, &places[i]);
                rig->config.decide = NULL; /* whatever was said: the next session is a usual one */
                rig->verdict = 0;
                rig->agent.config.decide = NULL;
                if (rig->agent.state == OTA_STATE_IDLE) {
                    rig_timer(rig);
                    play(rig, RIG_BY_MQTT, NOTHING);
                }
                tear_down(&fresh);
            }
        }
    }
}

/* Where the network may fail, and whether the end of the session is reported then. */
static const struct {
    enum ota_state fails;
    const char *state;
    enum journey journey;
    bool reported;
} failures[] = {
    {OTA_STATE_CONNECT, "connect", JOB_MQTT, false},
    {OTA_STATE_SUBSCRIBE, "subscribe", JOB_MQTT, false},
    {OTA_STATE_ASK, "ask", JOB_MQTT, false},
    {OTA_STATE_QUERY, "query", HOME_HTTP, false},
    {OTA_STATE_REQUEST, "request", JOB_MQTT, true},
    {OTA_STATE_RECEIVE, "receive", JOB_MQTT, true},
    {OTA_STATE_PEEK, "peek", JOB_HTTP, true},
    {OTA_STATE_FETCH, "fetch", JOB_HTTP, true},
    {OTA_STATE_PROBE, "probe", TRIAL_HTTP, false},
    {OTA_STATE_REPORT, "report", TRIAL_MQTT, false},
    {OTA_STATE_POST, "post", TRIAL_HTTP, false},
};

/* STOP to a FAILURE: no other try. Any other answer: after a pause the session ends well. */
static void a_failure_may_be_the_last(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        for (enum ota_answer answer = OTA_ANSWER_CONTINUE; answer <= OTA_ANSWER_FAILED; answer++) {
            void *fresh;
            set_up(&fresh);
            struct rig *rig = fresh;
            bool trial = failures[i].journey == TRIAL_MQTT || failures[i].journey == TRIAL_HTTP;
            said =
                (struct said){.state = failures[i].state, .ask = OTA_ASK_FAILURE, .answer = answer};
            travel(rig, failures[i].journey, failures[i].fails);
            assert_int_equal(said.asked, 1);
            assert_int_equal(rig_count(rig, "state pause"), answer != OTA_ANSWER_STOP);
            if (answer == OTA_ANSWER_STOP) {
                rig_expect(rig, "idle stopped");
                assert_int_equal(rig_count(rig, RIG_FAILURE), failures[i].reported);
            } else {
                rig_expect(rig, trial ? "idle ok" : "> reset");
                assert_int_equal(rig_count(rig, RIG_FAILURE), 0);
            }
            tear_down(&fresh);
        }
}

/* The document in the job states is the application's to replace. */
static void documents_may_be_replaced(void **state)
{
    struct rig *rig = *state;
    said = (struct said){.state = "ask", .document = "{\"Message\":\"mine\"}"};
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_expect(rig, "> publish anycloud/BOARD_A/publish_notify 1 {\"Message\":\"mine\"}\n");
    char job[1024];
    rig_offer(rig, 3, 9800, 3);
    rig_write_job(rig, RIG_BY_MQTT, job);
    said = (struct said){.state = "parse", .document = job};
    rig_text(rig, "{\"Message\": \"Hello\"}");
    rig_expect(rig, "job 3.0.0");
}

/* What the cloud hides behind a NUL is not hidden by an application that looks on. */
static void a_hidden_end_of_text_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char text[] = "{\"Message\": \"No Update Available\"}\0{";
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_message(rig, text, sizeof text - 1);
    rig_expect(rig, "refused bad-json");
}

static void the_application_may_fetch_the_job_itself(void **state)
{
    struct rig *rig = *state;
    char job[1024];
    rig_write_job(rig, RIG_BY_HTTP, job);
    said = (struct said){.state = "query", .answer = OTA_ANSWER_DONE, .document = job};
    rig->config.connection = OTA_BY_HTTP;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    assert_int_equal(rig_count(rig, "> get /ota_update.json"), 0);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
}

/* DONE in "parse" waives board and version, not what the image itself must be. */
static void a_waived_job_is_still_verified(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 1, 9800, 3);
    said = (struct said){.state = "parse", .answer = OTA_ANSWER_DONE};
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    play(rig, RIG_BY_MQTT, NOTHING);
    rig_expect(rig, "job 1.0.0");
    rig_expect(rig, "refused bad-version");
}

/* B9: whatever else happens, a failure is told with its own code. */
static void failures_are_told_with_their_code(void **state)
{
    struct rig *rig = *state;
    rig->verdict = OTA_E_IMG_SIGNATURE;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    said = (struct said){.state = "verify", .ask = OTA_ASK_FAILURE};
    play(rig, RIG_BY_HTTP, NOTHING);
    assert_int_equal(said.asked, 1);
    assert_int_equal(said.code, OTA_E_IMG_SIGNATURE);
    said = (struct said){.state = "connect", .ask = OTA_ASK_FAILURE};
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_TLS_CA);
    assert_int_equal(said.code, OTA_E_TLS_CA);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_in_every_place),
        cmocka_unit_test(a_failure_may_be_the_last),
        TEST(documents_may_be_replaced),
        TEST(a_hidden_end_of_text_is_refused),
        TEST(the_application_may_fetch_the_job_itself),
        TEST(a_waived_job_is_still_verified),
        TEST(failures_are_told_with_their_code),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
