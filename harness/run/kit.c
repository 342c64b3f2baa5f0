#include "harness/run/kit.h"
#include "harness/cli/paths.h"
#include "harness/files/files.h"
#include "harness/image/harmony.h"
#include "harness/run/broker.h"
#include "harness/run/certs.h"
#include "sim/cortexm/host/program.h"
#include "sim/cortexm/host/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_LENGTH 512
#define MAX_GOLDEN (16u * 1024u * 1024u)
#define TRUNCATED  64u

struct made {
    char key[KEY_LENGTH]; /* what was asked for */
    struct nb_blob blob;
    uint8_t *data;
    struct made *next;
};

/* An image is made once: its bytes' address says which it is. */
struct made_patch {
    const uint8_t *base;
    const uint8_t *target;
    uint8_t *data;
    size_t size;
    struct made_patch *next;
};

struct nb_kit {
    char dir[200];
    char trusted[256]; /* path prefixes of the pairs */
    char other[256];
    char trusted_public[280];
    struct made *images;
    struct made_patch *patches;
    unsigned image_count;
    struct nb_broker broker;
    enum nb_tls broker_tls;
    bool keeps_all; /* the broker */
    bool has_certs;
};

/* ---- the scratch directory --------------------------------------------------------------- */

/* Removes what lies in the directory, two levels of directories deep, and the directory. */
static void remove_directory(const char *path, int depth)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0 && depth > 0)
            remove_directory(name, depth - 1);
    }
    closedir(dir);
    rmdir(path);
}

struct nb_kit *nb_kit_new(char *reason, size_t size)
{
    struct nb_kit *kit = calloc(1, sizeof *kit);
    const char *base = getenv("TMPDIR");
    if (!kit) {
        snprintf(reason, size, "out of memory");
        return NULL;
    }
    if (!base || !*base)
        base = "/tmp";
    snprintf(kit->dir, sizeof kit->dir, "%s/nobrick-XXXXXX", base);
    if (!mkdtemp(kit->dir)) {
        snprintf(reason, size, "cannot make a directory in %s: %s", base, strerror(errno));
        free(kit);
        return NULL;
    }
    snprintf(kit->trusted, sizeof kit->trusted, "%s/trusted", kit->dir);
    snprintf(kit->other, sizeof kit->other, "%s/other", kit->dir);
    snprintf(kit->trusted_public, sizeof kit->trusted_public, "%s.pub.pem", kit->trusted);
    /* Derived: images are then the same in every run, and so is what a replay does to the flash. */
    int rc = nb_image_derive_key(kit->trusted, "nobrick test key: trusted");
    if (rc == 0)
        rc = nb_image_derive_key(kit->other, "nobrick test key: other");
    if (rc) {
        snprintf(reason, size, "cannot make test keys in %s: %s", kit->dir, ota_err_text(rc));
        nb_kit_free(kit);
        return NULL;
    }
    return kit;
}

void nb_kit_free(struct nb_kit *kit)
{
    if (!kit)
        return;
    while (kit->images) {
        struct made *next = kit->images->next;
        free(kit->images->data);
        free(kit->images);
        kit->images = next;
    }
    while (kit->patches) {
        struct made_patch *next = kit->patches->next;
        free(kit->patches->data);
        free(kit->patches);
        kit->patches = next;
    }
    nb_broker_stop(&kit->broker);
    remove_directory(kit->dir, 2);
    free(kit);
}

const char *nb_kit_dir(const struct nb_kit *kit)
{
    return kit->dir;
}

const char *nb_kit_trusted_key(const struct nb_kit *kit)
{
    return kit->trusted_public;
}

int nb_kit_cert(struct nb_kit *kit, const char *name, const char *ending, char *out, size_t size)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s/certs", kit->dir);
    if (!kit->has_certs && ((mkdir(dir, 0700) != 0 && errno != EEXIST) || nb_certs_make(dir) != 0))
        return OTA_E_IO;
    kit->has_certs = true;
    return snprintf(out, size, "%s/%s.%s", dir, name, ending) < (int)size ? 0 : OTA_E_NO_SPACE;
}

int nb_kit_tls(struct nb_kit *kit, enum nb_tls kind, struct nb_daemon_tls *tls)
{
    const char *name = nb_certs_server(kind);
    int rc = nb_kit_cert(kit, NB_CERTS_CA, "crt", tls->ca, sizeof tls->ca);
    if (rc == 0)
        rc = nb_kit_cert(kit, name, "crt", tls->cert, sizeof tls->cert);
    if (rc == 0)
        rc = nb_kit_cert(kit, name, "key", tls->key, sizeof tls->key);
    tls->mutual = nb_certs_mutual(kind);
    return rc;
}

