#include "sim/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A whole device file; tests add, replace or drop single lines. */
static const char *const good[] = {
    "system     anycloud",
    "part       w25q128",
    "loader     w25q128 0x000000 0x010000",
    "primary    w25q128 0x010000 0x0EE000",
    "secondary  w25q128 0x0FE000 0x0EE000",
    "journal    w25q128 0x1EC000 0x002000",
    "scheme     swap-move",
    "align      8",
    "write-size 8",
    "max-sectors 238",
};

#define GOOD_LINES (sizeof good / sizeof good[0])

static const char *parts_dir(void)
{
    static char path[4096];
    const char *data = getenv("NOBRICK_DATA");
    snprintf(path, sizeof path, "%s/parts", data != NULL ? data : "scenarios");
    return path;
}

/* Parses the good file with line `number` (1-based) replaced by `text`; one past the end adds it.
 */
static int parse_with(size_t number, const char *text, struct sim_device *device,
                      struct flash_text_error *error)
{
    char all[4096] = "";
    for (size_t i = 1; i <= GOOD_LINES + 1; i++) {
        const char *line = i == number ? text : i <= GOOD_LINES ? good[i - 1] : "";
        strcat(all, line);
        strcat(all, "\n");
    }
    return sim_device_parse(all, strlen(all), "test", parts_dir(), device, error);
}

static void good_file(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    int result = parse_with(GOOD_LINES + 1, "  # nothing more", &device, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, OTA_OK);
    assert_string_equal(device.name, "test");
    assert_string_equal(device.system, "anycloud");
    assert_int_equal(device.primary.address, 0x10000);
    assert_int_equal(device.secondary.address, 0xFE000);
    assert_int_equal(device.secondary.size, 238 * 4096);
    assert_int_equal(device.progress.size, 0);
    assert_ptr_equal(device.scheme, &boot_swap_move);
    assert_int_equal(device.format.max_sectors, 238);
    assert_string_equal(device.manufacturer, "Express Widgits Corporation");
    assert_string_equal(device.board, "CY8CPROTO_062_4343W");
    assert_true(device.validate_primary);
    assert_true(device.refuse_older_version);
    assert_false(device.use_counter);
    sim_device_free(&device);
}

static void other_keys(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    int result = parse_with(1,
                            "system anycloud\nvalidate-primary no\nrefuse-older no\r\n"
                            "security-counter yes\nheader "
                            "0x400\nboard APP_KIT # why\n"
                            "product Easy  Widgit #2  \ntopic-prefix my/anycloud\nwatchdog-ms 2K",
                            &device, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, OTA_OK);
    assert_false(device.validate_primary);
    assert_false(device.refuse_older_version);
    assert_true(device.use_counter);
    assert_int_equal(device.header_size, 0x400);
    assert_string_equal(device.board, "APP_KIT");
    assert_string_equal(device.product, "Easy  Widgit");
    assert_string_equal(device.topic_prefix, "my/anycloud");
    assert_int_equal(device.watchdog_ms, 2048);
}

static void somebody_elses_firmware(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    int result = parse_with(
        1, "system anycloud\nloader-elf boot/loader.elf\nimage 1 one.bin\nimage 2 /two.bin",
        &device, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, OTA_OK);
    assert_non_null(device.foreign);
    assert_string_equal(device.foreign->loader, "boot/loader.elf");
    assert_string_equal(device.foreign->images[0], "one.bin");
    assert_string_equal(device.foreign->images[1], "/two.bin");
    assert_string_equal(device.foreign->images[2], "");
    sim_device_free(&device);
    assert_int_equal(parse_with(1, "system anycloud", &device, &error), OTA_OK);
    assert_null(device.foreign);
}

