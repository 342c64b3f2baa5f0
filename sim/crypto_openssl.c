#include "sim/crypto_openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE  16384u
#define KEYS       8u
#define SLOTS      65536u /* of each memory; a power of two */
#define SLOTS_USED 49152u /* then it forgets everything and starts over */
#define P256_BITS  256
#define RSA_BITS   2048

/* 128 bits that stand for some bytes; nobody here forges collisions. */
struct content {
    uint64_t a;
    uint64_t b;
};

struct hash_entry {
    bool used;
    uint32_t address;
    uint32_t length;
    uint64_t fingerprint;
    uint8_t digest[CRYPTO_SHA256_SIZE];
};

struct verdict_entry {
    bool used;
    struct content content;
    int verdict;
};

/* A key that has been parsed once, ready to verify. */
struct parsed_key {
    enum crypto_scheme scheme;
    uint8_t *der;
    size_t der_size;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *ctx;
};

struct crypto_openssl {
    struct crypto_port port;
    struct flash_sim *sim;
    EVP_MD *md;
    EVP_MD_CTX *md_ctx;
    struct parsed_key keys[KEYS];
    size_t next_key; /* the one to replace when all are in use */
    struct hash_entry *hashes;
    size_t hash_count;
    struct verdict_entry *verdicts;
    size_t verdict_count;
    struct crypto_counts counts;
    uint8_t buffer[READ_SIZE];
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x7FB5D329728EA185u;
    x ^= x >> 27;
    x *= 0x81DADEF4BC2DD44Du;
    return x ^ x >> 33;
}

static void content_add(struct content *content, const void *data, size_t length)
{
    const uint8_t *p = data;

    while (length > 0) {
        uint64_t word = 0;
        size_t n = length < sizeof word ? length : sizeof word;
        memcpy(&word, p, n);
        content->a = mix(content->a ^ word) + n;
        content->b = mix((content->b + word) * 0x9E3779B97F4A7C15u);
        p += n;
        length -= n;
    }
}

/* ---- digests ----------------------------------------------------------------------------- */

static int digest_begin(struct crypto_openssl *crypto)
{
    return EVP_DigestInit_ex2(crypto->md_ctx, crypto->md, NULL) == 1 ? OTA_OK : OTA_E_IO;
}

static int digest_end(struct crypto_openssl *crypto, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    return EVP_DigestFinal_ex(crypto->md_ctx, digest, NULL) == 1 ? OTA_OK : OTA_E_IO;
}

static int sha256(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct crypto_openssl *crypto = context;

    int err = digest_begin(crypto);
    if (err < 0 || EVP_DigestUpdate(crypto->md_ctx, data, length) != 1) {
        return OTA_E_IO;
    }
    return digest_end(crypto, digest);
}

static int hash_range(struct crypto_openssl *crypto, const struct flash_port *flash,
                      uint32_t address, uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    crypto->counts.hashes_computed++;
    int err = digest_begin(crypto);
    while (err >= 0 && length > 0) {
        uint32_t n = length < READ_SIZE ? length : READ_SIZE;
        err = flash->read(flash->context, address, crypto->buffer, n);
        if (err < 0) {
            return err;
        }
        if (EVP_DigestUpdate(crypto->md_ctx, crypto->buffer, n) != 1) {
            return OTA_E_IO;
        }
        crypto->counts.hashed_bytes += n;
        address += n;
        length -= n;
    }
    return err < 0 ? err : digest_end(crypto, digest);
}

/* Only the simulator's own port on a powered chip: what another port would answer is its secret. */
static bool may_remember(const struct crypto_openssl *crypto, const struct flash_port *flash)
{
    if (crypto->hashes == NULL || flash_sim_is_off(crypto->sim)) {
        return false;
    }
    const struct flash_port *own = flash_sim_port(crypto->sim);
    return flash->context == own->context && flash->read == own->read;
}

/* The slot of that range: in use and equal, or free to fill. */
static struct hash_entry *hash_slot(struct crypto_openssl *crypto, uint32_t address,
                                    uint32_t length, uint64_t fingerprint)
{
    uint64_t i = mix(fingerprint ^ ((uint64_t)address << 32 | length));

    for (;; i++) {
        struct hash_entry *entry = &crypto->hashes[i % SLOTS];
        if (!entry->used || (entry->fingerprint == fingerprint && entry->address == address &&
                             entry->length == length)) {
            return entry;
        }
    }
}

