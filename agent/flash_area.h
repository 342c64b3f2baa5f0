/* A slice of the device's flash with its own bounds: a slot, a trailer, a journal.
 *
 * Splits programs at the chip's pages so that callers need not know them, and answers questions
 * about sectors in area offsets. Holds no state and owns nothing. */
#ifndef NOBRICK_AGENT_FLASH_AREA_H
#define NOBRICK_AGENT_FLASH_AREA_H

#include "agent/ports.h"

struct flash_area {
    const struct flash_port *flash;
    uint32_t address; /* of the area's first byte; at a sector boundary */
    uint32_t size;    /* bytes; whole sectors */
};

/* Reads `length` bytes at `offset`. OTA_E_FLASH_BOUNDS, OTA_E_FLASH_READ, or the port's error. */
OTA_MUST_CHECK int flash_area_read(const struct flash_area *area, uint32_t offset, void *data,
                                   uint32_t length);

/* 0 when `data` lies at `offset`; OTA_E_FLASH_PROGRAM when other bytes do, or none that can be
 * read; OTA_E_FLASH_BOUNDS, or the port's error. */
OTA_MUST_CHECK int flash_area_compare(const struct flash_area *area, uint32_t offset,
                                      const void *data, uint32_t length);

/* Programs whole units, in ascending order, one operation a page, and reads them back:
 * OTA_E_FLASH_PROGRAM when they are not what was programmed. */
OTA_MUST_CHECK int flash_area_program(const struct flash_area *area, uint32_t offset,
                                      const void *data, uint32_t length);

/* Erases the sector that starts at `offset`. An erase without effect shows when it is programmed;
 * who leaves a part of it erased looks there. */
OTA_MUST_CHECK int flash_area_erase_sector(const struct flash_area *area, uint32_t offset);

/* Erases the sectors that overlap [from, to), last one first, and looks at each: OTA_E_FLASH_ERASE
 * when it is not erased. */
OTA_MUST_CHECK int flash_area_erase_back(const struct flash_area *area, uint32_t from, uint32_t to);

/* The sector that holds `offset`; out->start becomes an offset in the area. */
OTA_MUST_CHECK int flash_area_sector(const struct flash_area *area, uint32_t offset,
                                     struct flash_sector *out);

/* 1 when every byte of [offset, offset+length) reads erased, 0 when not or not readable. */
int flash_area_is_erased(const struct flash_area *area, uint32_t offset, uint32_t length);

#endif