static void two_parts(void **state)
{
    static const char text[] = "system anycloud\npart psoc6-internal\npart psoc6-qspi 2M\n"
                               "part psoc6-qspi 512K\n"
                               "loader psoc6-internal 0 0x18000\n"
                               "primary psoc6-internal 0x18000 0x1C0000\n"
                               "journal psoc6-qspi#2 0 512K\n"
                               "progress psoc6-internal 0x1D8000 4K\n"
                               "secondary psoc6-qspi 0 0x1C0000\nscheme overwrite\n";
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    assert_int_equal(sim_device_parse(text, strlen(text), "two", parts_dir(), &device, &error),
                     OTA_OK);
    assert_int_equal(device.chip_count, 3);
    assert_int_equal(device.chips[1].start, 0x200000);
    assert_int_equal(device.chips[1].part.size, 0x200000);
    assert_int_equal(device.chips[2].start, 0x400000);
    assert_int_equal(device.secondary.address, 0x200000);
    assert_int_equal(device.journal.address, 0x400000);
    assert_int_equal(device.progress.address, 0x1D8000);
    assert_int_equal(device.progress.size, 4096);
    assert_int_equal(device.format.max_sectors, 0);
}

/* Slots of rows, scratch and status beside each other; `status` is the line's value. */
static int parse_rows(const char *scheme, const char *scratch, const char *status,
                      struct sim_device *device, struct flash_text_error *error)
{
    char text[1024];
    snprintf(text, sizeof text,
             "system anycloud\npart psoc6-internal\nloader psoc6-internal 0 0x18000\n"
             "primary psoc6-internal 0x18000 0xEE000\n"
             "secondary psoc6-internal 0x106000 0xEE000\n"
             "journal psoc6-internal 0x1F4000 0x1000\n%s\n%s\nscheme %s\n",
             scratch, status, scheme);
    return sim_device_parse(text, strlen(text), "rows", parts_dir(), device, error);
}

static void scratch_and_status(void **state)
{
    static const char scratch[] = "scratch psoc6-internal 0x1F9000 0x4000";
    static const char status[] = "status psoc6-internal 0x1FD000 0x3000";
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    assert_int_equal(parse_rows("swap-status", scratch, status, &device, &error), OTA_OK);
    assert_int_equal(device.scratch.address, 0x1F9000);
    assert_int_equal(device.status.size, 0x3000);
    assert_int_equal(sim_device_format(&device, NULL).status.address, 0x1FD000);
    assert_int_equal(parse_rows("overwrite", scratch, status, &device, &error), OTA_OK);
    assert_int_equal(sim_device_format(&device, NULL).status.size, 0); /* not asked for */
    assert_int_equal(parse_rows("swap-status", scratch, "", &device, &error), OTA_E_ARGUMENT);
    assert_non_null(strstr(error.message, "needs a status area of four"));
    assert_int_equal(parse_rows("swap-status", "", status, &device, &error), OTA_E_ARGUMENT);
    assert_non_null(strstr(error.message, "needs a scratch area"));
    assert_int_equal(parse_rows("swap-scratch", scratch, status, &device, &error), OTA_E_ARGUMENT);
    assert_non_null(strstr(error.message, "larger units than a trailer field"));
    assert_int_equal(parse_rows("swap-status", scratch, "status psoc6-internal 0x1FC000 0x4000",
                                &device, &error),
                     OTA_E_ARGUMENT);
    assert_int_equal(error.line, 8);
    assert_non_null(strstr(error.message, "status (0x1FC000 to 0x200000) overlaps scratch"));
}

