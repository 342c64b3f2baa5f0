/* Making images of Harmony's format: the block, a payload, and the row that vouches for both. */
#ifndef NOBRICK_HARNESS_IMAGE_HARMONY_H
#define NOBRICK_HARNESS_IMAGE_HARMONY_H

#include "agent/image/harmony.h"
#include "harness/image/image.h"

/* Builds the image file: the boot control block, and behind it payload, program, filler and tag as
 * the spec says; its version, key, header and counter are not used. *out is malloc'ed, the
 * caller's. On failure a one-line reason in `reason`. */
OTA_MUST_CHECK int nb_harmony_create(const struct nb_image_spec *spec, uint8_t **out, size_t *size,
                                     char *reason, size_t reason_size);

/* Fills size and digest of the image file, and the signature by the PEM private key at `key_path`
 * (NULL: unsigned); name, version and type are the caller's. */
OTA_MUST_CHECK int nb_harmony_sign(const uint8_t *image, size_t size, const char *key_path,
                                   struct img_row *row, char *reason, size_t reason_size);

#endif
