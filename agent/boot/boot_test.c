/* The loader against a flash of its own in RAM: decisions, on-flash format, refusals, recovery.
 * What power cuts do to it is swept by the scenarios in scenarios/boot. */
#include "agent/boot/boot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define SECTOR  1024u
#define SLOT    (16u * SECTOR)
#define SIZE    (2u * SLOT)
#define UNIT    8u
#define TRAILER (16u * 3u * 8u + 48u) /* status entries and fields: one sector */

/* ---- a flash, a hash and a counter ------------------------------------------------------- */

struct world {
    uint8_t bytes[SIZE];
    uint32_t operations;
    uint32_t fail_at; /* the operation that returns an error, 0: none */
    uint32_t broken;  /* address of a unit that cannot be read until it is erased, 0: none */
    bool nv_fails;
    uint32_t counter;
    unsigned hashes;
    struct flash_port flash;
    struct crypto_port crypto;
    struct nv_port nv;
    uint8_t buffer[256];
    struct boot_config config;
};

static int ram_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct world *world = context;
    if (world->broken != 0 && address < world->broken + UNIT && world->broken < address + length)
        return OTA_E_FLASH_READ;
    memcpy(data, world->bytes + address, length);
    return 0;
}

static int ram_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct world *world = context;
    if (++world->operations == world->fail_at)
        return OTA_E_FLASH_PROGRAM;
    assert_true(address % UNIT == 0 && length % UNIT == 0 && address + length <= SIZE);
    for (uint32_t i = 0; i < length; i++) {
        assert_int_equal(world->bytes[address + i], 0xFF);
        world->bytes[address + i] = ((const uint8_t *)data)[i];
    }
    return 0;
}

static int ram_erase(void *context, uint32_t address)
{
    struct world *world = context;
    if (++world->operations == world->fail_at)
        return OTA_E_FLASH_ERASE;
    assert_int_equal(address % SECTOR, 0);
    memset(world->bytes + address, 0xFF, SECTOR);
    if (world->broken / SECTOR == address / SECTOR)
        world->broken = 0;
    return 0;
}

static int ram_sync(void *context)
{
    (void)context;
    return 0;
}

static int ram_sector(void *context, uint32_t address, struct flash_sector *out)
{
    (void)context;
    if (address >= SIZE)
        return OTA_E_FLASH_BOUNDS;
    *out = (struct flash_sector){address - address % SECTOR, SECTOR, UNIT, 0, 0xFF};
    return 0;
}

/* Not SHA-256, but a function of every byte: the loader only compares. */
static void mix(const uint8_t *data, size_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ data[i]) * 1099511628211u;
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
        digest[i] = (uint8_t)(h >> (8 * (i % 8)));
}

static int test_sha256(void *context, const void *data, size_t length,
                       uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    mix(data, length, digest);
    return 0;
}

static int test_sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                             uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct world *world = context;
    (void)flash;
    world->hashes++;
    mix(world->bytes + address, length, digest);
    return 0;
}

static int test_verify(void *context, const struct crypto_key *key,
                       const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                       size_t signature_size)
{
    (void)context, (void)key, (void)digest, (void)signature, (void)signature_size;
    return OTA_E_IMG_SIGNATURE;
}

static int counter_get(void *context, uint32_t *value)
{
    *value = ((struct world *)context)->counter;
    return 0;
}

static int counter_raise(void *context, uint32_t value)
{
    struct world *world = context;
    if (world->nv_fails)
        return OTA_E_IO;
    if (value > world->counter)
        world->counter = value;
    return 0;
}

static struct world world;

static int set_up(void **state)
{
    memset(&world, 0, sizeof world);
    memset(world.bytes, 0xFF, sizeof world.bytes);
    world.flash =
        (struct flash_port){&world, ram_read, ram_program, ram_erase, ram_sync, ram_sector};
    world.crypto = (struct crypto_port){&world, test_sha256, test_sha256_flash, test_verify};
    world.nv = (struct nv_port){&world, counter_get, counter_raise};
    world.config = (struct boot_config){
        .scheme = &boot_swap_move,
        .primary = {&world.flash, 0, SLOT},
        .secondary = {&world.flash, SLOT, SLOT},
        .format = {.align = 8, .write_size = 8, .max_sectors = 16},
        .validate_primary = true,
        .buffer = world.buffer,
        .buffer_size = sizeof world.buffer,
        .crypto = &world.crypto,
        .nv = &world.nv,
    };
    *state = &world;
    return 0;
}

