/* Sessions that fetch a patch in place of the image: when they do, what comes of it, and what a bad
 * one costs. */
#include "agent/update/patched.h"

#include "agent/update/harmony_rig.h"

#define BASE     9000u
#define INSERTED 6000u
#define TARGET   (4000u + INSERTED + 3u * BASE)

static struct ota_patched patched;
static uint8_t target[TARGET];
static uint8_t patch[INSERTED + 64u];
static uint32_t patch_size;

static void put(const char *bytes, uint32_t size)
{
    memcpy(patch + patch_size, bytes, size);
    patch_size += size;
}

/* v2: a part of v1, something new, and v1 three times. */
static void make(const struct rig *rig)
{
    uint32_t at = 4000 + INSERTED;
    patch_size = 0;
    memcpy(target, rig->image, 4000);
    put("\xA7\xA3\xFD\x0F\xA0\xA7\xA5", 7);
    for (uint32_t i = 0; i < INSERTED; i++)
        target[4000 + i] = patch[patch_size++] = (uint8_t)(i * 3 % 160);
    put("\xA7\xA2\xFD\x0F\xA0", 5);
    for (int i = 0; i < 3; i++, at += BASE) {
        memcpy(target + at, rig->image, BASE);
        put("\xA7\xA3\xFD\x23\x28", 5);
        if (i < 2)
            put("\xA7\xA2\xFD\x23\x28", 5);
    }
}

/* What the server has from now on. */
static void serve(struct rig *rig, const uint8_t *bytes, uint32_t size)
{
    memcpy(rig->image, bytes, size);
    rig->image_size = size;
}

