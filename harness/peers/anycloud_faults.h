/* Faults of the AnyCloud cloud side: armed, and fired by the first thing that they fit. The cloud
 * (anycloud_cloud.h) owns a list of them, plays each as it fires and says so. */
#ifndef NOBRICK_HARNESS_PEERS_ANYCLOUD_FAULTS_H
#define NOBRICK_HARNESS_PEERS_ANYCLOUD_FAULTS_H

#include "agent/ports.h"

#include <stddef.h>
#include <stdint.h>

#define ANYCLOUD_ARMED 16 /* at once */

/* Each armed fault is consumed by the first thing it fits; `count` times. */
enum anycloud_fault_kind {
    ANYCLOUD_DROP_CHUNK,    /* chunk `index` is not sent */
    ANYCLOUD_REPEAT_CHUNK,  /* chunk `index` is sent twice */
    ANYCLOUD_REVERSE,       /* chunks are sent last first */
    ANYCLOUD_CORRUPT_CHUNK, /* one payload byte of chunk `index` is flipped */
    ANYCLOUD_RAW_CHUNK,     /* `raw` bytes are sent in place of chunk `index` */
    ANYCLOUD_PATCH_CHUNK,   /* `raw` bytes go over those at `at` of the message of chunk `index` */
    ANYCLOUD_LATE_CHUNK, /* the stream rests for `at` ms before chunk `index`; whole requests only
                          */
    ANYCLOUD_JOB_BEFORE_CHUNK, /* `raw` bytes are sent before chunk `index` */
    ANYCLOUD_RAW_JOB,          /* `raw` bytes are sent in place of the job document */
    ANYCLOUD_SILENT_JOB,       /* an availability request is not answered */
    ANYCLOUD_FAULTS
};

struct anycloud_fault {
    enum anycloud_fault_kind kind;
    uint32_t index;
    uint32_t count;
    uint32_t at;
    const uint8_t *raw; /* copied */
    size_t raw_size;
};

struct anycloud_armed {
    enum anycloud_fault_kind kind;
    uint32_t index;
    uint32_t left; /* times that it is still to fire */
    uint32_t at;
    uint8_t *raw; /* its own */
    size_t raw_size;
};

struct anycloud_faults {
    struct anycloud_armed armed[ANYCLOUD_ARMED];
    size_t count;
};

/* OTA_E_NO_SPACE: too many, or no memory. OTA_E_ARGUMENT: there is no such fault. */
OTA_MUST_CHECK int anycloud_faults_arm(struct anycloud_faults *faults,
                                       const struct anycloud_fault *fault);
/* The armed fault of that kind that fits, now fired; or NULL. Of kinds that are about a chunk only
 * the one of chunk `index` fits. Valid until faults are disarmed. */
const struct anycloud_armed *anycloud_faults_fire(struct anycloud_faults *faults,
                                                  enum anycloud_fault_kind kind, uint32_t index);
/* Those not yet fired as often as they were armed for. */
size_t anycloud_faults_unfired(const struct anycloud_faults *faults);
/* Whatever is armed is armed no more; frees what they own. */
void anycloud_faults_disarm(struct anycloud_faults *faults);

/* The word of that kind in `fault WORD INDEX`. */
const char *anycloud_fault_word(enum anycloud_fault_kind kind);

#endif
