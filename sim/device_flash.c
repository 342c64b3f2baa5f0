#include "sim/device_flash.h"

#include "sim/life.h"

#include <stdio.h>

/* ---- journal ----------------------------------------------------------------------------- */

static uint32_t fnv1a(const uint8_t *data, uint32_t length)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

void sim_journal_line(const struct flash_op *op, uint32_t number, char out[SIM_JOURNAL_LINE])
{
    if (op->kind == FLASH_OP_ERASE)
        snprintf(out, SIM_JOURNAL_LINE, "%u erase 0x%X %u", number, op->address, op->length);
    else
        snprintf(out, SIM_JOURNAL_LINE, "%u program 0x%X %u %08x", number, op->address, op->length,
                 fnv1a(op->data, op->length));
}

uint64_t sim_journal_hash(uint64_t hash, const char *line)
{
    if (hash == 0)
        hash = 14695981039346656037u;
    for (; *line != '\0'; line++)
        hash = (hash ^ (uint8_t)*line) * 1099511628211u;
    return (hash ^ '\n') * 1099511628211u;
}

static enum flash_tear observe(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct sim_device_flash *flash = context;
    uint32_t number = flash->first_operation + op->index;
    char line[SIM_JOURNAL_LINE];
    (void)sim;
    *flash->operations = number + 1;
    if (flash->journal != NULL) {
        sim_journal_line(op, number, line);
        flash->journal(flash->context, line);
    }
    if (flash->cut == NULL)
        return FLASH_TEAR_NONE;
    enum flash_tear tear = flash->cut(flash->context, op, number);
    if (tear != FLASH_TEAR_NONE) {
        flash->cut_number = number;
        flash->cut_tear = tear;
    }
    return tear;
}

/* ---- what is told ------------------------------------------------------------------------ */

/* Says once what the part forbids and the device asked for. */
static void tell_violation(struct sim_device_flash *flash)
{
    struct flash_stats stats;
    char line[APP_LINE];
    flash_sim_stats(flash->sim, &stats);
    if (stats.violations == flash->violations)
        return;
    flash->violations = stats.violations;
    snprintf(line, sizeof line, "violation %.140s", flash_sim_violation(flash->sim));
    flash->event(flash->context, line, OTA_E_FLASH_PROGRAM);
}

/* A cut that does not fit its operation cuts nothing: the device goes on, and says so once. */
static int tell_misfit(struct sim_device_flash *flash, int result)
{
    enum flash_tear misfit = flash_sim_misfit(flash->sim);
    char line[64];
    if (misfit != FLASH_TEAR_NONE && !flash->misfit_told) {
        flash->misfit_told = true;
        snprintf(line, sizeof line, "cut-misfit %u %s", flash->cut_number, flash_tear_word(misfit));
        flash->event(flash->context, line, OTA_OK);
    }
    return result;
}

/* The power went: nothing of this device runs on. */
static int unless_cut(struct sim_device_flash *flash, int result)
{
    char line[64];
    if (result == OTA_OK)
        return result;
    if (result != OTA_E_POWER) {
        tell_violation(flash);
        return result;
    }
    snprintf(line, sizeof line, "cut %u %s", flash->cut_number, flash_tear_word(flash->cut_tear));
    flash->event(flash->context, line, OTA_E_POWER);
    snprintf(line, sizeof line, "exit %d", SIM_CUT_EXIT);
    flash->event(flash->context, line, OTA_OK);
    flash->power_off(flash->context);
    return result;
}

/* ---- the seam ---------------------------------------------------------------------------- */

static int flash_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct sim_device_flash *flash = context;
    return unless_cut(flash, flash->inner->read(flash->inner->context, address, data, length));
}

static int flash_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct sim_device_flash *flash = context;
    int result = flash->inner->program(flash->inner->context, address, data, length);
    return tell_misfit(flash, unless_cut(flash, result));
}

static int flash_erase(void *context, uint32_t address)
{
    struct sim_device_flash *flash = context;
    int result = flash->inner->erase(flash->inner->context, address);
    return tell_misfit(flash, unless_cut(flash, result));
}

static int flash_sync(void *context)
{
    struct sim_device_flash *flash = context;
    return unless_cut(flash, flash->inner->sync(flash->inner->context));
}

static int flash_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct sim_device_flash *flash = context;
    return flash->inner->sector(flash->inner->context, address, out);
}

void sim_device_flash_init(struct sim_device_flash *flash)
{
    struct flash_stats stats;
    flash_sim_stats(flash->sim, &stats);
    flash->violations = stats.violations;
    if (flash->inner == NULL)
        flash->inner = flash_sim_port(flash->sim);
    flash->port = (struct flash_port){flash,       flash_read, flash_program,
                                      flash_erase, flash_sync, flash_sector};
    flash->first_operation = *flash->operations - flash_sim_op_count(flash->sim);
    flash->misfit_told = false;
    flash->cut_tear = FLASH_TEAR_NONE;
    flash_sim_observe(flash->sim, observe, flash);
}
