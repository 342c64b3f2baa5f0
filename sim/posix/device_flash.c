#include "sim/posix/device_flash.h"

#include "sim/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t fnv1a(const uint8_t *data, uint32_t length)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

static enum flash_tear observe(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct posix_device_flash *flash = context;
    const struct posix_device_config *config = flash->config;
    uint32_t number = flash->first_operation + op->index;
    (void)sim;
    flash->life->operations = number + 1;
    if (flash->journal != NULL) {
        int n = op->kind == FLASH_OP_ERASE
                    ? fprintf(flash->journal, "%u erase 0x%X %u\n", number, op->address, op->length)
                    : fprintf(flash->journal, "%u program 0x%X %u %08x\n", number, op->address,
                              op->length, fnv1a(op->data, op->length));
        flash->journal_failed |= n < 0;
    }
    return config->has_cut && number == config->cut_operation ? config->cut_tear : FLASH_TEAR_NONE;
}

bool posix_device_flash_close(struct posix_device_flash *flash)
{
    if (flash->journal != NULL)
        flash->journal_failed |= fclose(flash->journal) != 0;
    flash->journal = NULL;
    if (flash->sim != NULL)
        flash_sim_close(flash->sim);
    flash->sim = NULL;
    return !flash->journal_failed;
}

/* Says once what the part forbids and the device asked for. */
static void tell_violation(struct posix_device_flash *flash)
{
    struct flash_stats stats;
    char line[APP_LINE];
    flash_sim_stats(flash->sim, &stats);
    if (stats.violations == flash->violations)
        return;
    flash->violations = stats.violations;
    snprintf(line, sizeof line, "violation %.140s", flash_sim_violation(flash->sim));
    flash->config->event(flash->config->context, line, OTA_E_FLASH_PROGRAM);
}

/* A cut that does not fit its operation cuts nothing: the device goes on, and says so once. */
static int tell_misfit(struct posix_device_flash *flash, int result)
{
    enum flash_tear misfit = flash_sim_misfit(flash->sim);
    char line[64];
    if (misfit != FLASH_TEAR_NONE && !flash->misfit_told) {
        flash->misfit_told = true;
        snprintf(line, sizeof line, "cut-misfit %u %s", flash->config->cut_operation,
                 flash_tear_word(misfit));
        flash->config->event(flash->config->context, line, OTA_OK);
    }
    return result;
}

/* The power went: nothing of this device runs on. */
static int unless_cut(struct posix_device_flash *flash, int result)
{
    const struct posix_device_config *config = flash->config;
    char line[64];
    if (result != OTA_OK && result != OTA_E_POWER)
        tell_violation(flash);
    if (result != OTA_E_POWER)
        return result;
    snprintf(line, sizeof line, "cut %u %s", config->cut_operation,
             flash_tear_word(config->cut_tear));
    config->event(config->context, line, OTA_E_POWER);
    snprintf(line, sizeof line, "exit %d", POSIX_DEVICE_CUT_EXIT);
    config->event(config->context, line, OTA_OK);
    (void)posix_device_flash_close(flash);
    fflush(NULL);
    _exit(POSIX_DEVICE_CUT_EXIT);
}

static const struct flash_port *inner(const struct posix_device_flash *flash)
{
    return flash_sim_port(flash->sim);
}

static int flash_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct posix_device_flash *flash = context;
    return unless_cut(flash, inner(flash)->read(inner(flash)->context, address, data, length));
}

static int flash_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct posix_device_flash *flash = context;
    int result = inner(flash)->program(inner(flash)->context, address, data, length);
    return tell_misfit(flash, unless_cut(flash, result));
}

static int flash_erase(void *context, uint32_t address)
{
    struct posix_device_flash *flash = context;
    int result = inner(flash)->erase(inner(flash)->context, address);
    return tell_misfit(flash, unless_cut(flash, result));
}

static int flash_sync(void *context)
{
    struct posix_device_flash *flash = context;
    return unless_cut(flash, inner(flash)->sync(inner(flash)->context));
}

static int flash_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct posix_device_flash *flash = context;
    return inner(flash)->sector(inner(flash)->context, address, out);
}

static int put_factory(void *context, struct flash_sim *sim)
{
    const struct posix_device_config *config = context;
    if (config->factory == NULL)
        return OTA_OK;
    return flash_sim_put(sim, config->device->primary.address, config->factory,
                         (uint32_t)config->factory_size);
}

int posix_device_flash_open(struct posix_device_flash *flash,
                            const struct posix_device_config *config,
                            struct posix_device_life *life, char *why, size_t size)
{
    const struct sim_device *device = config->device;
    struct flash_text_error error = {0};
    bool created = false;
    char nv_path[4096];
    flash->config = config;
    flash->life = life;
    if (config->factory_size > device->primary.size) {
        snprintf(why, size, "factory image of %zu bytes is larger than the slot (%u)",
                 config->factory_size, device->primary.size);
        return OTA_E_IMG_SIZE;
    }
    int n = snprintf(nv_path, sizeof nv_path, "%s.nv", config->flash_path);
    if (n < 0 || (size_t)n >= sizeof nv_path || posix_nv_init(&flash->nv, nv_path) != OTA_OK) {
        snprintf(why, size, "path of the flash file is too long");
        return OTA_E_NO_SPACE;
    }
    int result = flash_sim_file_filled(config->flash_path, device->chips, device->chip_count,
                                       put_factory, (void *)config, &created, &flash->sim, &error);
    if (result != OTA_OK) {
        snprintf(why, size, "%s: %s", config->flash_path, error.message);
        return result;
    }
    struct flash_stats stats;
    flash_sim_stats(flash->sim, &stats);
    flash->violations = stats.violations;
    flash->port = (struct flash_port){flash,       flash_read, flash_program,
                                      flash_erase, flash_sync, flash_sector};
    flash->first_operation = life->operations;
    flash_sim_observe(flash->sim, observe, flash);
    if (config->journal_path == NULL)
        return OTA_OK;
    flash->journal = fopen(config->journal_path, "ae");
    if (flash->journal == NULL) {
        snprintf(why, size, "%s: %s", config->journal_path, strerror(errno));
        return OTA_E_IO;
    }
    setvbuf(flash->journal, NULL, _IOLBF, 0);
    return OTA_OK;
}
