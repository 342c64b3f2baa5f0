/* Flash on a plain file, and beside it `path`.state with what a chip knows beyond its bytes.
 *
 * State file, in the host's byte order:
 *
 *     offset  size               what
 *     0       8                  magic "nbflash1"; written last when the file is made
 *     8       8                  hash of the chips' geometry
 *     16      1                  1 when a unit was ever marked as not readable or as weak
 *     24      36                 sectors that do not erase: up to 8 starts of 4 bytes, their
 * number, a bit for each that stays so, the turn of weak units, 0 64      4 a sector         erase
 * counts then, for each run of sectors of each chip, at multiples of 8: 1 a unit           programs
 * since the erase; only of parts that limit them 1 bit a code word  cannot be read 1 bit a code
 * word  reads unstably; both of each block side by side
 *
 * Both files are mapped and changed in place, so a killed process loses nothing that it has done.
 * The order keeps them consistent: a program changes bytes, then counts; an erase changes counts
 * and marks, then bytes. A kill in between leaves units that are not erased with a count of 0; they
 * are found when the file is opened and count as programmed once. Disk space is reserved before
 * mapping: a full disk is an error of flash_sim_file, never a signal later. */
#include "flashsim/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       "nbflash1"
#define MAGIC_SIZE  8
#define GEOMETRY_AT 8
#define FAULTS_AT   16
#define MARKS_AT    24
#define ERASES_AT   64
#define WRITE_SIZE  0x100000u

_Static_assert(sizeof(struct flash_marks) == 36, "the table above says so");
_Static_assert(MARKS_AT + sizeof(struct flash_marks) <= ERASES_AT, "the marks have room");

#define STATE_SUFFIX ".state"
#define FRESH_SUFFIX ".new"

struct flash_names {
    const char *path;
    char *state;
    char *fresh; /* of the file while it is being made */
};

struct known_block { /* kept in memory only */
    struct flash_hashes hashes;
    bool faulty; /* may have fault marks */
};

struct flash_file {
    int fd;
    int state_fd;
    bool is_shadow; /* the bytes are a copy */
    uint8_t *bytes;
    uint8_t *state;
    size_t state_size;
    struct known_block *blocks;
};

/* ---- access ---- */

static uint8_t *counts_of(const struct flash_sim *sim, const struct flash_region *region,
                          uint32_t block)
{
    size_t number = block - region->first_block;
    return sim->file->state + region->file_counts + number * region->counts_size;
}

static uint8_t *faults_of(const struct flash_sim *sim, const struct flash_region *region,
                          uint32_t block)
{
    size_t number = block - region->first_block;
    return sim->file->state + region->file_faults + number * region->faults_size;
}

void flash_file_look(const struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                     struct flash_view *out)
{
    struct known_block *known = &sim->file->blocks[block];
    size_t number = block - region->first_block;
    *out = (struct flash_view){
        .bytes = sim->file->bytes + region->start + number * region->block_size,
        .counts = region->counts_size != 0 ? counts_of(sim, region, block) : NULL,
        .faults = known->faulty ? faults_of(sim, region, block) : NULL,
        .hashes = &known->hashes,
    };
}

int flash_file_open(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                    struct flash_view *out)
{
    flash_file_look(sim, region, block, out);
    *out->hashes = (struct flash_hashes){0};
    return 0;
}

int flash_file_blank(struct flash_sim *sim, const struct flash_region *region, uint32_t block)
{
    struct flash_view view;
    int error = flash_file_open(sim, region, block, &view);
    if (view.counts != NULL) {
        memset(view.counts, 0, region->counts_size);
    }
    if (view.faults != NULL) {
        memset(view.faults, 0, region->faults_size);
        sim->file->blocks[block].faulty = false;
    }
    flash_in_order();
    memset(view.bytes, region->part->erased, region->block_size);
    return error;
}

int flash_file_need_faults(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                           struct flash_view *view)
{
    sim->file->state[FAULTS_AT] = 1;
    sim->file->blocks[block].faulty = true;
    view->faults = faults_of(sim, region, block);
    return 0;
}

void flash_file_close(struct flash_sim *sim)
{
    struct flash_file *file = sim->file;
    if (file->bytes != NULL) {
        munmap(file->bytes, sim->size);
    }
    if (file->state != NULL) {
        munmap(file->state, file->state_size);
    }
    if (file->state_fd >= 0) {
        close(file->state_fd);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file->blocks);
    free(file);
}

/* ---- opening ---- */

