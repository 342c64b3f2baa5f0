/* Simulated flash: the physics of real parts, in memory or on a plain file.
 *
 * A device's flash is its chips one after another in one address space. Content is the bytes as
 * they lie on the chips; what a chip knows beyond its bytes (erase counts, programs of each unit
 * since its erase, units that can no longer be read) is kept beside them. An operation that the
 * part forbids is refused at once and counted as a violation; nothing is silently corrected.
 * Every operation is numbered from 0 since the last flash_sim_restart_count, reported to the
 * observer, and can be cut before, inside and after. The caller owns what it passes in; the
 * simulator owns its memory until flash_sim_close. */
#ifndef NOBRICK_FLASHSIM_FLASHSIM_H
#define NOBRICK_FLASHSIM_FLASHSIM_H

#include "agent/ports.h"

#include <stdio.h>

/* ---- parts ------------------------------------------------------------------------------- */

#define FLASH_PART_NAME    32
#define FLASH_MAX_RUNS     8
#define FLASH_MAX_CHIPS    4
#define FLASH_PROGRAMS_ANY 0

struct flash_sector_run { /* `count` sectors of `size` bytes */
    uint32_t count;
    uint32_t size;
};

struct flash_part {
    char name[FLASH_PART_NAME];
    uint32_t size;
    struct flash_sector_run runs[FLASH_MAX_RUNS];
    size_t run_count;
    uint32_t unit;
    uint32_t page;             /* 0: none */
    uint8_t erased;            /* 0xFF or 0x00 */
    uint32_t programs;         /* of a unit or row between erases; FLASH_PROGRAMS_ANY */
    uint32_t row;              /* bytes that `programs` counts together; 0: each unit by itself */
    bool reprogram_zero;       /* write-once part that accepts an all-zero overwrite */
    bool overstress;           /* a programmed bit may not be programmed again */
    uint32_t ecc;              /* bytes per code word, 0: none: a torn word may not be readable */
    uint32_t disturb;          /* a cut program may damage its aligned window of so many bytes */
    uint32_t t_program_us;     /* typical, per page or unit as `program_per` says */
    uint32_t program_per;      /* bytes that t_program_us pays for */
    uint32_t t_program_max_us; /* 0: not known */
    uint32_t t_erase_us;       /* typical, one sector */
    uint32_t t_erase_max_us;   /* 0: not known */
    uint32_t endurance;        /* erase cycles a sector is rated for */
    char source[160];          /* data sheet, section */
};

/* Where a text file is wrong: 1-based line and column, and what was expected there. */
struct flash_text_error {
    unsigned line;
    unsigned column;
    char message[160];
};

/* Parses the text of a part file (`.part`). 0, or OTA_E_ARGUMENT and `error` filled. */
OTA_MUST_CHECK int flash_part_parse(const char *text, size_t length, const char *name,
                                    struct flash_part *out, struct flash_text_error *error);

/* Reads DIR/NAME.part. Also OTA_E_IO, with the system's reason in `error->message`. */
OTA_MUST_CHECK int flash_part_load(const char *dir, const char *name, struct flash_part *out,
                                   struct flash_text_error *error);

/* ---- operations and cuts ----------------------------------------------------------------- */

enum flash_op_kind { FLASH_OP_PROGRAM, FLASH_OP_ERASE };

struct flash_op {
    enum flash_op_kind kind;
    uint32_t index; /* running number */
    uint32_t address;
    uint32_t length;     /* program: bytes; erase: the sector's size */
    const uint8_t *data; /* program only: valid during the observer's call */
};

/* How an operation is cut. The torn outcomes are a finite function of operation and old content:
 * nothing random, so that a cut is its operation's number and one of these. */
