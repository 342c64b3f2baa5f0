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

static void install(struct rig *rig)
{
    rig_boot(rig);
    rig_download(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, "> reset");
}

static bool is_trial(const struct rig *rig)
{
    struct img_trailer trailer;
    img_trailer_read(&rig->config.primary, &rig->config.format, &trailer);
    return img_is_trial(&trailer);
}

static void assert_not_pending(const struct rig *rig)
{
    struct img_trailer trailer;
    img_trailer_read(&rig->config.secondary, &rig->config.format, &trailer);
    assert_int_equal(trailer.magic, IMG_MAGIC_UNSET);
}

/* ---- verify ------------------------------------------------------------------------------ */

enum damage { PAYLOAD, MAGIC, SIGNATURE, TAIL, ANNOUNCED, UNSIGNED };

/* AUTH-01, AUTH-04, INTG-01, INTG-05, INTG-06, VERS-08: what lies in flash is judged. */
static void a_bad_image_is_never_handed_to_the_loader(void **state)
{
    struct rig *rig = *state;
    static const struct {
        enum damage damage;
        const char *word;
    } cases[] = {
        {PAYLOAD, "bad-hash"}, {MAGIC, "bad-magic"},       {SIGNATURE, "bad-signature"},
        {TAIL, "bad-size"},    {ANNOUNCED, "bad-version"}, {UNSIGNED, "no-signature"},
    };
    rig_boot(rig);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_offer(rig, 2, 9800, 2);
        uint32_t tlv = IMG_HEADER_SIZE + 9800;
        rig->verdict = 0;
        switch (cases[i].damage) {
        case PAYLOAD:
            rig->image[5000] ^= 1;
            break;
        case MAGIC:
            rig->image[0] ^= 1;
            break;
        case SIGNATURE:
            rig->verdict = OTA_E_IMG_SIGNATURE;
            break;
        case TAIL: /* more bytes than the image has */
            rig->image[rig->image_size++] = 0;
            break;
        case ANNOUNCED:
            rig->image_version.major = 3;
            break;
        case UNSIGNED: /* hash only */
            rig_put(rig->image + tlv + 2, 4 + 36, 2);
            rig->image_size = tlv + 4 + 36;
            break;
        }
        rig_download(rig);
        rig_expect(rig, "state verify");
        rig_fails(rig, cases[i].word);
        assert_not_pending(rig);
    }
    assert_int_equal(rig_count(rig, "pending"), 0);
    assert_int_equal(rig->resets, 0);
}

static void an_image_that_ends_before_its_last_byte_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 9800, 2);
    rig->image[rig->image_size - 1] = 0xFF; /* as it reads when it is never written */
    rig->image_size--;
    rig_boot(rig);
    rig_download(rig);
    rig_fails(rig, "truncated");
    assert_not_pending(rig);
}

/* TRAN-13, INTG-04: a byte that changes in flash after it was written. */
static void flash_is_checked_not_what_was_received(void **state)
{
    struct rig *rig = *state;
    uint8_t byte = 0;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    rig_chunk(rig, 1);
    rig_put_area(rig, &rig->config.secondary, 6000, &byte, 1);
    rig_chunk(rig, 2);
    rig_fails(rig, "bad-hash");
}

static void a_refused_trailer_is_reported_and_withdrawn(void **state)
{
    struct rig *rig = *state;
    uint8_t dirt[8] = {0};
    rig_boot(rig);
    rig_to_receive(rig);
    rig_put_area(rig, &rig->config.secondary, RIG_SLOT - 32, dirt, sizeof dirt);
    for (uint32_t i = 0; i < 3; i++)
        rig_chunk(rig, i);
    rig_fails(rig, "bad-trailer");
    assert_int_equal(flash_area_is_erased(&rig->config.secondary, RIG_SLOT - 4096, 4096), 1);
    assert_int_equal(rig->resets, 0);
}

/* ---- confirm and report ------------------------------------------------------------------ */

