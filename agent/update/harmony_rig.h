/* A device with a store, for the tests of its sessions: the rig of session_rig.h on a flash of its
 * own, a loader, and a server with a manifest and an image. */
#ifndef NOBRICK_AGENT_UPDATE_HARMONY_RIG_H
#define NOBRICK_AGENT_UPDATE_HARMONY_RIG_H

#include "agent/boot/boot.h"
#include "agent/protocol/harmony.h"
#include "agent/update/session_rig.h"
#include "agent/update/to_store.h"

#define HARMONY_SECTOR    4096u
#define HARMONY_PLACES    4u
#define HARMONY_PLACE     (HARMONY_SECTOR + RIG_SLOT)
#define HARMONY_IMAGES    RIG_SLOT
#define HARMONY_DIRECTORY (HARMONY_IMAGES + HARMONY_PLACES * HARMONY_PLACE)
#define HARMONY_FACTORY   (HARMONY_DIRECTORY + 4 * HARMONY_SECTOR)
#define HARMONY_JOURNAL   (HARMONY_FACTORY + HARMONY_SECTOR)
#define HARMONY_PROGRESS  (HARMONY_JOURNAL + RIG_JOURNAL)
#define HARMONY_FLASH     (HARMONY_PROGRESS + RIG_PROGRESS)
#define HARMONY_ATTEMPTS  2u
#define HARMONY_TEXT      4096u

/* One device at a time. */
static struct ota_stored harmony_stored;
static char harmony_text[HARMONY_TEXT + 1];
static struct boot_config harmony_loader;
static uint8_t harmony_buffer[1024];

/* What the server has from now on; `size` bytes made from `seed`. */
static inline void harmony_offer(struct rig *rig, uint32_t version, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size && i < sizeof rig->image; i++)
        rig->image[i] = (uint8_t)(i * 13 + i / 256 * 5 + seed);
    rig->image_size = size;
    rig->image_version = img_harmony_version(version);
}

