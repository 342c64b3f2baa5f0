/* Packets of MQTT as literal bytes. */
#include "sim/virtual/mqtt_reader.h"
#include "sim/virtual/mqtt_rig.h"
#include "sim/virtual/mqtt_topic.h"

static const char *const good[] = {
    "10 0d 0004 4d515454 04 02 003c 0001 78",
    "10 19 0004 4d515454 04 2e 0000 0002 6161 0003 772f74 0004 676f6e65",
    "10 17 0004 4d515454 04 c0 ffff 0003 e282ac 0001 75 0003 70 00 77",
    "10 0c 0004 4d515454 04 02 0000 0000",
    "20 02 00 00",
    "20 02 01 00",
    "20 02 00 05",
    "30 03 0001 74",
    "31 05 0001 74 6869",
    "32 07 0001 74 000a 6869",
    "3d 08 0002 7474 ffff 0000",
    "38 03 0001 74", /* dup with qos 0: let through */
    "40 02 0001",
    "50 02 0001",
    "62 02 0001",
    "70 02 ffff",
    "82 06 000a 0001 74 01",
    "82 0b 000a 0001 2b 02 0002 2f23 00",
    "90 03 000a 01",
    "90 05 000a 00 02 80",
    "a2 05 000a 0001 74",
    "b0 02 000a",
    "c0 00",
    "d0 00",
    "e0 00",
};

static const char *const bad[] = {
    "00 00",                                                  /* type 0 */
    "f0 00",                                                  /* type 15 */
    "11 0d 0004 4d515454 04 02 003c 0001 78",                 /* flags */
    "10 0d 0004 4d515455 04 02 003c 0001 78",                 /* protocol name */
    "10 0d 0003 4d5154 54 04 02 003c 0001 78",                /* … and its length */
    "10 0d 0004 4d515454 04 03 003c 0001 78",                 /* reserved flag */
    "10 0d 0004 4d515454 04 0a 003c 0001 78",                 /* qos of a will that is none */
    "10 0d 0004 4d515454 04 22 003c 0001 78",                 /* retain of a will that is none */
    "10 13 0004 4d515454 04 1e 003c 0001 78 0001 77 0001 77", /* will qos 3 */
    "10 10 0004 4d515454 04 42 003c 0001 78 0001 70",         /* password without user */
    "10 0d 0004 4d515454 04 02 003c 0002 78",                 /* text beyond the end */
    "10 0e 0004 4d515454 04 02 003c 0001 78 00",              /* bytes behind it */
    "10 0d 0004 4d515454 04 02 003c 0001 00",                 /* U+0000 */
    "20 01 00",                                               /* too short */
    "20 03 00 00 00",                                         /* too long */
    "20 02 02 00",                                            /* flags */
    "36 07 0001 74 000a 6869",                                /* qos 3 */
    "30 02 0000",                                             /* no topic */
    "30 02 0001",                                             /* topic beyond the end */
    "30 03 0001 ff",                                          /* not UTF-8 */
    "30 04 0002 c080",                                        /* too long a way to say U+0000 */
    "30 04 0002 c1a1",                                        /* … or "a" */
    "30 05 0003 eda080",                                      /* surrogate */
    "30 06 0004 f4908080",                                    /* beyond U+10FFFF */
    "30 05 0003 efbfbf",                                      /* U+FFFF */
    "30 03 0001 1f",                                          /* control character */
    "30 04 0002 c280",                                        /* U+0080 */
    "32 03 0001 74",                                          /* no id */
    "32 05 0001 74 0000",                                     /* id 0 */
    "40 01 01",
    "40 02 0000",
    "40 03 0001 00",
    "60 02 0001",            /* flags */
    "80 06 000a 0001 74 01", /* flags */
    "82 06 0000 0001 74 01", /* id 0 */
    "82 02 000a",            /* no filter */
    "82 05 000a 0001 74",    /* no qos */
    "82 06 000a 0001 74 03", /* qos 3 */
    "82 05 000a 0000 01",    /* empty filter */
    "90 02 000a",            /* no code */
    "90 03 000a 03",
    "a2 02 000a",
    "a2 06 000a 0001 74 00",
    "c0 01 00",
    "e0 01 00",
    "c0 80 80 80 80 00", /* a length of five bytes */
};

/* In a block of exactly its size, so that the sanitizer sees a byte too far. */
static int decode_part(const uint8_t *bytes, size_t size, size_t limit, struct mqtt_packet *out)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    int result = mqtt_packet_decode(exact, size, limit, out);
    free(exact);
    return result;
}

