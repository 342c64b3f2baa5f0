#include "sim/http_head.h"

#include <string.h>
#include <strings.h>

#define DATE_LENGTH  29u /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define STRONG_AFTER 60  /* seconds, in which clocks and a second change may hide */

struct text {
    const char *at;
    size_t length;
};

static bool take(struct text *text, char wanted)
{
    if (text->length == 0 || text->at[0] != wanted)
        return false;
    text->at++;
    text->length--;
    return true;
}

/* Decimal digits, at least one. */
static bool take_number(struct text *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; text->length > 0 && text->at[0] >= '0' && text->at[0] <= '9'; digits++) {
        uint64_t digit = (uint64_t)(text->at[0] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
        text->at++;
        text->length--;
    }
    *out = value;
    return digits > 0;
}

static struct text trimmed(const char *at, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", at[length - 1]) != NULL)
        length--;
    while (length > 0 && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        length--;
    }
    return (struct text){at, length};
}

/* A chunked body says itself where it ends; a length beside it must not be believed. */
static void read_encoding(struct sim_http_head *reader, struct text text)
{
    (void)text;
    reader->length_spoilt = true;
    reader->head.has_length = false;
    reader->head.length = 0;
}

static void read_status(struct sim_http_head *reader, struct text text)
{
    uint64_t status = 0;
    sim_http_head_start(reader);
    while (text.length > 0 && text.at[0] != ' ')
        (void)take(&text, text.at[0]);
    if (take(&text, ' ') && take_number(&text, &status) && status >= 100 && status <= 999)
        reader->head.status = (unsigned)status;
}

static void read_length(struct sim_http_head *reader, struct text text)
{
    uint64_t length;
    bool good = take_number(&text, &length) && text.length == 0;
    if (!good || (reader->head.has_length && reader->head.length != length))
        reader->length_spoilt = true;
    reader->head.has_length = !reader->length_spoilt;
    reader->head.length = reader->head.has_length ? length : 0;
}

/* "bytes FROM-TO/TOTAL". TOTAL may be an asterisk, and so may FROM-TO (with a 416). */
static bool parse_range(struct text text, struct http_head *out)
{
    static const char unit[] = "bytes";
    if (text.length < sizeof unit || strncasecmp(text.at, unit, sizeof unit - 1) != 0)
        return false;
    text.at += sizeof unit - 1;
    text.length -= sizeof unit - 1;
    if (!take(&text, ' '))
        return false;
    out->has_range = !take(&text, '*');
    if (out->has_range && (!take_number(&text, &out->from) || !take(&text, '-') ||
                           !take_number(&text, &out->to) || out->to < out->from))
        return false;
    if (!take(&text, '/'))
        return false;
    out->has_total = !take(&text, '*');
    if (out->has_total && !take_number(&text, &out->total))
        return false;
    if (out->has_range && out->has_total && out->to >= out->total)
        return false;
    return text.length == 0 && (out->has_range || out->has_total);
}

static void read_range(struct sim_http_head *reader, struct text text)
{
    struct http_head found = {0};
    struct http_head *head = &reader->head;
    bool seen = head->has_range || head->has_total;
    if (!parse_range(text, &found) ||
        (seen &&
         (found.has_range != head->has_range || found.from != head->from || found.to != head->to ||
          found.has_total != head->has_total || found.total != head->total)))
        reader->range_spoilt = true;
    if (reader->range_spoilt)
        found = (struct http_head){0};
    head->has_range = found.has_range;
    head->from = found.from;
    head->to = found.to;
    head->has_total = found.has_total;
    head->total = found.total;
}

/* "xyz" or W/"xyz", kept with its quotes as If-Range wants it back. */
static void read_etag(struct sim_http_head *reader, struct text text)
{
    char *etag = reader->head.etag;
    reader->etag_said = true;
    size_t prefix = text.length >= 2 && strncmp(text.at, "W/", 2) == 0 ? 2 : 0;
    bool good = text.length >= prefix + 2 && text.length < sizeof reader->head.etag &&
                text.at[prefix] == '"' && text.at[text.length - 1] == '"';
    for (size_t i = prefix + 1; good && i + 1 < text.length; i++)
        good = text.at[i] >= '!' && text.at[i] <= '~' && text.at[i] != '"';
    if (!good || (etag[0] != '\0' &&
                  (strlen(etag) != text.length || memcmp(etag, text.at, text.length) != 0)))
        reader->etag_spoilt = true;
    memset(etag, 0, sizeof reader->head.etag);
    if (!reader->etag_spoilt)
        memcpy(etag, text.at, text.length);
}

/* ---- dates ------------------------------------------------------------------------------- */