int nb_kit_broker(struct nb_kit *kit, enum nb_tls kind, uint16_t *port, uint16_t *tls_port,
                  char *reason, size_t reason_size)
{
    struct nb_daemon_tls tls;
    int rc = 0;
    if (kit->broker.pid && kit->broker_tls != kind)
        nb_broker_stop(&kit->broker);
    if (!kit->broker.pid && kind != NB_TLS_NONE) {
        rc = nb_kit_tls(kit, kind, &tls);
        if (rc)
            snprintf(reason, reason_size, "cannot make test certificates");
    }
    if (rc == 0 && !kit->broker.pid)
        rc = nb_broker_start(&kit->broker, kit->dir, kind == NB_TLS_NONE ? NULL : &tls,
                             kit->keeps_all ? 0 : NB_BROKER_WAITING, reason, reason_size);
    kit->broker_tls = kind;
    *port = kit->broker.port;
    *tls_port = kit->broker.tls_port;
    return rc;
}

void nb_kit_broker_keeps_all(struct nb_kit *kit)
{
    kit->keeps_all = true;
}

/* ---- sizes ------------------------------------------------------------------------------- */

static uint32_t sector_at(const struct sim_device *device, uint32_t address)
{
    for (size_t i = 0; i < device->chip_count; i++) {
        const struct flash_chip *chip = &device->chips[i];
        if (address < chip->start || address - chip->start >= chip->part.size)
            continue;
        uint32_t at = chip->start;
        for (size_t run = 0; run < chip->part.run_count; run++) {
            at += chip->part.runs[run].count * chip->part.runs[run].size;
            if (address < at)
                return chip->part.runs[run].size;
        }
    }
    return 4096;
}

/* Payload of an image: v1 is the measure, later ones stand beside it as the `size` line says.
 * `overhead` is header and TLVs. */
static uint32_t payload_size(const struct nb_cell *cell, const struct sim_device *device,
                             const struct nb_image *image, uint32_t max_end, uint32_t overhead)
{
    if (image->size)
        return image->size;
    uint32_t room = max_end > overhead ? max_end - overhead : 1;
    uint32_t sector = sector_at(device, device->secondary.address);
    uint32_t base = NB_IMAGE_SIZE;
    if (base + sector > room)
        base = room / 2;
    if (image->number == 1)
        return base;
    switch (cell->size) {
    case NB_SIZE_SMALLER:
        return base / 4;
    case NB_SIZE_LARGER:
        return base + sector < room ? base + sector : room;
    case NB_SIZE_MAXIMAL:
        return room;
    default:
        return base;
    }
}

/* ---- making images ----------------------------------------------------------------------- */

/* The row stays whole: it is its signature that is wrong. */
static void change_signature(uint8_t raw[IMG_ROW_SIZE])
{
    struct img_row row;
    if (img_row_decode(raw, &row) != 0)
        return;
    row.signature[IMG_RS_SIZE - 1] ^= 0x01;
    img_row_encode(&row, raw);
}

static void tamper(const struct nb_image *image, const struct sim_device *device,
                   struct nb_blob *blob, uint8_t *data, size_t *size)
{
    switch (image->tamper) {
    case NB_TAMPER_PAYLOAD:
        data[device->header_size] ^= 0x01;
        break;
    case NB_TAMPER_HEADER:
        data[24] ^= 0x01; /* the build number: hashed, compared by nobody */
        break;
    case NB_TAMPER_SIGNATURE:
        if (device->scheme->store)
            change_signature(blob->row);
        else
            data[*size - 1] ^= 0x01;
        break;
    case NB_TAMPER_TRUNCATE:
        *size -= *size > TRUNCATED ? TRUNCATED : 0;
        break;
    default:
        break;
    }
}

/* The board's program, where images hold it: moved to the primary slot, behind `header` bytes. */
static int add_program(const struct nb_cell *cell, const struct sim_device *device,
                       const struct nb_image *image, uint32_t header, struct nb_image_spec *spec,
                       uint8_t **program, struct flash_text_error *error)
{
    char dir[512];
    *program = NULL;
    if (!cell->programs)
        return 0;
    if (!cortexm_programs(dir, sizeof dir)) {
        snprintf(error->message, sizeof error->message,
                 "the board's programs are not built (make cortexm)");
        return OTA_E_UNSUPPORTED;
    }
    int rc =
        cortexm_program_load(dir, device->primary.address + header, program, &spec->program_size);
    spec->program = *program;
    /* In a store nothing is as large as usual anyway: what no script sizes is as large as it must.
     */
    if (device->scheme->store && !image->size && spec->program_size > spec->payload_size &&
        header + spec->program_size <= device->primary.size)
        spec->payload_size = spec->program_size;
    if (rc || spec->program_size <= spec->payload_size)
        return rc;
    snprintf(error->message, sizeof error->message,
             "v%u of %zu bytes has no room for the board's program of %zu", image->number,
             spec->payload_size, spec->program_size);
    return OTA_E_UNSUPPORTED;
}

