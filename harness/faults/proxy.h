/* The fault proxy: a TCP proxy on a free port of 127.0.0.1 between a device and one server on
 * loopback, which does wrong what it is told to do wrong. It stands on sim/world.h, and so it is
 * the same one in every world.
 *
 * It never blocks, and asks for a timer only while something waits for its time. Faults are armed
 * for one device step; each says that it fired with a line `fault WORD DETAIL`, and one that never
 * did is counted as unfired. A proxy that knows what is spoken (MQTT, HTTP) counts the bytes of the
 * image on their way to the device; one that does not (TLS) counts every byte to the device, and
 * plays byte faults only. */
#ifndef NOBRICK_HARNESS_FAULTS_PROXY_H
#define NOBRICK_HARNESS_FAULTS_PROXY_H

#include "harness/faults/fault.h"
#include "sim/world.h"

struct nb_proxy;

struct nb_proxy_config {
    const struct sim_world *world;
    const char *name;                         /* "broker", "server": for lines */
    uint16_t upstream;                        /* the real one's port on 127.0.0.1 */
    enum nb_fault_talk talk;                  /* NB_TALK_BYTES for TLS */
    const char *chunk_magic;                  /* MQTT: payloads that begin so carry data … */
    size_t chunk_header;                      /* … behind that many bytes */
    const char *job_path;                     /* HTTP: what is no data */
    void (*jump)(void *context, uint32_t ms); /* moves the world's clock; NULL: nobody can */
    void (*report)(void *context, const char *line);
    void *context;
};

/* What went through in the present step. */
struct nb_proxy_traffic {
    uint32_t connections;
    uint64_t to_device; /* bytes that were sent on, with all headers */
    uint64_t data;      /* bytes of the image among them */
};

/* NULL when out of memory or of ports. `config` is copied, what it points to is not and outlives
 * the proxy. */
struct nb_proxy *nb_proxy_new(const struct nb_proxy_config *config, uint16_t *port);
void nb_proxy_free(struct nb_proxy *proxy);

/* Arms a fault for the present step. OTA_E_UNSUPPORTED when this proxy cannot see what it needs,
 * OTA_E_NO_SPACE when there are too many. */
OTA_MUST_CHECK int nb_proxy_arm(struct nb_proxy *proxy, const struct nb_fault *fault);

/* Faults armed that have not fired, or not as often as they should; the word of the first into
 * `word`, which may be NULL. */
size_t nb_proxy_unfired(const struct nb_proxy *proxy, const char **word);

/* A new step: no faults, no connections, counters at zero. */
void nb_proxy_step(struct nb_proxy *proxy);

/* A refused connection leaves no trace at the one who refuses: whoever hears the device say that it
 * cannot connect tells the proxy so. */
void nb_proxy_device_gave_up(struct nb_proxy *proxy);

void nb_proxy_traffic(const struct nb_proxy *proxy, struct nb_proxy_traffic *out);

#endif
