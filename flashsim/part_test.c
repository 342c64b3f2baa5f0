#include "flashsim/flashsim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GEOMETRY "size 8K\nerase 2 x 4K\nunit 4\nerased 0xFF\nprograms 2\n"
#define REST     "t-program 41us per 4\nt-erase 85ms\nendurance 10000\nsource sheet 1\n"
#define WITHOUT_UNIT                                                                               \
    "size 8K\nerase 2 x 4K\nerased 0xFF\nprograms 2\n" /* wants a unit line before REST */

static void test_reads_all_keys(void **state)
{
    (void)state;
    static const char text[] = "# a part\r\n"
                               "\n"
                               "\tsize   1M   # in all\r\n"
                               "source RM 1, section 2 # 3  \n"
                               "erase  4 x 16K\n"
                               "erase  1 x 64K\n"
                               "erase  7 x 128K\n"
                               "unit   8\n"
                               "page   256\n"
                               "erased 0xFF\n"
                               "programs 1\n"
                               "reprogram-zero yes\n"
                               "ecc 16\n"
                               "t-program 2ms per 1K\n"
                               "t-erase 85us\n"
                               "endurance 10000"; /* without a last newline */
    struct flash_part part;
    struct flash_text_error error;
    int result = flash_part_parse(text, sizeof text - 1, "mine", &part, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, 0);
    assert_string_equal(part.name, "mine");
    assert_int_equal(part.size, 1048576);
    assert_int_equal(part.run_count, 3);
    assert_int_equal(part.runs[0].count, 4);
    assert_int_equal(part.runs[0].size, 16384);
    assert_int_equal(part.runs[2].count, 7);
    assert_int_equal(part.runs[2].size, 131072);
    assert_int_equal(part.unit, 8);
    assert_int_equal(part.page, 256);
    assert_int_equal(part.erased, 0xFF);
    assert_int_equal(part.programs, 1);
    assert_true(part.reprogram_zero);
    assert_int_equal(part.ecc, 16);
    assert_int_equal(part.t_program_us, 2000);
    assert_int_equal(part.program_per, 1024);
    assert_int_equal(part.t_erase_us, 85);
    assert_int_equal(part.endurance, 10000);
    assert_string_equal(part.source, "RM 1, section 2 # 3");
}

