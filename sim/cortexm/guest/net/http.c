#include "sim/cortexm/guest/net/http.h"

#include "sim/cortexm/guest/net/stack.h"
#include "sim/cortexm/guest/net/stream.h"

/* Only the look-up can tell, and opening a stream begins with it. */
static bool find(void *context, const char *host)
{
    (void)context, (void)host;
    return true;
}

static void *open_end(void *context, const char *host, uint16_t port, bool tls,
                      const struct sim_stream_events *events, void *owner)
{
    (void)context;
    return net_stream_open(host, port, tls, events, owner);
}

static size_t send_on(void *end, const void *data, size_t size)
{
    return net_stream_send(end, data, size);
}

static void close_end(void *end, bool reset)
{
    net_stream_close(end, reset);
}

struct sim_http_client *net_http_new(const struct sim_http_client_config *config,
                                     void (*deliver)(void *context, const struct ota_event *event),
                                     void *context)
{
    static const struct sim_http_net net = {.time = &net_time_world,
                                            .find = find,
                                            .open = open_end,
                                            .send = send_on,
                                            .close = close_end};
    return sim_http_client_new(&net, config, deliver, context);
}
