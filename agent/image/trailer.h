/* MCUboot slot trailer: layout, reading and writing, and what the application does with it.
 *
 * The one place that loader (agent/boot) and agent (agent/update) share. A device whose format has
 * a status area keeps no trailers: request and trial then stand in the records of status.h, and the
 * application's calls, below, go there. Distances from the slot's
 * end to the first byte of each field; A is the format's maximum alignment, W the write size of a
 * status entry:
 *
 *   field       A=8  A=16  A=32      content
 *   magic        16    16    16      16 bytes, by A
 *   image_ok     24    32    64      0x01
 *   copy_done    32    48    96      0x01
 *   swap_info    40    64   128      image number << 4 | swap type
 *   swap_size    48    80   160      u32 LE, the larger image's size with its TLVs (not where
 *                                    max_sectors is 0)
 *   status       below: max_sectors x 3 entries of W bytes, one for each step of a swap; which step
 *                has which is the scheme's (agent/boot/swap_*.c)
 *
 * A scratch area has a trailer of its own at its end: the same with max_sectors 1.
 *
 * Reading never fails on a unit that cannot be read: such a field is BAD. A flag that is neither
 * erased nor SET is BAD; because a flag is only ever begun when everything before it is complete,
 * BAD counts as set wherever nobrick decides (see img_flag_on). */
#ifndef NOBRICK_AGENT_IMAGE_TRAILER_H
#define NOBRICK_AGENT_IMAGE_TRAILER_H

#include "agent/flash_area.h"

#define IMG_TRAILER_MAGIC_SIZE 16u
#define IMG_TRAILER_INFO_MAX   512u /* info part rounded up to the largest program unit */

enum img_magic { IMG_MAGIC_UNSET, IMG_MAGIC_GOOD, IMG_MAGIC_BAD };
enum img_flag { IMG_FLAG_UNSET, IMG_FLAG_SET, IMG_FLAG_BAD };
enum img_swap_type { IMG_SWAP_NONE = 1, IMG_SWAP_TEST, IMG_SWAP_PERM, IMG_SWAP_REVERT };

struct img_trailer_format {
    uint32_t align;           /* A: 8, 16 or 32 */
    uint32_t write_size;      /* W: bytes a status entry takes; a multiple of the program unit */
    uint32_t max_sectors;     /* the format's MAX_SECTORS; 0: a scheme without status entries */
    struct flash_area status; /* of status.h, instead of trailers; size 0: there is none */
    const struct img_in_status *in_status; /* &img_in_status where there is one, else NULL */
};

struct img_trailer {
    enum img_magic magic;
    enum img_flag image_ok;
    enum img_flag copy_done;
    uint8_t swap_type; /* enum img_swap_type; IMG_SWAP_NONE when erased, unreadable or > 4 */
    uint8_t image_number;
    bool has_swap_size; /* false: erased, unreadable, or a format without it */
    uint32_t swap_size;
};

/* Distance from slot end of each field, and of the whole trailer (info plus status area). */
uint32_t img_trailer_image_ok(const struct img_trailer_format *format);
uint32_t img_trailer_copy_done(const struct img_trailer_format *format);
uint32_t img_trailer_swap_info(const struct img_trailer_format *format);
uint32_t img_trailer_swap_size(const struct img_trailer_format *format);
uint32_t img_trailer_size(const struct img_trailer_format *format);

/* The 16 magic bytes for alignment `align`. Static. */
const uint8_t *img_trailer_magic(uint32_t align);

/* Reads the trailer of the slot. Never fails: what cannot be read is BAD or absent. */
void img_trailer_read(const struct flash_area *slot, const struct img_trailer_format *format,
                      struct img_trailer *out);

/* SET or BAD: begun, and so as good as done. */
bool img_flag_on(enum img_flag flag);

/* What img_trailer_write puts down. */
struct img_trailer_record {
    enum img_swap_type swap_type;
    bool image_ok;
    bool copy_done;
    bool with_swap_size;
    uint32_t swap_size;
};

/* Programs magic and the given fields on an erased trailer in ascending address order, so that the
 * magic lands last and commits the rest; fields that share a program unit go in one program.
 * The flash must be erased from the lowest field to the slot's end. */
OTA_MUST_CHECK int img_trailer_write(const struct flash_area *slot,
                                     const struct img_trailer_format *format,
                                     const struct img_trailer_record *record);

/* Programs the one flag, if it reads erased; 0 without writing when it is on already.
 * OTA_E_UNSUPPORTED when the flag's program unit holds other trailer fields (row parts). */
OTA_MUST_CHECK int img_trailer_set_image_ok(const struct flash_area *slot,
                                            const struct img_trailer_format *format);
OTA_MUST_CHECK int img_trailer_set_copy_done(const struct flash_area *slot,
                                             const struct img_trailer_format *format);

/* Status entry `index`, counted from the trailer's start: one write unit, the first byte `state`,
 * the rest erased. Set is what does not read erased. An entry that cannot be read was begun: it is
 * set, for an entry is begun only when the step it stands for is done. */
OTA_MUST_CHECK int img_entry_is_set(const struct flash_area *slot,
                                    const struct img_trailer_format *format, uint32_t index,
                                    bool *set);
OTA_MUST_CHECK int img_entry_write(const struct flash_area *slot,
                                   const struct img_trailer_format *format, uint32_t index,
                                   uint8_t state);

/* Application side. Asks the loader to install the secondary slot at the next boot, for one trial
 * or for good. Magic GOOD already: 0, nothing written. Any other trailer field not erased:
 * OTA_E_TRAILER, nothing written, the slot must be erased and filled anew. */
OTA_MUST_CHECK int img_set_pending(const struct flash_area *secondary,
                                   const struct img_trailer_format *format, bool permanent);

/* What the loader was asked for: IMG_SWAP_NONE, TEST or PERM; REVERT when a loader asked itself. */
enum img_swap_type img_requested(const struct flash_area *secondary,
                                 const struct img_trailer_format *format);

/* Takes the request back, made or only begun: the loader must not find it. Erases the sectors that
 * hold the secondary's trailer. */
OTA_MUST_CHECK int img_withdraw(const struct flash_area *secondary,
                                const struct img_trailer_format *format);

/* Application side, before the secondary slot is erased: what stood in its trailer goes with it,
 * but a request in the status area is to be withdrawn. */
OTA_MUST_CHECK int img_prepare_erase(const struct flash_area *secondary,
                                     const struct img_trailer_format *format);

/* Application side. Confirms the running image in the primary slot. Never swapped (magic not
 * GOOD) or confirmed already: 0, nothing written. */
OTA_MUST_CHECK int img_confirm(const struct flash_area *primary,
                               const struct img_trailer_format *format);

/* The running image is on trial: swapped in, not confirmed, and will be reverted. */
bool img_is_trial(const struct img_trailer *primary);
bool img_on_trial(const struct flash_area *primary, const struct img_trailer_format *format);

#endif