static void use_overwrite(void)
{
    world.config.scheme = &boot_overwrite;
    world.config.format.max_sectors = 0;
}

/* ---- images ------------------------------------------------------------------------------ */

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value);
    put16(at + 2, value >> 16);
}

/* An unsigned image of `major`.0.0 with `payload` bytes; counter 0: none. Returns its end. */
static uint32_t put_image(unsigned slot, uint8_t major, uint32_t payload, uint32_t counter)
{
    uint8_t *at = world.bytes + slot * SLOT;
    uint32_t protect = counter != 0 ? 12 : 0;
    memset(at, 0xFF, SLOT);
    memset(at, 0, IMG_HEADER_SIZE);
    put32(at, IMG_MAGIC);
    put16(at + 8, IMG_HEADER_SIZE);
    put16(at + 10, protect);
    put32(at + 12, payload);
    at[20] = major;
    for (uint32_t i = 0; i < payload; i++)
        at[IMG_HEADER_SIZE + i] = (uint8_t)(major * 31u + i * 7u);
    uint8_t *tlv = at + IMG_HEADER_SIZE + payload;
    if (counter != 0) {
        put16(tlv, IMG_TLV_PROTECTED_MAGIC);
        put16(tlv + 2, protect);
        put16(tlv + 4, IMG_TLV_SEC_CNT);
        put16(tlv + 6, 4);
        put32(tlv + 8, counter);
        tlv += protect;
    }
    put16(tlv, IMG_TLV_MAGIC);
    put16(tlv + 2, 40);
    put16(tlv + 4, IMG_TLV_SHA256);
    put16(tlv + 6, CRYPTO_SHA256_SIZE);
    mix(at, (size_t)(tlv - at), tlv + 8);
    return (uint32_t)(tlv + 40 - at);
}

enum field { MAGIC, IMAGE_OK, COPY_DONE, SWAP_INFO };

static void put_field(unsigned slot, enum field field, uint8_t value)
{
    static const uint32_t distance[] = {16, 24, 32, 40};
    uint8_t *at = world.bytes + (slot + 1) * SLOT - distance[field];
    if (field == MAGIC)
        memcpy(at, img_trailer_magic(8), 16);
    else
        *at = value;
}

static struct boot_result boot_to(uint8_t major)
{
    struct boot_result result;
    assert_int_equal(boot_go(&world.config, &result), 0);
    assert_int_equal(result.image.header.version.major, major);
    return result;
}

/* ---- decisions --------------------------------------------------------------------------- */

