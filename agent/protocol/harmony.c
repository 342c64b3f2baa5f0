#include "agent/protocol/harmony.h"

#include "agent/image/harmony.h"
#include "agent/protocol/json_arena.h"

#include <string.h>

#define SIGNATURE_TEXT 88u /* base64 of 64 bytes */
#define DEPTH          7u  /* of the deepest manifest that the original's tools make */

/* ---- texts ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_digest(const cJSON *item, uint8_t out[CRYPTO_SHA256_SIZE])
{
    const char *text = cJSON_GetStringValue(item);
    if (text == NULL || strlen(text) != 2 * CRYPTO_SHA256_SIZE)
        return false;
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The 64 bytes of 88 characters, of which the last two fill up. */
static bool read_signature(const cJSON *item, uint8_t out[IMG_RS_SIZE])
{
    const char *text = cJSON_GetStringValue(item);
    uint32_t bits = 0;
    size_t at = 0;
    if (text == NULL || strlen(text) != SIGNATURE_TEXT || text[86] != '=' || text[87] != '=')
        return false;
    for (size_t i = 0; i < SIGNATURE_TEXT - 2; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0 && at < IMG_RS_SIZE)
            out[at++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return true;
}

/* ---- addresses --------------------------------------------------------------------------- */

static bool same_letter(char a, char b)
{
    char lower = a >= 'A' && a <= 'Z' ? (char)(a - 'A' + 'a') : a;
    return lower == b;
}

/* What follows `scheme` (in small letters) at the beginning of the text; NULL: it is another. */
static const char *behind_scheme(const char *text, const char *scheme)
{
    for (; *scheme != 0; text++, scheme++)
        if (!same_letter(*text, *scheme))
            return NULL;
    return text;
}

static bool is_host_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '-' || c == '_';
}

/* HOST[:PORT] up to where the path begins, which *rest says. */
static int read_host(const char *text, struct ota_source *out, const char **rest)
{
    size_t length = 0;
    uint32_t port = out->connection == OTA_BY_HTTPS ? 443 : 80;
    while (is_host_letter(text[length]))
        length++;
    if (length == 0)
        return OTA_E_JOB_FIELD;
    if (length >= OTA_HOST_MAX)
        return OTA_E_NO_SPACE;
    memcpy(out->host, text, length);
    out->host[length] = 0;
    *rest = text + length;
    if (**rest == ':')
        *rest = json_read_decimal(*rest + 1, UINT16_MAX, &port);
    if (*rest == NULL || port == 0)
        return OTA_E_JOB_FIELD;
    out->port = (uint16_t)port;
    return **rest == 0 || **rest == '/' || **rest == '?' || **rest == '#' ? 0 : OTA_E_JOB_FIELD;
}

/* What a request line can carry; a fragment is the reader's own. */
static int read_path(const char *text, char out[OTA_PATH_MAX])
{
    size_t length = strcspn(text, "#");
    size_t at = 0;
    if (text[0] != '/')
        out[at++] = '/';
    if (at + length >= OTA_PATH_MAX)
        return OTA_E_NO_SPACE;
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return OTA_E_JOB_FIELD;
        out[at++] = text[i];
    }
    out[at] = 0;
    return 0;
}

int harmony_url_parse(const char *text, struct ota_source *out)
{
    const char *rest = behind_scheme(text, "https://");
    out->connection = rest != NULL ? OTA_BY_HTTPS : OTA_BY_HTTP;
    if (rest == NULL)
        rest = behind_scheme(text, "http://");
    if (rest == NULL)
        return strstr(text, "://") != NULL ? OTA_E_UNSUPPORTED : OTA_E_JOB_FIELD;
    int error = read_host(rest, out, &rest);
    return error != 0 ? error : read_path(rest, out->path);
}

static int read_url(const cJSON *item, struct ota_source *out)
{
    const char *text = cJSON_GetStringValue(item);
    return text != NULL ? harmony_url_parse(text, out) : OTA_E_JOB_FIELD;
}

/* ---- manifests --------------------------------------------------------------------------- */

static int wrong(struct ota_message *out, const char *fault, int error)
{
    out->fault = fault;
    return error;
}

static bool read_version(const cJSON *item, uint32_t *out)
{
    double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
    if (!(number >= 1 && number <= IMG_HARMONY_VERSION_MAX) || number != (double)(uint32_t)number)
        return false;
    *out = (uint32_t)number;
    return true;
}

