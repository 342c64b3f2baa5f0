#include "sim/act.h"

#include "sim/line.h"

#include <string.h>

#define PIECE 1024u /* bytes of a download that are programmed at once */

const char *sim_act_word(enum sim_act_kind kind)
{
    static const char *const words[] = {
        [SIM_ACT_CONFIRM] = "confirm",    [SIM_ACT_PENDING] = "pending",
        [SIM_ACT_ROLL_BACK] = "rollback", [SIM_ACT_FACTORY_RESET] = "factory-reset",
        [SIM_ACT_FORGET] = "forget",
    };
    return (size_t)kind < sizeof words / sizeof words[0] ? words[kind] : NULL;
}

/* ---- the store --------------------------------------------------------------------------- */

/* `places` must outlive the store. */
static int open_store(const struct boot_config *config, struct store_config *places,
                      struct store *store)
{
    boot_store_config(config, places);
    return store_open(store, places);
}

static int write_image(const struct flash_area *place, const uint8_t *image, uint32_t total)
{
    int err = 0;
    for (uint32_t at = 0; err == 0 && at < total;) {
        uint8_t piece[PIECE] = {0};
        struct flash_sector sector;
        uint32_t size = total - at < PIECE ? total - at : PIECE;
        err = flash_area_sector(place, at, &sector);
        if (err == 0 && at == sector.start)
            err = flash_area_erase_sector(place, at);
        memcpy(piece, image + at, size);
        if (err == 0)
            err = flash_area_program(place, at, piece,
                                     (size + sector.unit - 1) / sector.unit * sector.unit);
        at += size;
    }
    return err;
}

static int download(struct store *store, const struct sim_act *act)
{
    struct img_row row;
    uint8_t place;
    if (act->image == NULL)
        return OTA_E_NO_IMAGE;
    int err = img_row_decode(act->row, &row);
    if (err == 0)
        err = store_reserve(store, &row, &place);
    if (err != 0)
        return err;
    const struct flash_area image = store_place(store, place);
    err = write_image(&image, act->image, act->size);
    return err != 0 ? err : store_insert(store, place, &row, act->permanent);
}

static int forget(struct store *store, const struct img_version *version)
{
    uint32_t number;
    int err = img_harmony_number(version, &number);
    return err != 0 ? err : store_erase(store, number);
}

int sim_act_on_store(const struct sim_act *act, const struct boot_config *config)
{
    struct store_config places;
    struct store store;
    int err = open_store(config, &places, &store);
    if (err != 0)
        return err;
    switch (act->kind) {
    case SIM_ACT_ROLL_BACK:
        return store_roll_back(&store);
    case SIM_ACT_FACTORY_RESET:
        return store_factory_reset(&store);
    case SIM_ACT_FORGET:
        return forget(&store, &act->version);
    case SIM_ACT_PENDING:
        return download(&store, act);
    default:
        return OTA_E_ARGUMENT;
    }
}

int sim_act_confirm_stored(const struct boot_config *config, struct img_version *version,
                           bool *changed)
{
    struct store_config places;
    struct store store;
    int err = open_store(config, &places, &store);
    if (err != 0)
        return err;
    const struct store_entry *entry = &store.state.entries[store.state.installed];
    *version = img_harmony_version(entry->version);
    *changed = entry->status == IMG_ROW_UNBOOTED;
    return store_confirm(&store);
}

int sim_act_next(const struct sim_act *act, const struct boot_config *config,
                 struct img_version *out)
{
    struct store_config places;
    struct store store;
    struct img_row row;
    bool asks = act->kind == SIM_ACT_PENDING || act->kind == SIM_ACT_ROLL_BACK ||
                act->kind == SIM_ACT_FACTORY_RESET;
    int err = open_store(config, &places, &store);
    if (err != 0)
        return err;
    if (!asks || (act->kind == SIM_ACT_PENDING && act->image == NULL))
        return OTA_E_NO_IMAGE;
    if (act->kind == SIM_ACT_PENDING) {
        err = img_row_decode(act->row, &row);
        *out = img_harmony_version(row.version);
        return err;
    }
    if (!store.known)
        return OTA_E_NO_IMAGE;
    store.state.entries[store.state.installed].status = IMG_ROW_DISABLED;
    uint8_t next = act->kind == SIM_ACT_ROLL_BACK ? store_first(&store) : STORE_FACTORY;
    err = store_row(&store, next, &row);
    *out = img_harmony_version(row.version);
    return err;
}

/* ---- with events ------------------------------------------------------------------------- */

static void say_version(const char *word, const struct img_version *version, sim_act_event *event,
                        void *context)
{
    struct sim_line line;
    sim_line_begin(&line, word);
    sim_line_number(&line, version->major);
    sim_line_text(&line, ".");
    sim_line_number(&line, version->minor);
    sim_line_text(&line, ".");
    sim_line_number(&line, version->revision);
    event(context, line.text, OTA_OK);
}

static void say_rejected(int err, sim_act_event *event, void *context)
{
    struct sim_line line;
    sim_line_begin(&line, "reject ");
    sim_line_text(&line, ota_err_word(err));
    event(context, line.text, err);
}

void sim_act_announce(const struct sim_act *act, const struct boot_config *config,
                      sim_act_event *event, void *context)
{
    struct img_version version;
    struct img_info image;
    if (config->scheme->store) {
        if (sim_act_next(act, config, &version) == 0)
            say_version("pending ", &version, event, context);
    } else if (act->kind == SIM_ACT_PENDING && img_measure(&config->secondary, &image, NULL) == 0) {
        say_version("pending ", &image.header.version, event, context);
    }
}

static int confirm(const struct boot_config *config, sim_act_event *event, void *context)
{
    struct img_version version;
    struct img_info image;
    bool changed = true;
    int err = config->scheme->store ? sim_act_confirm_stored(config, &version, &changed)
                                    : img_confirm(&config->primary, &config->format);
    if (err == 0 && !config->scheme->store) {
        if (img_measure(&config->primary, &image, NULL) != 0)
            return 0;
        version = image.header.version;
    }
    if (err == 0 && changed)
        say_version("confirmed ", &version, event, context);
    return err;
}

/* The flash's errors end the act; what the store refuses is an event, and all that comes of it. */
static bool is_refusal(int err)
{
    return err != 0 && err != OTA_E_POWER && err != OTA_E_FLASH_ERASE && err != OTA_E_FLASH_PROGRAM;
}

int sim_act(const struct sim_act *act, const struct boot_config *config, sim_act_event *event,
            void *context)
{
    if (act->kind == SIM_ACT_CONFIRM)
        return confirm(config, event, context);
    if (config->scheme->store) {
        int err = sim_act_on_store(act, config);
        if (!is_refusal(err))
            return err;
        say_rejected(err, event, context);
        return 0;
    }
    if (act->kind != SIM_ACT_PENDING)
        return OTA_E_ARGUMENT;
    int err = img_set_pending(&config->secondary, &config->format, act->permanent);
    if (err != 0 && err != OTA_E_POWER)
        say_rejected(err, event, context);
    return err == OTA_E_TRAILER ? 0 : err;
}
