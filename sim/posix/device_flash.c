#include "sim/posix/device_flash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum flash_tear cut(void *context, const struct flash_op *op, uint32_t number)
{
    const struct posix_device_config *config = ((struct posix_device_flash *)context)->config;
    (void)op;
    return config->has_cut && number == config->cut_operation ? config->cut_tear : FLASH_TEAR_NONE;
}

static void write_journal(void *context, const char *line)
{
    struct posix_device_flash *flash = context;
    flash->journal_failed |= fprintf(flash->journal, "%s\n", line) < 0;
}

static void pass_event(void *context, const char *line, int code)
{
    const struct sim_life_config *life = &((struct posix_device_flash *)context)->config->life;
    life->event(life->context, line, code);
}

static void power_off(void *context)
{
    (void)posix_device_flash_close(context);
    fflush(NULL);
    _exit(SIM_CUT_EXIT);
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

static int put_factory(void *context, struct flash_sim *sim)
{
    const struct posix_device_config *config = context;
    const struct sim_device *device = config->life.device;
    if (config->factory == NULL)
        return OTA_OK;
    int result = flash_sim_put(sim, device->primary.address, config->factory,
                               (uint32_t)config->factory_size);
    if (result != OTA_OK || config->factory_row == NULL)
        return result;
    return flash_sim_put(sim, device->factory.address, config->factory_row, IMG_ROW_SIZE);
}

int posix_device_flash_open(struct posix_device_flash *flash,
                            const struct posix_device_config *config, struct sim_past *past,
                            char *why, size_t size)
{
    const struct sim_device *device = config->life.device;
    struct flash_text_error error = {0};
    bool created = false;
    char nv_path[4096];
    flash->config = config;
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
    flash->seam = (struct sim_device_flash){.sim = flash->sim,
                                            .operations = &past->operations,
                                            .cut = cut,
                                            .event = pass_event,
                                            .power_off = power_off,
                                            .context = flash};
    sim_device_flash_init(&flash->seam);
    if (config->journal_path == NULL)
        return OTA_OK;
    flash->journal = fopen(config->journal_path, "ae");
    if (flash->journal == NULL) {
        snprintf(why, size, "%s: %s", config->journal_path, strerror(errno));
        return OTA_E_IO;
    }
    setvbuf(flash->journal, NULL, _IOLBF, 0);
    flash->seam.journal = write_journal;
    return OTA_OK;
}
