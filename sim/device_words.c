#include "sim/device_words.h"

#include "sim/device_layout.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define FAIL(line, word, ...)                                                                      \
    sim_fail_at((line)->error, (line)->number, (word)->column, __VA_ARGS__)

int sim_fail_at(struct flash_text_error *error, unsigned line, unsigned column, const char *format,
                ...)
{
    va_list arguments;
    error->line = line;
    error->column = column;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return OTA_E_ARGUMENT;
}

bool sim_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool sim_word_is(const struct sim_word *word, const char *text)
{
    return strlen(text) == word->length && memcmp(word->text, text, word->length) == 0;
}

int sim_words_split(struct sim_words *line, const char *text, size_t length)
{
    size_t at = 0;
    size_t end = 0; /* of the last word */
    line->start = text;
    line->count = 0;
    line->rest = (struct sim_word){text, 0, 1};
    for (;;) {
        while (at < length && sim_is_blank(text[at]))
            at++;
        if (at == length || text[at] == '#')
            break;
        struct sim_word word = {text + at, 0, (unsigned)at + 1};
        while (at < length && !sim_is_blank(text[at])) {
            unsigned char c = (unsigned char)text[at];
            if (c < 0x20 || c > 0x7E)
                return sim_fail_at(line->error, line->number, (unsigned)at + 1,
                                   "byte 0x%02X is not printable ASCII", c);
            at++;
        }
        word.length = (size_t)(text + at - word.text);
        end = at;
        if (line->count == 1)
            line->rest = word;
        if (line->count < SIM_MAX_WORDS)
            line->words[line->count++] = word;
    }
    if (line->count > 1)
        line->rest.length = (size_t)(text + end - line->rest.text);
    else
        line->rest = (struct sim_word){text + end, 0, (unsigned)end + 1};
    return OTA_OK;
}

int sim_words_expect(struct sim_words *line, size_t least, size_t most, const char *usage)
{
    if (line->count - 1 >= least && line->count - 1 <= most)
        return OTA_OK;
    const struct sim_word *word =
        line->count - 1 < least ? &line->words[line->count - 1] : &line->words[most + 1];
    unsigned column = word->column;
    if (line->count - 1 < least)
        column += (unsigned)word->length;
    return sim_fail_at(line->error, line->number, column, "expected: %.*s %s",
                       (int)line->words[0].length, line->words[0].text, usage);
}

int sim_words_number(struct sim_words *line, const struct sim_word *word, uint32_t *out)
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
            return FAIL(line, word, "'%.*s' is not a number", (int)word->length, word->text);
        value = value * base + digit;
        if (value > UINT32_MAX)
            break;
    }
    if (value > UINT32_MAX || value * scale > UINT32_MAX)
        return FAIL(line, word, "'%.*s' is too large", (int)word->length, word->text);
    *out = (uint32_t)(value * scale);
    return OTA_OK;
}

/* ---- parts and regions ---- */

