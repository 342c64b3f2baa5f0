#include "flashsim/store.h"

#include <stdlib.h>
#include <string.h>

/* ---- effects ---- */

/* Opens every block of a range of several, so that nothing can fail once the change has begun. */
static int open_range(struct flash_sim *sim, uint32_t address, uint32_t length)
{
    if (length == 0) {
        return 0;
    }
    struct flash_piece first;
    flash_first_piece(sim, address, length, &first);
    if (first.length == length) {
        return 0;
    }
    int error = 0;
    while (error == 0 && length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        error = flash_open(sim, piece.region, piece.block, &view);
        address += piece.length;
        length -= piece.length;
    }
    return error;
}

/* A program counts once for each unit, or row, that it touches. */
static void count_program(const struct flash_piece *piece, const struct flash_view *view)
{
    unsigned shift = piece->region->unit_shift;
    uint32_t first = piece->offset >> shift;
    uint32_t last = (piece->offset + piece->length - 1) >> shift;
    flash_counts_add(view->counts + first, last - first + 1);
}

/* On what an erase left behind without a word: bits only move away from the erased value, and with
 * ecc a word that was used already is lost. */
static int land_on_old(struct flash_sim *sim, const struct flash_piece *piece,
                       struct flash_view *view, const uint8_t *data)
{
    const struct flash_part *part = piece->region->part;
    uint32_t step = part->ecc > part->unit ? part->ecc : part->unit;
    for (uint32_t at = 0; at < piece->length;) {
        uint8_t *old = view->bytes + piece->offset + at;
        uint32_t length = step - (piece->offset + at) % step;
        length = length < piece->length - at ? length : piece->length - at;
        bool used = !flash_is_all(old, length, part->erased);
        bool same = memcmp(old, data + at, length) == 0;
        for (uint32_t i = 0; i < length; i++) {
            old[i] = part->erased == 0xFF ? old[i] & data[at + i] : old[i] | data[at + i];
        }
        if (part->ecc != 0 && used && !same) {
            int error = flash_need_faults(sim, piece->region, piece->block, view);
            if (error != 0) {
                return error;
            }
            flash_mark_faults(piece->region, view->faults, piece->offset + at,
                              piece->offset + at + length);
        }
        at += length;
    }
    return 0;
}

static int land(struct flash_sim *sim, uint32_t address, const uint8_t *data, uint32_t length)
{
    while (length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        int error = flash_open(sim, piece.region, piece.block, &view);
        if (error != 0) {
            return error;
        }
        if (sim->marks->stuck_count > 0 &&
            flash_is_stuck(sim, flash_sector_start(piece.region, address))) {
            error = land_on_old(sim, &piece, &view, data);
        } else {
            memcpy(view.bytes + piece.offset, data, piece.length);
        }
        flash_in_order();
        if (view.counts != NULL) {
            count_program(&piece, &view);
        }
        if (error != 0) {
            return error;
        }
        address += piece.length;
        data += piece.length;
        length -= piece.length;
    }
    return 0;
}

static int land_torn(struct flash_sim *sim, uint32_t address, const uint8_t *data,
                     const struct flash_torn_program *torn)
{
    struct flash_piece piece;
    struct flash_view view;
    flash_first_piece(sim, address, torn->torn, &piece);
    int error = flash_open(sim, piece.region, piece.block, &view);
    if (error != 0) {
        return error;
    }
    bool changed = torn->fault || torn->weak;
    uint8_t *bytes = view.bytes + piece.offset;
    for (uint32_t i = 0; i < torn->torn; i++) {
        uint8_t byte = (uint8_t)((bytes[i] & ~torn->mask) | (data[i] & torn->mask));
        changed = changed || byte != bytes[i];
        bytes[i] = byte;
    }
    flash_in_order();
    if (view.counts != NULL && changed) {
        flash_counts_add(view.counts + (piece.offset >> piece.region->unit_shift), 1);
    }
    return torn->fault || torn->weak ? flash_mark_range(sim, address, torn->torn, torn->weak) : 0;
}