static void hex_of(const uint8_t *bytes, uint32_t size, char out[65])
{
    uint8_t digest[32];
    SHA256(bytes, size, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

struct digests {
    uint32_t version;
    uint32_t base_version;
    char base[65];
    char patch[65];
    char target[65]; /* of the patch, and … */
    char image[65];  /* … of the image */
};

static void manifest_of(const struct digests *digests, char out[1500])
{
    snprintf(out, 1500,
             "{\"ota\": [{\"Version\": %u, \"URL\": \"%s\", \"Digest\": \"%s\"%s, \"Patch\": ["
             "{\"BaseVersion\": %u, \"BaseVerDigest\": \"%s\", "
             "\"PatchURL\": \"http://fw.example.com:8000/p.patch\", \"PatchDigest\": \"%s\", "
             "\"TargetDigest\": \"%s\"}]}]}",
             digests->version, HARMONY_URL, digests->image, HARMONY_SIGNED, digests->base_version,
             digests->base, digests->patch, digests->target);
}

/* The server has a patch from that version, made from `seed`, to another one. */
static void offer(struct rig *rig, struct digests *digests, uint32_t base, uint8_t seed,
                  uint32_t version)
{
    digests->base_version = base;
    digests->version = version;
    harmony_offer(rig, base, BASE, seed);
    make(rig);
    hex_of(rig->image, BASE, digests->base);
    hex_of(patch, patch_size, digests->patch);
    hex_of(target, TARGET, digests->target);
    hex_of(target, TARGET, digests->image);
    rig->image_version = img_harmony_version(version);
    serve(rig, patch, patch_size);
}

/* As RAM is after a reset. */
static void forget(void)
{
    memset(&patched, 0, sizeof patched);
    patched.calls = &ota_patches;
}

static struct rig *begin(struct digests *digests)
{
    struct rig *rig = harmony_rig_new();
    offer(rig, digests, 1, 1, 2);
    forget();
    harmony_stored.patched = &patched;
    return rig;
}

static void end(struct rig *rig)
{
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
    harmony_stored.patched = NULL;
    rig_free(rig);
}

static void boot(struct rig *rig)
{
    harmony_new_story(rig);
    rig_boot(rig);
}

static void check(struct rig *rig, const struct digests *digests)
{
    char manifest[1500];
    manifest_of(digests, manifest);
    harmony_check_with(rig, manifest);
}

/* All pieces of an image. */
static void make_image(struct rig *rig)
{
    for (int i = 0; i < 200 && rig->agent.state == OTA_STATE_VERIFY; i++)
        rig_timer(rig);
}

/* v2 runs and is the right one. */
static void installs(struct rig *rig)
{
    static uint8_t bytes[TARGET];
    harmony_install(rig);
    assert_int_equal(harmony_status(rig->image_version.major), IMG_ROW_VALID);
    assert_int_equal(flash_sim_peek(rig->sim, 0, bytes, TARGET), 0);
    assert_memory_equal(bytes, target, TARGET);
}

static void whole_image_follows(struct rig *rig)
{
    rig_expect(rig, "> get fw.example.com:8000/v2.bin 0-4095");
    serve(rig, target, TARGET);
    rig_serve_all(rig);
    rig_expect(rig, "pending ");
    installs(rig);
}

/* ---- when, and when not -------------------------------------------------------------------- */

static void a_patch_installs(void **state)
{
    struct digests digests;
    struct rig *rig = begin(&digests);
    (void)state;
    boot(rig);
    check(rig, &digests);
    rig_expect(rig, "> get fw.example.com:8000/p.patch 0-4095");
    rig_serve_all(rig);
    make_image(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "> reset");
    assert_int_equal(rig_count(rig, "> get fw.example.com:8000/v2.bin"), 0);
    installs(rig);
    end(rig);
}

/* The first byte of a digest is another: of the base, or of what comes out of it. */
static void what_is_no_way_to_the_image_is_not_taken(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct digests digests;
        struct rig *rig = begin(&digests);
        char *digest = i == 0 ? digests.base : digests.target;
        digest[0] = digest[0] == '0' ? '1' : '0';
        if (i == 2) { /* a device that takes none */
            digest[0] = digests.image[0];
            harmony_stored.patched = NULL;
        }
        boot(rig);
        check(rig, &digests);
        whole_image_follows(rig);
        assert_int_equal(rig_count(rig, "> get fw.example.com:8000/p.patch"), 0);
        end(rig);
    }
}

/* In a full store the oldest image makes room: it is no base then, and the next one is. */
static void what_makes_room_is_no_base(void **state)
{
    (void)state;
    for (uint32_t base = 2; base <= 3; base++) {
        struct digests digests;
        struct rig *rig = begin(&digests);
        harmony_stored.patched = NULL;
        rig_boot(rig);
        for (uint32_t version = 2; version <= 4; version++) {
            harmony_offer(rig, version, BASE, (uint8_t)version);
            harmony_download(rig);
            harmony_install(rig);
        }
        harmony_stored.patched = &patched;
        offer(rig, &digests, base, (uint8_t)base, 5);
        boot(rig);
        check(rig, &digests);
        if (base == 2) {
            whole_image_follows(rig);
        } else {
            rig_expect(rig, "> get fw.example.com:8000/p.patch 0-4095");
            rig_serve_all(rig);
            make_image(rig);
            rig_expect(rig, "pending 5.0.0");
            installs(rig);
        }
        assert_int_equal(harmony_status(2), IMG_ROW_FREE);
        assert_int_equal(harmony_status(3), IMG_ROW_VALID);
        end(rig);
    }
}

/* ---- what is wrong with it ----------------------------------------------------------------- */

/* Fetches it, finds that out, asks for the manifest anew and takes the image. */
static void is_refused(struct rig *rig, const struct digests *digests, const char *fault)
{
    char manifest[1500];
    manifest_of(digests, manifest);
    boot(rig);
    check(rig, digests);
    rig_expect(rig, "> get fw.example.com:8000/p.patch 0-");
    rig_serve_all(rig);
    make_image(rig);
    rig_expect(rig, "state verify");
    assert_non_null(patched.apply.fault);
    assert_string_equal(patched.apply.fault, fault);
    rig_expect(rig, "> get /ota.json 0-");
    assert_int_equal(harmony_status(2), IMG_ROW_FREE);
    rig_serve_text(rig, manifest);
    whole_image_follows(rig);
    assert_int_equal(rig_count(rig, "refused"), 0);
    end(rig);
}

static void a_patch_that_is_bad_is_left_and_the_image_taken(void **state)
{
    struct digests digests;
    struct rig *rig = begin(&digests);
    (void)state;
    rig->image[50] ^= 1; /* on its way */
    is_refused(rig, &digests, "patch is not what was promised");

    rig = begin(&digests);
    patch[1] = 0xA2;
    hex_of(patch, patch_size, digests.patch);
    serve(rig, patch, patch_size);
    is_refused(rig, &digests, "goes back before the source's beginning");

    rig = begin(&digests);
    patch[50] ^= 1;
    hex_of(patch, patch_size, digests.patch);
    serve(rig, patch, patch_size);
    is_refused(rig, &digests, "new image is not what was promised");

    rig = begin(&digests);
    hex_of((const uint8_t *)"zzzz", 4, digests.patch);
    serve(rig, (const uint8_t *)"zzzz", 4);
    is_refused(rig, &digests, "patch of jojodiff 0.8.4 or later");
}

/* It is not there, or there is nothing in it: three sessions, then the image. */
static void a_patch_that_does_not_come_is_left_after_three_sessions(void **state)
{
    struct digests digests;
    struct rig *rig = begin(&digests);
    const struct http_head nothing = {.status = 200, .has_length = true};
    (void)state;
    boot(rig);
    for (int i = 0; i < 3; i++) {
        check(rig, &digests);
        rig_expect(rig, "> get fw.example.com:8000/p.patch 0-");
        rig_head(rig, &nothing);
        rig_expect(rig, "idle bad-size");
    }
    check(rig, &digests);
    whole_image_follows(rig);
    end(rig);
}

/* Patch and image share a place: of what does not fit nothing is erased … */
static void a_patch_as_large_as_the_place_is_left(void **state)
{
    static const uint32_t sizes[] = {RIG_SLOT, RIG_SLOT - 1, RIG_SLOT - 2 * HARMONY_SECTOR};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char manifest[1500];
        struct digests digests;
        struct rig *rig = begin(&digests);
        rig->image_size = sizes[i];
        boot(rig);
        check(rig, &digests);
        uint32_t before = flash_sim_op_count(rig->sim);
        rig_serve(rig);
        rig_expect(rig, "> get /ota.json 0-");
        assert_int_equal(flash_sim_op_count(rig->sim), before);
        manifest_of(&digests, manifest);
        rig_serve_text(rig, manifest);
        whole_image_follows(rig);
        end(rig);
    }
}

