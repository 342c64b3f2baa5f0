#include "agent/image/trailer.h"

#include "agent/image/status.h"

#include <string.h>

#define FLAG_SET      0x01u
#define IMG_ENTRY_MAX 32u /* the largest write size that trailers are kept with */

/* The info part's fields in ascending address order. */
enum field { SWAP_SIZE, SWAP_INFO, COPY_DONE, IMAGE_OK, MAGIC, FIELDS };

/* Where a field lies in the slot, and the whole program units that hold it. */
struct extent {
    uint32_t from;
    uint32_t to;
    uint32_t unit_from;
    uint32_t unit_to;
};

static uint32_t round_down(uint32_t value, uint32_t step)
{
    return value / step * step;
}

static uint32_t round_up(uint32_t value, uint32_t step)
{
    return (value + step - 1) / step * step;
}

/* Each field takes the alignment; only the magic's bytes lie at the end of its space. */
static uint32_t field_distance(const struct img_trailer_format *format, enum field field)
{
    if (field == MAGIC) {
        return IMG_TRAILER_MAGIC_SIZE;
    }
    return round_up(IMG_TRAILER_MAGIC_SIZE, format->align) + (MAGIC - field) * format->align;
}

uint32_t img_trailer_image_ok(const struct img_trailer_format *format)
{
    return field_distance(format, IMAGE_OK);
}

uint32_t img_trailer_copy_done(const struct img_trailer_format *format)
{
    return field_distance(format, COPY_DONE);
}

uint32_t img_trailer_swap_info(const struct img_trailer_format *format)
{
    return field_distance(format, SWAP_INFO);
}

uint32_t img_trailer_swap_size(const struct img_trailer_format *format)
{
    return field_distance(format, SWAP_SIZE);
}

/* The lowest field: schemes without status entries keep no swap size either. */
static enum field first_field(const struct img_trailer_format *format)
{
    return format->max_sectors == 0 ? SWAP_INFO : SWAP_SIZE;
}

static uint32_t info_size(const struct img_trailer_format *format)
{
    return field_distance(format, first_field(format));
}

uint32_t img_trailer_size(const struct img_trailer_format *format)
{
    return info_size(format) + format->max_sectors * 3 * format->write_size;
}

const uint8_t *img_trailer_magic(uint32_t align)
{
    static const uint8_t align_8[IMG_TRAILER_MAGIC_SIZE] = {
        0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2, 0xEF, 0x7F,
        0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80,
    };
    static const uint8_t align_16[IMG_TRAILER_MAGIC_SIZE] = {
        0x10, 0x00, 0x2D, 0xE1, 0x5D, 0x29, 0x41, 0x0B,
        0x8D, 0x77, 0x67, 0x9C, 0x11, 0x0F, 0x1F, 0x8A,
    };
    static const uint8_t align_32[IMG_TRAILER_MAGIC_SIZE] = {
        0x20, 0x00, 0x2D, 0xE1, 0x5D, 0x29, 0x41, 0x0B,
        0x8D, 0x77, 0x67, 0x9C, 0x11, 0x0F, 0x1F, 0x8A,
    };
    return align == 32 ? align_32 : align == 16 ? align_16 : align_8;
}

/* Sector rules where the trailer lies. OTA_E_LAYOUT when the slot cannot hold the info part, or its
 * program unit is larger than we buffer. */
static int trailer_sector(const struct flash_area *slot, const struct img_trailer_format *format,
                          struct flash_sector *out)
{
    if (slot->size < info_size(format)) {
        return OTA_E_LAYOUT;
    }
    int err = flash_area_sector(slot, slot->size - 1, out);
    if (err < 0) {
        return err;
    }
    if (out->unit == 0 || out->unit > IMG_TRAILER_INFO_MAX || slot->size % out->unit != 0) {
        return OTA_E_LAYOUT;
    }
    return OTA_OK;
}

static struct extent field_extent(const struct flash_area *slot,
                                  const struct img_trailer_format *format, uint32_t unit,
                                  enum field field)
{
    uint32_t w = format->write_size;
    uint32_t step = unit;
    if (unit > format->align) {
        step = 1; /* fields share units: each is its bytes and no more */
    } else if (w != 0 && w % unit == 0 && w <= format->align) {
        step = w;
    }
    uint32_t length = field == MAGIC ? IMG_TRAILER_MAGIC_SIZE : field == SWAP_SIZE ? 4 : 1;
    struct extent extent;

