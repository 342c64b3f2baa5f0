/* What a publisher of Harmony's devices puts on a static server: images, patches between them, and
 * the manifest that names them, made of image files. Nothing of it knows a server: the files can be
 * served, or written into a directory. */
#ifndef NOBRICK_HARNESS_PEERS_HARMONY_RELEASE_H
#define NOBRICK_HARNESS_PEERS_HARMONY_RELEASE_H

#include "harness/peers/harmony_manifest.h"

#define HARMONY_RELEASE_IMAGES 4u
#define HARMONY_RELEASE_BASES  8u
#define HARMONY_RELEASE_FILES                                                                      \
    (HARMONY_RELEASE_IMAGES + HARMONY_RELEASE_IMAGES * HARMONY_RELEASE_BASES + 1)
#define HARMONY_RELEASE_PATH 160u

/* An image file and its version. */
struct harmony_source {
    const char *path;
    uint32_t version;
};

/* All texts are the caller's. */
struct harmony_plan {
    struct harmony_source images[HARMONY_RELEASE_IMAGES]; /* in the order of their entries */
    size_t image_count;
    struct harmony_source bases[HARMONY_RELEASE_BASES]; /* each image gets a patch from each */
    size_t base_count;
    uint32_t erase;       /* the manifest asks for this version to be erased, and has no image */
    const char *key_path; /* PEM private key that signs; NULL: unsigned */
    const char *url;      /* what all URLs begin with, without a / at the end */
    const char *manifest; /* its path */
};

struct harmony_file {
    char path[HARMONY_RELEASE_PATH]; /* "/v2.bin" */
    uint8_t *data;
    size_t size;
    const char *type;
};

struct harmony_release {
    struct harmony_file files[HARMONY_RELEASE_FILES]; /* images, patches; the manifest last */
    size_t file_count;
};

/* "vN.bin" and the like, with directories before it or without. False: it says no version. */
bool harmony_version_of(const char *path, uint32_t *out);

/* Makes it all. On failure a one-line reason, and nothing to free. */
OTA_MUST_CHECK int harmony_release_make(const struct harmony_plan *plan,
                                        struct harmony_release *out, char *reason,
                                        size_t reason_size);
void harmony_release_free(struct harmony_release *release);

/* The first thing that a device of the original would not get along with, in one line: what it is
 * about, and why. False: there is nothing. */
bool harmony_release_trouble(const struct harmony_plan *plan, const struct harmony_release *release,
                             char *line, size_t size);

#endif
