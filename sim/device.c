#include "sim/device.h"

#include "sim/crypto_openssl.h"
#include "sim/device_layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE   65536u
#define MAX_WORDS  5u
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

struct word {
    const char *text;
    size_t length;
    unsigned column; /* 1-based */
};

struct parser {
    struct sim_device *device;
    const char *parts_dir;
    struct flash_text_error *error;
    unsigned line;
    const char *start; /* of the line */
    struct word words[MAX_WORDS];
    size_t word_count;
    struct word rest; /* the whole value: everything after the key */
    unsigned lines[KEY_COUNT];
    unsigned scheme_column;
    unsigned key_lines[SIM_MAX_KEYS];
    unsigned key_column;
};

__attribute__((format(printf, 4, 5))) static int
fail_at(struct flash_text_error *error, unsigned line, unsigned column, const char *format, ...)
{
    va_list arguments;
    error->line = line;
    error->column = column;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return OTA_E_ARGUMENT;
}

#define FAIL(parser, word, ...)                                                                    \
    fail_at((parser)->error, (parser)->line, (word)->column, __VA_ARGS__)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool word_is(const struct word *word, const char *text)
{
    return strlen(text) == word->length && memcmp(word->text, text, word->length) == 0;
}

/* ---- one line ---------------------------------------------------------------------------- */

/* Splits the line into words; a `#` at the start of a word begins a comment. */
static int split(struct parser *parser, const char *text, size_t length)
{
    size_t at = 0;
    size_t end = 0; /* of the last word */
    parser->start = text;
    parser->word_count = 0;
    parser->rest = (struct word){text, 0, 1};
    for (;;) {
        while (at < length && is_blank(text[at]))
            at++;
        if (at == length || text[at] == '#')
            break;
        struct word word = {text + at, 0, (unsigned)at + 1};
        while (at < length && !is_blank(text[at])) {
            unsigned char c = (unsigned char)text[at];
            if (c < 0x20 || c > 0x7E)
                return fail_at(parser->error, parser->line, (unsigned)at + 1,
                               "byte 0x%02X is not printable ASCII", c);
            at++;
        }
        word.length = (size_t)(text + at - word.text);
        end = at;
        if (parser->word_count == 1)
            parser->rest = word;
        if (parser->word_count < MAX_WORDS)
            parser->words[parser->word_count++] = word;
    }
    if (parser->word_count > 1)
        parser->rest.length = (size_t)(text + end - parser->rest.text);
    else
        parser->rest = (struct word){text + end, 0, (unsigned)end + 1};
    return OTA_OK;
}

static int expect_words(struct parser *parser, size_t least, size_t most, const char *usage)
{
    if (parser->word_count - 1 >= least && parser->word_count - 1 <= most)
        return OTA_OK;
    const struct word *word = parser->word_count - 1 < least
                                  ? &parser->words[parser->word_count - 1]
                                  : &parser->words[most + 1];
    unsigned column = word->column;
    if (parser->word_count - 1 < least)
        column += (unsigned)word->length;
    return fail_at(parser->error, parser->line, column, "expected: %.*s %s",
                   (int)parser->words[0].length, parser->words[0].text, usage);
}

/* Decimal or 0x hexadecimal, with K or M for 1024 and 1024 * 1024. */
static int parse_number(struct parser *parser, const struct word *word, uint32_t *out)
{
    uint64_t value = 0;
    size_t at = 0;
    unsigned base = 10;
    size_t length = word->length;
    uint64_t scale = 1;
    if (length > 2 && word->text[0] == '0' && (word->text[1] == 'x' || word->text[1] == 'X')) {
        base = 16;
        at = 2;
    }
    if (length > at + 1 && (word->text[length - 1] == 'K' || word->text[length - 1] == 'M'))
        scale = word->text[--length] == 'K' ? 1024 : 1024 * 1024;
    for (; at < length; at++) {
        char c = word->text[at];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 99;
        if (digit >= base)
            return FAIL(parser, word, "'%.*s' is not a number", (int)word->length, word->text);
        value = value * base + digit;
        if (value > UINT32_MAX)
            break;
    }
    if (value > UINT32_MAX || value * scale > UINT32_MAX)
        return FAIL(parser, word, "'%.*s' is too large", (int)word->length, word->text);
    *out = (uint32_t)(value * scale);
    return OTA_OK;
}

