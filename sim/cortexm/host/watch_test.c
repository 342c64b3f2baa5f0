#include "sim/cortexm/host/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct sim_device device_of(uint32_t size)
{
    struct sim_device device = {.loader = {0, 0x8000}, .chip_count = 1};
    device.chips[0].part.size = size;
    strcpy(device.chips[0].part.name, "w25q128");
    return device;
}

static void words_say_it_all(void **state)
{
    const struct sim_device device = device_of(0x100000);
    const struct cortexm_watch watch = {.plugin = "/p.so",
                                        .flash = "/a,b",
                                        .parts_dir = "/parts",
                                        .device = &device,
                                        .journal = "/j",
                                        .rings = true,
                                        .is_cut = true,
                                        .cut_operation = 17,
                                        .cut_tear = FLASH_TEAR_HALF,
                                        .is_fail = true,
                                        .fail_operation = 4,
                                        .failure = FLASH_FAIL_SILENT};
    char words[CORTEXM_WATCH_SIZE];
    (void)state;
    assert_int_equal(cortexm_watch_words(&watch, words), OTA_OK);
    assert_string_equal(words, "/p.so,flash=/a,,b,parts=/parts,part=w25q128:0x100000,"
                               "fixed=0x0:0x8000,doorbell=0x200ffff0,marks=0xfff000,journal=/j,"
                               "cut=op:17:half,fail=4:silent,events=/dev/stdout");
}

/* Nobody rings, and there is no room for marks. */
static void words_leave_out_what_is_not_there(void **state)
{
    const struct sim_device device = device_of(0x1000000);
    struct cortexm_watch watch = {
        .plugin = "/p.so", .flash = "/f", .parts_dir = "/parts", .device = &device};
    char words[CORTEXM_WATCH_SIZE];
    (void)state;
    assert_int_equal(cortexm_watch_words(&watch, words), OTA_OK);
    assert_string_equal(words, "/p.so,flash=/f,parts=/parts,part=w25q128:0x1000000,"
                               "fixed=0x0:0x8000,events=/dev/stdout");
    watch.rings = true;
    assert_int_equal(cortexm_watch_words(&watch, words), OTA_OK);
    assert_null(strstr(words, "marks"));
}

static void words_have_an_end(void **state)
{
    const struct sim_device device = device_of(0x100000);
    char path[CORTEXM_WATCH_SIZE];
    char words[CORTEXM_WATCH_SIZE];
    const struct cortexm_watch watch = {
        .plugin = path, .flash = "/f", .parts_dir = "/parts", .device = &device};
    (void)state;
    memset(path, 'x', sizeof path);
    path[sizeof path - 20] = '\0';
    assert_int_equal(cortexm_watch_words(&watch, words), OTA_E_NO_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_say_it_all),
        cmocka_unit_test(words_leave_out_what_is_not_there),
        cmocka_unit_test(words_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
