#include "agent/update/session_rig.h"

/* ---- archives ---------------------------------------------------------------------------- */

struct shelf {
    struct rig *rig;
    uint8_t inner[RIG_IMAGE]; /* the image in the archive that is offered */
    uint32_t inner_size;
};

static void put_sum(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum & 0777777u);
}

/* Returns where the next member goes. */
static uint32_t put_member(uint8_t *out, uint32_t at, const char *name, const void *data,
                           uint32_t size)
{
    uint8_t *header = out + at;
    memset(header, 0, 512);
    snprintf((char *)header, 100, "%s", name);
    snprintf((char *)header + 124, 12, "%011o", size);
    header[156] = '0';
    memcpy(header + 257, "ustar", 6);
    put_sum(header);
    memcpy(header + 512, data, size);
    uint32_t end = at + 512 + size;
    uint32_t next = (end + 511) / 512 * 512;
    memset(out + end, 0, next - end);
    return next;
}

#define LIST                                                                                       \
    "{\"numberOfComponents\":\"2\",\"version\":\"%s\",\"files\":[{\"fileName\":\"components."      \
    "json\",\"fileType\":\"component_list\"},{\"fileName\":\"app.bin\",\"fileType\":\"%s\","       \
    "\"fileSize\":\"%u\"}]}%*s"

struct wish {
    const char *version;
    const char *type;
    const char *name;
    uint32_t listed; /* size in the list, less the real one */
    uint32_t zeros;  /* behind the end */
    int blanks;      /* behind the list */
};

static const struct wish usual = {"2.0.0", "NSPE", "app.bin", 0, 1024, 0};

/* Offers the image that is offered in an archive. */
static void pack(struct shelf *shelf, const struct wish *wish)
{
    static uint8_t archive[RIG_IMAGE];
    struct rig *rig = shelf->rig;
    char list[1100];
    memcpy(shelf->inner, rig->image, rig->image_size);
    shelf->inner_size = rig->image_size;
    snprintf(list, sizeof list, LIST, wish->version, wish->type, rig->image_size + wish->listed,
             wish->blanks, "");
    uint32_t at = put_member(archive, 0, "components.json", list, (uint32_t)strlen(list));
    at = put_member(archive, at, wish->name, rig->image, rig->image_size);
    memset(archive + at, 0, wish->zeros);
    rig->image_size = at + wish->zeros;
    assert_true(rig->image_size <= sizeof rig->image);
    memcpy(rig->image, archive, rig->image_size);
}

static int set_up(void **state)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    assert_non_null(shelf);
    shelf->rig = rig_new();
    shelf->rig->config.progress.size = RIG_PROGRESS;
    rig_offer(shelf->rig, 2, 50000, 9);
    pack(shelf, &usual);
    *state = shelf;
    return 0;
}

static int tear_down(void **state)
{
    struct shelf *shelf = *state;
    rig_free(shelf->rig);
    free(shelf);
    return 0;
}

static void to_peek(struct rig *rig)
{
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    assert_string_equal(ota_state_name(&rig->agent), "peek");
}

static void assert_slot_is_image(const struct shelf *shelf)
{
    static uint8_t slot[RIG_SLOT];
    const struct rig *rig = shelf->rig;
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_memory_equal(slot, shelf->inner, shelf->inner_size);
    uint32_t behind = (shelf->inner_size + 4095) / 4096 * 4096;
    assert_int_equal(
        flash_area_is_erased(&rig->config.secondary, shelf->inner_size, behind - shelf->inner_size),
        1);
    assert_string_equal(flash_sim_violation(rig->sim), "");
}

/* Answers requests for chunks by MQTT, as an honest publisher does, from where the story is. */
static void answer_requests(struct rig *rig)
{
    const char *at;
    while ((at = strstr(rig->story + rig->told, "\"Offset\": \"")) != NULL ||
           (at = strstr(rig->story + rig->told, "\"Offset\":\"")) != NULL) {
        rig->told = (size_t)(strchr(at, '\n') + 1 - rig->story);
        rig_chunk(
            rig, (uint32_t)strtoul(strchr(at, ':') + 1 + strcspn(strchr(at, ':') + 1, "0123456789"),
                                   NULL, 10) /
                     OTA_CHUNK_SIZE);
        if (rig->agent.state != OTA_STATE_RECEIVE)
            return;
    }
}