static void test_decisions(void **state)
{
    enum { U = 0xFF, SET = 1, BAD = 0x55 };
    static const struct {
        bool p_magic;
        uint8_t p_ok, p_done;
        bool s_magic;
        uint8_t s_ok, s_info;
        uint8_t boots;
        enum img_swap_type performed;
        bool trial;
    } rows[] = {
        {false, U, U, false, U, U, 1, IMG_SWAP_NONE, false},
        {false, U, U, true, U, U, 2, IMG_SWAP_TEST, true},
        {false, U, U, true, U, 2, 2, IMG_SWAP_TEST, true},
        {false, U, U, true, SET, 3, 2, IMG_SWAP_PERM, false},
        {false, U, U, true, BAD, 3, 2, IMG_SWAP_PERM, false},   /* begun counts as written */
        {false, U, U, true, SET, 4, 2, IMG_SWAP_REVERT, false}, /* a revert that began */
        {true, U, SET, false, U, U, 2, IMG_SWAP_REVERT, false}, /* unconfirmed trial */
        {true, U, BAD, false, U, U, 2, IMG_SWAP_REVERT, false}, /* torn copy_done: still */
        {true, SET, SET, false, U, U, 1, IMG_SWAP_NONE, false}, /* confirmed */
        {true, BAD, SET, false, U, U, 1, IMG_SWAP_NONE, false}, /* torn confirm: confirmed */
        {true, SET, U, false, U, U, 1, IMG_SWAP_NONE, false},   /* factory image */
        {true, SET, SET, true, U, 2, 2, IMG_SWAP_TEST, true},
        {false, U, U, false, SET, 3, 1, IMG_SWAP_NONE, false}, /* request without its magic */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_up(state);
        put_image(0, 1, 3000, 0);
        put_image(1, 2, 3000, 0);
        if (rows[i].p_magic)
            put_field(0, MAGIC, 0);
        put_field(0, IMAGE_OK, rows[i].p_ok);
        put_field(0, COPY_DONE, rows[i].p_done);
        if (rows[i].s_magic)
            put_field(1, MAGIC, 0);
        put_field(1, IMAGE_OK, rows[i].s_ok);
        put_field(1, SWAP_INFO, rows[i].s_info);
        struct boot_result result = boot_to(rows[i].boots);
        assert_int_equal(result.performed, rows[i].performed);
        assert_int_equal(result.trial, rows[i].trial);
        assert_int_equal(result.refused, 0);
    }
}

static void test_overwrite_has_no_trial(void **state)
{
    (void)state;
    use_overwrite();
    put_image(0, 1, 3000, 0);
    uint32_t end = put_image(1, 2, 5000, 0);
    uint8_t image[6000];
    memcpy(image, world.bytes + SLOT, end);
    put_field(1, MAGIC, 0);
    struct boot_result result = boot_to(2);
    assert_int_equal(result.performed, IMG_SWAP_TEST);
    assert_false(result.trial);
    assert_memory_equal(world.bytes, image, end);
    world.operations = 0;
    boot_to(2);
    assert_int_equal(world.operations, 0);
}

/* ---- on-flash format --------------------------------------------------------------------- */

static void test_swap_leaves_the_format(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0); /* 3 sectors */
    put_image(1, 2, 4000, 0); /* 4 sectors: 4032 + 40 is more than 3 and less than 4 */
    uint8_t old[SLOT], new[SLOT];
    memcpy(old, world.bytes, SLOT);
    memcpy(new, world.bytes + SLOT, SLOT);
    put_field(1, MAGIC, 0);
    put_field(1, SWAP_INFO, IMG_SWAP_TEST);
    boot_to(2);
    assert_memory_equal(world.bytes, new, 4 * SECTOR);
    assert_memory_equal(world.bytes + SLOT, old, 4 * SECTOR);

    const uint8_t *end = world.bytes + SLOT;
    assert_memory_equal(end - 16, img_trailer_magic(8), 16);
    assert_int_equal(end[-24], 0xFF);
    assert_int_equal(end[-32], 0x01);
    assert_int_equal(end[-40], IMG_SWAP_TEST);
    assert_int_equal(end[-48] | end[-47] << 8, 4000 + 32 + 40);
    const uint8_t *status = end - TRAILER;
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(status[8 * i], i < 4 ? 1 : 0xFF);
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(status[8 * (16 + i)], i < 8 ? 1 + i % 2 : 0xFF);
    for (uint32_t i = 0; i < SECTOR; i++) /* nothing is asked for any more */
        assert_int_equal(world.bytes[2 * SLOT - 1 - i], 0xFF);
}

/* A swap that another loader of this format began: two moves of three done. */
static void test_goes_on_from_entries(void **state)
{
    (void)state;
    put_image(0, 1, 2800, 0);
    put_image(1, 2, 2800, 0);
    uint8_t new[SLOT];
    memcpy(new, world.bytes + SLOT, SLOT);
    memcpy(world.bytes + 3 * SECTOR, world.bytes + 2 * SECTOR, SECTOR);
    memcpy(world.bytes + 2 * SECTOR, world.bytes + 1 * SECTOR, SECTOR);
    uint8_t *end = world.bytes + SLOT;
    end[-(int)TRAILER] = 1;
    end[-(int)TRAILER + 8] = 1;
    put32(end - 48, 2800 + 32 + 40);
    memset(end - 44, 0xFF, 4);
    put_field(0, SWAP_INFO, IMG_SWAP_PERM);
    put_field(0, IMAGE_OK, 1);
    put_field(0, MAGIC, 0);
    struct boot_result result = boot_to(2);
    assert_true(result.resumed);
    assert_int_equal(result.performed, IMG_SWAP_PERM);
    assert_memory_equal(world.bytes, new, 3 * SECTOR);
}

