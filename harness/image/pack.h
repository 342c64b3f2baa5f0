/* Making TAR archives of images, as AnyCloud devices take them (agent/update/untar.h reads them):
 * components.json first, then the images, POSIX ustar, the same bytes for the same input. And
 * looking at them. */
#ifndef NOBRICK_HARNESS_IMAGE_PACK_H
#define NOBRICK_HARNESS_IMAGE_PACK_H

#include "agent/image/mcuboot.h"

#define NB_PACK_MEMBERS 7u /* besides the list */

struct nb_pack_member {
    const char *name; /* as in the archive: printable ASCII, no quote, backslash or slash */
    const char *type; /* "NSPE": the device's image; "SPE": another core's */
    const uint8_t *data;
    size_t size;
};

/* Builds the archive. *out is malloc'ed, the caller's. OTA_E_ARGUMENT: a name or type that cannot
 * be in one, or a name twice; OTA_E_NO_SPACE: too many members, too long a list. */
OTA_MUST_CHECK int nb_image_pack(const struct img_version *version,
                                 const struct nb_pack_member *members, size_t count, uint8_t **out,
                                 size_t *size);

/* Reads an archive as a device does that takes one image. 0: *version is what its list says. Else
 * an error, and *fault (static) says what is wrong; NULL: nothing more than the error's text. */
OTA_MUST_CHECK int nb_archive_check(const uint8_t *data, size_t size, struct img_version *version,
                                    const char **fault);

#endif
