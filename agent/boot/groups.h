/* Swapping by way of scratch: the slots exchange their images group by group, from the end of the
 * larger image down.
 *
 * A group begins and ends where both slots have a sector boundary and is as large as scratch
 * allows, so that several sectors of one slot may face one of the other. With P, Q and C the group
 * in primary and secondary and the scratch area, step 3 x group + state is
 *
 *   state 0   erase C,  copy Q -> C
 *   state 1   erase Q,  copy P -> Q
 *   state 2   erase P,  copy C -> P
 *
 * What a step reads, no step before it erased, and none before the next group's state 0 erases: the
 * first step that is not recorded as done can be done again from its erase. */
#ifndef NOBRICK_AGENT_BOOT_GROUPS_H
#define NOBRICK_AGENT_BOOT_GROUPS_H

#include "agent/boot/boot.h"

#define BOOT_GROUP_STATES 3u

/* Equal slots with common boundaries no further apart than scratch is large? */
OTA_MUST_CHECK int boot_groups_check(const struct boot_config *config, const char **reason);

/* The first boundary that both slots have at or behind `offset`. */
uint32_t boot_group_end(const struct boot_config *config, uint32_t offset);

/* Where the group begins that ends at `end`. */
uint32_t boot_group_start(const struct boot_config *config, uint32_t end);

/* Groups that it takes to swap images the larger of which ends at `larger_end`. */
uint32_t boot_group_count(const struct boot_config *config, uint32_t larger_end);

/* A step of the group: its first `length` bytes are copied, its sectors erased from `start` to
 * `erase_end` in the slots, and all of scratch. */
struct boot_group {
    uint32_t start;
    uint32_t length;
    uint32_t erase_end;
};
OTA_MUST_CHECK int boot_group_step(const struct boot_config *config, const struct boot_group *group,
                                   unsigned state);

#endif
