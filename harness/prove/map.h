/* The picture of a proof: the operations of the uncut runs from left to right, the flash from
 * bottom to top, coloured by what a power cut there comes to, and the wear of each sector along the
 * side. SVG, readable on light and dark ground. */
#ifndef NOBRICK_HARNESS_PROVE_MAP_H
#define NOBRICK_HARNESS_PROVE_MAP_H

#include "harness/prove/search.h"

#define NB_MAP_AREAS 8

struct nb_map_area {
    const char *name;
    uint32_t address;
    uint32_t size;
};

struct nb_map {
    const char *title; /* plain text */
    const char *subtitle;
    const char *verdict;
    struct nb_map_area areas[NB_MAP_AREAS];
    size_t area_count;
    const struct nb_seen_op *ops;
    size_t op_count;
    const char *old; /* versions */
    const char *new;
};

/* OTA_E_IO with errno when the file cannot be written. */
OTA_MUST_CHECK int nb_map_write(const struct nb_map *map, const char *path);

#endif
