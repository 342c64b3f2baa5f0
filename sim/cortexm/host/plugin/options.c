#include "sim/cortexm/host/plugin/options.h"

#include "sim/device_layout.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct plugin_options *options;
    const char *argument; /* the present one, whole */
    char *why;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct parser *parser,
                                                      const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(parser->why, parser->size, "%s: %s", parser->argument, text);
    return OTA_E_ARGUMENT;
}

/* The number at *text; *text moves behind it. */
static bool number(const char **text, uint32_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    bool hex = (*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X');
    unsigned long long value = strtoull(*text, &end, hex ? 16 : 10);
    *text = end;
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

static int whole_number(const struct parser *parser, const char *text, uint32_t *out)
{
    return number(&text, out) && *text == '\0' ? 0 : fail(parser, "expected a number");
}

static int set_text(const char *value, const char **out)
{
    *out = value;
    return 0;
}

/* ---- keys -------------------------------------------------------------------------------- */

static int set_flash(struct parser *parser, const char *value)
{
    return set_text(value, &parser->options->flash);
}

static int set_parts(struct parser *parser, const char *value)
{
    return set_text(value, &parser->options->parts);
}

static int set_journal(struct parser *parser, const char *value)
{
    return set_text(value, &parser->options->journal);
}

static int set_events(struct parser *parser, const char *value)
{
    return set_text(value, &parser->options->events);
}

static int add_part(struct parser *parser, const char *value)
{
    struct plugin_options *options = parser->options;
    struct flash_text_error error;
    char name[FLASH_PART_NAME];
    size_t length = strcspn(value, ":");
    if (options->parts == NULL)
        return fail(parser, "parts= must come before it");
    if (options->chip_count == FLASH_MAX_CHIPS)
        return fail(parser, "more than %d parts", FLASH_MAX_CHIPS);
    if (length >= sizeof name)
        return fail(parser, "the name is too long");
    memcpy(name, value, length);
    name[length] = '\0';
    struct flash_chip *chip = &options->chips[options->chip_count];
    if (flash_part_load(options->parts, name, &chip->part, &error) != 0)
        return error.line == 0
                   ? fail(parser, "%s", error.message)
                   : fail(parser, "line %u:%u: %s", error.line, error.column, error.message);
    uint32_t size;
    if (value[length] == ':') {
        if (whole_number(parser, value + length + 1, &size) != 0)
            return OTA_E_ARGUMENT;
        if (sim_layout_cut(&chip->part, size) != 0)
            return fail(parser, "%u bytes are not whole sectors of the part's %u", size,
                        chip->part.size);
    }
    chip->start = options->chip_count == 0 ? 0 : (chip - 1)->start + (chip - 1)->part.size;
    if (chip->part.size > PLUGIN_WINDOW_SIZE - chip->start)
        return fail(parser, "the parts do not fit into the window of %u bytes", PLUGIN_WINDOW_SIZE);
    options->chip_count++;
    return 0;
}

static int set_base(struct parser *parser, const char *value)
{
    return whole_number(parser, value, &parser->options->base);
}

static int add_fixed(struct parser *parser, const char *value)
{
    struct plugin_options *options = parser->options;
    struct plugin_range range;
    if (options->fixed_count == PLUGIN_MAX_FIXED)
        return fail(parser, "more than %d ranges", PLUGIN_MAX_FIXED);
    if (!number(&value, &range.address) || *value++ != ':' || !number(&value, &range.size) ||
        *value != '\0')
        return fail(parser, "expected ADDRESS:SIZE");
    options->fixed[options->fixed_count++] = range;
    return 0;
}

static int set_doorbell(struct parser *parser, const char *value)
{
    parser->options->has_doorbell = true;
    return whole_number(parser, value, &parser->options->doorbell);
}

static int set_marks(struct parser *parser, const char *value)
{
    int result = whole_number(parser, value, &parser->options->marks);
    if (result == 0 && parser->options->marks % PLUGIN_MARKS_SIZE != 0)
        return fail(parser, "expected a multiple of %u", PLUGIN_MARKS_SIZE);
    return result;
}

static int set_first(struct parser *parser, const char *value)
{
    return whole_number(parser, value, &parser->options->first);
}

static int set_cut(struct parser *parser, const char *value)
{
    struct plugin_options *options = parser->options;
    static const char form[] = "expected store:NUMBER or op:NUMBER:TEAR";
    if (strncmp(value, "store:", 6) == 0) {
        options->cut = PLUGIN_CUT_STORE;
        return whole_number(parser, value + 6, &options->cut_number);
    }
    if (strncmp(value, "op:", 3) != 0)
        return fail(parser, "%s", form);
    value += 3;
    if (!number(&value, &options->cut_number) || *value++ != ':')
        return fail(parser, "%s", form);
    options->cut = PLUGIN_CUT_OPERATION;
    options->cut_tear = flash_tear_from_word(value, strlen(value));
    if (options->cut_tear == FLASH_TEAR_COUNT || options->cut_tear == FLASH_TEAR_NONE)
        return fail(parser, "flashsim has no tear '%s'", value);
    return 0;
}

static int set_fail(struct parser *parser, const char *value)
{
    static const char *const kinds[] = {[FLASH_FAIL_ERROR] = "error",
                                        [FLASH_FAIL_SILENT] = "silent",
                                        [FLASH_FAIL_PARTIAL] = "partial"};
    struct plugin_options *options = parser->options;
    options->fails = true;
    if (!number(&value, &options->fail_number) || *value++ != ':')
        return fail(parser, "expected NUMBER:KIND");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(value, kinds[i]) == 0) {
            options->failure = (enum flash_failure)i;
            return 0;
        }
    }
    return fail(parser, "no such kind; there are error, silent and partial");
}

