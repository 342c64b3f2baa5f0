/* Chunks of other sizes than a block, chunks asked for one by one, and direct updates. */
#include "agent/update/session_rig.h"

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.progress.size = RIG_PROGRESS;
    rig_offer(rig, 2, 50000, 2);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static void assert_slot_is_image(struct rig *rig)
{
    static uint8_t slot[RIG_SLOT];
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, rig->image_size), 0);
    assert_memory_equal(slot, rig->image, rig->image_size);
    assert_string_equal(flash_sim_violation(rig->sim), "");
}

/* Every size that may be, last chunk first and each one twice; every byte is programmed once. */
static void chunks_of_many_sizes_are_kept(void **state)
{
    static const uint32_t steps[] = {512, 1024, 2048, 4096, 8192, 12288, 61440, 65536};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        void *fresh;
        set_up(&fresh);
        struct rig *rig = fresh;
        rig->step = steps[i];
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t n = rig_chunks(rig); n-- > 0;) {
            rig_chunk(rig, n);
            if (n > 0)
                rig_chunk(rig, n);
        }
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(rig);
        tear_down(&fresh);
    }
}

/* What cannot be kept block by block, or not by this part's program units, is dropped. */
static void other_sizes_are_refused(void **state)
{
    static const uint32_t steps[] = {64, 256, 1000, 4095, 4097, 6144, 10000};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        void *fresh;
        set_up(&fresh);
        struct rig *rig = fresh;
        rig->step = steps[i];
        rig_boot(rig);
        rig_to_receive(rig);
        for (uint32_t n = 0; n < 16; n++)
            rig_chunk(rig, n % (rig_chunks(rig) - 1));
        rig_fails(rig, "bad-chunk");
        assert_int_equal(rig_count(rig, "progress"), 0);
        tear_down(&fresh);
    }
}

/* Sizes may change when what is missing is asked for, but not become finer than at first. */
static void sizes_may_be_mixed(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig->step = 1024;
    rig_chunk(rig, 4);
    rig_chunk(rig, 9);
    rig->step = 512; /* too fine by now */
    rig_chunk(rig, 0);
    assert_int_equal(rig_count(rig, "progress"), 2);
    rig->step = 4096; /* 1, of which a part is there */
    rig_chunk(rig, 1);
    assert_int_equal(rig->agent.done, 4096 + 1024);
    rig->step = 8192;
    for (uint32_t n = 0; n < rig_chunks(rig); n++)
        rig_chunk(rig, n);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* A program unit cannot be put together from smaller chunks. */
static void the_slot_has_a_say(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig->agent.unit_size = 1024;
    rig->step = 512;
    rig_chunk(rig, 0);
    assert_int_equal(rig_count(rig, "progress"), 0);
    rig->step = 1024;
    rig_chunk(rig, 0);
    assert_int_equal(rig_count(rig, "progress"), 1);
}

/* A reset in the middle: pieces that are complete are not asked for, whatever the size was. */
static void a_reset_goes_on_with_other_sizes(void **state)
{
    struct rig *rig = *state;
    rig->step = 512;
    rig_boot(rig);
    rig_to_receive(rig);
    for (uint32_t n = 0; n < 50; n++)
        rig_chunk(rig, n);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    rig_expect(rig, "progress 24576 ");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST_DATA);
    rig->step = 8192; /* across the border of what is there */
    for (uint32_t n = 2; n < rig_chunks(rig); n++)
        rig_chunk(rig, n);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* Plays a publisher that answers each chunk request since the last look. */
static unsigned answer_requests(struct rig *rig)
{
    unsigned answered = 0;
    for (;;) {
        const char *at = strstr(rig->story + rig->told, "\"Offset\": \"");
        if (at == NULL)
            return answered;
        unsigned offset;
        unsigned size;
        assert_int_equal(sscanf(at, "\"Offset\": \"%u\", \"Size\": \"%u\"", &offset, &size), 2);
        rig->told = (size_t)(at + 1 - rig->story);
        rig->step = size;
        rig_chunk(rig, offset / size);
        answered++;
    }
}

/* As the original subscriber's -c N: the publisher sends what it is asked for and nothing else. */
static void chunks_are_asked_for_one_by_one(void **state)
{
    static const uint32_t steps[] = {512, 2048, 4096, 16384};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        void *fresh;
        set_up(&fresh);
        struct rig *rig = fresh;
        rig->config.chunk_size = steps[i];
        rig_boot(rig);
        rig_to_ask(rig);
        rig_job(rig);
        rig_erase(rig);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        unsigned answered = 0;
        for (unsigned more = 1; more > 0; answered += more)
            more = answer_requests(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_int_equal(answered, (rig->image_size + steps[i] - 1) / steps[i]);
        assert_int_equal(rig_count(rig, RIG_REQUEST), 0);
        assert_slot_is_image(rig);
        tear_down(&fresh);
    }
}

static void a_chunk_mode_that_cannot_be_is_refused(void **state)
{
    static const uint32_t steps[] = {1, 256, 1000, 5000, 69632};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rig->config.chunk_size = steps[i];
        assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    }
}

/* As the original subscriber's -d, but on the topic that the publisher then sends to. */
static void a_direct_update_comes_on_the_boards_topic(void **state)
{
    struct rig *rig = *state;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig->config.send_direct = true;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_expect(rig, "> subscribe anycloud/BOARD_A/OTAImage 1\n");
    rig_erase(rig);
    rig_expect(rig, RIG_PUBLISH "\"Send Direct Update\"");
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    for (uint32_t i = 0; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
    assert_int_equal(rig_count(rig, RIG_ASK) + rig_count(rig, RIG_REQUEST), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_of_many_sizes_are_kept),
        cmocka_unit_test(other_sizes_are_refused),
        TEST(sizes_may_be_mixed),
        TEST(the_slot_has_a_say),
        TEST(a_reset_goes_on_with_other_sizes),
        cmocka_unit_test(chunks_are_asked_for_one_by_one),
        TEST(a_chunk_mode_that_cannot_be_is_refused),
        TEST(a_direct_update_comes_on_the_boards_topic),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
