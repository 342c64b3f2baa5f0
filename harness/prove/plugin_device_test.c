/* The device file of a plugin: what it says, what is refused and where, and the flash it makes. */
#include "harness/prove/plugin_device.h"
#include "harness/prove/plugin_rig.h"

#define HEAD                                                                                       \
    "part nrf52840 32K\n"                                                                          \
    "area slot0 nrf52840 0x1000 0x2000\n"                                                          \
    "area slot1 nrf52840 0x3000 0x2000\n"

static struct nb_plugin_device device;
static struct flash_text_error error;

static int parse(const char *text)
{
    return nb_plugin_device_parse(text, strlen(text), "dir/t.device", nb_parts_dir(), &device,
                                  &error);
}

static void test_cases(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD "old 100 # v1\nnew a.bin\nput slot0+0x20 old\n"
                                "case up\nput slot1 new\nrests new\n"
                                "case plain\nold 200\nput slot1+4 hex:00fF\n"),
                     0);
    assert_int_equal(device.case_count, 2);
    const struct nb_plugin_case *up = nb_plugin_case_find(&device, "up");
    const struct nb_plugin_case *plain = nb_plugin_case_find(&device, "plain");
    assert_null(nb_plugin_case_find(&device, "other"));
    assert_int_equal(up->old.size, 100);
    assert_string_equal(up->new.file, "dir/a.bin");
    assert_int_equal(up->rests, NB_RUNS_NEW);
    assert_int_equal(up->put_count, 2);
    assert_int_equal(up->puts[0].offset, 0x20);
    assert_int_equal(up->puts[1].content, NB_PUT_NEW);
    assert_int_equal(plain->old.size, 200);
    assert_int_equal(plain->rests, NB_RUNS_OLD | NB_RUNS_NEW);
    assert_int_equal(plain->put_count, 2);
    assert_int_equal(plain->puts[1].size, 2);
    assert_int_equal(plain->puts[1].bytes[1], 0xFF);
    assert_int_equal(plain->puts[1].offset, 4);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        unsigned column;
        const char *message;
    } rows[] = {
        {"", 0, 0, "no 'part'"},
        {"part nrf52840\n", 0, 0, "no 'area'"},
        {"part nrf52840\narea a nrf52840 0 0x1000 read-only\n", 0, 0, "no 'area' that may be"},
        {HEAD, 0, 0, "no image lies anywhere"},
        {HEAD "case x\n", 4, 1, "no image lies anywhere in case x"},
        {HEAD "put slot0 old\n", 4, 1, "does not say what 'old' is"},
        {HEAD "put slot2 old\n", 4, 5, "no area 'slot2'"},
        {HEAD "put slot0+ old\n", 4, 5, "offset"},
        {HEAD "put slot0+z old\n", 4, 11, "not a number"},
        {HEAD "put slot0 hex:1\n", 4, 11, "two digits"},
        {HEAD "put slot0 hex:1g\n", 4, 11, "'1g' is not a byte"},
        {HEAD "put slot0\n", 4, 10, "expected: put AREA"},
        {HEAD "old 15\n", 4, 5, "at least 16"},
        {HEAD "rests both\n", 4, 7, "old|new"},
        {HEAD "case a/b\n", 4, 6, "letters"},
        {HEAD "case a\ncase a\n", 5, 6, "already"},
        {HEAD "area slot0 nrf52840 0 0x1000\n", 4, 6, "already"},
        {HEAD "area x nrf52840 0x2000 0x1000\n", 4, 17, "overlaps slot0"},
        {HEAD "area x nrf52840 0 0x1000 locked\n", 4, 26, "read-only"},
        {HEAD "area x nrf52840 0x10 0x1000\n", 4, 17, "erase sector"},
        {HEAD "area x w25q128 0 0x1000\n", 4, 8, "no part"},
        {HEAD "slot slot0\n", 4, 1, "expected part, area"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int err = parse(rows[i].text);
        if (err != OTA_E_ARGUMENT || error.line != rows[i].line || error.column != rows[i].column ||
            strstr(error.message, rows[i].message) == NULL)
            fail_msg("%s\n%d at %u:%u: %s", rows[i].text, err, error.line, error.column,
                     error.message);
    }
}