static void test_optional_keys(void **state)
{
    (void)state;
    struct flash_part part;
    struct flash_text_error error;
    assert_int_equal(flash_part_parse(GEOMETRY REST, strlen(GEOMETRY REST), "x", &part, &error), 0);
    assert_int_equal(part.page, 0);
    assert_int_equal(part.ecc, 0);
    assert_false(part.reprogram_zero);
    const char *more = GEOMETRY "page none\necc none\nreprogram-zero no\n" REST;
    assert_int_equal(flash_part_parse(more, strlen(more), "x", &part, &error), 0);
    assert_int_equal(part.page, 0);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        unsigned column;
        const char *words;
    } cases[] = {
        {"colour red\n", 1, 1, "a key: size"},
        {"\n  size\n", 2, 7, "a size in bytes"},
        {"size 8X\n", 1, 6, "a size in bytes"},
        {"size K\n", 1, 6, "a size in bytes"},
        {"size 4294967296\n", 1, 6, "a size in bytes"},
        {"size 4096M\n", 1, 6, "a size in bytes"},
        {"size -1\n", 1, 6, "a size in bytes"},
        {"size 8K 9\n", 1, 9, "the end of the line"},
        {"size 8K\n\n size 8K\n", 3, 2, "only one line 'size'"},
        {"erase 2\n", 1, 8, "'x'"},
        {"erase 2 by 4K\n", 1, 9, "'x'"},
        {"erase 2 x\n", 1, 10, "a size in bytes"},
        {"erase 2K x 4K\n", 1, 7, "a count of sectors"},
        {"unit two\n", 1, 6, "a size in bytes"},
        {"page 0\n", 1, 6, "none, or a size"},
        {"erased 0xAA\n", 1, 8, "0xFF or 0x00"},
        {"programs 0\n", 1, 10, "any, or a number from 1 to 127"},
        {"programs 2x\n", 1, 10, "any, or a number"},
        {"programs 2 for 256\n", 1, 12, "'per'"},
        {"programs 2 per 0\n", 1, 16, "a size above 0"},
        {"reprogram-zero maybe\n", 1, 16, "yes or no"},
        {"same-bits fine\n", 1, 11, "ok or overstress"},
        {"disturb 0\n", 1, 9, "none, or a size"},
        {"t-erase 5ms at 6ms\n", 1, 13, "'max'"},
        {"t-program 5ms per 8 max\n", 1, 24, "a time, like"},
        {"ecc -\n", 1, 5, "none, or a size"},
        {"t-program 41 per 4\n", 1, 11, "a time, like 41us"},
        {"t-program 41us 4\n", 1, 16, "'per'"},
        {"t-program 41us per 0\n", 1, 20, "a size above 0"},
        {"t-erase 5000000ms\n", 1, 9, "a time"},
        {"endurance 10K\n", 1, 11, "a number of erase cycles"},
        {"endurance 0\n", 1, 11, "at least one"},
        {"source\n", 1, 7, "1 to 159 bytes"},
        {"source a\001b\n", 1, 9, "control characters"},
        {"", 1, 1, "a line 'size' somewhere"},
        {WITHOUT_UNIT REST, 9, 1, "a line 'unit' somewhere"},
        /* Lines that do not fit together: the line to be changed is named. */
        {"size 9K\nerase 2 x 4K\nunit 4\nerased 0xFF\nprograms 2\n" REST, 1, 6,
         "equal to the sum of the erase lines"},
        {"size 8K\nerase 2 x 4K\nunit 3\nerased 0xFF\nprograms 2\n" REST, 3, 6, "a power of two"},
        {"size 8K\nerase 2 x 4K\nunit 8K\nerased 0xFF\nprograms 2\n" REST, 2, 7, "whole units"},
        {GEOMETRY "page 2\n" REST, 6, 6, "not below the unit"},
        {GEOMETRY "page 24\n" REST, 6, 6, "a power of two"},
        {GEOMETRY "ecc 12\n" REST, 6, 5, "a power of two"},
        {GEOMETRY "ecc 8K\n" REST, 2, 7, "whole ecc code words"},
        {GEOMETRY "disturb 48\n" REST, 6, 9, "a power of two not below unit"},
        {"size 8K\nerase 2 x 4K\nunit 4\nerased 0xFF\nprograms 2 per 2\n" REST, 5, 10,
         "a row of a power of two"},
        {"size 9K\nerase 3 x 3K\nunit 4\nerased 0xFF\nprograms 2 per 2K\n" REST, 2, 7,
         "whole rows"},
        {GEOMETRY "reprogram-zero yes\n" REST, 6, 16, "programs is 1"},
        {"size 8K\nerase 2 x 4K\nunit 4\nerased 0xFF\nprograms 128\n" REST, 5, 10, "1 to 127"},
        {"size 2M\nerase 2097152 x 1\nunit 1\nerased 0xFF\nprograms any\n" REST, 2, 7,
         "at most 1048576 sectors"},
        {"size 2048M\nerase 2048 x 1M\nunit 1\nerased 0xFF\nprograms any\n" REST, 1, 6, "1024M"},
        {"erase 1 x 1\nerase 1 x 1\nerase 1 x 1\nerase 1 x 1\nerase 1 x 1\nerase 1 x 1\n"
         "erase 1 x 1\nerase 1 x 1\nerase 1 x 1\n",
         9, 6, "at most 8 lines"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flash_part part;
        struct flash_text_error error;
        int result = flash_part_parse(cases[i].text, strlen(cases[i].text), "bad", &part, &error);
        if (result != OTA_E_ARGUMENT || error.line != cases[i].line ||
            error.column != cases[i].column || strstr(error.message, cases[i].words) == NULL) {
            fail_msg("case %zu: %d %u:%u '%s'", i, result, error.line, error.column, error.message);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    struct flash_part part;
    struct flash_text_error error;
    const char *text = GEOMETRY REST;
    assert_int_equal(flash_part_parse(text, strlen(text), "", &part, &error), OTA_E_ARGUMENT);
    assert_int_equal(
        flash_part_parse(text, strlen(text), "a-part-name-that-is-far-too-long-now", &part, &error),
        OTA_E_ARGUMENT);
    assert_int_equal(flash_part_load(".", "../etc/passwd", &part, &error), OTA_E_ARGUMENT);
    assert_int_equal(flash_part_load("/", "no-such-part", &part, &error), OTA_E_IO);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(error.line, 0);
}

/* Every part of the product can be read, and says what its data sheet says. */
static void test_shipped_parts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t size;
        uint32_t sector;
        uint32_t unit;
        uint32_t page;
        uint8_t erased;
        uint32_t programs;
        uint32_t ecc;
        uint32_t erase_us;
    } cases[] = {
        {"psoc6-internal", 0x200000, 512, 512, 512, 0x00, 1, 0, 11000},
        {"psoc6-qspi", 0x4000000, 0x40000, 1, 512, 0xFF, FLASH_PROGRAMS_ANY, 0, 520000},
        {"nrf52840", 0x100000, 4096, 4, 0, 0xFF, 2, 0, 85000},
        {"stm32l4", 0x100000, 2048, 8, 0, 0xFF, 1, 8, 22000},
        {"w25q128", 0x1000000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 45000},
        {"psoc6-internal-loose", 0x200000, 512, 512, 512, 0x00, FLASH_PROGRAMS_ANY, 0, 11000},
        {"psoc6-qspi-hl", 0x4000000, 0x40000, 16, 512, 0xFF, 1, 16, 770000},
        {"pic32mzw1-internal", 0x100000, 4096, 4, 1024, 0xFF, FLASH_PROGRAMS_ANY, 0, 20000},
        {"pic32mzw1-ecc", 0x100000, 4096, 16, 1024, 0xFF, 1, 16, 20000},
        {"sst26vf", 0x800000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 18000},
        {"numicro-m487", 0x80000, 4096, 4, 512, 0xFF, FLASH_PROGRAMS_ANY, 0, 20000},
        {"rtl8721d-nor", 0x200000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 50000},
        {"mk3060-nor", 0x200000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 50000},
        {"mx25r6435f", 0x800000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 48000},
        {"stm32h743", 0x200000, 0x20000, 32, 0, 0xFF, 1, 32, 1100000},
        {"stm32f407", 0x100000, 0x4000, 4, 16, 0xFF, FLASH_PROGRAMS_ANY, 0, 1000000},
        {"k64f", 0x100000, 4096, 8, 1024, 0xFF, 1, 0, 14000},
        {"samd51", 0x100000, 8192, 16, 512, 0xFF, 1, 8, 200000},
        {"samd21", 0x40000, 256, 4, 64, 0xFF, 8, 0, 6000},
        {"esp32-nor", 0x400000, 4096, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 50000},
        {"erase00-synth", 0x80000, 4096, 8, 256, 0x00, 1, 8, 20000},
        {"uneven-synth", 0x62000, 1024, 4, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 20000},
        {"big-unit-synth", 0x80000, 4096, 128, 512, 0xFF, 1, 0, 20000},
        {"sd-block", 0x1000000, 512, 512, 512, 0xFF, 1, 512, 1000},
    };
    const char *data = getenv("NOBRICK_DATA");
    char dir[1000];
    snprintf(dir, sizeof dir, "%s/parts", data != NULL ? data : "scenarios");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flash_chip chip = {.start = 0};
        struct flash_text_error error;
        const struct flash_part *part = &chip.part;
        int result = flash_part_load(dir, cases[i].name, &chip.part, &error);
        if (result != 0) {
            fail_msg("%s:%u:%u: %s", cases[i].name, error.line, error.column, error.message);
        }
        assert_string_equal(part->name, cases[i].name);
        assert_int_equal(part->size, cases[i].size);
        assert_int_equal(part->run_count, strcmp(part->name, "stm32f407") == 0      ? 3
                                          : strcmp(part->name, "uneven-synth") == 0 ? 6
                                                                                    : 1);
        assert_int_equal(part->row, strcmp(part->name, "samd21") == 0 ? 256 : 0);
        assert_int_equal(part->overstress, strcmp(part->name, "k64f") == 0);
        assert_int_equal(part->disturb, strcmp(part->name, "sst26vf") == 0      ? 4096
                                        : strcmp(part->name, "mk3060-nor") == 0 ? 32
                                        : strcmp(part->name, "sd-block") == 0   ? 16384
                                                                                : 0);
        assert_int_equal(part->runs[0].size, cases[i].sector);
        assert_int_equal(part->unit, cases[i].unit);
        assert_int_equal(part->page, cases[i].page);
        assert_int_equal(part->erased, cases[i].erased);
        assert_int_equal(part->programs, cases[i].programs);
        assert_int_equal(part->ecc, cases[i].ecc);
        assert_int_equal(part->t_erase_us, cases[i].erase_us);
        assert_int_equal(part->reprogram_zero, strcmp(part->name, "stm32l4") == 0);
        struct flash_sim *sim = flash_sim_memory(&chip, 1);
        assert_non_null(sim);
        assert_int_equal(flash_sim_size(sim), cases[i].size);
        flash_sim_close(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all_keys), cmocka_unit_test(test_optional_keys),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_shipped_parts),
    };
    return cmocka_run_group_tests_name("flashsim/part", tests, NULL, NULL);
}
