/* The image store of a device, read from copies of its flash, as people and Microchip's original
 * would see it. Nothing is written to the copies. */
#ifndef NOBRICK_HARNESS_IMAGE_STORE_VIEW_H
#define NOBRICK_HARNESS_IMAGE_STORE_VIEW_H

#include "agent/store/store.h"
#include "sim/device.h"

#include <stdio.h>

struct nb_store_view {
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct store_config config;
    struct store store;
    struct img_row rows[STORE_PLACES];
    int row_errors[STORE_PLACES]; /* 0: the row of that place is there */
    int verdicts[STORE_PLACES];   /* 0: its image may run; of places that are not free */
};

/* `flash` (copied) is the whole flash, chip after chip, of `device`, whose scheme has a store, and
 * which must outlive the view. OTA_E_NO_SPACE, or an error of flash. The caller closes it, also
 * then. */
OTA_MUST_CHECK int nb_store_view_open(struct nb_store_view *view, const struct sim_device *device,
                                      const uint8_t *flash, uint32_t size);
void nb_store_view_close(struct nb_store_view *view);

/* The table, one line a place. */
void nb_store_view_print(const struct nb_store_view *view, FILE *out);

/* ---- the original's files ---- */

#define NB_STORE_FILE_NAME (IMG_ROW_NAME + 24)
#define NB_STORE_FILES     (2u * STORE_PLACES + 2u)

struct nb_store_file {
    char name[NB_STORE_FILE_NAME];
    uint8_t *data;
    size_t size;
};

/* What lies in the original's folder `ota` when it is in this state:
 *
 *   image_database.csv         name,status,version,type,digest of each image but the factory's: LF
 *                              between rows, none at the end; a name with a comma is in quotes;
 *                              status FE (never confirmed), f8 or f0; version in decimal; 0x01;
 *                              64 hexadecimal digits. No file when there is no such image: the
 *                              original takes an empty one for a row
 *   NAME.bin                   each of them
 *   NAME_sign.txt              r || s in base64, of those that are signed
 *   factory_reset.bin          as large as the slot, its block of status F8 and type 3
 *   factory_image_digest.txt   the 32 bytes of its SHA-256
 *
 * A name that occurs twice, or makes no file, gets the version put in or the character replaced. */
struct nb_store_files {
    struct nb_store_file files[NB_STORE_FILES];
    size_t count;
};

/* OTA_E_NO_IMAGE: the device has never booted and has none of them; OTA_E_NO_SPACE, OTA_E_IO. */
OTA_MUST_CHECK int nb_store_files_make(const struct nb_store_view *view,
                                       struct nb_store_files *out);
void nb_store_files_free(struct nb_store_files *files);

/* Into DIRECTORY/ota, which is made; each file is old or new. */
OTA_MUST_CHECK int nb_store_files_write(const struct nb_store_files *files, const char *directory,
                                        char *reason, size_t reason_size);

/* Into a new FAT image, by mtools. OTA_E_UNSUPPORTED: they are not installed. */
OTA_MUST_CHECK int nb_store_files_to_fat(const struct nb_store_files *files, const char *path,
                                         char *reason, size_t reason_size);

#endif
