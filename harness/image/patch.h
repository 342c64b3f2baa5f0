/* Patches between two images: making them, and applying them as a device does. The format is
 * described in agent/delta/jojodiff.h; what is written here every version of jojodiff reads. */
#ifndef NOBRICK_HARNESS_IMAGE_PATCH_H
#define NOBRICK_HARNESS_IMAGE_PATCH_H

#include "agent/ports.h"

struct nb_bytes {
    const uint8_t *data;
    size_t size;
};

/* The patch that makes `target` of `source`, the same bytes for the same input. Never longer than
 * the target and its A7 bytes twice, and a few. *out is malloc'ed, the caller's.
 * OTA_E_NO_SPACE: no memory. */
OTA_MUST_CHECK int nb_jojodiff_make(struct nb_bytes source, struct nb_bytes target, uint8_t **out,
                                    size_t *size);

/* What `patch` makes of `source`; at most `limit` bytes. *out is malloc'ed, the caller's. A refusal
 * of agent/delta/jojodiff.h with *fault (static); OTA_E_NO_SPACE: no memory. */
OTA_MUST_CHECK int nb_jojodiff_apply(struct nb_bytes source, struct nb_bytes patch, size_t limit,
                                     uint8_t **out, size_t *size, const char **fault);

#endif