static int parse_text(struct parser *parser, enum value_kind kind, char *out, size_t size)
{
    const struct word *value = &parser->rest;
    if (value->length == 0)
        return FAIL(parser, value, "expected: %.*s TEXT", (int)parser->words[0].length,
                    parser->words[0].text);
    if (value->length >= size)
        return FAIL(parser, value, "text is longer than %zu bytes", size - 1);
    for (size_t i = 0; i < value->length; i++) {
        char c = value->text[i];
        bool in_topic = kind != KIND_TOPIC || (c != '+' && c != '#' && !is_blank(c));
        if (c == '"' || c == '\\' || c == '\t' || !in_topic)
            return fail_at(parser->error, parser->line, value->column + (unsigned)i,
                           "character '%c' is not allowed here", c == '\t' ? ' ' : c);
    }
    memcpy(out, value->text, value->length);
    out[value->length] = '\0';
    return OTA_OK;
}

static int parse_switch(struct parser *parser, bool *out)
{
    int result = expect_words(parser, 1, 1, "yes|no");
    if (result != OTA_OK)
        return result;
    *out = word_is(&parser->words[1], "yes");
    if (!*out && !word_is(&parser->words[1], "no"))
        return FAIL(parser, &parser->words[1], "expected yes or no");
    return OTA_OK;
}

/* ---- parts and regions ------------------------------------------------------------------- */

/* part NAME [SIZE] */
static int parse_part(struct parser *parser)
{
    struct sim_device *device = parser->device;
    const struct word *word = &parser->words[1];
    int result = expect_words(parser, 1, 2, "NAME [SIZE]");
    if (result != OTA_OK)
        return result;
    if (device->chip_count == FLASH_MAX_CHIPS)
        return FAIL(parser, word, "more than %d parts", FLASH_MAX_CHIPS);
    char name[FLASH_PART_NAME];
    if (word->length >= sizeof name || memchr(word->text, '/', word->length) != NULL)
        return FAIL(parser, word, "not a part's name");
    memcpy(name, word->text, word->length);
    name[word->length] = '\0';
    struct flash_chip *chip = &device->chips[device->chip_count];
    struct flash_text_error inner = {0};
    result = flash_part_load(parser->parts_dir, name, &chip->part, &inner);
    if (result != OTA_OK && inner.line == 0)
        return FAIL(parser, word, "part '%s': %.100s", name, inner.message);
    if (result != OTA_OK)
        return FAIL(parser, word, "part '%s', line %u: %.80s", name, inner.line, inner.message);
    if (parser->word_count == 3) {
        uint32_t size;
        result = parse_number(parser, &parser->words[2], &size);
        if (result != OTA_OK)
            return result;
        if (sim_layout_cut(&chip->part, size) != OTA_OK)
            return FAIL(parser, &parser->words[2],
                        "part '%s' cannot be cut to 0x%X: not whole sectors of its 0x%X bytes",
                        name, size, chip->part.size);
    }
    const struct flash_chip *last = device->chip_count > 0 ? chip - 1 : NULL;
    uint64_t start = last != NULL ? (uint64_t)last->start + last->part.size : 0;
    if (start + chip->part.size > UINT32_MAX)
        return FAIL(parser, word, "the parts are larger than 4 GiB together");
    chip->start = (uint32_t)start;
    device->chip_count++;
    return OTA_OK;
}

/* NAME, or NAME#2 for the second chip of that name. */
static const struct flash_chip *find_chip(const struct sim_device *device, const struct word *word)
{
    size_t length = word->length;
    size_t number = 1;
    const char *hash = memchr(word->text, '#', length);
    if (hash != NULL) {
        if (hash + 2 != word->text + length || hash[1] < '1' || hash[1] > '9')
            return NULL;
        number = (size_t)(hash[1] - '0');
        length = (size_t)(hash - word->text);
    }
    for (size_t i = 0; i < device->chip_count; i++) {
        const char *name = device->chips[i].part.name;
        if (strlen(name) == length && memcmp(name, word->text, length) == 0 && --number == 0)
            return &device->chips[i];
    }
    return NULL;
}

static int check_overlap(struct parser *parser, const char *name, const struct sim_region *region)
{
    for (int id = KEY_LOADER; id <= KEY_STATUS; id++) {
        const struct sim_region *other =
            (const void *)((const char *)parser->device + keys[id].member);
        if (parser->lines[id] == 0 || other == region)
            continue;
        if (region->address < other->address + other->size &&
            other->address < region->address + region->size)
            return FAIL(parser, &parser->words[2],
                        "%s (0x%X to 0x%X) overlaps %s (0x%X to 0x%X, line %u)", name,
                        region->address, region->address + region->size, keys[id].name,
                        other->address, other->address + other->size, parser->lines[id]);
    }
    return OTA_OK;
}

