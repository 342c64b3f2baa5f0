/* Manifests of Harmony that are not as they should be, or only look so: one row a word of the
 * script's `lie=`. A lie is told of the last entry, which is the one that counts, or of the whole
 * document; all else in it is true. */
#ifndef NOBRICK_HARNESS_FAULTS_MANIFEST_LIES_H
#define NOBRICK_HARNESS_FAULTS_MANIFEST_LIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

struct nb_manifest_lie {
    const char *word;
    const char *what;
    bool of_image; /* no image can be what the manifest says: it is to be refused for what it is */
    bool of_patch; /* it needs a patch in the entry */
    /* What it is told in, one of them: the tree of the document with its last entry (false: what it
     * speaks of is not there, or there is no memory), … */
    bool (*tree)(struct cJSON *root, struct cJSON *entry);
    /* … its text of *size bytes, which may grow by one, … */
    void (*text)(char *text, size_t *size);
    /* … or the patch file, which is these bytes then, its digest being true. */
    const uint8_t *patch;
    size_t patch_size;
};

/* Row 0 is the truth, with the word "". */
extern const struct nb_manifest_lie nb_manifest_lies[];
extern const size_t nb_manifest_lie_count;

/* The row with this word, or 0. */
unsigned nb_manifest_lie_find(const char *word, size_t length);

/* Adds members to the document until its text, on one line, has `size` bytes. False: it is longer
 * than that (or there is no memory). */
bool nb_manifest_pad(struct cJSON *root, size_t size);

/* For `nobrick list faults`: a line a lie. */
void nb_manifest_lies_print(void (*line)(void *context, const char *text), void *context);

#endif