static int apply_program(struct flash_sim *sim, const struct flash_op *op,
                         const struct flash_torn_program *torn)
{
    const struct flash_part *part = flash_region_at(sim, op->address)->part;
    sim->stats.programs++;
    sim->stats.program_bytes += op->length;
    if (part->program_per != 0) {
        uint64_t steps = ((uint64_t)op->length + part->program_per - 1) / part->program_per;
        uint32_t most = part->t_program_max_us != 0 ? part->t_program_max_us : part->t_program_us;
        sim->stats.modelled_us += steps * part->t_program_us;
        sim->stats.modelled_max_us += steps * most;
    }
    int error = open_range(sim, op->address, torn->whole + torn->torn);
    if (error == 0) {
        error = land(sim, op->address, op->data, torn->whole);
    }
    if (error == 0 && torn->torn > 0) {
        error = land_torn(sim, op->address + torn->whole, op->data + torn->whole, torn);
    }
    if (error == 0 && torn->disturb) {
        error = flash_disturb(sim, op->address, op->address + op->length);
    }
    return error;
}

/* Erases a part of a block: what was known of its units goes first, then its bytes. */
static int blank_piece(struct flash_sim *sim, const struct flash_piece *piece)
{
    const struct flash_region *region = piece->region;
    if (piece->length == region->block_size) {
        return flash_blank(sim, region, piece->block);
    }
    struct flash_view view;
    int error = flash_open(sim, region, piece->block, &view);
    if (error != 0) {
        return error;
    }
    uint32_t end = piece->offset + piece->length;
    if (view.counts != NULL) {
        /* A unit that is erased by half only stays used. */
        uint32_t unit = 1u << region->unit_shift;
        uint32_t first = (piece->offset + unit - 1) >> region->unit_shift;
        uint32_t last = end >> region->unit_shift;
        memset(view.counts + first, 0, last > first ? last - first : 0);
    }
    if (view.faults != NULL) {
        flash_clear_faults(region, view.faults, piece->offset, end);
    }
    flash_in_order();
    memset(view.bytes + piece->offset, region->part->erased, piece->length);
    return 0;
}

static int apply_erase(struct flash_sim *sim, const struct flash_op *op,
                       const struct flash_torn_erase *torn)
{
    const struct flash_region *region = flash_region_at(sim, op->address);
    sim->stats.erases++;
    sim->stats.modelled_us += region->part->t_erase_us;
    sim->stats.modelled_max_us +=
        region->part->t_erase_max_us != 0 ? region->part->t_erase_max_us : region->part->t_erase_us;
    sim->erases[flash_sector_number(region, op->address)]++;
    if (flash_erase_fails(sim, op->address)) {
        return 0;
    }
    int error = 0;
    for (uint32_t at = torn->from; error == 0 && at < torn->to;) {
        struct flash_piece piece;
        flash_first_piece(sim, op->address + at, torn->to - at, &piece);
        error = blank_piece(sim, &piece);
        at += piece.length;
    }
    bool marked = torn->fault || torn->weak;
    if (error == 0 && marked) {
        error = flash_mark_range(sim, op->address, torn->from, torn->weak);
    }
    if (error == 0 && marked) {
        error = flash_mark_range(sim, op->address + torn->to, op->length - torn->to, torn->weak);
    }
    return error;
}

/* Does the operation, torn. False when the tear does not fit it: then nothing was done. */
static bool apply(struct flash_sim *sim, const struct flash_op *op, enum flash_tear tear,
                  int *error)
{
    if (op->kind == FLASH_OP_ERASE) {
        struct flash_torn_erase torn;
        const struct flash_part *part = flash_region_at(sim, op->address)->part;
        if (!flash_tear_erase(part, op->length, tear, &torn)) {
            return false;
        }
        *error = tear == FLASH_TEAR_BEFORE ? 0 : apply_erase(sim, op, &torn);
        return true;
    }
    struct flash_torn_program torn;
    if (!flash_tear_program(sim, op, tear, &torn)) {
        return false;
    }
    *error = tear == FLASH_TEAR_BEFORE ? 0 : apply_program(sim, op, &torn);
    return true;
}