/* NAME CHIP OFFSET SIZE */
static int parse_region(struct parser *parser, enum key_id id, struct sim_region *out)
{
    uint32_t offset;
    uint32_t size;
    struct flash_sector sector;
    int result = expect_words(parser, 3, 3, "CHIP OFFSET SIZE");
    if (result == OTA_OK)
        result = parse_number(parser, &parser->words[2], &offset);
    if (result == OTA_OK)
        result = parse_number(parser, &parser->words[3], &size);
    if (result != OTA_OK)
        return result;
    const struct word *chip_word = &parser->words[1];
    const struct flash_chip *chip = find_chip(parser->device, chip_word);
    if (chip == NULL)
        return FAIL(parser, chip_word, "no part '%.*s' was declared above",
                    (int)(chip_word->length < 64 ? chip_word->length : 64), chip_word->text);
    if (offset >= chip->part.size)
        return FAIL(parser, &parser->words[2], "offset 0x%X is beyond the part's 0x%X bytes",
                    offset, chip->part.size);
    if (size == 0 || size > chip->part.size - offset)
        return FAIL(parser, &parser->words[3],
                    size == 0 ? "size is 0" : "%s reaches 0x%X bytes beyond the end of the part",
                    keys[id].name, size - (chip->part.size - offset));
    out->address = chip->start + offset;
    out->size = size;
    result = sim_layout_sector(parser->device, out->address, &sector);
    if (result != OTA_OK || sector.start != out->address)
        return FAIL(parser, &parser->words[2], "%s does not start at an erase sector (of 0x%X)",
                    keys[id].name, sector.size);
    result = sim_layout_sector(parser->device, out->address + size - 1, &sector);
    if (result != OTA_OK || sector.start + sector.size != out->address + size)
        return FAIL(parser, &parser->words[3], "%s does not end at an erase sector (of 0x%X)",
                    keys[id].name, sector.size);
    if ((id == KEY_JOURNAL || id == KEY_PROGRESS) && sim_layout_sectors(parser->device, out) < 2)
        return FAIL(parser, &parser->words[3], "%s needs at least two erase sectors",
                    keys[id].name);
    return check_overlap(parser, keys[id].name, out);
}

/* ---- keys -------------------------------------------------------------------------------- */

static int parse_scheme(struct parser *parser)
{
    const struct word *word = &parser->words[1];
    char name[SIM_TEXT] = "";
    int result = expect_words(parser, 1, 1, "NAME");
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
        return FAIL(parser, &parser->rest, "more than %d keys", SIM_MAX_KEYS);
    parser->key_lines[device->key_count] = parser->line;
    parser->key_column = parser->rest.column;
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
    int result = expect_words(parser, 2, 2, "NUMBER FILE");
    if (result == OTA_OK)
        result = parse_number(parser, &parser->words[1], &number);
    if (result != OTA_OK || foreign == NULL)
        return result != OTA_OK ? result : OTA_E_NO_SPACE;
    if (number < keys[KEY_IMAGE].least || number > keys[KEY_IMAGE].most)
        return FAIL(parser, &parser->words[1], "image must be %u to %u", keys[KEY_IMAGE].least,
                    keys[KEY_IMAGE].most);
    const struct word *file = &parser->words[2];
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
        result = expect_words(parser, 1, 1, "NUMBER");
        if (result == OTA_OK)
            result = parse_number(parser, &parser->words[1], member);
        if (result == OTA_OK &&
            (*(uint32_t *)member < keys[id].least || *(uint32_t *)member > keys[id].most))
            result = FAIL(parser, &parser->words[1], "%s must be %u to %u", keys[id].name,
                          keys[id].least, keys[id].most);
        return result;
    case KIND_OTHER:
    default:
        return id == KEY_PART         ? parse_part(parser)
               : id == KEY_SCHEME     ? parse_scheme(parser)
               : id == KEY_LOADER_ELF ? parse_loader_elf(parser)
               : id == KEY_IMAGE      ? parse_image(parser)
                                      : parse_key(parser);
    }
}

static int parse_line(struct parser *parser, const char *text, size_t length)
{
    int result = split(parser, text, length);
    if (result != OTA_OK || parser->word_count == 0)
        return result;
    const struct word *name = &parser->words[0];
    enum key_id id = 0;
    while (id < KEY_COUNT && !word_is(name, keys[id].name))
        id++;
    if (id == KEY_COUNT)
        return FAIL(parser, name, "unknown key '%.*s'",
                    (int)(name->length < 64 ? name->length : 64), name->text);
    if (parser->lines[id] != 0 && !keys[id].repeats)
        return FAIL(parser, name, "'%s' was given on line %u already", keys[id].name,
                    parser->lines[id]);
    result = parse_value(parser, id);
    parser->lines[id] = parser->line;
    return result;
}