static void good_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mqtt_packet packet;
        uint8_t bytes[64];
        uint8_t again[64];
        size_t size = from_hex(good[i], bytes, sizeof bytes);
        for (size_t part = 0; part < size; part++)
            if (decode_part(bytes, part, 100, &packet) != 0)
                fail_msg("%s: %zu bytes of it", good[i], part);
        if (mqtt_packet_decode(bytes, size + 1, 100, &packet) != (int)size)
            fail_msg("%s", good[i]);
        assert_int_equal(mqtt_packet_size(&packet), size);
        assert_int_equal(mqtt_packet_encode(&packet, again), size);
        assert_memory_equal(again, bytes, size);
        assert_int_equal(mqtt_packet_decode(bytes, size, size, &packet), size);
        assert_int_equal(mqtt_packet_decode(bytes, size, size - 1, &packet), OTA_E_NO_SPACE);
    }
}

static void bad_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mqtt_packet packet;
        uint8_t bytes[64];
        size_t size = from_hex(bad[i], bytes, sizeof bytes);
        if (decode_part(bytes, size, 100, &packet) != OTA_E_ARGUMENT)
            fail_msg("%s", bad[i]);
        for (size_t part = 0; part < size; part++)
            (void)decode_part(bytes, part, 100, &packet);
    }
}

static void fields(void **state)
{
    struct mqtt_packet packet;
    uint8_t bytes[64];
    (void)state;
    size_t size = from_hex(good[1], bytes, sizeof bytes);
    assert_int_equal(mqtt_packet_decode(bytes, size, 100, &packet), size);
    assert_true(packet.clean && packet.has_will && packet.retain && !packet.has_user);
    assert_int_equal(packet.qos, 1);
    assert_int_equal(packet.topic.size, 3);
    assert_memory_equal(packet.topic.data, "w/t", 3);
    assert_memory_equal(packet.payload.data, "gone", 4);
    assert_memory_equal(packet.client_id.data, "aa", 2);
    size = from_hex("3a 05 0001 74 6869", bytes, sizeof bytes);
    assert_int_equal(mqtt_packet_decode(bytes, size, 100, &packet), size);
    assert_true(packet.dup && !packet.retain);
    assert_int_equal(packet.id, 0x6869);
    assert_int_equal(packet.payload.size, 0);
}

static void other_level(void **state)
{
    struct mqtt_packet packet;
    uint8_t bytes[64];
    (void)state;
    size_t size = from_hex("10 0d 0004 4d515454 05 02 003c 0001 78", bytes, sizeof bytes);
    assert_int_equal(mqtt_packet_decode(bytes, size, 100, &packet), size);
    assert_int_equal(packet.level, 5);
    assert_int_equal(packet.client_id.size, 0);
}

/* At the borders of the remaining length's one to four bytes. */
static void lengths(void **state)
{
    static const struct {
        size_t payload;
        size_t size;
    } rows[] = {{124, 129},     {125, 131},         {16380, 16386},
                {16381, 16388}, {2097148, 2097155}, {2097149, 2097157}};
    uint8_t *payload = calloc(1, 2097149);
    uint8_t *out = malloc(2097157);
    (void)state;
    assert_non_null(payload);
    assert_non_null(out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mqtt_packet again;
        const struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                           .topic = mqtt_bytes_of("t"),
                                           .payload = {payload, rows[i].payload}};
        assert_int_equal(mqtt_packet_size(&packet), rows[i].size);
        assert_int_equal(mqtt_packet_encode(&packet, out), rows[i].size);
        assert_int_equal(mqtt_packet_decode(out, rows[i].size, SIZE_MAX, &again), rows[i].size);
        assert_int_equal(again.payload.size, rows[i].payload);
    }
    struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                 .topic = mqtt_bytes_of("t"),
                                 .payload = {payload, MQTT_MAX_LENGTH - 3}};
    assert_int_equal(mqtt_packet_size(&packet), MQTT_MAX_LENGTH + 5);
    packet.payload.size++;
    assert_int_equal(mqtt_packet_size(&packet), 0);
    packet = (struct mqtt_packet){.type = MQTT_PUBLISH, .topic = {payload, 65536}};
    assert_int_equal(mqtt_packet_size(&packet), 0);
    free(payload);
    free(out);
}

