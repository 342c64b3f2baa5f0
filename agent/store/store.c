#include "agent/store/store.h"

#include <string.h>

#define MAGIC    0x4244424Eu /* "NBDB" */
#define SIZE     88u
#define UNIT_MAX 512u

enum { AT_INSTALLED = 8, AT_WHOLE = 9, AT_GOOD = 10, AT_REQUEST = 11, AT_ENTRIES = 12, ENTRY = 12 };
_Static_assert(AT_INSTALLED == OTA_RING_HEAD &&
                   AT_ENTRIES + STORE_PLACES * ENTRY + OTA_RING_TAIL == SIZE,
               "the record is as its table says");

/* ---- the record -------------------------------------------------------------------------- */

static void encode(const struct store_state *state, uint8_t raw[SIZE])
{
    memset(raw + OTA_RING_HEAD, 0, SIZE - OTA_RING_HEAD);
    raw[AT_INSTALLED] = state->installed;
    raw[AT_WHOLE] = state->whole;
    raw[AT_GOOD] = state->good;
    raw[AT_REQUEST] = state->reset;
    for (uint32_t i = 0; i < STORE_PLACES; i++) {
        uint8_t *at = raw + AT_ENTRIES + i * ENTRY;
        at[0] = state->entries[i].status;
        at[1] = state->entries[i].attempts;
        ota_put32(at + 4, state->entries[i].version);
        ota_put32(at + 8, state->entries[i].row);
    }
}

static void decode(const uint8_t raw[SIZE], struct store_state *out)
{
    out->installed = raw[AT_INSTALLED];
    out->whole = raw[AT_WHOLE] != 0;
    out->good = raw[AT_GOOD];
    out->reset = raw[AT_REQUEST] != 0;
    for (uint32_t i = 0; i < STORE_PLACES; i++) {
        const uint8_t *at = raw + AT_ENTRIES + i * ENTRY;
        out->entries[i] = (struct store_entry){at[0], at[1], ota_get32(at + 4), ota_get32(at + 8)};
    }
}

static bool is_status(uint8_t status)
{
    return status == IMG_ROW_FREE || status == IMG_ROW_DOWNLOADED || status == IMG_ROW_UNBOOTED ||
           status == IMG_ROW_VALID || status == IMG_ROW_DISABLED;
}

static bool accept(const uint8_t *raw)
{
    bool good = raw[AT_INSTALLED] < STORE_PLACES && raw[AT_WHOLE] <= 1 &&
                raw[AT_GOOD] < STORE_PLACES && raw[AT_REQUEST] <= 1;
    for (uint32_t i = 0; good && i < STORE_PLACES; i++)
        good = is_status(raw[AT_ENTRIES + i * ENTRY]);
    return good;
}

/* One record a sector: what a cut leaves of one goes with the next erase, before anything else is
 * written, so that nothing adds up. */
static const struct ota_ring_kind kind = {
    .magic = MAGIC, .size = SIZE, .most = 1, .accept = accept};

/* ---- opening ----------------------------------------------------------------------------- */

/* Head, stride and number of places. */
static int measure(const struct store_config *config, struct store *store)
{
    struct flash_sector sector;
    int err = flash_area_sector(&config->images, 0, &sector);
    if (err != 0)
        return err;
    store->config = config;
    store->head = sector.size;
    store->stride = sector.size + config->execution.size;
    uint32_t places = config->images.size / store->stride;
    store->places = (uint8_t)(places < STORE_PLACES ? places : STORE_PLACES);
    return 0;
}

static void forget_all(struct store_state *state)
{
    memset(state, 0, sizeof *state);
    for (uint32_t i = 0; i < STORE_PLACES; i++)
        state->entries[i].status = IMG_ROW_FREE;
}

static int open_as(struct store *store, const struct store_config *config, bool settle)
{
    memset(store, 0, sizeof *store);
    forget_all(&store->state);
    int err = measure(config, store);
    if (err == 0)
        err = settle ? ota_twin_settle(&store->twin, &kind, &config->directory)
                     : ota_twin_open(&store->twin, &kind, &config->directory);
    store->known = err == 0 && store->twin.sequence != 0;
    if (store->known)
        decode(store->twin.newest, &store->state);
    return err;
}

int store_open(struct store *store, const struct store_config *config)
{
    return open_as(store, config, false);
}

int store_settle(struct store *store, const struct store_config *config)
{
    return open_as(store, config, true);
}

