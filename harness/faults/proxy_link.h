/* The proxy's insides: connections, lanes and armed faults. Private to harness/faults.
 *
 * A link is one connection of the device and the one to the real server that belongs to it. It has
 * two lanes; what a lane reads goes through the parser of its protocol, which forwards it, changed
 * or not. A link that is over is marked dead and freed when nobody works on it any more. */
#ifndef NOBRICK_HARNESS_FAULTS_PROXY_LINK_H
#define NOBRICK_HARNESS_FAULTS_PROXY_LINK_H

#include "harness/faults/proxy.h"

#define NB_ARMED 16

enum nb_way { NB_TO_SERVER, NB_TO_DEVICE };

struct nb_bytes {
    uint8_t *data;
    size_t size;
    size_t room;
};

struct nb_armed {
    struct nb_fault fault;
    uint32_t left; /* times it still strikes */
    bool fired;
};

struct nb_segment {
    struct nb_segment *next;
    uint64_t due;
    size_t size;
    size_t sent;
    uint8_t data[];
};

struct nb_lane {
    struct nb_segment *first;
    struct nb_segment *last;
    size_t queued;
    struct nb_bytes held; /* read, and not yet understood */
    bool paused;          /* too much is queued: not read from */
    bool full;            /* the target has no room: `writable` will come */
    bool ended;           /* its source has ended, or we end it: pass the end on when all is sent */
    bool shut;            /* … done */
};

#define NB_REQUEST_PATH 512 /* as long as any device's, with its NUL */

/* What the HTTP parser knows of a link. */
struct nb_exchange {
    uint64_t request_left; /* bytes of the request's body still to come */
    bool swallow;          /* … and to be dropped */
    enum nb_fault_phase phase;
    char path[NB_REQUEST_PATH];
    struct nb_armed *lie; /* for the reply; NULL: none */
    bool in_body;
    bool counts;         /* the body is data */
    uint64_t reply_left; /* of the body; UINT64_MAX: to the end of the stream */
};

struct nb_link {
    struct nb_link *next;
    struct nb_proxy *proxy;
    uint32_t number; /* of the step, from 1 */
    struct sim_stream *device;
    struct sim_stream *server;
    bool served;             /* the connection to the server is there */
    struct nb_lane lanes[2]; /* by nb_way */
    bool blind;              /* not understood any more: bytes go through as they are */
    bool stalled;
    bool silenced; /* nothing more goes to the device */
    bool deaf;     /* nothing more of the device is sent on */
    bool dead;
    char client_id[128];     /* MQTT */
    struct nb_bytes overdue; /* … a PUBLISH that waits for the next one to go ahead */
    struct nb_armed *swap;   /* … and why; NULL: none waits */
    struct nb_exchange http;
};

struct nb_proxy {
    struct nb_proxy_config config;
    struct sim_clock *clock;
    bool ticking; /* the timer is armed, … */
    uint64_t tick_at;
    struct sim_listener *listener; /* NULL: closed */
    uint16_t port;
    struct sim_stream *taker; /* takes over a client id; NULL: nobody does */
    struct nb_armed *taking;
    char taken_id[128];
    struct nb_link *links;
    struct nb_armed armed[NB_ARMED];
    size_t armed_count;
    struct nb_proxy_traffic traffic;
    uint32_t packets[16]; /* of MQTT to the device in this step, by type */
    bool rated;           /* the rate has begun; its allowance: … */
    uint64_t rate_at;     /* … up to when it is counted, … */
    uint64_t allowance;   /* … and thousandths of bytes */
    int working;          /* depth of callbacks: no link is freed meanwhile */
};

/* ---- bytes (proxy_link.c) ---------------------------------------------------------------- */

/* Appends; false when memory runs out. */
bool nb_bytes_add(struct nb_bytes *bytes, const void *data, size_t size);
/* Drops the first bytes. */
void nb_bytes_drop(struct nb_bytes *bytes, size_t size);
void nb_bytes_free(struct nb_bytes *bytes);

