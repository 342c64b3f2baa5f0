/* Inside flashsim: the geometry of a device's flash and where its bytes lie. Nobody else's header.
 *
 * Flash is cut into blocks, the unit of sharing between snapshots and of cached hashes: a sector,
 * or an equal part of a large one. A block's bytes lie in memory of their own (memory.c: copied
 * when written while shared) or in the mapped file (file.c). The physics in sim.c and tear.c see
 * blocks through struct flash_view only. */
#ifndef NOBRICK_FLASHSIM_STORE_H
#define NOBRICK_FLASHSIM_STORE_H

#include "flashsim/flashsim.h"

#define FLASH_MAX_REGIONS (FLASH_MAX_CHIPS * FLASH_MAX_RUNS)
#define FLASH_MAX_BLOCK   4096u /* larger sectors are several blocks */
#define FLASH_MAX_COUNT   127   /* where a unit's program count stops counting */

/* Hashes known of a block's present content. */
struct flash_hashes {
    bool whole_known;
    uint64_t whole;
    uint32_t from; /* of a part of the block; known when from < to */
    uint32_t to;
    uint64_t part;
};

/* One run of equal sectors on one chip. */
struct flash_region {
    const struct flash_part *part;
    uint32_t start;
    uint32_t size;
    uint32_t chip_end;
    uint32_t sector_size;
    uint32_t block_size;
    unsigned block_shift;  /* 0: the block size is no power of two */
    unsigned unit_shift;   /* of what programs are counted of: a unit, or a row */
    unsigned word_shift;   /* of a code word: what a fault makes unreadable */
    uint32_t first_sector; /* numbers run through the whole device */
    uint32_t first_block;
    uint32_t counts_size; /* bytes of program counts a block; 0: not counted */
    uint32_t faults_size; /* bytes of marks a block: half for unreadable words, half for weak */
    size_t file_counts;   /* where they lie in the state file */
    size_t file_faults;
};

/* One block, wherever it lies. */
struct flash_view {
    uint8_t *bytes;
    uint8_t *counts; /* programs of each unit since its erase; NULL: not counted */
    uint8_t *faults; /* two marks a code word; NULL: every word can be read, and steadily */
    struct flash_hashes *hashes;
};

/* The part of a range that lies in one block. */
struct flash_piece {
    const struct flash_region *region;
    uint32_t block;  /* its number */
    uint32_t offset; /* in the block */
    uint32_t length;
};

struct flash_memory;
struct flash_file;

/* Sectors that do not erase, and which way weak units read next. */
struct flash_marks {
    uint32_t stuck[FLASH_MAX_STUCK]; /* starts of sectors */
    uint8_t stuck_count;
    uint8_t for_good; /* a bit each: else until the next erase */
    uint8_t turn;     /* reads of weak units, modulo FLASH_TURNS */
    uint8_t unused;
};
#define FLASH_TURNS 4u

struct flash_sim {
    struct flash_port port;
    struct flash_chip chips[FLASH_MAX_CHIPS];
    size_t chip_count;
    struct flash_region regions[FLASH_MAX_REGIONS];
    size_t region_count;
    uint32_t size;
    uint32_t sector_count;
    uint32_t block_count;
    uint32_t *erases;          /* of each sector; lies in the state file when there is one */
    struct flash_marks *marks; /* so do these */
    struct flash_marks own_marks;
    struct flash_memory *memory;
    struct flash_file *file;
    flash_observer observer;
    void *observer_context;
    bool off;
    uint32_t op_count;
    enum flash_tear misfit;
    struct flash_stats stats;
    char violation[160];
};

/* ---- geometry.c ---- */

/* A simulator with its regions laid out and nothing stored; NULL when the chips make no sense or
 * memory is short. */
struct flash_sim *flash_geometry_new(const struct flash_chip *chips, size_t chip_count);

/* What is wrong with a part's numbers, or NULL; `field` tells whose fault it is. */
enum flash_part_field {
    FLASH_FIELD_SIZE,
    FLASH_FIELD_RUNS,
    FLASH_FIELD_UNIT,
    FLASH_FIELD_PAGE,
    FLASH_FIELD_ERASED,
    FLASH_FIELD_PROGRAMS,
    FLASH_FIELD_ZERO,
    FLASH_FIELD_ECC,
    FLASH_FIELD_DISTURB,
    FLASH_FIELD_PROGRAM_TIME,
    FLASH_FIELD_ERASE_TIME,
};
const char *flash_part_fault(const struct flash_part *part, enum flash_part_field *field);

