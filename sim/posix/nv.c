#include "sim/posix/nv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room in the path for the suffix of the new file. */
#define SUFFIX ".new"

static int nv_get(void *context, uint32_t *value)
{
    const struct posix_nv *nv = context;
    char text[16];
    FILE *file = fopen(nv->path, "re");
    if (file == NULL && errno == ENOENT) {
        *value = 0;
        return OTA_OK;
    }
    if (file == NULL)
        return OTA_E_IO;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || strcmp(end, "\n") != 0 || text[0] == '-' || errno != 0 ||
        number > UINT32_MAX)
        return OTA_E_IO;
    *value = (uint32_t)number;
    return OTA_OK;
}

static int write_synced(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return OTA_E_IO;
    bool good = write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
    return close(fd) == 0 && good ? OTA_OK : OTA_E_IO;
}

/* Makes the renaming durable. */
static int sync_directory(const char *path)
{
    char directory[sizeof((struct posix_nv *)0)->path];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        strcpy(directory, ".");
    else
        slash[slash == directory] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return OTA_E_IO;
    int result = fsync(fd) == 0 ? OTA_OK : OTA_E_IO;
    close(fd);
    return result;
}

static int nv_raise(void *context, uint32_t value)
{
    struct posix_nv *nv = context;
    uint32_t present;
    int result = nv_get(nv, &present);
    if (result != OTA_OK || value <= present)
        return result;
    char text[16];
    char fresh[sizeof nv->path + sizeof SUFFIX];
    int length = snprintf(text, sizeof text, "%u\n", value);
    snprintf(fresh, sizeof fresh, "%s" SUFFIX, nv->path);
    result = write_synced(fresh, text, (size_t)length);
    if (result == OTA_OK && rename(fresh, nv->path) != 0)
        result = OTA_E_IO;
    if (result != OTA_OK) {
        unlink(fresh);
        return result;
    }
    return sync_directory(nv->path);
}

int posix_nv_init(struct posix_nv *nv, const char *path)
{
    int n = snprintf(nv->path, sizeof nv->path, "%s", path);
    nv->port = (struct nv_port){nv, nv_get, nv_raise};
    return n >= 0 && (size_t)n < sizeof nv->path ? OTA_OK : OTA_E_NO_SPACE;
}