/* Line of the good file, its replacement, and where and how that is refused. */
static const struct {
    size_t line;
    const char *text;
    unsigned error_line;
    unsigned column;
    const char *message;
} refused[] = {
    {5, "secondary  w25q128 0x0FD000 0x0EE000", 5, 20,
     "secondary (0xFD000 to 0x1EB000) overlaps primary (0x10000 to 0xFE000, line 4)"},
    {6, "journal w25q128 0xF000 0x2000", 6, 17,
     "journal (0xF000 to 0x11000) overlaps loader (0x0 to 0x10000, line 3)"},
    {5, "secondary w25q128 0x10000 0xEE000", 5, 19,
     "secondary (0x10000 to 0xFE000) overlaps primary (0x10000 to 0xFE000, line 4)"},
    {1, "sistem anycloud", 1, 1, "unknown key 'sistem'"},
    {1, "", 11, 1, "the file has no 'system'"},
    {1, "system anycloud\nloader-elf", 2, 11, "expected: loader-elf TEXT"},
    {1, "system anycloud\nloader-elf a\nimage 1", 3, 8, "expected: image NUMBER FILE"},
    {1, "system anycloud\nloader-elf a\nimage 5 b", 3, 7, "image must be 1 to 4"},
    {1, "system anycloud\nimage 1 b", 2, 1,
     "images need their loader: the file has no 'loader-elf'"},
    {1, "system", 1, 7, "expected: system TEXT"},
    {1, "system \"x\"", 1, 8, "character '\"' is not allowed here"},
    {2, "", 3, 12, "no part 'w25q128' was declared above"},
    {2, "part", 2, 5, "expected: part NAME [SIZE]"},
    {2, "part w25q128 1M extra", 2, 17, "expected: part NAME [SIZE]"},
    {2, "part w25q128 100", 2, 14,
     "part 'w25q128' cannot be cut to 0x64: not whole sectors of its 0x1000000 bytes"},
    {2, "part w25q128 32M", 2, 14,
     "part 'w25q128' cannot be cut to 0x2000000: not whole sectors of its 0x1000000 bytes"},
    {2, "part ../w25q128", 2, 6, "not a part's name"},
    {2, "part w25q128\npart w25q128\npart w25q128\npart w25q128\npart w25q128", 6, 6,
     "more than 4 parts"},
    {3, "loader w25q128 0", 3, 17, "expected: loader CHIP OFFSET SIZE"},
    {3, "loader w25q128 0 0x10000 7", 3, 26, "expected: loader CHIP OFFSET SIZE"},
    {3, "loader w25q128 zero 0x10000", 3, 16, "'zero' is not a number"},
    {3, "loader w25q128 0x10000000000 0x10000", 3, 16, "'0x10000000000' is too large"},
    {3, "loader w25q128 4194304K 0x10000", 3, 16, "'4194304K' is too large"},
    {3, "loader w25q128 0x 1", 3, 16, "'0x' is not a number"},
    {3, "loader w25q128 16M 0x10000", 3, 16,
     "offset 0x1000000 is beyond the part's 0x1000000 bytes"},
    {3, "loader w25q128 0 0", 3, 18, "size is 0"},
    {3, "loader w25q128 0xFFF000 0x2000", 3, 25,
     "loader reaches 0x1000 bytes beyond the end of the part"},
    {3, "loader w25q128 0x80 0x1000", 3, 16,
     "loader does not start at an erase sector (of 0x1000)"},
    {3, "loader w25q128 0 0x1080", 3, 18, "loader does not end at an erase sector (of 0x1000)"},
    {3, "loader w25q128#2 0 0x10000", 3, 8, "no part 'w25q128#2' was declared above"},
    {3, "loader w25q128# 0 0x10000", 3, 8, "no part 'w25q128#' was declared above"},
    {6, "journal w25q128 0x1EC000 0x1000", 6, 26, "journal needs at least two erase sectors"},
    {6, "", 11, 1, "the file has no 'journal'"},
    {11, "progress w25q128 0x1EE000 0x1000", 11, 27, "progress needs at least two erase sectors"},
    {11, "progress w25q128 0x1ED000 0x2000", 11, 18,
     "progress (0x1ED000 to 0x1EF000) overlaps journal (0x1EC000 to 0x1EE000, line 6)"},
    {7, "scheme swap-mouve", 7, 8, "no boot scheme 'swap-mouve' (nobrick list schemes)"},
    {7, "scheme", 7, 7, "expected: scheme NAME"},
    {8, "align 7", 8, 7, "align must be 8 to 32"},
    {8, "align 9", 7, 12, "scheme swap-move does not fit: alignment must be 8, 16 or 32"},
    {9, "write-size 8 8", 9, 14, "expected: write-size NUMBER"},
    {10, "max-sectors 128", 7, 12,
     "scheme swap-move does not fit: max-sectors is smaller than the number of sectors in a slot"},
    {10, "max-sectors -1", 10, 13, "'-1' is not a number"},
    {11, "align 8", 11, 1, "'align' was given on line 8 already"},
    {11, "primary w25q128 0x200000 0x1000", 11, 1, "'primary' was given on line 4 already"},
    {11, "validate-primary maybe", 11, 18, "expected yes or no"},
    {11, "header 16", 11, 8, "header must be 32 to 65535"},
    {11, "board my+board", 11, 9, "character '+' is not allowed here"},
    {11, "topic-prefix two words", 11, 17, "character ' ' is not allowed here"},
    {11, "product caf\xC3\xA9", 11, 12, "byte 0xC3 is not printable ASCII"},
    {11, "product \x01", 11, 9, "byte 0x01 is not printable ASCII"},
    {11, "key a\nkey b\nkey c\nkey d\nkey e", 15, 5, "more than 4 keys"},
    {11, "serial 0123456789012345678901234567890123456789012345678901234567890123", 11, 8,
     "text is longer than 63 bytes"},
};