static int fail(struct flash_text_error *error, int code, const char *what, int reason)
{
    *error = (struct flash_text_error){0};
    snprintf(error->message, sizeof error->message, "%s%s%s", what, reason != 0 ? ": " : "",
             reason != 0 ? strerror(reason) : "");
    return code;
}

static void lay_out_state(struct flash_sim *sim)
{
    size_t at = ERASES_AT + (size_t)sim->sector_count * sizeof(uint32_t);
    for (size_t i = 0; i < sim->region_count; i++) {
        struct flash_region *region = &sim->regions[i];
        size_t blocks = region->size / region->block_size;
        at = (at + 7) & ~(size_t)7;
        region->file_counts = at;
        at += blocks * region->counts_size;
        at = (at + 7) & ~(size_t)7;
        region->file_faults = at;
        at += blocks * region->faults_size;
    }
    sim->file->state_size = at;
}

static uint64_t geometry_hash(const struct flash_sim *sim)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < sim->region_count; i++) {
        const struct flash_region *region = &sim->regions[i];
        const uint32_t numbers[] = {
            region->start,       region->size,         region->sector_size, region->block_size,
            region->counts_size, region->part->erased, region->faults_size,
        };
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            hash = (hash ^ numbers[n]) * 0x100000001B3u;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        size_t step = written < 0 ? 0 : (size_t)written;
        bytes += step;
        length -= step;
    }
    return 0;
}

/* Writes erased flash, so that a full disk shows here; returns errno. */
static int write_erased(const struct flash_sim *sim, int fd)
{
    uint8_t *block = malloc(WRITE_SIZE);
    int reason = block == NULL ? ENOMEM : 0;
    for (size_t i = 0; i < sim->chip_count && reason == 0; i++) {
        const struct flash_part *part = &sim->chips[i].part;
        memset(block, part->erased, WRITE_SIZE);
        for (uint32_t left = part->size; left > 0 && reason == 0;) {
            uint32_t step = left < WRITE_SIZE ? left : WRITE_SIZE;
            reason = write_all(fd, block, step);
            left -= step;
        }
    }
    free(block);
    return reason;
}

/* Gives a file with holes its disk space; returns errno. */
static int reserve(int fd, size_t size)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return errno;
    }
    if ((uint64_t)status.st_blocks * 512 >= size && (uint64_t)status.st_size >= size) {
        return 0;
    }
    return posix_fallocate(fd, 0, (off_t)size);
}

static int map(int fd, size_t size, uint8_t **out)
{
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        return errno;
    }
    *out = bytes;
    return 0;
}

static int open_locked(struct flash_file *file, const char *path, int flags, struct stat *status,
                       struct flash_text_error *error)
{
    file->fd = open(path, O_RDWR | O_CLOEXEC | flags, 0666);
    if (file->fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (file->fd < 0 || fstat(file->fd, status) != 0) {
        return fail(error, OTA_E_IO, "cannot open the flash file", errno);
    }
    if (!S_ISREG(status->st_mode)) {
        return fail(error, OTA_E_IO, "not a regular file", 0);
    }
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? fail(error, OTA_E_BUSY, "in use by another process", 0)
                                    : fail(error, OTA_E_IO, "cannot lock", errno);
    }
    /* Again, now that nobody else can be writing it. */
    if (fstat(file->fd, status) != 0) {
        return fail(error, OTA_E_IO, "cannot open the flash file", errno);
    }
    return 0;
}

/* Under a name of its own, so that a kill leaves nothing that looks like flash. What an earlier
 * kill left there is overwritten. */
static int create_flash(struct flash_sim *sim, const struct flash_names *names,
                        struct flash_text_error *error)
{
    struct flash_file *file = sim->file;
    struct stat status = {0};
    struct stat named;
    if (file->fd >= 0) {
        close(file->fd);
    }
    int result = open_locked(file, names->fresh, O_CREAT, &status, error);
    if (result != 0) {
        return result;
    }
    if (file->fd < 0) {
        return fail(error, OTA_E_IO, "cannot create the flash file", ENOENT);
    }
    if (stat(names->fresh, &named) != 0 || named.st_ino != status.st_ino) {
        return fail(error, OTA_E_BUSY, "in use by another process", 0); /* has its name by now */
    }
    unlink(names->state); /* another flash's, or the new one would inherit it */
    int reason = ftruncate(file->fd, 0) == 0 ? write_erased(sim, file->fd) : errno;
    return reason == 0 ? 0 : fail(error, OTA_E_IO, "cannot create the flash file", reason);
}

