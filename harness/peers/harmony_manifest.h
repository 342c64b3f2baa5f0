/* The manifest of Microchip Harmony's OTA service: the JSON document that a device asks for, and
 * that any static server can hold. Version 3.9.1 of the original, its service and its documents,
 * is the source of all that stands here.
 *
 *   { "ota": [ entry... ] }          the last entry counts, whatever its version
 *
 *   entry          type      devices need it  what it is
 *   Version        number    yes              not 0; an update when it is greater than what runs
 *   URL            string    yes              absolute, http: or https:, of the image file
 *   Digest         string    yes              SHA-256 of that file, 64 hex digits
 *   Signature      string    no               base64 of r || s, ECDSA P-256 over the digest
 *   EraseVer       bool      no               true: Version is to be erased from the store; URL and
 *                                             Digest are not looked at. Always written: the
 *                                             original takes its absence for the last value
 *   Patch          array     no               patches to Version, scanned from the last to the
 *                                             first
 *     BaseVersion    number  yes              of a stored image
 *     BaseVerDigest  string  yes              its SHA-256, 64 hex digits, lower case as in Digest
 *     PatchURL       string  yes              of the jojodiff patch
 *     PatchDigest    string  yes              SHA-256 of the patch
 *     TargetDigest   string  yes              SHA-256 of what it makes: the image
 *
 * Keys are matched in any case by the original; it takes the first of two equal ones. */
#ifndef NOBRICK_HARNESS_PEERS_HARMONY_MANIFEST_H
#define NOBRICK_HARNESS_PEERS_HARMONY_MANIFEST_H

#include "agent/image/harmony.h"

#define HARMONY_MANIFEST_PATH "/ota.json"
#define HARMONY_MANIFEST_TYPE "application/json"
#define HARMONY_MANIFEST_MAX  1990u /* bytes that a device of the original can read */
#define HARMONY_URL_MAX       99u   /* characters of a URL that it can keep */

struct cJSON;

struct harmony_patch {
    uint32_t base_version;
    uint8_t base_digest[CRYPTO_SHA256_SIZE];
    const char *url;
    uint8_t digest[CRYPTO_SHA256_SIZE];        /* of the patch */
    uint8_t target_digest[CRYPTO_SHA256_SIZE]; /* of what it makes */
};

struct harmony_entry {
    uint32_t version;
    bool erase;      /* the rest is not used */
    const char *url; /* of the image; it and the patches are the caller's */
    uint8_t digest[CRYPTO_SHA256_SIZE];
    bool is_signed;
    uint8_t signature[IMG_RS_SIZE]; /* r || s */
    const struct harmony_patch *patches;
    size_t patch_count;
};

/* The manifest with these entries in their order, as a tree; cJSON_Delete is the caller's. NULL
 * when memory runs out. */
struct cJSON *harmony_manifest(const struct harmony_entry *entries, size_t count);

/* Its text, on one line; free is the caller's. NULL when memory runs out. */
char *harmony_manifest_text(const struct cJSON *manifest);

/* What a device of the original would not do with this URL, in a few words, or NULL: it must be
 * http: or https:, short enough, without `?` and `#`, and its file must have a name with a dot. */
const char *harmony_url_trouble(const char *url);

#endif
