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

/* ---- offers ------------------------------------------------------------------------------ */

#define JOB(board, version, connection)                                                            \
    "{\"Message\": \"Update Available\", \"Board\": \"" board "\", \"Version\": \"" version        \
    "\", \"Connection\": \"" connection "\"}"

/* VERS-01, VERS-02, DISC-12, DISC-13, DISC-14: refused with a reason, reported, and nothing done
 * to flash but the journal. */
static void refused_offers_are_reported(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *document;
        const char *word;
    } cases[] = {
        {JOB("BOARD_A", "0.9.65535", "MQTT"), "old-version"},
        {JOB("BOARD_B", "2.0.0", "MQTT"), "wrong-board"},
        {JOB("board_a", "2.0.0", "MQTT"), "wrong-board"},
        {JOB("BOARD_B", "1.0.0", "MQTT"), "wrong-board"},
        {JOB("BOARD_A", "2.0.0", "HTTP"), "bad-job"},
        {JOB("BOARD_A", "2.0.0", "FTP"), "unsupported"},
        {JOB("BOARD_A", "2", "MQTT"), "bad-job"},
        {JOB("BOARD_A", "2.0.65536", "MQTT"), "bad-job"},
        {"{\"Message\": \"Update Available\"}", "bad-job"},
        {"{\"Message\": \"Hello\"}", "bad-job"},
        {"{}", "bad-job"},
        {"", "bad-json"},
        {"nonsense", "bad-json"},
    };
    rig_boot(rig);
    flash_sim_restart_count(rig->sim);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_to_ask(rig);
        rig_text(rig, cases[i].document);
        rig_fails(rig, cases[i].word);
    }
    assert_int_equal(flash_area_is_erased(&rig->config.secondary, 0, RIG_SLOT), 1);
    assert_int_equal(rig_count(rig, "job"), 0);
    rig_download(rig); /* the device is as usable as before */
    rig_expect(rig, "pending 2.0.0");
}

/* VERS-01: a publisher that goes on offering what runs already is no failure of anybody. */
static void the_running_version_is_nothing_new(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_text(rig, JOB("BOARD_A", "1.0.0", "MQTT"));
    rig_closes(rig, "idle no-update");
    assert_int_equal(rig_count(rig, "job"), 0);
    assert_int_equal(rig_count(rig, "reported"), 0);
}

/* B12: a document cut at every byte is refused, and the whole one accepted right after. */
static void a_job_cut_at_every_byte_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char job[] = JOB("BOARD_A", "2.0.0", "MQTT");
    rig->config.timing.next_check = 1;
    rig_boot(rig);
    for (size_t length = 0; length < sizeof job - 1; length++) {
        rig->story[0] = 0;
        rig->told = 0;
        rig_to_ask(rig);
        rig_message(rig, job, length);
        rig_fails(rig, "bad-json");
    }
    rig_to_ask(rig);
    rig_text(rig, job);
    rig_expect(rig, "job 2.0.0");
}

/* DISC-10, DISC-11: during the download a job, the same or another, changes nothing. */
static void another_job_during_the_download_waits(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    rig_job(rig);
    rig_text(rig, JOB("BOARD_A", "3.0.0", "MQTT"));
    rig_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_chunk(rig, 1);
    rig_chunk(rig, 2);
    rig_expect(rig, "pending 2.0.0");
    assert_int_equal(rig_count(rig, "job"), 1);
}

/* ---- chunks ------------------------------------------------------------------------------ */

/* TRAN-11: out of order, and every chunk twice: the same bytes, each written once. */
static void order_and_repetition_do_not_matter(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    flash_sim_restart_count(rig->sim);
    const uint32_t order[] = {2, 2, 0, 2, 0, 0};
    for (size_t i = 0; i < 6; i++)
        rig_chunk(rig, order[i]);
    /* pages of 256: 4096 bytes, and 1686 with a last unit that is filled up */
    uint32_t rest = rig->image_size % OTA_CHUNK_SIZE;
    assert_int_not_equal(rest % 8, 0);
    assert_int_equal(flash_sim_op_count(rig->sim), 16 + rest / 256 + 2);
    assert_int_equal(rig_count(rig, "progress"), 2);
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 0);
    rig_chunk(rig, 1);
    rig_expect(rig, "pending 2.0.0");
}

