#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/ring.h"
#include "flashsim/flashsim.h"

#include <string.h>

#define RECORD 20u /* head, a number of eight bytes, tail */

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
        cmocka_unit_test(records_go_on_where_the_number_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
