/* Reads the header of an HTTP answer, a line or a field at a time, into a struct http_head. Strict:
 * a field that is malformed, or said twice and differently, counts as not said. */
#ifndef NOBRICK_SIM_HTTP_HEAD_H
#define NOBRICK_SIM_HTTP_HEAD_H

#include "agent/ports.h"

struct sim_http_head {
    struct http_head head;
    bool complete; /* the empty line was seen: what follows are trailers, and ignored */
    bool length_spoilt;
    bool range_spoilt;
    bool etag_spoilt;
    bool etag_said; /* of any kind */
    bool modified_spoilt;
    char modified[32];  /* Last-Modified, and … */
    int64_t modified_s; /* … in seconds since 1970 */
    int64_t date_s;     /* Date; 0: not said */
    int64_t retry_at_s; /* Retry-After, where that is a date; 0: it is none */
};

/* One line with or without its line end; not NUL-terminated. A status line starts anew. */
void sim_http_head_line(struct sim_http_head *reader, const char *line, size_t length);

/* The same for those whose library takes the lines apart: anew, then its fields,
 * then status is set and its end is told. Neither text is NUL-terminated. */
void sim_http_head_start(struct sim_http_head *reader);
void sim_http_head_field(struct sim_http_head *reader, const char *name, size_t name_length,
                         const char *value, size_t value_length);
void sim_http_head_end(struct sim_http_head *reader);

#endif
