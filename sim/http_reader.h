/* Reads HTTP/1.x messages off a byte stream: http-parser, with whole header fields, limits and the
 * interim answers (1xx) taken out. Neither head nor body is ever held whole. Bytes may come in any
 * pieces. Nothing here knows of a world. */
#ifndef NOBRICK_SIM_HTTP_READER_H
#define NOBRICK_SIM_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_http_reader;

enum sim_http_side { SIM_HTTP_REQUESTS, SIM_HTTP_ANSWERS };

/* What a message is made of, in this order; texts are not NUL-terminated. */
struct sim_http_events {
    void (*begin)(void *owner); /* also after an interim answer: forget what was before */
    void (*target)(void *owner, const char *text, size_t length); /* of a request, in pieces */
    /* Fields with more than SIM_HTTP_FIELD bytes, and trailers, are left out. */
    void (*field)(void *owner, const char *name, size_t name_length, const char *value,
                  size_t value_length);
    bool (*head)(void *owner); /* its fields are over; false: not understood (BAD_HEAD) */
    bool (*body)(void *owner, const uint8_t *data, size_t length); /* false: stop */
};

#define SIM_HTTP_FIELD 2304u

enum sim_http_state {
    SIM_HTTP_IN_HEAD, /* more is needed */
    SIM_HTTP_IN_BODY, /* more is needed */
    SIM_HTTP_WHOLE,   /* the message is complete */
    SIM_HTTP_STOPPED, /* by body() */
    SIM_HTTP_LONG_HEAD,
    SIM_HTTP_BAD_HEAD, /* not HTTP */
    SIM_HTTP_BAD_BODY, /* broken chunks */
};

/* A head has at most `max_head` bytes. NULL when memory runs out. */
struct sim_http_reader *sim_http_reader_new(enum sim_http_side side, size_t max_head,
                                            const struct sim_http_events *events, void *owner);
void sim_http_reader_free(struct sim_http_reader *reader); /* NULL is fine; not within an event */

/* Forgets what it has read: the next byte begins a message. Needed after every state but the first
 * two. */
void sim_http_reader_reset(struct sim_http_reader *reader);

/* Reads up to the end of a message; *used says how much. */
enum sim_http_state sim_http_reader_feed(struct sim_http_reader *reader, const void *data,
                                         size_t size, size_t *used);

/* The stream is over. WHOLE: so is a message that only that could end. Else where it broke off. */
enum sim_http_state sim_http_reader_end(struct sim_http_reader *reader);

/* ---- of the message, since its head is there ---------------------------------------------- */

unsigned sim_http_reader_status(const struct sim_http_reader *reader);
const char *sim_http_reader_method(const struct sim_http_reader *reader);
bool sim_http_reader_is_1_0(const struct sim_http_reader *reader);
/* Another message may follow on this connection. Only when it is WHOLE. */
bool sim_http_reader_keeps(const struct sim_http_reader *reader);

/* Anything of a message was read since the reset. */
bool sim_http_reader_began(const struct sim_http_reader *reader);
/* What is wrong with it, for people. */
const char *sim_http_reader_fault(const struct sim_http_reader *reader);

/* "Not Found"; "Status" for one that nobody knows. */
const char *sim_http_reader_phrase(unsigned status);

#endif