static const struct {
    const char *name;
    int (*set)(struct parser *parser, const char *value);
} keys[] = {
    {"flash", set_flash}, {"parts", set_parts},       {"part", add_part},     {"base", set_base},
    {"fixed", add_fixed}, {"doorbell", set_doorbell}, {"first", set_first},   {"marks", set_marks},
    {"cut", set_cut},     {"journal", set_journal},   {"events", set_events}, {"fail", set_fail},
};

static int parse_one(struct parser *parser)
{
    size_t length = strcspn(parser->argument, "=");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strlen(keys[i].name) == length &&
            strncmp(keys[i].name, parser->argument, length) == 0 && parser->argument[length] == '=')
            return keys[i].set(parser, parser->argument + length + 1);
    }
    return fail(parser, "no such argument");
}

int plugin_options_parse(struct plugin_options *options, int count, char *const *arguments,
                         char *why, size_t size)
{
    struct parser parser = {.options = options, .why = why, .size = size};
    *options = (struct plugin_options){.base = PLUGIN_WINDOW_BASE};
    for (int i = 0; i < count; i++) {
        parser.argument = arguments[i];
        int result = parse_one(&parser);
        if (result != 0)
            return result;
    }
    if (options->flash == NULL || options->chip_count == 0) {
        snprintf(why, size, "%s is missing", options->flash == NULL ? "flash=FILE" : "part=NAME");
        return OTA_E_ARGUMENT;
    }
    const struct flash_chip *last = &options->chips[options->chip_count - 1];
    if (options->marks != 0 && (options->marks < last->start + last->part.size ||
                                options->marks > PLUGIN_WINDOW_SIZE - PLUGIN_MARKS_SIZE)) {
        snprintf(why, size, "marks=0x%X: does not lie between the chips and the window's end",
                 options->marks);
        return OTA_E_ARGUMENT;
    }
    if (options->fails && (options->marks == 0 || !options->has_doorbell)) {
        snprintf(why, size, "fail=%u: without doorbell= and marks= no driver is told",
                 options->fail_number);
        return OTA_E_ARGUMENT;
    }
    return 0;
}
