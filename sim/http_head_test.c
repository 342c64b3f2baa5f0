/* Header lines into struct http_head: what is believed and what is not. */
#include "sim/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The lines of `text` (each ends with \n), each from a block of exactly its length. */
static struct http_head read_lines(const char *text)
{
    struct sim_http_head reader = {.complete = false};
    while (*text != '\0') {
        size_t length = strcspn(text, "\n") + 1;
        char *line = malloc(length);
        assert_non_null(line);
        memcpy(line, text, length);
        sim_http_head_line(&reader, line, length);
        free(line);
        text += length;
    }
    return reader.head;
}

static void status_lines(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"HTTP/1.1 206 Partial Content\r\n", 206},
        {"HTTP/1.0 404\r\n", 404},
        {"HTTP/1.1\r\n", 0},
        {"HTTP/1.1 \r\n", 0},
        {"HTTP/1.1 2x6 no\r\n", 0},
        {"HTTP/1.1 99 low\r\n", 0},
        {"HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 200 OK\r\n", 200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (read_lines(rows[i].text).status != rows[i].status)
            fail_msg("row %zu: %u", i, read_lines(rows[i].text).status);
}

static void lengths(void **state)
{
    static const struct {
        const char *text;
        bool has;
        uint64_t length;
    } rows[] = {
        {"Content-Length: 17\r\n", true, 17},
        {"content-length:17\r\n", true, 17},
        {"CONTENT-LENGTH: \t 0 \r\n", true, 0},
        {"Content-Length: 18446744073709551615\r\n", true, UINT64_MAX},
        {"Content-Length: 18446744073709551616\r\n", false, 0},
        {"Content-Length: -1\r\n", false, 0},
        {"Content-Length: +1\r\n", false, 0},
        {"Content-Length: 0x10\r\n", false, 0},
        {"Content-Length: 17, 17\r\n", false, 0},
        {"Content-Length:\r\n", false, 0},
        {"Content-Length: 17\r\nContent-Length: 17\r\n", true, 17},
        {"Content-Length: 17\r\nContent-Length: 18\r\n", false, 0},
        {"Content-Length: 17\r\nContent-Length: 18\r\nContent-Length: 17\r\n", false, 0},
        {"Content-Length: 17\r\nTransfer-Encoding: chunked\r\n", false, 0},
        {"Transfer-Encoding: chunked\r\nContent-Length: 17\r\n", false, 0},
        {"X-Content-Length: 17\r\n", false, 0},
        {"Content-Length 17\r\n", false, 0},
        {"\r\nContent-Length: 17\r\n", false, 0}, /* a trailer */
        {"Content-Length: 17\r\nHTTP/1.1 200 OK\r\n", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head head = read_lines(rows[i].text);
        if (head.has_length != rows[i].has || head.length != rows[i].length)
            fail_msg("row %zu: %d %llu", i, head.has_length, (unsigned long long)head.length);
    }
}

static void ranges(void **state)
{
    static const struct {
        const char *text;
        struct http_head want;
    } rows[] = {
        {"Content-Range: bytes 0-4095/10000\r\n",
         {.has_range = true, .to = 4095, .has_total = true, .total = 10000}},
        {"content-range: Bytes 4096-4096/4097\r\n",
         {.has_range = true, .from = 4096, .to = 4096, .has_total = true, .total = 4097}},
        {"Content-Range: bytes 0-4095/*\r\n", {.has_range = true, .to = 4095}},
        {"Content-Range: bytes */10000\r\n", {.has_total = true, .total = 10000}},
        {"Content-Range: bytes */*\r\n", {.has_range = false}},
        {"Content-Range: bytes 5-4/10\r\n", {.has_range = false}},
        {"Content-Range: bytes 0-10/10\r\n", {.has_range = false}},
        {"Content-Range: bytes 0-4\r\n", {.has_range = false}},
        {"Content-Range: bytes=0-4/10\r\n", {.has_range = false}},
        {"Content-Range: bytes 0-4/10 \r\n",
         {.has_range = true, .to = 4, .has_total = true, .total = 10}},
        {"Content-Range: bytes 0-4/10x\r\n", {.has_range = false}},
        {"Content-Range: bytes 0 - 4/10\r\n", {.has_range = false}},
        {"Content-Range: bytes -4/10\r\n", {.has_range = false}},
        {"Content-Range: items 0-4/10\r\n", {.has_range = false}},
        {"Content-Range: bytes\r\n", {.has_range = false}},
        {"Content-Range: bytes 0-99999999999999999999/10\r\n", {.has_range = false}},
        {"Content-Range: bytes 0-4/10\r\nContent-Range: bytes 0-4/10\r\n",
         {.has_range = true, .to = 4, .has_total = true, .total = 10}},
        {"Content-Range: bytes 0-4/10\r\nContent-Range: bytes 5-9/10\r\n", {.has_range = false}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head head = read_lines(rows[i].text);
        const struct http_head *want = &rows[i].want;
        if (head.has_range != want->has_range || head.from != want->from || head.to != want->to ||
            head.has_total != want->has_total || head.total != want->total)
            fail_msg("row %zu: %s", i, rows[i].text);
    }
}

static void etags(void **state)
{
    char longest[70] = "\"";
    char lines[100];
    static const char *const rows[][2] = {
        {"ETag: \"abc\"\r\n", "\"abc\""},
        {"etag:W/\"abc\" \r\n", "W/\"abc\""},
        {"ETag: \"\"\r\n", "\"\""},
        {"ETag: abc\r\n", ""},
        {"ETag: \"abc\r\n", ""},
        {"ETag: \"\r\n", ""},
        {"ETag: W/\"\r\n", ""},
        {"ETag: \"a b\"\r\n", ""},
        {"ETag: \"a\"b\"\r\n", ""},
        {"ETag: w/\"abc\"\r\n", ""},
        {"ETag:\r\n", ""},
        {"ETag: \"a\"\r\nETag: \"a\"\r\n", "\"a\""},
        {"ETag: \"a\"\r\nETag: \"b\"\r\n", ""},
        {"ETag: \"a\"\r\nETag: b\r\nETag: \"a\"\r\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(read_lines(rows[i][0]).etag, rows[i][1]);
    memset(longest + 1, 'x', 61);
    strcpy(longest + 62, "\"");
    snprintf(lines, sizeof lines, "ETag: %s\r\n", longest);
    assert_string_equal(read_lines(lines).etag, longest);
    strcpy(longest + 62, "x\"");
    snprintf(lines, sizeof lines, "ETag: %s\r\n", longest);
    assert_string_equal(read_lines(lines).etag, "");
}

/* RFC 9110, 8.8.2.2: a date is a strong validator when the answer is a minute younger. */
static void dates(void **state)
{
#define MODIFIED "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define TEXT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER    "Date: Mon, 07 Nov 1994 00:00:00 GMT\r\n"
    static const char *const rows[][2] = {
        {MODIFIED "Date: Sun, 06 Nov 1994 08:50:37 GMT\r\n\r\n", TEXT},
        {"Date: Sun, 06 Nov 1994 08:50:37 GMT\r\n" MODIFIED "\r\n", TEXT},
        {MODIFIED "Date: Thu, 29 Feb 2024 23:59:60 GMT\r\n\r\n", TEXT},
        {MODIFIED "Date: Sun, 06 Nov 1994 08:50:36 GMT\r\n\r\n", ""},
        {MODIFIED "\r\n", ""},
        {MODIFIED LATER, ""}, /* the head is not complete */
        {MODIFIED "ETag: \"a\"\r\n" LATER "\r\n", ""},
        {"ETag: W/\"a\"\r\n" MODIFIED LATER "\r\n", ""},
        {"ETag: bad\r\n" MODIFIED LATER "\r\n", ""},
        {MODIFIED MODIFIED LATER "\r\n", TEXT},
        {MODIFIED "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\r\n" LATER "\r\n", ""},
        {MODIFIED "Date: Mon, 07 Nov 1994\r\n\r\n", ""},
        {MODIFIED "Date: Monday, 07-Nov-94 00:00:00 GMT\r\n\r\n", ""},
        {MODIFIED "Date: Mon, 07 Nov 1994 00:00:00 CET\r\n\r\n", ""},
        {MODIFIED "Date: Mon, 07 Noc 1994 00:00:00 GMT\r\n\r\n", ""},
        {MODIFIED "Date: Mon, 07 Nov 1994 24:00:00 GMT\r\n\r\n", ""},
        {"Last-Modified: S\xFFn, 06 Nov 1994 08:49:37 GMT\r\n" LATER "\r\n", ""},
        {"Last-Modified: yesterday\r\n" LATER "\r\n", ""},
        {MODIFIED LATER "\r\nHTTP/1.1 200 OK\r\n\r\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(read_lines(rows[i][0]).modified, rows[i][1]) != 0)
            fail_msg("row %zu: %s", i, rows[i][0]);
}

/* RFC 9110, 10.2.3: seconds, or a date by the server's own clock. */
static void retry_after(void **state)
{
#define NOW "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    static const struct {
        const char *lines;
        uint32_t seconds;
    } rows[] = {
        {"Retry-After: 120\r\n\r\n", 120},
        {"retry-after:0\r\n\r\n", 0},
        {"Retry-After: 99999999999\r\n\r\n", UINT32_MAX},
        {"Retry-After: 12s\r\n\r\n", 0},
        {"Retry-After: -3\r\n\r\n", 0},
        {NOW "Retry-After: Sun, 06 Nov 1994 08:51:07 GMT\r\n\r\n", 90},
        {"Retry-After: Sun, 06 Nov 1994 08:51:07 GMT\r\n" NOW "\r\n", 90},
        {"Retry-After: Sun, 06 Nov 1994 08:51:07 GMT\r\n\r\n", 0}, /* by whose clock? */
        {NOW "Retry-After: Sun, 06 Nov 1994 08:49:00 GMT\r\n\r\n", 0},
        {NOW "\r\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (read_lines(rows[i].lines).retry_after_s != rows[i].seconds)
            fail_msg("row %zu: %s", i, rows[i].lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_lines), cmocka_unit_test(lengths), cmocka_unit_test(ranges),
        cmocka_unit_test(etags),        cmocka_unit_test(dates),   cmocka_unit_test(retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
