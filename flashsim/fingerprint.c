/* The 64-bit fingerprint of flash content.
 *
 * A block is hashed in four lanes of 64-bit words, lane = (rotate(lane, 29) ^ word) * odd constant,
 * which are then folded by a multiply-and-shift mix; the numbers of faulty and of weak code words
 * follow. The hashes of whole blocks and of one part of each block are remembered until the block
 * changes, and blocks shared between snapshots share them. Not a cryptographic hash. */
#include "flashsim/store.h"

#include <string.h>

#define LANES  4
#define STRIDE 32u /* one word a lane */

static const uint64_t odd[LANES] = {0x9E3779B97F4A7C15u, 0xD6E8FEB86659FD93u, 0xA0761D6478BD642Fu,
                                    0xE7037ED1A0B428DBu};

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 32) * odd[0];
    value = (value ^ value >> 29) * odd[1];
    return value ^ value >> 32;
}

static inline uint64_t step(uint64_t lane, const uint8_t *bytes, unsigned number)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (rotate(lane, 29) ^ word) * odd[number];
}

uint64_t flash_hash(const void *data, uint32_t length)
{
    const uint8_t *bytes = data;
    /* Lanes by name: as an array the compiler makes slow vector products of them. */
    uint64_t a = odd[1];
    uint64_t b = odd[2];
    uint64_t c = odd[3];
    uint64_t d = odd[0];
    uint32_t left = length;
    for (; left >= STRIDE; left -= STRIDE, bytes += STRIDE) {
        a = step(a, bytes, 0);
        b = step(b, bytes + 8, 1);
        c = step(c, bytes + 16, 2);
        d = step(d, bytes + 24, 3);
    }
    uint8_t rest[STRIDE] = {0};
    memcpy(rest, bytes, left);
    uint64_t hash = length;
    hash = mix(rotate(hash, 17) ^ step(a, rest, 0));
    hash = mix(rotate(hash, 17) ^ step(b, rest + 8, 1));
    hash = mix(rotate(hash, 17) ^ step(c, rest + 16, 2));
    return mix(rotate(hash, 17) ^ step(d, rest + 24, 3));
}

static uint64_t hash_piece(const struct flash_piece *piece, const struct flash_view *view)
{
    uint64_t hash = flash_hash(view->bytes + piece->offset, piece->length);
    uint32_t end = piece->offset + piece->length;
    if (view->faults == NULL ||
        (!flash_is_faulty(piece->region, view->faults, piece->offset, end) &&
         !flash_is_weak(piece->region, view->faults, piece->offset, end))) {
        return hash;
    }
    uint32_t word_size = 1u << piece->region->word_shift;
    for (uint32_t at = piece->offset & ~(word_size - 1); at < end; at += word_size) {
        if (flash_is_faulty(piece->region, view->faults, at, at + 1)) {
            hash = mix(rotate(hash, 17) ^ (uint64_t)(at + 1) * odd[2]);
        }
        if (flash_is_weak(piece->region, view->faults, at, at + 1)) {
            hash = mix(rotate(hash, 17) ^ (uint64_t)(at + 1) * odd[3]);
        }
    }
    return hash;
}

static uint64_t remembered(const struct flash_piece *piece, const struct flash_view *view)
{
    struct flash_hashes *hashes = view->hashes;
    if (piece->length == piece->region->block_size) {
        if (!hashes->whole_known) {
            hashes->whole = hash_piece(piece, view);
            hashes->whole_known = true;
        }
        return hashes->whole;
    }
    uint32_t to = piece->offset + piece->length;
    if (hashes->from != piece->offset || hashes->to != to) {
        hashes->part = hash_piece(piece, view);
        hashes->from = piece->offset;
        hashes->to = to;
    }
    return hashes->part;
}

uint64_t flash_sim_fingerprint(const struct flash_sim *sim, uint32_t address, uint32_t length)
{
    uint64_t print = mix(address + odd[3]);
    if (address > sim->size) {
        return print;
    }
    uint32_t left = length < sim->size - address ? length : sim->size - address;
    while (left > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, left, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        print = mix(rotate(print, 23) ^ remembered(&piece, &view));
        address += piece.length;
        left -= piece.length;
    }
    return print;
}

/* The programs of the units that the piece touches; 0 where they are not counted. */
static uint64_t hash_counts(const struct flash_piece *piece, const struct flash_view *view)
{
    if (view->counts == NULL) {
        return 0;
    }
    unsigned shift = piece->region->unit_shift;
    uint32_t first = piece->offset >> shift;
    uint32_t last = (piece->offset + piece->length - 1) >> shift;
    return flash_hash(view->counts + first, last - first + 1);
}

static uint64_t state_of(const struct flash_piece *piece, const struct flash_view *view)
{
    struct flash_hashes *hashes = view->hashes;
    if (piece->length != piece->region->block_size) {
        return mix(rotate(hash_piece(piece, view), 31) ^ hash_counts(piece, view));
    }
    if (!hashes->state_known) {
        hashes->state = mix(rotate(remembered(piece, view), 31) ^ hash_counts(piece, view));
        hashes->state_known = true;
    }
    return hashes->state;
}

uint64_t flash_sim_state_print(const struct flash_sim *sim, uint32_t address, uint32_t length)
{
    uint64_t print = mix(address + odd[2]);
    uint32_t left = address < sim->size ? sim->size - address : 0;
    left = length < left ? length : left;
    while (left > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, left, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        print = mix(rotate(print, 23) ^ state_of(&piece, &view));
        address += piece.length;
        left -= piece.length;
    }
    return print;
}
