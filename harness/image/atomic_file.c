#include "harness/image/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static int write_directly(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        return OTA_E_IO;
    }
    bool written = write_all(fd, data, size);
    int reason = errno;
    if (close(fd) != 0 && written) {
        return OTA_E_IO;
    }
    errno = reason;
    return written ? OTA_OK : OTA_E_IO;
}

/* The mode that open() with 0666 would give. */
static mode_t default_mode(void)
{
    mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

int nb_atomic_file_write(const char *path, const void *data, size_t size)
{
    struct stat status;
    char temporary[PATH_SIZE];
    bool exists = stat(path, &status) == 0;

    if (exists && !S_ISREG(status.st_mode)) {
        return write_directly(path, data, size);
    }
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return OTA_E_IO;
    }
    int fd = mkstemp(temporary);
    if (fd < 0) {
        return OTA_E_IO;
    }
    mode_t mode = exists ? status.st_mode & 0777 : default_mode();
    bool done = write_all(fd, data, size) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int reason = errno;
    if (close(fd) != 0 && done) {
        reason = errno;
        done = false;
    }
    if (done && rename(temporary, path) != 0) {
        reason = errno;
        done = false;
    }
    if (!done) {
        (void)unlink(temporary);
        errno = reason;
        return OTA_E_IO;
    }
    return OTA_OK;
}
