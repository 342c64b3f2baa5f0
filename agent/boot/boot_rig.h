/* A flash of its own in RAM for the tests of the loader, with a hash and a counter. */
#ifndef NOBRICK_AGENT_BOOT_BOOT_RIG_H
#define NOBRICK_AGENT_BOOT_BOOT_RIG_H

#include "agent/boot/boot.h"
#include "agent/boot/mix_rig.h"

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

static inline int ram_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct world *world = context;
    if (world->broken != 0 && address < world->broken + UNIT && world->broken < address + length)
        return OTA_E_FLASH_READ;
    memcpy(data, world->bytes + address, length);
    return 0;
}

static inline int ram_program(void *context, uint32_t address, const void *data, uint32_t length)
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

static inline int ram_erase(void *context, uint32_t address)
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

static inline int ram_sync(void *context)
{
    (void)context;
    return 0;
}

static inline int ram_sector(void *context, uint32_t address, struct flash_sector *out)
{
    (void)context;
    if (address >= SIZE)
        return OTA_E_FLASH_BOUNDS;
    *out = (struct flash_sector){address - address % SECTOR, SECTOR, UNIT, 0, 0xFF};
    return 0;
}

static inline int ram_sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                                   uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct world *world = context;
    (void)flash;
    world->hashes++;
    rig_mix(world->bytes + address, length, digest);
    return 0;
}

static inline int counter_get(void *context, uint32_t *value)
{
    *value = ((struct world *)context)->counter;
    return 0;
}

static inline int counter_raise(void *context, uint32_t value)
{
    struct world *world = context;
    if (world->nv_fails)
        return OTA_E_IO;
    if (value > world->counter)
        world->counter = value;
    return 0;
}

static struct world world;

static inline int set_up(void **state)
{
    memset(&world, 0, sizeof world);
    memset(world.bytes, 0xFF, sizeof world.bytes);
    world.flash =
        (struct flash_port){&world, ram_read, ram_program, ram_erase, ram_sync, ram_sector};
    world.crypto = (struct crypto_port){&world, rig_sha256, ram_sha256_flash, rig_verify};
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

static inline void use_overwrite(void)
{
    world.config.scheme = &boot_overwrite;
    world.config.format.max_sectors = 0;
}

/* ---- images ------------------------------------------------------------------------------ */

static inline void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value);
    put16(at + 2, value >> 16);
}

/* An unsigned image of `major`.0.0 with `payload` bytes; counter 0: none. Returns its end. */
static inline uint32_t put_image(unsigned slot, uint8_t major, uint32_t payload, uint32_t counter)
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
    rig_mix(at, (size_t)(tlv - at), tlv + 8);
    return (uint32_t)(tlv + 40 - at);
}

enum field { MAGIC, IMAGE_OK, COPY_DONE, SWAP_INFO };

static inline void put_field(unsigned slot, enum field field, uint8_t value)
{
    static const uint32_t distance[] = {16, 24, 32, 40};
    uint8_t *at = world.bytes + (slot + 1) * SLOT - distance[field];
    if (field == MAGIC)
        memcpy(at, img_trailer_magic(8), 16);
    else
        *at = value;
}

static inline struct boot_result boot_to(uint8_t major)
{
    struct boot_result result;
    assert_int_equal(boot_go(&world.config, &result), 0);
    assert_int_equal(result.image.header.version.major, major);
    return result;
}

#endif