/* BOOT-05, RPRT-02: once, after the broker took the subscription, and Success only after that. */
static void a_trial_is_confirmed_once_and_reported(void **state)
{
    struct rig *rig = *state;
    install(rig);
    rig_swap(rig, true);
    flash_sim_restart_count(rig->sim);
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    assert_true(is_trial(rig));
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
    assert_false(is_trial(rig));
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, RIG_SUCCESS);
    assert_int_equal(rig_count(rig, "reported"), 0);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported ok");
    rig_closes(rig, "idle ok");
    uint32_t operations = flash_sim_op_count(rig->sim);
    rig_boot(rig); /* nothing is owed, nothing to confirm */
    assert_string_equal(ota_state_name(&rig->agent), "idle");
    assert_int_equal(flash_sim_op_count(rig->sim), operations);
    assert_int_equal(rig_count(rig, "confirmed"), 1);
    assert_int_equal(rig_count(rig, RIG_SUCCESS), 1);
}

/* RPRT-03, RPRT-08: until the broker acknowledges it, over connections and over reboots. */
static void a_report_is_repeated_until_it_is_acknowledged(void **state)
{
    struct rig *rig = *state;
    install(rig);
    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
    rig_timer(rig); /* no PUBACK */
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
    rig_boot(rig); /* power lost */
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
    for (unsigned i = 1; i < ota_default_timing.connect_tries; i++) {
        rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
        rig_timer(rig);
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
        rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
    }
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_expect(rig, "idle connect"); /* confirmed by now: no reset, no revert */
    assert_int_equal(rig->resets, 1);
    assert_true(rig->armed <= ota_default_timing.retry_last);
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported ok");
    rig_expect(rig, RIG_ASK);
    assert_int_equal(rig_count(rig, "confirmed"), 1);
    assert_int_equal(rig_count(rig, "reported"), 1);
}

/* The acknowledgement of an earlier publication is not the report's. */
static void only_the_reports_own_acknowledgement_counts(void **state)
{
    struct rig *rig = *state;
    rig->verdict = OTA_E_IMG_SIGNATURE;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    rig_erase(rig); /* Request Update is not acknowledged yet */
    for (uint32_t i = 0; i < 3; i++)
        rig_chunk(rig, i);
    rig_expect(rig, RIG_FAILURE);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    assert_string_equal(ota_state_name(&rig->agent), "report");
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported bad-signature");
}

/* BOOT-09, B27: reverted twice, then not tried a third time; but its successor is. */
static void a_version_that_was_reverted_twice_is_rejected(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 1; i <= 2; i++) {
        install(rig);
        rig_boot(rig); /* the loader took v1 back: it runs again */
        rig_link(rig);
        rig_expect(rig, RIG_FAILURE);
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        rig_expect(rig, "reported reverted");
        rig_closes(rig, "idle reverted");
        assert_int_equal(rig->agent.record.failed[0].count, i);
    }
    flash_sim_restart_count(rig->sim);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    rig_fails(rig, "rejected");
    assert_true(flash_sim_op_count(rig->sim) < 10); /* journal only */
    rig_offer(rig, 3, 9800, 3);
    rig_boot(rig);
    rig_download(rig);
    rig_expect(rig, "pending 3.0.0");
}

/* The device runs v1 again after a trial of the version on offer, and says so. */
static void revert(struct rig *rig)
{
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_boot(rig);
    rig_link(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_closes(rig, "idle reverted");
}

/* B27: publishers that take turns with bad versions end, too: each is tried twice and no more. */
static void bad_versions_in_turn_are_each_rejected(void **state)
{
    struct rig *rig = *state;
    for (unsigned turn = 0; turn < 2; turn++)
        for (uint8_t major = 2; major < 2 + OTA_FAILED_MAX; major++) {
            rig_offer(rig, major, 9800, major);
            rig_boot(rig);
            rig_download(rig);
            rig_expect(rig, "pending");
            revert(rig);
        }
    for (uint8_t major = 2; major < 2 + OTA_FAILED_MAX; major++) {
        rig_offer(rig, major, 9800, major);
        rig_boot(rig);
        rig_to_ask(rig);
        rig_job(rig);
        rig_fails(rig, "rejected");
    }
    assert_int_equal(rig->resets, 2 * OTA_FAILED_MAX);
}

/* Another build of that version begins anew. */
static void reverts_are_counted_of_one_image(void **state)
{
    struct rig *rig = *state;
    for (uint8_t seed = 2; seed <= 3; seed++) {
        rig_offer(rig, 2, 9800, seed);
        rig_boot(rig);
        rig_download(rig);
        revert(rig);
        assert_int_equal(rig->agent.record.failed[0].count, 1);
    }
}

/* A scheme without trials: the new image runs, and that is the success. */
static void overwrite_reports_success_without_a_trial(void **state)
{
    struct rig *rig = *state;
    rig->config.reverts = false;
    install(rig);
    rig_swap(rig, true); /* a trailer like a trial's means nothing to such a scheme */
    flash_sim_restart_count(rig->sim);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, RIG_SUCCESS);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_closes(rig, "idle ok");
    assert_true(flash_sim_op_count(rig->sim) < 10); /* journal only */
    assert_true(is_trial(rig));
}

