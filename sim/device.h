/* The device file: which parts a device has, where its slots lie, what it is and whom it trusts.
 *
 * One `key value...` a line, `#` starts a comment. Positions are `CHIP OFFSET SIZE`; CHIP is the
 * part's name (or part#2 for the second of two equal parts). Loaded once, owned by the caller,
 * released with sim_device_free. */
#ifndef NOBRICK_SIM_DEVICE_H
#define NOBRICK_SIM_DEVICE_H

#include "agent/boot/boot.h"
#include "flashsim/flashsim.h"

#define SIM_TEXT           64
#define SIM_MAX_KEYS       4
#define SIM_FOREIGN_IMAGES 4
#define SIM_FOREIGN_PATH   512

/* Somebody else's firmware for the Cortex-M board, as files. */
struct sim_foreign {
    char loader[SIM_FOREIGN_PATH];                     /* an ELF */
    char images[SIM_FOREIGN_IMAGES][SIM_FOREIGN_PATH]; /* v1, v2 …, as they lie in a slot; or "" */
};

struct sim_region {
    uint32_t address; /* in the device's flash */
    uint32_t size;
};

struct sim_device {
    char name[SIM_TEXT];
    char system[SIM_TEXT]; /* "anycloud" */
    struct flash_chip chips[FLASH_MAX_CHIPS];
    size_t chip_count;
    struct sim_region loader; /* the bootloader's own region: nobody may write it */
    struct sim_region primary;
    struct sim_region secondary;
    struct sim_region journal;  /* the agent's records: at least two erase sectors */
    struct sim_region progress; /* its records of a download: the same; size 0: none are kept */
    struct sim_region scratch;  /* for schemes that swap by way of it; size 0: none */
    struct sim_region status;   /* for schemes that keep their state there; size 0: none */
    struct sim_region factory;  /* the factory image's row, for schemes with a store */
    uint32_t attempts;          /* the same: starts that an image has to confirm itself */
    const struct boot_scheme *scheme;
    struct img_trailer_format format; /* see sim_device_format */
    bool validate_primary;
    bool refuse_older_version;
    bool use_counter;
    char key_paths[SIM_MAX_KEYS][256]; /* PEM public keys named in the file, as found */
    struct crypto_key keys[SIM_MAX_KEYS];
    uint8_t *key_der[SIM_MAX_KEYS];
    size_t key_count;
    uint32_t header_size; /* what images for this device use: 32, 0x400 … */
    char manufacturer[SIM_TEXT];
    char manufacturer_id[SIM_TEXT];
    char product[SIM_TEXT];
    char serial[SIM_TEXT];
    char board[SIM_TEXT];
    char topic_prefix[SIM_TEXT]; /* "anycloud" or "OTAUpdate" */
    uint32_t watchdog_ms;
    struct sim_foreign *foreign; /* NULL: the firmware is ours */
};

/* The table of boot schemes linked into the host: NULL-terminated. */
extern const struct boot_scheme *const sim_schemes[];
const struct boot_scheme *sim_scheme_find(const char *name);

/* Parses device text. Keys are not read (only named), paths are as found. Overlapping regions,
 * regions across chips or off sector boundaries, unknown parts and schemes that do not fit are
 * refused with line and column. */
OTA_MUST_CHECK int sim_device_parse(const char *text, size_t length, const char *name,
                                    const char *parts_dir, struct sim_device *out,
                                    struct flash_text_error *error);

/* The file at `path`, its keys read too (paths relative to the device file). */
OTA_MUST_CHECK int sim_device_load(const char *path, const char *parts_dir, struct sim_device *out,
                                   struct flash_text_error *error);

/* Adds the PEM public key at `path` to those the device trusts. */
OTA_MUST_CHECK int sim_device_add_key(struct sim_device *device, const char *path,
                                      struct flash_text_error *error);

/* A device of one part (`part` filled) with slots of `slot_size` bytes, for sweeps and scripts that
 * name a part: loader region, primary, secondary, journal and progress one after another, then
 * scratch, status and factory where the scheme needs them. With a store the secondary is one: the
 * factory's place and three more. */
OTA_MUST_CHECK int sim_device_generic(const struct flash_part *part,
                                      const struct boot_scheme *scheme, uint32_t slot_size,
                                      struct sim_device *out, struct flash_text_error *error);

void sim_device_free(struct sim_device *device);

/* The trailer format, with the status area on `flash` where the scheme keeps its state there. */
struct img_trailer_format sim_device_format(const struct sim_device *device,
                                            const struct flash_port *flash);

/* Fills the loader's configuration for `device` on `flash`. `buffer` is the copy buffer. */
void sim_device_boot_config(const struct sim_device *device, const struct flash_port *flash,
                            const struct crypto_port *crypto, const struct nv_port *nv,
                            const struct platform_port *platform, uint8_t *buffer,
                            uint32_t buffer_size, struct boot_config *out);

/* The largest image that the device's loader accepts, in bytes from its start. */
uint32_t sim_device_max_end(const struct sim_device *device);

#define SIM_COPY_BUFFER 1024u

#endif
