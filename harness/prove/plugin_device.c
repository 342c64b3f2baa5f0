#include "harness/prove/plugin_device.h"

#include "sim/device_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_IMAGE 16u
#define BOTH        (NB_RUNS_OLD | NB_RUNS_NEW)

struct reader {
    struct sim_words line;
    struct nb_plugin_device *device;
    struct nb_plugin_case *at; /* the case that lines are for */
    struct nb_plugin_case common;
    const char *path;
    const char *parts_dir;
};

#define FAIL(reader, word, ...)                                                                    \
    sim_fail_at((reader)->line.error, (reader)->line.number, (word)->column, __VA_ARGS__)

/* ---- lines ---- */

static bool take_name(const struct sim_word *word, size_t length, char out[NB_WORD])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (length == 0 || length >= NB_WORD)
        return false;
    memcpy(out, word->text, length);
    out[length] = '\0';
    return strspn(out, letters) == length;
}

static int take_path(struct reader *reader, const struct sim_word *word, char out[NB_PLUGIN_PATH])
{
    char name[NB_PLUGIN_PATH];
    if (word->length >= sizeof name)
        return FAIL(reader, word, "the path is too long");
    memcpy(name, word->text, word->length);
    name[word->length] = '\0';
    if (sim_path_beside(reader->path, name, out, NB_PLUGIN_PATH) != 0)
        return FAIL(reader, word, "the path is too long");
    return 0;
}

static const struct nb_plugin_area *find_area(const struct nb_plugin_device *device,
                                              const char *name)
{
    for (size_t i = 0; i < device->area_count; i++)
        if (strcmp(device->areas[i].name, name) == 0)
            return &device->areas[i];
    return NULL;
}

static int take_area(struct reader *reader)
{
    struct nb_plugin_device *device = reader->device;
    const struct sim_word *words = reader->line.words;
    struct nb_plugin_area area = {0};
    int err = sim_words_expect(&reader->line, 4, 5, "NAME CHIP OFFSET SIZE [read-only]");
    if (err != 0)
        return err;
    if (!take_name(&words[1], words[1].length, area.name))
        return FAIL(reader, &words[1], "expected a name of letters, digits, '_', '-' and '.'");
    if (find_area(device, area.name) != NULL)
        return FAIL(reader, &words[1], "there is an area '%s' already", area.name);
    if (device->area_count == NB_PLUGIN_AREAS)
        return FAIL(reader, &words[1], "more than %d areas", NB_PLUGIN_AREAS);
    err = sim_words_region(&reader->line, 2, area.name, &device->device, &area.region);
    if (err != 0)
        return err;
    area.read_only = reader->line.count == 6;
    if (area.read_only && !sim_word_is(&words[5], "read-only"))
        return FAIL(reader, &words[5], "expected read-only, or nothing");
    for (size_t i = 0; i < device->area_count; i++) {
        const struct sim_region *other = &device->areas[i].region;
        if (area.region.address < other->address + other->size &&
            other->address < area.region.address + area.region.size)
            return FAIL(reader, &words[3], "%s overlaps %s", area.name, device->areas[i].name);
    }
    device->areas[device->area_count++] = area;
    return 0;
}