    extent.from = slot->size - field_distance(format, field);
    extent.to = extent.from + length;
    if (field != MAGIC) {
        length = round_up(length, step);
    }
    extent.unit_from = round_down(extent.from, unit);
    extent.unit_to = round_up(extent.from + length, unit);
    return extent;
}

static enum img_magic read_magic(const struct flash_area *slot,
                                 const struct img_trailer_format *format, uint8_t erased)
{
    uint8_t bytes[IMG_TRAILER_MAGIC_SIZE];

    if (flash_area_read(slot, slot->size - IMG_TRAILER_MAGIC_SIZE, bytes, sizeof bytes) < 0) {
        return IMG_MAGIC_BAD;
    }
    if (memcmp(bytes, img_trailer_magic(format->align), sizeof bytes) == 0) {
        return IMG_MAGIC_GOOD;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (bytes[i] != erased) {
            return IMG_MAGIC_BAD;
        }
    }
    return IMG_MAGIC_UNSET;
}

static enum img_flag read_flag(const struct flash_area *slot, uint32_t distance, uint8_t erased)
{
    uint8_t byte;

    if (flash_area_read(slot, slot->size - distance, &byte, 1) < 0) {
        return IMG_FLAG_BAD;
    }
    if (byte == erased) {
        return IMG_FLAG_UNSET;
    }
    return byte == FLAG_SET ? IMG_FLAG_SET : IMG_FLAG_BAD;
}

void img_trailer_read(const struct flash_area *slot, const struct img_trailer_format *format,
                      struct img_trailer *out)
{
    struct flash_sector sector;
    uint8_t info;
    uint8_t size[4];

    memset(out, 0, sizeof *out);
    out->magic = IMG_MAGIC_BAD;
    out->image_ok = IMG_FLAG_BAD;
    out->copy_done = IMG_FLAG_BAD;
    out->swap_type = IMG_SWAP_NONE;
    if (trailer_sector(slot, format, &sector) < 0) {
        return;
    }
    out->magic = read_magic(slot, format, sector.erased);
    out->image_ok = read_flag(slot, img_trailer_image_ok(format), sector.erased);
    out->copy_done = read_flag(slot, img_trailer_copy_done(format), sector.erased);

    if (flash_area_read(slot, slot->size - img_trailer_swap_info(format), &info, 1) >= 0 &&
        info != sector.erased && (info & 0x0F) >= IMG_SWAP_NONE &&
        (info & 0x0F) <= IMG_SWAP_REVERT) {
        out->swap_type = info & 0x0F;
        out->image_number = info >> 4;
    }
    if (first_field(format) == SWAP_SIZE &&
        flash_area_read(slot, slot->size - img_trailer_swap_size(format), size, sizeof size) >= 0) {
        for (size_t i = 0; i < sizeof size; i++) {
            out->has_swap_size = out->has_swap_size || size[i] != sector.erased;
        }
        if (out->has_swap_size) {
            out->swap_size = (uint32_t)size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 |
                             (uint32_t)size[3] << 24;
        }
    }
}

bool img_flag_on(enum img_flag flag)
{
    return flag != IMG_FLAG_UNSET;
}

