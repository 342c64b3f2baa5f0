#include "harness/script/script.h"
#include "harness/files/files.h"
#include "harness/script/parser.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPT   (256u * 1024u)
#define MAX_EXPECTED 24

/* What would have been understood at the furthest word that any pattern reached. */
struct furthest {
    size_t word;
    const char *expected[MAX_EXPECTED];
    char literals[MAX_EXPECTED][NB_WORD];
    size_t count;
    char complaint[120];
};

int nb_parser_fail(struct nb_parser *p, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->error->message, sizeof p->error->message, format, arguments);
    va_end(arguments);
    p->error->line = p->line;
    p->error->column = (unsigned)(at - p->start) + 1;
    return OTA_E_ARGUMENT;
}

/* ---- words ------------------------------------------------------------------------------- */

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts the line at its comment and into words. */
static int split(struct nb_parser *p, const char *start, const char *end)
{
    p->start = start;
    p->word_count = 0;
    for (const char *c = start; c < end; c++) {
        if (*c == '#' && (c == start || blank(c[-1]))) {
            end = c;
            break;
        }
        if ((unsigned char)*c < ' ' && *c != '\t')
            return nb_parser_fail(p, c, "control character 0x%02x", (unsigned char)*c);
    }
    while (end > start && blank(end[-1]))
        end--;
    p->end = end;
    for (const char *c = start; c < end;) {
        if (blank(*c)) {
            c++;
            continue;
        }
        if (p->word_count == NB_MAX_WORDS)
            return nb_parser_fail(p, c, "more than %d words in a line", NB_MAX_WORDS);
        struct nb_parser_word *word = &p->words[p->word_count++];
        word->at = c;
        while (c < end && !blank(*c))
            c++;
        word->length = (size_t)(c - word->at);
    }
    p->words[p->word_count].at = end;
    p->words[p->word_count].length = 0;
    return 0;
}

/* ---- patterns ---------------------------------------------------------------------------- */

struct element {
    const char *text; /* literal or prefix */
    size_t text_length;
    const struct nb_word_class *class; /* NULL: a literal */
    bool optional;
    bool repeats;
};

/* Reads the next element of a pattern. False at its end. */
static bool next_element(const char **pattern, struct element *out)
{
    const char *c = *pattern;
    while (*c == ' ')
        c++;
    if (!*c)
        return false;
    memset(out, 0, sizeof *out);
    out->optional = *c == '[';
    c += out->optional ? 1 : 0;
    out->text = c;
    while (*c && *c != ' ' && *c != ']' && *c != '.' && !isupper((unsigned char)*c))
        c++;
    out->text_length = (size_t)(c - out->text);
    const char *class = c;
    while (isupper((unsigned char)*c))
        c++;
    if (c > class)
        out->class = nb_word_class(class, (size_t)(c - class));
    out->repeats = *c == '.';
    while (*c && *c != ' ')
        c++;
    *pattern = c;
    return true;
}

static void note_expected(struct furthest *far, size_t at, const struct element *element)
{
    if (at < far->word || (at == far->word && far->count == MAX_EXPECTED))
        return;
    if (at > far->word) {
        far->word = at;
        far->count = 0;
        far->complaint[0] = '\0';
    }
    char *literal = far->literals[far->count];
    snprintf(literal, NB_WORD, "%.*s%s", (int)element->text_length, element->text,
             element->class && element->text_length ? element->class->name : "");
    const char *expected =
        element->class && element->text_length == 0 ? element->class->expected : literal;
    for (size_t i = 0; i < far->count; i++)
        if (strcmp(far->expected[i], expected) == 0)
            return;
    far->expected[far->count++] = expected;
}

static bool take_word(const struct nb_parser *p, const struct element *element, size_t at,
                      struct nb_line *line)
{
    const struct nb_parser_word *word = &p->words[at];
    size_t prefix = element->text_length;
    if (word->length < prefix || memcmp(word->at, element->text, prefix) != 0)
        return false;
    if (!element->class)
        return word->length == prefix && prefix > 0;
    if (strcmp(element->class->name, "TEXT") == 0)
        return word->length && element->class->take(line, word->at, (size_t)(p->end - word->at));
    return word->length > prefix &&
           element->class->take(line, word->at + prefix, word->length - prefix);
}

