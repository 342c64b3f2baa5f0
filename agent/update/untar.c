#include "agent/update/untar.h"

#include "agent/protocol/json_arena.h"

#include <string.h>

#define LIST_NAME "components.json"

enum { /* a header block: offset and size of the fields that count */
       AT_NAME = 0,
       AT_SIZE = 124,
       SIZE_LENGTH = 12,
       AT_CHECKSUM = 148,
       CHECKSUM_LENGTH = 8,
       AT_TYPE = 156,
       AT_MAGIC = 257,
       AT_PREFIX = 345,
       PREFIX_LENGTH = 155,
};

static int fail(struct ota_untar *untar, int error, const char *fault)
{
    untar->state = OTA_UNTAR_FAILED;
    untar->error = error;
    untar->fault = fault;
    return error;
}

bool ota_untar_is_tar(const void *data, size_t length)
{
    return length >= AT_MAGIC + 5 && memcmp((const uint8_t *)data + AT_MAGIC, "ustar", 5) == 0;
}

void ota_untar_init(struct ota_untar *untar, const struct ota_untar_sink *sink, uint8_t *buffer)
{
    memset(untar, 0, sizeof *untar);
    untar->sink = *sink;
    untar->buffer = buffer;
}

/* ---- headers ----------------------------------------------------------------------------- */

/* Octal digits, spaces allowed before them, a NUL or space after them if there is room for one, and
 * nothing but such behind. False: it is not that, or larger than 32 bits. */
static bool read_octal(const uint8_t *field, size_t length, uint32_t *out)
{
    size_t at = 0;
    uint64_t value = 0;
    while (at < length && field[at] == ' ')
        at++;
    size_t first = at;
    for (; at < length && field[at] >= '0' && field[at] <= '7'; at++) {
        value = value << 3 | (uint64_t)(field[at] - '0');
        if (value > UINT32_MAX)
            return false;
    }
    if (at == first)
        return false;
    for (; at < length; at++)
        if (field[at] != 0 && field[at] != ' ')
            return false;
    *out = (uint32_t)value;
    return true;
}

/* The sum of the header's bytes, those of the checksum taken as spaces. */
static uint32_t header_sum(const uint8_t *header)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < OTA_TAR_BLOCK; i++) {
        bool own = i >= AT_CHECKSUM && i < AT_CHECKSUM + CHECKSUM_LENGTH;
        sum += own ? (uint32_t)' ' : header[i];
    }
    return sum;
}

static bool is_zero(const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (data[i] != 0)
            return false;
    return true;
}

/* What is wrong with a header in itself; NULL: nothing, its size is in *size. */
static const char *header_fault(const uint8_t *header, uint32_t *size)
{
    uint32_t sum;
    if (memcmp(header + AT_MAGIC, "ustar", 5) != 0)
        return "magic of a header";
    if (!read_octal(header + AT_CHECKSUM, CHECKSUM_LENGTH, &sum) || sum != header_sum(header))
        return "checksum of a header";
    if (header[AT_TYPE] != '0' && header[AT_TYPE] != 0)
        return "a member is no regular file";
    if (memchr(header + AT_NAME, 0, OTA_TAR_NAME_MAX) == NULL || header[AT_PREFIX] != 0)
        return "a name is too long";
    if (!read_octal(header + AT_SIZE, SIZE_LENGTH, size))
        return "size of a member";
    return NULL;
}

static int begin_image(struct ota_untar *untar, uint32_t size)
{
    if (untar->complete)
        return fail(untar, OTA_E_ARCHIVE, "a member is not in the list");
    if (strcmp((const char *)untar->buffer, untar->name) != 0)
        return fail(untar, OTA_E_ARCHIVE, "name of a member");
    if (size != untar->size)
        return fail(untar, OTA_E_ARCHIVE, "a member is not as large as listed");
    int error = untar->sink.begin(untar->sink.context, &untar->version, size);
    if (error != 0)
        return fail(untar, error, "not wanted");
    untar->left = size;
    untar->state = OTA_UNTAR_IMAGE;
    return 0;
}

