#include "sim/device.h"

#include "sim/crypto_openssl.h"
#include "sim/device_layout.h"
#include "sim/device_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_LIMIT 4096u

enum value_kind { KIND_TEXT, KIND_TOPIC, KIND_NUMBER, KIND_SWITCH, KIND_REGION, KIND_OTHER };

enum key_id {
    KEY_SYSTEM,
    KEY_PART,
    KEY_LOADER,
    KEY_PRIMARY,
    KEY_SECONDARY,
    KEY_JOURNAL,
    KEY_PROGRESS,
    KEY_SCRATCH,
    KEY_STATUS,
    KEY_FACTORY,
    KEY_ATTEMPTS,
    KEY_SCHEME,
    KEY_ALIGN,
    KEY_WRITE_SIZE,
    KEY_MAX_SECTORS,
    KEY_VALIDATE_PRIMARY,
    KEY_REFUSE_OLDER,
    KEY_SECURITY_COUNTER,
    KEY_KEY,
    KEY_HEADER,
    KEY_MANUFACTURER,
    KEY_MANUFACTURER_ID,
    KEY_PRODUCT,
    KEY_SERIAL,
    KEY_BOARD,
    KEY_TOPIC_PREFIX,
    KEY_WATCHDOG_MS,
    KEY_LOADER_ELF,
    KEY_IMAGE,
    KEY_COUNT
};

/* Every key of a device file: its value, where that goes, and its limits. */
static const struct {
    const char *name;
    enum value_kind kind;
    size_t member; /* offset in struct sim_device */
    bool required;
    bool repeats;
    uint32_t least;
    uint32_t most;
} keys[KEY_COUNT] = {
#define AT(field) offsetof(struct sim_device, field)
    [KEY_SYSTEM] = {"system", KIND_TEXT, AT(system), true, false, 0, 0},
    [KEY_PART] = {"part", KIND_OTHER, 0, true, true, 0, 0},
    [KEY_LOADER] = {"loader", KIND_REGION, AT(loader), true, false, 0, 0},
    [KEY_PRIMARY] = {"primary", KIND_REGION, AT(primary), true, false, 0, 0},
    [KEY_SECONDARY] = {"secondary", KIND_REGION, AT(secondary), true, false, 0, 0},
    [KEY_JOURNAL] = {"journal", KIND_REGION, AT(journal), true, false, 0, 0},
    [KEY_PROGRESS] = {"progress", KIND_REGION, AT(progress), false, false, 0, 0},
    [KEY_SCRATCH] = {"scratch", KIND_REGION, AT(scratch), false, false, 0, 0},
    [KEY_STATUS] = {"status", KIND_REGION, AT(status), false, false, 0, 0},
    [KEY_FACTORY] = {"factory", KIND_REGION, AT(factory), false, false, 0, 0},
    [KEY_ATTEMPTS] = {"attempts", KIND_NUMBER, AT(attempts), false, false, 1, 100},
    [KEY_SCHEME] = {"scheme", KIND_OTHER, 0, true, false, 0, 0},
    [KEY_ALIGN] = {"align", KIND_NUMBER, AT(format.align), false, false, 8, 32},
    [KEY_WRITE_SIZE] = {"write-size", KIND_NUMBER, AT(format.write_size), false, false, 1, 4096},
    [KEY_MAX_SECTORS] = {"max-sectors", KIND_NUMBER, AT(format.max_sectors), false, false, 0,
                         65535},
    [KEY_VALIDATE_PRIMARY] = {"validate-primary", KIND_SWITCH, AT(validate_primary), false, false,
                              0, 0},
    [KEY_REFUSE_OLDER] = {"refuse-older", KIND_SWITCH, AT(refuse_older_version), false, false, 0,
                          0},
    [KEY_SECURITY_COUNTER] = {"security-counter", KIND_SWITCH, AT(use_counter), false, false, 0, 0},
    [KEY_KEY] = {"key", KIND_OTHER, 0, false, true, 0, 0},
    [KEY_HEADER] = {"header", KIND_NUMBER, AT(header_size), false, false, 32, 65535},
    [KEY_MANUFACTURER] = {"manufacturer", KIND_TEXT, AT(manufacturer), false, false, 0, 0},
    [KEY_MANUFACTURER_ID] = {"manufacturer-id", KIND_TEXT, AT(manufacturer_id), false, false, 0, 0},
    [KEY_PRODUCT] = {"product", KIND_TEXT, AT(product), false, false, 0, 0},
    [KEY_SERIAL] = {"serial", KIND_TEXT, AT(serial), false, false, 0, 0},
    [KEY_BOARD] = {"board", KIND_TOPIC, AT(board), false, false, 0, 0},
    [KEY_TOPIC_PREFIX] = {"topic-prefix", KIND_TOPIC, AT(topic_prefix), false, false, 0, 0},
    [KEY_WATCHDOG_MS] = {"watchdog-ms", KIND_NUMBER, AT(watchdog_ms), false, false, 100, 3600000},
    [KEY_LOADER_ELF] = {"loader-elf", KIND_OTHER, 0, false, false, 0, 0},
    [KEY_IMAGE] = {"image", KIND_OTHER, 0, false, true, 1, SIM_FOREIGN_IMAGES},
#undef AT
};