/* B10: what does not come is asked for again, byte for byte as the publisher understands it. The
 * size is whole for the last chunk too: the publisher divides by it to number its answer. */
static void a_lost_chunk_is_asked_for(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    assert_int_equal(rig->armed, ota_default_timing.data_wait);
    rig_timer(rig);
    char line[600];
    for (unsigned i = 1; i < 3; i++) {
        snprintf(
            line, sizeof line,
            RIG_REQUEST_DATA
            ", \"Manufacturer\": \"Express Widgits Corporation\", \"ManufacturerID\": "
            "\"EWCO\", \"ProductID\": \"Easy Widgit\", \"SerialNumber\": \"ABC213450001\", "
            "\"BoardName\": \"BOARD_A\", \"Version\": \"1.0.0\", \"UniqueTopicName\": "
            "\"%s\", \"Filename\": \"ota-update.bin\", \"Offset\": \"%u\", \"Size\": \"4096\"}\n",
            rig->agent.inbox, i * 4096);
        rig_expect(rig, line);
    }
    rig_chunk(rig, 2);
    rig_chunk(rig, 1);
    rig_expect(rig, "pending 2.0.0");
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 2);
}

/* Four at a time, the next four as soon as these are there. */
static void many_missing_chunks_are_asked_for_a_few_at_a_time(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 40000, 3);
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 3);
    rig_timer(rig);
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 4);
    rig_chunk(rig, 4);
    rig_chunk(rig, 0);
    rig_chunk(rig, 1);
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 4);
    rig_chunk(rig, 2);
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 8);
    for (uint32_t i = 5; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
}

/* DISC-07, RSRC-04: nothing comes at all. */
static void no_data_ever_ends_by_a_deadline(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    for (unsigned i = 0; i < ota_default_timing.data_tries; i++) {
        rig_timer(rig);
        assert_string_equal(ota_state_name(&rig->agent), "request");
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    }
    rig_timer(rig);
    rig_fails(rig, "timeout");
    assert_int_equal(rig_count(rig, RIG_REQUEST), 1 + ota_default_timing.data_tries);
}

/* Duplicates alone are no progress; a new chunk is. */
static void only_progress_puts_the_deadline_off(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    for (unsigned i = 0; i < ota_default_timing.data_tries; i++) {
        rig_timer(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        uint32_t armed = rig->armed;
        rig->armed = 12345;
        rig_chunk(rig, 0);
        assert_int_equal(rig->armed, 12345);
        rig->armed = armed;
    }
    rig_chunk(rig, 1);
    assert_int_equal(rig->agent.waits, 0);
    rig_timer(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    for (unsigned i = 0; i < ota_default_timing.data_tries; i++) {
        rig_timer(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    }
    rig_fails(rig, "timeout");
}

/* TRAN-12: every field wrong, dropped, and the good chunk still taken; then too many of them. */
static void bad_chunks_are_dropped_and_counted(void **state)
{
    struct rig *rig = *state;
    static const struct {
        uint8_t at;
        uint8_t value;
    } wrong[] = {{0, 'o'}, {7, 'E'}, {8, 31},  {9, 255}, {10, 1}, {12, 3}, {13, 1}, {14, 1},
                 {16, 1},  {18, 1},  {20, 99}, {22, 1},  {27, 8}, {28, 4}, {30, 1}};
    uint8_t message[RIG_MESSAGE];
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 2); /* fixes the total */
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t length = rig_chunk_bytes(rig, 0, message);
        assert_int_not_equal(message[wrong[i].at], wrong[i].value);
        message[wrong[i].at] = wrong[i].value;
        rig_message(rig, message, length);
        assert_int_equal(rig->agent.bad_chunks, i + 1);
        assert_int_equal(rig_count(rig, "progress"), 1);
    }
    rig_chunk(rig, 0);
    assert_int_equal(rig_count(rig, "progress"), 2);
    rig_message(rig, message, 31);
    rig_fails(rig, "bad-chunk");
}

/* B2, B23: an image is complete when every byte of it lies in flash, however many bytes came: a
 * chunk under another's index is none, and a storm of one chunk counts as that chunk. */
static void bytes_are_not_counted_twice(void **state)
{
    struct rig *rig = *state;
    uint8_t message[RIG_MESSAGE];
    rig_boot(rig);
    rig_to_receive(rig);
    for (unsigned i = 0; i < 600; i++) {
        rig->agent.fetched = 0; /* the budget is another test's */
        rig_chunk(rig, 0);
    }
    size_t length = rig_chunk_bytes(rig, 0, message);
    rig_put(message + 30, 1, 2);
    rig_message(rig, message, length);
    rig_chunk(rig, 2);
    assert_int_equal(rig_count(rig, "progress"), 2);
    assert_string_equal(ota_state_name(&rig->agent), "receive");
    rig_chunk(rig, 1);
    rig_expect(rig, "pending 2.0.0");
}

/* RESM-15: messages that never end are given up, useful or not, and the broker hears why. */
static void bytes_are_counted(void **state)
{
    struct rig *rig = *state;
    uint64_t limit = rig->image_size * 4ull + OTA_HTTP_STEP;
    uint64_t sent = 0;
    rig_boot(rig);
    rig_to_receive(rig);
    while (strcmp(ota_state_name(&rig->agent), "receive") == 0 && sent < 2 * limit) {
        uint8_t message[RIG_MESSAGE];
        size_t length = rig_chunk_bytes(rig, 1, message);
        rig_message(rig, message, length);
        sent += length;
    }
    assert_in_range(sent, limit + 1, limit + 4128);
    assert_int_equal(rig_count(rig, "progress"), 1);
    rig_fails(rig, "too-much-data");
}

/* B9: a bad message in a burst of good ones or long after them: the same verdict. */
static void a_bad_message_costs_the_same_whenever_it_comes(void **state)
{
    struct rig *rig = *state;
    for (int spaced = 0; spaced < 2; spaced++) {
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t i = 0; i < 3; i++) {
            if (i > 0)
                rig_text(rig, "{\"Message\": \"Hello\"}");
            if (spaced != 0 && i > 0)
                rig_timer(rig);
            for (unsigned acks = rig->agent.unacked; acks > 0; acks--)
                rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
            rig_chunk(rig, i);
        }
        rig_expect(rig, "pending 2.0.0");
        assert_int_equal(rig->agent.bad_chunks, 2);
    }
}

