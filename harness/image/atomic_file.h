/* Writing a whole file so that a reader sees the old content or the new, never a part. */
#ifndef NOBRICK_HARNESS_IMAGE_ATOMIC_FILE_H
#define NOBRICK_HARNESS_IMAGE_ATOMIC_FILE_H

#include "agent/ports.h"

/* Writes a temporary file beside `path` and renames it. What is not a regular file (a pipe, a
 * terminal) is written to directly. OTA_E_IO with errno set; nothing is left behind then. */
OTA_MUST_CHECK int nb_atomic_file_write(const char *path, const void *data, size_t size);

#endif
