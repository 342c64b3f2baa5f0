/* The AnyCloud cloud side: what a publisher does for a device.
 *
 * Stands on the mqtt and clock seams like the agent does, so it serves real devices over a real
 * broker today and simulated ones in process later. It survives any message: what it cannot
 * understand it reports and drops. Sessions (topic, version offered, sender position) are kept per
 * unique topic; the newest request of a topic replaces the one before. */
#ifndef NOBRICK_HARNESS_PEERS_ANYCLOUD_CLOUD_H
#define NOBRICK_HARNESS_PEERS_ANYCLOUD_CLOUD_H

#include "agent/ports.h"
#include "harness/peers/anycloud_documents.h"
#include "harness/peers/anycloud_faults.h"

struct anycloud_cloud;

struct anycloud_offer {
    const uint8_t *image; /* owned by the caller for as long as it is offered; NULL: no update */
    uint32_t size;
    struct img_version version; /* announced (major.minor.revision) */
    char board[64];
    uint32_t chunk_size; /* 4096 */
    /* What the job says of the place where the image is; all zero: the broker that brings it. */
    enum anycloud_connection connection;
    char host[256];
    uint16_t port;
    char file[256]; /* over HTTP; "": ANYCLOUD_FILE */
};

#define ANYCLOUD_FILE "/ota-update.bin"

/* Writes the job document for that offer; `board` when the offer names none, `topic` NULL: none.
 * Returns its length, or OTA_E_NO_SPACE. */
OTA_MUST_CHECK int anycloud_offer_document(const struct anycloud_offer *offer, const char *message,
                                           const char *board, const struct img_version *version,
                                           const char *topic, char *out, size_t size);

/* What the cloud saw and did, as a line for logs and scenario `expect`s:
 *   connected | closed REASON | available VERSION TOPIC | offered VERSION TOPIC | no-update TOPIC
 *   direct TOPIC | request TOPIC | chunk INDEX OFFSET SIZE | chunk-request OFFSET SIZE | sent TOPIC
 *   result success TOPIC | result failure TOPIC | fault WORD INDEX | header patched INDEX
 *   bad WHY */
typedef void (*anycloud_observer)(void *context, const char *line);

struct anycloud_cloud *anycloud_cloud_new(const struct mqtt_port *mqtt,
                                          const struct clock_port *clock, const char *topic_prefix,
                                          const char *board, anycloud_observer observer,
                                          void *context);
void anycloud_cloud_free(struct anycloud_cloud *cloud);
/* Feed MQTT and timer events here. */
void anycloud_cloud_event(struct anycloud_cloud *cloud, const struct ota_event *event);
OTA_MUST_CHECK int anycloud_cloud_start(struct anycloud_cloud *cloud);
void anycloud_cloud_offer(struct anycloud_cloud *cloud, const struct anycloud_offer *offer);
OTA_MUST_CHECK int anycloud_cloud_fault(struct anycloud_cloud *cloud,
                                        const struct anycloud_fault *fault);
/* Faults armed and not yet fired. */
size_t anycloud_cloud_unfired(const struct anycloud_cloud *cloud);
/* Whatever is armed is armed no more. */
void anycloud_cloud_disarm(struct anycloud_cloud *cloud);
bool anycloud_cloud_ready(const struct anycloud_cloud *cloud); /* connected and subscribed */

/* What the cloud side knows of devices when none is there and all that was asked for is sent: the
 * version that it last offered on each topic. Nothing else outlives a conversation. In the order of
 * topics; unused entries are zeros. */
#define ANYCLOUD_SESSIONS 16

struct anycloud_memory {
    struct anycloud_remembered {
        char topic[ANYCLOUD_TOPIC];
        bool offered;
        struct img_version version;
    } topics[ANYCLOUD_SESSIONS];
};

void anycloud_cloud_memory(const struct anycloud_cloud *cloud, struct anycloud_memory *out);
/* Another cloud side of the same device remembered this. Before anything happens. */
void anycloud_cloud_recall(struct anycloud_cloud *cloud, const struct anycloud_memory *memory);

/* The verb `nobrick cloud …`. Returns the exit code. */
int nb_cmd_cloud(int argc, char **argv);

#endif