static int make(struct flash_sim **sim, struct nb_plugin_image *old, struct nb_plugin_image *new)
{
    return nb_plugin_case_make(&device, &device.cases[0], sim, old, new, &error);
}

static void test_made_up(void **state)
{
    /* By zlib: crc32 of the first 12 bytes, "NBIM", 16 and 1. */
    static const uint8_t least[16] = {'N', 'B', 'I', 'M', 16,   0,    0,    0,
                                      1,   0,   0,   0,   0xDB, 0x9C, 0xD6, 0xA5};
    struct flash_sim *sim;
    struct nb_plugin_image old;
    struct nb_plugin_image new;
    uint8_t bytes[24];
    (void)state;
    assert_int_equal(parse(HEAD "old 16\nnew 17\nput slot0 old\nput slot1+2 hex:0102\n"), 0);
    assert_int_equal(make(&sim, &old, &new), 0);
    assert_int_equal(old.size, 16);
    assert_memory_equal(old.data, least, sizeof least);
    assert_int_equal(new.size, 17);
    assert_int_equal(flash_sim_peek(sim, 0x1000, bytes, sizeof bytes), 0);
    assert_memory_equal(bytes, least, sizeof least);
    assert_int_equal(bytes[16], 0xFF);
    assert_int_equal(flash_sim_peek(sim, 0x3000, bytes, 5), 0);
    assert_memory_equal(bytes, "\xFF\xFF\x01\x02\xFF", 5);
    flash_sim_close(sim);
    free(old.data);
    free(new.data);
}

static void test_files(void **state)
{
    struct flash_sim *sim;
    struct nb_plugin_image old;
    struct nb_plugin_image new;
    char text[RIG_PATH];
    char path[RIG_PATH];
    uint8_t bytes[8];
    (void)state;
    rig_write("v1.bin", "v1 is here", path);
    rig_write("v2.bin", "v2", path);
    rig_write("t.device", HEAD "old v1.bin\nnew v2.bin\nput slot0 old\nput slot1 v2.bin\n", path);
    assert_int_equal(nb_plugin_device_load(path, nb_parts_dir(), &device, &error), 0);
    assert_int_equal(make(&sim, &old, &new), 0);
    assert_int_equal(old.size, 10);
    assert_int_equal(flash_sim_peek(sim, 0x3000, bytes, 3), 0);
    assert_memory_equal(bytes, "v2\xFF", 3);
    flash_sim_close(sim);
    free(old.data);
    free(new.data);
    static const struct {
        const char *text;
        unsigned line;
        const char *message;
    } rows[] = {
        {"old nix.bin\nput slot0 old\n", 4, "No such file"},
        {"old v1.bin\nnew v1.bin\nput slot0 old\n", 5, "the same image"},
        {"old 9000\nput slot0 old\n", 5, "9000 bytes do not fit into area slot0 of 8192"},
        {"old v1.bin\nput slot0+8190 old\n", 5, "do not fit"},
        {"old 40000\nput slot0 old\n", 4, "larger than the flash"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, HEAD "%s", rows[i].text);
        rig_write("t.device", text, path);
        assert_int_equal(nb_plugin_device_load(path, nb_parts_dir(), &device, &error), 0);
        assert_int_equal(make(&sim, &old, &new), OTA_E_ARGUMENT);
        assert_null(sim);
        if (error.line != rows[i].line || strstr(error.message, rows[i].message) == NULL)
            fail_msg("%s: line %u: %s", rows[i].text, error.line, error.message);
    }
    assert_int_equal(nb_plugin_device_load("nix.device", nb_parts_dir(), &device, &error),
                     OTA_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_made_up),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