/* `count` digits at `at`, or -1. */
static int digits(const char *at, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* Which of `count` names of three letters stands at `at`; `count`: none. */
static int name_at(const char *at, const char *names, int count)
{
    int i = 0;
    while (i < count && memcmp(names + 3 * i, at, 3) != 0)
        i++;
    return i;
}

/* Days from 1970 on. A year begins in March here, so that the leap day is its last one. */
static int64_t days_of(int year, int month, int day)
{
    int64_t years = month < 2 ? year - 1 : year;
    int months = (month + 10) % 12;
    return 365 * years + years / 4 - years / 100 + years / 400 + (months * 306 + 5) / 10 + day - 1 -
           719468;
}

/* An IMF-fixdate, the one form that servers write. Seconds since 1970; 0: it is none. */
static int64_t parse_date(struct text text)
{
    const char *at = text.at;
    if (text.length != DATE_LENGTH || memcmp(at + 3, ", ", 2) != 0 || at[7] != ' ' ||
        at[11] != ' ' || at[16] != ' ' || at[19] != ':' || at[22] != ':' ||
        memcmp(at + 25, " GMT", 4) != 0)
        return 0;
    int month = name_at(at + 8, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
    int day = digits(at + 5, 2);
    int year = digits(at + 12, 4);
    int hour = digits(at + 17, 2);
    int minute = digits(at + 20, 2);
    int second = digits(at + 23, 2);
    if (name_at(at, "SunMonTueWedThuFriSat", 7) == 7 || month == 12 || day < 1 || day > 31 ||
        year < 1970 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 60)
        return 0;
    return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static void read_date(struct sim_http_head *reader, struct text text)
{
    reader->date_s = parse_date(text);
}

static void read_modified(struct sim_http_head *reader, struct text text)
{
    int64_t seconds = parse_date(text);
    if (seconds == 0 ||
        (reader->modified[0] != '\0' && memcmp(reader->modified, text.at, DATE_LENGTH) != 0)) {
        reader->modified_spoilt = true;
        return;
    }
    reader->modified_s = seconds;
    memcpy(reader->modified, text.at, DATE_LENGTH);
}

/* The head is complete: is its date a strong validator, and the only one? */
static void settle_modified(struct sim_http_head *reader)
{
    if (reader->modified[0] != '\0' && !reader->modified_spoilt && !reader->etag_said &&
        reader->date_s - reader->modified_s >= STRONG_AFTER)
        memcpy(reader->head.modified, reader->modified, sizeof reader->modified);
}

/* Seconds, or a date, which is told by the server's own clock (RFC 9110, 10.2.3). */
static void read_retry_after(struct sim_http_head *reader, struct text text)
{
    uint64_t seconds;
    struct text number = text;
    reader->retry_at_s = parse_date(text);
    if (take_number(&number, &seconds) && number.length == 0)
        reader->head.retry_after_s = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

static void settle_retry_after(struct sim_http_head *reader)
{
    int64_t seconds = reader->retry_at_s - reader->date_s;
    if (reader->retry_at_s != 0 && reader->date_s != 0 && seconds > 0)
        reader->head.retry_after_s = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

/* ---- lines ------------------------------------------------------------------------------- */

void sim_http_head_start(struct sim_http_head *reader)
{
    *reader = (struct sim_http_head){.complete = false};
}

void sim_http_head_end(struct sim_http_head *reader)
{
    reader->complete = true;
    settle_modified(reader);
    settle_retry_after(reader);
}

void sim_http_head_field(struct sim_http_head *reader, const char *name, size_t name_length,
                         const char *value, size_t value_length)
{
    static const struct {
        const char *name;
        void (*read)(struct sim_http_head *reader, struct text text);
    } fields[] = {
        {"Content-Length", read_length},
        {"Content-Range", read_range},
        {"ETag", read_etag},
        {"Date", read_date},
        {"Last-Modified", read_modified},
        {"Retry-After", read_retry_after},
        {"Transfer-Encoding", read_encoding},
    };
    if (reader->complete)
        return;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i].name) == name_length &&
            strncasecmp(name, fields[i].name, name_length) == 0)
            fields[i].read(reader, trimmed(value, value_length));
}

void sim_http_head_line(struct sim_http_head *reader, const char *line, size_t length)
{
    struct text text = trimmed(line, length);
    if (text.length >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        read_status(reader, text);
        return;
    }
    if (reader->complete)
        return;
    if (text.length == 0)
        sim_http_head_end(reader);
    const char *colon = memchr(line, ':', length);
    size_t name_length = colon != NULL ? (size_t)(colon - line) : 0;
    if (colon != NULL)
        sim_http_head_field(reader, line, name_length, colon + 1, length - name_length - 1);
}
