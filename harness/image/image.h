/* Making and showing MCUboot images: the encoder and signer side of agent/image. */
#ifndef NOBRICK_HARNESS_IMAGE_IMAGE_H
#define NOBRICK_HARNESS_IMAGE_IMAGE_H

#include "agent/image/mcuboot.h"
#include "agent/image/trailer.h"
#include "sim/app_tag.h"

#include <stdio.h>

struct nb_image_spec {
    const uint8_t *payload; /* NULL: a filler of payload_size bytes, seeded by `seed` */
    size_t payload_size;
    const uint8_t *program; /* what the filler begins with; NULL: filler only */
    size_t program_size;
    uint32_t seed;
    bool with_tag; /* put a behaviour tag into the payload (at 0x200, or 0 when small) */
    enum app_behaviour behaviour;
    struct img_version version;
    uint16_t header_size; /* 32 or more; the padding is zeros and is hashed */
    uint32_t load_addr;
    uint32_t flags;
    bool with_counter;
    uint32_t counter;
    const char *key_path; /* PEM private key; NULL: unsigned */
};

/* Builds the image. *out is malloc'ed, the caller's. On failure a one-line reason in `reason`. */
OTA_MUST_CHECK int nb_image_create(const struct nb_image_spec *spec, uint8_t **out, size_t *size,
                                   char *reason, size_t reason_size);

/* Pads an image to a whole slot, with a trailer: magic, and image_ok when confirmed. */
OTA_MUST_CHECK int nb_image_pad(const uint8_t *image, size_t size, uint32_t slot_size,
                                const struct img_trailer_format *format, uint8_t erased,
                                bool pending, bool confirmed, uint8_t **out);

/* img_check over bytes in memory. */
OTA_MUST_CHECK int nb_image_check(const uint8_t *image, size_t size, const struct img_rules *rules,
                                  struct img_info *out, struct img_fault *fault);

/* Makes a P-256 (or RSA-2048) key pair: PEM files PREFIX.pem and PREFIX.pub.pem. Test keys only. */
OTA_MUST_CHECK int nb_image_make_key(const char *prefix, enum crypto_scheme scheme);

/* The same with the P-256 key that follows from `text`: equal in every run, and no secret. */
OTA_MUST_CHECK int nb_image_derive_key(const char *prefix, const char *text);

/* Parses "1.2.3+4" (1 to 4 numbers). OTA_E_ARGUMENT otherwise. */
OTA_MUST_CHECK int nb_version_parse(const char *text, struct img_version *out);

/* The verb `nobrick image …`. Returns the exit code. */
int nb_cmd_image(int argc, char **argv);

#endif
