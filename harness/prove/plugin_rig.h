/* For tests: plugins built with the machine's compiler, in a directory that goes with the test. */
#ifndef NOBRICK_HARNESS_PROVE_PLUGIN_RIG_H
#define NOBRICK_HARNESS_PROVE_PLUGIN_RIG_H

#include "harness/cli/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RIG_PATH 512

static char rig_dir[] = "/tmp/nobrick-plugin-XXXXXX";

static int rig_open(void **state)
{
    (void)state;
    return mkdtemp(rig_dir) == NULL;
}

static int rig_close(void **state)
{
    char command[RIG_PATH];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", rig_dir);
    return system(command);
}

/* Writes `text` into the file of that name. */
static inline void rig_write(const char *name, const char *text, char path[RIG_PATH])
{
    snprintf(path, RIG_PATH, "%s/%s", rig_dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Compiles the source at `from` into NAME.so, as the page of plugins says. */
static inline void rig_compile(const char *from, const char *name, char path[RIG_PATH])
{
    char command[3 * RIG_PATH];
    snprintf(path, RIG_PATH, "%s/%s.so", rig_dir, name);
    snprintf(command, sizeof command, "cc -shared -fPIC -g -I %s/../harness/prove -o %s %s",
             nb_data_dir(), path, from);
    if (system(command) != 0)
        fail_msg("does not compile: %s", command);
}

/* The one in scenarios/plugin, and its device file. */
static inline void rig_example(const char *name, char path[RIG_PATH], char device[RIG_PATH])
{
    char from[RIG_PATH];
    snprintf(from, sizeof from, "%s/plugin/%s.c", nb_data_dir(), name);
    snprintf(device, RIG_PATH, "%s/plugin/%s.device", nb_data_dir(), name);
    rig_compile(from, name, path);
}

/* A plugin of that text, behind the include of plugin.h. */
static inline void rig_plugin(const char *name, const char *text, char path[RIG_PATH])
{
    char source[RIG_PATH];
    char file[64];
    char *whole = malloc(strlen(text) + 64);
    assert_non_null(whole);
    sprintf(whole, "#include \"plugin.h\"\n%s", text);
    snprintf(file, sizeof file, "%s.c", name);
    rig_write(file, whole, source);
    free(whole);
    rig_compile(source, name, path);
}

#endif