struct parser {
    struct sim_device *device;
    const char *parts_dir;
    struct sim_words at; /* the line */
    unsigned lines[KEY_COUNT];
    unsigned scheme_column;
    unsigned key_lines[SIM_MAX_KEYS];
    unsigned key_column;
};

#define FAIL(parser, word, ...)                                                                    \
    sim_fail_at((parser)->at.error, (parser)->at.number, (word)->column, __VA_ARGS__)

/* ---- one line ---------------------------------------------------------------------------- */

static int parse_text(struct parser *parser, enum value_kind kind, char *out, size_t size)
{
    const struct sim_word *value = &parser->at.rest;
    if (value->length == 0)
        return FAIL(parser, value, "expected: %.*s TEXT", (int)parser->at.words[0].length,
                    parser->at.words[0].text);
    if (value->length >= size)
        return FAIL(parser, value, "text is longer than %zu bytes", size - 1);
    for (size_t i = 0; i < value->length; i++) {
        char c = value->text[i];
        bool in_topic = kind != KIND_TOPIC || (c != '+' && c != '#' && !sim_is_blank(c));
        if (c == '"' || c == '\\' || c == '\t' || !in_topic)
            return sim_fail_at(parser->at.error, parser->at.number, value->column + (unsigned)i,
                               "character '%c' is not allowed here", c == '\t' ? ' ' : c);
    }
    memcpy(out, value->text, value->length);
    out[value->length] = '\0';
    return OTA_OK;
}

static int parse_switch(struct parser *parser, bool *out)
{
    int result = sim_words_expect(&parser->at, 1, 1, "yes|no");
    if (result != OTA_OK)
        return result;
    *out = sim_word_is(&parser->at.words[1], "yes");
    if (!*out && !sim_word_is(&parser->at.words[1], "no"))
        return FAIL(parser, &parser->at.words[1], "expected yes or no");
    return OTA_OK;
}

/* ---- parts and regions ------------------------------------------------------------------- */

static int check_overlap(struct parser *parser, const char *name, const struct sim_region *region)
{
    for (int id = KEY_LOADER; id <= KEY_FACTORY; id++) {
        const struct sim_region *other =
            (const void *)((const char *)parser->device + keys[id].member);
        if (parser->lines[id] == 0 || other == region)
            continue;
        if (region->address < other->address + other->size &&
            other->address < region->address + region->size)
            return FAIL(parser, &parser->at.words[2],
                        "%s (0x%X to 0x%X) overlaps %s (0x%X to 0x%X, line %u)", name,
                        region->address, region->address + region->size, keys[id].name,
                        other->address, other->address + other->size, parser->lines[id]);
    }
    return OTA_OK;
}

