#include "agent/flash_area.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Two chips: 4 sectors of 64 (erased 0xFF, pages of 16), then 2 of 128 (erased 0x00, no pages).
 * Writes down the calls as text. */
#define CHIP1 256u
#define SIZE  512u

struct recorder {
    uint8_t bytes[SIZE];
    char calls[512];
    uint32_t fails_at; /* a call that touches this address fails */
};

static int record(struct recorder *recorder, const char *what, uint32_t address, uint32_t length)
{
    size_t used = strlen(recorder->calls);
    snprintf(recorder->calls + used, sizeof recorder->calls - used, "%s%s %u+%u",
             used > 0 ? ", " : "", what, address, length);
    if (address > SIZE || length > SIZE - address) {
        return OTA_E_FLASH_BOUNDS;
    }
    return recorder->fails_at - address < length ? OTA_E_POWER : 0;
}

static int port_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct recorder *recorder = context;
    int error = recorder->fails_at - address < length ? OTA_E_FLASH_READ : 0;
    if (error == 0) {
        assert_true(address <= SIZE && length <= SIZE - address);
        memcpy(data, recorder->bytes + address, length);
    }
    return error;
}

static int port_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct recorder *recorder = context;
    int error = record(recorder, "program", address, length);
    if (error == 0) {
        memcpy(recorder->bytes + address, data, length);
    }
    return error;
}

static int port_sector(void *context, uint32_t address, struct flash_sector *out)
{
    (void)context;
    if (address >= SIZE) {
        return OTA_E_FLASH_BOUNDS;
    }
    uint32_t size = address < CHIP1 ? 64 : 128;
    *out = (struct flash_sector){.start = address - address % size,
                                 .size = size,
                                 .unit = 1,
                                 .page = address < CHIP1 ? 16 : 0,
                                 .erased = address < CHIP1 ? 0xFF : 0x00};
    return 0;
}

static int port_erase(void *context, uint32_t address)
{
    struct recorder *recorder = context;
    struct flash_sector sector;
    int error = port_sector(context, address, &sector);
    if (error == 0) {
        error = record(recorder, "erase", address, sector.size);
    }
    if (error == 0) {
        memset(recorder->bytes + address, sector.erased, sector.size);
    }
    return error;
}

static struct recorder recorder;
static const struct flash_port port = {
    .context = &recorder,
    .read = port_read,
    .program = port_program,
    .erase = port_erase,
    .sector = port_sector,
};
/* Sectors 64, 128, 192 of the first chip and the first of the second. */
static const struct flash_area area = {.flash = &port, .address = 64, .size = 320};

static int start(void **state)
{
    (void)state;
    memset(recorder.bytes, 0xFF, CHIP1);
    memset(recorder.bytes + CHIP1, 0x00, SIZE - CHIP1);
    recorder.calls[0] = '\0';
    recorder.fails_at = UINT32_MAX;
    return 0;
}

static void test_bounds(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    struct flash_sector sector;
    assert_int_equal(flash_area_read(&area, 319, data, 1), 0);
    assert_int_equal(flash_area_read(&area, 320, data, 0), 0);
    assert_int_equal(flash_area_read(&area, 320, data, 1), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_read(&area, 1, data, UINT32_MAX), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_read(&area, UINT32_MAX, data, 2), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_program(&area, 300, data, 21), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_program(&area, 320, data, 0), 0);
    assert_int_equal(flash_area_erase_sector(&area, 320), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_erase_back(&area, 64, 321), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_erase_back(&area, 128, 64), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_sector(&area, 320, &sector), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_is_erased(&area, 256, 65), 0);
    const struct flash_area beyond = {.flash = &port, .address = UINT32_MAX - 10, .size = 64};
    assert_int_equal(flash_area_read(&beyond, 20, data, 4), OTA_E_FLASH_BOUNDS);
    assert_string_equal(recorder.calls, "");
}