/* Tries one pattern on the line. */
static bool match(const struct nb_parser *p, const struct nb_script_verb *verb,
                  struct nb_line *line, struct furthest *far)
{
    const char *pattern = verb->pattern;
    struct element element;
    size_t at = 0;
    while (next_element(&pattern, &element)) {
        size_t taken = 0;
        bool text = element.class && strcmp(element.class->name, "TEXT") == 0;
        while (at < p->word_count && (taken == 0 || element.repeats)) {
            line->complaint[0] = '\0';
            if (!take_word(p, &element, at, line))
                break;
            at = text ? p->word_count : at + 1;
            taken++;
        }
        if (taken == 0 || element.repeats)
            note_expected(far, at, &element);
        if (line->complaint[0] && at == far->word)
            memcpy(far->complaint, line->complaint, sizeof far->complaint);
        if (line->complaint[0] || (taken == 0 && !element.optional))
            return false;
    }
    if (at < p->word_count && at > far->word) {
        far->word = at;
        far->count = 0;
        far->complaint[0] = '\0';
    }
    return at == p->word_count;
}

static int not_understood(struct nb_parser *p, const struct furthest *far)
{
    char expected[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < far->count && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s",
                                 i == 0                ? ""
                                 : i + 1 == far->count ? " or "
                                                       : ", ",
                                 far->expected[i]);
    const struct nb_parser_word *word = &p->words[far->word];
    char shown[NB_WORD];
    snprintf(shown, sizeof shown, "%.*s", (int)(word->length < 24 ? word->length : 24), word->at);
    if (far->complaint[0])
        return nb_parser_fail(p, word->at, "%s: %s", shown, far->complaint);
    if (far->count == 0)
        return nb_parser_fail(p, word->at, "'%s' is too much: expected the end of the line", shown);
    if (far->word == 0) /* so many may begin a line that a list would not fit */
        return nb_parser_fail(p, word->at, "'%s' begins no line here: see nobrick list verbs",
                              shown);
    if (word->length == 0)
        return nb_parser_fail(p, word->at, "the line ends too early: expected %s", expected);
    return nb_parser_fail(p, word->at, "'%s' is not understood here: expected %s", shown, expected);
}

/* ---- lines ------------------------------------------------------------------------------- */

static int header_line(struct nb_parser *p, const struct nb_line *line)
{
    struct nb_script *script = p->script;
    enum nb_header header = (enum nb_header)line->verb->kind;
    if (script->step_count)
        return nb_parser_fail(p, p->words[0].at,
                              "'%.*s' is a header line: expected before the first step",
                              (int)p->words[0].length, p->words[0].at);
    if (p->given[header])
        return nb_parser_fail(p, p->words[0].at, "'%.*s' was given before", (int)p->words[0].length,
                              p->words[0].at);
    p->given[header] = true;
    struct nb_list *list = nb_header_list(script, header);
    if (list) {
        *list = line->list;
        list->line = p->line;
    } else if (header == NB_HEADER_TITLE) {
        snprintf(script->title, sizeof script->title, "%.*s", NB_TEXT - 1, line->step.raw_text);
    } else if (header == NB_HEADER_SLOT) {
        script->slot_size = line->bytes;
    } else if (header == NB_HEADER_DEVICES) {
        script->devices = line->step.value;
        if (script->devices < 1 || script->devices > NB_DEVICES)
            return nb_parser_fail(p, p->words[1].at, "expected 1 to %d devices", NB_DEVICES);
    } else if (header == NB_HEADER_CONFORMANCE) {
        script->nginx = p->line;
    } else if (header == NB_HEADER_AGENT) {
        script->agent = line->agent;
    } else {
        script->loader = line->switches;
    }
    return 0;
}