static void refused_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sim_device device;
        struct flash_text_error error = {0};
        int result = parse_with(refused[i].line, refused[i].text, &device, &error);
        if (result != OTA_E_ARGUMENT || error.line != refused[i].error_line ||
            error.column != refused[i].column || strcmp(error.message, refused[i].message) != 0)
            fail_msg("row %zu '%s': got %s %u:%u: %s, want %u:%u: %s", i, refused[i].text,
                     ota_err_word(result), error.line, error.column, error.message,
                     refused[i].error_line, refused[i].column, refused[i].message);
    }
}

static void unknown_part_names_it(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    assert_int_equal(parse_with(2, "part  w25q129", &device, &error), OTA_E_ARGUMENT);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 7);
    assert_non_null(strstr(error.message, "w25q129"));
}

static void cut_anywhere(void **state)
{
    (void)state;
    char all[4096] = "";
    for (size_t i = 0; i < GOOD_LINES; i++)
        strcat(strcat(all, good[i]), "\n");
    for (size_t length = 0; length + 2 < strlen(all); length++) {
        struct sim_device device;
        struct flash_text_error error = {0};
        char *exact = malloc(length + 1);
        assert_non_null(exact);
        memcpy(exact, all, length);
        int result = sim_device_parse(exact, length, "cut", parts_dir(), &device, &error);
        /* What is left out has a default only from `align` on. */
        if (length < (size_t)(strstr(all, "align") - all) - 1) {
            assert_int_equal(result, OTA_E_ARGUMENT);
            assert_true(error.line > 0 && error.message[0] != '\0');
        }
        free(exact);
    }
}

/* ---- files ------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void load_files(void **state)
{
    char dir[256];
    char path[300];
    char all[4096] = "";
    struct sim_device device;
    struct flash_text_error error = {0};
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/device.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/my.device", dir);
    assert_int_equal(sim_device_load(path, parts_dir(), &device, &error), OTA_E_IO);
    assert_int_equal(error.line, 0);
    assert_string_equal(error.message, "No such file or directory");
    for (size_t i = 0; i < GOOD_LINES; i++)
        strcat(strcat(all, good[i]), "\n");
    write_file(path, all);
    assert_int_equal(sim_device_load(path, parts_dir(), &device, &error), OTA_OK);
    assert_string_equal(device.name, "my");
    sim_device_free(&device);
    strcat(all, "\nkey  missing.pem\n");
    write_file(path, all);
    assert_int_equal(sim_device_load(path, parts_dir(), &device, &error), OTA_E_IO);
    assert_int_equal(error.line, GOOD_LINES + 2);
    assert_int_equal(error.column, 6);
    assert_non_null(strstr(error.message, "missing.pem: No such file"));
    assert_int_equal(sim_device_load(dir, parts_dir(), &device, &error), OTA_E_IO);
    unlink(path);
    rmdir(dir);
}

static void presets_load(void **state)
{
    static const struct {
        const char *name;
        uint32_t slot;
        uint32_t chips;
    } presets[] = {
        {"anycloud-internal", 0xEE000, 1}, {"anycloud-external", 0x1C0000, 2},
        {"anycloud-w25q128", 0xEE000, 1},  {"anycloud-w25q128-large", 0x1C0000, 1},
        {"anycloud-nrf52840", 0x20000, 1}, {"anycloud-small-rows", 0x4000, 1},
        {"anycloud-small-nor", 0x5000, 2},
    };
    const char *data = getenv("NOBRICK_DATA");
    (void)state;
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        char path[4096];
        struct sim_device device;
        struct flash_text_error error = {0};
        snprintf(path, sizeof path, "%s/devices/%s.device", data != NULL ? data : "scenarios",
                 presets[i].name);
        if (sim_device_load(path, parts_dir(), &device, &error) != OTA_OK)
            fail_msg("%s:%u:%u: %s", path, error.line, error.column, error.message);
        assert_int_equal(device.primary.size, presets[i].slot);
        assert_int_equal(device.secondary.size, presets[i].slot);
        assert_int_equal(device.chip_count, presets[i].chips);
        sim_device_free(&device);
    }
}

/* ---- made from a part -------------------------------------------------------------------- */

