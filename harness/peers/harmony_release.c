#include "harness/peers/harmony_release.h"

#include "harness/files/files.h"
#include "harness/image/harmony.h"
#include "harness/image/patch.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IMAGE    (64u << 20)
#define FILE_TYPE    "application/octet-stream"
#define LEAST_FILE   4096u /* the original fetches only what is longer */
#define LAST_VERSION 99u   /* it reads its own versions wrong from there on */

/* While a release is made. */
struct maker {
    const struct harmony_plan *plan;
    struct harmony_release *out;
    struct harmony_entry entries[HARMONY_RELEASE_IMAGES];
    struct harmony_patch patches[HARMONY_RELEASE_IMAGES][HARMONY_RELEASE_BASES];
    char urls[HARMONY_RELEASE_FILES][2 * HARMONY_RELEASE_PATH];
    struct harmony_file bases[HARMONY_RELEASE_BASES]; /* not served */
    char *reason;
    size_t reason_size;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct maker *maker, int error,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(maker->reason, maker->reason_size, format, arguments);
    va_end(arguments);
    return error;
}

/* ---- names ------------------------------------------------------------------------------- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool harmony_version_of(const char *path, uint32_t *out)
{
    const char *name = name_of(path);
    char *end;
    if (name[0] != 'v' || !isdigit((unsigned char)name[1]))
        return false;
    errno = 0;
    unsigned long number = strtoul(name + 1, &end, 10);
    *out = (uint32_t)number;
    return errno == 0 && number > 0 && number <= UINT32_MAX && (*end == '.' || *end == '\0');
}

/* A name that stands in a URL as it is. */
static bool is_plain(const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("._-+~", *at) == NULL)
            return false;
    return name[0] != '\0';
}

/* ---- files ------------------------------------------------------------------------------- */

static int read_image(const struct maker *maker, const char *path, struct harmony_file *out)
{
    if (!is_plain(name_of(path)))
        return fail(maker, OTA_E_ARGUMENT, "%s: the name cannot stand in a URL", path);
    if (snprintf(out->path, sizeof out->path, "/%s", name_of(path)) >= (int)sizeof out->path)
        return fail(maker, OTA_E_NO_SPACE, "%s: the name is too long", path);
    if (nb_read_file(path, MAX_IMAGE, &out->data, &out->size) != OTA_OK)
        return fail(maker, OTA_E_IO, "%s: %s", path, strerror(errno));
    out->type = FILE_TYPE;
    return out->size > 0 ? 0 : fail(maker, OTA_E_ARGUMENT, "%s: the file is empty", path);
}

/* Takes the file over into the release; its URL. */
static int add_file(struct maker *maker, const struct harmony_file *file, const char **url)
{
    struct harmony_release *out = maker->out;
    size_t index = out->file_count++;
    out->files[index] = *file;
    for (size_t i = 0; i < index; i++)
        if (strcmp(out->files[i].path, file->path) == 0)
            return fail(maker, OTA_E_ARGUMENT, "two files would be %s", file->path);
    int length = snprintf(maker->urls[index], sizeof maker->urls[index], "%s%s", maker->plan->url,
                          file->path);
    *url = maker->urls[index];
    return length < (int)sizeof maker->urls[index]
               ? 0
               : fail(maker, OTA_E_NO_SPACE, "%s: its URL is too long", file->path);
}

static int add_image(struct maker *maker, size_t index)
{
    const struct harmony_source *source = &maker->plan->images[index];
    struct harmony_entry *entry = &maker->entries[index];
    struct harmony_file file = {0};
    struct img_row row = {0};
    int error = read_image(maker, source->path, &file);
    if (error == 0)
        error = nb_harmony_sign(file.data, file.size, maker->plan->key_path, &row, maker->reason,
                                maker->reason_size);
    if (error != 0) {
        free(file.data);
        return error;
    }
    entry->version = source->version;
    entry->is_signed = row.is_signed;
    memcpy(entry->digest, row.digest, sizeof row.digest);
    memcpy(entry->signature, row.signature, sizeof row.signature);
    entry->patches = maker->patches[index];
    return add_file(maker, &file, &entry->url);
}

/* "/v1-v2.patch" */
static int name_patch(const struct maker *maker, const struct harmony_file *base,
                      const struct harmony_file *image, char *out, size_t size)
{
    const char *from = base->path + 1;
    const char *to = image->path + 1;
    int length = snprintf(out, size, "/%.*s-%.*s.patch", (int)strcspn(from, "."), from,
                          (int)strcspn(to, "."), to);
    return length < (int)size ? 0 : fail(maker, OTA_E_NO_SPACE, "%s: the name is too long", to);
}

static bool digest(const void *data, size_t size, uint8_t out[CRYPTO_SHA256_SIZE])
{
    return EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) == 1;
}

