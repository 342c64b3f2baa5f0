/* Files that a command line names. */
#ifndef NOBRICK_HARNESS_FILES_FILES_H
#define NOBRICK_HARNESS_FILES_FILES_H

#include "agent/ports.h"

/* Reads a whole file into malloc'ed memory. OTA_E_IO with errno set (EFBIG beyond `limit`). */
OTA_MUST_CHECK int nb_read_file(const char *path, size_t limit, uint8_t **data, size_t *size);

/* The file can be read and holds something in PEM. NULL: none was named, and that is well. Else
 * prints the one line `nobrick VERB: OPTION FILE: why` and returns OTA_E_IO. */
OTA_MUST_CHECK int nb_check_pem(const char *verb, const char *option, const char *path);

#endif
