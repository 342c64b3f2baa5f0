/* What the reader tells of messages: each row once whole, once byte by byte. */
#include "sim/http_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_HEAD 8000u

struct told {
    char text[20000];
    size_t length;
};

static void tell(struct told *told, const char *before, const void *text, size_t length,
                 const char *after)
{
    int n = snprintf(told->text + told->length, sizeof told->text - told->length, "%s%.*s%s",
                     before, (int)length, (const char *)text, after);
    told->length += (size_t)n;
    assert_true(told->length < sizeof told->text);
}

static void on_begin(void *owner)
{
    struct told *told = owner;
    told->length = 0;
    told->text[0] = '\0';
}

static void on_target(void *owner, const char *text, size_t length)
{
    tell(owner, "", text, length, "");
}

static void on_field(void *owner, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
    tell(owner, "[", name, name_length, "=");
    tell(owner, "", value, value_length, "]");
}

static bool on_head(void *owner)
{
    tell(owner, "|", "", 0, "");
    return true;
}

static bool on_body(void *owner, const uint8_t *data, size_t length)
{
    tell(owner, "", data, length, "");
    return true;
}

static const struct sim_http_events events = {on_begin, on_target, on_field, on_head, on_body};

static void messages(void **state)
{
    static const struct {
        enum sim_http_side side;
        const char *bytes;
        enum sim_http_state state;
        const char *told;
    } rows[] = {
        {SIM_HTTP_REQUESTS, "GET /a?b HTTP/1.1\r\nA: b\r\n\r\n", SIM_HTTP_WHOLE, "/a?b[A=b]|"},
        {SIM_HTTP_REQUESTS, "GET /a HTTP/1.1\r\nA:\r\nB: \t c d \t\r\n\r\n", SIM_HTTP_WHOLE,
         "/a[A=][B=c d]|"},
        {SIM_HTTP_REQUESTS, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", SIM_HTTP_IN_BODY,
         "/[Content-Length=3]|ab"},
        {SIM_HTTP_REQUESTS, "GET / HTTP/1.1\r\nA: b\r\n", SIM_HTTP_IN_HEAD, "/"},
        {SIM_HTTP_REQUESTS, "GET / HTTP/2.0\r\n\r\n", SIM_HTTP_BAD_HEAD, "/"},
        {SIM_HTTP_REQUESTS,
         "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         SIM_HTTP_BAD_HEAD, "/[Content-Length=3]"},
        {SIM_HTTP_ANSWERS,
         "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 102 X\r\n\r\nHTTP/1.1 200 OK\r\n"
         "Content-Length: 1\r\n\r\na",
         SIM_HTTP_WHOLE, "[Content-Length=1]|a"},
        {SIM_HTTP_ANSWERS, "HTTP/1.1 100 Continue\r\n\r\n", SIM_HTTP_IN_HEAD, ""},
        {SIM_HTTP_ANSWERS,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nLate: x\r\n\r\n",
         SIM_HTTP_WHOLE, "[Transfer-Encoding=chunked]|a"},
        {SIM_HTTP_ANSWERS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
         SIM_HTTP_BAD_BODY, "[Transfer-Encoding=chunked]|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = strlen(rows[i].bytes);
        for (size_t piece = length; piece > 0; piece = piece > 1 ? 1 : 0) {
            struct told told = {.length = 0};
            struct sim_http_reader *reader =
                sim_http_reader_new(rows[i].side, MAX_HEAD, &events, &told);
            enum sim_http_state got = SIM_HTTP_IN_HEAD;
            size_t used;
            assert_non_null(reader);
            for (size_t at = 0; at < length && got < SIM_HTTP_WHOLE; at += piece)
                got = sim_http_reader_feed(reader, rows[i].bytes + at, piece, &used);
            if (got != rows[i].state || strcmp(told.text, rows[i].told) != 0)
                fail_msg("row %zu by %zu: %d %s", i, piece, (int)got, told.text);
            sim_http_reader_free(reader);
        }
    }
}

/* A field of `length` bytes, name and value; what is told of it, and the state. */
static enum sim_http_state with_field(size_t length, struct told *told)
{
    static char bytes[20000];
    size_t used;
    struct sim_http_reader *reader = sim_http_reader_new(SIM_HTTP_ANSWERS, MAX_HEAD, &events, told);
    assert_non_null(reader);
    int n = snprintf(bytes, sizeof bytes, "HTTP/1.1 204 No\r\nA: %0*d\r\nB: c\r\n\r\n",
                     (int)length - 1, 0);
    enum sim_http_state state = sim_http_reader_feed(reader, bytes, (size_t)n, &used);
    assert_true(state != SIM_HTTP_LONG_HEAD ||
                strcmp(sim_http_reader_fault(reader), "the header is too long") == 0);
    sim_http_reader_free(reader);
    return state;
}

static void long_fields(void **state)
{
    struct told told = {.length = 0};
    (void)state;
    assert_int_equal(with_field(SIM_HTTP_FIELD, &told), SIM_HTTP_WHOLE);
    assert_int_equal(told.length, SIM_HTTP_FIELD + sizeof "[=][B=c]|" - 1);
    assert_int_equal(with_field(SIM_HTTP_FIELD + 1, &told), SIM_HTTP_WHOLE);
    assert_string_equal(told.text, "[B=c]|");
    assert_int_equal(with_field(MAX_HEAD - 40, &told), SIM_HTTP_WHOLE);
    assert_int_equal(with_field(MAX_HEAD, &told), SIM_HTTP_LONG_HEAD);
}

/* One after another on the same reader, and a body that only the end of the stream ends. */
static void again(void **state)
{
    static const char two[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.0 200 OK\r\n\r\nb";
    struct told told = {.length = 0};
    size_t used;
    size_t more;
    (void)state;
    struct sim_http_reader *reader =
        sim_http_reader_new(SIM_HTTP_ANSWERS, MAX_HEAD, &events, &told);
    assert_false(sim_http_reader_began(reader));
    assert_int_equal(sim_http_reader_feed(reader, two, sizeof two - 1, &used), SIM_HTTP_WHOLE);
    assert_true(sim_http_reader_keeps(reader));
    assert_string_equal(told.text, "[Content-Length=1]|a");
    sim_http_reader_reset(reader);
    assert_false(sim_http_reader_began(reader));
    assert_int_equal(sim_http_reader_feed(reader, two + used, sizeof two - 1 - used, &more),
                     SIM_HTTP_IN_BODY);
    assert_int_equal(used + more, sizeof two - 1);
    assert_true(sim_http_reader_began(reader) && sim_http_reader_is_1_0(reader));
    assert_int_equal(sim_http_reader_end(reader), SIM_HTTP_WHOLE);
    assert_false(sim_http_reader_keeps(reader));
    assert_string_equal(told.text, "|b");
    sim_http_reader_reset(reader);
    assert_int_equal(sim_http_reader_end(reader), SIM_HTTP_IN_HEAD);
    sim_http_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(long_fields),
        cmocka_unit_test(again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