/* Fills what was left out of the trailer format, and asks the loader. */
static int finish(struct parser *parser)
{
    struct sim_device *device = parser->device;
    const char *reason = "";
    for (int id = 0; id < KEY_COUNT; id++)
        if (keys[id].required && parser->lines[id] == 0)
            return fail_at(parser->error, parser->line, 1, "the file has no '%s'", keys[id].name);
    if (parser->lines[KEY_IMAGE] != 0 && parser->lines[KEY_LOADER_ELF] == 0)
        return fail_at(parser->error, parser->lines[KEY_IMAGE], 1,
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
        return fail_at(parser->error, parser->lines[KEY_SCHEME], parser->scheme_column,
                       "scheme %s does not fit: %s", device->scheme->name, reason);
    return OTA_OK;
}

static int parse_all(struct parser *parser, const char *text, size_t length, const char *name)
{
    sim_device_defaults(parser->device, name);
    memset(parser->error, 0, sizeof *parser->error);
    int result = OTA_OK;
    while (result == OTA_OK && length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t n = newline != NULL ? (size_t)(newline - text) : length;
        parser->line++;
        result = parse_line(parser, text, n);
        n += newline != NULL;
        text += n;
        length -= n;
    }
    if (parser->line == 0)
        parser->line = 1;
    return result == OTA_OK ? finish(parser) : result;
}

int sim_device_parse(const char *text, size_t length, const char *name, const char *parts_dir,
                     struct sim_device *out, struct flash_text_error *error)
{
    struct parser parser = {.device = out, .parts_dir = parts_dir, .error = error};
    int result = parse_all(&parser, text, length, name);
    out->key_count = 0; /* named, not read */
    if (result != OTA_OK)
        sim_device_free(out);
    return result;
}

/* ---- files and keys ---------------------------------------------------------------------- */

static int read_text(const char *path, char *buffer, size_t *length, struct flash_text_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)fail_at(error, 0, 0, "%s", strerror(errno));
        return OTA_E_IO;
    }
    errno = 0;
    *length = fread(buffer, 1, MAX_FILE + 1, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    fclose(file);
    if (failed) {
        (void)fail_at(error, 0, 0, "%s", strerror(reason));
        return OTA_E_IO;
    }
    if (*length > MAX_FILE)
        return fail_at(error, 0, 0, "larger than %u bytes: not a device file", MAX_FILE);
    return OTA_OK;
}

/* The device's name: the file's, without directory and suffix. */
static void name_of(const char *path, char out[SIM_TEXT])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, SIM_TEXT, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out)
        *dot = '\0';
}

/* Paths in a device file are relative to it. */
static int beside(const char *device_path, const char *path, char *out, size_t size)
{
    const char *slash = path[0] == '/' ? NULL : strrchr(device_path, '/');
    int length = slash != NULL ? (int)(slash - device_path) + 1 : 0;
    int n = snprintf(out, size, "%.*s%s", length, device_path, path);
    return n >= 0 && (size_t)n < size ? OTA_OK : OTA_E_NO_SPACE;
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
        result = beside(device_path, found, path, SIM_FOREIGN_PATH);
    }
    return result;
}

int sim_device_add_key(struct sim_device *device, const char *path, struct flash_text_error *error)
{
    size_t index = device->key_count;
    if (index == SIM_MAX_KEYS) {
        (void)fail_at(error, 0, 0, "more than %d keys", SIM_MAX_KEYS);
        return OTA_E_NO_SPACE;
    }
    errno = 0;
    int result = crypto_openssl_read_public(path, &device->keys[index], &device->key_der[index]);
    if (result == OTA_E_IO)
        (void)fail_at(error, 0, 0, "key %.100s: %s", path,
                      errno != 0 ? strerror(errno) : "cannot be read");
    else if (result != OTA_OK)
        (void)fail_at(error, 0, 0, "key %.80s: not a P-256 or RSA-2048 public key in PEM", path);
    if (result != OTA_OK)
        return result;
    snprintf(device->key_paths[index], sizeof device->key_paths[index], "%s", path);
    device->key_count++;
    return OTA_OK;
}

int sim_device_load(const char *path, const char *parts_dir, struct sim_device *out,
                    struct flash_text_error *error)
{
    struct parser parser = {.device = out, .parts_dir = parts_dir, .error = error};
    char name[SIM_TEXT];
    size_t length = 0;
    memset(out, 0, sizeof *out);
    char *text = malloc(MAX_FILE + 1);
    if (text == NULL)
        return fail_at(error, 0, 0, "out of memory");
    int result = read_text(path, text, &length, error);
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
        result = beside(path, out->key_paths[i], key_path, sizeof key_path);
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
