/* The network of one run: broker, HTTP servers, the cloud side on both, and a fault proxy in front
 * of each where the script has a fault of the network. The same in every world and for every system
 * (net.c), but for what the servers are made of (struct nb_servers) and whose cloud stands on them
 * (struct nb_side). For harness/run and the throughput bench. */
#ifndef NOBRICK_HARNESS_RUN_NET_H
#define NOBRICK_HARNESS_RUN_NET_H

#include "harness/faults/proxy.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/peers/peer.h"
#include "harness/run/kit.h"
#include "sim/world.h"

struct nb_door {
    struct nb_proxy *proxy; /* NULL: the device talks to the server itself */
    uint16_t port;          /* where the device knocks; 0: there is no such server */
    bool tls;
};

struct nb_net;
struct nb_side;
struct nb_offered;

/* What a world's servers are made of. All with a reason when they fail; what was started is stopped
 * whatever comes of it. */
struct nb_servers {
    /* A broker with a plain port, and a TLS port unless net->tls is NONE (0 then).
     * OTA_E_UNSUPPORTED when a program is missing. */
    int (*broker)(struct nb_net *net, struct nb_kit *kit, uint16_t *port, uint16_t *tls_port,
                  char reason[NB_LINE]);
    /* The cloud side's own connection to the plain port; its events go to nb_net_cloud_event. */
    int (*client)(struct nb_net *net, const struct mqtt_port **out);
    /* An HTTP server, plain or with TLS. */
    int (*server)(struct nb_net *net, struct nb_kit *kit, bool tls,
                  const struct nb_peer_server **out, char reason[NB_LINE]);
    /* Somebody else's server program with a plain and a TLS port, for `conformance` scripts; its
     * log goes to net->line. OTA_E_UNSUPPORTED where there is none. */
    int (*real_server)(struct nb_net *net, struct nb_kit *kit, uint16_t ports[2],
                       char reason[NB_LINE]);
    /* What that server serves at `path` from now on; NULL: nothing. */
    int (*serve)(struct nb_net *net, const char *path, const void *data, size_t size);
    /* A port on which nobody listens, for as long as the run lasts. */
    int (*closed_port)(struct nb_net *net, uint16_t *port);
    void (*stop)(struct nb_net *net);
    /* So many look-ups of names find nothing; how many did so far, since it was last set. NULL:
     * not in this world. */
    void (*fail_names)(struct nb_net *net, uint32_t count);
    uint32_t (*names_failed)(const struct nb_net *net);
    /* Moves the clock ahead; NULL: not in this world. `context` is the net. */
    void (*jump)(void *net, uint32_t ms);
};

struct nb_net {
    const struct sim_world *world;
    const struct nb_servers *makers;
    void *own;                                     /* the makers' */
    void (*line)(void *context, const char *text); /* of cloud and proxies */
    void *context;
    enum nb_link via;               /* of the device's first connection */
    enum nb_link data;              /* what the job says, unless the offer says otherwise */
    bool offers[NB_LINK_HTTPS + 1]; /* some offer of the script is there */
    enum nb_tls tls;
    bool by_name;         /* hosts are called localhost: some look-up is to fail */
    bool names_armed;     /* … in the present step */
    uint16_t broker_port; /* plain, for the cloud side; 0: there is no broker */
    const struct nb_side *side;
    void *cloud; /* the side's */
    bool real;   /* somebody else's server is in the place of ours */
    struct nb_door broker;
    struct nb_door server[2]; /* plain, TLS */
    uint32_t offered_size;    /* bytes that a device fetches of what is on offer; 0: nothing */
    uint16_t closed_port;
    uint64_t traffic; /* bytes to the device in the last device step */
};

/* Whose cloud the device gets, and what the cell says of links and TLS. OTA_E_ARGUMENT with a
 * reason. */
OTA_MUST_CHECK int nb_net_choose(struct nb_net *net, const struct nb_script *script,
                                 const struct nb_cell *cell, const struct sim_device *device,
                                 char reason[NB_LINE]);

/* Why this fault cannot be played in this cell, or NULL. Static. */
const char *nb_net_cannot(const struct nb_net *net, const struct nb_fault *fault);
/* Why the step is none for this cloud, in any cell, or NULL. Static. */
const char *nb_net_not_for(const struct nb_net *net, const struct nb_script *script,
                           const struct nb_step *step);

/* Starts everything; nb_net_choose came before. OTA_E_UNSUPPORTED when a program is missing; with a
 * reason. What was started is there to be stopped whatever comes of it. */
OTA_MUST_CHECK int nb_net_start(struct nb_net *net, const struct nb_script *script,
                                const struct nb_cell *cell, const struct sim_device *device,
                                char reason[NB_LINE]);
void nb_net_stop(struct nb_net *net);

/* What a `cloud …` line offers from now on (side.h). With a reason where it can be told. */
OTA_MUST_CHECK int nb_net_offer(struct nb_net *net, const struct nb_offered *offered,
                                char reason[NB_LINE]);

/* Arms a fault of network or cloud for the next device step. */
OTA_MUST_CHECK int nb_net_arm(struct nb_net *net, const struct nb_step *step);

/* A line of the device, for faults that only it can see. */
void nb_net_device_line(struct nb_net *net, const char *text);

/* The device step is over: faults that never fired (word of one of them), and the traffic. */
size_t nb_net_end_step(struct nb_net *net, const char **word);

/* An event of the cloud side's connection. `context` is the net. */
void nb_net_cloud_event(void *context, const struct ota_event *event);

/* The certificates that the servers show, when they speak TLS at all. */
enum nb_tls nb_net_tls(const struct nb_net *net);

/* Where the device's own HTTP server is: the door, or NULL. */
const struct nb_door *nb_net_home_server(const struct nb_net *net);
/* The device's first connection goes by HTTP. */
bool nb_net_via_http(const struct nb_net *net);

/* ---- for cloud sides ----------------------------------------------------------------------- */

/* The name or address by which the device finds all servers. */
const char *nb_net_host(const struct nb_net *net);
/* The byte of the image that the fault's place speaks of. */
uint32_t nb_net_fault_at(const struct nb_net *net, const struct nb_fault *fault);
/* What the cloud side knows of devices: anycloud_cloud.h; zeros where it knows nothing. */
void nb_net_memory(const struct nb_net *net, struct anycloud_memory *out);
void nb_net_recall(struct nb_net *net, const struct anycloud_memory *memory);

#endif
