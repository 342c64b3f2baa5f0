#include "agent/update/harmony_rig.h"

static int set_up(void **state)
{
    *state = harmony_rig_new();
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static void boot(struct rig *rig)
{
    harmony_new_story(rig);
    rig_boot(rig);
}

static uint32_t operations(const struct rig *rig)
{
    return flash_sim_op_count(rig->sim);
}

/* ---- the whole way ------------------------------------------------------------------------ */

static void updates(void **state)
{
    struct rig *rig = *state;
    boot(rig);
    harmony_check(rig);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "> get fw.example.com:8000/v2.bin 0-4095");
    assert_int_equal(harmony_status(2), IMG_ROW_FREE);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "> reset");
    assert_int_equal(harmony_status(2), IMG_ROW_DOWNLOADED);
    harmony_install(rig);
    assert_int_equal(harmony_status(2), IMG_ROW_VALID);
    assert_int_equal(rig_count(rig, "reported"), 0);
    assert_int_equal(rig_count(rig, "> post"), 0);
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

/* B3, and what fills the slot. */
static void any_size_that_fits_installs(void **state)
{
    static const uint32_t sizes[] = {1, 4095, 4096, 4097, RIG_SLOT - 1, RIG_SLOT};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rig *rig = harmony_rig_new();
        harmony_offer(rig, 2, sizes[i], 2);
        boot(rig);
        harmony_download(rig);
        harmony_install(rig);
        rig_free(rig);
    }
}

/* B25: neither is begun. */
static void what_does_not_fit_erases_nothing(void **state)
{
    static const uint64_t sizes[] = {0, RIG_SLOT + 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        boot(rig);
        harmony_check(rig);
        uint32_t before = operations(rig);
        struct http_head head = rig_honest(rig);
        head.total = sizes[i];
        if (sizes[i] == 0)
            head = (struct http_head){.status = 200, .has_length = true};
        rig_head(rig, &head);
        rig_expect(rig, "refused bad-size");
        rig_expect(rig, "idle bad-size");
        assert_int_equal(operations(rig), before);
    }
}

/* ---- what is offered ---------------------------------------------------------------------- */

/* B32: a manifest from yesterday, as good as its signature is. */
static void what_is_not_newer_is_not_fetched(void **state)
{
    struct rig *rig = *state;
    boot(rig);
    harmony_offer(rig, 3, 5000, 3);
    harmony_download(rig);
    harmony_install(rig);
    for (uint32_t version = 1; version <= 3; version++) {
        harmony_new_story(rig);
        harmony_offer(rig, version, 5000, (uint8_t)version);
        harmony_check(rig);
        rig_expect(rig, version == 3 ? "idle no-update" : "idle old-version");
        assert_int_equal(rig_count(rig, "> get fw"), 0);
    }
}

static void nobodys_word_is_refused_before_the_download(void **state)
{
    struct rig *rig = *state;
    char manifest[1024];
    boot(rig);
    harmony_manifest_at(rig, HARMONY_URL, "", manifest);
    harmony_check_with(rig, manifest);
    rig_expect(rig, "refused no-signature");
    rig_expect(rig, "idle no-signature");
    rig->verdict = OTA_E_IMG_SIGNATURE;
    harmony_check(rig);
    rig_expect(rig, "refused bad-signature");
    rig->verdict = 0;
    assert_int_equal(rig_count(rig, "> get fw"), 0);
    harmony_download(rig);
    harmony_install(rig);
}

static void without_keys_no_signature_is_asked_for(void **state)
{
    struct rig *rig = *state;
    char manifest[1024];
    rig->config.key_count = 0;
    harmony_stored.config.key_count = 0;
    harmony_loader.key_count = 0;
    boot(rig);
    harmony_manifest_at(rig, HARMONY_URL, "", manifest);
    harmony_check_with(rig, manifest);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    harmony_install(rig);
}

