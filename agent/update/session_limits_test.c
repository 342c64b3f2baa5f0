/* The session at its limits: names, addresses and documents of the longest kind and longer, checks
 * over a long time, and what must not be said aloud. */
#include "agent/update/session_rig.h"

#define MANY 12

static char logged[8192];

static void keep_log(void *context, enum ota_log_level level, const char *text, int code)
{
    size_t length = strlen(logged);
    (void)context;
    (void)level;
    snprintf(logged + length, sizeof logged - length, "%s%s%s\n", text, code < 0 ? ": " : "",
             code < 0 ? ota_err_text(code) : "");
}

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->platform.log = keep_log;
    logged[0] = '\0';
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* DISC-16 */
static void checks_come_after_boot_and_never_at_the_same_distance(void **state)
{
    struct rig *rig = *state;
    const uint32_t day = ota_default_timing.next_check;
    uint32_t pauses[MANY];
    unsigned equal = 0;
    rig_boot(rig);
    assert_int_equal(rig->armed, ota_default_timing.initial_check);
    for (unsigned i = 0; i < MANY; i++) {
        rig_timer(rig); /* nobody asks for this check */
        rig_link(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_text(rig, "{\"Message\": \"No Update Available\"}");
        rig_closes(rig, "idle no-update");
        pauses[i] = rig->armed;
        assert_true(pauses[i] <= day && pauses[i] >= day / 8 * 7);
        for (unsigned k = 0; k < i; k++)
            equal += pauses[k] == pauses[i];
    }
    assert_int_equal(equal, 0); /* of three hours in milliseconds */
    assert_int_equal(rig_count(rig, RIG_ASK), MANY);
}

/* RSRC-05: a name is in topic and document whole, or nothing is sent. */
static void names_fill_a_topic_and_no_more(void **state)
{
    struct rig *rig = *state;
    char name[OTA_JSON_MAX + 8];
    char line[sizeof name + 64];
    unsigned refused = 0;
    size_t longest = 0;
    for (size_t length = 1; length < OTA_TOPIC_MAX + 8; length++) {
        memset(name, 'b', length);
        name[length] = '\0';
        rig->config.identity.board = name;
        rig->story[0] = '\0';
        rig->told = 0;
        if (ota_init(&rig->agent, &rig->config, &rig->ports) != 0) {
            assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_NO_SPACE);
            refused++;
            continue;
        }
        rig_boot(rig);
        rig_event(rig, OTA_EVENT_CHECK, 0);
        assert_int_equal(refused, 0); /* what is longer than too long is too long */
        longest = length;
        rig_link(rig);
        snprintf(line, sizeof line, "> subscribe anycloud/%s/OTAImage/ABC213450001-", name);
        rig_expect(rig, line);
        snprintf(line, sizeof line, "> publish anycloud/%s/publish_notify 1 {", name);
        rig_expect(rig, line);
    }
    assert_true(longest > 64 && longest < OTA_TOPIC_MAX && refused > 8);
}

/* Whatever is tried again is tried, and then the session ends. */
static void give_up(struct rig *rig)
{
    for (int i = 0; i < 400 && strcmp(ota_state_name(&rig->agent), "idle") != 0; i++)
        if (rig->linked)
            rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
        else if (strcmp(ota_state_name(&rig->agent), "connect") == 0)
            rig_link(rig);
        else if (strcmp(ota_state_name(&rig->agent), "pause") == 0)
            rig_timer(rig);
        else /* it has disconnected itself */
            rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
}

/* A document that does not fit is not sent in part. */
static void names_fill_a_document_and_no_more(void **state)
{
    struct rig *rig = *state;
    char name[OTA_JSON_MAX + 8];
    size_t longest = 0;
    for (size_t length = 1; length<sizeof name; length += length> 600 ? 1 : 50) {
        memset(name, 'Z', length);
        name[length] = '\0';
        rig->config.identity.manufacturer = name;
        rig->story[0] = '\0';
        rig->told = 0;
        rig_boot(rig);
        rig_event(rig, OTA_EVENT_CHECK, 0);
        rig_link(rig);
        if (rig_count(rig, RIG_ASK) == 0) {
            assert_true(longest > 600);
            give_up(rig);
            rig_expect(rig, "idle ");
            continue;
        }
        assert_true(longest == 0 || length <= longest + 50);
        longest = length;
        const char *sent = strstr(rig->story, name);
        assert_non_null(sent);
        assert_int_equal(sent[length], '"');
        assert_non_null(strstr(sent, "}\n"));
    }
    assert_true(longest < OTA_JSON_MAX);
}

