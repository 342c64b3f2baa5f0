/* The Range header of an HTTP request. Any text may be passed. */
#ifndef NOBRICK_HARNESS_PEERS_HTTP_RANGE_H
#define NOBRICK_HARNESS_PEERS_HTTP_RANGE_H

#include <stdint.h>

enum nb_http_range {
    NB_RANGE_WHOLE,         /* none asked, not understood, or several: the server may ignore it */
    NB_RANGE_PART,          /* bytes [from, to] of `size` */
    NB_RANGE_UNSATISFIABLE, /* nothing of it lies in `size` bytes; `from` is what was asked */
};

/* Reads "bytes=FROM-TO", "bytes=FROM-" or "bytes=-LAST" (NULL: no header). */
enum nb_http_range nb_http_range_parse(const char *text, uint64_t size, uint64_t *from,
                                       uint64_t *to);

#endif