static int read_image(const cJSON *entry, struct ota_message *out)
{
    const cJSON *signature = cJSON_GetObjectItem(entry, "Signature");
    const cJSON *patch = cJSON_GetObjectItem(entry, "Patch");
    int error = read_url(cJSON_GetObjectItem(entry, "URL"), &out->source);
    if (error != 0)
        return wrong(out, "URL", error);
    if (!read_digest(cJSON_GetObjectItem(entry, "Digest"), out->voucher.digest))
        return wrong(out, "Digest", OTA_E_JOB_FIELD);
    out->voucher.is_signed = signature != NULL;
    if (signature != NULL && !read_signature(signature, out->voucher.signature))
        return wrong(out, "Signature", OTA_E_JOB_FIELD);
    if (patch != NULL && !cJSON_IsArray(patch))
        return wrong(out, "Patch", OTA_E_JOB_FIELD);
    return 0;
}

static int read_entry(const cJSON *entry, struct ota_message *out)
{
    uint32_t number;
    const cJSON *erase = cJSON_GetObjectItem(entry, "EraseVer");
    if (!cJSON_IsObject(entry))
        return wrong(out, "ota", OTA_E_JOB_FIELD);
    if (!read_version(cJSON_GetObjectItem(entry, "Version"), &number))
        return wrong(out, "Version", OTA_E_JOB_FIELD);
    if (erase != NULL && !cJSON_IsBool(erase))
        return wrong(out, "EraseVer", OTA_E_JOB_FIELD);
    out->version = img_harmony_version(number);
    if (cJSON_IsTrue(erase)) {
        out->kind = OTA_MESSAGE_ERASE;
        return 0;
    }
    return read_image(entry, out);
}

static const cJSON *last_of(const cJSON *array)
{
    return cJSON_GetArrayItem(array, cJSON_GetArraySize(array) - 1);
}

static int read_manifest(const cJSON *root, struct ota_message *out)
{
    const cJSON *entries = cJSON_GetObjectItem(root, "ota");
    if (!cJSON_IsArray(entries))
        return wrong(out, "ota", OTA_E_JOB_FIELD);
    if (cJSON_GetArraySize(entries) == 0) {
        out->kind = OTA_MESSAGE_NO_UPDATE;
        return 0;
    }
    return read_entry(last_of(entries), out);
}

int harmony_manifest_parse(const uint8_t *data, size_t length, struct ota_message *out)
{
    cJSON *root;
    memset(out, 0, sizeof *out);
    out->kind = OTA_MESSAGE_JOB;
    int error = json_read(data, length, DEPTH, &root);
    if (error != 0)
        return wrong(out, "manifest", error);
    error = read_manifest(root, out);
    json_release();
    return error;
}

static int read_message(const struct ota_speaker *speaker, const uint8_t *data, size_t length,
                        struct ota_message *out)
{
    (void)speaker;
    return harmony_manifest_parse(data, length, out);
}

/* ---- patches ----------------------------------------------------------------------------- */

static int read_patch(const cJSON *item, struct ota_patch *out)
{
    bool good = cJSON_IsObject(item) &&
                read_version(cJSON_GetObjectItem(item, "BaseVersion"), &out->base_version) &&
                read_digest(cJSON_GetObjectItem(item, "BaseVerDigest"), out->base_digest) &&
                read_digest(cJSON_GetObjectItem(item, "PatchDigest"), out->digest) &&
                read_digest(cJSON_GetObjectItem(item, "TargetDigest"), out->target_digest);
    return good && read_url(cJSON_GetObjectItem(item, "PatchURL"), &out->source) == 0
               ? 0
               : OTA_E_JOB_FIELD;
}

int harmony_patch_parse(const uint8_t *data, size_t length, size_t from_last, struct ota_patch *out)
{
    cJSON *root;
    memset(out, 0, sizeof *out);
    int error = json_read(data, length, DEPTH, &root);
    if (error != 0)
        return error;
    const cJSON *patches = cJSON_GetObjectItem(last_of(cJSON_GetObjectItem(root, "ota")), "Patch");
    size_t count = (size_t)cJSON_GetArraySize(patches);
    error = from_last < count
                ? read_patch(cJSON_GetArrayItem(patches, (int)(count - 1 - from_last)), out)
                : OTA_E_NO_IMAGE;
    json_release();
    return error;
}

/* ---- no topics --------------------------------------------------------------------------- */

static int no_inbox(const struct ota_speaker *speaker, uint64_t nonce, char *out, size_t size)
{
    (void)speaker, (void)nonce, (void)size;
    out[0] = 0;
    return 0;
}

static int no_outbox(const struct ota_speaker *speaker, char *out, size_t size)
{
    return no_inbox(speaker, 0, out, size);
}

const struct ota_protocol ota_harmony = {
    .name = "harmony",
    .inbox = no_inbox,
    .outbox = no_outbox,
    .job_path = "/ota.json",
    .read = read_message,
    .patch = harmony_patch_parse,
};
