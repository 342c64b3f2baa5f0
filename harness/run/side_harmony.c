/* Harmony's cloud side in a run: a manifest, images and patches as files on the run's HTTP servers.
 */
#include "harness/faults/manifest_lies.h"
#include "harness/peers/file_host.h"
#include "harness/peers/harmony_manifest.h"
#include "harness/run/side.h"

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES   4
#define FILE_TYPE "application/octet-stream"

/* One entry of the manifest, and the texts that it points to. */
struct entry {
    struct harmony_entry what;
    const uint8_t *image; /* its bytes; the kit's */
    char url[FILE_HOST_PATH];
    struct harmony_patch patches[NB_BASES];
    char patch_urls[NB_BASES][128];
};

struct side {
    struct file_host *hosts[2]; /* plain, TLS */
    struct entry entries[ENTRIES];
    size_t count;
    bool lies; /* in the last entry */
};

/* ---- files ------------------------------------------------------------------------------- */

/* Has the file served at `path` from now on, by all servers that there are. */
static int put(struct nb_net *net, const char *path, const void *data, size_t size,
               const char *type)
{
    const struct side *side = net->cloud;
    int rc = 0;
    for (int tls = 0; rc == 0 && tls < 2; tls++)
        if (side->hosts[tls])
            rc = file_host_put(side->hosts[tls], path, data, size, type);
    if (rc == 0 && net->real)
        rc = net->makers->serve(net, path, data, size);
    return rc;
}

/* "http://127.0.0.1:4711" of the server that has the data. */
static void print_origin(const struct nb_net *net, const struct nb_image *image, char *out,
                         size_t size)
{
    enum nb_link link = image->connection ? image->connection : net->data;
    bool tls = link == NB_LINK_HTTPS;
    snprintf(out, size, "http%s://%s:%u", tls ? "s" : "", nb_net_host(net),
             image->port_closed ? net->closed_port : net->server[tls].port);
}

/* ---- entries ----------------------------------------------------------------------------- */

/* The path of the image, made longer until its URL has the length that was asked for: by a
 * directory, so that its name stays what it is. */
static int choose_path(const struct nb_image *image, const char *origin, char *out, size_t size,
                       char reason[NB_LINE])
{
    char name[NB_WORD + 16];
    if (image->path[0])
        snprintf(name, sizeof name, "%s", image->path);
    else
        snprintf(name, sizeof name, "/v%u.bin", image->number);
    size_t length = strlen(origin) + strlen(name);
    size_t more = image->url_length > length ? image->url_length - length : 0;
    if (image->url_length && more < 2 && length != image->url_length) {
        snprintf(reason, NB_LINE, "a URL of %u characters is too short for %s%s", image->url_length,
                 origin, name);
        return OTA_E_ARGUMENT;
    }
    if (more == 0)
        return snprintf(out, size, "%s", name) < (int)size ? 0 : OTA_E_NO_SPACE;
    if (more + strlen(name) >= size)
        return OTA_E_NO_SPACE;
    out[0] = '/';
    memset(out + 1, 'x', more - 1);
    snprintf(out + more, size - more, "%s", name);
    return 0;
}

/* Every file has a path of its own. */
static int check_path(const struct side *side, const struct entry *entry, const char *path,
                      char reason[NB_LINE])
{
    bool taken = strcmp(path, HARMONY_MANIFEST_PATH) == 0;
    for (size_t i = 0; i < side->count; i++)
        taken = taken || (side->entries[i].image != entry->image &&
                          strcmp(side->entries[i].url, entry->url) == 0);
    if (taken)
        snprintf(reason, NB_LINE, "%.100s is another file already: expected file=", path);
    return taken ? OTA_E_ARGUMENT : 0;
}

static int read_row(const struct nb_blob *blob, struct img_row *row, char reason[NB_LINE])
{
    int rc = img_row_decode(blob->row, row);
    if (rc)
        snprintf(reason, NB_LINE, "this image has no place in a store");
    return rc;
}

