#include "sim/http_order.h"

#include "sim/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_http_order_clear(struct sim_http_order *order)
{
    free(order->body);
    order->body = NULL;
}

static bool put_field(const char *name, const char *value, char out[SIM_HTTP_LINE])
{
    return strpbrk(value, "\r\n") == NULL &&
           snprintf(out, SIM_HTTP_LINE, "%s: %s", name, value) < (int)SIM_HTTP_LINE;
}

static bool put_url(const struct http_request *request, const struct sim_http_place *place,
                    struct sim_http_url *out)
{
    const char *host = request->host != NULL ? request->host : place->host;
    bool bare_ipv6 = host[0] != '[' && strchr(host, ':') != NULL;
    out->tls = request->host != NULL ? request->tls : place->tls;
    out->port = request->host != NULL ? request->port : place->port;
    if (!sim_host_is_plain(host, strlen(host)) || out->port == 0 || request->path[0] != '/')
        return false;
    int length = snprintf(out->host, sizeof out->host, "%s%s%s", bare_ipv6 ? "[" : "", host,
                          bare_ipv6 ? "]" : "");
    return length < (int)sizeof out->host &&
           sim_http_path(request->path, strlen(request->path), out->path, sizeof out->path) != 0;
}

int sim_http_order_make(const struct http_request *request, const struct sim_http_place *place,
                        struct sim_http_order *out)
{
    out->body = NULL;
    out->range[0] = '\0';
    out->if_range[0] = '\0';
    if (request->host == NULL && (place->port == 0 || (request->tls && !place->tls)))
        return OTA_E_UNSUPPORTED;
    if (!put_url(request, place, &out->url) || (request->ranged && request->from > request->to) ||
        (request->if_range != NULL && !put_field("If-Range", request->if_range, out->if_range)))
        return OTA_E_ARGUMENT;
    out->tls = out->url.tls;
    if (request->ranged && request->to == UINT32_MAX)
        snprintf(out->range, sizeof out->range, "%" PRIu32 "-", request->from);
    else if (request->ranged)
        snprintf(out->range, sizeof out->range, "%" PRIu32 "-%" PRIu32, request->from, request->to);
    if (request->method != HTTP_POST)
        return OTA_OK;
    out->body = strdup(request->body != NULL ? request->body : "");
    return out->body != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

size_t sim_http_order_head(const struct sim_http_order *order, char out[SIM_HTTP_REQUEST])
{
    const struct sim_http_url *url = &order->url;
    char port[8] = "";
    char range[64] = "";
    char post[80] = "";
    if (url->port != (url->tls ? 443 : 80))
        snprintf(port, sizeof port, ":%u", url->port);
    if (order->body == NULL && order->range[0] != '\0')
        snprintf(range, sizeof range, "Range: bytes=%s\r\n", order->range);
    if (order->body != NULL)
        snprintf(post, sizeof post, "Content-Type: application/json\r\nContent-Length: %lu\r\n",
                 (unsigned long)strlen(order->body));
    return (size_t)snprintf(out, SIM_HTTP_REQUEST,
                            "%s %s HTTP/1.1\r\nHost: %s%s\r\n%sUser-Agent: nobrick\r\n"
                            "Accept: */*\r\n%s%s%s\r\n",
                            order->body != NULL ? "POST" : "GET", url->path, url->host, port, range,
                            order->if_range, order->if_range[0] != '\0' ? "\r\n" : "", post);
}