/* NAME CHIP OFFSET SIZE */
static int parse_region(struct parser *parser, enum key_id id, struct sim_region *out)
{
    int result = sim_words_expect(&parser->at, 3, 3, "CHIP OFFSET SIZE");
    if (result == OTA_OK)
        result = sim_words_region(&parser->at, 1, keys[id].name, parser->device, out);
    if (result != OTA_OK)
        return result;
    if ((id == KEY_JOURNAL || id == KEY_PROGRESS) && sim_layout_sectors(parser->device, out) < 2)
        return FAIL(parser, &parser->at.words[3], "%s needs at least two erase sectors",
                    keys[id].name);
    return check_overlap(parser, keys[id].name, out);
}

/* ---- keys -------------------------------------------------------------------------------- */

static int parse_scheme(struct parser *parser)
{
    const struct sim_word *word = &parser->at.words[1];
    char name[SIM_TEXT] = "";
    int result = sim_words_expect(&parser->at, 1, 1, "NAME");
    if (result != OTA_OK)
        return result;
    if (word->length < sizeof name)
        memcpy(name, word->text, word->length);
    parser->device->scheme = sim_scheme_find(name);
    parser->scheme_column = word->column;
    if (parser->device->scheme == NULL)
        return FAIL(parser, word, "no boot scheme '%.*s' (nobrick list schemes)",
                    (int)(word->length < 64 ? word->length : 64), word->text);
    return OTA_OK;
}

static int parse_key(struct parser *parser)
{
    struct sim_device *device = parser->device;
    if (device->key_count == SIM_MAX_KEYS)
        return FAIL(parser, &parser->at.rest, "more than %d keys", SIM_MAX_KEYS);
    parser->key_lines[device->key_count] = parser->at.number;
    parser->key_column = parser->at.rest.column;
    return parse_text(parser, KIND_TEXT, device->key_paths[device->key_count++],
                      sizeof device->key_paths[0]);
}

static struct sim_foreign *foreign_of(struct parser *parser)
{
    if (parser->device->foreign == NULL)
        parser->device->foreign = calloc(1, sizeof *parser->device->foreign);
    return parser->device->foreign;
}

static int parse_loader_elf(struct parser *parser)
{
    struct sim_foreign *foreign = foreign_of(parser);
    return foreign == NULL ? OTA_E_NO_SPACE
                           : parse_text(parser, KIND_TEXT, foreign->loader, sizeof foreign->loader);
}

/* `image 2 FILE`: what v2 is. */
static int parse_image(struct parser *parser)
{
    struct sim_foreign *foreign = foreign_of(parser);
    uint32_t number = 0;
    int result = sim_words_expect(&parser->at, 2, 2, "NUMBER FILE");
    if (result == OTA_OK)
        result = sim_words_number(&parser->at, &parser->at.words[1], &number);
    if (result != OTA_OK || foreign == NULL)
        return result != OTA_OK ? result : OTA_E_NO_SPACE;
    if (number < keys[KEY_IMAGE].least || number > keys[KEY_IMAGE].most)
        return FAIL(parser, &parser->at.words[1], "image must be %u to %u", keys[KEY_IMAGE].least,
                    keys[KEY_IMAGE].most);
    const struct sim_word *file = &parser->at.words[2];
    if (file->length >= SIM_FOREIGN_PATH)
        return FAIL(parser, file, "text is longer than %d bytes", SIM_FOREIGN_PATH - 1);
    snprintf(foreign->images[number - 1], SIM_FOREIGN_PATH, "%.*s", (int)file->length, file->text);
    return OTA_OK;
}

