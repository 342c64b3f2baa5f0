#include "harness/files/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PEM (16u << 20) /* a system's whole list of authorities is less than 1 MiB */

int nb_read_file(const char *path, size_t limit, uint8_t **data, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return OTA_E_IO;
    uint8_t *buffer = NULL;
    size_t used = 0;
    size_t room = 0;
    int reason = 0;
    while (reason == 0) {
        if (used == room) {
            room = room == 0 ? 65536 : room * 2;
            uint8_t *larger = realloc(buffer, room);
            if (larger == NULL) {
                reason = ENOMEM;
                break;
            }
            buffer = larger;
        }
        size_t n = fread(buffer + used, 1, room - used, file);
        used += n;
        if (used > limit)
            reason = EFBIG;
        else if (ferror(file))
            reason = errno != 0 ? errno : EIO;
        else if (n == 0)
            break;
    }
    fclose(file);
    if (reason != 0) {
        free(buffer);
        errno = reason;
        return OTA_E_IO;
    }
    *data = buffer;
    *size = used;
    return OTA_OK;
}

static bool has_text(const uint8_t *data, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(data + i, text, length) == 0)
            return true;
    return false;
}

int nb_check_pem(const char *verb, const char *option, const char *path)
{
    uint8_t *data = NULL;
    size_t size = 0;
    if (path == NULL)
        return OTA_OK;
    int result = nb_read_file(path, MAX_PEM, &data, &size);
    const char *why = result == OTA_OK ? "there is no PEM in it" : strerror(errno);
    if (result == OTA_OK && !has_text(data, size, "-----BEGIN "))
        result = OTA_E_IO;
    if (result != OTA_OK)
        fprintf(stderr, "nobrick %s: %s %s: %s\n", verb, option, path, why);
    free(data);
    return result;
}