/* ---- links (proxy_link.c) ---------------------------------------------------------------- */

/* Begins a link between the device's stream, which it takes over, and the server. NULL: no memory;
 * the stream is closed then. */
struct nb_link *nb_link_begin(struct nb_proxy *proxy, struct sim_stream *device);
/* Queues bytes as they are, and sends what may be sent now. */
void nb_link_put(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size);
/* The same towards the device, with bytes of the image at [from, from + count) of them: counts
 * them, and plays the faults whose place lies there. May flip a byte. */
void nb_link_forward(struct nb_link *link, uint8_t *data, size_t size, size_t from, size_t count);
/* Takes bytes that came from the lane's source. */
void nb_link_take(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size);
/* Sends what may be sent now, and passes ends on. */
void nb_link_pump(struct nb_link *link);
/* Ends the lane in order when all is sent. */
void nb_link_end(struct nb_link *link, enum nb_way way);
void nb_link_kill(struct nb_link *link, bool reset);
/* Frees a dead link. */
void nb_link_free(struct nb_link *link);
/* Strikes: does to the link what a fault of the bytes says. */
void nb_link_strike(struct nb_link *link, struct nb_armed *armed);
/* When the link wants to be pumped next; UINT64_MAX: something must happen first. */
uint64_t nb_link_due(struct nb_link *link);

/* ---- armed faults (proxy.c) -------------------------------------------------------------- */

/* The fault has struck once: it says so with `detail`. */
__attribute__((format(printf, 3, 4))) void
nb_proxy_fired(struct nb_proxy *proxy, struct nb_armed *armed, const char *detail, ...);
/* The first armed fault of a kind that lasts and has begun for this link, or NULL. */
struct nb_armed *nb_proxy_lasting(struct nb_link *link, enum nb_fault_kind kind);
/* Closes the listener exactly while the next connection is to be refused. */
void nb_proxy_update(struct nb_proxy *proxy);
/* Begins to take over the link's client id. */
void nb_proxy_take_over(struct nb_link *link, struct nb_armed *armed);
/* Around all that the world calls: frees the links that are over meanwhile, and arms the timer. */
void nb_proxy_enter(struct nb_proxy *proxy);
void nb_proxy_leave(struct nb_proxy *proxy);

/* ---- parsers (mqtt_packets.c, http_replies.c, http_lies.c) ------------------------------- */

/* Both eat what they understand of the lane's held bytes. */
void nb_mqtt_eat(struct nb_link *link, enum nb_way way);
void nb_http_eat(struct nb_link *link, enum nb_way way);

/* The lane's source has ended: a reply without a length is over. */
void nb_http_source_ended(struct nb_link *link);

/* The entity tag of an image that has changed. */
#define NB_OTHER_ETAG "\"another-image\""

/* A reply as it goes to the device. */
struct nb_reply {
    struct nb_bytes bytes;
    size_t body; /* offset of the body in them */
    bool close;  /* end the connection behind it */
};

/* Makes a reply of our own (status, redirects, raw). False when memory runs out. */
bool nb_http_canned(const struct nb_fault *fault, const char *path, uint16_t port,
                    struct nb_reply *out);
/* Makes a wrong reply of the server's whole one: `head` bytes of head, then the body. */
bool nb_http_lie(const struct nb_fault *fault, const uint8_t *reply, size_t head, size_t size,
                 struct nb_reply *out);
/* Copies a head without the headers of these names (NULL-terminated, lower case). */
bool nb_http_without(const uint8_t *head, size_t size, const char *const *names,
                     struct nb_bytes *out);
/* Copies a request's head, asking for bytes a little further on. */
bool nb_http_shift_range(const uint8_t *head, size_t size, struct nb_bytes *out);
/* The value of a header of a head, as text; false when it is not there. */
bool nb_http_header(const uint8_t *head, size_t size, const char *name, char *out, size_t room);

#endif