static int parse_value(struct parser *parser, enum key_id id)
{
    void *member = (char *)parser->device + keys[id].member;
    int result;
    switch (keys[id].kind) {
    case KIND_TEXT:
    case KIND_TOPIC:
        return parse_text(parser, keys[id].kind, member, SIM_TEXT);
    case KIND_SWITCH:
        return parse_switch(parser, member);
    case KIND_REGION:
        return parse_region(parser, id, member);
    case KIND_NUMBER:
        result = sim_words_expect(&parser->at, 1, 1, "NUMBER");
        if (result == OTA_OK)
            result = sim_words_number(&parser->at, &parser->at.words[1], member);
        if (result == OTA_OK &&
            (*(uint32_t *)member < keys[id].least || *(uint32_t *)member > keys[id].most))
            result = FAIL(parser, &parser->at.words[1], "%s must be %u to %u", keys[id].name,
                          keys[id].least, keys[id].most);
        return result;
    case KIND_OTHER:
    default:
        return id == KEY_PART     ? sim_words_part(&parser->at, parser->parts_dir, parser->device)
               : id == KEY_SCHEME ? parse_scheme(parser)
               : id == KEY_LOADER_ELF ? parse_loader_elf(parser)
               : id == KEY_IMAGE      ? parse_image(parser)
                                      : parse_key(parser);
    }
}

static int parse_line(struct parser *parser, const char *text, size_t length)
{
    int result = sim_words_split(&parser->at, text, length);
    if (result != OTA_OK || parser->at.count == 0)
        return result;
    const struct sim_word *name = &parser->at.words[0];
    enum key_id id = 0;
    while (id < KEY_COUNT && !sim_word_is(name, keys[id].name))
        id++;
    if (id == KEY_COUNT)
        return FAIL(parser, name, "unknown key '%.*s'",
                    (int)(name->length < 64 ? name->length : 64), name->text);
    if (parser->lines[id] != 0 && !keys[id].repeats)
        return FAIL(parser, name, "'%s' was given on line %u already", keys[id].name,
                    parser->lines[id]);
    result = parse_value(parser, id);
    parser->lines[id] = parser->at.number;
    return result;
}

/* Fills what was left out of the trailer format, and asks the loader. */
static int finish(struct parser *parser)
{
    struct sim_device *device = parser->device;
    const char *reason = "";
    for (int id = 0; id < KEY_COUNT; id++)
        if (keys[id].required && parser->lines[id] == 0)
            return sim_fail_at(parser->at.error, parser->at.number, 1, "the file has no '%s'",
                               keys[id].name);
    if (parser->lines[KEY_IMAGE] != 0 && parser->lines[KEY_LOADER_ELF] == 0)
        return sim_fail_at(parser->at.error, parser->lines[KEY_IMAGE], 1,
                           "images need their loader: the file has no 'loader-elf'");
    struct flash_sector sector;
    int result = sim_layout_sector(device, device->primary.address, &sector);
    if (result != OTA_OK)
        return result;
    struct img_trailer_format suited = sim_layout_format(
        sector.unit, device->scheme, sim_layout_sectors(device, &device->primary));
    if (parser->lines[KEY_ALIGN] == 0)
        device->format.align = suited.align;
    if (parser->lines[KEY_WRITE_SIZE] == 0)
        device->format.write_size = suited.write_size;
    if (parser->lines[KEY_MAX_SECTORS] == 0)
        device->format.max_sectors = suited.max_sectors;
    if (sim_layout_check(device, &reason) != OTA_OK)
        return sim_fail_at(parser->at.error, parser->lines[KEY_SCHEME], parser->scheme_column,
                           "scheme %s does not fit: %s", device->scheme->name, reason);
    return OTA_OK;
}

static int parse_all(struct parser *parser, const char *text, size_t length, const char *name)
{
    sim_device_defaults(parser->device, name);
    memset(parser->at.error, 0, sizeof *parser->at.error);
    int result = OTA_OK;
    while (result == OTA_OK && length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t n = newline != NULL ? (size_t)(newline - text) : length;
        parser->at.number++;
        result = parse_line(parser, text, n);
        n += newline != NULL;
        text += n;
        length -= n;
    }
    if (parser->at.number == 0)
        parser->at.number = 1;
    return result == OTA_OK ? finish(parser) : result;
}

