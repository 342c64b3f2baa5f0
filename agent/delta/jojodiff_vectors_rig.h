/* The patches that jojodiff 0.7 (and 0.8.5, where it differs) makes for changes to the 1,024 bytes
 * of golden/jojodiff-source.bin: for the tests of decoder and encoder. */
#ifndef NOBRICK_AGENT_DELTA_JOJODIFF_VECTORS_RIG_H
#define NOBRICK_AGENT_DELTA_JOJODIFF_VECTORS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOURCE       1024u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static uint8_t source[SOURCE];

static int set_up(void **state)
{
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/golden/jojodiff-source.bin",
             getenv("NOBRICK_DATA") != NULL ? getenv("NOBRICK_DATA") : "scenarios");
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(source, 1, SOURCE, file) != SOURCE)
        return -1;
    fclose(file);
    return 0;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t size = 0;
    for (unsigned byte; *hex != '\0';) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[size++] = (uint8_t)byte;
        hex += 2;
    }
    return size;
}

struct edit {
    uint32_t at;
    uint32_t drop;
    const char *insert; /* hex */
};

static const struct vector {
    struct edit edit;
    const char *patch;
    const char *later; /* 0.8.5's; NULL: the same */
} vectors[] = {
    {{.at = 0}, "a7a3fd0400", NULL},
    {{.at = 300, .insert = "a7a3"}, "a7a3fc2f a7a5a7a7a3 a7a3fd02d4", NULL},
    {{.at = 300, .insert = "a7a741"}, "a7a3fc2f a7a5a7a7a741 a7a3fd02d4", NULL},
    {{.at = 500, .drop = 1, .insert = "a7"},
     "a7a3fcf7 a7a6a7a7 a7a3fd020b",
     "a7a3fcf7 a7a7 a7a3fd020b"},
    {{.at = 300, .drop = 252}, "a7a3fc2f a7a4fb a7a3fcdb", NULL},
    {{.at = 300, .drop = 253}, "a7a3fc2f a7a4fc00 a7a3fcda", NULL},
    {{.at = 300, .drop = 509}, "a7a3fc2f a7a4fd01fd a7a3d6", NULL},
    {{.at = SOURCE, .insert = "a7"}, "a7a3fd0400 a7a5a7a7", NULL},
    {{.at = SOURCE, .insert = "a758"}, "a7a3fd0400 a7a5a758", NULL},
    {{.at = 400, .drop = SOURCE - 400}, "a7a3fc93", NULL},
    {{.at = 300, .drop = 6, .insert = "274c12bd4bdd"},
     "a7a3fc2f a7a6274c12bd4bdd a7a3fd02ce",
     "a7a3fc2f 27 a7a303 dd a7a3fd02ce"},
};

static uint32_t apply_edit(const struct edit *edit, uint8_t *target)
{
    uint8_t piece[16];
    uint32_t inserted = edit->insert != NULL ? (uint32_t)from_hex(edit->insert, piece) : 0;
    uint32_t tail = SOURCE - edit->at - edit->drop;
    memcpy(target, source, edit->at);
    memcpy(target + edit->at, piece, inserted);
    memcpy(target + edit->at + inserted, source + edit->at + edit->drop, tail);
    return edit->at + inserted + tail;
}

#endif
