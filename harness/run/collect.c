#include "harness/run/collect.h"
#include "harness/cli/paths.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ENDING    ".ota"
#define MAX_DEPTH 8

static int add(struct nb_paths *paths, const char *path)
{
    char **grown = realloc(paths->items, (paths->count + 1) * sizeof *grown);
    char *copy = strdup(path);
    if (grown)
        paths->items = grown;
    if (!grown || !copy) {
        free(copy);
        return OTA_E_NO_SPACE;
    }
    paths->items[paths->count++] = copy;
    return 0;
}

static bool is_script(const char *name)
{
    size_t length = strlen(name);
    return length > strlen(ENDING) && strcmp(name + length - strlen(ENDING), ENDING) == 0;
}

static int add_directory(struct nb_paths *paths, const char *path, int depth)
{
    struct dirent **entries = NULL;
    int count = depth > 0 ? scandir(path, &entries, NULL, alphasort) : 0;
    int rc = count < 0 ? OTA_E_IO : 0;
    for (int i = 0; i < count; i++) {
        char name[PATH_MAX];
        struct stat info;
        size_t length = strlen(path);
        snprintf(name, sizeof name, "%s%s%s", path, length && path[length - 1] == '/' ? "" : "/",
                 entries[i]->d_name);
        if (rc == 0 && entries[i]->d_name[0] != '.' && stat(name, &info) == 0) {
            if (S_ISDIR(info.st_mode))
                rc = add_directory(paths, name, depth - 1);
            else if (is_script(name))
                rc = add(paths, name);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int nb_paths_add(struct nb_paths *paths, const char *path)
{
    char inside[PATH_MAX];
    struct stat info;
    size_t before = paths->count;
    if (stat(path, &info) != 0) {
        snprintf(inside, sizeof inside, "%s/%s", nb_data_dir(), path);
        if (stat(inside, &info) != 0)
            return OTA_E_IO;
        path = inside;
    }
    if (!S_ISDIR(info.st_mode))
        return add(paths, path);
    int rc = add_directory(paths, path, MAX_DEPTH);
    return rc == 0 && paths->count == before ? OTA_E_NO_IMAGE : rc;
}

void nb_paths_free(struct nb_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i]);
    free(paths->items);
    memset(paths, 0, sizeof *paths);
}

void nb_path_shown(const char *path, char *out, size_t size)
{
    char real[PATH_MAX];
    char data[PATH_MAX];
    char text[PATH_MAX];
    snprintf(text, sizeof text, "%s", path);
    if (realpath(path, real) && realpath(nb_data_dir(), data)) {
        size_t length = strlen(data);
        if (strncmp(real, data, length) == 0 && real[length] == '/')
            snprintf(text, sizeof text, "%s", real + length + 1);
    }
    snprintf(out, size, "%s", text);
}