static void test_largest_image(void **state)
{
    (void)state;
    assert_int_equal(boot_swap_move.max_end(&world.config), SLOT - 2 * SECTOR);
    uint32_t payload = SLOT - 2 * SECTOR - IMG_HEADER_SIZE - 40;
    put_image(0, 1, 3000, 0);
    assert_int_equal(put_image(1, 2, payload, 0), SLOT - 2 * SECTOR);
    put_field(1, MAGIC, 0);
    boot_to(2);
    set_up(state);
    put_image(0, 1, 3000, 0);
    put_image(1, 2, payload + 1, 0);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_SIZE);
    set_up(state);
    use_overwrite();
    assert_int_equal(boot_overwrite.max_end(&world.config), SLOT - 40);
}

/* ---- refusals, recovery, counters -------------------------------------------------------- */

static void test_refuses_and_leaves_primary_alone(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 3000, 0);
    put_field(1, MAGIC, 0);
    world.bytes[SLOT + 100] ^= 1;
    uint8_t old[SLOT];
    memcpy(old, world.bytes, SLOT);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_HASH);
    assert_memory_equal(world.bytes, old, SLOT);
    world.operations = 0;
    assert_int_equal(boot_to(1).refused, 0); /* asked once, answered once */
    assert_int_equal(world.operations, 0);
}

static void test_refuses_older(void **state)
{
    (void)state;
    world.config.refuse_older_version = true;
    for (uint8_t ok = 0; ok < 2; ok++) { /* for a trial and for good */
        set_up(state);
        world.config.refuse_older_version = true;
        put_image(0, 2, 3000, 0);
        put_image(1, 1, 3000, 0);
        put_field(1, MAGIC, 0);
        if (ok)
            put_field(1, IMAGE_OK, 1);
        assert_int_equal(boot_to(2).refused, OTA_E_IMG_VERSION);
    }
}

static void test_counter_rises_only_when_confirmed(void **state)
{
    (void)state;
    world.config.use_counter = true;
    world.counter = 3;
    put_image(0, 1, 3000, 3);
    put_image(1, 2, 3000, 5);
    put_field(1, MAGIC, 0);
    assert_true(boot_to(2).trial);
    assert_int_equal(world.counter, 3);
    put_field(0, IMAGE_OK, 1);
    boot_to(2);
    assert_int_equal(world.counter, 5);
    put_image(1, 3, 3000, 4);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(2).refused, OTA_E_IMG_COUNTER);
    put_image(1, 3, 3000, 0);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(2).refused, OTA_E_IMG_COUNTER);
}

static void test_damaged_primary_is_replaced(void **state)
{
    (void)state;
    for (int overwrite = 0; overwrite < 2; overwrite++) {
        set_up(state);
        if (overwrite)
            use_overwrite();
        put_image(0, 2, 3000, 0);
        put_image(1, 1, 3000, 0);
        world.bytes[200] ^= 1;
        assert_int_equal(boot_to(1).performed, IMG_SWAP_REVERT);
        assert_int_equal(boot_to(1).performed, IMG_SWAP_NONE);
    }
    set_up(state);
    struct boot_result result;
    put_image(0, 2, 3000, 0);
    world.bytes[200] ^= 1;
    assert_int_equal(boot_go(&world.config, &result), OTA_E_NO_IMAGE);
}

