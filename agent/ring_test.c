#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/ring.h"
#include "flashsim/flashsim.h"

#include <string.h>

#define RECORD 20u /* head, a number of eight bytes, tail */

/* ---- the checksum: eight bytes at a time give what one bit at a time does ---------------- */

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *data, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1u ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void crc_of_known_bytes(void **state)
{
    static const uint8_t zeros[32] = {0};
    (void)state;
    assert_int_equal(ota_crc32(0, "123456789", 9), 0xCBF43926u); /* the catalogues' check value */
    assert_int_equal(ota_crc32(0, zeros, sizeof zeros), 0x190A55ADu);
    assert_int_equal(ota_crc32(0, zeros, 0), 0);
}

/* Every length, at every alignment, in one piece and in two: uses every entry of the table. */
static void crc_of_any_bytes(void **state)
{
    uint8_t bytes[96];
    uint32_t chance = 1;
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            chance = chance * 1103515245u + 12345u;
            bytes[i] = (uint8_t)(chance >> 16);
        }
        for (size_t at = 0; at < 8; at++)
            for (size_t length = 0; length <= 40; length++) {
                uint32_t wanted = bit_by_bit(chance, bytes + at, length);
                uint32_t half = ota_crc32(chance, bytes + at, length / 3);
                assert_int_equal(ota_crc32(chance, bytes + at, length), wanted);
                assert_int_equal(ota_crc32(half, bytes + at + length / 3, length - length / 3),
                                 wanted);
            }
    }
}

/* ---- numbers that wrap ------------------------------------------------------------------- */

static bool accept_all(const uint8_t *record)
{
    (void)record;
    return true;
}

static const struct ota_ring_kind kind = {
    .magic = 0x31415926u, .size = RECORD, .accept = accept_all};

static struct flash_sim *open_flash(struct flash_area *area)
{
    struct flash_chip chip = {.part = {.name = "ring",
                                       .size = 2 * 512,
                                       .runs = {{2, 512}},
                                       .run_count = 1,
                                       .unit = 8,
                                       .erased = 0xFF,
                                       .programs = 1}};
    struct flash_sim *sim = flash_sim_memory(&chip, 1);
    assert_non_null(sim);
    *area = (struct flash_area){flash_sim_port(sim), 0, 2 * 512};
    return sim;
}

static void write_number(struct ota_ring *ring, uint32_t number)
{
    uint8_t record[RECORD] = {0};
    ota_put32(record + OTA_RING_HEAD, number);
    assert_int_equal(ota_ring_write(ring, record), 0);
}

static uint32_t newest(const struct flash_area *area)
{
    struct ota_ring ring;
    uint8_t record[RECORD] = {0};
    assert_int_equal(ota_ring_open(&ring, &kind, area, record), 0);
    return ota_get32(record + OTA_RING_HEAD);
}

/* RSRC-06: a place later in the sector or in the next one, it makes no difference. */
static void records_go_on_where_the_number_wraps(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < 60; before++) {
        struct flash_area area;
        struct ota_ring ring;
        uint8_t record[RECORD] = {0};
        struct flash_sim *sim = open_flash(&area);
        assert_int_equal(ota_ring_open(&ring, &kind, &area, record), 0);
        ring.sequence = UINT32_MAX - before;
        for (uint32_t number = 1; number <= 80; number++) {
            write_number(&ring, number);
            assert_int_not_equal(ring.sequence, 0); /* that would mean: none */
            assert_int_equal(newest(&area), number);
            if (number % 7 == 0) /* a reset */
                assert_int_equal(ota_ring_open(&ring, &kind, &area, record), 0);
        }
        assert_true(ring.sequence <= 80);
        flash_sim_close(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_of_known_bytes),
        cmocka_unit_test(crc_of_any_bytes),
        cmocka_unit_test(records_go_on_where_the_number_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