static int take_image(struct reader *reader, struct nb_plugin_source *out)
{
    const struct sim_word *word = &reader->line.words[1];
    int err = sim_words_expect(&reader->line, 1, 1, "SIZE|FILE");
    if (err != 0)
        return err;
    *out = (struct nb_plugin_source){.line = reader->line.number};
    if (word->text[0] < '0' || word->text[0] > '9')
        return take_path(reader, word, out->file);
    err = sim_words_number(&reader->line, word, &out->size);
    if (err == 0 && out->size < LEAST_IMAGE)
        err = FAIL(reader, word, "a made-up image has at least %u bytes", LEAST_IMAGE);
    return err;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int take_bytes(struct reader *reader, const struct sim_word *word, struct nb_plugin_put *put)
{
    const char *hex = word->text + 4;
    size_t length = word->length - 4;
    put->content = NB_PUT_BYTES;
    if (length == 0 || length % 2 != 0 || length / 2 > NB_PLUGIN_BYTES)
        return FAIL(reader, word, "expected hex: and 1 to %d bytes of two digits", NB_PLUGIN_BYTES);
    for (size_t i = 0; i < length; i += 2) {
        if (digit(hex[i]) < 0 || digit(hex[i + 1]) < 0)
            return FAIL(reader, word, "'%.2s' is not a byte", hex + i);
        put->bytes[put->size++] = (uint8_t)(digit(hex[i]) << 4 | digit(hex[i + 1]));
    }
    return 0;
}

/* AREA or AREA+OFFSET */
static int take_place(struct reader *reader, const struct sim_word *word, struct nb_plugin_put *put)
{
    char name[NB_WORD];
    const char *plus = memchr(word->text, '+', word->length);
    size_t length = plus != NULL ? (size_t)(plus - word->text) : word->length;
    const struct nb_plugin_area *area =
        take_name(word, length, name) ? find_area(reader->device, name) : NULL;
    if (area == NULL)
        return FAIL(reader, word, "no area '%.*s' was declared above",
                    (int)(length < 64 ? length : 64), word->text);
    put->area = (size_t)(area - reader->device->areas);
    if (plus == NULL)
        return 0;
    const struct sim_word offset = {plus + 1, word->length - length - 1,
                                    word->column + (unsigned)length + 1};
    if (offset.length == 0)
        return FAIL(reader, word, "expected an offset behind '+'");
    return sim_words_number(&reader->line, &offset, &put->offset);
}

static int take_put(struct reader *reader)
{
    const struct sim_word *what = &reader->line.words[2];
    struct nb_plugin_put put = {.line = reader->line.number};
    int err = sim_words_expect(&reader->line, 2, 2, "AREA[+OFFSET] old|new|hex:BYTES|FILE");
    if (err == 0)
        err = take_place(reader, &reader->line.words[1], &put);
    if (err != 0)
        return err;
    if (reader->at->put_count == NB_PLUGIN_PUTS)
        return FAIL(reader, &reader->line.words[0], "more than %d lines", NB_PLUGIN_PUTS);
    if (sim_word_is(what, "old")) {
        put.content = NB_PUT_OLD;
    } else if (sim_word_is(what, "new")) {
        put.content = NB_PUT_NEW;
    } else if (what->length >= 4 && memcmp(what->text, "hex:", 4) == 0) {
        err = take_bytes(reader, what, &put);
    } else {
        put.content = NB_PUT_FILE;
        err = take_path(reader, what, put.file);
    }
    if (err == 0)
        reader->at->puts[reader->at->put_count++] = put;
    return err;
}

static int take_rests(struct reader *reader)
{
    const struct sim_word *word = &reader->line.words[1];
    int err = sim_words_expect(&reader->line, 1, 1, "old, new or old|new");
    if (err != 0)
        return err;
    reader->at->rests = sim_word_is(word, "old")       ? NB_RUNS_OLD
                        : sim_word_is(word, "new")     ? NB_RUNS_NEW
                        : sim_word_is(word, "old|new") ? BOTH
                                                       : 0;
    return reader->at->rests != 0 ? 0 : FAIL(reader, word, "expected old, new or old|new");
}

static int take_case(struct reader *reader)
{
    struct nb_plugin_device *device = reader->device;
    const struct sim_word *word = &reader->line.words[1];
    char name[NB_WORD];
    int err = sim_words_expect(&reader->line, 1, 1, "NAME");
    if (err != 0)
        return err;
    if (!take_name(word, word->length, name))
        return FAIL(reader, word, "expected a name of letters, digits, '_', '-' and '.'");
    if (nb_plugin_case_find(device, name) != NULL)
        return FAIL(reader, word, "there is a case '%s' already", name);
    if (device->case_count == NB_PLUGIN_CASES)
        return FAIL(reader, word, "more than %d cases", NB_PLUGIN_CASES);
    reader->at = &device->cases[device->case_count++];
    *reader->at = reader->common;
    reader->at->line = reader->line.number;
    memcpy(reader->at->name, name, sizeof name);
    return 0;
}

static int take_line(struct reader *reader, const char *text, size_t length)
{
    int err = sim_words_split(&reader->line, text, length);
    const struct sim_word *key = &reader->line.words[0];
    if (err != 0 || reader->line.count == 0)
        return err;
    if (sim_word_is(key, "part"))
        return sim_words_part(&reader->line, reader->parts_dir, &reader->device->device);
    if (sim_word_is(key, "area"))
        return take_area(reader);
    if (sim_word_is(key, "old"))
        return take_image(reader, &reader->at->old);
    if (sim_word_is(key, "new"))
        return take_image(reader, &reader->at->new);
    if (sim_word_is(key, "put"))
        return take_put(reader);
    if (sim_word_is(key, "rests"))
        return take_rests(reader);
    if (sim_word_is(key, "case"))
        return take_case(reader);
    return FAIL(reader, key,
                "of a plugin's device: expected part, area, old, new, put, rests or case");
}

/* ---- the file ---- */

/* What the file as a whole lacks, in the case. */
static int check_case(const struct nb_plugin_case *which, struct flash_text_error *error)
{
    bool boots = false;
    for (size_t i = 0; i < which->put_count; i++) {
        const struct nb_plugin_put *put = &which->puts[i];
        const struct nb_plugin_source *source =
            put->content == NB_PUT_NEW ? &which->new : &which->old;
        boots = boots || put->content == NB_PUT_OLD || put->content == NB_PUT_NEW;
        if (put->content <= NB_PUT_NEW && source->line == 0)
            return sim_fail_at(error, put->line, 1, "the file does not say what '%s' is",
                               put->content == NB_PUT_NEW ? "new" : "old");
    }
    if (!boots)
        return sim_fail_at(error, which->line, which->line != 0,
                           "no image lies anywhere%s%s: expected a line like 'put slot0 old'",
                           which->name[0] ? " in case " : "", which->name);
    return 0;
}

static int check_file(const struct nb_plugin_device *device, struct flash_text_error *error)
{
    bool writable = false;
    if (device->device.chip_count == 0)
        return sim_fail_at(error, 0, 0, "the file has no 'part'");
    for (size_t i = 0; i < device->area_count; i++)
        writable = writable || !device->areas[i].read_only;
    if (!writable)
        return sim_fail_at(error, 0, 0, "the file has no 'area' that may be written");
    for (size_t i = 0; i < device->case_count; i++) {
        int err = check_case(&device->cases[i], error);
        if (err != 0)
            return err;
    }
    return 0;
}

int nb_plugin_device_parse(const char *text, size_t length, const char *path, const char *parts_dir,
                           struct nb_plugin_device *out, struct flash_text_error *error)
{
    struct reader *reader = calloc(1, sizeof *reader);
    int err = 0;
    memset(out, 0, sizeof *out);
    memset(error, 0, sizeof *error);
    if (reader == NULL)
        return sim_fail_at(error, 0, 0, "memory ran out");
    *reader = (struct reader){.line = {.error = error},
                              .device = out,
                              .common = {.rests = BOTH},
                              .path = path,
                              .parts_dir = parts_dir};
    reader->at = &reader->common;
    snprintf(out->device.name, sizeof out->device.name, "%.60s", path);
    while (err == 0 && length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t n = newline != NULL ? (size_t)(newline - text) : length;
        reader->line.number++;
        err = take_line(reader, text, n);
        n += newline != NULL;
        text += n;
        length -= n;
    }
    if (err == 0 && out->case_count == 0)
        out->cases[out->case_count++] = reader->common;
    if (err == 0)
        err = check_file(out, error);
    free(reader);
    return err;
}

int nb_plugin_device_load(const char *path, const char *parts_dir, struct nb_plugin_device *out,
                          struct flash_text_error *error)
{
    char *text = malloc(SIM_MAX_TEXT + 1);
    size_t length = 0;
    memset(error, 0, sizeof *error);
    int err = text != NULL ? sim_text_read(path, text, &length, error)
                           : sim_fail_at(error, 0, 0, "memory ran out");
    if (err == 0)
        err = nb_plugin_device_parse(text, length, path, parts_dir, out, error);
    free(text);
    return err;
}

const struct nb_plugin_case *nb_plugin_case_find(const struct nb_plugin_device *device,
                                                 const char *name)
{
    for (size_t i = 0; i < device->case_count; i++)
        if (strcmp(device->cases[i].name, name) == 0)
            return &device->cases[i];
    return NULL;
}

/* ---- content ---- */

static uint32_t crc32(const uint8_t *data, uint32_t length)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static void make_up(struct nb_plugin_image *image, uint32_t number)
{
    uint32_t random = number;
    memcpy(image->data, "NBIM", 4);
    put32(image->data + 4, image->size);
    put32(image->data + 8, number);
    for (uint32_t i = 12; i + 4 < image->size; i++) {
        random = random * 1664525u + 1013904223u;
        image->data[i] = (uint8_t)(random >> 24);
    }
    put32(image->data + image->size - 4, crc32(image->data, image->size - 4));
}

static int read_file(const char *path, unsigned line, uint32_t most, struct nb_plugin_image *out,
                     struct flash_text_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return sim_fail_at(error, line, 1, "%.100s: %s", path, strerror(errno));
    out->data = malloc((size_t)most + 1);
    size_t length = out->data != NULL ? fread(out->data, 1, (size_t)most + 1, file) : 0;
    bool failed = ferror(file) != 0;
    fclose(file);
    out->size = (uint32_t)length;
    if (out->data == NULL || failed || length == 0)
        return sim_fail_at(error, line, 1, "%.100s: %s", path,
                           failed || out->data == NULL ? "cannot be read" : "is empty");
    return 0;
}

static int make_image(const struct nb_plugin_source *source, uint32_t number, uint32_t most,
                      struct nb_plugin_image *out, struct flash_text_error *error)
{
    *out = (struct nb_plugin_image){0};
    if (source->line == 0)
        return 0;
    if (source->file[0])
        return read_file(source->file, source->line, most, out, error);
    if (source->size > most)
        return sim_fail_at(error, source->line, 1, "the image is larger than the flash");
    *out = (struct nb_plugin_image){malloc(source->size), source->size};
    if (out->data == NULL)
        return sim_fail_at(error, 0, 0, "memory ran out");
    make_up(out, number);
    return 0;
}

static int put_down(const struct nb_plugin_device *device, const struct nb_plugin_put *put,
                    const struct nb_plugin_image *image, struct flash_sim *sim,
                    struct flash_text_error *error)
{
    const struct nb_plugin_area *area = &device->areas[put->area];
    if (put->offset > area->region.size || image->size > area->region.size - put->offset)
        return sim_fail_at(error, put->line, 1, "%u bytes do not fit into area %s of %u",
                           image->size, area->name, area->region.size);
    int err = flash_sim_put(sim, area->region.address + put->offset, image->data, image->size);
    return err == 0 ? 0 : sim_fail_at(error, put->line, 1, "%s", ota_err_text(err));
}

int nb_plugin_case_make(const struct nb_plugin_device *device, const struct nb_plugin_case *which,
                        struct flash_sim **sim, struct nb_plugin_image *old,
                        struct nb_plugin_image *new, struct flash_text_error *error)
{
    memset(error, 0, sizeof *error);
    *old = *new = (struct nb_plugin_image){0};
    *sim = flash_sim_memory(device->device.chips, device->device.chip_count);
    if (*sim == NULL)
        return sim_fail_at(error, 0, 0, "memory ran out");
    uint32_t most = flash_sim_size(*sim);
    int err = make_image(&which->old, 1, most, old, error);
    if (err == 0)
        err = make_image(&which->new, 2, most, new, error);
    if (err == 0 && old->size != 0 && old->size == new->size &&
        memcmp(old->data, new->data, old->size) == 0)
        err = sim_fail_at(error, which->new.line, 1, "old and new are the same image");
    for (size_t i = 0; err == 0 && i < which->put_count; i++) {
        const struct nb_plugin_put *put = &which->puts[i];
        struct nb_plugin_image bytes = {0};
        if (put->content == NB_PUT_FILE)
            err = read_file(put->file, put->line, most, &bytes, error);
        uint8_t given[NB_PLUGIN_BYTES];
        memcpy(given, put->bytes, sizeof given);
        const struct nb_plugin_image literal = {given, put->size};
        if (err == 0)
            err = put_down(device, put,
                           put->content == NB_PUT_OLD    ? old
                           : put->content == NB_PUT_NEW  ? new
                           : put->content == NB_PUT_FILE ? &bytes
                                                         : &literal,
                           *sim, error);
        free(bytes.data);
    }
    if (err != 0) {
        flash_sim_close(*sim);
        free(old->data);
        free(new->data);
        *sim = NULL;
        *old = *new = (struct nb_plugin_image){0};
    }
    return err;
}
