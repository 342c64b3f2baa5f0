/* What every boot scheme needs to move images between slots. */
#ifndef NOBRICK_AGENT_BOOT_COPY_H
#define NOBRICK_AGENT_BOOT_COPY_H

#include "agent/boot/boot.h"

/* Of what may be left of a cut operation: it can read differently each time. */
#define BOOT_READS 4

/* Copies `length` bytes between areas through the configuration's buffer. The target is erased;
 * stretches that read erased are not programmed. A source unit that cannot be read stays erased
 * in the target: it is either outside the image, or the image's hash will tell. `length` is a
 * multiple of the target's program unit. */
OTA_MUST_CHECK int boot_copy(const struct boot_config *config, const struct flash_area *source,
                             uint32_t source_offset, const struct flash_area *target,
                             uint32_t target_offset, uint32_t length);

/* Erases the sectors that hold the slot's trailer, last one first. */
OTA_MUST_CHECK int boot_erase_trailer(const struct boot_config *config,
                                      const struct flash_area *slot);

/* Erases the sectors of the area that overlap [from, to), last one first, and looks at each, as
 * flash_area_erase_back does. */
OTA_MUST_CHECK int boot_erase(const struct boot_config *config, const struct flash_area *area,
                              uint32_t from, uint32_t to);

/* `err` is of the second try to keep a part of the primary in the secondary. Where the flash takes
 * nothing there, that costs the way back and not the device: what goes into the primary is whole
 * without it, and a revert finds an image that its hash refuses. Then it is logged, and 0. */
OTA_MUST_CHECK int boot_lose_way_back(const struct boot_config *config, int err);

/* A revert is asked for by the primary trailer alone, which the swap is about to erase: writes the
 * request where every swap finds it, in the secondary's trailer. `larger_end` as in install. */
OTA_MUST_CHECK int boot_request_revert(const struct boot_config *config, uint32_t larger_end);

/* The installation that a complete primary trailer owns: its type, and the larger image's end;
 * IMG_SWAP_NONE when it owns none (a factory image has a magic, but no swap type). A copy_done that
 * is torn was begun, in whichever read that shows, and so all is done: whether the entries say so,
 * too, is not asked, for the erase of a trailer may stop where they are gone and the rest is left.
 */
enum img_swap_type boot_owner(const struct boot_config *config, struct img_trailer *trailer);

/* Makes the secondary slot unbootable: the request first, so that a cut in between leaves nothing
 * pending, then the sector that holds its header. */
OTA_MUST_CHECK int boot_discard_secondary(const struct boot_config *config);

/* Feeds the watchdog, when there is one. */
void boot_feed(const struct boot_config *config);

void boot_log(const struct boot_config *config, enum ota_log_level level, const char *text);

/* Does the error say something about an image, as opposed to flash or power? */
bool boot_is_verdict(int err);

#endif