/* A whole block is in the buffer, where a header or the end is due. */
static int take_header(struct ota_untar *untar)
{
    uint32_t size = 0;
    untar->used = 0;
    if (is_zero(untar->buffer, OTA_TAR_BLOCK)) {
        if (!untar->complete)
            return fail(untar, OTA_E_ARCHIVE, "the archive ends before the image");
        untar->zeros++;
        if (untar->zeros == 2)
            untar->state = OTA_UNTAR_END;
        return 0;
    }
    if (untar->zeros != 0)
        return fail(untar, OTA_E_ARCHIVE, "something follows the end");
    const char *fault = header_fault(untar->buffer, &size);
    if (fault != NULL)
        return fail(untar, OTA_E_ARCHIVE, fault);
    if (untar->listed)
        return begin_image(untar, size);
    if (strcmp((const char *)untar->buffer, LIST_NAME) != 0)
        return fail(untar, OTA_E_ARCHIVE, "the first member is not " LIST_NAME);
    if (size == 0 || size > OTA_TAR_LIST_MAX)
        return fail(untar, OTA_E_ARCHIVE, "size of " LIST_NAME);
    untar->left = size;
    untar->state = OTA_UNTAR_LIST;
    return 0;
}

/* ---- the list ---------------------------------------------------------------------------- */

/* The member's text of fewer than `room` bytes. NULL: it is missing, no string, or longer. */
static const char *text_of(const cJSON *object, const char *name, size_t room)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    return text != NULL && strnlen(text, room) < room ? text : NULL;
}

static bool read_number(const cJSON *object, const char *name, uint32_t limit, uint32_t *out)
{
    const char *text = text_of(object, name, OTA_TAR_TEXT_MAX);
    const char *end = text != NULL ? json_read_decimal(text, limit, out) : NULL;
    return end != NULL && *end == 0;
}

/* One entry of `files`. NULL, or what is wrong; *supported says whether it is that. */
static const char *take_entry(struct ota_untar *untar, const cJSON *entry, bool first,
                              bool *supported)
{
    const char *name = text_of(entry, "fileName", OTA_TAR_NAME_MAX);
    const char *type = text_of(entry, "fileType", OTA_TAR_TEXT_MAX);
    if (name == NULL || name[0] == 0)
        return "fileName";
    bool is_list = strcmp(name, LIST_NAME) == 0;
    if (is_list && first && (type == NULL || strcmp(type, "component_list") == 0))
        return NULL;
    if (is_list || type == NULL)
        return "fileType";
    if (strcmp(type, "NSPE") != 0) {
        *supported = false;
        return "fileType is not of this device";
    }
    if (untar->name[0] != 0)
        return "two images";
    if (!read_number(entry, "fileSize", UINT32_MAX, &untar->size) || untar->size == 0)
        return "fileSize";
    memcpy(untar->name, name, strlen(name) + 1);
    return NULL;
}

static const char *take_document(struct ota_untar *untar, const cJSON *root, bool *supported)
{
    const cJSON *files = cJSON_GetObjectItem(root, "files");
    const cJSON *entry;
    uint32_t count;
    uint32_t seen = 0;
    if (!read_number(root, "numberOfComponents", OTA_TAR_FILES, &count))
        return "numberOfComponents";
    if (!json_read_version(text_of(root, "version", OTA_TAR_TEXT_MAX), &untar->version))
        return "version";
    if (!cJSON_IsArray(files))
        return "files";
    cJSON_ArrayForEach(entry, files)
    {
        const char *fault = take_entry(untar, entry, seen == 0, supported);
        if (fault != NULL)
            return fault;
        seen++;
    }
    if (seen != count)
        return "numberOfComponents";
    return untar->name[0] == 0 ? "no image" : NULL;
}