static void test_nothing_to_go_back_to(void **state)
{
    (void)state;
    put_image(0, 2, 3000, 0);
    put_field(0, MAGIC, 0);
    put_field(0, COPY_DONE, 1);
    struct boot_result result = boot_to(2);
    assert_int_equal(result.refused, OTA_E_IMG_MAGIC);
    assert_false(result.trial);
    assert_int_equal(boot_to(2).refused, 0);
}

/* The handover: the primary trailer is complete, the erase of the request stopped anywhere. */
static void put_owner(uint8_t type, uint32_t larger_end)
{
    uint8_t *end = world.bytes + SLOT;
    put32(end - 48, larger_end);
    put_field(0, SWAP_INFO, type);
    if (type != IMG_SWAP_TEST)
        put_field(0, IMAGE_OK, 1);
    put_field(0, MAGIC, 0);
}

static void test_owner_decides_over_a_rest_of_the_request(void **state)
{
    for (uint8_t type = IMG_SWAP_TEST; type <= IMG_SWAP_REVERT; type++) {
        set_up(state);
        put_image(0, 1, 3000, 0);
        uint32_t end = put_image(1, 2, 3000, 0);
        put_owner(type, end);
        put_field(1, MAGIC, 0); /* and nothing else of it */
        struct boot_result result = boot_to(2);
        assert_true(result.resumed);
        assert_int_equal(result.performed, type);
        assert_int_equal(result.trial, type == IMG_SWAP_TEST);
    }
}

static void test_owner_checks_the_secondary_before_it_begins(void **state)
{
    (void)state;
    world.config.validate_primary = false; /* nobody would look afterwards */
    put_image(0, 1, 3000, 0);
    uint32_t end = put_image(1, 2, 3000, 0);
    put_owner(IMG_SWAP_PERM, end);
    world.bytes[SLOT + 100] ^= 1;
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_HASH);
    world.operations = 0;
    assert_int_equal(boot_to(1).refused, 0);
    assert_int_equal(world.operations, 0);
}

/* A torn copy_done, and later the erase of that trailer stops above its entries: it owns nothing
 * any more, and what was asked for since is not done by its sizes. */
static void test_rest_of_an_owner_that_was_done(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 5000, 0);
    put_owner(IMG_SWAP_PERM, 1000);
    put_field(0, COPY_DONE, 0x55);
    put_field(1, MAGIC, 0);
    put_field(1, IMAGE_OK, 1);
    assert_false(boot_to(2).resumed);
    assert_int_equal(boot_to(2).performed, IMG_SWAP_NONE);
}

static void test_damaged_primary_saves_the_secondary(void **state)
{
    (void)state;
    world.config.refuse_older_version = true;
    put_image(0, 2, 3000, 0);
    put_image(1, 1, 3000, 0);
    put_field(1, MAGIC, 0);
    world.bytes[200] ^= 1;
    assert_int_equal(boot_to(1).refused, 0); /* older, and yet the only one */

    set_up(state);
    put_image(0, 2, SLOT - 2000, 0); /* larger than a swap could keep, and damaged */
    put_image(1, 1, 3000, 0);
    world.bytes[200] ^= 1;
    boot_to(1);
}

static void test_counter_without_validation(void **state)
{
    (void)state;
    world.config.use_counter = true;
    world.config.validate_primary = false;
    world.counter = 3;
    put_image(0, 1, 3000, 9);
    boot_to(1);
    assert_int_equal(world.counter, 9);
    put_image(1, 2, 3000, 4);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_COUNTER);
    put_image(0, 1, 3000, 12); /* a counter that nothing proves does not count */
    world.bytes[200] ^= 1;
    boot_to(1);
    assert_int_equal(world.counter, 9);
    put_image(0, 1, 3000, 12);
    world.nv_fails = true; /* no reason not to run a good image */
    boot_to(1);
}

static void test_unreadable_rest_is_not_copied(void **state)
{
    (void)state;
    put_image(0, 1, 6000, 0);
    put_image(1, 2, 2000, 0);
    put_field(1, MAGIC, 0);
    put_field(1, IMAGE_OK, 1);
    world.broken = SLOT + 4 * SECTOR + 40; /* behind v2, in a sector that the swap moves */
    boot_to(2);
    assert_int_equal(boot_to(2).performed, IMG_SWAP_NONE);
}

