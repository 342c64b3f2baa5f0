/* A request of the HTTP seam: looked at, and with what it leaves to the server's place. The posix
 * world hands it to libcurl; sim_http_order_head writes it byte for byte as libcurl does then. */
#ifndef NOBRICK_SIM_HTTP_ORDER_H
#define NOBRICK_SIM_HTTP_ORDER_H

#include "sim/http_url.h"

#define SIM_HTTP_LINE    128u /* of a header field that the caller gives, without its line end */
#define SIM_HTTP_REQUEST (SIM_HTTP_PATH + SIM_HTTP_HOST + SIM_HTTP_LINE + 256u)

/* Where requests without a host go to; port 0: there is no such server. */
struct sim_http_place {
    const char *host;
    uint16_t port;
    bool tls;
};

struct sim_http_order {
    bool tls; /* as first asked: redirects must not fall back */
    struct sim_http_url url;
    char range[32];               /* "4096-8191", "4096-"; "": whole */
    char if_range[SIM_HTTP_LINE]; /* the header field; "": none */
    char *body;                   /* of a POST; malloc'ed. NULL: a GET */
};

/* OTA_E_UNSUPPORTED: no server; OTA_E_ARGUMENT: cannot be written as a request; OTA_E_NO_SPACE.
 * Afterwards, failed or not, `out` may be cleared. */
OTA_MUST_CHECK int sim_http_order_make(const struct http_request *request,
                                       const struct sim_http_place *place,
                                       struct sim_http_order *out);
void sim_http_order_clear(struct sim_http_order *order);

/* Writes request line and headers; returns their length. The body follows them. */
size_t sim_http_order_head(const struct sim_http_order *order, char out[SIM_HTTP_REQUEST]);

#endif
