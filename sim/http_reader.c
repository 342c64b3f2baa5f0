/* This file must not see agent/ports.h: http-parser has an enum http_method of its own. */
#include "sim/http_reader.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

struct sim_http_reader {
    http_parser parser;
    enum http_parser_type type;
    size_t max_head;
    const struct sim_http_events *events;
    void *owner;
    size_t head_size;
    bool began;
    bool head_done;
    bool whole;
    bool stopped;
    bool keeps;
    /* the field that is being read: name, then value */
    size_t name_length;
    size_t length;
    bool in_value;
    char field[SIM_HTTP_FIELD];
};

static struct sim_http_reader *reader_of(http_parser *parser)
{
    return parser->data;
}

static bool is_interim(const struct sim_http_reader *reader)
{
    return reader->type == HTTP_RESPONSE && reader->parser.status_code / 100 == 1;
}

/* Nonzero: the head is too long. */
static int count(struct sim_http_reader *reader, size_t size)
{
    reader->head_size += size;
    return reader->head_size > reader->max_head;
}

/* The parser leaves white space behind a value. */
static void finish_field(struct sim_http_reader *reader)
{
    size_t end = reader->length;
    bool fits = end <= SIM_HTTP_FIELD;
    while (fits && end > reader->name_length &&
           (reader->field[end - 1] == ' ' || reader->field[end - 1] == '\t'))
        end--;
    if (reader->in_value && fits)
        reader->events->field(reader->owner, reader->field, reader->name_length,
                              reader->field + reader->name_length, end - reader->name_length);
    reader->in_value = false;
    reader->length = 0;
}

/* The length goes on beyond what fits, so that a long field can be told. */
static int add(struct sim_http_reader *reader, const char *at, size_t length)
{
    if (reader->length <= SIM_HTTP_FIELD && length <= SIM_HTTP_FIELD - reader->length)
        memcpy(reader->field + reader->length, at, length);
    reader->length += length;
    return count(reader, length);
}

/* ---- what the parser calls ---------------------------------------------------------------- */

static int on_begin(http_parser *parser)
{
    struct sim_http_reader *reader = reader_of(parser);
    reader->began = true;
    reader->head_done = false;
    reader->head_size = sizeof "HTTP/1.1 200 \r\n\r\n" - 1;
    reader->length = 0;
    reader->in_value = false;
    reader->events->begin(reader->owner);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct sim_http_reader *reader = reader_of(parser);
    if (count(reader, length) != 0)
        return 1;
    reader->events->target(reader->owner, at, length);
    return 0;
}

static int on_status(http_parser *parser, const char *at, size_t length)
{
    (void)at;
    return count(reader_of(parser), length);
}

static int on_name(http_parser *parser, const char *at, size_t length)
{
    struct sim_http_reader *reader = reader_of(parser);
    if (reader->head_done)
        return 0;
    if (reader->in_value)
        finish_field(reader);
    return add(reader, at, length);
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct sim_http_reader *reader = reader_of(parser);
    if (reader->head_done)
        return 0;
    if (!reader->in_value) {
        reader->name_length = reader->length;
        reader->in_value = true;
        (void)count(reader, sizeof ": \r\n" - 1);
    }
    return add(reader, at, length);
}

/* Nonzero: 1 when no body follows, whatever the fields say; -1 when this is nothing of ours. */
static int on_head(http_parser *parser)
{
    struct sim_http_reader *reader = reader_of(parser);
    unsigned status = parser->status_code;
    if (is_interim(reader))
        return 0;
    finish_field(reader);
    if (parser->http_major != 1 || (reader->type == HTTP_RESPONSE && status < 100) ||
        !reader->events->head(reader->owner))
        return -1;
    reader->head_done = true;
    return status == 204 || status == 304;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct sim_http_reader *reader = reader_of(parser);
    reader->stopped = !reader->events->body(reader->owner, (const uint8_t *)at, length);
    return reader->stopped;
}