/* The patch from the i-th base, as a file and in the entry. */
static int add_patch(struct nb_net *net, const struct nb_offered *offered, size_t i,
                     const char *origin, struct entry *entry, char reason[NB_LINE])
{
    const struct nb_manifest_lie *lie = &nb_manifest_lies[offered->image->lie];
    struct harmony_patch *patch = &entry->patches[i];
    struct img_row base;
    char path[NB_WORD];
    struct nb_bytes file = offered->patches[i];
    int rc = read_row(&offered->sources[i], &base, reason);
    if (rc)
        return rc;
    if (lie->patch)
        file = (struct nb_bytes){lie->patch, lie->patch_size};
    snprintf(path, sizeof path, "/v%u-v%u.patch", offered->bases[i].number, offered->image->number);
    snprintf(entry->patch_urls[i], sizeof entry->patch_urls[i], "%s%s", origin, path);
    patch->url = entry->patch_urls[i];
    patch->base_version = base.version;
    memcpy(patch->base_digest, base.digest, sizeof patch->base_digest);
    memcpy(patch->target_digest, entry->what.digest, sizeof patch->target_digest);
    if (EVP_Digest(file.data, file.size, patch->digest, NULL, EVP_sha256(), NULL) != 1)
        return OTA_E_NO_SPACE;
    net->offered_size = (uint32_t)file.size;
    return put(net, path, file.data, file.size, FILE_TYPE);
}

static int describe(struct nb_net *net, const struct nb_offered *offered, struct entry *entry,
                    char reason[NB_LINE])
{
    char origin[64];
    char path[FILE_HOST_PATH];
    struct img_row row;
    const struct nb_image *image = offered->image;
    print_origin(net, image, origin, sizeof origin);
    int rc = read_row(offered->blob, &row, reason);
    if (rc == 0)
        rc = choose_path(image, origin, path, sizeof path, reason);
    if (rc)
        return rc;
    entry->image = offered->blob->data;
    if (snprintf(entry->url, sizeof entry->url, "%s%s", origin, path) >= (int)sizeof entry->url)
        return OTA_E_NO_SPACE;
    rc = check_path(net->cloud, entry, path, reason);
    if (rc == 0)
        rc = put(net, path, offered->blob->data, offered->blob->size, FILE_TYPE);
    if (rc)
        return rc;
    entry->what = (struct harmony_entry){.version = row.version,
                                         .url = entry->url,
                                         .is_signed = row.is_signed,
                                         .patches = entry->patches,
                                         .patch_count = image->base_count};
    memcpy(entry->what.digest, row.digest, sizeof row.digest);
    memcpy(entry->what.signature, row.signature, sizeof row.signature);
    net->offered_size = offered->blob->size;
    for (size_t i = 0; rc == 0 && i < image->base_count; i++)
        rc = add_patch(net, offered, i, origin, entry, reason);
    return rc;
}

/* ---- the manifest ------------------------------------------------------------------------ */

/* The lies of the last entry that are told in the tree, and its size. */
static int twist(cJSON *manifest, const struct nb_image *image, char reason[NB_LINE])
{
    const struct nb_manifest_lie *lie = &nb_manifest_lies[image->lie];
    cJSON *list = cJSON_GetObjectItemCaseSensitive(manifest, "ota");
    cJSON *entry = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
    if (lie->tree && !lie->tree(manifest, entry)) {
        snprintf(reason, NB_LINE, "lie=%s: there is nothing in the manifest to tell it of",
                 lie->word);
        return OTA_E_ARGUMENT;
    }
    if (image->manifest_size && !nb_manifest_pad(manifest, image->manifest_size)) {
        snprintf(reason, NB_LINE, "the manifest is longer than manifest=%u", image->manifest_size);
        return OTA_E_ARGUMENT;
    }
    return 0;
}

static int publish_text(struct nb_net *net, const cJSON *manifest, const struct nb_image *image)
{
    char *text = harmony_manifest_text(manifest);
    size_t size = text ? strlen(text) : 0;
    char *room = text ? realloc(text, size + 2) : NULL;
    int rc = OTA_E_NO_SPACE;
    if (room) {
        if (image && nb_manifest_lies[image->lie].text)
            nb_manifest_lies[image->lie].text(room, &size);
        rc = put(net, HARMONY_MANIFEST_PATH, room, size, HARMONY_MANIFEST_TYPE);
    }
    free(room ? room : text);
    return rc;
}

