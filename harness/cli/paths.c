#include "harness/cli/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

const char *nb_executable(void)
{
    static char path[PATH_SIZE];
    if (path[0] == '\0') {
        ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
        path[n > 0 ? n : 0] = '\0';
    }
    return path;
}

/* The directory of the executable with `suffix` appended. */
static void beside_executable(const char *suffix, char *out, size_t size)
{
    const char *executable = nb_executable();
    const char *slash = strrchr(executable, '/');
    int length = slash != NULL ? (int)(slash - executable) : 0;
    snprintf(out, size, "%.*s%s", length, executable, suffix);
}

const char *nb_data_dir(void)
{
    static char path[PATH_SIZE];
    const char *given = getenv("NOBRICK_DATA");
    if (given != NULL && given[0] != '\0')
        return given;
    if (path[0] != '\0')
        return path;
    beside_executable("/../scenarios", path, sizeof path);
    if (!is_directory(path)) {
        char installed[PATH_SIZE];
        beside_executable("/../share/nobrick", installed, sizeof installed);
        if (is_directory(installed))
            memcpy(path, installed, sizeof path);
    }
    return path;
}

const char *nb_parts_dir(void)
{
    static char path[PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s/parts", nb_data_dir());
    return path;
}

int nb_device_path(const char *name, char *out, size_t size)
{
    bool as_given = strchr(name, '/') != NULL || is_file(name);
    int n = as_given ? snprintf(out, size, "%s", name)
                     : snprintf(out, size, "%s/devices/%s.device", nb_data_dir(), name);
    if (n < 0 || (size_t)n >= size)
        return OTA_E_NO_SPACE;
    return is_file(out) ? OTA_OK : OTA_E_IO;
}

int nb_device_load(const char *verb, const char *name, struct sim_device *out)
{
    char path[PATH_SIZE];
    int result = nb_device_path(name, path, sizeof path);
    if (result == OTA_E_IO && strchr(name, '/') == NULL) {
        fprintf(stderr,
                "nobrick %s: no device file and no preset is named '%s' (nobrick list devices)\n",
                verb, name);
        return result;
    }
    if (result == OTA_E_NO_SPACE) {
        fprintf(stderr, "nobrick %s: path of the device is too long\n", verb);
        return result;
    }
    struct flash_text_error error = {0};
    result = sim_device_load(path, nb_parts_dir(), out, &error);
    if (result != OTA_OK && error.line == 0)
        fprintf(stderr, "nobrick %s: %s: %s\n", verb, path, error.message);
    else if (result != OTA_OK)
        fprintf(stderr, "nobrick %s: %s:%u:%u: %s\n", verb, path, error.line, error.column,
                error.message);
    return result;
}
