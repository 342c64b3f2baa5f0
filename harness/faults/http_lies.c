/* Replies that no honest server sends, most of them made of the server's own: one row a kind says
 * which headers go, what comes in their place, and how much of the body. */
#include "harness/faults/proxy_link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHIFT       64 /* by so much a wrong number is wrong */
#define TOTAL_SHIFT 4096
#define FILLERS     48
#define CHUNK       1000u

/* ---- heads ------------------------------------------------------------------------------- */

/* The next line of a head, without its end. False behind the last one. */
static bool next_line(const uint8_t **at, const uint8_t *end, const char **line, size_t *length)
{
    const uint8_t *stop = *at < end ? memmem(*at, (size_t)(end - *at), "\r\n", 2) : NULL;
    if (!stop || stop == *at)
        return false;
    *line = (const char *)*at;
    *length = (size_t)(stop - *at);
    *at = stop + 2;
    return true;
}

static bool is_named(const char *line, size_t length, const char *name)
{
    size_t size = strlen(name);
    return length > size && line[size] == ':' && strncasecmp(line, name, size) == 0;
}

bool nb_http_header(const uint8_t *head, size_t size, const char *name, char *out, size_t room)
{
    const uint8_t *at = head;
    const char *line;
    size_t length;
    while (next_line(&at, head + size, &line, &length)) {
        if (!is_named(line, length, name))
            continue;
        size_t from = strlen(name) + 1;
        while (from < length && line[from] == ' ')
            from++;
        if (length - from >= room)
            return false;
        memcpy(out, line + from, length - from);
        out[length - from] = '\0';
        return true;
    }
    return false;
}

/* Copies the lines of a head, without those of these names and without the empty line. */
static bool copy_lines(const uint8_t *head, size_t size, const char *const *names,
                       struct nb_bytes *out)
{
    const uint8_t *at = head;
    const char *line;
    size_t length;
    bool good = true;
    while (good && next_line(&at, head + size, &line, &length)) {
        bool dropped = false;
        for (size_t i = 0; names[i]; i++)
            dropped = dropped || is_named(line, length, names[i]);
        if (!dropped)
            good = nb_bytes_add(out, line, length) && nb_bytes_add(out, "\r\n", 2);
    }
    return good;
}

bool nb_http_without(const uint8_t *head, size_t size, const char *const *names,
                     struct nb_bytes *out)
{
    if (copy_lines(head, size, names, out) && nb_bytes_add(out, "\r\n", 2))
        return true;
    nb_bytes_free(out);
    return false;
}

