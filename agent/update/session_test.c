#include "agent/update/session_rig.h"

static int set_up(void **state)
{
    *state = rig_new();
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static void assert_slot_holds_image(struct rig *rig)
{
    uint8_t *slot = malloc(RIG_SLOT);
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_memory_equal(slot, rig->image, rig->image_size);
    for (uint32_t i = rig->image_size; i < RIG_SLOT - 4096; i++)
        assert_int_equal(slot[i], 0xFF);
    free(slot);
}

static void keep_alive_is_told_to_the_broker(void **state)
{
    static const struct {
        uint32_t ms; /* 0: not said */
        uint16_t seconds;
    } cases[] = {{0, 60}, {1000, 1}, {1500, 2}, {1, 1}, {65535000, 65535}, {UINT32_MAX, 65535}};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig->config.timing.keep_alive = cases[i].ms;
        rig_boot(rig);
        rig_timer(rig);
        assert_int_equal(rig->keep_alive_s, cases[i].seconds);
    }
}

static void an_update_from_offer_to_success(void **state)
{
    struct rig *rig = *state;
    struct img_trailer trailer;
    rig_boot(rig);
    assert_int_equal(rig->armed, ota_default_timing.initial_check);
    rig_timer(rig);
    rig_expect(rig, "state connect");
    rig_expect(rig, "> connect nbABC213450001");
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    rig_expect(rig, "> subscribe anycloud/BOARD_A/OTAImage/ABC213450001-");
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
    rig_expect(rig, RIG_ASK);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_job(rig);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "state erase");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_chunk(rig, 0);
    rig_chunk(rig, 1);
    rig_expect(rig, "progress 4096 ");
    rig_expect(rig, "progress 8192 ");
    rig_chunk(rig, 2);
    rig_expect(rig, "state verify");
    rig_expect(rig, "state install");
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "> disconnect");
    assert_slot_holds_image(rig);
    img_trailer_read(&rig->config.secondary, &rig->config.format, &trailer);
    assert_int_equal(trailer.magic, IMG_MAGIC_GOOD);
    assert_int_equal(trailer.swap_type, IMG_SWAP_TEST);
    assert_int_equal(rig->resets, 0);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, "> reset");
    assert_int_equal(rig_count(rig, "reported"), 0);

    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, RIG_SUCCESS);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported ok");
    rig_closes(rig, "idle ok");
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