int store_commit(struct store *store)
{
    uint8_t raw[SIZE];
    memcpy(raw, store->twin.newest, SIZE);
    encode(&store->state, raw);
    if (store->known && memcmp(raw, store->twin.newest, SIZE - OTA_RING_TAIL) == 0)
        return 0;
    memcpy(store->twin.newest, raw, SIZE);
    int err = ota_twin_put(&store->twin);
    store->known = store->known || err == 0;
    return err;
}

int store_check(const struct store_config *config, const char **reason)
{
    struct store store;
    struct flash_sector sector;
    *reason = "it needs a status area of four erase sectors or more, each with room for a record";
    if (store_open(&store, config) != 0)
        return OTA_E_LAYOUT;
    *reason = "the secondary slot has no room for three images as large as the primary slot";
    if (store.places < STORE_LEAST)
        return OTA_E_LAYOUT;
    *reason = "the places of the secondary slot do not begin at erase sectors of one size";
    for (uint32_t i = 0; i < store.places; i++)
        for (uint32_t at = 0; at <= store.head; at += store.head)
            if (flash_area_sector(&config->images, i * store.stride + at, &sector) != 0 ||
                sector.start != i * store.stride + at || sector.size != store.head ||
                sector.unit > UNIT_MAX || store.head < UNIT_MAX)
                return OTA_E_LAYOUT;
    *reason = "it needs a factory area with room for the factory image's row";
    if (config->factory.size < IMG_ROW_SIZE)
        return OTA_E_LAYOUT;
    *reason = "an image needs at least one attempt";
    return config->attempts > 0 ? 0 : OTA_E_LAYOUT;
}

/* ---- places ------------------------------------------------------------------------------ */

static struct flash_area head_of(const struct store *store, uint8_t place)
{
    const struct flash_area *images = &store->config->images;
    return (struct flash_area){images->flash, images->address + place * store->stride, store->head};
}

struct flash_area store_place(const struct store *store, uint8_t place)
{
    const struct flash_area head = head_of(store, place);
    return (struct flash_area){head.flash, head.address + head.size, store->config->execution.size};
}

int store_row(const struct store *store, uint8_t place, struct img_row *out)
{
    uint8_t raw[IMG_ROW_SIZE];
    if (place == STORE_FACTORY)
        return img_row_read(&store->config->factory, out);
    const struct flash_area head = head_of(store, place);
    int err = flash_area_read(&head, 0, raw, sizeof raw);
    if (err == 0)
        err = img_row_decode(raw, out);
    if (err == 0 && ota_crc32(0, raw, sizeof raw) != store->state.entries[place].row)
        err = OTA_E_IMG_HEADER;
    return err;
}

static int check_stored(const struct store *store, uint8_t place, const struct img_row *row)
{
    const struct store_config *config = store->config;
    const struct img_rules rules = {.keys = config->keys, .key_count = config->key_count};
    const struct flash_area image = store_place(store, place);
    return img_row_check(row, &image, &rules, config->crypto);
}

int store_verify(const struct store *store, uint8_t place, struct img_row *out)
{
    int err = store_row(store, place, out);
    return err != 0 ? err : check_stored(store, place, out);
}

/* ---- rank -------------------------------------------------------------------------------- */

static bool may_start(const struct store *store, const struct store_entry *entry)
{
    return entry->status == IMG_ROW_DOWNLOADED || entry->status == IMG_ROW_VALID ||
           (entry->status == IMG_ROW_UNBOOTED && entry->attempts < store->config->attempts);
}

uint8_t store_first(const struct store *store)
{
    const struct store_entry *entries = store->state.entries;
    uint8_t best = STORE_FACTORY;
    for (uint8_t i = 1; i < store->places; i++)
        if (may_start(store, &entries[i]) &&
            (best == STORE_FACTORY || entries[i].version > entries[best].version))
            best = i;
    return best;
}

uint8_t store_find(const struct store *store, uint32_t version)
{
    const struct store_entry *entries = store->state.entries;
    for (uint8_t i = 1; i < store->places; i++)
        if (entries[i].status != IMG_ROW_FREE && entries[i].version == version)
            return i;
    return STORE_PLACES;
}

static bool is_needed(const struct store *store, uint8_t place)
{
    return place == STORE_FACTORY || place == store->state.installed || place == store->state.good;
}