/* B5, B9, B15, B30: whatever was wrong once, the next one is as good as the first. */
static void after_a_bad_one_a_good_one_is_taken(void **state)
{
    static char longest[HARMONY_TEXT + 2];
    static const struct {
        const char *manifest; /* NULL: the longest */
        const char *outcome;
    } rows[] = {
        {"{\"ota\": [{\"Version\": 2, \"URL\": \"ftp://h/v2.bin\"}]}", "idle unsupported"},
        {"{\"ota\": [{\"Version\": 2, \"URL\": 1}]}", "idle bad-job"},
        {"{\"ota\": [{\"Version\": -1}]}", "idle bad-job"},
        {"{\"ota\": ", "idle bad-json"},
        {"{\"ota\": []}", "idle no-update"},
        {NULL, "idle bad-json"},
    };
    struct rig *rig = *state;
    memset(longest, ' ', HARMONY_TEXT + 1);
    boot(rig);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_event(rig, OTA_EVENT_CHECK, 0);
        const char *text = rows[i].manifest != NULL ? rows[i].manifest : longest;
        const struct http_head head = {.status = 200}; /* chunked: how long it is, nobody says */
        rig_head(rig, &head);
        rig_body(rig, text, strlen(text));
        if (rig->requested)
            rig_done(rig, 0);
        rig_expect(rig, rows[i].outcome);
        assert_int_not_equal(rig->armed, RIG_NO_TIMER); /* B28: it comes again */
    }
    assert_int_equal(rig_count(rig, "job"), 0);
    harmony_download(rig);
    harmony_install(rig);
}

/* The longest that there is room for. */
static void a_manifest_of_4096_bytes_is_read(void **state)
{
    static char text[HARMONY_TEXT + 1];
    struct rig *rig = *state;
    char manifest[1024];
    harmony_manifest(rig, manifest);
    memset(text, ' ', HARMONY_TEXT);
    memcpy(text + HARMONY_TEXT - strlen(manifest), manifest, strlen(manifest));
    boot(rig);
    harmony_check_with(rig, text);
    rig_expect(rig, "job 2.0.0");
}

static void a_corrupt_image_is_refused_and_the_right_one_taken(void **state)
{
    struct rig *rig = *state;
    char manifest[1024];
    harmony_manifest(rig, manifest);
    boot(rig);
    harmony_check_with(rig, manifest);
    rig->image[5000] ^= 1;
    rig_serve_all(rig);
    rig_expect(rig, "state verify");
    rig_expect(rig, "refused bad-hash");
    rig_expect(rig, "idle bad-hash");
    assert_int_equal(harmony_status(2), IMG_ROW_FREE);
    rig->image[5000] ^= 1;
    harmony_download(rig);
    harmony_install(rig);
}

/* ---- the places --------------------------------------------------------------------------- */

static void erase(struct rig *rig, uint32_t version, const char *outcome)
{
    char manifest[200];
    harmony_new_story(rig);
    snprintf(manifest, sizeof manifest, "{\"ota\": [{\"Version\": %u, \"EraseVer\": true}]}",
             version);
    harmony_check_with(rig, manifest);
    rig_expect(rig, outcome);
    rig_expect(rig, "idle no-update");
    assert_int_not_equal(rig->armed, RIG_NO_TIMER);
}

/* EraseVer: never what runs nor what there is to go back to; and it is of its manifest only (B8).
 */
static void a_version_is_forgotten_when_nobody_needs_it(void **state)
{
    struct rig *rig = *state;
    boot(rig);
    for (uint32_t version = 2; version <= 3; version++) {
        harmony_offer(rig, version, 5000, (uint8_t)version);
        harmony_download(rig);
        harmony_install(rig);
    }
    erase(rig, 3, "erased busy");
    erase(rig, 7, "erased no-image");
    assert_int_equal(harmony_status(2), IMG_ROW_VALID);
    erase(rig, 2, "erased ok");
    assert_int_equal(harmony_status(2), IMG_ROW_FREE);
    assert_int_equal(harmony_status(3), IMG_ROW_VALID);
    harmony_offer(rig, 4, 5000, 4);
    harmony_download(rig);
    harmony_install(rig);
}