int img_trailer_write(const struct flash_area *slot, const struct img_trailer_format *format,
                      const struct img_trailer_record *record)
{
    const uint8_t size[4] = {(uint8_t)record->swap_size, (uint8_t)(record->swap_size >> 8),
                             (uint8_t)(record->swap_size >> 16),
                             (uint8_t)(record->swap_size >> 24)};
    const uint8_t info = (uint8_t)record->swap_type;
    const uint8_t flag = FLAG_SET;
    const uint8_t *const contents[FIELDS] = {
        [SWAP_SIZE] = record->with_swap_size ? size : NULL,
        [SWAP_INFO] = record->swap_type > IMG_SWAP_NONE ? &info : NULL,
        [COPY_DONE] = record->copy_done ? &flag : NULL,
        [IMAGE_OK] = record->image_ok ? &flag : NULL,
        [MAGIC] = img_trailer_magic(format->align),
    };
    struct flash_sector sector;
    uint8_t bytes[IMG_TRAILER_INFO_MAX];

    int err = trailer_sector(slot, format, &sector);
    if (err < 0) {
        return err;
    }
    if (slot->size - field_extent(slot, format, sector.unit, first_field(format)).unit_from >
        sizeof bytes) {
        return OTA_E_LAYOUT;
    }
    /* Fields that share a unit become one run; each run is one program. */
    uint32_t from = 0;
    uint32_t to = 0;
    for (enum field f = SWAP_SIZE; f < FIELDS; f++) {
        struct extent extent = field_extent(slot, format, sector.unit, f);
        if (contents[f] == NULL) {
            continue;
        }
        if (to <= extent.unit_from) {
            err = flash_area_program(slot, from, bytes, to - from);
            if (err < 0) {
                return err;
            }
            memset(bytes, sector.erased, sizeof bytes);
            from = extent.unit_from;
        }
        to = to > extent.unit_to ? to : extent.unit_to;
        memcpy(bytes + (extent.from - from), contents[f], extent.to - extent.from);
    }
    return flash_area_program(slot, from, bytes, to - from);
}

static int set_flag(const struct flash_area *slot, const struct img_trailer_format *format,
                    enum field flag)
{
    struct flash_sector sector;
    uint8_t bytes[IMG_TRAILER_INFO_MAX];

    int err = trailer_sector(slot, format, &sector);
    if (err < 0) {
        return err;
    }
    if (read_flag(slot, field_distance(format, flag), sector.erased) != IMG_FLAG_UNSET) {
        return OTA_OK;
    }
    struct extent own = field_extent(slot, format, sector.unit, flag);
    for (enum field f = SWAP_SIZE; f < FIELDS; f++) {
        struct extent other = field_extent(slot, format, sector.unit, f);
        if (f != flag && other.from < own.unit_to && own.unit_from < other.to) {
            return OTA_E_UNSUPPORTED;
        }
    }
    uint32_t length = own.unit_to - own.unit_from;
    if (length > sizeof bytes) {
        return OTA_E_LAYOUT;
    }
    memset(bytes, sector.erased, length);
    bytes[own.from - own.unit_from] = FLAG_SET;
    return flash_area_program(slot, own.unit_from, bytes, length);
}

int img_trailer_set_image_ok(const struct flash_area *slot, const struct img_trailer_format *format)
{
    return set_flag(slot, format, IMAGE_OK);
}

int img_trailer_set_copy_done(const struct flash_area *slot,
                              const struct img_trailer_format *format)
{
    return set_flag(slot, format, COPY_DONE);
}

static uint32_t entry_offset(const struct flash_area *slot, const struct img_trailer_format *format,
                             uint32_t index)
{
    return slot->size - img_trailer_size(format) + index * format->write_size;
}

int img_entry_is_set(const struct flash_area *slot, const struct img_trailer_format *format,
                     uint32_t index, bool *set)
{
    uint32_t offset = entry_offset(slot, format, index);
    struct flash_sector sector;
    uint8_t entry[IMG_ENTRY_MAX];

    if (format->write_size > sizeof entry) {
        return OTA_E_LAYOUT;
    }
    int err = flash_area_sector(slot, offset, &sector);
    if (err == 0) {
        err = flash_area_read(slot, offset, entry, format->write_size);
    }
    *set = err == OTA_E_FLASH_READ;
    for (uint32_t i = 0; err == 0 && i < format->write_size; i++) {
        *set = *set || entry[i] != sector.erased;
    }
    return err == OTA_E_FLASH_READ ? 0 : err;
}

int img_entry_write(const struct flash_area *slot, const struct img_trailer_format *format,
                    uint32_t index, uint8_t state)
{
    uint32_t offset = entry_offset(slot, format, index);
    struct flash_sector sector;
    uint8_t entry[IMG_ENTRY_MAX];

    if (format->write_size > sizeof entry) {
        return OTA_E_LAYOUT;
    }
    int err = flash_area_sector(slot, offset, &sector);
    if (err < 0) {
        return err;
    }
    memset(entry, sector.erased, sizeof entry);
    entry[0] = state;
    return flash_area_program(slot, offset, entry, format->write_size);
}