struct taken {
    char text[256];
    unsigned stop_at; /* the packet that is the last one wanted; 0: none */
    unsigned count;
};

static bool take(void *context, const struct mqtt_packet *packet)
{
    struct taken *taken = context;
    char word[32];
    snprintf(word, sizeof word, "%d:%.*s ", (int)packet->type, (int)packet->payload.size,
             (const char *)packet->payload.data);
    strcat(taken->text, word);
    return ++taken->count != taken->stop_at;
}

/* The same stream in pieces of every size. */
static void pieces(void **state)
{
    uint8_t bytes[64];
    (void)state;
    size_t size = from_hex("c0 00 30 06 0001 74 616263 40 02 0007 30 04 0001 74 64 d0 00", bytes,
                           sizeof bytes);
    for (size_t piece = 1; piece <= size; piece++) {
        struct mqtt_reader reader = {0};
        struct taken taken = {{0}, 0, 0};
        for (size_t at = 0; at < size; at += piece) {
            size_t length = size - at < piece ? size - at : piece;
            assert_int_equal(mqtt_reader_feed(&reader, bytes + at, length, 100, take, &taken),
                             OTA_OK);
        }
        assert_string_equal(taken.text, "12: 3:abc 4: 3:d 13: ");
        assert_int_equal(reader.size, 0);
        mqtt_reader_free(&reader);
    }
    struct mqtt_reader reader = {0};
    struct taken taken = {{0}, 2, 0};
    assert_int_equal(mqtt_reader_feed(&reader, bytes, size, 100, take, &taken), OTA_E_CANCELLED);
    assert_string_equal(taken.text, "12: 3:abc ");
    bytes[0] = 0xC1;
    assert_int_equal(mqtt_reader_feed(&reader, bytes, size, 100, take, &taken), OTA_E_ARGUMENT);
    assert_int_equal(mqtt_reader_feed(&reader, bytes + 2, size - 2, 7, take, &taken),
                     OTA_E_NO_SPACE);
    mqtt_reader_free(&reader);
}

static void topics(void **state)
{
    static const struct {
        const char *filter;
        const char *name;
        bool matches;
    } rows[] = {
        {"a", "a", true},          {"a", "b", false},          {"a", "a/b", false},
        {"a/b", "a", false},       {"a/+", "a/b", true},       {"a/+", "a", false},
        {"a/+", "a/", true},       {"a/+", "a/b/c", false},    {"+", "a", true},
        {"+", "/a", false},        {"+/+", "/a", true},        {"/+", "/a", true},
        {"#", "a/b/c", true},      {"#", "a", true},           {"a/#", "a", true},
        {"a/#", "a/b/c", true},    {"a/#", "ab", false},       {"a/+/c", "a/b/c", true},
        {"a/+/c", "a/b/d", false}, {"+/b/#", "a/b", true},     {"#", "$SYS/x", false},
        {"+/x", "$SYS/x", false},  {"$SYS/#", "$SYS/x", true}, {"$SYS/x", "$SYS/x", true},
        {"a//b", "a//b", true},    {"a/+/b", "a//b", true},    {"A", "a", false},
        {"a/b/#", "a", false},     {"a/", "a", false},         {"/", "/", true},
        {"a/x/#", "a", false},
    };
    static const char *const filters[] = {"a", "#", "+", "a/#", "+/a/+", "/", "/#", "$x/+"};
    static const char *const none[] = {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (mqtt_topic_matches(mqtt_bytes_of(rows[i].filter), mqtt_bytes_of(rows[i].name)) !=
            rows[i].matches)
            fail_msg("%s %s", rows[i].filter, rows[i].name);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        assert_true(mqtt_topic_is_filter(mqtt_bytes_of(filters[i])));
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (mqtt_topic_is_filter(mqtt_bytes_of(none[i])))
            fail_msg("%s", none[i]);
    assert_true(mqtt_topic_is_name(mqtt_bytes_of("a/b")));
    assert_false(mqtt_topic_is_name(mqtt_bytes_of("a/+")));
    assert_false(mqtt_topic_is_name(mqtt_bytes_of("a#")));
    assert_false(mqtt_topic_is_name(mqtt_bytes_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_packets), cmocka_unit_test(bad_packets), cmocka_unit_test(fields),
        cmocka_unit_test(other_level),  cmocka_unit_test(lengths),     cmocka_unit_test(pieces),
        cmocka_unit_test(topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
