/* Faults of the network, as data: what, where, when, how often. The script makes them, the proxy
 * (proxy.h) plays them. The table in fault.c has one row a kind. */
#ifndef NOBRICK_HARNESS_FAULTS_FAULT_H
#define NOBRICK_HARNESS_FAULTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nb_fault_kind {
    /* bytes: any connection, TLS too */
    NB_NET_REFUSE,     /* the listener is closed: connection refused */
    NB_NET_RESET,      /* both ends get a reset */
    NB_NET_HALF_CLOSE, /* the device reads an end of stream, and may go on sending */
    NB_NET_STALL,      /* the connection stays, nothing is forwarded any more */
    NB_NET_LATENCY,    /* value: milliseconds, both ways */
    NB_NET_RATE,       /* value: bytes a second to the device */
    NB_NET_SLICE,      /* value: bytes a write, both ways */
    NB_NET_TRUNCATE,   /* the stream ends here, and the connection is closed in order */
    NB_CLOCK_JUMP,     /* value: milliseconds that the world's clock jumps ahead */
    NB_NET_CORRUPT,    /* one byte is flipped */
    NB_NET_DNS,        /* the device's look-ups of names find nothing; no proxy plays it */
    /* packets of MQTT; value: the N-th of them in the step; times: of a doubled one, copies */
    NB_MQTT_DROP_PUBACK, /* to the device */
    NB_MQTT_DOUBLE_PUBACK,
    NB_MQTT_DROP_PUBLISH, /* to the device */
    NB_MQTT_DOUBLE_PUBLISH,
    NB_MQTT_SWAP_PUBLISH, /* to the device: it comes behind the next one */
    NB_MQTT_NO_CONNACK,
    NB_MQTT_NO_PINGRESP,
    NB_MQTT_DOUBLE_PINGRESP,
    NB_MQTT_TAKE_OVER, /* a second client with the device's client id connects to the broker */
    /* replies of HTTP: the server's own, made wrong … */
    NB_HTTP_WRONG_LENGTH,  /* Content-Length says more than comes */
    NB_HTTP_SHORT_BODY,    /* half a body, with a Content-Length to match */
    NB_HTTP_NO_LENGTH,     /* no Content-Length, and half a body */
    NB_HTTP_WRONG_RANGE,   /* other bytes than were asked for, and Content-Range says so */
    NB_HTTP_WRONG_TOTAL,   /* Content-Range says another total */
    NB_HTTP_STAR_TOTAL,    /* … or that it is unknown */
    NB_HTTP_NO_RANGE,      /* 206 without Content-Range */
    NB_HTTP_IGNORE_RANGE,  /* 200 with everything */
    NB_HTTP_CHUNKED,       /* the same in chunks: not wrong at all */
    NB_HTTP_BROKEN_CHUNKS, /* a chunk size that is none */
    NB_HTTP_EMPTY,         /* a body of no bytes */
    NB_HTTP_OTHER_IMAGE,   /* the range, but of another image, with that one's entity tag */
    NB_HTTP_ETAG_CHANGE,   /* from here on it is another image, with another entity tag */
    NB_HTTP_LONG_HEADERS,  /* 3 KiB of headers: not wrong at all */
    NB_HTTP_LOWER_CASE,    /* names of headers in small letters: not wrong at all */
    NB_HTTP_CLOSE,         /* Connection: close after each reply: not wrong at all */
    /* … or one of our own */
    NB_HTTP_STATUS,            /* value: the status */
    NB_HTTP_BUSY,              /* 503; value: seconds in Retry-After */
    NB_HTTP_REDIRECT,          /* 302 to an absolute URL, the same file */
    NB_HTTP_REDIRECT_RELATIVE, /* 302 to a path */
    NB_HTTP_REDIRECT_NOWHERE,  /* 302 without Location */
    NB_HTTP_RAW,               /* text: the whole reply; \r \n \t \\ \0 are understood */
    /* of the server itself, not of a proxy */
    NB_HTTP_EXPIRE, /* value: the status that the image's path has from now on; jobs name another */
    NB_FAULT_KINDS
};

enum nb_fault_talk { NB_TALK_BYTES, NB_TALK_MQTT, NB_TALK_HTTP };

enum nb_fault_place {
    NB_PLACE_ANY,     /* from the first connection on */
    NB_PLACE_CONNECT, /* at: the N-th connection of the step, counted from 1 */
    NB_PLACE_BODY,    /* at: bytes of the image that went to the device in the step */
};

/* Which request of HTTP. */
enum nb_fault_phase { NB_PHASE_DATA, NB_PHASE_JOB, NB_PHASE_RESULT };

/* In front of whom; NB_SIDE_DATA: of whoever sends the data. */
enum nb_fault_side { NB_SIDE_DATA, NB_SIDE_BROKER, NB_SIDE_SERVER };

#define NB_FAULT_ALWAYS UINT32_MAX

struct nb_fault {
    enum nb_fault_kind kind;
    enum nb_fault_side side;
    enum nb_fault_place place;
    uint32_t at;
    bool percent;   /* `at` is percent of the image; whoever arms the fault makes bytes of it */
    uint32_t value; /* see the kinds */
    uint32_t times; /* NB_FAULT_ALWAYS: as often as it can */
    enum nb_fault_phase phase;
    const char *text; /* outlives the fault */
};

struct nb_fault_row {
    const char *word;
    enum nb_fault_talk talk;
    bool lasts;   /* once begun it goes on, unless the script says how often */
    bool ordinal; /* value counts packets: 0 means the first */
};

extern const struct nb_fault_row nb_fault_rows[NB_FAULT_KINDS];

/* Sets the kind, and what the script left open (zeros): how often, the first packet. */
void nb_fault_complete(struct nb_fault *fault, enum nb_fault_kind kind);

#endif