static void test_program_splits(void **state)
{
    (void)state;
    uint8_t data[80];
    memset(data, 0x5A, sizeof data);
    assert_int_equal(flash_area_program(&area, 10, data, 3), 0);
    assert_string_equal(recorder.calls, "program 74+3");
    recorder.calls[0] = '\0';
    assert_int_equal(flash_area_program(&area, 30, data, 36), 0); /* over a sector's end */
    assert_string_equal(recorder.calls,
                        "program 94+2, program 96+16, program 112+16, program 128+2");
    recorder.calls[0] = '\0';
    assert_int_equal(flash_area_program(&area, 184, data, 80), 0); /* into the other chip */
    assert_string_equal(recorder.calls, "program 248+8, program 256+72");
    assert_memory_equal(recorder.bytes + 248, data, 80);
    recorder.calls[0] = '\0';
    const struct flash_area second = {.flash = &port, .address = CHIP1, .size = 256};
    assert_int_equal(flash_area_program(&second, 100, data, 56), 0); /* no pages: at sectors */
    assert_string_equal(recorder.calls, "program 356+28, program 384+28");
}

static void test_program_stops(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    recorder.fails_at = 96;
    assert_int_equal(flash_area_program(&area, 16, data, 64), OTA_E_POWER);
    assert_string_equal(recorder.calls, "program 80+16, program 96+16");
}

static void test_erase(void **state)
{
    (void)state;
    assert_int_equal(flash_area_erase_sector(&area, 64), 0);
    assert_int_equal(flash_area_erase_sector(&area, 65), OTA_E_FLASH_ALIGN);
    assert_string_equal(recorder.calls, "erase 128+64");
    recorder.calls[0] = '\0';
    assert_int_equal(flash_area_erase_back(&area, 100, 200), 0); /* last one first */
    assert_string_equal(recorder.calls, "erase 256+128, erase 192+64, erase 128+64");
    recorder.calls[0] = '\0';
    assert_int_equal(flash_area_erase_back(&area, 64, 128), 0); /* exact ends */
    assert_int_equal(flash_area_erase_back(&area, 64, 64), 0);
    assert_string_equal(recorder.calls, "erase 128+64");
    recorder.calls[0] = '\0';
    recorder.fails_at = 192;
    assert_int_equal(flash_area_erase_back(&area, 0, 320), OTA_E_POWER);
    assert_string_equal(recorder.calls, "erase 256+128, erase 192+64");
}

static void test_sector(void **state)
{
    (void)state;
    struct flash_sector sector;
    assert_int_equal(flash_area_sector(&area, 70, &sector), 0);
    assert_int_equal(sector.start, 64);
    assert_int_equal(sector.size, 64);
    assert_int_equal(flash_area_sector(&area, 319, &sector), 0);
    assert_int_equal(sector.start, 192);
    assert_int_equal(sector.size, 128);
    /* An area that does not consist of whole sectors must not reach out of itself. */
    const struct flash_area crooked = {.flash = &port, .address = 80, .size = 100};
    assert_int_equal(flash_area_sector(&crooked, 0, &sector), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_sector(&crooked, 99, &sector), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_area_erase_back(&crooked, 0, 100), OTA_E_FLASH_BOUNDS);
    assert_string_equal(recorder.calls, "");
}

static void test_is_erased(void **state)
{
    (void)state;
    assert_int_equal(flash_area_is_erased(&area, 0, 320), 1); /* 0xFF, then 0x00 */
    assert_int_equal(flash_area_is_erased(&area, 5, 0), 1);
    recorder.bytes[64 + 100] = 0x00;
    assert_int_equal(flash_area_is_erased(&area, 0, 320), 0);
    assert_int_equal(flash_area_is_erased(&area, 0, 100), 1);
    assert_int_equal(flash_area_is_erased(&area, 100, 1), 0);
    assert_int_equal(flash_area_is_erased(&area, 101, 219), 1);
    recorder.bytes[383] = 0xFF;
    assert_int_equal(flash_area_is_erased(&area, 101, 219), 0);
    recorder.fails_at = 300;
    assert_int_equal(flash_area_is_erased(&area, 200, 90), 0); /* not readable */
}

#define AREA_TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AREA_TEST(test_bounds), AREA_TEST(test_program_splits), AREA_TEST(test_program_stops),
        AREA_TEST(test_erase),  AREA_TEST(test_sector),         AREA_TEST(test_is_erased),
    };
    return cmocka_run_group_tests_name("agent/flash_area", tests, NULL, NULL);
}
