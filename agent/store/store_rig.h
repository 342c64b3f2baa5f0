/* A small device with a store on simulated flash, for the tests of store and loader: an execution
 * area of four sectors, a store of four places, a directory and the factory's row. Digests are
 * computed, signatures are good when they begin with the digest. */
#ifndef NOBRICK_AGENT_STORE_STORE_RIG_H
#define NOBRICK_AGENT_STORE_STORE_RIG_H

#include "agent/sha256_rig.h"
#include "agent/store/store.h"
#include "flashsim/flashsim.h"

#include <string.h>

#define SECTOR           1024u
#define EXECUTION        (4u * SECTOR)
#define PLACE            (SECTOR + EXECUTION)
#define IMAGES           EXECUTION
#define DIRECTORY        (IMAGES + 4u * PLACE)
#define FACTORY          (DIRECTORY + 4u * SECTOR)
#define TOTAL            (FACTORY + SECTOR)
#define SIZE_OF(version) (2000u + 100u * ((version) % 20u))

struct rig {
    struct flash_sim *sim;
    struct crypto_port crypto;
    struct crypto_key key;
    struct store_config config;
    struct store store;
};

/* The rig's signatures: r is the digest with its highest bit off, s is 1. */
static inline void rig_sign(const uint8_t digest[CRYPTO_SHA256_SIZE], uint8_t out[IMG_RS_SIZE])
{
    memset(out, 0, IMG_RS_SIZE);
    memcpy(out, digest, CRYPTO_SHA256_SIZE);
    out[0] = 0x40;
    out[IMG_RS_SIZE - 1] = 1;
}

static inline int rig_verify(void *context, const struct crypto_key *key,
                             const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                             size_t signature_size)
{
    uint8_t rs[IMG_RS_SIZE];
    uint8_t der[IMG_RS_DER_MAX];
    (void)context, (void)key;
    rig_sign(digest, rs);
    return img_rs_to_der(rs, der) == signature_size && memcmp(der, signature, signature_size) == 0
               ? 0
               : OTA_E_IMG_SIGNATURE;
}

/* The bytes of a version's image, and its row. */
static inline struct img_row rig_image(uint32_t version, uint8_t out[EXECUTION])
{
    struct img_row row = {.name = "image.bin",
                          .version = version,
                          .size = SIZE_OF(version),
                          .type = IMG_ROW_PRODUCTION,
                          .is_signed = true};
    for (uint32_t i = 0; i < EXECUTION; i++)
        out[i] = (uint8_t)(version * 31u + i * 7u);
    SHA256(out, row.size, row.digest);
    rig_sign(row.digest, row.signature);
    return row;
}

/* A device as the factory leaves it, with version 1. */
static inline void rig_open(struct rig *rig)
{
    const struct flash_chip chip = {.part = {.name = "rig",
                                             .size = TOTAL,
                                             .runs = {{TOTAL / SECTOR, SECTOR}},
                                             .run_count = 1,
                                             .unit = 4,
                                             .erased = 0xFF}};
    uint8_t image[EXECUTION];
    uint8_t raw[IMG_ROW_SIZE];
    memset(rig, 0, sizeof *rig);
    rig->sim = flash_sim_memory(&chip, 1);
    assert_non_null(rig->sim);
    const struct flash_port *port = flash_sim_port(rig->sim);
    rig->crypto = (struct crypto_port){NULL, rig_sha256, rig_sha256_flash, rig_verify};
    rig->key = (struct crypto_key){CRYPTO_ECDSA_P256, NULL, 0};
    rig->config = (struct store_config){
        .images = {port, IMAGES, 4 * PLACE},
        .directory = {port, DIRECTORY, 4 * SECTOR},
        .factory = {port, FACTORY, SECTOR},
        .execution = {port, 0, EXECUTION},
        .keys = &rig->key,
        .key_count = 1,
        .crypto = &rig->crypto,
        .attempts = 2,
    };
    struct img_row row = rig_image(1, image);
    row.type = IMG_ROW_FACTORY;
    img_row_encode(&row, raw);
    assert_int_equal(flash_sim_put(rig->sim, 0, image, row.size), 0);
    assert_int_equal(flash_sim_put(rig->sim, FACTORY, raw, sizeof raw), 0);
    assert_int_equal(store_open(&rig->store, &rig->config), 0);
}

/* As the session does it: a place, the image's bytes, its row. */
static inline int rig_insert(struct rig *rig, uint32_t version, bool valid)
{
    uint8_t image[EXECUTION];
    uint8_t place;
    const struct img_row row = rig_image(version, image);
    int err = store_open(&rig->store, &rig->config);
    if (err == 0)
        err = store_reserve(&rig->store, &row, &place);
    if (err != 0)
        return err;
    const struct flash_area area = store_place(&rig->store, place);
    for (uint32_t at = 0; err == 0 && at < row.size; at += SECTOR)
        err = flash_area_erase_sector(&area, at);
    if (err == 0)
        err = flash_area_program(&area, 0, image, (row.size + 3u) / 4u * 4u);
    return err != 0 ? err : store_insert(&rig->store, place, &row, valid);
}

static inline uint8_t rig_status(struct rig *rig, uint32_t version)
{
    assert_int_equal(store_open(&rig->store, &rig->config), 0);
    uint8_t place = store_find(&rig->store, version);
    return place == STORE_PLACES ? IMG_ROW_FREE : rig->store.state.entries[place].status;
}

#endif