/* ---- what should work -------------------------------------------------------------------- */

static void by_mqtt_in_order(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    char line[64];
    rig_boot(rig);
    rig_download(rig);
    snprintf(line, sizeof line, "progress %u %u", shelf->inner_size, shelf->inner_size);
    rig_expect(rig, line);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

static void by_http_in_ranges(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    to_peek(rig);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

/* Every place at which list and image can end in a block, a chunk and a unit; and the largest. */
static void any_size_of_image_and_list(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    uint32_t around = 0;
    rig_offer(rig, 2, 1, 0);
    around = rig->image_size - 1;
    for (uint32_t i = 0; i < 40; i++) {
        struct wish wish = usual;
        uint32_t payload = i < 38 ? 1900 + i * 57 : RIG_MAX_END - around - (i - 38);
        wish.blanks = (int)(i * 19);
        wish.zeros = i % 2 == 0 ? 1024 : 10240;
        rig_offer(rig, 2, payload, (uint8_t)i);
        if (rig->image_size + 3072 + wish.zeros > sizeof rig->image)
            wish.zeros = 1024;
        pack(shelf, &wish);
        rig->story[0] = 0;
        rig->told = 0;
        to_peek(rig);
        rig_serve_all(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(shelf);
        assert_int_equal(flash_area_erase_back(&rig->config.secondary, 0, RIG_SLOT), 0);
        rig->agent.record.phase = OTA_PHASE_IDLE;
        assert_int_equal(ota_journal_write(&rig->agent.journal, &rig->agent.record), 0);
    }
}

/* In direct flow the list says which version this is. */
static void direct_flow(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig->config.connection = OTA_BY_HTTP;
    rig->config.http_file = "/v2.tar";
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_all(rig);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
    struct wish wish = usual;
    wish.version = "1.0.0";
    rig_offer(rig, 2, 50000, 9);
    pack(shelf, &wish);
    rig->agent.record.phase = OTA_PHASE_IDLE;
    assert_int_equal(ota_journal_write(&rig->agent.journal, &rig->agent.record), 0);
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_all(rig);
    rig_expect(rig, "idle no-update");
}

/* ---- order ------------------------------------------------------------------------------- */

/* A chunk that comes too early is dropped, and asked for again when its turn comes. */
static void a_gap_is_not_spliced(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t i = 0; i < rig_chunks(rig); i++)
        if (i != 2)
            rig_chunk(rig, i);
    assert_int_equal(rig->agent.done, 2 * OTA_CHUNK_SIZE);
    rig->told = strlen(rig->story);
    rig_timer(rig);
    answer_requests(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

/* Nothing says that the last chunk is an archive's: it is taken for an image's, and undone. */
static void the_last_chunk_comes_first(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t i = rig_chunks(rig); i > 0; i--)
        rig_chunk(rig, i - 1);
    rig_expect(rig, "state erase");
    rig_erase(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    for (uint32_t i = rig_chunks(rig); i > 0; i--) /* and once more: now that is known */
        rig_chunk(rig, i - 1);
    assert_int_equal(rig->agent.done, OTA_CHUNK_SIZE);
    assert_int_equal(rig->agent.restarts, 1);
    rig->told = strlen(rig->story);
    rig_timer(rig);
    answer_requests(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

static void a_lost_connection_is_taken_up_again(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t i = 0; i < 5; i++)
        rig_chunk(rig, i);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_timer(rig);
    rig->told = strlen(rig->story);
    rig_link(rig);
    assert_non_null(strstr(rig->story + rig->told, "20480"));
    answer_requests(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

/* ---- what should not --------------------------------------------------------------------- */

enum defect {
    BAD_SUM,
    NO_LIST,
    LONG_MEMBER,
    OTHER_NAME,
    OTHER_TYPE,
    OTHER_VERSION,
    NO_IMAGE,
    CUT_OFF,
    MORE_BEHIND,
    TOO_LARGE,
    DEFECTS
};

static void pack_with(struct shelf *shelf, enum defect defect)
{
    struct rig *rig = shelf->rig;
    struct wish wish = usual;
    wish.name = defect == OTHER_NAME ? "boot.bin" : "app.bin";
    wish.type = defect == OTHER_TYPE ? "SPE" : "NSPE";
    wish.version = defect == OTHER_VERSION ? "2.0.1" : "2.0.0";
    wish.listed = defect == LONG_MEMBER ? (uint32_t)-1 : 0;
    rig_offer(rig, 2, defect == TOO_LARGE ? RIG_MAX_END : 50000, 9);
    pack(shelf, &wish);
    if (defect == BAD_SUM)
        rig->image[148] ^= 1;
    if (defect == NO_LIST) {
        memmove(rig->image, rig->image + 1024, rig->image_size - 1024);
        rig->image_size -= 1024;
    }
    if (defect == NO_IMAGE)
        memset(rig->image + 1024, 0, rig->image_size - 1024);
    if (defect == CUT_OFF)
        rig->image_size -= 600;
    if (defect == MORE_BEHIND)
        rig->image[rig->image_size - 1] = 1;
}

static const struct {
    const char *word;
    bool at_once; /* the first chunk says it */
} expected[DEFECTS] = {
    [BAD_SUM] = {"bad-archive", true},      [NO_LIST] = {"bad-archive", true},
    [LONG_MEMBER] = {"bad-archive", true},  [OTHER_NAME] = {"bad-archive", true},
    [OTHER_TYPE] = {"unsupported", true},   [OTHER_VERSION] = {"bad-version", true},
    [NO_IMAGE] = {"bad-archive", true},     [CUT_OFF] = {"bad-archive", false},
    [MORE_BEHIND] = {"bad-archive", false}, [TOO_LARGE] = {"bad-size", true},
};

static void malformed_archives_are_refused(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    for (enum defect defect = 0; defect < DEFECTS; defect++) {
        pack_with(shelf, defect);
        rig->story[0] = 0;
        rig->told = 0;
        to_peek(rig);
        flash_sim_restart_count(rig->sim);
        rig_serve_all(rig);
        rig_fails(rig, expected[defect].word);
        assert_int_equal(rig_count(rig, "state erase"), !expected[defect].at_once);
        assert_int_equal(rig_count(rig, "pending"), 0);
        assert_int_equal(rig_count(rig, "refused"), 1);

        rig->story[0] = 0;
        rig->told = 0;
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t i = 0; i < rig_chunks(rig) && rig->agent.state == OTA_STATE_RECEIVE; i++)
            rig_chunk(rig, i);
        rig_fails(rig, expected[defect].word);
        assert_int_equal(rig_count(rig, "pending"), 0);
    }
    rig_offer(rig, 2, 50000, 9);
    pack(shelf, &usual);
    rig_boot(rig); /* the device is as usable as before */
    rig_download(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

/* ---- resets ------------------------------------------------------------------------------ */

/* A cut after any number of chunks: the archive's beginning is read again, and what is missing. */
static void a_reset_resumes(void **state)
{
    struct shelf *shelf = *state;
    for (uint32_t chunks = 1; chunks < rig_chunks(shelf->rig); chunks++) {
        struct rig *rig = shelf->rig;
        rig->story[0] = 0;
        rig->told = 0;
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t i = 0; i < chunks; i++)
            rig_chunk(rig, i);
        uint32_t recorded = ota_progress_done(&rig->agent.progress);
        assert_true(recorded + 2 * OTA_CHUNK_SIZE > chunks * OTA_CHUNK_SIZE);
        rig_boot(rig);
        rig_to_ask(rig);
        rig_job(rig);
        rig_erase(rig);
        assert_string_equal(ota_state_name(&rig->agent), chunks > 1 ? "receive" : "request");
        flash_sim_restart_count(rig->sim);
        if (chunks == 1) {
            rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
            for (uint32_t i = 0; i < rig_chunks(rig); i++)
                rig_chunk(rig, i);
        } else {
            rig->told = 0;
            rig_expect(rig, "progress");
            answer_requests(rig);
        }
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(shelf);
        uint32_t missing = shelf->inner_size - recorded;
        assert_true(flash_sim_op_count(rig->sim) <= missing / 256 + 32);
        tear_down(state);
        set_up(state);
        shelf = *state;
    }
}

/* By HTTP the same, with the power cut in every operation of the download. */
static void a_cut_at_any_operation_resumes(void **state)
{
    bool fired = true;
    unsigned skipped = 0;
    for (uint32_t at = 20; fired; at += 3) {
        struct shelf *shelf = *state;
        struct rig *rig = shelf->rig;
        to_peek(rig);
        flash_sim_restart_count(rig->sim);
        rig->cut_at = at;
        rig->cut = FLASH_TEAR_HALF;
        for (int i = 0; i < 100 && !flash_sim_is_off(rig->sim) && rig->requested; i++) {
            rig_serve(rig);
            while (rig->agent.state == OTA_STATE_ERASE && !flash_sim_is_off(rig->sim))
                rig_timer(rig);
        }
        fired = flash_sim_is_off(rig->sim);
        rig->cut_at = UINT32_MAX;
        if (fired && rig->agent.record.phase != OTA_PHASE_STAGED) {
            rig->story[0] = 0;
            rig->told = 0;
            to_peek(rig);
            uint32_t kept = rig->agent.kept;
            rig_serve_all(rig);
            rig_expect(rig, "pending 2.0.0");
            assert_slot_is_image(shelf);
            skipped += kept > 3 * OTA_CHUNK_SIZE && rig_count(rig, "> get /v2.bin 4096-") == 0;
        }
        tear_down(state);
        set_up(state);
    }
    assert_true(skipped > 10);
}

/* A server without ranges sends it all again: what is in flash is not programmed twice. */
static void the_whole_again_after_a_reset(void **state)
{
    struct shelf *shelf = *state;
    struct rig *rig = shelf->rig;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t i = 0; i < 6; i++)
        rig_chunk(rig, i);
    rig->etag = "";
    to_peek(rig);
    const struct http_head head = {.status = 200, .has_length = true, .length = rig->image_size};
    assert_true(rig->agent.kept == 0); /* a job for another place is another image */
    tear_down(state);
    set_up(state);
    shelf = *state;
    rig = shelf->rig;
    to_peek(rig);
    rig_serve(rig);
    rig_erase(rig);
    const struct http_head range = rig_honest(rig);
    rig_head(rig, &range);
    rig_bytes_of(rig, 4096, 30000, 1000);
    to_peek(rig);
    assert_true(rig->agent.kept > 0);
    for (int i = 0; i < 2; i++) { /* to the peek, and after the erasing */
        struct http_head whole = head;
        snprintf(whole.etag, sizeof whole.etag, "%s", rig->etag);
        rig_head(rig, &whole);
        rig_bytes_of(rig, 0, rig->image_size, 1000);
        rig_erase(rig);
    }
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(shelf);
}

/* The record is of an archive, and now there is an image of its size; or another archive. */
static void what_changed_meanwhile_begins_anew(void **state)
{
    for (int other = 0; other < 2; other++) {
        struct shelf *shelf = *state;
        struct rig *rig = shelf->rig;
        uint32_t archive = rig->image_size;
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t i = 0; i < 6; i++)
            rig_chunk(rig, i);
        rig_offer(rig, 2, 49000, 77);
        if (other == 0) {
            uint32_t grown = archive - (rig->image_size - 49000);
            rig_offer(rig, 2, grown, 77);
            assert_int_equal(rig->image_size, archive);
            memcpy(shelf->inner, rig->image, archive);
            shelf->inner_size = archive;
        } else {
            struct wish wish = usual;
            uint32_t inner = rig->image_size;
            wish.zeros = archive - 2048 - (inner + 511) / 512 * 512 + 512;
            pack(shelf, &wish);
            assert_int_equal(rig->image_size, archive);
        }
        rig_boot(rig);
        rig_to_ask(rig);
        rig_job(rig);
        rig_erase(rig);
        rig_chunk(rig, 0);
        rig_expect(rig, "state erase");
        rig_erase(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        assert_int_equal(rig->agent.restarts, 1);
        for (uint32_t i = 0; i < rig_chunks(rig); i++)
            rig_chunk(rig, i);
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(shelf);
        tear_down(state);
        set_up(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(by_mqtt_in_order),
        TEST(by_http_in_ranges),
        TEST(any_size_of_image_and_list),
        TEST(direct_flow),
        TEST(a_gap_is_not_spliced),
        TEST(the_last_chunk_comes_first),
        TEST(a_lost_connection_is_taken_up_again),
        TEST(malformed_archives_are_refused),
        TEST(a_reset_resumes),
        TEST(a_cut_at_any_operation_resumes),
        TEST(the_whole_again_after_a_reset),
        TEST(what_changed_meanwhile_begins_anew),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
