#include "harness/prove/shrink.h"
#include "harness/run/matrix.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_STEPS 100u /* in which a number becomes smaller */

struct attempt {
    struct nb_explorer *explorer;
    struct nb_shrunk *out;
    char reason[NB_LINE]; /* to be kept */
};

/* ---- reasons ----------------------------------------------------------------------------- */

bool nb_same_reason(const char *a, const char *b)
{
    for (;;) {
        bool number = isdigit((unsigned char)*a) && isdigit((unsigned char)*b);
        if (number) {
            while (isdigit((unsigned char)*a))
                a++;
            while (isdigit((unsigned char)*b))
                b++;
        }
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

static bool is_failure(const struct nb_outcome *outcome)
{
    return outcome->verdict == NB_FAIL || outcome->verdict == NB_ERROR;
}

/* Does this fail in the same way? Then it is what there is from now on. */
static bool accept(struct attempt *a, uint64_t seed, const struct nb_drawn *drawn, size_t count)
{
    struct flash_text_error error;
    struct nb_outcome outcome = {0};
    if (nb_explorer_arm(a->explorer, drawn, count, &error) != 0)
        return false;
    nb_explorer_play_apart(a->explorer, seed, &outcome);
    a->out->plays++;
    if (!is_failure(&outcome) || !nb_same_reason(outcome.reason, a->reason))
        return false;
    char *script = strdup(nb_explorer_script(a->explorer));
    if (!script)
        return false;
    free(a->out->script);
    a->out->script = script;
    a->out->seed = seed;
    if (drawn != a->out->drawn)
        memcpy(a->out->drawn, drawn, count * sizeof *drawn);
    a->out->count = count;
    a->out->outcome = outcome;
    return true;
}

/* ---- faults and numbers ------------------------------------------------------------------ */

static bool drop_one(struct attempt *a)
{
    for (size_t i = a->out->count; i-- > 0;) {
        struct nb_drawn fewer[NB_DRAWN];
        size_t count = 0;
        for (size_t k = 0; k < a->out->count; k++)
            if (k != i)
                fewer[count++] = a->out->drawn[k];
        if (accept(a, a->out->seed, fewer, count))
            return true;
    }
    return false;
}

/* The n-th number of the line: where, and how long. NULL when there are not so many. What is sent
 * as it stands, bytes or a document, has none. */
static const char *nth_number(const char *line, unsigned n, size_t *length)
{
    static const char *const literal[] = {" raw ", " patch ", " job {", " job ["};
    const char *end = line + strlen(line);
    for (size_t i = 0; i < sizeof literal / sizeof literal[0]; i++) {
        const char *at = strstr(line, literal[i]);
        end = at && at < end ? at : end;
    }
    for (const char *at = line; at < end; at += *length ? *length : 1) {
        *length = strspn(at, "0123456789");
        bool part_of_a_word = at > line && (isalpha((unsigned char)at[-1]) || at[-1] == '.');
        if (*length && !part_of_a_word && n-- == 0)
            return at;
    }
    return NULL;
}

/* Tries the line of fault `i` with its n-th number replaced. */
static bool replace_number(struct attempt *a, size_t i, unsigned n, unsigned long value)
{
    struct nb_drawn drawn[NB_DRAWN];
    size_t length = 0;
    memcpy(drawn, a->out->drawn, sizeof drawn);
    const char *line = a->out->drawn[i].line;
    const char *at = nth_number(line, n, &length);
    snprintf(drawn[i].line, sizeof drawn[i].line, "%.*s%lu%s", (int)(at - line), line, value,
             at + length);
    return accept(a, a->out->seed, drawn, a->out->count);
}

/* Towards nothing, by halves and then one by one. */
static void lower_number(struct attempt *a, size_t i, unsigned n)
{
    size_t length = 0;
    unsigned steps = MOST_STEPS;
    for (bool lower = true; lower && steps-- > 0;) {
        const char *at = nth_number(a->out->drawn[i].line, n, &length);
        if (!at || length > 9)
            return;
        unsigned long value = strtoul(at, NULL, 10);
        const unsigned long less[] = {0, 1, value / 2, value - value / 4, value - 1};
        lower = false;
        for (size_t k = 0; k < sizeof less / sizeof less[0] && !lower; k++)
            lower = less[k] < value && replace_number(a, i, n, less[k]);
    }
}

/* A fault for an earlier device step says more. */
static void lower_steps(struct attempt *a)
{
    for (size_t i = 0; i < a->out->count; i++) {
        struct nb_drawn drawn[NB_DRAWN];
        memcpy(drawn, a->out->drawn, sizeof drawn);
        for (unsigned step = 1; step < a->out->drawn[i].step; step++) {
            drawn[i].step = step;
            if (accept(a, a->out->seed, drawn, a->out->count))
                break;
        }
    }
}

static void shrink_faults(struct attempt *a)
{
    while (drop_one(a))
        ;
    if (a->out->seed != 0)
        (void)accept(a, 0, a->out->drawn, a->out->count);
    lower_steps(a);
    for (size_t i = 0; i < a->out->count; i++) {
        size_t length = 0;
        for (unsigned n = 0; nth_number(a->out->drawn[i].line, n, &length); n++)
            lower_number(a, i, n);
    }
}

/* ---- images and slots -------------------------------------------------------------------- */

/* Is this header line's value the cell's to say? Writes it as the cell has it. */
static bool write_header(FILE *out, const struct nb_cell *cell, const char *word, size_t length)
{
    static const char *const sizes[] = {"", "smaller", "equal", "larger", "maximal"};
    const struct {
        const char *word;
        const char *value;
    } headers[] = {
        {"system", cell->system},
        {"world", "virtual"},
        {"part", cell->part},
        {"scheme", cell->scheme},
        {"size", sizes[cell->size]},
        {"data", cell->data},
        {"via", cell->via},
        {"tls", cell->tls},
        {"install", cell->permanent ? "permanent" : "test"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (strlen(headers[i].word) != length || strncmp(headers[i].word, word, length) != 0)
            continue;
        if (headers[i].value[0])
            fprintf(out, "%-7s %s\n", headers[i].word, headers[i].value);
        return headers[i].value[0] != '\0';
    }
    return false;
}

struct wish {
    const char *image; /* of every offer; NULL: as it is */
    const char *slot;  /* of a device made from a part; NULL: the device as it is */
    const char *scheme;
};

/* An offer with another size. */
static void write_offer(FILE *out, const char *line, size_t length, const char *size)
{
    char text[NB_TEXT * 4];
    snprintf(text, sizeof text, "%.*s", (int)length, line);
    for (char *save = NULL, *word = strtok_r(text, " \t", &save); word;
         word = strtok_r(NULL, " \t", &save))
        if (strncmp(word, "size=", 5) != 0 && *word != '#')
            fprintf(out, "%s ", word);
    fprintf(out, "size=%s\n", size);
}

static void write_line(FILE *out, const struct nb_cell *cell, const struct wish *wish,
                       const char *line, size_t length, bool *steps)
{
    size_t word = strcspn(line, " \t\r\n");
    bool device = word == 6 && strncmp(line, "device", word) == 0;
    bool offer = strncmp(line, "cloud", 5) == 0 && memmem(line, length, "offer", 5) &&
                 !memmem(line, length, "none", 4);
    *steps =
        *steps || (word >= 5 && (strncmp(line, "cloud", 5) == 0 || strncmp(line, "flash", 5) == 0));
    if (!*steps && device && cell->device[0]) {
        if (!wish->slot)
            fprintf(out, "device  %s\n", cell->device);
        return;
    }
    if (!*steps && device)
        *steps = true;
    if (!*steps && wish->slot && word == 4 && strncmp(line, "slot", word) == 0)
        return;
    if (!*steps && write_header(out, cell, line, word))
        return;
    if (offer && wish->image)
        write_offer(out, line, length, wish->image);
    else
        fprintf(out, "%.*s\n", (int)length, line);
    if (!*steps && wish->slot && word == 5 && strncmp(line, "title", word) == 0)
        fprintf(out, "%s%s%sslot    %s\n", *wish->scheme ? "scheme  " : "", wish->scheme,
                *wish->scheme ? "\n" : "", wish->slot);
}

/* The script for this cell alone, with sizes as wished. malloc'ed, or NULL. */
static char *rewritten(const char *text, const struct nb_cell *cell, const struct wish *wish)
{
    char *copy = NULL;
    size_t size = 0;
    bool steps = false;
    FILE *out = open_memstream(&copy, &size);
    if (!out)
        return NULL;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "\n");
        write_line(out, cell, wish, at, length, &steps);
        at += length;
        at += *at == '\n';
    }
    if (fclose(out) == 0)
        return copy;
    free(copy);
    return NULL;
}

/* Another text, with the cell that its header now spells out. NULL: not a script for this cell. */
static struct nb_explorer *explorer_of(const char *text, const struct nb_cell *cell,
                                       struct nb_outcome *outcome)
{
    static const struct nb_choice choice = {.world = "virtual"};
    struct nb_script script;
    struct nb_matrix matrix;
    struct flash_text_error error;
    struct nb_explorer *explorer = NULL;
    if (nb_script_parse(text, strlen(text), "", &script, &error) != 0)
        return NULL;
    if (nb_matrix_expand(&script, &choice, &matrix, &error) == 0) {
        if (matrix.count == 1) {
            matrix.cells[0].kit = cell->kit;
            explorer = nb_explorer_new(text, "", &matrix.cells[0], outcome);
        }
        nb_matrix_free(&matrix);
    }
    nb_script_free(&script);
    return explorer;
}

/* The first fault of the flash among them, or the count. */
static size_t flash_fault(const struct nb_shrunk *shrunk)
{
    size_t i = 0;
    while (i < shrunk->count && strncmp(shrunk->drawn[i].line, "@flash:", 7) != 0)
        i++;
    return i;
}

/* The same faults; where one counts flash operations, these come elsewhere now: all are tried. */
static bool fails_as_well(struct attempt *a)
{
    if (accept(a, a->out->seed, a->out->drawn, a->out->count))
        return true;
    size_t i = flash_fault(a->out);
    uint32_t operations = i < a->out->count ? nb_explorer_operations(a->explorer) : 0;
    for (uint32_t n = 0; n < operations && !nb_run_stop; n++)
        if (replace_number(a, i, 0, n))
            return true;
    return false;
}

/* Tries it with another text; on success that is the text from now on. */
static bool try_text(struct attempt *a, char **text, const struct nb_cell *cell,
                     const struct wish *wish)
{
    struct nb_outcome outcome = {0};
    char *other = rewritten(*text, cell, wish);
    struct nb_explorer *explorer = other ? explorer_of(other, cell, &outcome) : NULL;
    struct attempt on_other = {explorer, a->out, ""};
    memcpy(on_other.reason, a->reason, sizeof a->reason);
    bool good = explorer && fails_as_well(&on_other);
    nb_explorer_free(explorer);
    if (!good) {
        free(other);
        return false;
    }
    free(*text);
    *text = other;
    return true;
}

static void shrink_sizes(struct attempt *a, const char *text)
{
    static const char *const images[] = {"2K", "4K", "8K", "16K", "32K"};
    static const char *const slots[] = {"16K", "32K", "64K"};
    const struct nb_cell *cell = nb_explorer_cell(a->explorer);
    struct sim_device device;
    struct flash_text_error error;
    struct nb_script empty = {.needs_cloud = true};
    char scheme[NB_WORD] = "";
    char *now = strdup(text);
    if (!now)
        return;
    if (!cell->scheme[0] && nb_cell_device(&empty, cell, &device, &error) == 0) {
        snprintf(scheme, sizeof scheme, "%s", device.scheme->name);
        sim_device_free(&device);
    }
    bool found = try_text(a, &now, cell, &(struct wish){0}); /* this cell alone */
    for (size_t i = 0, done = 0; found && !done && i < sizeof images / sizeof images[0]; i++)
        done = try_text(a, &now, cell, &(struct wish){.image = images[i]});
    for (size_t i = 0, done = 0; found && !done && i < sizeof slots / sizeof slots[0]; i++)
        done = try_text(a, &now, cell, &(struct wish){.slot = slots[i], .scheme = scheme});
    free(now);
}

/* ---- from outside ------------------------------------------------------------------------ */

int nb_shrink(struct nb_explorer *explorer, const char *text, uint64_t seed,
              const struct nb_drawn *drawn, size_t count, struct nb_shrunk *out)
{
    struct attempt a = {explorer, out, ""};
    struct flash_text_error error;
    memset(out, 0, sizeof *out);
    int rc = nb_explorer_arm(explorer, drawn, count, &error);
    if (rc)
        return rc;
    struct nb_outcome first = {0};
    nb_explorer_play_apart(explorer, seed, &first);
    memcpy(a.reason, first.reason, sizeof first.reason);
    if (!is_failure(&first) || !accept(&a, seed, drawn, count))
        return OTA_E_ARGUMENT;
    shrink_faults(&a);
    /* what stands in the id ends here: sizes are the script's, not the cell's */
    struct nb_shrunk in_cell = *out;
    out->script = strdup(in_cell.script);
    shrink_sizes(&a, text);
    memcpy(out->drawn, in_cell.drawn, sizeof out->drawn);
    out->count = in_cell.count;
    out->seed = in_cell.seed;
    free(in_cell.script);
    return out->script ? 0 : OTA_E_NO_SPACE;
}

void nb_shrunk_free(struct nb_shrunk *shrunk)
{
    free(shrunk->script);
    memset(shrunk, 0, sizeof *shrunk);
}
