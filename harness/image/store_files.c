#include "harness/image/atomic_file.h"
#include "harness/image/store_view.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_STATUS 0
#define BLOCK_TYPE   3
#define CSV_ROW      (IMG_ROW_NAME + 128u)
#define STEM         (IMG_ROW_NAME + 11u) /* with "_" and a version */
#define BASE64_SIZE  (4u * ((IMG_RS_SIZE + 2u) / 3u))

static int add(struct nb_store_files *files, const char *name, const char *suffix, const void *data,
               size_t size)
{
    struct nb_store_file *file = &files->files[files->count];
    file->data = malloc(size > 0 ? size : 1);
    if (file->data == NULL)
        return OTA_E_NO_SPACE;
    memcpy(file->data, data, size);
    file->size = size;
    snprintf(file->name, sizeof file->name, "%s%s", name, suffix);
    files->count++;
    return 0;
}

void nb_store_files_free(struct nb_store_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].data);
    files->count = 0;
}

/* ---- names ------------------------------------------------------------------------------- */

static bool is_taken(const struct nb_store_files *files, const char *stem)
{
    char name[NB_STORE_FILE_NAME];
    snprintf(name, sizeof name, "%s.bin", stem);
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->files[i].name, name) == 0)
            return true;
    return strcmp(name, "factory_reset.bin") == 0;
}

/* The file's name without .bin: what no file can be called is replaced. */
static void make_stem(const struct nb_store_files *files, const struct img_row *row, char out[STEM])
{
    char stem[IMG_ROW_NAME];
    size_t length = strlen(row->name);
    if (length > 4 && strcmp(row->name + length - 4, ".bin") == 0)
        length -= 4;
    memcpy(stem, row->name, length);
    stem[length] = '\0';
    for (char *c = stem; *c != '\0'; c++)
        if (strchr("/\\:*?<>|\"", *c) != NULL || (unsigned char)*c < ' ')
            *c = '_';
    if (stem[0] == '\0' || stem[0] == '.')
        stem[0] = '_';
    if (length == 0)
        stem[1] = '\0';
    snprintf(out, STEM, "%s", stem);
    if (is_taken(files, out))
        snprintf(out, STEM, "%.31s_%u", stem, row->version);
}

/* ---- content ----------------------------------------------------------------------------- */

static int add_image(const struct nb_store_view *view, uint8_t place, const char *stem,
                     struct nb_store_files *files)
{
    const struct img_row *row = &view->rows[place];
    const struct flash_area area = store_place(&view->store, place);
    if (row->size > area.size)
        return OTA_E_IMG_SIZE;
    uint8_t *image = malloc(row->size > 0 ? row->size : 1);
    if (image == NULL)
        return OTA_E_NO_SPACE;
    int err = flash_area_read(&area, 0, image, row->size);
    if (err == 0)
        err = add(files, stem, ".bin", image, row->size);
    free(image);
    return err;
}

static int add_signature(const struct img_row *row, const char *stem, struct nb_store_files *files)
{
    unsigned char text[BASE64_SIZE + 1];
    if (!row->is_signed)
        return 0;
    int length = EVP_EncodeBlock(text, row->signature, IMG_RS_SIZE);
    return add(files, stem, "_sign.txt", text, (size_t)length);
}

/* The original knows no image on trial: it stays FE until it has confirmed itself. */
static const char *status_text(uint8_t status)
{
    return status == IMG_ROW_VALID ? "f8" : status == IMG_ROW_DISABLED ? "f0" : "FE";
}

/* Of what makes a name be quoted, only a comma occurs in the name of a file. */
static char *put_csv_row(char *at, const char *stem, uint8_t status, const struct img_row *row)
{
    const char *quote = strchr(stem, ',') != NULL ? "\"" : "";
    at += sprintf(at, "%s%s.bin%s,%s,%u,0x01,", quote, stem, quote, status_text(status),
                  row->version);
    for (size_t i = 0; i < sizeof row->digest; i++)
        at += sprintf(at, "%02x", row->digest[i]);
    return at;
}

static int add_stored(const struct nb_store_view *view, struct nb_store_files *files)
{
    char csv[STORE_PLACES * CSV_ROW];
    char *at = csv;
    int err = 0;
    for (uint8_t i = 1; err == 0 && i < view->store.places; i++) {
        char stem[STEM];
        if (view->row_errors[i] != 0)
            continue;
        make_stem(files, &view->rows[i], stem);
        if (at > csv)
            *at++ = '\n';
        at = put_csv_row(at, stem, view->store.state.entries[i].status, &view->rows[i]);
        err = add_image(view, i, stem, files);
        if (err == 0)
            err = add_signature(&view->rows[i], stem, files);
    }
    return err != 0 || at == csv ? err
                                 : add(files, "image_database", ".csv", csv, (size_t)(at - csv));
}

static int add_factory(const struct nb_store_view *view, struct nb_store_files *files)
{
    const struct flash_area area = store_place(&view->store, STORE_FACTORY);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint32_t size = view->rows[STORE_FACTORY].size;
    if (view->row_errors[STORE_FACTORY] != 0 || size > area.size || area.size < IMG_HARMONY_BLOCK)
        return 0;
    uint8_t *image = malloc(area.size);
    if (image == NULL)
        return OTA_E_NO_SPACE;
    memset(image, 0xFF, area.size);
    int err = flash_area_read(&area, 0, image, size);
    image[BLOCK_STATUS] = IMG_ROW_VALID;
    image[BLOCK_TYPE] = IMG_ROW_FACTORY;
    if (err == 0 && EVP_Digest(image, area.size, digest, NULL, EVP_sha256(), NULL) != 1)
        err = OTA_E_IO;
    if (err == 0)
        err = add(files, "factory_reset", ".bin", image, area.size);
    if (err == 0)
        err = add(files, "factory_image_digest", ".txt", digest, sizeof digest);
    free(image);
    return err;
}

int nb_store_files_make(const struct nb_store_view *view, struct nb_store_files *out)
{
    memset(out, 0, sizeof *out);
    if (!view->store.known)
        return OTA_E_NO_IMAGE;
    int err = add_stored(view, out);
    if (err == 0)
        err = add_factory(view, out);
    if (err != 0)
        nb_store_files_free(out);
    return err;
}

/* ---- a directory ------------------------------------------------------------------------- */

int nb_store_files_write(const struct nb_store_files *files, const char *directory, char *reason,
                         size_t reason_size)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/ota", directory);
    errno = ENAMETOOLONG;
    bool made = length > 0 && (size_t)length + NB_STORE_FILE_NAME < sizeof path &&
                (mkdir(directory, 0777) == 0 || errno == EEXIST) &&
                (mkdir(path, 0777) == 0 || errno == EEXIST);
    for (size_t i = 0; made && i < files->count; i++) {
        snprintf(path + length, sizeof path - (size_t)length, "/%s", files->files[i].name);
        made = nb_atomic_file_write(path, files->files[i].data, files->files[i].size) == 0;
    }
    if (made)
        return 0;
    snprintf(reason, reason_size, "%.200s: %s", path, strerror(errno));
    return OTA_E_IO;
}