/* part NAME [SIZE] */
int sim_words_part(struct sim_words *line, const char *parts_dir, struct sim_device *device)
{
    const struct sim_word *word = &line->words[1];
    int result = sim_words_expect(line, 1, 2, "NAME [SIZE]");
    if (result != OTA_OK)
        return result;
    if (device->chip_count == FLASH_MAX_CHIPS)
        return FAIL(line, word, "more than %d parts", FLASH_MAX_CHIPS);
    char name[FLASH_PART_NAME];
    if (word->length >= sizeof name || memchr(word->text, '/', word->length) != NULL)
        return FAIL(line, word, "not a part's name");
    memcpy(name, word->text, word->length);
    name[word->length] = '\0';
    struct flash_chip *chip = &device->chips[device->chip_count];
    struct flash_text_error inner = {0};
    result = flash_part_load(parts_dir, name, &chip->part, &inner);
    if (result != OTA_OK && inner.line == 0)
        return FAIL(line, word, "part '%s': %.100s", name, inner.message);
    if (result != OTA_OK)
        return FAIL(line, word, "part '%s', line %u: %.80s", name, inner.line, inner.message);
    if (line->count == 3) {
        uint32_t size;
        result = sim_words_number(line, &line->words[2], &size);
        if (result != OTA_OK)
            return result;
        if (sim_layout_cut(&chip->part, size) != OTA_OK)
            return FAIL(line, &line->words[2],
                        "part '%s' cannot be cut to 0x%X: not whole sectors of its 0x%X bytes",
                        name, size, chip->part.size);
    }
    const struct flash_chip *last = device->chip_count > 0 ? chip - 1 : NULL;
    uint64_t start = last != NULL ? (uint64_t)last->start + last->part.size : 0;
    if (start + chip->part.size > UINT32_MAX)
        return FAIL(line, word, "the parts are larger than 4 GiB together");
    chip->start = (uint32_t)start;
    device->chip_count++;
    return OTA_OK;
}

static const struct flash_chip *find_chip(const struct sim_device *device,
                                          const struct sim_word *word)
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

int sim_words_region(struct sim_words *line, size_t first, const char *name,
                     const struct sim_device *device, struct sim_region *out)
{
    uint32_t offset;
    uint32_t size;
    struct flash_sector sector;
    const struct sim_word *words = &line->words[first];
    int result = sim_words_number(line, &words[1], &offset);
    if (result == OTA_OK)
        result = sim_words_number(line, &words[2], &size);
    if (result != OTA_OK)
        return result;
    const struct flash_chip *chip = find_chip(device, &words[0]);
    if (chip == NULL)
        return FAIL(line, &words[0], "no part '%.*s' was declared above",
                    (int)(words[0].length < 64 ? words[0].length : 64), words[0].text);
    if (offset >= chip->part.size)
        return FAIL(line, &words[1], "offset 0x%X is beyond the part's 0x%X bytes", offset,
                    chip->part.size);
    if (size == 0 || size > chip->part.size - offset)
        return FAIL(line, &words[2],
                    size == 0 ? "size is 0" : "%s reaches 0x%X bytes beyond the end of the part",
                    name, size - (chip->part.size - offset));
    out->address = chip->start + offset;
    out->size = size;
    result = sim_layout_sector(device, out->address, &sector);
    if (result != OTA_OK || sector.start != out->address)
        return FAIL(line, &words[1], "%s does not start at an erase sector (of 0x%X)", name,
                    sector.size);
    result = sim_layout_sector(device, out->address + size - 1, &sector);
    if (result != OTA_OK || sector.start + sector.size != out->address + size)
        return FAIL(line, &words[2], "%s does not end at an erase sector (of 0x%X)", name,
                    sector.size);
    return OTA_OK;
}

/* ---- files ---- */

int sim_text_read(const char *path, char *buffer, size_t *length, struct flash_text_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)sim_fail_at(error, 0, 0, "%s", strerror(errno));
        return OTA_E_IO;
    }
    errno = 0;
    *length = fread(buffer, 1, SIM_MAX_TEXT + 1, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    fclose(file);
    if (failed) {
        (void)sim_fail_at(error, 0, 0, "%s", strerror(reason));
        return OTA_E_IO;
    }
    if (*length > SIM_MAX_TEXT)
        return sim_fail_at(error, 0, 0, "larger than %u bytes: not a device file", SIM_MAX_TEXT);
    return OTA_OK;
}

int sim_path_beside(const char *device_path, const char *path, char *out, size_t size)
{
    const char *slash = path[0] == '/' ? NULL : strrchr(device_path, '/');
    int length = slash != NULL ? (int)(slash - device_path) + 1 : 0;
    int n = snprintf(out, size, "%.*s%s", length, device_path, path);
    return n >= 0 && (size_t)n < size ? OTA_OK : OTA_E_NO_SPACE;
}