static int on_whole(http_parser *parser)
{
    struct sim_http_reader *reader = reader_of(parser);
    if (is_interim(reader))
        return 0;
    reader->whole = true;
    reader->keeps = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1); /* the next message is the owner's to ask for */
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_status = on_status,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_whole,
};

/* ---- reading ------------------------------------------------------------------------------ */

void sim_http_reader_reset(struct sim_http_reader *reader)
{
    http_parser_init(&reader->parser, reader->type);
    reader->parser.data = reader;
    /* As lenient as clients are: chunks win over a length beside them, values may be odd. */
    reader->parser.allow_chunked_length = reader->type == HTTP_RESPONSE;
    reader->parser.lenient_http_headers = reader->type == HTTP_RESPONSE;
    reader->began = false;
    reader->head_done = false;
    reader->whole = false;
    reader->stopped = false;
    reader->head_size = 0;
}

static enum sim_http_state state_of(const struct sim_http_reader *reader)
{
    if (reader->whole)
        return SIM_HTTP_WHOLE;
    if (reader->stopped)
        return SIM_HTTP_STOPPED;
    if (HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK)
        return reader->head_done ? SIM_HTTP_IN_BODY : SIM_HTTP_IN_HEAD;
    if (reader->head_done)
        return SIM_HTTP_BAD_BODY;
    return reader->head_size > reader->max_head ||
                   HTTP_PARSER_ERRNO(&reader->parser) == HPE_HEADER_OVERFLOW
               ? SIM_HTTP_LONG_HEAD
               : SIM_HTTP_BAD_HEAD;
}

enum sim_http_state sim_http_reader_feed(struct sim_http_reader *reader, const void *data,
                                         size_t size, size_t *used)
{
    *used = 0;
    if (size > 0 && !reader->whole && HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK)
        *used = http_parser_execute(&reader->parser, &settings, data, size);
    return state_of(reader);
}

enum sim_http_state sim_http_reader_end(struct sim_http_reader *reader)
{
    bool head_done = reader->head_done;
    if (!reader->whole && HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK)
        (void)http_parser_execute(&reader->parser, &settings, NULL, 0);
    if (reader->whole)
        return SIM_HTTP_WHOLE;
    return head_done ? SIM_HTTP_IN_BODY : SIM_HTTP_IN_HEAD;
}

struct sim_http_reader *sim_http_reader_new(enum sim_http_side side, size_t max_head,
                                            const struct sim_http_events *events, void *owner)
{
    struct sim_http_reader *reader = malloc(sizeof *reader);
    if (reader == NULL)
        return NULL;
    reader->type = side == SIM_HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE;
    reader->max_head = max_head;
    reader->events = events;
    reader->owner = owner;
    sim_http_reader_reset(reader);
    return reader;
}

void sim_http_reader_free(struct sim_http_reader *reader)
{
    free(reader);
}

/* ---- of the message ----------------------------------------------------------------------- */

unsigned sim_http_reader_status(const struct sim_http_reader *reader)
{
    return reader->parser.status_code;
}

const char *sim_http_reader_method(const struct sim_http_reader *reader)
{
    return http_method_str((enum http_method)reader->parser.method);
}

bool sim_http_reader_is_1_0(const struct sim_http_reader *reader)
{
    return reader->parser.http_major == 1 && reader->parser.http_minor == 0;
}

bool sim_http_reader_keeps(const struct sim_http_reader *reader)
{
    return reader->whole && reader->keeps;
}

bool sim_http_reader_began(const struct sim_http_reader *reader)
{
    return reader->began;
}

const char *sim_http_reader_fault(const struct sim_http_reader *reader)
{
    if (reader->head_size > reader->max_head)
        return "the header is too long";
    if (HTTP_PARSER_ERRNO(&reader->parser) == HPE_CB_headers_complete)
        return "not an HTTP/1 message that is understood";
    return http_errno_description(HTTP_PARSER_ERRNO(&reader->parser));
}

const char *sim_http_reader_phrase(unsigned status)
{
    const char *phrase = http_status_str((enum http_status)status);
    return phrase[0] == '<' ? "Status" : phrase;
}