/* Puts the manifest of all entries in its place; `image` is what the last one is about, or NULL. */
static int publish(struct nb_net *net, const struct nb_image *image, char reason[NB_LINE])
{
    const struct side *side = net->cloud;
    struct harmony_entry entries[ENTRIES];
    for (size_t i = 0; i < side->count; i++)
        entries[i] = side->entries[i].what;
    cJSON *manifest = harmony_manifest(entries, side->count);
    int rc = !manifest ? OTA_E_NO_SPACE : image ? twist(manifest, image, reason) : 0;
    if (rc == 0)
        rc = publish_text(net, manifest, image);
    cJSON_Delete(manifest);
    return rc;
}

static int offer(struct nb_net *net, const struct nb_offered *offered, char reason[NB_LINE])
{
    struct side *side = net->cloud;
    if (offered->kind == NB_CLOUD_ADD && (side->lies || side->count == ENTRIES)) {
        snprintf(reason, NB_LINE, "%s",
                 side->lies ? "a lie is told of the last entry: nothing comes behind it"
                            : "there are four entries already");
        return OTA_E_ARGUMENT;
    }
    if (offered->kind != NB_CLOUD_ADD)
        side->count = 0;
    net->offered_size = 0;
    side->lies = offered->image && offered->image->lie;
    struct entry *entry = &side->entries[side->count];
    *entry = (struct entry){.what = {.erase = true}};
    int rc = 0;
    if (offered->image)
        rc = describe(net, offered, entry, reason);
    else if (offered->kind == NB_CLOUD_ERASE)
        rc = img_harmony_number(&offered->erased, &entry->what.version);
    if (rc == 0 && offered->kind != NB_CLOUD_NONE)
        side->count++;
    return rc ? rc : publish(net, offered->image, reason);
}

/* ---- life -------------------------------------------------------------------------------- */

static int start(struct nb_net *net, const struct sim_device *device, char reason[NB_LINE])
{
    (void)device;
    (void)reason;
    net->cloud = calloc(1, sizeof(struct side));
    return net->cloud ? 0 : OTA_E_NO_SPACE;
}

/* From the beginning there is a manifest, of nothing. */
static int serve(struct nb_net *net, const struct nb_peer_server *peer)
{
    struct side *side = net->cloud;
    char reason[NB_LINE];
    side->hosts[peer->tls] = file_host_new(peer, net->line, net->context);
    return side->hosts[peer->tls] ? publish(net, NULL, reason) : OTA_E_NO_SPACE;
}

static void stop(struct nb_net *net)
{
    struct side *side = net->cloud;
    if (!side)
        return;
    for (int tls = 0; tls < 2; tls++)
        file_host_free(side->hosts[tls]);
    free(side);
    net->cloud = NULL;
}

static bool is_lie(const struct nb_image *image)
{
    return nb_manifest_lies[image->lie].of_image;
}

static const char *cannot(const struct nb_script *script, const struct nb_step *step)
{
    const struct nb_image *image = step->image >= 0 ? &script->images[step->image] : NULL;
    if (step->kind >= NB_FAULT_CHUNK && step->kind <= NB_FAULT_JOB_RAW)
        return "is about messages of a broker, and Harmony's cloud has none";
    if (step->kind == NB_FAULT_NET && step->fault.kind == NB_HTTP_EXPIRE)
        return "links to Harmony's files do not expire";
    if (!image || step->kind > NB_CLOUD_NONE)
        return NULL;
    if (image->connection == NB_LINK_MQTT)
        return "needs a broker, and Harmony's cloud has none";
    if (image->has_announce || image->board[0] || image->chunk || image->tar)
        return "Harmony's manifest has no announce=, board=, chunk= or tar=";
    if (nb_manifest_lies[image->lie].of_patch && !image->base_count)
        return "this lie is about a patch: expected patch=v1";
    return NULL;
}

const struct nb_side nb_side_harmony = {
    .system = "harmony",
    .device = "harmony-small",
    .via = NB_LINK_HTTP,
    .job_path = HARMONY_MANIFEST_PATH,
    .cannot = cannot,
    .start = start,
    .serve = serve,
    .stop = stop,
    .offer = offer,
    .is_lie = is_lie,
};
