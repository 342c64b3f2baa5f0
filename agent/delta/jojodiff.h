/* Applies a jojodiff patch as it arrives.
 *
 * A patch is a sequence of operators over two positions, one in the source (the old image) and one
 * in the target (the new one), both beginning at 0. There is no magic, no version, no length and no
 * checksum: who applies a patch compares digests of source, patch and target. Numbers are big
 * endian; 0xA7 is the escape.
 *
 *   bytes  operator  then     does
 *   A7 A6  MOD       data     data to the target; the source moves on as far
 *   A7 A5  INS       data     data to the target
 *   A7 A4  DEL       length   the source moves on
 *   A7 A3  EQL       length   bytes of the source to the target; the source moves on
 *   A7 A2  BKT       length   the source moves back
 *
 *   length: first byte 0..251: that plus 1; 252: 253 plus the next byte; 253, 254, 255: the next 2,
 *   4 or 8 bytes. A longer form than needed is taken, a length of 0 is not.
 *
 *   data: A7 A7 is one A7; A7 and an operator's second byte ends the data; A7 and anything else is
 *   both bytes.
 *
 * That is the format of jojodiff 0.7 to 0.8.3 (https://jojodiff.sourceforge.net). Since 0.8.4 MOD
 * is the default: data at the beginning, and behind the length of DEL, EQL and BKT, needs no A7 A6.
 * No older encoder writes such data, so the first such byte tells the two apart.
 *
 * Because BKT exists, a patch cannot be applied in place: source and target are different slots. */
#ifndef NOBRICK_AGENT_DELTA_JOJODIFF_H
#define NOBRICK_AGENT_DELTA_JOJODIFF_H

#include "agent/ports.h"

#define OTA_DELTA_PAUSE 1 /* of ends.write: it has the bytes, and wants no more for now */

/* Where a patch reads from and writes to. Any error of theirs ends the reading with it. */
struct ota_delta_ends {
    void *context;
    /* `length` bytes of the old image at `offset`; never beyond source_size. */
    int (*read)(void *context, uint32_t offset, void *data, uint32_t length);
    /* The next bytes of the new image, in order; never more than target_limit in all. 0, or
     * OTA_DELTA_PAUSE. */
    int (*write)(void *context, const uint8_t *data, uint32_t length);
    uint32_t source_size;
    uint32_t target_limit; /* the largest new image */
};

#define OTA_JOJODIFF_POINT 32u /* bytes of an encoded point */

/* All that counts between two bytes of a patch. */
struct ota_jojodiff_point {
    uint32_t patch_at;  /* bytes of the patch taken */
    uint32_t target_at; /* bytes of the target written */
    uint64_t source_at; /* may lie behind the end of the source, after MOD */
    uint32_t copy_left; /* bytes of an EQL that are still to be copied */
    uint64_t number;    /* a length, as far as it was read */
    uint8_t op;         /* the operator's second byte; 0: none that takes data */
    uint8_t is_escaped; /* the last byte was A7 */
    uint8_t digits; /* of the length that are still to come; 0xFF: the first, 0xFE: behind 252 */
};

struct ota_jojodiff {
    struct ota_jojodiff_point at;
    struct ota_delta_ends ends;
    bool takes_later_format; /* of 0.8.4 and later, too */
    int error;
    bool paused;       /* ends.write said so */
    const char *fault; /* what is wrong, a few words; static; NULL: nothing */
    uint8_t *buffer;   /* the caller's */
    uint32_t buffer_size;
};

/* `buffer` (1 byte or more; 256 is good) is the caller's and holds nothing between calls; no more
 * than its size is written at a time, and ends.write may set another buffer and size for what comes
 * next. `ends` is copied. takes_later_format false: a patch of 0.8.4 or later is refused with
 * OTA_E_UNSUPPORTED. */
void ota_jojodiff_init(struct ota_jojodiff *delta, const struct ota_delta_ends *ends,
                       bool takes_later_format, uint8_t *buffer, uint32_t buffer_size);

/* The next bytes of the patch, any number. 0; OTA_DELTA_PAUSE: ends.write said so, and the next
 * byte to feed in is at.patch_at (with nothing left to feed in, call again with no bytes, for what
 * is still to be copied); OTA_E_PATCH: malformed, or not of this source; OTA_E_IMG_SIZE: makes more
 * than target_limit; OTA_E_UNSUPPORTED; or what an end returned. After an error every call returns
 * that error. */
OTA_MUST_CHECK int ota_jojodiff_write(struct ota_jojodiff *delta, const void *data, size_t length);

/* The patch is at its end: OTA_E_PATCH when it may not end there; OTA_DELTA_PAUSE: call again. The
 * target has at.target_at bytes. */
OTA_MUST_CHECK int ota_jojodiff_finish(struct ota_jojodiff *delta);

/* The present point as a record, also from inside ends.write, whose bytes then count as written:
 * an update that is cut off goes on there instead of at the beginning. Little endian:
 *
 *   0 patch_at 4 | 4 target_at 4 | 8 source_at 8 | 16 number 8 | 24 copy_left 4 | 28 op 1 |
 *   29 is_escaped 1 | 30 digits 1 | 31 zero 1 */
void ota_jojodiff_save(const struct ota_jojodiff *delta, uint8_t record[OTA_JOJODIFF_POINT]);

/* After ota_jojodiff_init: goes on at a saved point; the next byte to feed in is at.patch_at. The
 * record is checked for sense, not for a checksum. OTA_E_ARGUMENT: it makes none here. */
OTA_MUST_CHECK int ota_jojodiff_resume(struct ota_jojodiff *delta,
                                       const uint8_t record[OTA_JOJODIFF_POINT]);

#endif