static int add_patch(struct maker *maker, size_t index, size_t base_index)
{
    const struct harmony_file *base = &maker->bases[base_index];
    const struct harmony_file image = maker->out->files[index];
    struct harmony_entry *entry = &maker->entries[index];
    struct harmony_patch *patch = &maker->patches[index][entry->patch_count];
    struct harmony_file file = {.type = FILE_TYPE};
    if (maker->plan->bases[base_index].version == entry->version)
        return fail(maker, OTA_E_ARGUMENT, "%s: the base has the version of the image",
                    maker->plan->bases[base_index].path);
    int error = name_patch(maker, base, &image, file.path, sizeof file.path);
    if (error == 0)
        error = nb_jojodiff_make((struct nb_bytes){base->data, base->size},
                                 (struct nb_bytes){image.data, image.size}, &file.data, &file.size);
    if (error != 0)
        return error;
    patch->base_version = maker->plan->bases[base_index].version;
    memcpy(patch->target_digest, entry->digest, sizeof patch->target_digest);
    entry->patch_count++;
    bool hashed = digest(base->data, base->size, patch->base_digest) &&
                  digest(file.data, file.size, patch->digest);
    error = add_file(maker, &file, &patch->url);
    return hashed ? error : OTA_E_NO_SPACE;
}

static int add_manifest(struct maker *maker)
{
    const struct harmony_plan *plan = maker->plan;
    const struct harmony_entry erased = {.version = plan->erase, .erase = true};
    struct harmony_file file = {.type = HARMONY_MANIFEST_TYPE};
    const char *url;
    cJSON *manifest = plan->erase != 0 ? harmony_manifest(&erased, 1)
                                       : harmony_manifest(maker->entries, plan->image_count);
    char *text = manifest != NULL ? harmony_manifest_text(manifest) : NULL;
    cJSON_Delete(manifest);
    if (text == NULL)
        return OTA_E_NO_SPACE;
    snprintf(file.path, sizeof file.path, "%s", plan->manifest);
    file.data = (uint8_t *)text;
    file.size = strlen(text);
    return add_file(maker, &file, &url);
}

/* ---- releases ---------------------------------------------------------------------------- */

static int make(struct maker *maker)
{
    const struct harmony_plan *plan = maker->plan;
    int error = 0;
    for (size_t i = 0; error == 0 && i < plan->image_count; i++)
        error = add_image(maker, i);
    for (size_t i = 0; error == 0 && i < plan->base_count; i++)
        error = read_image(maker, plan->bases[i].path, &maker->bases[i]);
    for (size_t i = 0; error == 0 && i < plan->image_count; i++)
        for (size_t base = 0; error == 0 && base < plan->base_count; base++)
            error = add_patch(maker, i, base);
    return error == 0 ? add_manifest(maker) : error;
}

int harmony_release_make(const struct harmony_plan *plan, struct harmony_release *out, char *reason,
                         size_t reason_size)
{
    struct maker *maker = calloc(1, sizeof *maker);
    memset(out, 0, sizeof *out);
    snprintf(reason, reason_size, "out of memory");
    if (maker == NULL)
        return OTA_E_NO_SPACE;
    maker->plan = plan;
    maker->out = out;
    maker->reason = reason;
    maker->reason_size = reason_size;
    int error = make(maker);
    for (size_t i = 0; i < HARMONY_RELEASE_BASES; i++)
        free(maker->bases[i].data);
    free(maker);
    if (error != 0)
        harmony_release_free(out);
    return error;
}

void harmony_release_free(struct harmony_release *release)
{
    for (size_t i = 0; i < release->file_count; i++)
        free(release->files[i].data);
    release->file_count = 0;
}

bool harmony_release_trouble(const struct harmony_plan *plan, const struct harmony_release *release,
                             char *line, size_t size)
{
    char url[3 * HARMONY_RELEASE_PATH];
    for (size_t i = 0; i < release->file_count; i++) {
        const struct harmony_file *file = &release->files[i];
        bool is_manifest = i + 1 == release->file_count;
        snprintf(url, sizeof url, "%s%s", plan->url, file->path);
        const char *trouble = is_manifest ? NULL : harmony_url_trouble(url);
        if (trouble == NULL && !is_manifest && file->size <= LEAST_FILE)
            trouble = "has 4096 bytes or less, which is never fetched to its end";
        if (trouble == NULL && is_manifest && file->size > HARMONY_MANIFEST_MAX)
            trouble = "has more than the 1990 bytes that are read";
        if (trouble == NULL)
            continue;
        snprintf(line, size, "%s %s", url, trouble);
        return true;
    }
    for (size_t i = 0; i < plan->image_count; i++)
        if (plan->images[i].version > LAST_VERSION) {
            snprintf(line, size, "version %u is read wrong: up to 99 are not",
                     plan->images[i].version);
            return true;
        }
    return false;
}