static int new_image(struct nb_parser *p, const struct nb_image *image, int *index)
{
    struct nb_script *script = p->script;
    struct nb_image *grown =
        realloc(script->images, (script->image_count + 1) * sizeof *script->images);
    if (!grown)
        return OTA_E_NO_SPACE;
    script->images = grown;
    grown[script->image_count] = *image;
    *index = (int)script->image_count++;
    if (image->number)
        p->latest[image->number] = *index;
    return 0;
}

static void squeeze(const struct nb_parser *p, char out[NB_TEXT])
{
    size_t used = 0;
    for (size_t i = 0; i < p->word_count && used < NB_TEXT; i++)
        used += (size_t)snprintf(out + used, NB_TEXT - used, "%s%.*s", i ? " " : "",
                                 (int)p->words[i].length, p->words[i].at);
}

static int step_line(struct nb_parser *p, struct nb_line *line)
{
    struct nb_script *script = p->script;
    struct nb_step *step = &line->step;
    bool expects = line->verb->group == NB_GROUP_EXPECT;
    step->kind = expects ? NB_EXPECT : (enum nb_step_kind)line->verb->kind;
    if (expects) {
        step->expect.kind = (enum nb_expect_kind)line->verb->kind;
        step->expect.never = line->verb->variant != 0;
    }
    step->chunk_fault = (enum nb_chunk_fault)line->verb->variant;
    step->all = (step->kind == NB_FAULT_CUT || step->kind == NB_FAULT_FAIL) &&
                p->words[0].at[p->words[0].length - 1] == '*';
    if (step->kind == NB_DEVICE_PENDING)
        step->permanent = p->word_count == 3;
    if (step->kind == NB_DEVICE_CHECK)
        step->initiate = p->word_count == 3;
    if (step->kind == NB_FAULT_NET)
        nb_fault_complete(&step->fault, (enum nb_fault_kind)line->verb->variant);
    step->line = p->line;
    squeeze(p, step->text);
    int rc = nb_parser_order(p, step);
    if (rc == 0 && line->names_image) {
        step->image = line->image.number ? p->latest[line->image.number] : -1;
        if (line->has_options || step->image < 0)
            rc = new_image(p, &line->image, &step->image);
    }
    if (rc)
        return rc;
    script->needs_cloud =
        script->needs_cloud || step->kind <= NB_DEVICE_CHECK || step->kind == NB_UNTIL_REPORTED;
    script->needs_proxy =
        script->needs_proxy || step->kind == NB_FAULT_NET || step->kind == NB_EXPECT_TRAFFIC;
    script->uses_goldens = script->uses_goldens || line->image.file[0];
    struct nb_step *grown =
        realloc(script->steps, (script->step_count + 1) * sizeof *script->steps);
    if (!grown)
        return OTA_E_NO_SPACE;
    script->steps = grown;
    grown[script->step_count++] = *step;
    return 0;
}

/* Tries the verbs of one half of the table. 1: the line is done; 0: none fits. */
static int try_verbs(struct nb_parser *p, bool headers, struct furthest *far)
{
    const struct nb_known known = {p->script->images, p->latest};
    for (size_t i = 0; i < nb_script_verb_count; i++) {
        struct nb_line line = {.known = &known, .verb = &nb_script_verbs[i]};
        if ((line.verb->group == NB_GROUP_HEADER) != headers)
            continue;
        line.step.image = -1;
        if (line.verb->group == NB_GROUP_FAULT)
            line.step.tear = FLASH_TEAR_COUNT;
        if (!match(p, line.verb, &line, far))
            continue;
        int rc = headers ? header_line(p, &line) : step_line(p, &line);
        return rc ? rc : 1;
    }
    return 0;
}

static int parse_line(struct nb_parser *p, const char *start, const char *end)
{
    int rc = split(p, start, end);
    if (rc || p->word_count == 0)
        return rc;
    struct furthest far = {0};
    /* `device` begins both: as a header line only before the first step, and when no step fits. */
    rc = try_verbs(p, false, &far);
    if (rc == 0 && p->script->step_count == 0)
        rc = try_verbs(p, true, &far);
    if (rc)
        return rc < 0 ? rc : 0;
    struct furthest late = {0};
    if (far.word == 0 && p->script->step_count && try_verbs(p, true, &late) < 0)
        return OTA_E_ARGUMENT;
    return not_understood(p, &far);
}

