/* Where HTTP requests go to: absolute URLs, and where a redirect leads. */
#ifndef NOBRICK_SIM_HTTP_URL_H
#define NOBRICK_SIM_HTTP_URL_H

#include "agent/ports.h"

#define SIM_HTTP_HOST 256
#define SIM_HTTP_PATH 2048

struct sim_http_url {
    bool tls; /* https, not http */
    char host[SIM_HTTP_HOST];
    uint16_t port;
    char path[SIM_HTTP_PATH]; /* with the query, as it stands in a request line */
};

/* Writes `length` bytes of a path into `out` (`size` bytes, NUL-terminated) as they are, escaped
 * what a request line cannot carry. Returns the length written; 0 when it does not fit or is empty.
 */
size_t sim_http_path(const char *path, size_t length, char *out, size_t size);

/* Reads the Location of an answer to `at`: an absolute URL, or what stands relative to it (RFC 3986
 * section 5). A fragment is dropped. OTA_E_UNSUPPORTED: of another scheme than http and https;
 * OTA_E_ARGUMENT: anything else that is no URL, does not fit, or names a user. */
OTA_MUST_CHECK int sim_http_url_follow(const struct sim_http_url *at, const char *location,
                                       struct sim_http_url *out);

#endif