/* RESM-12: after a reset other chunks come than before: the image is fetched from its beginning. */
static void a_changed_image_is_not_resumed(void **state)
{
    struct rig *rig = *state;
    rig->config.progress.size = RIG_PROGRESS;
    rig_offer(rig, 2, 30000, 3);
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t i = 0; i < 5; i++)
        rig_chunk(rig, i);
    rig_boot(rig);
    rig_offer(rig, 2, 20000, 4);
    rig_to_ask(rig);
    rig_job(rig);
    rig_expect(rig, "progress 20480 ");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST_DATA);
    rig_chunk(rig, 4);
    rig_expect(rig, "state erase");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST);
    for (uint32_t i = 0; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
}

/* INTG-07: refused before anything is written. */
static void an_image_that_does_not_fit_is_refused_before_it_is_written(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 1, 0);
    rig_offer(rig, 2, RIG_MAX_END - rig->image_size + 2, 0);
    assert_int_equal(rig->image_size, RIG_MAX_END + 1);
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 7); /* might be an archive's: dropped until the first chunk says so */
    assert_int_equal(rig_count(rig, "refused"), 0);
    rig_chunk(rig, 0);
    assert_int_equal(flash_area_is_erased(&rig->config.secondary, 0, RIG_SLOT), 1);
    rig_fails(rig, "bad-size");
    rig->image_size = RIG_MAX_END + OTA_TAR_AROUND + 1; /* not even an archive's */
    rig_to_receive(rig);
    rig_chunk(rig, 7);
    rig_fails(rig, "bad-size");
}

/* ---- the line ---------------------------------------------------------------------------- */

/* RESM-01, B11: after a lost connection only what is missing is asked for; nothing is erased. */
static void a_lost_connection_is_taken_up_again(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    rig_chunk(rig, 2);
    flash_sim_restart_count(rig->sim);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_expect(rig, "> connect");
    rig_link(rig);
    rig_expect(rig, "> subscribe");
    rig_expect(rig, RIG_REQUEST_DATA);
    assert_int_equal(rig_count(rig, RIG_REQUEST_DATA), 1);
    assert_int_equal(rig_count(rig, RIG_REQUEST), 1);
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    rig_chunk(rig, 1);
    rig_expect(rig, "pending 2.0.0");
}