/* DISC-04, DISC-02: nothing new, then three updates in a row. */
static void nothing_new_then_one_update_after_another(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_text(rig, "{\"Message\": \"No Update Available\", \"Board\": \"BOARD_A\", \"Version\": "
                  "\"9.0.0\"}");
    rig_closes(rig, "idle no-update");
    assert_true(rig->armed <= ota_default_timing.next_check);
    assert_true(rig->armed >= ota_default_timing.next_check / 8 * 7);
    for (uint8_t version = 2; version <= 4; version++) {
        rig_offer(rig, version, version * 4096u - 10, version);
        rig_download(rig);
        rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
        rig_swap(rig, true);
        rig_boot(rig);
        rig_link(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_closes(rig, "idle ok");
    }
    assert_int_equal(rig_count(rig, RIG_SUCCESS), 3);
    assert_int_equal(rig_count(rig, "> reset"), 3);
    assert_int_equal(rig_count(rig, RIG_FAILURE), 0);
}

/* Largest image, smallest payload, and the same with a permanent installation. */
static void sizes_and_permanent(void **state)
{
    struct rig *rig = *state;
    struct img_trailer trailer;
    rig_offer(rig, 2, 1, 0);
    uint32_t overhead = rig->image_size - 1;
    const uint32_t payloads[] = {1, 4096 - overhead, 4097 - overhead, RIG_MAX_END - overhead};
    rig->config.permanent = true;
    for (size_t i = 0; i < 4; i++) {
        rig_offer(rig, 2, payloads[i], 0);
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        rig_boot(rig);
        rig_download(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_slot_holds_image(rig);
        img_trailer_read(&rig->config.secondary, &rig->config.format, &trailer);
        assert_int_equal(trailer.swap_type, IMG_SWAP_PERM);
        assert_int_equal(trailer.image_ok, IMG_FLAG_SET);
    }
}

#define BY_OTHER_BROKER "\"Connection\": \"MQTT\", \"Broker\": \"b.example\", \"Port\": \"8884\""

/* The server's answer to the request under way: honest, or one of many others. */
static void answer_request(struct rig *rig, unsigned pick)
{
    static const unsigned statuses[] = {200, 204, 302, 404, 405, 412, 416, 503};
    static const char *const jobs[] = {RIG_BY_HTTP, RIG_BY_MQTT, BY_OTHER_BROKER};
    struct http_head head = rig_honest(rig);
    switch (pick % 4) {
    case 0:
        rig_done(rig, pick / 4 % 2 == 0 ? 0 : OTA_E_DISCONNECTED);
        break;
    case 1:
        rig_status(rig, statuses[pick / 4 % 8]);
        break;
    case 2: /* cut somewhere */
        rig_head(rig, &head);
        rig_bytes_of(rig, rig->request.from, rig->request.from + pick / 4 % 9000, 1000);
        break;
    default:
        if (rig->agent.state == OTA_STATE_QUERY)
            rig_serve_job(rig, jobs[pick / 4 % 3]);
        else
            rig_serve(rig);
    }
}

static void reboot_otherwise(struct rig *rig, unsigned pick)
{
    rig->config.reverts = pick % 2 == 0;
    rig->config.connection = pick / 2 % 2 == 0 ? OTA_BY_HTTP : OTA_BY_MQTT;
    rig->config.flow = pick / 4 % 3 == 0 ? OTA_FLOW_DIRECT : OTA_FLOW_JOB;
    rig->config.stay_after_complete = pick / 12 % 4 == 0;
    rig->config.http_file = rig->config.flow == OTA_FLOW_DIRECT ? "/v2.bin" : NULL;
    if (pick / 48 % 2 == 0)
        rig_swap(rig, pick / 96 % 2 == 0); /* whatever lies there */
    struct img_info info;
    if (img_measure(&rig->config.primary, &info, NULL) != 0) {
        rig_offer(rig, 1, 5000, 1);
        rig_put_area(rig, &rig->config.primary, 0, rig->image, rig->image_size);
        info.header.version.major = 1;
    }
    rig_offer(rig, (uint8_t)(info.header.version.major % 200 + 1), 9800, 2);
    rig_boot(rig);
}

/* Any event in any state: never out of the table, and never without a deadline. */
static void any_event_in_any_state(void **state)
{
    static const char *const jobs[] = {RIG_BY_MQTT, RIG_BY_MQTT, RIG_BY_HTTP, BY_OTHER_BROKER};
    struct rig *rig = *state;
    uint32_t chance = 7;
    unsigned seen[OTA_STATES] = {0};
    rig->config.progress.size = RIG_PROGRESS;
    rig_boot(rig);
    for (unsigned i = 0; i < 100000; i++) {
        chance = chance * 1664525u + 1013904223u;
        unsigned pick = chance >> 8;
        int code = pick / 64 % 4 == 0 ? OTA_E_DISCONNECTED : 0;
        if (rig->requested && pick % 3 == 0) {
            answer_request(rig, pick / 64);
        } else {
            switch (pick % 12) {
            case 0:
                rig_job_at(rig, jobs[pick / 64 % 4]);
                break;
            case 1:
                rig_text(rig, "{\"Message\": \"Result Received\"}");
                break;
            case 2:
            case 3:
            case 4:
                rig_chunk(rig, pick / 64 % rig_chunks(rig));
                break;
            default:
                rig_event(rig, (enum ota_event_type)(pick / 16 % 8), code);
            }
        }
        rig->story[0] = 0;
        seen[rig->agent.state]++;
        assert_int_not_equal(rig->armed, RIG_NO_TIMER);
        assert_int_equal(rig->requested, rig->agent.requested);
        if ((rig->agent.state == OTA_STATE_RESET && pick % 3 == 0) || pick % 4001 == 0)
            reboot_otherwise(rig, pick / 64);
    }
    for (unsigned i = 0; i < OTA_STATES; i++) { /* these never wait */
        bool passing = i == OTA_STATE_VERIFY || i == OTA_STATE_INSTALL || i == OTA_STATE_CONFIRM ||
                       i == OTA_STATE_PARSE;
        if (seen[i] == 0 && !passing)
            fail_msg("state %u was never reached", i);
    }
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

static void messages_of_other_topics_and_timers_are_ignored(void **state)
{
    struct rig *rig = *state;
    const char *job = "{\"Message\": \"No Update Available\"}";
    struct ota_event event = {.type = OTA_EVENT_MQTT_MESSAGE,
                              .topic = "anycloud/BOARD_A/OTAImage",
                              .data = (const uint8_t *)job,
                              .length = strlen(job)};
    rig_boot(rig);
    rig_to_ask(rig);
    ota_step(&rig->agent, &event);
    event.topic = NULL;
    ota_step(&rig->agent, &event);
    event = (struct ota_event){.type = OTA_EVENT_TIMER, .id = 1};
    ota_step(&rig->agent, &event);
    assert_string_equal(ota_state_name(&rig->agent), "ask");
}

static void init_refuses_what_cannot_work(void **state)
{
    struct rig *rig = *state;
    const struct ota_config good = rig->config;
    char board[OTA_TOPIC_MAX];
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), 0);
    rig->config.identity.board = "";
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    rig->config.identity.board = "board/#";
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    memset(board, 'b', sizeof board);
    board[sizeof board - 1] = 0;
    rig->config.identity.board = board;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_NO_SPACE);
    rig->config = good;
    rig->config.max_end = RIG_SLOT + 1;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    rig->config = good;
    rig->config.journal.size = 4096;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_LAYOUT);
    rig->config = good;
    rig->config.primary = rig->config.secondary; /* erased: no image */
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_IMG_MAGIC);
}

struct table {
    unsigned lines;
    char text[16384];
};

static void take_line(void *context, const char *text)
{
    struct table *table = context;
    table->lines++;
    strcat(table->text, text);
    strcat(table->text, "\n");
}

static void the_state_table_is_printed(void **state)
{
    struct table table = {0};
    (void)state;
    ota_states_print(take_line, &table);
    assert_true(table.lines > 40);
    assert_non_null(
        strstr(table.text, "| state | event | what happens | next |\n|---|---|---|---|"));
    assert_non_null(strstr(table.text, "| idle | start | "));
    assert_non_null(strstr(table.text, "| verify | (enter) | check what lies in flash | connect "
                                       "switch report post install leave |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keep_alive_is_told_to_the_broker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_update_from_offer_to_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_new_then_one_update_after_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sizes_and_permanent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_event_in_any_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_of_other_topics_and_timers_are_ignored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(init_refuses_what_cannot_work, set_up, tear_down),
        cmocka_unit_test(the_state_table_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
