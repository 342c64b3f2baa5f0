#include "harness/script/script.h"
#include "harness/files/files.h"
#include "harness/script/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS    40
#define MAX_SCRIPT   (256u * 1024u)
#define MAX_EXPECTED 24

struct word {
    const char *at;
    size_t length;
};

struct parser {
    struct nb_script *script;
    struct flash_text_error *error;
    unsigned line;
    const char *start;                /* of the line */
    const char *end;                  /* without comment and trailing blanks */
    struct word words[MAX_WORDS + 1]; /* the last one: empty, at the end of the line */
    size_t word_count;
    int latest[NB_MAX_NUMBER + 1];
    bool given[NB_HEADER_LOADER + 1];
    unsigned armed_line; /* of a fault that no device step has taken up yet */
    bool armed_cloud;    /* … and only `device check` can */
    unsigned flash_line; /* of a flash fault among them */
    unsigned sweep_line; /* of `@flash:* cut` */
    unsigned prove_line; /* of `prove` */
    bool rests[2];       /* and the `until` lines behind it: stable, reported */
    bool ran_before;     /* a device step stands before it */
    bool troubled;       /* faults of cloud or network do */
    bool device_ran;
    unsigned checks_line; /* of the first expectation */
};

/* What would have been understood at the furthest word that any pattern reached. */
struct furthest {
    size_t word;
    const char *expected[MAX_EXPECTED];
    char literals[MAX_EXPECTED][NB_WORD];
    size_t count;
    char complaint[120];
};