/* The counter of lost connections begins anew with every chunk, and has an end (RESM-11). */
static void tries_are_counted_between_two_chunks(void **state)
{
    struct rig *rig = *state;
    unsigned tries = ota_default_timing.connect_tries;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t chunk = 0; chunk < 2; chunk++) {
        for (unsigned i = 1; i < tries; i++) {
            rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
            rig_timer(rig);
            rig_link(rig);
        }
        assert_int_equal(rig_count(rig, "idle"), 0);
        if (chunk == 0)
            rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_chunk(rig, chunk);
    }
    for (unsigned i = 1; i < tries; i++) {
        rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
        rig_timer(rig);
        rig_link(rig);
    }
    assert_int_equal(rig_count(rig, "idle"), 0);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_expect(rig, "idle connect");
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_FAILED);
    assert_true(rig->armed <= ota_default_timing.retry_last); /* Failure is owed */
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_FAILURE);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported connect");
    rig_expect(rig, RIG_ASK); /* and on it goes with what is new */
}

/* TRAN-15: publications that are never acknowledged mean that the connection is dead. */
static void missing_acknowledgements_end_the_connection(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    rig_erase(rig);
    rig_timer(rig); /* Request Update */
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_REQUEST);
    rig_chunk(rig, 0); /* faster than its acknowledgement */
    rig_expect(rig, "state receive");
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_timer(rig); /* asks for the chunks */
    rig_timer(rig);
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
}

static void the_line_drops_while_the_slot_is_erased(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    flash_sim_restart_count(rig->sim);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_expect(rig, "state erase");
    rig_erase(rig);
    assert_int_equal(flash_sim_op_count(rig->sim), RIG_SLOT / 4096);
    rig_expect(rig, "state connect");
    rig_link(rig);
    rig_expect(rig, RIG_REQUEST);
    assert_int_equal(flash_sim_op_count(rig->sim), RIG_SLOT / 4096);
}

/* ---- flash ------------------------------------------------------------------------------- */

static void the_slot_is_erased_from_its_end_a_sector_at_a_time(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    flash_sim_restart_count(rig->sim);
    rig_job(rig);
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    for (uint32_t i = 1; i <= RIG_SLOT / 4096; i++) {
        assert_int_equal(rig->armed, 0);
        rig_timer(rig);
        assert_int_equal(flash_sim_op_count(rig->sim), i);
        uint32_t at = rig->config.secondary.address + RIG_SLOT - i * 4096;
        assert_int_equal(flash_sim_erases_at(rig->sim, at), 1);
    }
    assert_string_equal(ota_state_name(&rig->agent), "request");
}

/* STOR-12: what flash refuses is reported, and no byte counts that is not there. */
static void a_flash_error_ends_the_session(void **state)
{
    struct rig *rig = *state;
    uint8_t dirt[8] = {0};
    rig_boot(rig);
    rig_to_receive(rig);
    rig_put_area(rig, &rig->config.secondary, 4096 + 512, dirt, sizeof dirt);
    rig_chunk(rig, 0);
    rig_chunk(rig, 1);
    assert_int_equal(rig_count(rig, "progress"), 1);
    rig_fails(rig, "flash-program");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(refused_offers_are_reported),
        TEST(the_running_version_is_nothing_new),
        TEST(a_job_cut_at_every_byte_is_refused),
        TEST(another_job_during_the_download_waits),
        TEST(order_and_repetition_do_not_matter),
        TEST(a_lost_chunk_is_asked_for),
        TEST(many_missing_chunks_are_asked_for_a_few_at_a_time),
        TEST(no_data_ever_ends_by_a_deadline),
        TEST(only_progress_puts_the_deadline_off),
        TEST(bad_chunks_are_dropped_and_counted),
        TEST(bytes_are_not_counted_twice),
        TEST(bytes_are_counted),
        TEST(a_bad_message_costs_the_same_whenever_it_comes),
        TEST(a_changed_image_is_not_resumed),
        TEST(an_image_that_does_not_fit_is_refused_before_it_is_written),
        TEST(a_lost_connection_is_taken_up_again),
        TEST(tries_are_counted_between_two_chunks),
        TEST(missing_acknowledgements_end_the_connection),
        TEST(the_line_drops_while_the_slot_is_erased),
        TEST(the_slot_is_erased_from_its_end_a_sector_at_a_time),
        TEST(a_flash_error_ends_the_session),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