/* BOOT-07: while the application has not confirmed, nothing new; then Success is reported. */
static void no_update_while_the_running_image_is_unconfirmed(void **state)
{
    struct rig *rig = *state;
    rig->config.confirm_itself = false;
    install(rig);
    rig_swap(rig, true);
    rig_boot(rig);
    assert_string_equal(ota_state_name(&rig->agent), "idle");
    rig_timer(rig);
    rig_expect(rig, "idle unconfirmed");
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_expect(rig, "idle unconfirmed");
    assert_true(rig->armed <= rig->agent.config.timing.retry_last); /* not a day */
    assert_int_equal(img_confirm(&rig->config.primary, &rig->config.format), 0);
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, RIG_ASK);
}

/* Power lost between the loader's request and its record: what runs is that installation, and its
 * revert counts. */
static void a_staged_image_that_runs_was_installed(void **state)
{
    static uint8_t old[RIG_SLOT];
    struct rig *rig = *state;
    const struct flash_area *primary = &rig->config.primary;
    install(rig);
    assert_int_equal(flash_area_read(primary, 0, old, sizeof old), 0);
    rig_swap(rig, true);
    rig->agent.record.phase = OTA_PHASE_STAGED;
    assert_int_equal(ota_journal_write(&rig->agent.journal, &rig->agent.record), 0);
    rig_boot(rig);
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_INSTALL);
    assert_int_equal(flash_area_erase_back(primary, 0, RIG_SLOT), 0);
    rig_put_area(rig, primary, 0, old, RIG_SLOT);
    rig_boot(rig);
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_FAILED);
    assert_int_equal(rig->agent.record.failed[0].count, 1);
}

/* An image that somebody else installed is confirmed and reported like our own. */
static void a_trial_without_a_record_is_confirmed_too(void **state)
{
    struct rig *rig = *state;
    install(rig);
    rig_swap(rig, true);
    assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, RIG_SUCCESS);
}

static void a_confirmation_that_flash_refuses_resets(void **state)
{
    struct rig *rig = *state;
    install(rig);
    rig_swap(rig, true);
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    flash_sim_restart_count(rig->sim);
    rig->cut_at = 0;
    rig->cut = FLASH_TEAR_BEFORE;
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
    assert_string_equal(ota_state_name(&rig->agent), "reset");
    assert_int_equal(rig_count(rig, "confirmed"), 0);
    assert_int_equal(rig_count(rig, RIG_SUCCESS), 0);
}

/* ---- power ------------------------------------------------------------------------------- */

/* One update with everything answered at once; stops at a reset or when the power is cut. */
static void play(struct rig *rig)
{
    rig_boot(rig);
    for (unsigned i = 0; i < 200 && rig->agent.state != OTA_STATE_RESET; i++) {
        switch (rig->agent.state) {
        case OTA_STATE_IDLE:
            if (rig_count(rig, "idle ") > 0 || flash_sim_is_off(rig->sim))
                return;
            rig_event(rig, OTA_EVENT_CHECK, 0);
            break;
        case OTA_STATE_CONNECT:
            rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
            break;
        case OTA_STATE_SUBSCRIBE:
            rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
            break;
        case OTA_STATE_ASK:
            rig_job(rig);
            break;
        case OTA_STATE_RECEIVE:
            for (uint32_t c = 0; c < rig_chunks(rig) && !flash_sim_is_off(rig->sim); c++)
                rig_chunk(rig, c);
            break;
        case OTA_STATE_LEAVE:
            rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
            break;
        case OTA_STATE_ERASE:
            rig_timer(rig);
            break;
        default:
            rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
        }
        if (flash_sim_is_off(rig->sim))
            return;
    }
}

