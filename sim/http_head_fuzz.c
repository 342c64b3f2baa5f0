/* Any bytes as the header lines of an answer: what is said of them must hold together, and must not
 * depend on what lies behind a line. */
#include "sim/http_head.h"

#include <stdlib.h>
#include <string.h>

static void require(bool truth)
{
    if (!truth)
        abort();
}

/* Texts end within their room and hold what a header line can carry. */
static void check_text(const char *text, size_t size)
{
    require(memchr(text, 0, size) != NULL);
    for (; *text != '\0'; text++)
        require(*text >= ' ' && *text <= '~');
}

static void check_head(const struct sim_http_head *reader)
{
    const struct http_head *head = &reader->head;
    require(head->status == 0 || (head->status >= 100 && head->status <= 999));
    require(head->has_length || head->length == 0);
    if (head->has_range)
        require(head->from <= head->to && (!head->has_total || head->to < head->total));
    check_text(head->etag, sizeof head->etag);
    check_text(head->modified, sizeof head->modified);
    if (head->etag[0] != '\0')
        require(head->etag[strlen(head->etag) - 1] == '"');
    if (head->modified[0] != '\0')
        require(reader->complete && head->etag[0] == '\0' && strlen(head->modified) == 29);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_http_head reader = {.complete = false};
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) + 1 : size;
        /* A copy of the exact size, so that reading past its end is seen. */
        char *line = malloc(length);
        require(line != NULL);
        memcpy(line, data, length);
        sim_http_head_line(&reader, line, length);
        free(line);
        check_head(&reader);
        data += length;
        size -= length;
    }
    return 0;
}