/* The run of sectors that holds an address inside the device. */
static inline const struct flash_region *flash_region_at(const struct flash_sim *sim,
                                                         uint32_t address)
{
    const struct flash_region *region = sim->regions;
    while (address - region->start >= region->size) {
        region++;
    }
    return region;
}

uint32_t flash_sector_start(const struct flash_region *region, uint32_t address);
uint32_t flash_sector_number(const struct flash_region *region, uint32_t address);

/* The first piece of the range, which must lie inside the device and not be empty. */
static inline void flash_first_piece(const struct flash_sim *sim, uint32_t address, uint32_t length,
                                     struct flash_piece *out)
{
    const struct flash_region *region = flash_region_at(sim, address);
    uint32_t inside = address - region->start;
    uint32_t block =
        region->block_shift != 0 ? inside >> region->block_shift : inside / region->block_size;
    uint32_t offset = inside - block * region->block_size;
    uint32_t left = region->block_size - offset;
    *out = (struct flash_piece){
        .region = region,
        .block = region->first_block + block,
        .offset = offset,
        .length = length < left ? length : left,
    };
}

/* ---- memory.c ---- */

#define FLASH_NODE_BLOCKS 64u

struct flash_block {
    uint32_t refs;
    struct flash_block *next_free;
    struct flash_hashes hashes;
    uint8_t *faults; /* NULL: none, ever since it was erased */
    uint8_t bytes[]; /* block_size bytes, then counts_size counts */
};

struct flash_node {
    uint32_t refs;
    struct flash_node *next_free;
    struct flash_block *blocks[FLASH_NODE_BLOCKS];
};

struct flash_memory {
    uint32_t node_count;
    struct flash_node **nodes;
    struct flash_node *free_nodes;
    struct flash_block *erased[FLASH_MAX_REGIONS];
    struct flash_block *free_blocks[FLASH_MAX_REGIONS];
};

int flash_memory_new(struct flash_sim *sim);
void flash_memory_free(struct flash_sim *sim);
int flash_memory_open(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                      struct flash_view *out);
int flash_memory_blank(struct flash_sim *sim, const struct flash_region *region, uint32_t block);
int flash_memory_need_faults(struct flash_sim *sim, const struct flash_region *region,
                             uint32_t block, struct flash_view *view);

/* ---- file.c ---- */

void flash_file_close(struct flash_sim *sim);
void flash_file_look(const struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                     struct flash_view *out);
int flash_file_open(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                    struct flash_view *out);
int flash_file_blank(struct flash_sim *sim, const struct flash_region *region, uint32_t block);
int flash_file_need_faults(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                           struct flash_view *view);

/* ---- a block, wherever it lies ---- */

static inline void flash_view_block(struct flash_block *block, const struct flash_region *region,
                                    struct flash_view *out)
{
    *out = (struct flash_view){
        .bytes = block->bytes,
        .counts = region->counts_size != 0 ? block->bytes + region->block_size : NULL,
        .faults = block->faults,
        .hashes = &block->hashes,
    };
}

/* For looking. */
static inline void flash_look(const struct flash_sim *sim, const struct flash_region *region,
                              uint32_t block, struct flash_view *out)
{
    if (sim->memory != NULL) {
        const struct flash_node *node = sim->memory->nodes[block / FLASH_NODE_BLOCKS];
        flash_view_block(node->blocks[block % FLASH_NODE_BLOCKS], region, out);
    } else {
        flash_file_look(sim, region, block, out);
    }
}

/* For changing: not shared with anybody, its hashes forgotten. */
static inline int flash_open(struct flash_sim *sim, const struct flash_region *region,
                             uint32_t block, struct flash_view *out)
{
    return sim->memory != NULL ? flash_memory_open(sim, region, block, out)
                               : flash_file_open(sim, region, block, out);
}

/* Makes the block erased as a whole, readable, and not programmed. */
static inline int flash_blank(struct flash_sim *sim, const struct flash_region *region,
                              uint32_t block)
{
    return sim->memory != NULL ? flash_memory_blank(sim, region, block)
                               : flash_file_blank(sim, region, block);
}

