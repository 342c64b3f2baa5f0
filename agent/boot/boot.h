/* The bootloader: decides which image runs, installs what is pending, survives any power cut.
 *
 * On-flash compatible with MCUboot (overwrite-only, swap using move, swap using scratch); for parts
 * that program whole rows there is a swap with records of its own (swap-status). Other schemes have
 * no two slots at all: ranked keeps its images in a store. Runs from its
 * configuration and the flash alone: no state is kept between calls, nothing is allocated, and
 * the scheme is a row in a table that the caller links in. */
#ifndef NOBRICK_AGENT_BOOT_BOOT_H
#define NOBRICK_AGENT_BOOT_BOOT_H

#include "agent/image/mcuboot.h"
#include "agent/image/trailer.h"
#include "agent/store/store.h"

struct boot_scheme;

struct boot_config {
    const struct boot_scheme *scheme;
    struct flash_area primary;
    struct flash_area secondary;
    struct flash_area scratch; /* for schemes that swap by way of it; else size 0 */
    struct flash_area factory; /* the factory's row, for schemes with a store; else size 0 */
    uint8_t attempts;          /* the same: starts that an image has to confirm itself */
    struct img_trailer_format format;
    const struct crypto_key *keys;
    size_t key_count;
    bool validate_primary;     /* check the primary's hash and signature at every boot */
    bool refuse_older_version; /* TEST and PERM must not go below the primary's version */
    bool use_counter;          /* security counter: required in images, kept in nv */
    uint8_t *buffer;           /* copy buffer of the caller; a multiple of every program unit */
    uint32_t buffer_size;
    const struct crypto_port *crypto;
    const struct nv_port *nv;             /* may be NULL without use_counter */
    const struct platform_port *platform; /* log and watchdog; may be NULL */
    uint32_t watchdog_ms;                 /* started before anything else; 0: none */
};

/* What a boot did and decided. */
struct boot_result {
    struct img_info image;        /* of the primary, to be started */
    enum img_swap_type performed; /* NONE, or what was installed or finished in this boot */
    bool resumed;                 /* the boot went on with an interrupted installation */
    bool trial;                   /* the image will be reverted unless it confirms */
    int refused;                  /* 0, or why a pending secondary was refused */
};

/* One boot scheme: a row of the table that the caller links in. */
struct boot_scheme {
    const char *name;
    bool reverts; /* a TEST image that does not confirm goes back at the next boot */
    bool entries; /* keeps status entries in the trailers: max_sectors is not 0 */
    bool scratch; /* needs a scratch area … */
    const struct img_in_status *in_status; /* … and a status area, in which it keeps its state */
    bool store; /* no slots: images are asked for and confirmed through agent/store, the directory
                 * of which is the status area */
    /* Do the areas fit? 0, or OTA_E_LAYOUT and a static one-line reason. */
    int (*check)(const struct boot_config *config, const char **reason);
    /* Largest acceptable image, with its TLVs if it has any, in bytes from its start. */
    uint32_t (*max_end)(const struct boot_config *config);
    /* One boot, once the layout was found good; as boot_go. Schemes of two slots have boot_slots
     * here, which asks their calls below; the others leave those NULL. */
    int (*go)(const struct boot_config *config, struct boot_result *out);
    /* Type of the installation that was cut short and is recorded, or IMG_SWAP_NONE. *begun: an
     * image was touched already, so that there is no way but on. May mend the scheme's records.
     * NULL, as `resume` then: the scheme records none, and what was asked for is done anew. */
    enum img_swap_type (*interrupted)(const struct boot_config *config, bool *begun);
    /* Forgets the one that `interrupted` reports, which is not begun: its image may not run.
     * NULL: there is none such. */
    int (*abandon)(const struct boot_config *config);
    /* Performs an installation from its beginning; `larger_end` is the larger image's end. */
    int (*install)(const struct boot_config *config, enum img_swap_type type, uint32_t larger_end);
    /* Finishes the one that `interrupted` reports. */
    int (*resume)(const struct boot_config *config);
};

extern const struct boot_scheme boot_overwrite;
extern const struct boot_scheme boot_swap_move;
extern const struct boot_scheme boot_swap_scratch;
extern const struct boot_scheme boot_swap_status;
extern const struct boot_scheme boot_ranked;

/* Fits slots, scheme and buffer together? OTA_E_LAYOUT with a one-line reason otherwise. */
OTA_MUST_CHECK int boot_check_config(const struct boot_config *config, const char **reason);

/* One boot. 0: `out` says what runs. OTA_E_NO_IMAGE: nothing may run. Other errors are those of
 * the flash: the device should reset and boot again. */
OTA_MUST_CHECK int boot_go(const struct boot_config *config, struct boot_result *out);

/* The same for two slots; for the rows of schemes alone. */
OTA_MUST_CHECK int boot_slots(const struct boot_config *config, struct boot_result *out);

/* The store of a device whose scheme has one, as session and application open it. */
void boot_store_config(const struct boot_config *config, struct store_config *out);

#endif