static int sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct crypto_openssl *crypto = context;

    crypto->counts.hashes++;
    if (!may_remember(crypto, flash) || !flash_sim_is_steady(crypto->sim, address, length)) {
        return hash_range(crypto, flash, address, length, digest);
    }
    uint64_t fingerprint = flash_sim_fingerprint(crypto->sim, address, length);
    struct hash_entry *entry = hash_slot(crypto, address, length, fingerprint);
    if (entry->used) {
        memcpy(digest, entry->digest, sizeof entry->digest);
        return OTA_OK;
    }
    int err = hash_range(crypto, flash, address, length, digest);
    if (err < 0) {
        return err;
    }
    if (crypto->hash_count == SLOTS_USED) {
        memset(crypto->hashes, 0, SLOTS * sizeof *crypto->hashes);
        crypto->hash_count = 0;
        entry = hash_slot(crypto, address, length, fingerprint);
    }
    crypto->hash_count++;
    entry->used = true;
    entry->address = address;
    entry->length = length;
    entry->fingerprint = fingerprint;
    memcpy(entry->digest, digest, sizeof entry->digest);
    return OTA_OK;
}

/* ---- signatures -------------------------------------------------------------------------- */

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32] = "";

    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC && EVP_PKEY_get_bits(pkey) == P256_BITS &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool is_rsa2048(const EVP_PKEY *pkey)
{
    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) == RSA_BITS;
}

static void forget_key(struct parsed_key *parsed)
{
    EVP_PKEY_CTX_free(parsed->ctx);
    EVP_PKEY_free(parsed->pkey);
    free(parsed->der);
    memset(parsed, 0, sizeof *parsed);
}

static bool start_verify(struct parsed_key *parsed, const EVP_MD *md)
{
    parsed->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parsed->pkey, NULL);
    if (parsed->ctx == NULL || EVP_PKEY_verify_init(parsed->ctx) != 1 ||
        EVP_PKEY_CTX_set_signature_md(parsed->ctx, md) != 1) {
        return false;
    }
    if (parsed->scheme == CRYPTO_ECDSA_P256) {
        return true;
    }
    return EVP_PKEY_CTX_set_rsa_padding(parsed->ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(parsed->ctx, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(parsed->ctx, CRYPTO_SHA256_SIZE) == 1;
}

static bool parse_key(struct parsed_key *parsed, const struct crypto_key *key, const EVP_MD *md)
{
    const unsigned char *p = key->der;

    parsed->scheme = key->scheme;
    parsed->der = malloc(key->der_size);
    if (parsed->der == NULL) {
        return false;
    }
    memcpy(parsed->der, key->der, key->der_size);
    parsed->der_size = key->der_size;
    if (key->scheme == CRYPTO_ECDSA_P256) {
        parsed->pkey = d2i_PUBKEY(NULL, &p, (long)key->der_size);
    } else {
        parsed->pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)key->der_size);
    }
    if (parsed->pkey == NULL || p != key->der + key->der_size) {
        return false;
    }
    bool fits = key->scheme == CRYPTO_ECDSA_P256 ? is_p256(parsed->pkey) : is_rsa2048(parsed->pkey);
    return fits && start_verify(parsed, md);
}

static struct parsed_key *find_key(struct crypto_openssl *crypto, const struct crypto_key *key)
{
    for (size_t i = 0; i < KEYS; i++) {
        struct parsed_key *parsed = &crypto->keys[i];
        if (parsed->ctx != NULL && parsed->scheme == key->scheme &&
            parsed->der_size == key->der_size &&
            memcmp(parsed->der, key->der, key->der_size) == 0) {
            return parsed;
        }
    }
    struct parsed_key *parsed = &crypto->keys[crypto->next_key];
    forget_key(parsed);
    if (!parse_key(parsed, key, crypto->md)) {
        forget_key(parsed);
        ERR_clear_error();
        return NULL;
    }
    crypto->next_key = (crypto->next_key + 1) % KEYS;
    return parsed;
}

static int compute_verdict(struct crypto_openssl *crypto, const struct crypto_key *key,
                           const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                           size_t signature_size)
{
    struct parsed_key *parsed = find_key(crypto, key);

    if (parsed == NULL) {
        return OTA_E_ARGUMENT;
    }
    crypto->counts.verifies_computed++;
    if (EVP_PKEY_verify(parsed->ctx, signature, signature_size, digest, CRYPTO_SHA256_SIZE) == 1) {
        return OTA_OK;
    }
    ERR_clear_error();
    return OTA_E_IMG_SIGNATURE;
}

static struct verdict_entry *verdict_slot(struct crypto_openssl *crypto, struct content content)
{
    for (uint64_t i = content.a;; i++) {
        struct verdict_entry *entry = &crypto->verdicts[i % SLOTS];
        if (!entry->used || (entry->content.a == content.a && entry->content.b == content.b)) {
            return entry;
        }
    }
}

