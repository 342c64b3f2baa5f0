#include "sim/cortexm/guest/net/mqtt_cut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define STREAM  200000u
#define PACKETS 32u

struct stream {
    uint8_t bytes[STREAM];
    size_t size;
    size_t ends[PACKETS]; /* of packets */
    size_t packets;
};

static struct stream stream;

/* A packet whose rest has `length` bytes. */
static void add_packet(uint8_t type, uint32_t length)
{
    uint32_t left = length;
    stream.bytes[stream.size++] = type;
    do {
        uint8_t byte = left & 0x7fu;
        left >>= 7;
        stream.bytes[stream.size++] = left > 0 ? byte | 0x80u : byte;
    } while (left > 0);
    for (uint32_t i = 0; i < length; i++)
        stream.bytes[stream.size++] = (uint8_t)(i * 7 + length);
    stream.ends[stream.packets++] = stream.size;
}

static size_t header_of(size_t start)
{
    size_t n = 1;
    while ((stream.bytes[start + n] & 0x80u) != 0)
        n++;
    return n + 1;
}

/* What lwIP can read: the piece that begins at `at` fills its buffer or ends the packet. */
static void check_piece(const struct mqtt_cut *cut, size_t at, size_t packet)
{
    size_t start = packet > 0 ? stream.ends[packet - 1] : 0;
    size_t end = stream.ends[packet];
    size_t full = at == start ? MQTT_CUT_ROOM : MQTT_CUT_ROOM - header_of(start);
    assert_true(cut->size > 0);
    assert_int_equal(cut->size, end - at < full ? end - at : full);
    assert_memory_equal(cut->piece, stream.bytes + at, cut->size);
}

/* Feeds the stream in segments of `segment` bytes. */
static void cut_all(size_t segment)
{
    static struct mqtt_cut cut;
    size_t at = 0; /* behind the last piece */
    size_t packet = 0;
    mqtt_cut_reset(&cut);
    for (size_t fed = 0; fed < stream.size;) {
        size_t used;
        size_t size = stream.size - fed < segment ? stream.size - fed : segment;
        bool whole = mqtt_cut_feed(&cut, stream.bytes + fed, size, &used);
        assert_true(used > 0 && used <= size);
        assert_true(whole || used == size);
        fed += used;
        if (!whole)
            continue;
        check_piece(&cut, at, packet);
        at += cut.size;
        assert_int_equal(fed, at);
        packet += at == stream.ends[packet];
    }
    assert_int_equal(at, stream.size);
    assert_int_equal(packet, stream.packets);
}

static void pieces_are_full_or_last(void **state)
{
    static const uint32_t lengths[] = {0,    2,    3,    126,  127,  128,  1019,  1020,  1021, 1022,
                                       1023, 1024, 1025, 2040, 2041, 4200, 16383, 16384, 65600};
    static const size_t segments[] = {1,    2,    3,    5,    7,    1019,  1020,
                                      1021, 1023, 1024, 1025, 1460, STREAM};
    (void)state;
    memset(&stream, 0, sizeof stream);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        add_packet(0x32, lengths[i]);
    add_packet(0xd0, 0);
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++)
        cut_all(segments[i]);
}

/* Five bytes of which each says that another one follows: for lwIP to refuse. */
static void length_without_end_is_handed_on(void **state)
{
    static const uint8_t bytes[] = {0x30, 0xff, 0xff, 0xff, 0xff, 0xff};
    static struct mqtt_cut cut;
    size_t used;
    (void)state;
    mqtt_cut_reset(&cut);
    assert_false(mqtt_cut_feed(&cut, bytes, 5, &used));
    assert_int_equal(used, 5);
    assert_int_equal(cut.header, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_full_or_last),
        cmocka_unit_test(length_without_end_is_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