/* Nothing validates, so an interrupted recovery must leave a request behind. */
static void test_recovery_by_overwrite_is_done_again(void **state)
{
    for (uint32_t at = 2;; at++) {
        struct boot_result result;
        uint8_t image[SLOT];
        set_up(state);
        use_overwrite();
        world.config.validate_primary = false;
        put_image(0, 1, 3000, 0);
        uint32_t end = put_image(1, 2, 3000, 0);
        memcpy(image, world.bytes + SLOT, end);
        world.bytes[0] ^= 1;
        world.fail_at = at;
        int err = boot_go(&world.config, &result);
        boot_to(2);
        assert_memory_equal(world.bytes, image, end);
        if (err == 0)
            return;
    }
}

static void test_flash_error_is_passed_on_and_healed(void **state)
{
    (void)state;
    for (uint32_t at = 1;; at++) {
        struct boot_result result;
        set_up(state);
        put_image(0, 1, 2000, 0);
        put_image(1, 2, 2000, 0);
        put_field(1, MAGIC, 0);
        put_field(1, IMAGE_OK, 1);
        world.fail_at = at;
        if (boot_go(&world.config, &result) == 0) {
            assert_true(at > 20 && world.operations < at);
            return;
        }
        boot_to(2);
    }
}

static void test_primary_not_validated(void **state)
{
    (void)state;
    world.config.validate_primary = false;
    put_image(0, 1, 3000, 0);
    world.bytes[200] ^= 1;
    boot_to(1);
    assert_int_equal(world.hashes, 0);
}

static void test_layouts(void **state)
{
    const char *reason;
    struct boot_result result;
    (void)state;
    assert_int_equal(boot_check_config(&world.config, &reason), 0);
    world.config.format.max_sectors = 15;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    assert_non_null(strstr(reason, "max-sectors"));
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 3000, 0);
    put_field(1, MAGIC, 0);
    boot_to(1); /* nothing is installed, but what is there runs */
    set_up(state);
    world.config.secondary.size = SLOT - 2 * SECTOR;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    world.config.secondary.size = SLOT - SECTOR; /* one sector more in the primary: fits */
    assert_int_equal(boot_check_config(&world.config, &reason), 0);
    set_up(state);
    world.config.format.write_size = 4;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    set_up(state);
    assert_int_equal(boot_go(&world.config, &result), OTA_E_NO_IMAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_decisions, set_up),
        cmocka_unit_test_setup(test_overwrite_has_no_trial, set_up),
        cmocka_unit_test_setup(test_swap_leaves_the_format, set_up),
        cmocka_unit_test_setup(test_goes_on_from_entries, set_up),
        cmocka_unit_test_setup(test_largest_image, set_up),
        cmocka_unit_test_setup(test_refuses_and_leaves_primary_alone, set_up),
        cmocka_unit_test_setup(test_refuses_older, set_up),
        cmocka_unit_test_setup(test_counter_rises_only_when_confirmed, set_up),
        cmocka_unit_test_setup(test_damaged_primary_is_replaced, set_up),
        cmocka_unit_test_setup(test_nothing_to_go_back_to, set_up),
        cmocka_unit_test_setup(test_owner_decides_over_a_rest_of_the_request, set_up),
        cmocka_unit_test_setup(test_owner_checks_the_secondary_before_it_begins, set_up),
        cmocka_unit_test_setup(test_rest_of_an_owner_that_was_done, set_up),
        cmocka_unit_test_setup(test_damaged_primary_saves_the_secondary, set_up),
        cmocka_unit_test_setup(test_counter_without_validation, set_up),
        cmocka_unit_test_setup(test_unreadable_rest_is_not_copied, set_up),
        cmocka_unit_test_setup(test_recovery_by_overwrite_is_done_again, set_up),
        cmocka_unit_test_setup(test_flash_error_is_passed_on_and_healed, set_up),
        cmocka_unit_test_setup(test_primary_not_validated, set_up),
        cmocka_unit_test_setup(test_layouts, set_up),
    };
    return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