/* … and of an image that reaches the patch nothing is stored. */
static void an_image_that_reaches_the_patch_is_left(void **state)
{
    struct digests digests;
    struct rig *rig = begin(&digests);
    (void)state;
    patch_size = 0;
    put("\xA7\xA3\xFD\x23\x28", 5);
    for (int i = 0; i < 6; i++)
        put("\xA7\xA2\xFD\x23\x28\xA7\xA3\xFD\x23\x28", 10);
    hex_of(patch, patch_size, digests.patch);
    serve(rig, patch, patch_size);
    is_refused(rig, &digests, "makes more bytes than fit");
}

/* ---- power --------------------------------------------------------------------------------- */

static void a_reset_goes_on_where_it_was(void **state)
{
    struct digests digests;
    struct rig *rig = begin(&digests);
    (void)state;
    boot(rig);
    check(rig, &digests);
    rig_serve_all(rig);
    for (int i = 0; i < 200 && patched.apply.pointed < 32768; i++)
        rig_timer(rig);
    assert_int_equal(patched.apply.pointed, 32768);
    forget();
    assert_int_equal(harmony_power_on(rig), 1);
    boot(rig);
    check(rig, &digests);
    rig_erase(rig);
    assert_int_equal(rig_count(rig, "> get fw"), 0);
    rig_timer(rig);
    assert_int_equal(patched.apply.written, 32768);
    make_image(rig);
    rig_expect(rig, "pending 2.0.0");
    installs(rig);
    end(rig);
}

/* A session with operation `at` cut; after some boots v2 runs, made of the patch, and nothing was
 * refused on the way. False: there is no such operation. */
static bool cut_once(uint32_t at, enum flash_tear tear, enum flash_tear *cuts)
{
    char manifest[1500];
    struct digests digests;
    struct rig *rig = begin(&digests);
    manifest_of(&digests, manifest);
    bool reached = harmony_live_to_cut(rig, manifest, at, tear, cuts);
    for (unsigned boots = 0; boots < 4; boots++) {
        harmony_new_story(rig);
        harmony_power_on(rig);
        forget();
        harmony_live(rig, manifest);
        assert_int_equal(rig_count(rig, "refused"), 0);
        assert_int_equal(rig_count(rig, "> get fw.example.com:8000/v2.bin"), 0);
    }
    assert_int_equal(harmony_status(2), IMG_ROW_VALID);
    rig_expect(rig, "idle no-update");
    end(rig);
    return reached;
}

static void any_cut_ends_well(void **state)
{
    enum flash_tear cuts[FLASH_TEAR_COUNT];
    uint32_t at = 0;
    (void)state;
    while (cut_once(at, FLASH_TEAR_AFTER, cuts)) {
        for (size_t i = 0; cuts[i] != FLASH_TEAR_AFTER; i++)
            assert_true(cut_once(at, cuts[i], NULL));
        at++;
    }
    assert_true(at > 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_installs),
        cmocka_unit_test(what_is_no_way_to_the_image_is_not_taken),
        cmocka_unit_test(what_makes_room_is_no_base),
        cmocka_unit_test(a_patch_that_is_bad_is_left_and_the_image_taken),
        cmocka_unit_test(a_patch_that_does_not_come_is_left_after_three_sessions),
        cmocka_unit_test(a_patch_as_large_as_the_place_is_left),
        cmocka_unit_test(an_image_that_reaches_the_patch_is_left),
        cmocka_unit_test(a_reset_goes_on_where_it_was),
        cmocka_unit_test(any_cut_ends_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