/* An image for a store, and the row that says what it is. */
static int make_stored(const struct nb_cell *cell, const struct sim_device *device,
                       const struct nb_image *image, struct nb_image_spec *spec, struct made *made,
                       size_t *size, struct flash_text_error *error)
{
    struct img_row row = {.type = IMG_ROW_PRODUCTION};
    uint8_t *program = NULL;
    snprintf(row.name, sizeof row.name, "v%u.bin", image->number);
    spec->payload_size = payload_size(cell, device, image, device->primary.size, IMG_HARMONY_BLOCK);
    spec->with_tag = spec->payload_size >= APP_TAG_SIZE;
    int rc = img_harmony_number(&image->version, &row.version);
    if (rc == 0)
        rc = add_program(cell, device, image, IMG_HARMONY_BLOCK, spec, &program, error);
    if (rc == 0)
        rc = nb_harmony_create(spec, &made->data, size, error->message, sizeof error->message);
    free(program);
    if (rc == 0)
        rc = nb_harmony_sign(made->data, *size, spec->key_path, &row, error->message,
                             sizeof error->message);
    img_row_encode(&row, made->blob.row);
    return rc;
}

/* An image that says all of itself. */
static int make_whole(const struct nb_cell *cell, const struct sim_device *device,
                      const struct nb_image *image, struct nb_image_spec *spec, struct made *made,
                      size_t *size, struct flash_text_error *error)
{
    uint32_t max_end = sim_device_max_end(device);
    int rc = nb_image_create(spec, &made->data, size, error->message, sizeof error->message);
    if (rc)
        return rc;
    free(made->data);
    uint32_t overhead = (uint32_t)(*size - APP_TAG_SIZE);
    spec->payload_size = payload_size(cell, device, image, max_end, overhead);
    spec->with_tag = spec->payload_size >= APP_TAG_SIZE;
    uint8_t *program;
    made->data = NULL;
    rc = add_program(cell, device, image, device->header_size, spec, &program, error);
    if (rc == 0)
        rc = nb_image_create(spec, &made->data, size, error->message, sizeof error->message);
    free(program);
    return rc;
}

static int make_numbered(struct nb_kit *kit, const struct nb_script *script,
                         const struct nb_cell *cell, const struct sim_device *device,
                         const struct nb_image *image, struct made *made,
                         struct flash_text_error *error)
{
    char key_path[280];
    size_t size = 0;
    snprintf(key_path, sizeof key_path, "%s.pem",
             image->key == NB_KEY_OTHER ? kit->other : kit->trusted);
    struct nb_image_spec spec = {
        .payload_size = APP_TAG_SIZE,
        .seed = image->number * 1000u + image->version.minor * 10u + (unsigned)image->app,
        .with_tag = true,
        .behaviour = image->app,
        .version = image->version,
        .header_size = (uint16_t)device->header_size,
        .with_counter = image->has_counter || (script->loader.counter && !image->no_counter),
        .counter = image->has_counter ? image->counter : image->number,
        .key_path = image->key == NB_KEY_NONE ? NULL : key_path,
    };
    int rc = device->scheme->store ? make_stored(cell, device, image, &spec, made, &size, error)
                                   : make_whole(cell, device, image, &spec, made, &size, error);
    if (rc)
        return rc;
    made->blob.end = (uint32_t)size;
    tamper(image, device, &made->blob, made->data, &size);
    if (image->extra) {
        uint8_t *grown = realloc(made->data, size + image->extra);
        if (!grown)
            return OTA_E_NO_SPACE;
        made->data = grown;
        memset(grown + size, 0xA5, image->extra);
        size += image->extra;
    }
    made->blob.size = (uint32_t)size;
    made->blob.genuine = image->key == NB_KEY_TRUSTED && image->tamper == NB_TAMPER_NONE;
    return 0;
}

/* Goldens are known by their names: what is not genuine says so. */
static int read_golden(const struct nb_image *image, struct made *made,
                       struct flash_text_error *error)
{
    char path[512];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/golden/%s", nb_data_dir(), image->file);
    int rc = nb_read_file(path, MAX_GOLDEN, &made->data, &size);
    if (rc) {
        snprintf(error->message, sizeof error->message, "golden %.80s: %s", image->file,
                 strerror(errno));
        return rc;
    }
    struct img_info info;
    struct img_fault fault;
    const struct img_rules rules = {0};
    made->blob.size = (uint32_t)size;
    made->blob.end = nb_image_check(made->data, size, &rules, &info, &fault) == 0 ? info.end : 0;
    made->blob.genuine = !strstr(image->file, "malformed/") && !strstr(image->file, "otherkey") &&
                         !strstr(image->file, "unsigned");
    return 0;
}

