/* The TAR archives that scenarios offer: `tar=good`, and what can be wrong with one. */
#ifndef NOBRICK_HARNESS_RUN_TAR_H
#define NOBRICK_HARNESS_RUN_TAR_H

#include "harness/script/script.h"

/* Packs the image, announced as `version`. *out is malloc'ed, the caller's. */
OTA_MUST_CHECK int nb_tar_make(enum nb_tar kind, const struct img_version *version,
                               const uint8_t *image, uint32_t image_size, uint8_t **out,
                               uint32_t *size);

#endif