/* Makes sure that an opened block has fault marks. */
static inline int flash_need_faults(struct flash_sim *sim, const struct flash_region *region,
                                    uint32_t block, struct flash_view *view)
{
    return sim->memory != NULL ? flash_memory_need_faults(sim, region, block, view)
                               : flash_file_need_faults(sim, region, block, view);
}

/* ---- counts.c: program counts, one byte a unit; fault marks, one bit a code word ---- */

/* Has any of these units been programmed `limit` times or more? */
bool flash_counts_reach(const uint8_t *counts, uint32_t units, uint32_t limit);
void flash_counts_add(uint8_t *counts, uint32_t units);

/* Is a code word that overlaps [from, to) of the block marked as not readable? */
bool flash_is_faulty(const struct flash_region *region, const uint8_t *faults, uint32_t from,
                     uint32_t to);
/* … as weak? */
bool flash_is_weak(const struct flash_region *region, const uint8_t *faults, uint32_t from,
                   uint32_t to);
/* Marks the code words that overlap [from, to) as not readable, or as weak. */
void flash_mark_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                       uint32_t to);
void flash_mark_weak(const struct flash_region *region, uint8_t *faults, uint32_t from,
                     uint32_t to);
/* Clears both marks of the code words that lie inside [from, to) as a whole. */
void flash_clear_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                        uint32_t to);

/* ---- rules.c ---- */

/* Counts a violation, keeps its text, returns `error`. */
__attribute__((format(printf, 3, 4))) int flash_refuse(struct flash_sim *sim, int error,
                                                       const char *format, ...);
/* 0, or how the part forbids this program. */
int flash_check_program(struct flash_sim *sim, uint32_t address, const uint8_t *data,
                        uint32_t length);
bool flash_is_inside(const struct flash_sim *sim, uint32_t address, uint32_t length);
bool flash_is_all(const uint8_t *bytes, uint32_t length, uint8_t value);

/* ---- weak.c: units that read unstably, sectors that do not erase ---- */

/* What this read makes of the piece, whose bytes are in `out`: changed where it is weak.
 * OTA_E_FLASH_READ where that means not at all. */
int flash_read_weak(const struct flash_sim *sim, const struct flash_piece *piece,
                    const struct flash_view *view, uint8_t *out);
/* Weak units were read. */
void flash_turn(struct flash_sim *sim);
/* Marks the code words of the range as not readable, or as weak. */
int flash_mark_range(struct flash_sim *sim, uint32_t address, uint32_t length, bool weak);
/* A program damages the window around it: [from, to) of the device is its own. */
int flash_disturb(struct flash_sim *sim, uint32_t from, uint32_t to);
/* Is it a sector that was not erased although the device believes so? `address` is its start. */
bool flash_is_stuck(const struct flash_sim *sim, uint32_t address);
/* An erase begins: true when it will change nothing. */
bool flash_erase_fails(struct flash_sim *sim, uint32_t address);

/* ---- sim.c ---- */

void flash_port_fill(struct flash_sim *sim);
/* Units of the block that are not erased although they count as never programmed: once. */
void flash_count_missing(const struct flash_region *region, const struct flash_view *view);

/* Keeps the order of changes to mapped bytes and mapped counts when the process is killed. */
static inline void flash_in_order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* tear.c: what is left of a program: `whole` bytes landed; of the `torn` bytes after them only the
 * bits of `mask`, or with `fault` none, and their code words cannot be read. */
struct flash_torn_program {
    uint32_t whole;
    uint32_t torn;
    uint8_t mask;
    bool fault;
    bool weak;    /* all of the torn unit landed, but reads unstably */
    bool disturb; /* the neighbours are damaged */
};
/* False when the tear does not fit the operation, its part or the present content. */
bool flash_tear_program(const struct flash_sim *sim, const struct flash_op *op,
                        enum flash_tear tear, struct flash_torn_program *out);

/* What is left of an erase: [from, to) of the sector is erased, the rest is old or, with `fault`,
 * cannot be read. */
struct flash_torn_erase {
    uint32_t from;
    uint32_t to;
    bool fault;
    bool weak; /* the rest is old, and reads unstably */
};
bool flash_tear_erase(const struct flash_part *part, uint32_t sector_size, enum flash_tear tear,
                      struct flash_torn_erase *out);

#endif