/* Somebody else's image: it is what it is. */
static int read_foreign(const struct sim_foreign *foreign, const struct nb_image *image,
                        struct made *made, struct flash_text_error *error)
{
    size_t size = 0;
    bool is_there = image->number >= 1 && image->number <= SIM_FOREIGN_IMAGES &&
                    foreign->images[image->number - 1][0] != '\0';
    if (!is_there) {
        snprintf(error->message, sizeof error->message, "the device file has no 'image %u'",
                 image->number);
        return OTA_E_ARGUMENT;
    }
    const char *path = foreign->images[image->number - 1];
    int rc = nb_read_file(path, MAX_GOLDEN, &made->data, &size);
    if (rc)
        snprintf(error->message, sizeof error->message, "image %.100s: %s", path, strerror(errno));
    made->blob.size = made->blob.end = (uint32_t)size;
    made->blob.genuine = true;
    return rc;
}

static int write_file(const char *path, const uint8_t *data, size_t size,
                      struct flash_text_error *error)
{
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(data, 1, size, file) == size;
    int reason = errno;
    if (file && fclose(file) != 0 && good) {
        reason = errno;
        good = false;
    }
    if (!good)
        snprintf(error->message, sizeof error->message, "cannot write %.100s: %s", path,
                 strerror(reason));
    return good ? 0 : OTA_E_IO;
}

/* What was asked for, as a word: equal words mean equal bytes. */
static void request_key(const struct nb_script *script, const struct nb_cell *cell,
                        const struct sim_device *device, const struct nb_image *image,
                        char out[KEY_LENGTH])
{
    snprintf(out, KEY_LENGTH, "%.100s|%u|%u.%u.%u|%u|%d|%d%d%u|%d|%d|%u|%s|%s|%s|%d|%u|%u|%d",
             image->file, image->number, image->version.major, image->version.minor,
             image->version.revision, image->size, image->app, image->has_counter,
             image->no_counter, image->counter, image->key, image->tamper, image->extra,
             device->name, cell->part, cell->scheme, cell->size, script->slot_size,
             script->loader.counter, cell->programs);
}

int nb_kit_image(struct nb_kit *kit, const struct nb_script *script, const struct nb_cell *cell,
                 const struct sim_device *device, const struct nb_image *image, struct nb_blob *out,
                 struct flash_text_error *error)
{
    char key[KEY_LENGTH];
    request_key(script, cell, device, image, key);
    for (const struct made *made = kit->images; made; made = made->next) {
        if (strcmp(made->key, key) == 0) {
            *out = made->blob;
            return 0;
        }
    }
    memset(error, 0, sizeof *error);
    struct made *made = calloc(1, sizeof *made);
    if (!made)
        return OTA_E_NO_SPACE;
    int rc = image->file[0]    ? read_golden(image, made, error)
             : device->foreign ? read_foreign(device->foreign, image, made, error)
                               : make_numbered(kit, script, cell, device, image, made, error);
    snprintf(made->blob.path, sizeof made->blob.path, "%s/image-%u.img", kit->dir,
             kit->image_count++);
    if (rc == 0)
        rc = write_file(made->blob.path, made->data, made->blob.size, error);
    if (rc) {
        if (!error->message[0])
            snprintf(error->message, sizeof error->message, "cannot make v%u: %s", image->number,
                     ota_err_text(rc));
        free(made->data);
        free(made);
        return rc;
    }
    memcpy(made->key, key, sizeof key);
    made->blob.data = made->data;
    made->next = kit->images;
    kit->images = made;
    *out = made->blob;
    return 0;
}

int nb_kit_patch(struct nb_kit *kit, const struct nb_blob *base, const struct nb_blob *target,
                 struct nb_bytes *out)
{
    struct made_patch *made = kit->patches;
    while (made && (made->base != base->data || made->target != target->data))
        made = made->next;
    if (!made) {
        made = calloc(1, sizeof *made);
        if (!made)
            return OTA_E_NO_SPACE;
        int rc = nb_jojodiff_make((struct nb_bytes){base->data, base->size},
                                  (struct nb_bytes){target->data, target->size}, &made->data,
                                  &made->size);
        if (rc) {
            free(made);
            return rc;
        }
        made->base = base->data;
        made->target = target->data;
        made->next = kit->patches;
        kit->patches = made;
    }
    *out = (struct nb_bytes){made->data, made->size};
    return 0;
}