static int perform(struct flash_sim *sim, struct flash_op *op)
{
    op->index = sim->op_count++;
    enum flash_tear tear = FLASH_TEAR_NONE;
    if (sim->observer != NULL) {
        tear = sim->observer(sim->observer_context, sim, op);
    }
    int error = 0;
    if (!apply(sim, op, tear, &error)) {
        sim->misfit = tear;
        tear = FLASH_TEAR_NONE;
        (void)apply(sim, op, tear, &error); /* always fits */
    }
    if (tear != FLASH_TEAR_NONE) {
        sim->off = true;
        return OTA_E_POWER;
    }
    return error;
}

/* ---- the port ---- */

static int port_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct flash_sim *sim = context;
    uint8_t *out = data;
    bool weak = false;
    int error = 0;
    if (sim->off) {
        return OTA_E_POWER;
    }
    if (!flash_is_inside(sim, address, length)) {
        return flash_refuse(sim, OTA_E_FLASH_BOUNDS,
                            "read of %u bytes at 0x%08x: outside the device", length, address);
    }
    while (error == 0 && length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        uint32_t end = piece.offset + piece.length;
        if (view.faults != NULL && flash_is_faulty(piece.region, view.faults, piece.offset, end)) {
            error = OTA_E_FLASH_READ;
            break;
        }
        memcpy(out, view.bytes + piece.offset, piece.length);
        if (view.faults != NULL && flash_is_weak(piece.region, view.faults, piece.offset, end)) {
            weak = true;
            error = flash_read_weak(sim, &piece, &view, out);
        }
        out += piece.length;
        address += piece.length;
        length -= piece.length;
    }
    if (weak) {
        flash_turn(sim);
    }
    return error;
}

static int port_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct flash_sim *sim = context;
    if (sim->off) {
        return OTA_E_POWER;
    }
    int error = flash_check_program(sim, address, data, length);
    if (error != 0) {
        return error;
    }
    struct flash_op op = {
        .kind = FLASH_OP_PROGRAM, .address = address, .length = length, .data = data};
    return perform(sim, &op);
}

static int port_erase(void *context, uint32_t address)
{
    struct flash_sim *sim = context;
    if (sim->off) {
        return OTA_E_POWER;
    }
    if (address >= sim->size) {
        return flash_refuse(sim, OTA_E_FLASH_BOUNDS, "erase at 0x%08x: outside the device",
                            address);
    }
    const struct flash_region *region = flash_region_at(sim, address);
    if (flash_sector_start(region, address) != address) {
        return flash_refuse(sim, OTA_E_FLASH_ALIGN,
                            "erase at 0x%08x: not the start of a sector (0x%08x is)", address,
                            flash_sector_start(region, address));
    }
    struct flash_op op = {
        .kind = FLASH_OP_ERASE, .address = address, .length = region->sector_size};
    return perform(sim, &op);
}

/* Mapped and private bytes alike are there as soon as they are written, and survive the death of
 * the process; a power cut of the host is outside the model. */
static int port_sync(void *context)
{
    const struct flash_sim *sim = context;
    return sim->off ? OTA_E_POWER : 0;
}

static int port_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct flash_sim *sim = context;
    if (sim->off) {
        return OTA_E_POWER;
    }
    if (address >= sim->size) {
        return OTA_E_FLASH_BOUNDS;
    }
    const struct flash_region *region = flash_region_at(sim, address);
    *out = (struct flash_sector){
        .start = flash_sector_start(region, address),
        .size = region->sector_size,
        .unit = region->part->unit,
        .page = region->part->page,
        .erased = region->part->erased,
    };
    return 0;
}

void flash_port_fill(struct flash_sim *sim)
{
    sim->port = (struct flash_port){
        .context = sim,
        .read = port_read,
        .program = port_program,
        .erase = port_erase,
        .sync = port_sync,
        .sector = port_sector,
    };
}

/* ---- the bench's side ---- */

struct flash_sim *flash_sim_memory(const struct flash_chip *chips, size_t chip_count)
{
    struct flash_sim *sim = flash_geometry_new(chips, chip_count);
    if (sim == NULL) {
        return NULL;
    }
    flash_port_fill(sim);
    if (flash_memory_new(sim) != 0) {
        flash_sim_close(sim);
        return NULL;
    }
    return sim;
}

