/* Messages out of arbitrary bytes: the pieces in which they come make no difference, and what is
 * told stays within what was given. The first byte chooses the side, and the size of the pieces.
 * Locations are followed. */
#include "sim/http_head.h"
#include "sim/http_reader.h"
#include "sim/http_url.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEAD 4096u

struct trace {
    struct sim_http_head head;
    uint64_t hash; /* of everything told but where a body was cut into pieces */
    size_t head_bytes;
    size_t body_bytes;
    unsigned whole;
    enum sim_http_state state;
};

static void mix(struct trace *trace, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        trace->hash = (trace->hash ^ bytes[i]) * 1099511628211u;
}

static void on_begin(void *owner)
{
    struct trace *trace = owner;
    sim_http_head_start(&trace->head);
    trace->head_bytes = 0;
}

static void on_target(void *owner, const char *text, size_t length)
{
    struct trace *trace = owner;
    trace->head_bytes += length;
    mix(trace, text, length);
}

static void follow(struct trace *trace, const char *value, size_t length)
{
    const struct sim_http_url from = {.host = "h", .port = 80, .path = "/a/b?c"};
    struct sim_http_url to;
    char *location = malloc(length + 1);
    if (location == NULL)
        abort();
    memcpy(location, value, length);
    location[length] = '\0';
    if (sim_http_url_follow(&from, location, &to) == OTA_OK) {
        if (to.path[0] != '/' || to.port == 0 || strpbrk(to.path, " #\r\n") != NULL)
            abort();
        mix(trace, to.path, strlen(to.path));
    }
    free(location);
}

static void on_field(void *owner, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
    struct trace *trace = owner;
    trace->head_bytes += name_length + value_length;
    mix(trace, name, name_length);
    mix(trace, value, value_length);
    sim_http_head_field(&trace->head, name, name_length, value, value_length);
    if (name_length == 1)
        follow(trace, value, value_length);
}

static bool on_head(void *owner)
{
    struct trace *trace = owner;
    if (trace->head_bytes > MAX_HEAD)
        abort();
    return true;
}

static bool on_body(void *owner, const uint8_t *data, size_t length)
{
    struct trace *trace = owner;
    trace->body_bytes += length;
    mix(trace, data, length);
    return trace->body_bytes < 1000;
}

static struct trace read_all(enum sim_http_side side, const uint8_t *data, size_t size,
                             size_t piece)
{
    static const struct sim_http_events events = {on_begin, on_target, on_field, on_head, on_body};
    struct trace trace = {.state = SIM_HTTP_IN_HEAD};
    struct sim_http_reader *reader = sim_http_reader_new(side, MAX_HEAD, &events, &trace);
    if (reader == NULL)
        abort();
    while (size > 0 && trace.state <= SIM_HTTP_WHOLE) {
        size_t given = size < piece ? size : piece;
        uint8_t *bytes = malloc(given); /* of exactly this size: nothing beyond may be read */
        size_t used;
        if (bytes == NULL)
            abort();
        memcpy(bytes, data, given);
        trace.state = sim_http_reader_feed(reader, bytes, given, &used);
        free(bytes);
        if (used > given || (trace.state < SIM_HTTP_WHOLE && used == 0))
            abort();
        if (trace.state < SIM_HTTP_WHOLE)
            used = given; /* an upgrade ends the parser's interest early */
        data += used;
        size -= used;
        if (trace.state != SIM_HTTP_WHOLE)
            continue;
        trace.whole++;
        sim_http_reader_reset(reader);
    }
    if (trace.state < SIM_HTTP_WHOLE)
        trace.whole += sim_http_reader_end(reader) == SIM_HTTP_WHOLE;
    sim_http_reader_free(reader);
    return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum sim_http_side side = data[0] & 1 ? SIM_HTTP_ANSWERS : SIM_HTTP_REQUESTS;
    size_t piece = 1 + data[0] / 2;
    struct trace once = read_all(side, data + 1, size - 1, size);
    struct trace cut = read_all(side, data + 1, size - 1, piece);
    if (once.body_bytes >= 1000 || cut.body_bytes >= 1000)
        return 0; /* stopped: where, depends on the pieces */
    if (once.state != cut.state || once.whole != cut.whole ||
        (once.state <= SIM_HTTP_WHOLE && once.hash != cut.hash))
        abort();
    return 0;
}