static void load_part(const char *name, struct flash_part *part)
{
    struct flash_text_error error = {0};
    if (flash_part_load(parts_dir(), name, part, &error) != OTA_OK)
        fail_msg("%s: %s", name, error.message);
}

static void generic_devices(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    struct flash_part part;
    (void)state;
    load_part("nrf52840", &part);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x20000, &device, &error), OTA_OK);
    assert_int_equal(device.loader.size, 0x8000);
    assert_int_equal(device.primary.address, 0x8000);
    assert_int_equal(device.secondary.address, 0x28000);
    assert_int_equal(device.journal.address, 0x48000);
    assert_int_equal(device.journal.size, 0x2000);
    assert_int_equal(device.progress.address, 0x4A000);
    assert_int_equal(device.progress.size, 0x2000);
    assert_int_equal(device.format.max_sectors, 32);
    assert_int_equal(device.format.write_size, 8);
    load_part("psoc6-internal", &part);
    assert_int_equal(sim_device_generic(&part, &boot_overwrite, 0x20000, &device, &error), OTA_OK);
    assert_int_equal(device.format.max_sectors, 0);
    assert_int_equal(device.format.align, 8);
    assert_int_equal(device.format.write_size, 512);
    assert_int_equal(device.progress.size, 0x1000);
    assert_int_equal(device.scratch.size + device.status.size, 0);
    assert_int_equal(sim_device_generic(&part, &boot_swap_status, 0x20000, &device, &error),
                     OTA_OK);
    assert_int_equal(device.scratch.address, device.progress.address + device.progress.size);
    assert_int_equal(device.scratch.size, 0x1000);
    assert_int_equal(device.status.address, device.scratch.address + device.scratch.size);
    assert_int_equal(device.status.size, 0x1000);
    assert_int_equal(device.format.max_sectors, 0);
    load_part("psoc6-qspi", &part); /* sectors of 256 KiB: the loader's region takes one */
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x200000, &device, &error), OTA_OK);
    assert_int_equal(device.loader.size, 0x40000);
}

static void generic_refused(void **state)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    struct flash_part part;
    (void)state;
    load_part("nrf52840", &part);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x80000, &device, &error),
                     OTA_E_LAYOUT);
    assert_string_equal(error.message, "the part is too small for loader, two slots and records");
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x20800, &device, &error),
                     OTA_E_LAYOUT);
    assert_string_equal(error.message, "the slot size is no whole number of erase sectors");
    load_part("psoc6-internal", &part);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x20000, &device, &error),
                     OTA_E_LAYOUT);
    assert_string_equal(error.message, "the part programs larger units than a trailer field takes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file),       cmocka_unit_test(other_keys),
        cmocka_unit_test(two_parts),       cmocka_unit_test(scratch_and_status),
        cmocka_unit_test(refused_files),   cmocka_unit_test(unknown_part_names_it),
        cmocka_unit_test(cut_anywhere),    cmocka_unit_test(load_files),
        cmocka_unit_test(presets_load),    cmocka_unit_test(generic_devices),
        cmocka_unit_test(generic_refused), cmocka_unit_test(somebody_elses_firmware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