/* RSRC-05: 255 characters of host and path are used as they are, and one more refuses the job. */
static void an_address_of_255_characters_is_the_longest(void **state)
{
    struct rig *rig = *state;
    char host[OTA_HOST_MAX + 1];
    char path[OTA_PATH_MAX + 1];
    char members[700];
    char line[700];
    memset(host, 'h', sizeof host);
    memset(path, 'p', sizeof path);
    path[0] = '/';
    for (unsigned over = 0; over < 4; over++) {
        host[255 + over % 2] = '\0';
        path[255 + over / 2] = '\0';
        snprintf(members, sizeof members,
                 "\"Connection\": \"HTTP\", \"Server\": \"%s\", \"Port\": \"8080\", \"File\": "
                 "\"%s\"",
                 host, path);
        rig_boot(rig);
        rig_to_ask(rig);
        rig_job_at(rig, members);
        snprintf(line, sizeof line, "> get %s:8080%s 0-4095\n", host, path);
        if (over == 0)
            rig_expect(rig, line);
        else
            rig_fails(rig, "bad-job");
        host[255 + over % 2] = 'h';
        path[255 + over / 2] = 'p';
    }
}

static uint32_t erases(const struct rig *rig, uint32_t address)
{
    return flash_sim_erases_at(rig->sim, address);
}

/* STOR-14: an update erases a sector of its slot once, and one of its records now and then, all of
 * them in turn. */
static void no_sector_wears_out_before_the_others(void **state)
{
    struct rig *rig = *state;
    const uint32_t sector = 4096;
    const uint32_t journal = 2 * RIG_SLOT;
    const uint32_t progress = journal + RIG_JOURNAL;
    uint32_t before[RIG_SLOT / 4096];
    uint8_t updates = 60;
    rig->config.progress.size = RIG_PROGRESS;
    rig_boot(rig);
    for (uint8_t version = 2; version < 2 + updates; version++) {
        rig->story[0] = '\0';
        rig->told = 0;
        for (uint32_t i = 0; i < RIG_SLOT / sector; i++)
            before[i] = erases(rig, RIG_SLOT + i * sector);
        rig_offer(rig, version, 50000, version);
        rig_download(rig);
        for (uint32_t i = 0; i < RIG_SLOT / sector; i++)
            assert_true(erases(rig, RIG_SLOT + i * sector) <= before[i] + 1);
        rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
        rig_swap(rig, true);
        rig_boot(rig);
        rig_link(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_closes(rig, "idle ok");
    }
    for (uint32_t ring = journal; ring <= progress; ring += RIG_JOURNAL) {
        uint32_t first = erases(rig, ring);
        uint32_t second = erases(rig, ring + sector);
        assert_true(first > 0 && second > 0); /* it has gone round */
        assert_true(first <= second + 1 && second <= first + 1);
        assert_true(first + second <= updates);
    }
}

#define SECRET "X-Sig=5ECRE7"
#define MEMBERS                                                                                    \
    "\"Connection\": \"HTTPS\", \"Server\": \"h\", \"Port\": \"443\", \"File\": \"/v2?" SECRET "\""

/* In nothing but the requests that need it. */
static void assert_untold(struct rig *rig)
{
    const char *line = rig->story;
    assert_true(strlen(logged) > 0);
    assert_null(strstr(logged, "5ECRE7"));
    assert_null(strstr(logged, RIG_KEY));
    assert_null(strstr(rig->story, RIG_KEY));
    for (const char *at = rig->story; (at = strstr(at, "5ECRE7")) != NULL; at++) {
        while (strchr(line, '\n') < at)
            line = strchr(line, '\n') + 1;
        assert_int_equal(strncmp(line, "> get ", 6), 0);
    }
}

/* SECU-01: the link that a job holds may be all that is needed to fetch the image. */
static void no_secret_in_log_or_report(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, MEMBERS);
    rig_expect(rig, "> get tls h:443/v2?" SECRET);
    rig_status(rig, 403);
    rig_done(rig, OTA_E_DISCONNECTED);
    for (int i = 0; i < 20 && strcmp(ota_state_name(&rig->agent), "pause") == 0; i++) {
        rig_timer(rig);
        if (rig->requested)
            rig_done(rig, OTA_E_TLS_CA);
    }
    rig_fails(rig, "tls-unknown-ca");
    assert_untold(rig);

    rig->verdict = OTA_E_IMG_SIGNATURE;
    rig_to_ask(rig);
    rig_job_at(rig, MEMBERS);
    rig_serve_all(rig);
    rig_fails(rig, "bad-signature");
    assert_untold(rig);

    rig->verdict = 0;
    rig_to_ask(rig);
    rig_job_at(rig, MEMBERS);
    rig_serve_all(rig);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, "> reset");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_closes(rig, "idle ok");
    assert_untold(rig);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(checks_come_after_boot_and_never_at_the_same_distance),
        CASE(names_fill_a_topic_and_no_more),
        CASE(names_fill_a_document_and_no_more),
        CASE(an_address_of_255_characters_is_the_longest),
        CASE(no_sector_wears_out_before_the_others),
        CASE(no_secret_in_log_or_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
