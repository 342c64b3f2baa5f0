/* A read-only flash port over bytes in memory, so that agent/image can look at a file. The bytes
 * are one sector. Private to harness/image; the caller owns struct and bytes. */
#ifndef NOBRICK_HARNESS_IMAGE_MEMORY_H
#define NOBRICK_HARNESS_IMAGE_MEMORY_H

#include "agent/flash_area.h"

struct nb_memory {
    const uint8_t *data;
    uint32_t size;
    uint8_t erased;
    struct flash_port port;
    struct flash_area area; /* all of it */
};

/* `memory` must not move afterwards. */
void nb_memory_init(struct nb_memory *memory, const uint8_t *data, uint32_t size, uint8_t erased);

#endif