void flash_sim_close(struct flash_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    if (sim->file != NULL) {
        flash_file_close(sim);
    } else {
        flash_memory_free(sim);
    }
    free(sim);
}

const struct flash_port *flash_sim_port(struct flash_sim *sim)
{
    return &sim->port;
}

uint32_t flash_sim_size(const struct flash_sim *sim)
{
    return sim->size;
}

size_t flash_sim_chips(const struct flash_sim *sim, const struct flash_chip **out)
{
    *out = sim->chips;
    return sim->chip_count;
}

void flash_sim_observe(struct flash_sim *sim, flash_observer observer, void *context)
{
    sim->observer = observer;
    sim->observer_context = context;
}

void flash_sim_power_on(struct flash_sim *sim)
{
    sim->off = false;
}

bool flash_sim_is_off(const struct flash_sim *sim)
{
    return sim->off;
}

void flash_sim_restart_count(struct flash_sim *sim)
{
    sim->op_count = 0;
    sim->misfit = FLASH_TEAR_NONE;
}

uint32_t flash_sim_op_count(const struct flash_sim *sim)
{
    return sim->op_count;
}

enum flash_tear flash_sim_misfit(const struct flash_sim *sim)
{
    return sim->misfit;
}

void flash_sim_stats(const struct flash_sim *sim, struct flash_stats *out)
{
    *out = sim->stats;
    for (size_t i = 0; i < sim->region_count; i++) {
        const struct flash_region *region = &sim->regions[i];
        for (uint32_t n = 0; n < region->size / region->sector_size; n++) {
            uint32_t erases = sim->erases[region->first_sector + n];
            if (erases > out->most_erases) {
                out->most_erases = erases;
                out->most_erases_at = region->start + n * region->sector_size;
            }
        }
    }
}

uint32_t flash_sim_erases_at(const struct flash_sim *sim, uint32_t address)
{
    if (address >= sim->size) {
        return 0;
    }
    return sim->erases[flash_sector_number(flash_region_at(sim, address), address)];
}

const char *flash_sim_violation(const struct flash_sim *sim)
{
    return sim->violation;
}

void flash_count_missing(const struct flash_region *region, const struct flash_view *view)
{
    uint32_t unit = 1u << region->unit_shift;
    for (uint32_t n = 0; n < region->counts_size; n++) {
        if (view->counts[n] == 0 &&
            !flash_is_all(view->bytes + n * unit, unit, region->part->erased)) {
            view->counts[n] = 1;
        }
    }
}

/* Units of the piece that are not erased count as programmed once, the others as not. */
static void recount(const struct flash_piece *piece, const struct flash_view *view)
{
    if (view->counts == NULL) {
        return;
    }
    const struct flash_region *region = piece->region;
    uint32_t unit = 1u << region->unit_shift;
    uint32_t last = (piece->offset + piece->length + unit - 1) >> region->unit_shift;
    for (uint32_t n = piece->offset >> region->unit_shift; n < last; n++) {
        view->counts[n] = !flash_is_all(view->bytes + n * unit, unit, region->part->erased);
    }
}

int flash_sim_put(struct flash_sim *sim, uint32_t address, const void *data, uint32_t length)
{
    if (!flash_is_inside(sim, address, length)) {
        return OTA_E_FLASH_BOUNDS;
    }
    const uint8_t *bytes = data;
    while (length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        int error = flash_open(sim, piece.region, piece.block, &view);
        if (error != 0) {
            return error;
        }
        memcpy(view.bytes + piece.offset, bytes, piece.length);
        recount(&piece, &view);
        if (view.faults != NULL) {
            flash_clear_faults(piece.region, view.faults, piece.offset,
                               piece.offset + piece.length);
        }
        address += piece.length;
        bytes += piece.length;
        length -= piece.length;
    }
    return 0;
}

int flash_sim_peek(const struct flash_sim *sim, uint32_t address, void *data, uint32_t length)
{
    if (!flash_is_inside(sim, address, length)) {
        return OTA_E_FLASH_BOUNDS;
    }
    uint8_t *out = data;
    while (length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        memcpy(out, view.bytes + piece.offset, piece.length);
        out += piece.length;
        address += piece.length;
        length -= piece.length;
    }
    return 0;
}
