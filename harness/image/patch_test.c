/* What the encoder makes: the patches of jojodiff 0.7 where there is one way, and for anything else
 * what the decoder of the device makes the target of. */
#include "agent/delta/jojodiff_vectors_rig.h"
#include "harness/image/patch.h"

static void check_round_trip(struct nb_bytes from, struct nb_bytes to)
{
    uint8_t *patch = NULL, *again = NULL;
    size_t patch_size = 0, size = 0;
    const char *fault = NULL;
    assert_int_equal(nb_jojodiff_make(from, to, &patch, &patch_size), OTA_OK);
    assert_true(patch_size <= 2 * to.size + 8);
    const struct nb_bytes made = {patch, patch_size};
    assert_int_equal(nb_jojodiff_apply(from, made, to.size, &again, &size, &fault), OTA_OK);
    assert_null(fault);
    assert_int_equal(size, to.size);
    assert_memory_equal(again, to.data, size);
    free(again);
    free(patch);
}

static void make_hex(struct nb_bytes target, char *text, size_t room)
{
    uint8_t *patch = NULL;
    size_t size = 0;
    assert_int_equal(nb_jojodiff_make((struct nb_bytes){source, SOURCE}, target, &patch, &size),
                     OTA_OK);
    assert_true(2 * size < room);
    text[0] = '\0';
    for (size_t i = 0; i < size; i++)
        sprintf(text + 2 * i, "%02x", patch[i]);
    free(patch);
}

/* Made by jojodiff 0.7 for the same changes. */
static void the_patches_of_jojodiff_07(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t target[SOURCE + 16], expected[64];
        char text[100], expected_text[130];
        uint32_t size = apply_edit(&vectors[i].edit, target);
        size_t length = from_hex(vectors[i].patch, expected);
        for (size_t at = 0; at < length; at++)
            sprintf(expected_text + 2 * at, "%02x", expected[at]);
        make_hex((struct nb_bytes){target, size}, text, sizeof text);
        assert_string_equal(text, expected_text);
    }
}

static void halves_that_change_places(void **state)
{
    uint8_t target[SOURCE];
    char text[100];
    (void)state;
    memcpy(target, source + 512, 512);
    memcpy(target + 512, source, 512);
    make_hex((struct nb_bytes){target, SOURCE}, text, sizeof text);
    assert_string_equal(text, "a7a4fd0200a7a3fd0200a7a2fd0400a7a3fd0200");
}

static void nothing_from_nothing(void **state)
{
    const struct nb_bytes nothing = {source, 0}, all = {source, SOURCE}, little = {source, 7};
    (void)state;
    check_round_trip(nothing, nothing);
    check_round_trip(nothing, all);
    check_round_trip(all, nothing);
    check_round_trip(little, all);
    check_round_trip(all, little);
}

static uint32_t choose(uint32_t n)
{
    static uint64_t state = 0x9E3779B97F4A7C15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static void fill(uint8_t *data, size_t size)
{
    bool is_tricky = choose(2) == 0; /* mostly escapes and operators */
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(is_tricky ? 0xA1 + choose(8) : choose(256));
}

/* Pieces of the old image moved about, new bytes between them. */
static void random_pairs(void **state)
{
    static uint8_t from[20000], to[40000];
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        size_t from_size = choose(sizeof from);
        size_t to_size = 0;
        fill(from, from_size);
        for (unsigned pieces = choose(12); pieces > 0; pieces--) {
            size_t at = choose((uint32_t)from_size + 1);
            size_t length = choose((uint32_t)(from_size - at) + 1) / (1 + choose(20));
            if (to_size + length + 64 > sizeof to)
                break;
            memcpy(to + to_size, from + at, length);
            to_size += length;
            length = choose(64);
            fill(to + to_size, length);
            to_size += length;
        }
        check_round_trip((struct nb_bytes){from, from_size}, (struct nb_bytes){to, to_size});
    }
}

/* Code that was moved by an insertion, with a changed byte every 64: the patch stays small. */
static void a_patch_is_small(void **state)
{
    static uint8_t from[100000], to[100100];
    uint8_t *patch = NULL;
    size_t size = 0;
    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)choose(256);
    memcpy(to, from, 5000);
    fill(to + 5000, 100);
    memcpy(to + 5100, from + 5000, sizeof from - 5000);
    for (size_t i = 6000; i < sizeof to; i += 64)
        to[i] ^= 0x10;
    assert_int_equal(nb_jojodiff_make((struct nb_bytes){from, sizeof from},
                                      (struct nb_bytes){to, sizeof to}, &patch, &size),
                     OTA_OK);
    assert_in_range(size, 1, 6 * (sizeof to / 64) + 200);
    free(patch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_patches_of_jojodiff_07), cmocka_unit_test(halves_that_change_places),
        cmocka_unit_test(nothing_from_nothing),       cmocka_unit_test(random_pairs),
        cmocka_unit_test(a_patch_is_small),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