static void new_story(struct rig *rig)
{
    rig->story[0] = 0;
    rig->told = 0;
    rig->cut_at = UINT32_MAX;
}

/* After a cut the loader does what the trailer says, and the agent must end well from there:
 * v2 runs, confirmed, reported once as a success, and no failure was made up. */
static void ends_well(struct rig *rig)
{
    struct img_trailer trailer;
    unsigned successes = 0;
    for (unsigned boots = 0; boots < 4 && successes == 0; boots++) {
        flash_sim_power_on(rig->sim);
        img_trailer_read(&rig->config.secondary, &rig->config.format, &trailer);
        if (trailer.magic == IMG_MAGIC_GOOD)
            rig_swap(rig, rig->config.reverts);
        new_story(rig);
        play(rig);
        assert_int_equal(rig_count(rig, RIG_FAILURE), 0);
        assert_int_equal(rig_count(rig, "refused"), 0);
        successes += rig_count(rig, "reported ok");
    }
    assert_int_equal(successes, 1);
    assert_false(is_trial(rig));
    assert_int_equal(rig->agent.speaker.running.major, 2);
}

/* One update, with operation `at` cut. Fills `cuts`, unless it is NULL, with all ways to cut it, of
 * which AFTER is the last. False: there is no such operation. */
static bool cut_once(bool reverts, bool after_swap, uint32_t at, enum flash_tear tear,
                     enum flash_tear *cuts)
{
    struct rig *rig = rig_new();
    rig->config.reverts = reverts;
    if (after_swap) {
        install(rig);
        rig_swap(rig, reverts);
    }
    new_story(rig);
    flash_sim_restart_count(rig->sim);
    rig->cut_at = at;
    rig->cut = tear;
    play(rig);
    bool reached = flash_sim_is_off(rig->sim);
    if (reached && cuts != NULL)
        memcpy(cuts, rig->cuts, rig->cut_count * sizeof cuts[0]);
    if (reached && rig_count(rig, "reported ok") == 0)
        ends_well(rig);
    rig_free(rig);
    return reached;
}

/* Power cut at every flash operation of the agent, with every tear that the simulator knows.
 * Returns how many operations there are. */
static uint32_t sweep(bool reverts, bool after_swap)
{
    uint32_t at = 0;
    enum flash_tear cuts[FLASH_TEAR_COUNT];
    while (cut_once(reverts, after_swap, at, FLASH_TEAR_AFTER, cuts)) {
        for (size_t i = 0; cuts[i] != FLASH_TEAR_AFTER; i++)
            assert_true(cut_once(reverts, after_swap, at, cuts[i], NULL));
        at++;
    }
    return at;
}

static void power_cut_at_every_operation_up_to_the_reset(void **state)
{
    (void)state;
    assert_true(sweep(true, false) > RIG_SLOT / 4096 + 40);
    assert_true(sweep(false, false) > RIG_SLOT / 4096 + 40);
}

static void power_cut_at_every_operation_of_confirm_and_report(void **state)
{
    (void)state;
    assert_true(sweep(true, true) > 2);
    assert_true(sweep(false, true) > 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_bad_image_is_never_handed_to_the_loader),
        TEST(an_image_that_ends_before_its_last_byte_is_refused),
        TEST(flash_is_checked_not_what_was_received),
        TEST(a_refused_trailer_is_reported_and_withdrawn),
        TEST(a_trial_is_confirmed_once_and_reported),
        TEST(a_report_is_repeated_until_it_is_acknowledged),
        TEST(only_the_reports_own_acknowledgement_counts),
        TEST(a_version_that_was_reverted_twice_is_rejected),
        TEST(bad_versions_in_turn_are_each_rejected),
        TEST(reverts_are_counted_of_one_image),
        TEST(overwrite_reports_success_without_a_trial),
        TEST(no_update_while_the_running_image_is_unconfirmed),
        TEST(a_staged_image_that_runs_was_installed),
        TEST(a_trial_without_a_record_is_confirmed_too),
        TEST(a_confirmation_that_flash_refuses_resets),
        cmocka_unit_test(power_cut_at_every_operation_up_to_the_reset),
        cmocka_unit_test(power_cut_at_every_operation_of_confirm_and_report),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
