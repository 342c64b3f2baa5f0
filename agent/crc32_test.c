#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/crc32.h"

/* The small one, and the one of this program: each gives what one bit at a time does. */
static uint32_t (*const ways[])(uint32_t, const void *, size_t) = {ota_crc32_by_nibbles, ota_crc32};
#define WAYS (sizeof ways / sizeof ways[0])

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
    for (size_t i = 0; i < WAYS; i++) {
        assert_int_equal(ways[i](0, "123456789", 9), 0xCBF43926u); /* the catalogues' check value */
        assert_int_equal(ways[i](0, zeros, sizeof zeros), 0x190A55ADu);
        assert_int_equal(ways[i](0, zeros, 0), 0);
    }
}

static void check_ways(uint32_t crc, const uint8_t *data, size_t length)
{
    uint32_t wanted = bit_by_bit(crc, data, length);
    size_t third = length / 3;
    for (size_t i = 0; i < WAYS; i++) {
        assert_int_equal(ways[i](crc, data, length), wanted);
        assert_int_equal(ways[i](ways[i](crc, data, third), data + third, length - third), wanted);
    }
}

/* Every length, at every alignment, in one piece and in two: uses every entry of the tables. */
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
            for (size_t length = 0; length <= 40; length++)
                check_ways(chance, bytes + at, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_of_known_bytes),
        cmocka_unit_test(crc_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