/* Free before disabled before older before newer. */
static bool goes_before(const struct store_entry *a, const struct store_entry *b)
{
    int rank_a = a->status == IMG_ROW_FREE ? 0 : a->status == IMG_ROW_DISABLED ? 1 : 2;
    int rank_b = b->status == IMG_ROW_FREE ? 0 : b->status == IMG_ROW_DISABLED ? 1 : 2;
    return rank_a != rank_b ? rank_a < rank_b : a->version < b->version;
}

static uint8_t lowest(const struct store *store)
{
    const struct store_entry *entries = store->state.entries;
    uint8_t found = STORE_PLACES;
    for (uint8_t i = 1; i < store->places; i++)
        if (!is_needed(store, i) &&
            (found == STORE_PLACES || goes_before(&entries[i], &entries[found])))
            found = i;
    return found;
}

/* ---- changes ----------------------------------------------------------------------------- */

static void set_free(struct store_entry *entry)
{
    *entry = (struct store_entry){.status = IMG_ROW_FREE};
}

int store_choose(const struct store *store, uint32_t version, uint8_t *place)
{
    uint8_t same = store_find(store, version);
    if (same != STORE_PLACES && is_needed(store, same))
        return OTA_E_IMG_VERSION;
    *place = same != STORE_PLACES ? same : lowest(store);
    return *place != STORE_PLACES ? 0 : OTA_E_NO_SPACE;
}

int store_reserve(struct store *store, const struct img_row *row, uint8_t *place)
{
    if (row->size == 0 || row->size > store->config->execution.size)
        return OTA_E_IMG_SIZE;
    int err = store_choose(store, row->version, place);
    if (err != 0)
        return err;
    set_free(&store->state.entries[*place]);
    return store->known ? store_commit(store) : 0;
}

static int write_head(const struct store *store, uint8_t place, const uint8_t raw[IMG_ROW_SIZE])
{
    uint8_t units[UNIT_MAX + IMG_ROW_SIZE] = {0};
    struct flash_sector sector;
    const struct flash_area head = head_of(store, place);
    int err = flash_area_sector(&head, 0, &sector);
    if (err == 0)
        err = flash_area_erase_back(&head, 0, head.size);
    memcpy(units, raw, IMG_ROW_SIZE);
    if (err == 0)
        err = flash_area_program(&head, 0, units,
                                 (IMG_ROW_SIZE + sector.unit - 1) / sector.unit * sector.unit);
    return err != 0 ? err : head.flash->sync(head.flash->context);
}

int store_insert(struct store *store, uint8_t place, const struct img_row *row, bool valid)
{
    uint8_t raw[IMG_ROW_SIZE];
    if (place >= store->places || store->state.entries[place].status != IMG_ROW_FREE ||
        place == STORE_FACTORY)
        return OTA_E_ARGUMENT;
    int err = check_stored(store, place, row);
    img_row_encode(row, raw);
    if (err == 0)
        err = write_head(store, place, raw);
    if (err != 0)
        return err;
    store->state.entries[place] = (struct store_entry){
        valid ? IMG_ROW_VALID : IMG_ROW_DOWNLOADED, 0, row->version, ota_crc32(0, raw, sizeof raw)};
    return store_commit(store);
}

int store_erase(struct store *store, uint32_t version)
{
    uint8_t place = store_find(store, version);
    if (place == STORE_PLACES)
        return OTA_E_NO_IMAGE;
    if (is_needed(store, place))
        return OTA_E_BUSY;
    set_free(&store->state.entries[place]);
    return store_commit(store);
}

int store_confirm(struct store *store)
{
    struct store_state *state = &store->state;
    struct store_entry *entry = &state->entries[state->installed];
    if (!store->known || !state->whole || entry->status != IMG_ROW_UNBOOTED)
        return 0;
    entry->status = IMG_ROW_VALID;
    entry->attempts = 0;
    state->good = state->installed;
    return store_commit(store);
}

int store_roll_back(struct store *store)
{
    struct store_state *state = &store->state;
    if (!store->known || state->installed == STORE_FACTORY)
        return OTA_E_NO_IMAGE;
    state->entries[state->installed].status = IMG_ROW_DISABLED;
    if (state->good == state->installed)
        state->good = store_first(store);
    return store_commit(store);
}

int store_factory_reset(struct store *store)
{
    if (!store->known)
        return OTA_E_NO_IMAGE;
    store->state.reset = true;
    return store_commit(store);
}