enum flash_tear {
    FLASH_TEAR_NONE,        /* not cut */
    FLASH_TEAR_BEFORE,      /* nothing of it happened */
    FLASH_TEAR_FIRST,       /* program: only the first unit landed */
    FLASH_TEAR_HALF,        /* program: the first half of the units landed (n > 2) */
    FLASH_TEAR_LAST,        /* program: all but the last unit landed (n > 1) */
    FLASH_TEAR_BITS_ODD,    /* program: the unit after half of the others has only its odd bits */
    FLASH_TEAR_BITS_EVEN,   /* the same with its even bits: decodes to other values */
    FLASH_TEAR_BIT0,        /* program: of that unit all bits but bit 0 of each byte */
    FLASH_TEAR_FAULT,       /* program: that unit's code word cannot be read (parts with ecc) */
    FLASH_TEAR_FIRST_ODD,   /* program: the first unit that changes has only its odd bits, */
    FLASH_TEAR_FIRST_EVEN,  /* only its even bits, */
    FLASH_TEAR_FIRST_BIT0,  /* all bits but bit 0 of each byte, */
    FLASH_TEAR_FIRST_FAULT, /* or cannot be read (parts with ecc) */
    FLASH_TEAR_LOWER,       /* erase: lower half of the sector erased */
    FLASH_TEAR_UPPER,       /* erase: upper half erased */
    FLASH_TEAR_ERASE_FAULT, /* erase: lower half erased, the rest not readable (parts with ecc) */
    FLASH_TEAR_ERASE_FAULT_LOW, /* erase: upper half erased, the rest not readable */
    FLASH_TEAR_TAIL16,          /* erase: all erased but the last 16 bytes of the sector */
    FLASH_TEAR_TAIL24,
    FLASH_TEAR_TAIL32,
    FLASH_TEAR_TAIL40,
    FLASH_TEAR_TAIL48,
    FLASH_TEAR_TAIL64,
    FLASH_TEAR_TAIL80,
    FLASH_TEAR_TAIL96,
    FLASH_TEAR_TAIL128,
    FLASH_TEAR_TAIL160,
    FLASH_TEAR_HEAD16, /* erase: only the last 16 bytes erased, all before them is left */
    FLASH_TEAR_HEAD24,
    FLASH_TEAR_HEAD32,
    FLASH_TEAR_HEAD40,
    FLASH_TEAR_HEAD48,
    FLASH_TEAR_HEAD64,
    FLASH_TEAR_HEAD80,
    FLASH_TEAR_HEAD96,
    FLASH_TEAR_HEAD128,
    FLASH_TEAR_HEAD160,
    FLASH_TEAR_WEAK,       /* program: the unit after half of the others reads unstably */
    FLASH_TEAR_FIRST_WEAK, /* program: the first unit that changes does */
    FLASH_TEAR_ERASE_WEAK, /* erase: what is not erased yet does, in the whole sector */
    FLASH_TEAR_DISTURB,    /* program: the first unit that changes has only its odd bits, and its
                            * neighbours are damaged (parts with disturb) */
    FLASH_TEAR_AFTER,      /* the operation is complete, its caller never learns it */
    FLASH_TEAR_COUNT
};

/* "before", "first" … as replay ids and scripts spell it. Static; NULL beyond the list. */
const char *flash_tear_word(enum flash_tear tear);
/* The tear of that word, or FLASH_TEAR_COUNT. */
enum flash_tear flash_tear_from_word(const char *word, size_t length);

struct flash_stats {
    uint64_t programs;
    uint64_t program_bytes;
    uint64_t erases;
    uint64_t modelled_us;     /* by typical times */
    uint64_t modelled_max_us; /* by maximum times, where the part file has them */
    uint64_t violations;
    uint32_t most_erases;    /* of any one sector */
    uint32_t most_erases_at; /* its address */
};

struct flash_sim;

/* Called before an operation takes effect; `context` is the caller's. The returned tear is applied
 * to it: anything but NONE cuts the power there and then: the call on the port returns OTA_E_POWER
 * and so does every later one, until flash_sim_power_on. A tear that does not fit the operation,
 * its part or the present content cuts nothing: the operation is done and flash_sim_misfit tells.
 */
typedef enum flash_tear (*flash_observer)(void *context, struct flash_sim *sim,
                                          const struct flash_op *op);

/* ---- the simulator ----------------------------------------------------------------------- */

struct flash_chip {
    struct flash_part part;
    uint32_t start; /* address of its first byte in the device */
};

