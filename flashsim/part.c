/* Part files: one `key value` a line, '#' starts a comment, order is free. README.md lists the
 * keys. Every number is checked here, so that a part that was read is a part that works. */
#include "flashsim/store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define MAX_FILE 0x10000

struct place {
    unsigned line; /* 0: nowhere */
    unsigned column;
};

struct parser {
    const char *text;
    size_t length;
    size_t at;
    size_t line_start;
    unsigned line;
    struct flash_text_error *error;
};

struct token {
    const char *text;
    size_t length;
    struct place place;
};

/* ---- text ---- */

static int expected(struct flash_text_error *error, struct place place, const char *what)
{
    error->line = place.line;
    error->column = place.column;
    snprintf(error->message, sizeof error->message, "expected %s", what);
    return OTA_E_ARGUMENT;
}

static struct place here(const struct parser *parser)
{
    return (struct place){parser->line, (unsigned)(parser->at - parser->line_start) + 1};
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool at_line_end(const struct parser *parser)
{
    return parser->at >= parser->length || parser->text[parser->at] == '\n';
}

/* The next word of the line; of length 0 at its end or at a comment. */
static struct token next_token(struct parser *parser)
{
    while (!at_line_end(parser) && is_space(parser->text[parser->at])) {
        parser->at++;
    }
    struct token token = {parser->text + parser->at, 0, here(parser)};
    if (!at_line_end(parser) && *token.text == '#') {
        return token;
    }
    while (!at_line_end(parser) && !is_space(parser->text[parser->at])) {
        parser->at++;
        token.length++;
    }
    return token;
}

static bool token_is(const struct token *token, const char *word)
{
    return strlen(word) == token->length && memcmp(word, token->text, token->length) == 0;
}

/* Reads the digits at the start of the token; the suffix is what follows. False when there are
 * none or the number exceeds 32 bits. */
static bool digits(const struct token *token, uint32_t *value, struct token *suffix)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < token->length && token->text[i] >= '0' && token->text[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(token->text[i] - '0');
        if (number > UINT32_MAX) {
            return false;
        }
    }
    *suffix = (struct token){token->text + i, token->length - i, token->place};
    *value = (uint32_t)number;
    return i > 0;
}

static bool scaled(const struct token *token, const char *const names[], const uint32_t factors[],
                   size_t count, uint32_t *value)
{
    struct token suffix;
    uint32_t number;
    if (!digits(token, &number, &suffix)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (token_is(&suffix, names[i])) {
            *value = number * factors[i];
            return (uint64_t)number * factors[i] <= UINT32_MAX;
        }
    }
    return false;
}

static int read_number(struct parser *parser, uint32_t *value, const char *what)
{
    static const char *const names[] = {""};
    static const uint32_t factors[] = {1};
    struct token token = next_token(parser);
    return scaled(&token, names, factors, 1, value) ? 0
                                                    : expected(parser->error, token.place, what);
}

static bool size_of(const struct token *token, uint32_t *value)
{
    static const char *const names[] = {"", "K", "M"};
    static const uint32_t factors[] = {1, 1024, 1024 * 1024};
    return scaled(token, names, factors, 3, value);
}

static int read_size(struct parser *parser, uint32_t *value)
{
    struct token token = next_token(parser);
    return size_of(&token, value)
               ? 0
               : expected(parser->error, token.place, "a size in bytes, like 256, 4K or 2M");
}

static int read_time(struct parser *parser, uint32_t *value)
{
    static const char *const names[] = {"us", "ms"};
    static const uint32_t factors[] = {1, 1000};
    struct token token = next_token(parser);
    return scaled(&token, names, factors, 2, value)
               ? 0
               : expected(parser->error, token.place, "a time, like 41us or 20ms");
}

static int read_word(struct parser *parser, const char *word)
{
    struct token token = next_token(parser);
    char what[16];
    snprintf(what, sizeof what, "'%s'", word);
    return token_is(&token, word) ? 0 : expected(parser->error, token.place, what);
}

