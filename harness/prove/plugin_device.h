/* The device that a plugin boots: parts, areas of your names, the images, and what lies where
 * before the first boot.
 *
 * One `key value...` a line, `#` starts a comment; paths are relative to the file.
 *
 *   part NAME [SIZE]                            as in other device files; a line a chip
 *   area NAME CHIP OFFSET SIZE [read-only]      whole erase sectors
 *   old SIZE|FILE                               the image that runs now: a file, or made up
 *   new SIZE|FILE                               the one that is to run
 *   put AREA[+OFFSET] old|new|hex:BYTES|FILE    what lies there before the first boot
 *   rests old|new|old|new                       what may run in the end (default: either)
 *   case NAME                                   what follows is for this case only; what stands
 *                                               before the first case is for all
 *
 * A made-up image, all numbers little-endian:
 *
 *   | offset   | size | what                                        |
 *   | 0        | 4    | "NBIM"                                      |
 *   | 4        | 4    | SIZE: of all of it                          |
 *   | 8        | 4    | 1: old, 2: new                              |
 *   | 12       |      | bytes that look random                      |
 *   | SIZE - 4 | 4    | CRC-32 (as zlib's) of all before            |
 *
 * Owned by the caller; holds no memory. */
#ifndef NOBRICK_HARNESS_PROVE_PLUGIN_DEVICE_H
#define NOBRICK_HARNESS_PROVE_PLUGIN_DEVICE_H

#include "harness/prove/judge.h"
#include "harness/script/script.h"
#include "sim/device.h"

#define NB_PLUGIN_AREAS 8
#define NB_PLUGIN_PUTS  16
#define NB_PLUGIN_CASES 32
#define NB_PLUGIN_BYTES 32
#define NB_PLUGIN_PATH  256

enum nb_plugin_content { NB_PUT_OLD, NB_PUT_NEW, NB_PUT_BYTES, NB_PUT_FILE };

struct nb_plugin_put {
    size_t area;
    uint32_t offset;
    enum nb_plugin_content content;
    uint8_t bytes[NB_PLUGIN_BYTES];
    uint32_t size; /* of the bytes */
    char file[NB_PLUGIN_PATH];
    unsigned line;
};

struct nb_plugin_source {      /* of an image */
    uint32_t size;             /* made up */
    char file[NB_PLUGIN_PATH]; /* or this file */
    unsigned line;             /* 0: not given */
};

struct nb_plugin_case {
    char name[NB_WORD]; /* "": the file has no cases */
    struct nb_plugin_source old;
    struct nb_plugin_source new;
    struct nb_plugin_put puts[NB_PLUGIN_PUTS];
    size_t put_count;
    unsigned rests; /* a set of nb_runs */
    unsigned line;
};

struct nb_plugin_area {
    char name[NB_WORD];
    struct sim_region region;
    bool read_only;
};

struct nb_plugin_device {
    struct sim_device device; /* its name and chips only */
    struct nb_plugin_area areas[NB_PLUGIN_AREAS];
    size_t area_count;
    struct nb_plugin_case cases[NB_PLUGIN_CASES];
    size_t case_count; /* at least 1 */
};

/* Checks the text. 0, or OTA_E_ARGUMENT with `error` filled; line 0 there means the file as a
 * whole. `path` is where it was read: others are relative to it. */
OTA_MUST_CHECK int nb_plugin_device_parse(const char *text, size_t length, const char *path,
                                          const char *parts_dir, struct nb_plugin_device *out,
                                          struct flash_text_error *error);

/* Reads and checks the file at `path`. The same, or OTA_E_IO with the system's reason. */
OTA_MUST_CHECK int nb_plugin_device_load(const char *path, const char *parts_dir,
                                         struct nb_plugin_device *out,
                                         struct flash_text_error *error);

/* NULL when there is no such case. */
const struct nb_plugin_case *nb_plugin_case_find(const struct nb_plugin_device *device,
                                                 const char *name);

/* Bytes of an image; data is malloc'ed, NULL when there is none. */
struct nb_plugin_image {
    uint8_t *data;
    uint32_t size;
};

/* Flash in memory with what the case puts there, and the images. 0, or as above; what was made is
 * released with flash_sim_close and free. */
OTA_MUST_CHECK int nb_plugin_case_make(const struct nb_plugin_device *device,
                                       const struct nb_plugin_case *which, struct flash_sim **sim,
                                       struct nb_plugin_image *old, struct nb_plugin_image *new,
                                       struct flash_text_error *error);

#endif