static int wrong_size(const struct flash_sim *sim, const struct stat *status,
                      struct flash_text_error *error)
{
    char text[80];
    snprintf(text, sizeof text, "the file has %lld bytes, the device's chips have %u",
             (long long)status->st_size, sim->size);
    return fail(error, OTA_E_IO, text, 0);
}

static int open_flash(struct flash_sim *sim, const struct flash_names *names, bool *created,
                      struct flash_text_error *error)
{
    struct flash_file *file = sim->file;
    struct stat status = {0};
    int result = open_locked(file, names->path, 0, &status, error);
    if (result != 0) {
        return result;
    }
    *created = file->fd < 0 || status.st_size == 0;
    if (*created) {
        result = create_flash(sim, names, error);
    } else if (status.st_size != (off_t)sim->size) {
        result = wrong_size(sim, &status, error);
    }
    if (result != 0) {
        return result;
    }
    int reason = reserve(file->fd, sim->size);
    if (reason == 0) {
        reason = map(file->fd, sim->size, &file->bytes);
    }
    return reason == 0 ? 0 : fail(error, OTA_E_IO, "cannot map the flash file", reason);
}

/* Reads the file's bytes into memory of our own; returns errno. */
static int copy_bytes(struct flash_sim *sim)
{
    struct flash_file *file = sim->file;
    void *bytes = mmap(NULL, sim->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        return errno;
    }
    file->bytes = bytes;
    for (size_t at = 0; at < sim->size;) {
        ssize_t got = pread(file->fd, file->bytes + at, sim->size - at, (off_t)at);
        if (got <= 0 && (got == 0 || errno != EINTR)) {
            return got == 0 ? EIO : errno;
        }
        at += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int open_copy(struct flash_sim *sim, const char *path, struct flash_text_error *error)
{
    struct stat status = {0};
    int result = open_locked(sim->file, path, 0, &status, error);
    if (result == 0 && sim->file->fd < 0) {
        result = fail(error, OTA_E_IO, "cannot open the flash file", ENOENT);
    }
    if (result == 0 && status.st_size < (off_t)sim->size) {
        result = wrong_size(sim, &status, error);
    }
    if (result != 0) {
        return result;
    }
    int reason = copy_bytes(sim);
    return reason == 0 ? 0 : fail(error, OTA_E_IO, "cannot read the flash file", reason);
}

static bool state_fits(const struct flash_sim *sim, int fd)
{
    uint8_t header[ERASES_AT];
    struct stat status;
    uint64_t geometry = geometry_hash(sim);
    return fstat(fd, &status) == 0 && status.st_size == (off_t)sim->file->state_size &&
           pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
           memcmp(header, MAGIC, MAGIC_SIZE) == 0 &&
           memcmp(header + GEOMETRY_AT, &geometry, sizeof geometry) == 0;
}

static int open_state(struct flash_sim *sim, const char *path)
{
    struct flash_file *file = sim->file;
    file->state_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file->state_fd < 0) {
        return errno;
    }
    bool fits = state_fits(sim, file->state_fd);
    if (!fits && ftruncate(file->state_fd, 0) != 0) {
        return errno;
    }
    int reason = reserve(file->state_fd, file->state_size);
    if (reason == 0) {
        reason = map(file->state_fd, file->state_size, &file->state);
    }
    if (reason == 0 && !fits) {
        uint64_t geometry = geometry_hash(sim);
        memcpy(file->state + GEOMETRY_AT, &geometry, sizeof geometry);
        flash_in_order();
        memcpy(file->state, MAGIC, MAGIC_SIZE);
    }
    return reason;
}

/* Finds what earlier processes left: marks, and programs that were not counted any more. */
static void take_stock(struct flash_sim *sim)
{
    bool marks = sim->file->state[FAULTS_AT] != 0;
    for (size_t i = 0; i < sim->region_count; i++) {
        const struct flash_region *region = &sim->regions[i];
        uint32_t end = region->first_block + region->size / region->block_size;
        for (uint32_t block = region->first_block; block < end; block++) {
            struct flash_view view;
            sim->file->blocks[block].faulty =
                marks && !flash_is_all(faults_of(sim, region, block), region->faults_size, 0);
            flash_file_look(sim, region, block, &view);
            flash_count_missing(region, &view);
        }
    }
}

static int open_both(struct flash_sim *sim, const struct flash_names *names, bool *created,
                     struct flash_text_error *error)
{
    int result = sim->file->is_shadow ? open_copy(sim, names->path, error)
                                      : open_flash(sim, names, created, error);
    int reason = result == 0 ? open_state(sim, names->state) : 0;
    if (reason != 0) {
        return fail(error, OTA_E_IO, "cannot open the flash file's .state", reason);
    }
    return result;
}

static bool make_names(const char *path, struct flash_names *out)
{
    size_t length = strlen(path);
    *out = (struct flash_names){path, malloc(length + sizeof STATE_SUFFIX),
                                malloc(length + sizeof FRESH_SUFFIX)};
    if (out->state == NULL || out->fresh == NULL) {
        return false;
    }
    memcpy(out->state, path, length);
    memcpy(out->state + length, STATE_SUFFIX, sizeof STATE_SUFFIX);
    memcpy(out->fresh, path, length);
    memcpy(out->fresh + length, FRESH_SUFFIX, sizeof FRESH_SUFFIX);
    return true;
}

/* Everything between the simulator's making and its file's name. */
static int set_up(struct flash_sim *sim, const struct flash_names *names,
                  int (*fill)(void *context, struct flash_sim *sim), void *context, bool *created,
                  struct flash_text_error *error)
{
    int result = open_both(sim, names, created, error);
    if (result == 0) {
        sim->erases = (uint32_t *)(void *)(sim->file->state + ERASES_AT);
        sim->marks = (struct flash_marks *)(void *)(sim->file->state + MARKS_AT);
        if (sim->marks->stuck_count > FLASH_MAX_STUCK || sim->marks->turn >= FLASH_TURNS) {
            *sim->marks = (struct flash_marks){0}; /* nothing that we wrote */
        }
        take_stock(sim);
    }
    if (result == 0 && *created && fill != NULL) {
        result = fill(context, sim);
        if (result != 0) {
            (void)fail(error, result, "the first content does not fit", 0);
        }
    }
    if (result == 0 && *created && rename(names->fresh, names->path) != 0) {
        result = fail(error, OTA_E_IO, "cannot create the flash file", errno);
    }
    if (result != 0 && *created && result != OTA_E_BUSY) {
        unlink(names->fresh);
        unlink(names->state);
    }
    return result;
}

/* Makes the simulator on the file, or a shadow of it. */
static int open_sim(const char *path, bool shadow, const struct flash_chip *chips,
                    size_t chip_count, int (*fill)(void *context, struct flash_sim *sim),
                    void *context, bool *created, struct flash_sim **out,
                    struct flash_text_error *error)
{
    struct flash_names names = {path, NULL, NULL};
    *created = false;
    *out = NULL;
    struct flash_sim *sim = flash_geometry_new(chips, chip_count);
    if (sim == NULL) {
        return fail(error, OTA_E_ARGUMENT, "the chips' sizes, units or addresses do not fit", 0);
    }
    flash_port_fill(sim);
    sim->file = calloc(1, sizeof *sim->file);
    if (sim->file == NULL) {
        free(sim);
        return fail(error, OTA_E_IO, "cannot open the flash file", ENOMEM);
    }
    sim->file->is_shadow = shadow;
    sim->file->fd = -1;
    sim->file->state_fd = -1;
    sim->file->blocks = calloc(sim->block_count, sizeof *sim->file->blocks);
    lay_out_state(sim);
    int result = sim->file->blocks == NULL || !make_names(path, &names)
                     ? fail(error, OTA_E_IO, "cannot open the flash file", ENOMEM)
                     : set_up(sim, &names, fill, context, created, error);
    free(names.state);
    free(names.fresh);
    if (result != 0) {
        *created = false;
        flash_sim_close(sim);
        return result;
    }
    *out = sim;
    return 0;
}

int flash_sim_file_filled(const char *path, const struct flash_chip *chips, size_t chip_count,
                          int (*fill)(void *context, struct flash_sim *sim), void *context,
                          bool *created, struct flash_sim **out, struct flash_text_error *error)
{
    return open_sim(path, false, chips, chip_count, fill, context, created, out, error);
}

int flash_sim_file(const char *path, const struct flash_chip *chips, size_t chip_count,
                   bool *created, struct flash_sim **out, struct flash_text_error *error)
{
    return open_sim(path, false, chips, chip_count, NULL, NULL, created, out, error);
}

int flash_sim_shadow(const char *path, const struct flash_chip *chips, size_t chip_count,
                     struct flash_sim **out, struct flash_text_error *error)
{
    bool created;
    return open_sim(path, true, chips, chip_count, NULL, NULL, &created, out, error);
}