/* ---- whole scripts ----------------------------------------------------------------------- */

int nb_script_parse(const char *text, size_t length, const char *path, struct nb_script *out,
                    struct flash_text_error *error)
{
    memset(out, 0, sizeof *out);
    memset(error, 0, sizeof *error);
    snprintf(out->path, sizeof out->path, "%s", path);
    struct nb_parser *p = calloc(1, sizeof *p);
    if (!p)
        return OTA_E_NO_SPACE;
    p->script = out;
    out->devices = 1;
    p->error = error;
    for (size_t i = 0; i <= NB_MAX_NUMBER; i++)
        p->latest[i] = -1;
    /* What a device holds when nothing else is said. */
    const struct nb_image factory = {.number = 1, .version = {.major = 1}};
    int index = 0;
    int rc = new_image(p, &factory, &index);
    const char *end = text + length;
    for (const char *c = text; rc == 0 && c < end;) {
        const char *stop = memchr(c, '\n', (size_t)(end - c));
        if (!stop)
            stop = end;
        p->line++;
        rc = parse_line(p, c, stop > c && stop[-1] == '\r' ? stop - 1 : stop);
        c = stop + 1;
    }
    if (rc == 0) {
        p->line++;
        rc = nb_parser_whole(p);
    }
    free(p);
    if (rc)
        nb_script_free(out);
    return rc;
}

/* Prints `path:line:column: message`, the line and a caret. */
static void print_error(const char *path, const char *text, size_t length,
                        const struct flash_text_error *error)
{
    fprintf(stderr, "%s:%u:%u: %s\n", path, error->line, error->column, error->message);
    const char *end = text + length;
    for (unsigned line = 1; line < error->line && text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        text = stop ? stop + 1 : end;
    }
    const char *stop = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
    int shown = (int)((stop ? stop : end) - text);
    if (shown == 0)
        return;
    fprintf(stderr, "  %.*s\n  ", shown, text);
    for (unsigned i = 1; i < error->column; i++)
        fputc(i <= (unsigned)shown && text[i - 1] == '\t' ? '\t' : ' ', stderr);
    fputs("^\n", stderr);
}

int nb_script_load(const char *path, struct nb_script *out, struct flash_text_error *error)
{
    uint8_t *text = NULL;
    size_t length = 0;
    memset(error, 0, sizeof *error);
    int rc = nb_read_file(path, MAX_SCRIPT, &text, &length);
    if (rc) {
        snprintf(error->message, sizeof error->message, "%s", strerror(errno));
        fprintf(stderr, "%s: %s\n", path, error->message);
        return rc;
    }
    rc = nb_script_parse((const char *)text, length, path, out, error);
    if (rc == OTA_E_ARGUMENT)
        print_error(path, (const char *)text, length, error);
    else if (rc)
        fprintf(stderr, "%s: %s\n", path, ota_err_text(rc));
    free(text);
    return rc;
}

bool nb_script_proves(const struct nb_script *script)
{
    for (size_t i = 0; i < script->step_count; i++)
        if (script->steps[i].kind == NB_PROVE)
            return true;
    return false;
}

void nb_script_free(struct nb_script *script)
{
    free(script->images);
    free(script->steps);
    script->images = NULL;
    script->steps = NULL;
    script->image_count = 0;
    script->step_count = 0;
}

const struct nb_image *nb_script_factory(const struct nb_script *script)
{
    for (size_t i = 0; i < script->step_count && !nb_step_runs_device(script->steps[i].kind); i++) {
        const struct nb_step *step = &script->steps[i];
        if ((step->kind == NB_FLASH_IMAGE || step->kind == NB_FLASH_ERASE) && step->slot == 0)
            return NULL;
    }
    return &script->images[0];
}

const struct nb_image *nb_script_image(const struct nb_script *script, unsigned number)
{
    for (size_t i = script->image_count; i-- > 0;)
        if (script->images[i].number == number)
            return &script->images[i];
    return NULL;
}