static int verify(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size)
{
    struct crypto_openssl *crypto = context;
    struct content content = {(uint64_t)key->scheme, key->der_size};

    crypto->counts.verifies++;
    if (crypto->verdicts == NULL) {
        return compute_verdict(crypto, key, digest, signature, signature_size);
    }
    content_add(&content, key->der, key->der_size);
    content_add(&content, digest, CRYPTO_SHA256_SIZE);
    content_add(&content, signature, signature_size);
    struct verdict_entry *entry = verdict_slot(crypto, content);
    if (entry->used) {
        return entry->verdict;
    }
    int verdict = compute_verdict(crypto, key, digest, signature, signature_size);
    if (verdict != OTA_OK && verdict != OTA_E_IMG_SIGNATURE) {
        return verdict;
    }
    if (crypto->verdict_count == SLOTS_USED) {
        memset(crypto->verdicts, 0, SLOTS * sizeof *crypto->verdicts);
        crypto->verdict_count = 0;
        entry = verdict_slot(crypto, content);
    }
    crypto->verdict_count++;
    *entry = (struct verdict_entry){.used = true, .content = content, .verdict = verdict};
    return verdict;
}

/* ---- life -------------------------------------------------------------------------------- */

struct crypto_openssl *crypto_openssl_new(struct flash_sim *sim, bool remember)
{
    struct crypto_openssl *crypto = calloc(1, sizeof *crypto);

    if (crypto == NULL) {
        return NULL;
    }
    crypto->sim = sim;
    crypto->port.context = crypto;
    crypto->port.sha256 = sha256;
    crypto->port.sha256_flash = sha256_flash;
    crypto->port.verify = verify;
    crypto->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->md_ctx = EVP_MD_CTX_new();
    bool complete = crypto->md != NULL && crypto->md_ctx != NULL;
    if (remember && sim != NULL) {
        crypto->hashes = calloc(SLOTS, sizeof *crypto->hashes);
        complete = complete && crypto->hashes != NULL;
    }
    if (remember) {
        crypto->verdicts = calloc(SLOTS, sizeof *crypto->verdicts);
        complete = complete && crypto->verdicts != NULL;
    }
    if (!complete) {
        crypto_openssl_free(crypto);
        return NULL;
    }
    return crypto;
}

void crypto_openssl_free(struct crypto_openssl *crypto)
{
    if (crypto == NULL) {
        return;
    }
    for (size_t i = 0; i < KEYS; i++) {
        forget_key(&crypto->keys[i]);
    }
    EVP_MD_CTX_free(crypto->md_ctx);
    EVP_MD_free(crypto->md);
    free(crypto->hashes);
    free(crypto->verdicts);
    free(crypto);
}

const struct crypto_port *crypto_openssl_port(struct crypto_openssl *crypto)
{
    return &crypto->port;
}

void crypto_openssl_counts(const struct crypto_openssl *crypto, struct crypto_counts *out)
{
    *out = crypto->counts;
}

/* ---- keys from files --------------------------------------------------------------------- */

int crypto_openssl_encode_public(EVP_PKEY *pkey, struct crypto_key *key, uint8_t **der)
{
    unsigned char *encoded = NULL;
    int length;

    *der = NULL;
    if (is_p256(pkey)) {
        /* Key hashes are over the uncompressed point, however the file has it. */
        (void)EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                             "uncompressed");
        key->scheme = CRYPTO_ECDSA_P256;
        length = i2d_PUBKEY(pkey, &encoded);
    } else if (is_rsa2048(pkey)) {
        key->scheme = CRYPTO_RSA2048_PSS;
        length = i2d_PublicKey(pkey, &encoded);
    } else {
        return OTA_E_IMG_KEY;
    }
    if (length <= 0) {
        return OTA_E_IMG_KEY;
    }
    *der = malloc((size_t)length);
    if (*der != NULL) {
        memcpy(*der, encoded, (size_t)length);
        key->der = *der;
        key->der_size = (size_t)length;
    }
    OPENSSL_free(encoded);
    return *der != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

/* Without it OpenSSL would ask the terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

int crypto_openssl_read_public(const char *path, struct crypto_key *key, uint8_t **der)
{
    *der = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return OTA_E_IO;
    }
    EVP_PKEY *pkey = PEM_read_PUBKEY(file, NULL, no_pass_phrase, NULL);
    (void)fclose(file);
    int err = pkey != NULL ? crypto_openssl_encode_public(pkey, key, der) : OTA_E_IMG_KEY;
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return err;
}