__attribute__((format(printf, 3, 4))) static int fail(struct parser *p, const char *at,
                                                      const char *format, ...)
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
static int split(struct parser *p, const char *start, const char *end)
{
    p->start = start;
    p->word_count = 0;
    for (const char *c = start; c < end; c++) {
        if (*c == '#' && (c == start || blank(c[-1]))) {
            end = c;
            break;
        }
        if ((unsigned char)*c < ' ' && *c != '\t')
            return fail(p, c, "control character 0x%02x", (unsigned char)*c);
    }
    while (end > start && blank(end[-1]))
        end--;
    p->end = end;
    for (const char *c = start; c < end;) {
        if (blank(*c)) {
            c++;
            continue;
        }
        if (p->word_count == MAX_WORDS)
            return fail(p, c, "more than %d words in a line", MAX_WORDS);
        struct word *word = &p->words[p->word_count++];
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

static bool take_word(const struct parser *p, const struct element *element, size_t at,
                      struct nb_line *line)
{
    const struct word *word = &p->words[at];
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
static bool match(const struct parser *p, const struct nb_script_verb *verb, struct nb_line *line,
                  struct furthest *far)
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

static int not_understood(struct parser *p, const struct furthest *far)
{
    char expected[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < far->count && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s",
                                 i == 0                ? ""
                                 : i + 1 == far->count ? " or "
                                                       : ", ",
                                 far->expected[i]);
    const struct word *word = &p->words[far->word];
    char shown[NB_WORD];
    snprintf(shown, sizeof shown, "%.*s", (int)(word->length < 24 ? word->length : 24), word->at);
    if (far->complaint[0])
        return fail(p, word->at, "%s: %s", shown, far->complaint);
    if (far->count == 0)
        return fail(p, word->at, "'%s' is too much: expected the end of the line", shown);
    if (far->word == 0) /* so many may begin a line that a list would not fit */
        return fail(p, word->at, "'%s' begins no line here: see nobrick list verbs", shown);
    if (word->length == 0)
        return fail(p, word->at, "the line ends too early: expected %s", expected);
    return fail(p, word->at, "'%s' is not understood here: expected %s", shown, expected);
}

/* ---- lines ------------------------------------------------------------------------------- */

static int header_line(struct parser *p, const struct nb_line *line)
{
    struct nb_script *script = p->script;
    enum nb_header header = (enum nb_header)line->verb->kind;
    if (script->step_count)
        return fail(p, p->words[0].at, "'%.*s' is a header line: expected before the first step",
                    (int)p->words[0].length, p->words[0].at);
    if (p->given[header])
        return fail(p, p->words[0].at, "'%.*s' was given before", (int)p->words[0].length,
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
            return fail(p, p->words[1].at, "expected 1 to %d devices", NB_DEVICES);
    } else if (header == NB_HEADER_CONFORMANCE) {
        script->nginx = p->line;
    } else if (header == NB_HEADER_AGENT) {
        script->agent = line->agent;
    } else {
        script->loader = line->switches;
    }
    return 0;
}

static int new_image(struct parser *p, const struct nb_image *image, int *index)
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

static bool is_fault(enum nb_step_kind kind)
{
    return kind >= NB_FAULT_CUT && kind <= NB_FAULT_NET;
}

static bool is_until(enum nb_step_kind kind)
{
    return kind == NB_UNTIL_STABLE || kind == NB_UNTIL_REPORTED;
}

static bool is_device(enum nb_step_kind kind)
{
    return (kind >= NB_DEVICE_LIVE && kind <= NB_DEVICE_FORGET) || is_until(kind) ||
           kind == NB_PROVE;
}

/* Faults that meet no device step, or each other, would hide that they never fired. */
static int arm(struct parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    bool flash = step->kind == NB_FAULT_CUT || step->kind == NB_FAULT_FAIL;
    if (flash && p->script->devices > 1)
        return fail(p, at, "a flash fault is for one device: expected no 'devices' line");
    if (flash && p->flash_line)
        return fail(p, at, "line %u has a flash fault for the same device step: expected one",
                    p->flash_line);
    if (step->all && p->sweep_line)
        return fail(p, at, "line %u sweeps already: expected one '@flash:*' in a script",
                    p->sweep_line);
    p->armed_line = p->line;
    p->armed_cloud = p->armed_cloud || !flash;
    if (flash)
        p->flash_line = p->line;
    if (step->all)
        p->sweep_line = p->line;
    return 0;
}

/* `prove` cuts by itself, and all that follows it is what runs in the end. */
static int order_proof(struct parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    if (p->prove_line) {
        bool *rests = &p->rests[step->kind == NB_UNTIL_REPORTED];
        if (!is_until(step->kind) || *rests)
            return fail(p, at,
                        "line %u ends the script: expected at most one 'until' behind 'prove'",
                        p->prove_line);
        *rests = true;
    }
    if (step->kind != NB_PROVE)
        return 0;
    if (p->flash_line || p->sweep_line)
        return fail(p, at, "'prove' cuts the power by itself: expected no fault in line %u",
                    p->flash_line ? p->flash_line : p->sweep_line);
    p->prove_line = p->line;
    p->ran_before = p->device_ran;
    p->troubled = p->armed_cloud;
    return 0;
}

/* At what happened in the device step before. */
static bool looks_back(enum nb_step_kind kind)
{
    return kind == NB_EXPECT || (kind >= NB_EXPECT_WEAR && kind <= NB_EXPECT_TOPICS);
}

/* A fault must meet a device step, an expectation must follow one. */
static int order(struct parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    int wrong = order_proof(p, step);
    if (wrong)
        return wrong;
    if (is_fault(step->kind)) {
        int rc = arm(p, step);
        if (rc)
            return rc;
    } else if (p->armed_line && is_until(step->kind)) {
        return fail(p, at,
                    "'until' runs without faults: expected the device step that the fault "
                    "of line %u is for",
                    p->armed_line);
    } else if (is_device(step->kind)) {
        if (p->armed_line && p->armed_cloud && step->kind > NB_DEVICE_CHECK &&
            step->kind != NB_PROVE)
            return fail(p, at, "the fault of line %u needs a 'device check' next", p->armed_line);
        p->armed_line = 0;
        p->flash_line = 0;
        p->armed_cloud = false;
        p->device_ran = true;
    } else if (!p->device_ran && looks_back(step->kind)) {
        return fail(p, at, "nothing can have happened yet: expected a device step before this");
    } else if (p->armed_line) {
        return fail(p, at, "expected the device step that the fault of line %u is for",
                    p->armed_line);
    }
    bool checks = looks_back(step->kind) || step->kind == NB_EXPECT_FLASH || is_until(step->kind) ||
                  step->kind == NB_PROVE;
    if (checks && p->checks_line == 0)
        p->checks_line = p->line;
    return 0;
}

static void squeeze(const struct parser *p, char out[NB_TEXT])
{
    size_t used = 0;
    for (size_t i = 0; i < p->word_count && used < NB_TEXT; i++)
        used += (size_t)snprintf(out + used, NB_TEXT - used, "%s%.*s", i ? " " : "",
                                 (int)p->words[i].length, p->words[i].at);
}

static int step_line(struct parser *p, struct nb_line *line)
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
    if (step->kind == NB_FAULT_NET)
        nb_fault_complete(&step->fault, (enum nb_fault_kind)line->verb->variant);
    step->line = p->line;
    squeeze(p, step->text);
    int rc = order(p, step);
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
static int try_verbs(struct parser *p, bool headers, struct furthest *far)
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

static int parse_line(struct parser *p, const char *start, const char *end)
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

/* Is every value of the list one that these letters begin? */
static bool all_begin(const struct nb_list *list, const char *letters)
{
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i], letters, strlen(letters)) != 0)
            return false;
    return true;
}