/* The whole list is in the buffer. */
static int take_list(struct ota_untar *untar)
{
    cJSON *root;
    bool supported = true;
    int error = json_read(untar->buffer, untar->used, JSON_DEPTH_FLAT, &root);
    if (error != 0)
        return fail(untar, OTA_E_ARCHIVE, LIST_NAME " is no JSON object, or too rich");
    const char *fault = take_document(untar, root, &supported);
    json_release();
    if (fault != NULL)
        return fail(untar, supported ? OTA_E_ARCHIVE : OTA_E_UNSUPPORTED, fault);
    untar->listed = true;
    return 0;
}

/* ---- the stream -------------------------------------------------------------------------- */

/* A member's last byte was taken: the rest of its block follows. */
static void end_member(struct ota_untar *untar, uint32_t size)
{
    untar->used = 0;
    untar->left = (OTA_TAR_BLOCK - size % OTA_TAR_BLOCK) % OTA_TAR_BLOCK;
    untar->state = untar->left != 0 ? OTA_UNTAR_PADDING : OTA_UNTAR_HEADER;
}

static int take_bytes(struct ota_untar *untar, const uint8_t *data, uint32_t length)
{
    int error;
    switch (untar->state) {
    case OTA_UNTAR_HEADER:
        memcpy(untar->buffer + untar->used, data, length);
        untar->used += length;
        return untar->used == OTA_TAR_BLOCK ? take_header(untar) : 0;
    case OTA_UNTAR_LIST:
        memcpy(untar->buffer + untar->used, data, length);
        untar->used += length;
        untar->left -= length;
        error = untar->left == 0 ? take_list(untar) : 0;
        if (error == 0 && untar->left == 0)
            end_member(untar, untar->used);
        return error;
    case OTA_UNTAR_IMAGE:
        error = untar->sink.data(untar->sink.context, data, length);
        if (error != 0)
            return fail(untar, error, "not taken");
        untar->left -= length;
        untar->complete = untar->left == 0;
        if (untar->complete)
            end_member(untar, untar->size);
        return 0;
    case OTA_UNTAR_PADDING:
        untar->left -= length;
        untar->state = untar->left == 0 ? OTA_UNTAR_HEADER : OTA_UNTAR_PADDING;
        return 0;
    case OTA_UNTAR_END:
        return is_zero(data, length) ? 0 : fail(untar, OTA_E_ARCHIVE, "something follows the end");
    case OTA_UNTAR_FAILED:
    default:
        return untar->error;
    }
}

/* How much of `length` belongs together in the present state. */
static uint32_t portion(const struct ota_untar *untar, size_t length)
{
    uint32_t most = OTA_TAR_BLOCK;
    if (untar->state == OTA_UNTAR_HEADER)
        most = OTA_TAR_BLOCK - untar->used;
    else if (untar->state != OTA_UNTAR_END)
        most = untar->left;
    return length < most ? (uint32_t)length : most;
}

int ota_untar_write(struct ota_untar *untar, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    int error = untar->error;
    while (error == 0 && length > 0) {
        uint32_t part = portion(untar, length);
        error = take_bytes(untar, bytes, part);
        bytes += part;
        length -= part;
        untar->position += part;
    }
    return error;
}

int ota_untar_skip(struct ota_untar *untar, uint32_t length)
{
    if (untar->error != 0)
        return untar->error;
    if (untar->state != OTA_UNTAR_IMAGE)
        return OTA_E_BUSY;
    if (length > untar->left)
        return OTA_E_ARGUMENT;
    untar->position += length;
    untar->left -= length;
    untar->complete = untar->left == 0;
    if (untar->complete)
        end_member(untar, untar->size);
    return 0;
}

int ota_untar_finish(struct ota_untar *untar)
{
    if (untar->error != 0)
        return untar->error;
    if (untar->state != OTA_UNTAR_END)
        return fail(untar, OTA_E_ARCHIVE, "the archive is not whole");
    return 0;
}