int sim_device_parse(const char *text, size_t length, const char *name, const char *parts_dir,
                     struct sim_device *out, struct flash_text_error *error)
{
    struct parser parser = {.device = out, .parts_dir = parts_dir, .at = {.error = error}};
    int result = parse_all(&parser, text, length, name);
    out->key_count = 0; /* named, not read */
    if (result != OTA_OK)
        sim_device_free(out);
    return result;
}

/* ---- files and keys ---------------------------------------------------------------------- */

/* The device's name: the file's, without directory and suffix. */
static void name_of(const char *path, char out[SIM_TEXT])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, SIM_TEXT, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out)
        *dot = '\0';
}

static int place_foreign(const char *device_path, struct sim_foreign *foreign)
{
    char found[SIM_FOREIGN_PATH];
    int result = OTA_OK;
    for (size_t i = 0; result == OTA_OK && i <= SIM_FOREIGN_IMAGES; i++) {
        char *path = i == 0 ? foreign->loader : foreign->images[i - 1];
        if (path[0] == '\0')
            continue;
        memcpy(found, path, sizeof found);
        result = sim_path_beside(device_path, found, path, SIM_FOREIGN_PATH);
    }
    return result;
}

int sim_device_add_key(struct sim_device *device, const char *path, struct flash_text_error *error)
{
    size_t index = device->key_count;
    if (index == SIM_MAX_KEYS) {
        (void)sim_fail_at(error, 0, 0, "more than %d keys", SIM_MAX_KEYS);
        return OTA_E_NO_SPACE;
    }
    errno = 0;
    int result = crypto_openssl_read_public(path, &device->keys[index], &device->key_der[index]);
    if (result == OTA_E_IO)
        (void)sim_fail_at(error, 0, 0, "key %.100s: %s", path,
                          errno != 0 ? strerror(errno) : "cannot be read");
    else if (result != OTA_OK)
        (void)sim_fail_at(error, 0, 0, "key %.80s: not a P-256 or RSA-2048 public key in PEM",
                          path);
    if (result != OTA_OK)
        return result;
    snprintf(device->key_paths[index], sizeof device->key_paths[index], "%s", path);
    device->key_count++;
    return OTA_OK;
}

int sim_device_load(const char *path, const char *parts_dir, struct sim_device *out,
                    struct flash_text_error *error)
{
    struct parser parser = {.device = out, .parts_dir = parts_dir, .at = {.error = error}};
    char name[SIM_TEXT];
    size_t length = 0;
    memset(out, 0, sizeof *out);
    char *text = malloc(SIM_MAX_TEXT + 1);
    if (text == NULL)
        return sim_fail_at(error, 0, 0, "out of memory");
    int result = sim_text_read(path, text, &length, error);
    if (result == OTA_OK) {
        name_of(path, name);
        result = parse_all(&parser, text, length, name);
    }
    if (result == OTA_OK && out->foreign != NULL)
        result = place_foreign(path, out->foreign);
    size_t named = out->key_count;
    out->key_count = 0;
    for (size_t i = 0; result == OTA_OK && i < named; i++) {
        char key_path[PATH_LIMIT];
        result = sim_path_beside(path, out->key_paths[i], key_path, sizeof key_path);
        if (result == OTA_OK)
            result = sim_device_add_key(out, key_path, error);
        error->line = parser.key_lines[i];
        error->column = parser.key_column;
    }
    free(text);
    if (result != OTA_OK)
        sim_device_free(out);
    return result;
}

void sim_device_free(struct sim_device *device)
{
    for (size_t i = 0; i < SIM_MAX_KEYS; i++)
        free(device->key_der[i]);
    free(device->foreign);
    memset(device, 0, sizeof *device);
}
