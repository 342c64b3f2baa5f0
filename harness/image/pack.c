#include "harness/image/pack.h"

#include "agent/update/untar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_NAME "components.json"
#define BLOCK     OTA_TAR_BLOCK

static size_t blocks(size_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

static bool is_plain(const char *text, size_t room)
{
    size_t length = strnlen(text, room);
    if (length == 0 || length == room)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\/", text[i]) != NULL)
            return false;
    return true;
}

static int check_members(const struct nb_pack_member *members, size_t count)
{
    if (count > NB_PACK_MEMBERS)
        return OTA_E_NO_SPACE;
    for (size_t i = 0; i < count; i++) {
        if (!is_plain(members[i].name, OTA_TAR_NAME_MAX) ||
            !is_plain(members[i].type, OTA_TAR_TEXT_MAX) || members[i].size == 0 ||
            members[i].size > UINT32_MAX || strcmp(members[i].name, LIST_NAME) == 0)
            return OTA_E_ARGUMENT;
        for (size_t other = 0; other < i; other++)
            if (strcmp(members[i].name, members[other].name) == 0)
                return OTA_E_ARGUMENT;
    }
    return 0;
}

/* components.json. Returns its length, or OTA_E_NO_SPACE. */
static int write_list(const struct img_version *version, const struct nb_pack_member *members,
                      size_t count, char out[OTA_TAR_LIST_MAX])
{
    char *text = out;
    size_t room = OTA_TAR_LIST_MAX;
    int n = snprintf(text, room,
                     "{\"numberOfComponents\":\"%zu\",\"version\":\"%u.%u.%u\",\"files\":["
                     "{\"fileName\":\"" LIST_NAME "\",\"fileType\":\"component_list\"}",
                     count + 1, version->major, version->minor, version->revision);
    for (size_t i = 0; i <= count && n >= 0 && (size_t)n < room; i++) {
        text += n;
        room -= (size_t)n;
        if (i == count)
            n = snprintf(text, room, "]}\n");
        else
            n = snprintf(text, room,
                         ",{\"fileName\":\"%s\",\"fileType\":\"%s\",\"fileSize\":\"%zu\"}",
                         members[i].name, members[i].type, members[i].size);
    }
    if (n < 0 || (size_t)n >= room)
        return OTA_E_NO_SPACE;
    return (int)(text + n - out);
}

/* A ustar header: what is left out is zero. The time too, so that equal input gives equal bytes. */
static void write_header(uint8_t *at, const char *name, size_t size)
{
    struct {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
        char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8];
        char prefix[155], rest[12];
    } header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    char digits[32];
    unsigned sum = 0;
    _Static_assert(sizeof header == BLOCK, "a header is a block");

    memcpy(header.name, name, strlen(name));
    memcpy(header.mode, "0000644", 8);
    memcpy(header.uid, "0000000", 8);
    memcpy(header.gid, "0000000", 8);
    memcpy(header.mtime, "00000000000", 12);
    memset(header.checksum, ' ', sizeof header.checksum);
    snprintf(digits, sizeof digits, "%011zo", size);
    memcpy(header.size, digits, sizeof header.size);
    for (size_t i = 0; i < sizeof header; i++)
        sum += ((const unsigned char *)&header)[i];
    snprintf(digits, sizeof digits, "%06o", sum & 0777777u);
    memcpy(header.checksum, digits, 7);
    memcpy(at, &header, sizeof header);
}

static uint8_t *write_member(uint8_t *at, const char *name, const void *data, size_t size)
{
    write_header(at, name, size);
    memcpy(at + BLOCK, data, size);
    return at + BLOCK + blocks(size);
}

int nb_image_pack(const struct img_version *version, const struct nb_pack_member *members,
                  size_t count, uint8_t **out, size_t *size)
{
    char list[OTA_TAR_LIST_MAX];
    int error = check_members(members, count);
    int length = error == 0 ? write_list(version, members, count, list) : error;
    if (length < 0)
        return length;
    *size = BLOCK + blocks((size_t)length) + 2 * BLOCK;
    for (size_t i = 0; i < count; i++)
        *size += BLOCK + blocks(members[i].size);
    *out = calloc(1, *size);
    if (*out == NULL)
        return OTA_E_NO_SPACE;
    uint8_t *at = write_member(*out, LIST_NAME, list, (size_t)length);
    for (size_t i = 0; i < count; i++)
        at = write_member(at, members[i].name, members[i].data, members[i].size);
    return 0;
}

/* ---- looking ----------------------------------------------------------------------------- */

static int note_version(void *context, const struct img_version *version, uint32_t size)
{
    (void)size;
    *(struct img_version *)context = *version;
    return 0;
}

static int drop_bytes(void *context, const uint8_t *data, size_t length)
{
    (void)context, (void)data, (void)length;
    return 0;
}

int nb_archive_check(const uint8_t *data, size_t size, struct img_version *version,
                     const char **fault)
{
    struct ota_untar untar;
    uint8_t buffer[OTA_TAR_LIST_MAX];
    ota_untar_init(&untar, &(struct ota_untar_sink){version, note_version, drop_bytes}, buffer);
    int error = ota_untar_write(&untar, data, size);
    if (error == 0)
        error = ota_untar_finish(&untar);
    *fault = untar.fault;
    return error;
}