/* Erased flash of `chips` (copied) in memory. NULL when out of memory. */
struct flash_sim *flash_sim_memory(const struct flash_chip *chips, size_t chip_count);

/* Flash on the file at `path`: created erased when it does not exist (then *created is true),
 * mapped when it does. What is known beyond the bytes lies in `path`.state; when that is missing or
 * does not fit, unerased units count as programmed once. One process at a time holds it (lock).
 * OTA_E_BUSY when another one does; OTA_E_ARGUMENT when the chips make no sense; OTA_E_IO with the
 * system's reason, or a size that does not fit the chips. In words in error->message. */
OTA_MUST_CHECK int flash_sim_file(const char *path, const struct flash_chip *chips,
                                  size_t chip_count, bool *created, struct flash_sim **out,
                                  struct flash_text_error *error);

/* The same. A new file gets its name only after `fill` (may be NULL) has put its first content into
 * it and returned 0: whoever is killed before leaves no flash behind, but a file `path`.new that
 * the next one overwrites. */
OTA_MUST_CHECK int flash_sim_file_filled(const char *path, const struct flash_chip *chips,
                                         size_t chip_count,
                                         int (*fill)(void *context, struct flash_sim *sim),
                                         void *context, bool *created, struct flash_sim **out,
                                         struct flash_text_error *error);

/* The flash of the file at `path`, whose bytes somebody else changes: a copy of them as they are
 * now, with the file's own `.state`. What this simulator does to the bytes stays in memory, what it
 * does to the state is on file. The file must exist and may be longer than the chips; it is locked
 * like any other. Errors as above. */
OTA_MUST_CHECK int flash_sim_shadow(const char *path, const struct flash_chip *chips,
                                    size_t chip_count, struct flash_sim **out,
                                    struct flash_text_error *error);

void flash_sim_close(struct flash_sim *sim);

/* The seam: valid until close. Program and erase return OTA_E_FLASH_ALIGN, _BOUNDS, _PROGRAM,
 * _ERASE for what the part forbids, OTA_E_POWER when cut. */
const struct flash_port *flash_sim_port(struct flash_sim *sim);

uint32_t flash_sim_size(const struct flash_sim *sim);
size_t flash_sim_chips(const struct flash_sim *sim, const struct flash_chip **out);

void flash_sim_observe(struct flash_sim *sim, flash_observer observer, void *context);
void flash_sim_power_on(struct flash_sim *sim);
bool flash_sim_is_off(const struct flash_sim *sim);
void flash_sim_restart_count(struct flash_sim *sim);
uint32_t flash_sim_op_count(const struct flash_sim *sim);
/* The latest tear, since the last flash_sim_restart_count, that did not fit its operation and so
 * cut nothing; FLASH_TEAR_NONE when there was none. */
enum flash_tear flash_sim_misfit(const struct flash_sim *sim);
void flash_sim_stats(const struct flash_sim *sim, struct flash_stats *out);
uint32_t flash_sim_erases_at(const struct flash_sim *sim, uint32_t address);
/* What the last refused operation did wrong, one line; "" when none was refused. */
const char *flash_sim_violation(const struct flash_sim *sim);

/* Which tears make sense for `op` in the present content: fills `out` (room for FLASH_TEAR_COUNT),
 * returns how many. BEFORE comes first and AFTER last; outcomes equal to another are left out. */
size_t flash_sim_tears(const struct flash_sim *sim, const struct flash_op *op,
                       enum flash_tear out[FLASH_TEAR_COUNT]);

/* The tears of one kind: CLEAN is the list above; weak ones leave units that read unstably,
 * disturbing ones damage neighbours. 0 when none of these fits. */
enum flash_tears { FLASH_TEARS_CLEAN, FLASH_TEARS_WEAK, FLASH_TEARS_DISTURB };
size_t flash_sim_tears_of(const struct flash_sim *sim, const struct flash_op *op,
                          enum flash_tears kind, enum flash_tear out[FLASH_TEAR_COUNT]);

/* Puts bytes down as a factory would: no rules, no operation, no wear; units count as programmed
 * when they are not erased. */
