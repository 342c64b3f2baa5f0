/* Parts of `nobrick image` run as a user runs them, in a directory of their own: for the tests. */
#ifndef NOBRICK_HARNESS_IMAGE_CMD_RIG_H
#define NOBRICK_HARNESS_IMAGE_CMD_RIG_H

#include "harness/files/files.h"
#include "harness/image/image.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/nobrick-image-XXXXXX";

static inline int enter(void **state)
{
    char data[PATH_MAX];
    const char *given = getenv("NOBRICK_DATA");
    (void)state;
    if (given != NULL && (realpath(given, data) == NULL || setenv("NOBRICK_DATA", data, 1) != 0))
        return -1;
    return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static inline int leave(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* Runs the words; what they print goes into the file "said". */
static inline int run(const char *words)
{
    char buffer[400];
    char *argv[24] = {(char *)"image"};
    int argc = 1;
    snprintf(buffer, sizeof buffer, "%s", words);
    for (char *save = NULL, *word = strtok_r(buffer, " ", &save); word != NULL && argc < 23;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    fflush(stdout);
    fflush(stderr);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    FILE *said = fopen("said", "w");
    assert_non_null(said);
    assert_true(dup2(fileno(said), STDOUT_FILENO) >= 0 && dup2(fileno(said), STDERR_FILENO) >= 0);
    int code = nb_cmd_image(argc, argv);
    fflush(stdout);
    fflush(stderr);
    assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
    (void)close(out);
    (void)close(err);
    (void)fclose(said);
    return code;
}

static inline void put(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline bool said(const char *text)
{
    uint8_t *data;
    size_t size;
    char whole[2000];
    assert_int_equal(nb_read_file("said", sizeof whole - 1, &data, &size), 0);
    memcpy(whole, data, size);
    whole[size] = '\0';
    free(data);
    return strstr(whole, text) != NULL;
}

#endif