static inline void harmony_write_digest(const struct rig *rig, char out[65])
{
    uint8_t digest[32];
    SHA256(rig->image, rig->image_size, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

#define HARMONY_SIGNED                                                                             \
    ", \"Signature\": \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"  \
    "AQEBAQEBAQEBAQ==\""

/* The manifest of what is offered, at that address and with those members more. */
static inline void harmony_manifest_at(const struct rig *rig, const char *url, const char *more,
                                       char out[1024])
{
    char digest[65];
    uint32_t number = 0;
    assert_int_equal(img_harmony_number(&rig->image_version, &number), 0);
    harmony_write_digest(rig, digest);
    snprintf(out, 1024, "{\"ota\": [{\"Version\": %u, \"URL\": \"%s\", \"Digest\": \"%s\"%s}]}",
             number, url, digest, more);
}

#define HARMONY_URL "http://fw.example.com:8000/v2.bin"

static inline void harmony_manifest(const struct rig *rig, char out[1024])
{
    harmony_manifest_at(rig, HARMONY_URL, HARMONY_SIGNED, out);
}

/* ---- the device -------------------------------------------------------------------------- */

static inline struct flash_area harmony_area(const struct rig *rig, uint32_t at, uint32_t size)
{
    return (struct flash_area){rig->ports.flash, at, size};
}

static inline void harmony_put_factory(struct rig *rig, uint32_t version)
{
    uint8_t raw[IMG_ROW_SIZE];
    struct img_row row = {.name = "factory.bin",
                          .version = version,
                          .size = 9000,
                          .type = IMG_ROW_FACTORY,
                          .is_signed = true};
    harmony_offer(rig, version, row.size, 1);
    SHA256(rig->image, row.size, row.digest);
    memset(row.signature, 1, sizeof row.signature);
    img_row_encode(&row, raw);
    assert_int_equal(flash_sim_put(rig->sim, 0, rig->image, row.size), 0);
    assert_int_equal(flash_sim_put(rig->sim, HARMONY_FACTORY, raw, sizeof raw), 0);
}

/* The loader runs once: the version that it starts. */
static inline unsigned harmony_power_on(struct rig *rig)
{
    struct boot_result result;
    flash_sim_power_on(rig->sim);
    assert_int_equal(boot_go(&harmony_loader, &result), 0);
    return result.image.header.version.major;
}

/* A device that runs its factory image, v1; v2 is offered. */
static inline struct rig *harmony_rig_new(void)
{
    const struct flash_chip chip = {
        .part = {.name = "rig",
                 .size = HARMONY_FLASH,
                 .runs = {{HARMONY_FLASH / HARMONY_SECTOR, HARMONY_SECTOR}},
                 .run_count = 1,
                 .unit = 4,
                 .page = 256,
                 .erased = 0xFF}};
    struct rig *rig = rig_new();
    flash_sim_close(rig->sim);
    rig->sim = flash_sim_memory(&chip, 1);
    assert_non_null(rig->sim);
    rig->ports.flash = flash_sim_port(rig->sim);
    struct ota_config *config = &rig->config;
    config->parts.protocol = &ota_harmony;
    config->parts.by_mqtt = NULL;
    config->parts.direct = NULL;
    config->parts.archive = NULL;
    config->parts.target = &ota_to_store;
    config->stored = &harmony_stored;
    config->text = harmony_text;
    config->text_size = sizeof harmony_text;
    config->primary = harmony_area(rig, 0, RIG_SLOT);
    config->secondary = harmony_area(rig, HARMONY_IMAGES, HARMONY_PLACES * HARMONY_PLACE);
    config->journal = harmony_area(rig, HARMONY_JOURNAL, RIG_JOURNAL);
    config->progress = harmony_area(rig, HARMONY_PROGRESS, RIG_PROGRESS);
    config->max_end = RIG_SLOT;
    config->connection = OTA_BY_HTTP;
    config->do_not_send_result = true;
    harmony_loader = (struct boot_config){
        .scheme = &boot_ranked,
        .primary = config->primary,
        .secondary = config->secondary,
        .factory = harmony_area(rig, HARMONY_FACTORY, HARMONY_SECTOR),
        .attempts = HARMONY_ATTEMPTS,
        .format = {.align = 8, .status = harmony_area(rig, HARMONY_DIRECTORY, 4 * HARMONY_SECTOR)},
        .keys = config->keys,
        .key_count = config->key_count,
        .validate_primary = true,
        .buffer = harmony_buffer,
        .buffer_size = sizeof harmony_buffer,
        .crypto = &rig->crypto,
    };
    boot_store_config(&harmony_loader, &harmony_stored.config);
    harmony_put_factory(rig, 1);
    flash_sim_observe(rig->sim, rig_observe, rig);
    assert_int_equal(harmony_power_on(rig), 1);
    harmony_offer(rig, 2, 9800, 2);
    return rig;
}

/* ---- sessions ---------------------------------------------------------------------------- */

/* From idle to the answer to the manifest's request. */
static inline void harmony_check_with(struct rig *rig, const char *manifest)
{
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_expect(rig, "> get /ota.json 0-");
    rig_serve_text(rig, manifest);
}

static inline void harmony_check(struct rig *rig)
{
    char manifest[1024];
    harmony_manifest(rig, manifest);
    harmony_check_with(rig, manifest);
}

/* … to the reset that installs. */
static inline void harmony_download(struct rig *rig)
{
    harmony_check(rig);
    rig_serve_all(rig);
    rig_expect(rig, "pending ");
    rig_expect(rig, "> reset");
}

/* The new image runs, reaches the server, and confirms itself. */
static inline void harmony_install(struct rig *rig)
{
    assert_int_equal(harmony_power_on(rig), rig->image_version.major);
    rig_boot(rig);
    rig_expect(rig, "> get /ota.json 0-0");
    rig_status(rig, 404);
    rig_expect(rig, "confirmed ");
    rig_expect(rig, "idle ok");
}

static inline void harmony_new_story(struct rig *rig)
{
    rig->story[0] = 0;
    rig->told = 0;
    rig->cut_at = UINT32_MAX;
}

/* One life with everything answered at once; ends at a reset, in idle, or when the power is cut. */
static inline void harmony_live(struct rig *rig, const char *manifest)
{
    rig_boot(rig);
    for (unsigned i = 0; i < 400 && rig->agent.state != OTA_STATE_RESET; i++) {
        bool idle = rig->agent.state == OTA_STATE_IDLE;
        if (flash_sim_is_off(rig->sim) || (idle && rig_count(rig, "idle ") > 0))
            return;
        if (idle)
            rig_event(rig, OTA_EVENT_CHECK, 0);
        else if (rig->agent.state == OTA_STATE_QUERY)
            rig_serve_text(rig, manifest);
        else if (rig->agent.state == OTA_STATE_PROBE)
            rig_status(rig, 200);
        else if (rig->requested)
            rig_serve(rig);
        else
            rig_timer(rig);
    }
}

/* Such a life with operation `at` of it cut. Fills `cuts`, unless it is NULL, with all ways to cut
 * it, of which AFTER is the last. False: there is no such operation. */
static inline bool harmony_live_to_cut(struct rig *rig, const char *manifest, uint32_t at,
                                       enum flash_tear tear, enum flash_tear *cuts)
{
    harmony_new_story(rig);
    flash_sim_restart_count(rig->sim);
    rig->cut_at = at;
    rig->cut = tear;
    harmony_live(rig, manifest);
    bool reached = flash_sim_is_off(rig->sim);
    if (reached && cuts != NULL)
        memcpy(cuts, rig->cuts, rig->cut_count * sizeof cuts[0]);
    return reached;
}

/* Status of the stored image of that version. */
static inline uint8_t harmony_status(uint32_t version)
{
    struct store store;
    assert_int_equal(store_open(&store, &harmony_stored.config), 0);
    uint8_t place = store_find(&store, version);
    return place == STORE_PLACES ? IMG_ROW_FREE : store.state.entries[place].status;
}

#endif
