/* Any bytes as the directory of a store, as the heads of its places and as the factory's row:
 * whatever they say, what is read stays inside the store, what is chosen may be chosen, what is
 * committed is read back, and the loader comes to an end.
 *
 * The input: a byte of bits (1: the directory's checksum is made good, 2: those of the rows, and
 * the entries name them), the record's own fields, then a row for each place. */
#include "agent/boot/boot.h"
#include "agent/store/store.h"
#include "flashsim/flashsim.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR    512u
#define EXECUTION (2u * SECTOR)
#define PLACES    4u
#define PLACE     (SECTOR + EXECUTION)
#define IMAGES    EXECUTION
#define DIRECTORY (IMAGES + PLACES * PLACE)
#define FACTORY   (DIRECTORY + 4u * SECTOR)
#define TOTAL     (FACTORY + SECTOR)

#define RECORD    88u
#define ENTRIES   12u /* offset in the record; each has 12 bytes, the checksum of its row last */
#define ENTRY     12u
#define ROW_MAGIC 0x5248424Eu
#define MAGIC     0x4244424Eu

static void require(bool condition)
{
    if (!condition)
        abort();
}

static int sha256(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    SHA256(data, length, digest);
    return 0;
}

static int sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint8_t data[EXECUTION];
    (void)context;
    require(length <= sizeof data);
    int err = flash->read(flash->context, address, data, length);
    SHA256(data, length, digest);
    return err;
}

/* Takes the next bytes of the input; zeros when there are no more. */
struct input {
    const uint8_t *data;
    size_t size;
};

static void take(struct input *input, uint8_t *out, size_t size)
{
    size_t given = size < input->size ? size : input->size;
    memset(out, 0, size);
    memcpy(out, input->data, given);
    input->data += given;
    input->size -= given;
}

static void seal(uint8_t *raw, uint32_t magic, uint32_t size)
{
    ota_put32(raw, magic);
    ota_put32(raw + size - 4, ota_crc32(0, raw, size - 4));
}

/* Of as many erased bytes as the row says. */
static void digest(uint8_t row[IMG_ROW_SIZE])
{
    uint8_t image[EXECUTION];
    uint32_t size = ota_get32(row + 8) % (EXECUTION + 1u);
    memset(image, 0xFF, sizeof image);
    ota_put32(row + 8, size);
    SHA256(image, size, row + 48);
}

static void put_down(struct flash_sim *sim, struct input *input)
{
    uint8_t bits;
    uint8_t record[RECORD] = {0};
    uint8_t row[IMG_ROW_SIZE];
    take(input, &bits, 1);
    take(input, record + OTA_RING_HEAD, RECORD - OTA_RING_HEAD);
    ota_put32(record + 4, 1);
    for (uint32_t place = 0; place < PLACES; place++) {
        uint32_t at = place == STORE_FACTORY ? FACTORY : IMAGES + place * PLACE;
        take(input, row, sizeof row);
        if (bits & 4)
            digest(row);
        if (bits & 2) {
            seal(row, ROW_MAGIC, sizeof row);
            ota_put32(record + ENTRIES + place * ENTRY + 8, ota_crc32(0, row, sizeof row));
        }
        require(flash_sim_put(sim, at, row, sizeof row) == 0);
    }
    if (bits & 1)
        seal(record, MAGIC, sizeof record);
    require(flash_sim_put(sim, DIRECTORY, record, sizeof record) == 0);
}

static void look(const struct store *store)
{
    struct img_row row;
    uint8_t place;
    require(store->places == PLACES);
    require(store_first(store) < store->places);
    for (uint8_t i = 0; i < store->places; i++) {
        const struct store_entry *entry = &store->state.entries[i];
        if (store_row(store, i, &row) == 0 && store_verify(store, i, &row) == 0)
            require(row.size > 0 && row.size <= EXECUTION);
        if (store_choose(store, entry->version, &place) == 0)
            require(place > STORE_FACTORY && place < store->places &&
                    place != store->state.installed && place != store->state.good);
    }
}

/* Each change leaves a record that is read as it was written. */
static void change(struct store *store, const struct store_config *config)
{
    static int (*const changes[])(struct store *) = {store_confirm, store_roll_back,
                                                     store_factory_reset};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (changes[i](store) != 0)
            continue;
        const struct store_state before = store->state;
        require(store_open(store, config) == 0 && store->known);
        require(store->state.installed == before.installed && store->state.good == before.good &&
                store->state.reset == before.reset &&
                memcmp(store->state.entries, before.entries, sizeof before.entries) == 0);
        look(store);
    }
}

static void boot(const struct store_config *store)
{
    uint8_t buffer[SECTOR];
    struct boot_result result;
    const struct boot_config config = {
        .scheme = &boot_ranked,
        .primary = store->execution,
        .secondary = store->images,
        .factory = store->factory,
        .attempts = store->attempts,
        .format = {.align = 4, .write_size = 4, .status = store->directory},
        .validate_primary = true,
        .buffer = buffer,
        .buffer_size = sizeof buffer,
        .crypto = store->crypto,
    };
    int err = boot_go(&config, &result);
    require(err == 0 || err == OTA_E_NO_IMAGE);
    if (err == 0)
        require(result.image.end > 0 && result.image.end <= EXECUTION);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct flash_chip chip = {.part = {.name = "fuzz",
                                             .size = TOTAL,
                                             .runs = {{TOTAL / SECTOR, SECTOR}},
                                             .run_count = 1,
                                             .unit = 4,
                                             .erased = 0xFF}};
    const struct crypto_port crypto = {NULL, sha256, sha256_flash, NULL};
    struct flash_sim *sim = flash_sim_memory(&chip, 1);
    struct input input = {data, size};
    struct store store;
    require(sim != NULL);
    const struct flash_port *port = flash_sim_port(sim);
    const struct store_config config = {
        .images = {port, IMAGES, PLACES * PLACE},
        .directory = {port, DIRECTORY, 4 * SECTOR},
        .factory = {port, FACTORY, SECTOR},
        .execution = {port, 0, EXECUTION},
        .crypto = &crypto,
        .attempts = 3,
    };
    put_down(sim, &input);
    require(store_open(&store, &config) == 0);
    look(&store);
    if (store.known)
        change(&store, &config);
    boot(&config);
    boot(&config);
    flash_sim_close(sim);
    return 0;
}
