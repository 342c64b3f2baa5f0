/* The network of one run in the posix world: broker, HTTP servers, the cloud side on both, and a
 * fault proxy in front of each where the script has a fault of the network. For
 * harness/run/posix*.c and the throughput bench. */
#ifndef NOBRICK_HARNESS_RUN_POSIX_NET_H
#define NOBRICK_HARNESS_RUN_POSIX_NET_H

#include "harness/faults/proxy.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/peers/anycloud_http.h"
#include "harness/run/kit.h"
#include "harness/run/nginx.h"
#include "sim/posix/loop.h"
#include "sim/posix/mqtt.h"

struct nb_door {
    struct nb_proxy *proxy; /* NULL: the device talks to the server itself */
    uint16_t port;          /* where the device knocks; 0: there is no such server */
    bool tls;
};

struct nb_net {
    struct posix_loop *loop;
    void (*line)(void *context, const char *text); /* of cloud and proxies */
    void *context;
    enum nb_link via;               /* of the device's first connection */
    enum nb_link data;              /* what the job says, unless the offer says otherwise */
    bool offers[NB_LINK_HTTPS + 1]; /* some offer of the script is there */
    enum nb_tls tls;
    uint16_t broker_port; /* plain, for the cloud side */
    struct posix_mqtt *mqtt;
    struct posix_clock *clock;
    struct anycloud_cloud *cloud;
    struct anycloud_http *servers[2]; /* plain, TLS */
    struct nb_nginx nginx;            /* in their place, where the script wants a real server */
    struct nb_door broker;
    struct nb_door server[2];
    struct anycloud_offer offer; /* the present one */
    int closed;                  /* socket that holds closed_port, and listens to nobody */
    uint16_t closed_port;
    uint64_t traffic; /* bytes to the device in the last device step */
};

/* What the cell says of links and TLS. OTA_E_ARGUMENT with a reason. */
OTA_MUST_CHECK int nb_net_choose(struct nb_net *net, const struct nb_script *script,
                                 const struct nb_cell *cell, char reason[NB_LINE]);

/* Why this fault cannot be played in this cell, or NULL. Static. */
const char *nb_net_cannot(const struct nb_net *net, const struct nb_fault *fault);

/* Starts everything; nb_net_choose came before. OTA_E_UNSUPPORTED when a program is missing; with a
 * reason. What was started is there to be stopped whatever comes of it. */
OTA_MUST_CHECK int nb_net_start(struct nb_net *net, const struct nb_script *script,
                                const struct nb_cell *cell, const struct sim_device *device,
                                char reason[NB_LINE]);
void nb_net_stop(struct nb_net *net);

/* Offers an image from now on; NULL: none. `blob` is its bytes. */
OTA_MUST_CHECK int nb_net_offer(struct nb_net *net, const struct nb_image *image,
                                const struct nb_blob *blob, const char *board);

/* Arms a fault of the network for the next device step. */
OTA_MUST_CHECK int nb_net_arm(struct nb_net *net, const struct nb_step *step);

/* A line of the device, for faults that only it can see. */
void nb_net_device_line(struct nb_net *net, const char *text);

/* The device step is over: faults that never fired (word of one of them), and the traffic. */
size_t nb_net_end_step(struct nb_net *net, const char **word);

/* Adds the device's options for this network to `arguments`; the texts live in `room`. */
struct nb_net_arguments {
    char broker[64];
    char server[64];
    char ca[300];
    char cert[300];
    char key[300];
};
OTA_MUST_CHECK int nb_net_arguments(const struct nb_net *net, struct nb_kit *kit,
                                    struct nb_net_arguments *room, const char **arguments,
                                    size_t *count);

#endif