/* B6: more versions than places, each boots; what makes room is the oldest. */
static void updates_follow_each_other(void **state)
{
    struct rig *rig = *state;
    boot(rig);
    for (uint32_t version = 2; version <= 8; version++) {
        harmony_offer(rig, version, 5000 + version, (uint8_t)version);
        harmony_download(rig);
        harmony_install(rig);
    }
    assert_int_equal(harmony_status(5), IMG_ROW_FREE);
    assert_int_equal(harmony_status(6), IMG_ROW_VALID);
}

/* B30: files have names, and nobody is led by them. */
static void two_versions_may_have_one_name(void **state)
{
    struct rig *rig = *state;
    char manifest[1024];
    boot(rig);
    harmony_download(rig);
    harmony_install(rig);
    harmony_offer(rig, 3, 9800, 3);
    harmony_manifest(rig, manifest); /* at the address of v2 */
    harmony_check_with(rig, manifest);
    rig->image[100] ^= 1;
    rig_serve_all(rig);
    rig_expect(rig, "idle bad-hash");
    assert_int_equal(harmony_status(2), IMG_ROW_VALID);
    assert_int_equal(harmony_power_on(rig), 2);
}

/* ---- power -------------------------------------------------------------------------------- */

/* On, and one chunk of v2 is in flash. */
static void boot_to_first_chunk(struct rig *rig)
{
    boot(rig);
    harmony_check(rig);
    rig_serve(rig);
    rig_erase(rig);
    rig_expect(rig, "progress 4096 9800");
}

static void rest_installs(struct rig *rig)
{
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    harmony_install(rig);
}

static void a_reset_goes_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    boot_to_first_chunk(rig);
    assert_int_equal(harmony_power_on(rig), 1);
    boot(rig);
    harmony_check(rig);
    rig_expect(rig, "progress 4096 9800");
    rig_erase(rig);
    rig_expect(rig, "> get fw.example.com:8000/v2.bin 4096-9799 if \"one\"");
    rest_installs(rig);
}

/* Of one version, at one address, and of one size: the digest says that it is another. */
static void another_build_begins_anew(void **state)
{
    struct rig *rig = *state;
    rig->etag = "";
    boot_to_first_chunk(rig);
    harmony_offer(rig, 2, 9800, 77);
    boot(rig);
    harmony_check(rig);
    rig_expect(rig, "> get fw.example.com:8000/v2.bin 0-4095");
    rest_installs(rig);
}

/* The link expires, and a new manifest says `url`. */
static void renew(struct rig *rig, const char *url)
{
    char manifest[1024];
    rig_status(rig, 403);
    rig_timer(rig);
    rig_expect(rig, "> get /ota.json 0-");
    harmony_manifest_at(rig, url, HARMONY_SIGNED, manifest);
    rig_serve_text(rig, manifest);
}

/* Links may live for minutes: the manifest says where the rest is. */
static void a_link_that_expires_is_asked_for_anew(void **state)
{
    struct rig *rig = *state;
    boot_to_first_chunk(rig);
    renew(rig, "http://cdn.example.com/v2.bin?token=2");
    rig_expect(rig, "> get cdn.example.com:80/v2.bin?token=2 4096-9799 if \"one\"");
    rest_installs(rig);
}

static void another_build_behind_a_new_link_begins_anew(void **state)
{
    struct rig *rig = *state;
    rig->etag = "";
    boot_to_first_chunk(rig);
    harmony_offer(rig, 2, 9800, 77);
    renew(rig, HARMONY_URL);
    rig_expect(rig, "> get fw.example.com:8000/v2.bin 0-4095");
    rest_installs(rig);
}