/* What does not go together with `prove`, or NULL. */
static const char *wrong_proof(const struct parser *p)
{
    const struct nb_script *script = p->script;
    const struct nb_step *step = script->steps;
    while (step->kind != NB_PROVE)
        step++;
    if (!script->needs_cloud)
        return p->troubled ? "faults of the network are for a cloud: expected 'cloud offer'" : NULL;
    if (p->ran_before)
        return "with a cloud 'prove' begins at the first power-on: expected no device step before";
    if (step->pending || step->permanent || step->confirmed)
        return "with a cloud the application decides itself: expected 'prove boot VERSIONS'";
    return script->devices > 1 ? "'prove' is about one device: expected no 'devices' line" : NULL;
}

static int whole(struct parser *p)
{
    const struct nb_script *script = p->script;
    p->start = "";
    if (p->armed_line) {
        p->line = p->armed_line;
        return fail(p, p->start, "no device step follows this fault: it can never happen");
    }
    if (!p->given[NB_HEADER_TITLE])
        return fail(p, p->start, "the script has no title: expected 'title TEXT'");
    if (!p->checks_line)
        return fail(p, p->start, "the script checks nothing: expected an 'expect' or 'until' line");
    if (!p->device_ran) {
        p->line = p->checks_line;
        return fail(p, p->start, "no device step: this sees only what the script itself put down");
    }
    const char *proof = p->prove_line ? wrong_proof(p) : NULL;
    if (proof) {
        p->line = p->prove_line;
        return fail(p, p->start, "%s", proof);
    }
    if (script->nginx && (!script->needs_cloud || !script->data.count || script->agent.direct ||
                          !all_begin(&script->data, "http") || !all_begin(&script->via, "mqtt"))) {
        p->line = script->nginx;
        return fail(p, p->start,
                    "nginx serves images only: expected a job by mqtt, and 'data http', "
                    "'data https' or both");
    }
    if (script->devices > 1 && !script->needs_cloud)
        return fail(p, p->start, "'devices' are for a cloud: expected a 'device check'");
    if (script->device.line && (script->part.line || script->scheme.line || script->slot_size)) {
        p->line = script->device.line;
        return fail(p, p->start,
                    "'device' has its own parts and slots: expected no part, scheme "
                    "or slot line beside it");
    }
    return 0;
}

int nb_script_parse(const char *text, size_t length, const char *path, struct nb_script *out,
                    struct flash_text_error *error)
{
    memset(out, 0, sizeof *out);
    memset(error, 0, sizeof *error);
    snprintf(out->path, sizeof out->path, "%s", path);
    struct parser *p = calloc(1, sizeof *p);
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
        rc = whole(p);
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
    for (size_t i = 0; i < script->step_count && !is_device(script->steps[i].kind); i++) {
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