/* ---- the application's side: in trailers, or in the status area -------------------------- */

int img_set_pending(const struct flash_area *secondary, const struct img_trailer_format *format,
                    bool permanent)
{
    struct flash_sector sector;
    struct img_trailer_record record = {
        .swap_type = permanent ? IMG_SWAP_PERM : IMG_SWAP_TEST,
        .image_ok = permanent,
    };

    if (format->in_status != NULL) {
        return format->in_status->pend(&format->status, record.swap_type);
    }
    int err = trailer_sector(secondary, format, &sector);
    if (err < 0) {
        return err;
    }
    if (read_magic(secondary, format, sector.erased) == IMG_MAGIC_GOOD) {
        return OTA_OK;
    }
    uint32_t from = round_down(secondary->size - info_size(format), sector.unit);
    if (!flash_area_is_erased(secondary, from, secondary->size - from)) {
        return OTA_E_TRAILER;
    }
    return img_trailer_write(secondary, format, &record);
}

enum img_swap_type img_requested(const struct flash_area *secondary,
                                 const struct img_trailer_format *format)
{
    struct img_trailer trailer;
    struct img_status status;

    if (format->in_status != NULL) {
        return format->in_status->read(&format->status, &status) == 0 ? status.request
                                                                      : IMG_SWAP_NONE;
    }
    img_trailer_read(secondary, format, &trailer);
    if (trailer.magic != IMG_MAGIC_GOOD) {
        return IMG_SWAP_NONE;
    }
    if (!img_flag_on(trailer.image_ok)) {
        return IMG_SWAP_TEST;
    }
    return trailer.swap_type == IMG_SWAP_REVERT ? IMG_SWAP_REVERT : IMG_SWAP_PERM;
}

int img_withdraw(const struct flash_area *secondary, const struct img_trailer_format *format)
{
    if (format->in_status != NULL) {
        return format->in_status->ask(&format->status, IMG_SWAP_NONE);
    }
    return flash_area_erase_back(secondary, secondary->size - img_trailer_size(format),
                                 secondary->size);
}

int img_prepare_erase(const struct flash_area *secondary, const struct img_trailer_format *format)
{
    return format->in_status != NULL ? img_withdraw(secondary, format) : OTA_OK;
}

/* Only beside a GOOD magic the flags say something: that is what they say then. */
static bool read_good(const struct flash_area *slot, const struct img_trailer_format *format,
                      enum img_flag *copy_done, enum img_flag *image_ok)
{
    struct flash_sector sector;

    if (trailer_sector(slot, format, &sector) < 0 ||
        read_magic(slot, format, sector.erased) != IMG_MAGIC_GOOD) {
        return false;
    }
    *copy_done = read_flag(slot, img_trailer_copy_done(format), sector.erased);
    *image_ok = read_flag(slot, img_trailer_image_ok(format), sector.erased);
    return true;
}

int img_confirm(const struct flash_area *primary, const struct img_trailer_format *format)
{
    enum img_flag copy_done;
    enum img_flag image_ok;

    if (format->in_status != NULL) {
        return format->in_status->confirm(&format->status);
    }
    if (!read_good(primary, format, &copy_done, &image_ok) || img_flag_on(image_ok)) {
        return OTA_OK;
    }
    return img_trailer_set_image_ok(primary, format);
}

bool img_is_trial(const struct img_trailer *primary)
{
    return primary->magic == IMG_MAGIC_GOOD && img_flag_on(primary->copy_done) &&
           !img_flag_on(primary->image_ok);
}

bool img_on_trial(const struct flash_area *primary, const struct img_trailer_format *format)
{
    struct img_status status;
    enum img_flag copy_done;
    enum img_flag image_ok;

    if (format->in_status != NULL) {
        return format->in_status->read(&format->status, &status) == 0 && status.trial;
    }
    return read_good(primary, format, &copy_done, &image_ok) && img_flag_on(copy_done) &&
           !img_flag_on(image_ok);
}