/* From a cut on, v2 is there and confirmed after some boots, and nothing was refused on the way. */
static void ends_well(struct rig *rig, const char *manifest)
{
    for (unsigned boots = 0; boots < 4; boots++) {
        harmony_new_story(rig);
        harmony_power_on(rig);
        harmony_live(rig, manifest);
        assert_int_equal(rig_count(rig, "refused"), 0);
    }
    assert_int_equal(harmony_status(2), IMG_ROW_VALID);
    assert_int_equal(rig->agent.speaker.running.major, 2);
    rig_expect(rig, "idle no-update");
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

/* One session with operation `at` cut; `trial`: that of the new image. Fills `cuts`, unless it is
 * NULL, with all ways to cut it. False: there is no such operation. */
static bool cut_once(bool trial, uint32_t at, enum flash_tear tear, enum flash_tear *cuts)
{
    char manifest[1024];
    struct rig *rig = harmony_rig_new();
    harmony_manifest(rig, manifest);
    if (trial) {
        harmony_live(rig, manifest);
        assert_int_equal(harmony_power_on(rig), 2);
    }
    bool reached = harmony_live_to_cut(rig, manifest, at, tear, cuts);
    ends_well(rig, manifest);
    rig_free(rig);
    return reached;
}

static uint32_t sweep(bool trial)
{
    uint32_t at = 0;
    enum flash_tear cuts[FLASH_TEAR_COUNT];
    while (cut_once(trial, at, FLASH_TEAR_AFTER, cuts)) {
        for (size_t i = 0; cuts[i] != FLASH_TEAR_AFTER; i++)
            assert_true(cut_once(trial, at, cuts[i], NULL));
        at++;
    }
    return at;
}

/* B2, B24: any operation of the agent, cut in any way. */
static void any_cut_ends_well(void **state)
{
    (void)state;
    assert_true(sweep(false) > 60);
    assert_true(sweep(true) > 3);
}

/* ---- trial -------------------------------------------------------------------------------- */

/* An image that reaches nobody gives way, and after its second time it is not tried again. */
static void an_image_that_reaches_nobody_is_not_kept(void **state)
{
    struct rig *rig = *state;
    for (unsigned times = 1; times <= 2; times++) {
        boot(rig);
        harmony_download(rig);
        for (unsigned starts = 0; starts < HARMONY_ATTEMPTS; starts++) {
            assert_int_equal(harmony_power_on(rig), 2);
            boot(rig);
            for (int i = 0; i < 20 && rig->agent.state != OTA_STATE_RESET; i++)
                if (rig->requested)
                    rig_done(rig, OTA_E_CONNECT);
                else
                    rig_timer(rig);
            rig_expect(rig, "> reset");
        }
        assert_int_equal(harmony_power_on(rig), 1);
        assert_int_equal(harmony_status(2), IMG_ROW_DISABLED);
    }
    boot(rig);
    harmony_check(rig);
    rig_expect(rig, "refused rejected");
    harmony_offer(rig, 3, 5000, 3);
    harmony_download(rig);
    harmony_install(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(updates, set_up, tear_down),
        cmocka_unit_test(any_size_that_fits_installs),
        cmocka_unit_test_setup_teardown(what_does_not_fit_erases_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_newer_is_not_fetched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobodys_word_is_refused_before_the_download, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_keys_no_signature_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_bad_one_a_good_one_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_of_4096_bytes_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_corrupt_image_is_refused_and_the_right_one_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_version_is_forgotten_when_nobody_needs_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(updates_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_versions_may_have_one_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_build_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_that_expires_is_asked_for_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_build_behind_a_new_link_begins_anew, set_up,
                                        tear_down),
        cmocka_unit_test(any_cut_ends_well),
        cmocka_unit_test_setup_teardown(an_image_that_reaches_nobody_is_not_kept, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