/* ---- keys ---- */

static int read_total(struct parser *parser, struct flash_part *part)
{
    return read_size(parser, &part->size);
}

static int read_run(struct parser *parser, struct flash_part *part)
{
    if (part->run_count == FLASH_MAX_RUNS) {
        return expected(parser->error, here(parser), "at most 8 lines 'erase COUNT x SIZE'");
    }
    struct flash_sector_run *run = &part->runs[part->run_count++];
    int error = read_number(parser, &run->count, "a count of sectors, as in 'erase 256 x 4K'");
    if (error == 0) {
        error = read_word(parser, "x");
    }
    return error != 0 ? error : read_size(parser, &run->size);
}

static int read_unit(struct parser *parser, struct flash_part *part)
{
    return read_size(parser, &part->unit);
}

static int read_size_or_none(struct parser *parser, uint32_t *value)
{
    struct token token = next_token(parser);
    if (token_is(&token, "none")) {
        *value = 0;
        return 0;
    }
    return size_of(&token, value) && *value != 0
               ? 0
               : expected(parser->error, token.place, "none, or a size in bytes");
}

static int read_page(struct parser *parser, struct flash_part *part)
{
    return read_size_or_none(parser, &part->page);
}

static int read_ecc(struct parser *parser, struct flash_part *part)
{
    return read_size_or_none(parser, &part->ecc);
}

static int read_erased(struct parser *parser, struct flash_part *part)
{
    struct token token = next_token(parser);
    if (token_is(&token, "0xFF")) {
        part->erased = 0xFF;
    } else if (token_is(&token, "0x00")) {
        part->erased = 0x00;
    } else {
        return expected(parser->error, token.place, "0xFF or 0x00");
    }
    return 0;
}

static int read_programs(struct parser *parser, struct flash_part *part)
{
    static const char what[] = "any, or a number from 1 to 127";
    struct token token = next_token(parser);
    struct token suffix;
    if (token_is(&token, "any")) {
        part->programs = FLASH_PROGRAMS_ANY;
        return 0;
    }
    if (!digits(&token, &part->programs, &suffix) || suffix.length != 0 || part->programs == 0) {
        return expected(parser->error, token.place, what);
    }
    struct parser before = *parser;
    if (next_token(&before).length == 0) {
        return 0;
    }
    int error = read_word(parser, "per");
    before = *parser;
    if (error == 0) {
        error = read_size(parser, &part->row);
    }
    if (error == 0 && part->row == 0) {
        return expected(parser->error, next_token(&before).place, "a size above 0");
    }
    return error;
}

static int read_zero(struct parser *parser, struct flash_part *part)
{
    struct token token = next_token(parser);
    part->reprogram_zero = token_is(&token, "yes");
    return part->reprogram_zero || token_is(&token, "no")
               ? 0
               : expected(parser->error, token.place, "yes or no");
}

static int read_same_bits(struct parser *parser, struct flash_part *part)
{
    struct token token = next_token(parser);
    part->overstress = token_is(&token, "overstress");
    return part->overstress || token_is(&token, "ok")
               ? 0
               : expected(parser->error, token.place, "ok or overstress");
}

static int read_disturb(struct parser *parser, struct flash_part *part)
{
    return read_size_or_none(parser, &part->disturb);
}

/* `max TIME` at the end of a line, or nothing. */
static int read_maximum(struct parser *parser, uint32_t *value)
{
    struct parser before = *parser;
    if (next_token(&before).length == 0) {
        return 0;
    }
    int error = read_word(parser, "max");
    return error != 0 ? error : read_time(parser, value);
}