OTA_MUST_CHECK int flash_sim_put(struct flash_sim *sim, uint32_t address, const void *data,
                                 uint32_t length);
/* Reads bytes whatever their state: the oracle's eye. */
OTA_MUST_CHECK int flash_sim_peek(const struct flash_sim *sim, uint32_t address, void *data,
                                  uint32_t length);
/* Marks the unit (code word) at `address` as not readable until its sector is erased. */
OTA_MUST_CHECK int flash_sim_break_unit(struct flash_sim *sim, uint32_t address);

/* Makes the unit (code word) at `address` read unstably until its sector is erased: as it was
 * programmed, half way back to erased, erased, half way, and so on with each read. With ecc: as it
 * was, then not at all. */
OTA_MUST_CHECK int flash_sim_weaken_unit(struct flash_sim *sim, uint32_t address);
/* From now on erasing the sector that holds `address` changes nothing and says nothing.
 * OTA_E_NO_SPACE beyond FLASH_MAX_STUCK sectors. */
#define FLASH_MAX_STUCK 8
OTA_MUST_CHECK int flash_sim_stick_sector(struct flash_sim *sim, uint32_t address);
/* The erase of that sector, which the device believes done, had no effect; the next one has. */
OTA_MUST_CHECK int flash_sim_miss_erase(struct flash_sim *sim, uint32_t address);
/* Does every read of the range give the same? False when a unit in it reads unstably. */
bool flash_sim_is_steady(const struct flash_sim *sim, uint32_t address, uint32_t length);

/* The first range at or after `from` that cannot be read, whole units or code words: its address,
 * and its length in *length. The flash's size, and 0, when there is none. */
uint32_t flash_sim_unreadable(const struct flash_sim *sim, uint32_t from, uint32_t *length);

/* A hash of what lies in no block: the stuck sectors, and which way weak units read next. Part of a
 * snapshot, not of fingerprints: who searches states adds it to them. */
uint64_t flash_sim_marks(const struct flash_sim *sim);

/* 64-bit hash of some bytes, as blocks are hashed. Not a cryptographic one. */
uint64_t flash_hash(const void *data, uint32_t length);

/* 64-bit fingerprint of the range's content, readability and stability, kept up to date as flash
 * changes: equal content at an equal address gives an equal value. Cost: one step a sector. */
uint64_t flash_sim_fingerprint(const struct flash_sim *sim, uint32_t address, uint32_t length);

/* The same of all that decides what flash does next: of the programs of each unit, too. */
uint64_t flash_sim_state_print(const struct flash_sim *sim, uint32_t address, uint32_t length);

/* What the erase `op`, cut by `tear`, erases of its sector: [*from, *to), in bytes from its start.
 * False when the tear does not fit. */
bool flash_sim_torn_extent(const struct flash_sim *sim, const struct flash_op *op,
                           enum flash_tear tear, uint32_t *from, uint32_t *to);

/* ---- snapshots (memory only) ------------------------------------------------------------- */

struct flash_snapshot;

/* Content and state now; shares unchanged sectors with the simulator. NULL when out of memory. */
struct flash_snapshot *flash_sim_snapshot(struct flash_sim *sim);
void flash_sim_restore(struct flash_sim *sim, const struct flash_snapshot *snapshot);
void flash_snapshot_free(struct flash_sim *sim, struct flash_snapshot *snapshot);
/* True when the present content, readability, stability and stuck sectors equal the snapshot's. */
bool flash_sim_equals(const struct flash_sim *sim, const struct flash_snapshot *snapshot);
/* The first piece of flash at or after `from` (a piece's start) that differs from the snapshot in
 * content, readability or programs of a unit: its address, and its length in *length. The flash's
 * size when there is none. */
uint32_t flash_sim_difference(const struct flash_sim *sim, const struct flash_snapshot *snapshot,
                              uint32_t from, uint32_t *length);
/* Is the range, which lies in one such piece, alike in all of these? */
bool flash_sim_same(const struct flash_sim *sim, const struct flash_snapshot *snapshot,
                    uint32_t address, uint32_t length);

#endif
