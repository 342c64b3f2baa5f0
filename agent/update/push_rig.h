/* What the tests of push.c share: a device with loader, slots and a small image. */
#ifndef NOBRICK_AGENT_UPDATE_PUSH_RIG_H
#define NOBRICK_AGENT_UPDATE_PUSH_RIG_H

#include "agent/boot/boot.h"
#include "agent/sha256_rig.h"
#include "agent/update/push.h"
#include "flashsim/flashsim.h"

#include <string.h>

#define SLOT     32768u
#define PROGRESS 8192u
#define KEY_TEXT "a public key"

/* ---- a device ---------------------------------------------------------------------------- */

struct shape {
    const struct boot_scheme *scheme;
    uint32_t sector;
    uint32_t unit;
    uint32_t page;
    uint8_t erased;
    uint32_t ecc;
    struct img_trailer_format format;
};

static const struct shape shapes[] = {
    {&boot_swap_move, 4096, 8, 256, 0xFF, 8, {.align = 8, .write_size = 8, .max_sectors = 8}},
    {&boot_overwrite, 4096, 1, 1024, 0xFF, 0, {.align = 8, .write_size = 8, .max_sectors = 0}},
    {&boot_overwrite, 512, 512, 512, 0x00, 0, {.align = 8, .write_size = 512, .max_sectors = 0}},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

struct bench {
    struct flash_sim *sim;
    struct crypto_port crypto;
    struct boot_config boot;
    struct ota_progress progress;
    struct ota_push_config config;
    struct ota_push push;
    struct flash_area area; /* of the progress records */
    uint8_t buffer[1024];
    uint8_t image[SLOT];
    uint32_t size;
    int verdict; /* of every signature */
    uint32_t cut_at;
    enum flash_tear cut;
};

static inline enum flash_tear observe(void *context, struct flash_sim *sim,
                                      const struct flash_op *op)
{
    struct bench *bench = context;
    (void)sim;
    return op->index == bench->cut_at ? bench->cut : FLASH_TEAR_NONE;
}

static inline int verify(void *context, const struct crypto_key *key, const uint8_t digest[32],
                         const uint8_t *signature, size_t size)
{
    (void)key, (void)digest, (void)signature, (void)size;
    return ((struct bench *)context)->verdict;
}

static inline void put(uint8_t *at, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t tlv(uint8_t *at, uint32_t type, const void *data, uint32_t size)
{
    put(at, type, 2);
    put(at + 2, size, 2);
    memcpy(at + 4, data, size);
    return 4 + size;
}

/* Version major.0.0 with a payload of so many bytes, into bench->image. */
static inline void make_image(struct bench *bench, uint8_t major, uint32_t payload)
{
    static const uint8_t signature[] = {0x30, 0x04, 'g', 'o', 'o', 'd'};
    uint8_t *out = bench->image;
    uint8_t hash[32];
    memset(out, 0, IMG_HEADER_SIZE);
    put(out, IMG_MAGIC, 4);
    put(out + 8, IMG_HEADER_SIZE, 2);
    put(out + 12, payload, 4);
    out[20] = major;
    for (uint32_t i = 0; i < payload; i++)
        out[IMG_HEADER_SIZE + i] = (uint8_t)(i * 11 + i / 256 + major);
    uint32_t at = IMG_HEADER_SIZE + payload;
    uint32_t end = at + IMG_TLV_INFO_SIZE;
    SHA256(out, at, hash);
    end += tlv(out + end, IMG_TLV_SHA256, hash, sizeof hash);
    SHA256((const uint8_t *)KEY_TEXT, strlen(KEY_TEXT), hash);
    end += tlv(out + end, IMG_TLV_KEYHASH, hash, sizeof hash);
    end += tlv(out + end, IMG_TLV_ECDSA_SIG, signature, sizeof signature);
    put(out + at, IMG_TLV_MAGIC, 2);
    put(out + at + 2, end - at, 2);
    bench->size = end;
}

static inline void bench_configure(struct bench *bench, const struct shape *shape)
{
    static const struct crypto_key key = {CRYPTO_ECDSA_P256, (const uint8_t *)KEY_TEXT,
                                          sizeof KEY_TEXT - 1};
    const struct flash_port *flash = flash_sim_port(bench->sim);
    const char *reason = "";
    bench->crypto = (struct crypto_port){bench, rig_sha256, rig_sha256_flash, verify};
    bench->area = (struct flash_area){flash, 2 * SLOT, PROGRESS};
    bench->boot = (struct boot_config){.scheme = shape->scheme,
                                       .primary = {flash, 0, SLOT},
                                       .secondary = {flash, SLOT, SLOT},
                                       .format = shape->format,
                                       .keys = &key,
                                       .key_count = 1,
                                       .validate_primary = true,
                                       .refuse_older_version = true,
                                       .buffer = bench->buffer,
                                       .buffer_size = sizeof bench->buffer,
                                       .crypto = &bench->crypto};
    assert_int_equal(boot_check_config(&bench->boot, &reason), 0);
    bench->config = (struct ota_push_config){.primary = bench->boot.primary,
                                             .secondary = bench->boot.secondary,
                                             .format = shape->format,
                                             .crypto = &bench->crypto,
                                             .keys = &key,
                                             .key_count = 1,
                                             .max_end = shape->scheme->max_end(&bench->boot),
                                             .reverts = shape->scheme->reverts,
                                             .progress = &bench->progress};
    assert_int_equal(ota_progress_open(&bench->progress, &bench->area, &bench->config.secondary),
                     0);
}

/* Runs a confirmed v1; something old lies in the secondary slot; v2 is to be pushed. */
static inline void bench_new(struct bench *bench, const struct shape *shape)
{
    uint32_t size = 2 * SLOT + PROGRESS;
    struct flash_chip chip = {.part = {.name = "shape",
                                       .size = size,
                                       .runs = {{size / shape->sector, shape->sector}},
                                       .run_count = 1,
                                       .unit = shape->unit,
                                       .page = shape->page,
                                       .erased = shape->erased,
                                       .programs = 1,
                                       .ecc = shape->ecc}};
    memset(bench, 0, sizeof *bench);
    bench->cut_at = UINT32_MAX;
    bench->sim = flash_sim_memory(&chip, 1);
    assert_non_null(bench->sim);
    bench_configure(bench, shape);
    make_image(bench, 1, 5000);
    assert_int_equal(flash_sim_put(bench->sim, 0, bench->image, bench->size), 0);
    assert_int_equal(flash_sim_put(bench->sim, SLOT + 3, bench->image, bench->size), 0);
    make_image(bench, 2, 9001);
    flash_sim_observe(bench->sim, observe, bench);
    assert_int_equal(ota_push_init(&bench->push, &bench->config), 0);
}

static inline void bench_free(struct bench *bench)
{
    assert_string_equal(flash_sim_violation(bench->sim), "");
    flash_sim_close(bench->sim);
}

/* A reset: the loader runs, then the application. Returns the version that runs. */
static inline unsigned boot(struct bench *bench)
{
    struct boot_result result;
    flash_sim_power_on(bench->sim);
    bench->cut_at = UINT32_MAX;
    assert_int_equal(boot_go(&bench->boot, &result), 0);
    assert_int_equal(ota_progress_open(&bench->progress, &bench->area, &bench->config.secondary),
                     0);
    assert_int_equal(ota_push_init(&bench->push, &bench->config), 0);
    assert_int_equal(bench->push.running.major, result.image.header.version.major);
    return result.image.header.version.major;
}

static inline int prepare(struct bench *bench)
{
    int more;
    do {
        more = ota_push_prepare(&bench->push);
    } while (more == 1);
    return more;
}

static inline int write_all(struct bench *bench, uint32_t step)
{
    int error = 0;
    for (uint32_t at = 0; at < bench->size && error == 0; at += step) {
        uint32_t length = bench->size - at < step ? bench->size - at : step;
        uint8_t *piece = malloc(length); /* exact, for the sanitizers */
        memcpy(piece, bench->image + at, length);
        error = ota_push_write(&bench->push, piece, length);
        free(piece);
    }
    return error;
}

/* CRC-32 as its definition has it, a bit at a time: what the host says of what it handed over. */
static inline uint32_t crc_over(const uint8_t *data, uint32_t length)
{
    uint32_t crc = UINT32_MAX;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static inline uint32_t crc_of(const struct bench *bench)
{
    return crc_over(bench->image, bench->size);
}

static inline int push_all(struct bench *bench, uint32_t step)
{
    int error = prepare(bench);
    if (error == 0)
        error = ota_push_start(&bench->push, bench->size);
    if (error == 0)
        error = write_all(bench, step);
    if (error == 0)
        error = ota_push_verify(&bench->push, crc_of(bench));
    return error != 0 ? error : ota_push_set_pending(&bench->push);
}

/* The device is as it should be after anything: v1 runs, and an update can be pushed. */
static inline void assert_usable(struct bench *bench)
{
    assert_int_equal(boot(bench), 1);
    bench->verdict = 0;
    make_image(bench, 2, 9001);
    assert_int_equal(push_all(bench, 1000), 0);
    assert_int_equal(boot(bench), 2);
}

/* Brings a new push into `state`. */
static inline void reach(struct bench *bench, enum ota_push_state wanted)
{
    if (wanted == OTA_PUSH_IDLE)
        return;
    assert_int_equal(ota_push_prepare(&bench->push), 1);
    if (wanted == OTA_PUSH_PREPARING)
        return;
    assert_int_equal(prepare(bench), 0);
    if (wanted == OTA_PUSH_PREPARED)
        return;
    assert_int_equal(ota_push_start(&bench->push, bench->size), 0);
    if (wanted == OTA_PUSH_WRITING)
        return;
    if (wanted == OTA_PUSH_FAILED) {
        assert_int_equal(ota_push_verify(&bench->push, crc_of(bench)), OTA_E_IMG_TRUNCATED);
        return;
    }
    assert_int_equal(write_all(bench, 1000), 0);
    assert_int_equal(ota_push_verify(&bench->push, crc_of(bench)), 0);
    if (wanted == OTA_PUSH_VERIFIED)
        return;
    assert_int_equal(ota_push_set_pending(&bench->push), 0);
}

#endif
