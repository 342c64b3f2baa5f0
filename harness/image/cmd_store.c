#include "harness/cli/paths.h"
#include "harness/image/image_cli.h"
#include "harness/image/store_view.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define PART "store"

static const char *const HELP =
    "usage: nobrick image store --device FILE|PRESET [--out DIR] [--fat FILE] FLASH...\n"
    "\n"
    "Shows the image store of a device from copies of its flash: one file of all its chips, as\n"
    "`nobrick device` has it, or one for each chip, in the device file's order. Exit code 0: "
    "every\n"
    "image in it may run; 1: one may not, and the table says so; 2: usage or a bad file.\n"
    "\n"
    "  --device FILE|PRESET  device file, or a name from `nobrick list devices`\n"
    "  --out DIR             also write what Microchip's original would have on its file system:\n"
    "                        DIR/ota/image_database.csv, the images, their signatures, and the\n"
    "                        factory's image and digest\n"
    "  --fat FILE            the same into a FAT image (package mtools)\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o app.bin\n"
    "  nobrick image bin2hex --base 0x10020000 -o app.hex app.bin\n"
    "  nobrick image factory --device harmony-wfi32 --version 1 --flash dev.bin app.hex\n"
    "  nobrick device --device harmony-wfi32 --flash dev.bin --boot-only\n"
    "  nobrick image store --device harmony-wfi32 --out files dev.bin\n";

struct job {
    const char *device;
    const char *directory;
    const char *fat;
    bool help;
};

static int take(void *context, int option)
{
    struct job *job = context;
    if (option == 'd')
        job->device = optarg;
    else if (option == 'o')
        job->directory = optarg;
    else
        job->fat = optarg;
    return 0;
}

static int parse(int argc, char **argv, struct job *job)
{
    static const struct option options[] = {
        {"device", required_argument, NULL, 'd'},
        {"out", required_argument, NULL, 'o'},
        {"fat", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {PART, options, take, job, &job->help, NB_IMAGE_FILES};
    int code = nb_image_take_options(&wanted, argc, argv);
    if (code != 0 || job->help)
        return code;
    if (job->device == NULL)
        code = nb_image_complain(PART, "needs --device FILE|PRESET (--help)");
    if (code == 0 && optind == argc)
        code = nb_image_complain(PART, "needs the device's FLASH as one file or one for each chip "
                                       "(--help)");
    return code;
}

/* One file into its part of the flash. */
static int read_flash(const char *path, uint8_t *flash, uint32_t size, const char *of)
{
    uint8_t *data;
    size_t length;
    if (nb_image_read(PART, path, &data, &length) < 0)
        return 2;
    int code = length == size ? 0
                              : nb_image_complain(PART, "%s: %zu bytes, but %s has %u", path,
                                                  length, of, size);
    if (code == 0)
        memcpy(flash, data, size);
    free(data);
    return code;
}

static int read_files(const struct sim_device *device, char **paths, size_t count, uint8_t *flash,
                      uint32_t size)
{
    int code = 0;
    if (count == 1)
        return read_flash(paths[0], flash, size, device->name);
    if (count != device->chip_count)
        return nb_image_complain(PART, "%zu files, but %s has %zu chips", count, device->name,
                                 device->chip_count);
    for (size_t i = 0; code == 0 && i < count; i++)
        code = read_flash(paths[i], flash + device->chips[i].start, device->chips[i].part.size,
                          device->chips[i].part.name);
    return code;
}

static int write_files(const struct job *job, const struct nb_store_view *view)
{
    struct nb_store_files files;
    char reason[400] = "";
    int err = nb_store_files_make(view, &files);
    if (err == OTA_E_NO_IMAGE)
        return nb_image_complain(PART, "a device that has never booted has no files");
    if (err == 0 && job->directory != NULL)
        err = nb_store_files_write(&files, job->directory, reason, sizeof reason);
    if (err == 0 && job->fat != NULL)
        err = nb_store_files_to_fat(&files, job->fat, reason, sizeof reason);
    nb_store_files_free(&files);
    return err == 0 ? 0 : nb_image_complain(PART, "%s", reason[0] ? reason : ota_err_text(err));
}

static int show(const struct job *job, const struct sim_device *device, const uint8_t *flash,
                uint32_t size)
{
    struct nb_store_view view;
    int code = 0;
    int err = nb_store_view_open(&view, device, flash, size);
    if (err != 0)
        code = nb_image_complain(PART, "%s", ota_err_text(err));
    if (err == 0)
        nb_store_view_print(&view, stdout);
    if (err == 0 && (job->directory != NULL || job->fat != NULL))
        code = write_files(job, &view);
    for (size_t i = 0; code == 0 && i < STORE_PLACES; i++)
        code = view.verdicts[i] != 0;
    nb_store_view_close(&view);
    return code;
}

static int show_files(const struct job *job, const struct sim_device *device, char **paths,
                      size_t count)
{
    uint32_t size = 0;
    for (size_t i = 0; i < device->chip_count; i++)
        size += device->chips[i].part.size;
    uint8_t *flash = malloc(size);
    int code = flash != NULL ? read_files(device, paths, count, flash, size)
                             : nb_image_complain(PART, "no memory for %u bytes", size);
    if (code == 0)
        code = show(job, device, flash, size);
    free(flash);
    return code;
}

int nb_image_cmd_store(int argc, char **argv)
{
    struct job job = {0};
    struct sim_device device;
    int code = parse(argc, argv, &job);
    if (code != 0)
        return code;
    if (job.help) {
        fputs(HELP, stdout);
        return 0;
    }
    if (nb_device_load("image store", job.device, &device) != 0)
        return 2;
    code = device.scheme->store
               ? show_files(&job, &device, argv + optind, (size_t)(argc - optind))
               : nb_image_complain(PART, "%s keeps no images in a store", device.name);
    sim_device_free(&device);
    return code;
}