__attribute__((format(printf, 2, 3))) static bool add_line(struct nb_bytes *out, const char *format,
                                                           ...)
{
    char line[NB_REQUEST_PATH + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return nb_bytes_add(out, line, strlen(line)) && nb_bytes_add(out, "\r\n", 2);
}

bool nb_http_shift_range(const uint8_t *head, size_t size, struct nb_bytes *out)
{
    static const char *const names[] = {"range", NULL};
    char text[80];
    unsigned long long from;
    unsigned long long to;
    bool ranged = nb_http_header(head, size, "range", text, sizeof text) &&
                  sscanf(text, "bytes=%llu-%llu", &from, &to) == 2;
    if (copy_lines(head, size, names, out) &&
        (!ranged || add_line(out, "Range: bytes=%llu-%llu", from + SHIFT, to + SHIFT)) &&
        nb_bytes_add(out, "\r\n", 2))
        return true;
    nb_bytes_free(out);
    return false;
}

/* ---- replies of our own ------------------------------------------------------------------ */

/* The text with its \r \n \t \0 \\ undone. */
static bool add_unescaped(struct nb_bytes *out, const char *text)
{
    static const char from[] = "rnt0\\";
    static const char to[] = {'\r', '\n', '\t', '\0', '\\'};
    bool good = true;
    for (; good && *text; text++) {
        const char *escape = text[0] == '\\' && text[1] ? strchr(from, text[1]) : NULL;
        good = nb_bytes_add(out, escape ? &to[escape - from] : text, 1);
        text += escape ? 1 : 0;
    }
    return good;
}

bool nb_http_canned(const struct nb_fault *fault, const char *path, uint16_t port,
                    struct nb_reply *out)
{
    struct nb_bytes *bytes = &out->bytes;
    bool good;
    if (fault->kind == NB_HTTP_RAW) {
        out->close = true;
        good = add_unescaped(bytes, fault->text);
    } else if (fault->kind == NB_HTTP_STATUS) {
        good = add_line(bytes, "HTTP/1.1 %u Canned", fault->value) &&
               add_line(bytes, "Content-Length: 0\r\n");
    } else if (fault->kind == NB_HTTP_BUSY) {
        good = add_line(bytes, "HTTP/1.1 503 Busy") &&
               add_line(bytes, "Retry-After: %u", fault->value) &&
               add_line(bytes, "Content-Length: 0\r\n");
    } else {
        good = add_line(bytes, "HTTP/1.1 302 Found");
        if (good && fault->kind == NB_HTTP_REDIRECT)
            good = add_line(bytes, "Location: http://127.0.0.1:%u%s", port, path);
        else if (good && fault->kind == NB_HTTP_REDIRECT_RELATIVE)
            good = add_line(bytes, "Location: %s", path);
        good = good && add_line(bytes, "Content-Length: 0\r\n");
    }
    if (!good)
        nb_bytes_free(bytes);
    return good;
}

/* ---- the server's own, made wrong -------------------------------------------------------- */

static const char *const no_names[] = {NULL};
static const char *const length_names[] = {"content-length", NULL};
static const char *const range_names[] = {"content-range", NULL};
static const char *const etag_names[] = {"etag", "last-modified", NULL};
static const char *const connection_names[] = {"connection", NULL};

/* Which headers a kind takes out. */
static const char *const *dropped(enum nb_fault_kind kind)
{
    switch (kind) {
    case NB_HTTP_WRONG_LENGTH:
    case NB_HTTP_SHORT_BODY:
    case NB_HTTP_NO_LENGTH:
    case NB_HTTP_CHUNKED:
    case NB_HTTP_BROKEN_CHUNKS:
    case NB_HTTP_EMPTY:
        return length_names;
    case NB_HTTP_WRONG_TOTAL:
    case NB_HTTP_STAR_TOTAL:
    case NB_HTTP_NO_RANGE:
        return range_names;
    case NB_HTTP_OTHER_IMAGE:
    case NB_HTTP_ETAG_CHANGE:
        return etag_names;
    case NB_HTTP_CLOSE:
        return connection_names;
    default:
        return no_names;
    }
}

/* Content-Range, wrong as the kind says. Without one of the server's own there is nothing to twist.
 */
static bool add_range(struct nb_bytes *out, enum nb_fault_kind kind, const uint8_t *head,
                      size_t size)
{
    char text[80];
    unsigned long long from;
    unsigned long long to;
    unsigned long long total;
    if (!nb_http_header(head, size, "content-range", text, sizeof text) ||
        sscanf(text, "bytes %llu-%llu/%llu", &from, &to, &total) != 3)
        return true;
    if (kind == NB_HTTP_WRONG_TOTAL)
        return add_line(out, "Content-Range: bytes %llu-%llu/%llu", from, to, total + TOTAL_SHIFT);
    return kind == NB_HTTP_NO_RANGE || add_line(out, "Content-Range: bytes %llu-%llu/*", from, to);
}

static bool add_fillers(struct nb_bytes *out)
{
    bool good = true;
    for (int i = 0; good && i < FILLERS; i++)
        good = add_line(out, "X-Cache-Node-%02d: edge-%02d.example; hit; age=%d; via=tier", i, i,
                        3600 + i);
    return good;
}

/* The headers that a kind puts in; `body` is how many bytes will come. */
static bool added(struct nb_bytes *out, enum nb_fault_kind kind, const uint8_t *head, size_t size,
                  size_t body)
{
    switch (kind) {
    case NB_HTTP_WRONG_LENGTH:
        return add_line(out, "Content-Length: %zu", body + SHIFT);
    case NB_HTTP_SHORT_BODY:
    case NB_HTTP_EMPTY:
        return add_line(out, "Content-Length: %zu", body);
    case NB_HTTP_NO_LENGTH:
        return add_line(out, "Connection: close");
    case NB_HTTP_CHUNKED:
    case NB_HTTP_BROKEN_CHUNKS:
        return add_line(out, "Transfer-Encoding: chunked");
    case NB_HTTP_OTHER_IMAGE:
    case NB_HTTP_ETAG_CHANGE:
        return add_line(out, "ETag: %s", NB_OTHER_ETAG);
    case NB_HTTP_LONG_HEADERS:
        return add_fillers(out);
    case NB_HTTP_LOWER_CASE:
        return true;
    case NB_HTTP_CLOSE:
        return add_line(out, "Connection: close");
    default:
        return add_range(out, kind, head, size);
    }
}

static bool add_chunks(struct nb_bytes *out, const uint8_t *body, size_t size, bool broken)
{
    bool good = true;
    while (good && size) {
        size_t part = size < CHUNK ? size : CHUNK;
        bool last = part == size;
        good = (broken && last ? add_line(out, "zz%zx", part) : add_line(out, "%zx", part)) &&
               nb_bytes_add(out, body, part) && nb_bytes_add(out, "\r\n", 2);
        body += part;
        size -= part;
    }
    return good && add_line(out, "0\r\n");
}

/* Of a head: the status line, and what stands behind colons, stay as they are. */
static void lower_names(uint8_t *head, size_t size)
{
    bool name = false;
    for (size_t i = 0; i < size; i++) {
        if (head[i] == '\n')
            name = true;
        else if (head[i] == ':')
            name = false;
        else if (name && head[i] >= 'A' && head[i] <= 'Z')
            head[i] = (uint8_t)(head[i] - 'A' + 'a');
    }
}

bool nb_http_lie(const struct nb_fault *fault, const uint8_t *reply, size_t head, size_t size,
                 struct nb_reply *out)
{
    enum nb_fault_kind kind = fault->kind;
    struct nb_bytes *bytes = &out->bytes;
    size_t body = size - head;
    if (kind == NB_HTTP_SHORT_BODY || kind == NB_HTTP_NO_LENGTH)
        body /= 2;
    else if (kind == NB_HTTP_EMPTY)
        body = 0;
    bool chunks = kind == NB_HTTP_CHUNKED || kind == NB_HTTP_BROKEN_CHUNKS;
    bool good = copy_lines(reply, head, dropped(kind), bytes) &&
                added(bytes, kind, reply, head, body) && nb_bytes_add(bytes, "\r\n", 2);
    out->body = bytes->size;
    if (good && kind == NB_HTTP_LOWER_CASE)
        lower_names(bytes->data, bytes->size);
    out->close = kind == NB_HTTP_WRONG_LENGTH || kind == NB_HTTP_NO_LENGTH ||
                 kind == NB_HTTP_BROKEN_CHUNKS || kind == NB_HTTP_CLOSE;
    if (good)
        good = chunks ? add_chunks(bytes, reply + head, body, kind == NB_HTTP_BROKEN_CHUNKS)
                      : nb_bytes_add(bytes, reply + head, body);
    for (size_t i = out->body; good && kind == NB_HTTP_OTHER_IMAGE && i < bytes->size; i++)
        bytes->data[i] ^= 0x01;
    if (!good)
        nb_bytes_free(bytes);
    return good;
}
