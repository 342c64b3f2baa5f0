/* Finding scenario files. */
#ifndef NOBRICK_HARNESS_RUN_COLLECT_H
#define NOBRICK_HARNESS_RUN_COLLECT_H

#include "agent/ports.h"

struct nb_paths {
    char **items; /* sorted within each directory */
    size_t count;
};

/* Adds the script at `path`, or every `.ota` file below the directory there; a path that does not
 * exist is looked for in the data directory. OTA_E_IO when there is nothing, with errno;
 * OTA_E_NO_IMAGE for a directory without scripts. */
OTA_MUST_CHECK int nb_paths_add(struct nb_paths *paths, const char *path);
void nb_paths_free(struct nb_paths *paths);

/* The path below the data directory, when it lies there; else as it is. `out` may be `path`. */
void nb_path_shown(const char *path, char *out, size_t size);

#endif