static int read_program_time(struct parser *parser, struct flash_part *part)
{
    int error = read_time(parser, &part->t_program_us);
    if (error == 0) {
        error = read_word(parser, "per");
    }
    struct parser before = *parser;
    if (error == 0) {
        error = read_size(parser, &part->program_per);
    }
    if (error == 0 && part->program_per == 0) {
        struct token token = next_token(&before);
        return expected(parser->error, token.place, "a size above 0");
    }
    return error != 0 ? error : read_maximum(parser, &part->t_program_max_us);
}

static int read_erase_time(struct parser *parser, struct flash_part *part)
{
    int error = read_time(parser, &part->t_erase_us);
    return error != 0 ? error : read_maximum(parser, &part->t_erase_max_us);
}

static int read_endurance(struct parser *parser, struct flash_part *part)
{
    struct parser before = *parser;
    int error = read_number(parser, &part->endurance, "a number of erase cycles");
    if (error == 0 && part->endurance == 0) {
        struct token token = next_token(&before);
        return expected(parser->error, token.place, "at least one erase cycle");
    }
    return error;
}

/* The rest of the line, '#' included. */
static int read_source(struct parser *parser, struct flash_part *part)
{
    struct token token = next_token(parser);
    while (!at_line_end(parser)) {
        parser->at++;
    }
    size_t length = (size_t)(parser->text + parser->at - token.text);
    while (length > 0 && is_space(token.text[length - 1])) {
        length--;
    }
    if (length == 0 || length >= sizeof part->source) {
        return expected(parser->error, token.place, "1 to 159 bytes of text: data sheet, section");
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)token.text[i];
        if (byte < ' ' || byte == 0x7F) {
            token.place.column += (unsigned)i;
            return expected(parser->error, token.place, "text without control characters");
        }
    }
    memcpy(part->source, token.text, length);
    return 0;
}

enum key {
    KEY_SIZE,
    KEY_ERASE,
    KEY_UNIT,
    KEY_PAGE,
    KEY_ERASED,
    KEY_PROGRAMS,
    KEY_ZERO,
    KEY_SAME_BITS,
    KEY_ECC,
    KEY_DISTURB,
    KEY_T_PROGRAM,
    KEY_T_ERASE,
    KEY_ENDURANCE,
    KEY_SOURCE,
    KEY_COUNT
};

static const struct {
    const char *name;
    int (*read)(struct parser *parser, struct flash_part *part);
    bool required;
} keys[KEY_COUNT] = {
    [KEY_SIZE] = {"size", read_total, true},
    [KEY_ERASE] = {"erase", read_run, true},
    [KEY_UNIT] = {"unit", read_unit, true},
    [KEY_PAGE] = {"page", read_page, false},
    [KEY_ERASED] = {"erased", read_erased, true},
    [KEY_PROGRAMS] = {"programs", read_programs, true},
    [KEY_ZERO] = {"reprogram-zero", read_zero, false},
    [KEY_SAME_BITS] = {"same-bits", read_same_bits, false},
    [KEY_ECC] = {"ecc", read_ecc, false},
    [KEY_DISTURB] = {"disturb", read_disturb, false},
    [KEY_T_PROGRAM] = {"t-program", read_program_time, true},
    [KEY_T_ERASE] = {"t-erase", read_erase_time, true},
    [KEY_ENDURANCE] = {"endurance", read_endurance, true},
    [KEY_SOURCE] = {"source", read_source, true},
};

/* Which key's line is to blame for a fault that several lines make together. */
static const enum key key_of_field[] = {
    [FLASH_FIELD_SIZE] = KEY_SIZE,          [FLASH_FIELD_RUNS] = KEY_ERASE,
    [FLASH_FIELD_UNIT] = KEY_UNIT,          [FLASH_FIELD_PAGE] = KEY_PAGE,
    [FLASH_FIELD_ERASED] = KEY_ERASED,      [FLASH_FIELD_PROGRAMS] = KEY_PROGRAMS,
    [FLASH_FIELD_ZERO] = KEY_ZERO,          [FLASH_FIELD_ECC] = KEY_ECC,
    [FLASH_FIELD_DISTURB] = KEY_DISTURB,    [FLASH_FIELD_PROGRAM_TIME] = KEY_T_PROGRAM,
    [FLASH_FIELD_ERASE_TIME] = KEY_T_ERASE,
};

