#include "harness/peers/harmony_manifest.h"

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE64_SIZE (4 * ((IMG_RS_SIZE + 2) / 3) + 1)

/* ---- fields -------------------------------------------------------------------------------- */

static bool add_number(cJSON *object, const char *key, uint32_t value)
{
    return cJSON_AddNumberToObject(object, key, value) != NULL;
}

static bool add_digest(cJSON *object, const char *key, const uint8_t digest[CRYPTO_SHA256_SIZE])
{
    char text[2 * CRYPTO_SHA256_SIZE + 1];
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return cJSON_AddStringToObject(object, key, text) != NULL;
}

static bool add_signature(cJSON *object, const uint8_t signature[IMG_RS_SIZE])
{
    unsigned char text[BASE64_SIZE];
    EVP_EncodeBlock(text, signature, IMG_RS_SIZE);
    return cJSON_AddStringToObject(object, "Signature", (const char *)text) != NULL;
}

/* ---- entries ------------------------------------------------------------------------------- */

static bool add_patch(cJSON *list, const struct harmony_patch *patch)
{
    cJSON *object = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, object)) {
        cJSON_Delete(object);
        return false;
    }
    return add_number(object, "BaseVersion", patch->base_version) &&
           add_digest(object, "BaseVerDigest", patch->base_digest) &&
           cJSON_AddStringToObject(object, "PatchURL", patch->url) != NULL &&
           add_digest(object, "PatchDigest", patch->digest) &&
           add_digest(object, "TargetDigest", patch->target_digest);
}

static bool add_patches(cJSON *object, const struct harmony_entry *entry)
{
    if (entry->patch_count == 0)
        return true;
    cJSON *list = cJSON_AddArrayToObject(object, "Patch");
    bool good = list != NULL;
    for (size_t i = 0; good && i < entry->patch_count; i++)
        good = add_patch(list, &entry->patches[i]);
    return good;
}

static bool add_image(cJSON *object, const struct harmony_entry *entry)
{
    return cJSON_AddStringToObject(object, "URL", entry->url) != NULL &&
           add_digest(object, "Digest", entry->digest) &&
           (!entry->is_signed || add_signature(object, entry->signature)) &&
           cJSON_AddFalseToObject(object, "EraseVer") != NULL && add_patches(object, entry);
}

static bool add_entry(cJSON *list, const struct harmony_entry *entry)
{
    cJSON *object = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, object)) {
        cJSON_Delete(object);
        return false;
    }
    return add_number(object, "Version", entry->version) &&
           (entry->erase ? cJSON_AddTrueToObject(object, "EraseVer") != NULL
                         : add_image(object, entry));
}

cJSON *harmony_manifest(const struct harmony_entry *entries, size_t count)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *list = root != NULL ? cJSON_AddArrayToObject(root, "ota") : NULL;
    bool good = list != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = add_entry(list, &entries[i]);
    if (good)
        return root;
    cJSON_Delete(root);
    return NULL;
}

char *harmony_manifest_text(const cJSON *manifest)
{
    return cJSON_PrintUnformatted(manifest);
}

const char *harmony_url_trouble(const char *url)
{
    const char *name = strrchr(url, '/');
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return "begins with neither http:// nor https://";
    if (strlen(url) > HARMONY_URL_MAX)
        return "is longer than the 99 characters that a device keeps";
    if (strpbrk(url, "?#") != NULL)
        return "has a query, which devices leave out";
    if (strchr(name, '.') == NULL)
        return "names a file without an extension";
    return NULL;
}