/* ---- files ---- */

static int read_line(struct parser *parser, struct flash_part *part, struct place seen[KEY_COUNT])
{
    struct token name = next_token(parser);
    if (name.length == 0) {
        return 0;
    }
    int key = 0;
    while (key < KEY_COUNT && !token_is(&name, keys[key].name)) {
        key++;
    }
    if (key == KEY_COUNT) {
        return expected(parser->error, name.place,
                        "a key: size erase unit page erased programs reprogram-zero same-bits "
                        "ecc disturb t-program t-erase endurance source");
    }
    if (seen[key].line != 0 && key != KEY_ERASE) {
        char what[64];
        snprintf(what, sizeof what, "only one line '%s'", keys[key].name);
        return expected(parser->error, name.place, what);
    }
    struct parser value = *parser;
    seen[key] = next_token(&value).place;
    int error = keys[key].read(parser, part);
    if (error != 0) {
        return error;
    }
    struct token rest = next_token(parser);
    return rest.length == 0 ? 0 : expected(parser->error, rest.place, "the end of the line");
}

static int check_part(const struct parser *parser, const struct flash_part *part,
                      const struct place seen[KEY_COUNT])
{
    for (int key = 0; key < KEY_COUNT; key++) {
        if (keys[key].required && seen[key].line == 0) {
            char what[64];
            snprintf(what, sizeof what, "a line '%s' somewhere in the file", keys[key].name);
            return expected(parser->error, here(parser), what);
        }
    }
    enum flash_part_field field;
    const char *fault = flash_part_fault(part, &field);
    return fault == NULL ? 0 : expected(parser->error, seen[key_of_field[field]], fault);
}

int flash_part_parse(const char *text, size_t length, const char *name, struct flash_part *out,
                     struct flash_text_error *error)
{
    struct parser parser = {.text = text, .length = length, .line = 1, .error = error};
    struct place seen[KEY_COUNT] = {{0, 0}};
    struct flash_part part = {0};
    *error = (struct flash_text_error){0};
    if (name[0] == '\0' || strlen(name) >= sizeof part.name) {
        return expected(error, (struct place){0, 0}, "a part name of 1 to 31 bytes");
    }
    strcpy(part.name, name);
    while (parser.at < length) {
        int result = read_line(&parser, &part, seen);
        if (result != 0) {
            return result;
        }
        while (!at_line_end(&parser)) {
            parser.at++;
        }
        if (parser.at < length) {
            parser.at++;
            parser.line++;
            parser.line_start = parser.at;
        }
    }
    int result = check_part(&parser, &part, seen);
    if (result == 0) {
        *out = part;
    }
    return result;
}

static bool is_part_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return length > 0 && name[length] == '\0' && name[0] != '.';
}

int flash_part_load(const char *dir, const char *name, struct flash_part *out,
                    struct flash_text_error *error)
{
    *error = (struct flash_text_error){0};
    if (!is_part_name(name)) {
        return expected(error, (struct place){0, 0}, "a part name: letters, digits, - _ .");
    }
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s.part", dir, name);
    FILE *file = (size_t)length < sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        snprintf(error->message, sizeof error->message, "cannot open: %s",
                 (size_t)length < sizeof path ? strerror(errno) : strerror(ENAMETOOLONG));
        return OTA_E_IO;
    }
    static const char too_long[] = "file is longer than 64 KiB";
    char text[MAX_FILE];
    size_t got = fread(text, 1, sizeof text, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    fclose(file);
    if (failed || got == sizeof text) {
        snprintf(error->message, sizeof error->message, "cannot read: %s",
                 failed ? strerror(reason) : too_long);
        return OTA_E_IO;
    }
    return flash_part_parse(text, got, name, out, error);
}
