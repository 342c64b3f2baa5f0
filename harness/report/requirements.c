#include "harness/report/requirements.h"
#include "harness/cli/paths.h"
#include "harness/files/files.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1u << 20)

enum column { ID, LEVEL, TEXT, SOURCES, NA, EVIDENCE, COLUMNS };

static const char *const column_names[COLUMNS] = {"id",      "level", "text",
                                                  "sources", "na",    "evidence"};

struct reader {
    char *at; /* next byte of the copy */
    char *end;
    char *line_start;
    unsigned line;
    char *fields[COLUMNS]; /* of the record: unquoted in place, with a NUL */
    unsigned columns[COLUMNS];
    struct nb_requirements *out;
    struct flash_text_error *error;
};

__attribute__((format(printf, 3, 4))) static int fail(struct reader *r, unsigned column,
                                                      const char *format, ...)
{
    va_list arguments;
    r->error->line = r->line;
    r->error->column = column;
    va_start(arguments, format);
    vsnprintf(r->error->message, sizeof r->error->message, format, arguments);
    va_end(arguments);
    return OTA_E_ARGUMENT;
}

static unsigned column_of(const struct reader *r, const char *at)
{
    return (unsigned)(at - r->line_start) + 1;
}

/* Between records: the end of the text, LF or CRLF. */
static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

/* ---- fields ------------------------------------------------------------------------------ */

static int control_character(struct reader *r)
{
    return fail(r, column_of(r, r->at), "a control character or line break in a field");
}

/* Behind the opening quote. The text moves down over the quotes that go. */
static int quoted(struct reader *r, char **field, size_t *length)
{
    const char *opening = r->at++;
    char *to = r->at;
    *field = to;
    for (;; r->at++) {
        if (r->at == r->end)
            return fail(r, column_of(r, opening), "no quote closes the field that begins here");
        if (iscntrl((unsigned char)*r->at))
            return control_character(r);
        if (*r->at == '"' && ++r->at != r->end && *r->at != '"')
            break;
        if (r->at == r->end)
            break;
        *to++ = *r->at;
    }
    *length = (size_t)(to - *field);
    if (!at_line_end(r) && *r->at != ',')
        return fail(r, column_of(r, r->at), "expected a comma or the line's end behind the quote");
    return 0;
}

static int unquoted(struct reader *r, char **field, size_t *length)
{
    *field = r->at;
    while (!at_line_end(r) && *r->at != ',') {
        if (*r->at == '"')
            return fail(r, column_of(r, r->at), "a quote inside a field without quotes around it");
        if (iscntrl((unsigned char)*r->at))
            return control_character(r);
        r->at++;
    }
    *length = (size_t)(r->at - *field);
    return 0;
}

/* One line into r->fields; r->at is behind its end. */
static int record(struct reader *r)
{
    size_t lengths[COLUMNS];
    size_t count = 0;
    r->line_start = r->at;
    r->line++;
    for (;;) {
        unsigned column = column_of(r, r->at);
        if (count == COLUMNS)
            return fail(r, column, "more than %d fields", COLUMNS);
        r->columns[count] = column;
        int rc = r->at < r->end && *r->at == '"' ? quoted(r, &r->fields[count], &lengths[count])
                                                 : unquoted(r, &r->fields[count], &lengths[count]);
        if (rc)
            return rc;
        count++;
        if (at_line_end(r))
            break;
        r->at++; /* the comma */
    }
    if (count < COLUMNS)
        return fail(r, column_of(r, r->at), "expected the field '%s': the line has %zu of %d",
                    column_names[count], count, COLUMNS);
    if (r->at < r->end)
        r->at += *r->at == '\r' ? 2 : 1;
    for (size_t i = 0; i < COLUMNS; i++) /* commas and line ends have been read: room for NULs */
        r->fields[i][lengths[i]] = '\0';
    return 0;
}

/* ---- rows -------------------------------------------------------------------------------- */

static bool is_id(const char *text)
{
    size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return letters == 4 && text[4] == '-' && isdigit((unsigned char)text[5]) &&
           isdigit((unsigned char)text[6]) && text[7] == '\0';
}

static int check(struct reader *r)
{
    char *const *f = r->fields;
    if (!is_id(f[ID]))
        return fail(r, r->columns[ID], "'%.20s' is no id like BOOT-01", f[ID]);
    const struct nb_requirement *twin = nb_requirement_find(r->out, f[ID]);
    if (twin)
        return fail(r, r->columns[ID], "%s is in line %u already", f[ID], twin->line);
    if (strlen(f[LEVEL]) != 1 || !strchr("MSO", *f[LEVEL]))
        return fail(r, r->columns[LEVEL], "'%.20s' is no level: expected M, S or O", f[LEVEL]);
    for (size_t i = TEXT; i <= SOURCES; i++)
        if (!*f[i])
            return fail(r, r->columns[i], "the field '%s' is empty", column_names[i]);
    if (*f[NA] && *f[EVIDENCE])
        return fail(r, r->columns[EVIDENCE],
                    "evidence, and a reason why there is none: expected one of them");
    return 0;
}

static int add_row(struct reader *r)
{
    struct nb_requirements *out = r->out;
    char *const *f = r->fields;
    int rc = check(r);
    if (rc)
        return rc;
    struct nb_requirement *grown = realloc(out->rows, (out->count + 1) * sizeof *grown);
    if (!grown)
        return OTA_E_NO_SPACE;
    out->rows = grown;
    grown[out->count++] = (struct nb_requirement){.id = f[ID],
                                                  .level = *f[LEVEL],
                                                  .text = f[TEXT],
                                                  .sources = f[SOURCES],
                                                  .na = f[NA],
                                                  .evidence = f[EVIDENCE],
                                                  .line = r->line};
    return 0;
}

static int heading(struct reader *r)
{
    int rc = record(r);
    for (size_t i = 0; rc == 0 && i < COLUMNS; i++)
        if (strcmp(r->fields[i], column_names[i]) != 0)
            rc = fail(r, r->columns[i], "expected the heading " NB_REQUIREMENTS_HEADING);
    return rc;
}

int nb_requirements_parse(const char *text, size_t length, struct nb_requirements *out,
                          struct flash_text_error *error)
{
    memset(out, 0, sizeof *out);
    memset(error, 0, sizeof *error);
    out->text = malloc(length + 1);
    if (!out->text)
        return OTA_E_NO_SPACE;
    memcpy(out->text, text, length);
    struct reader r = {
        .at = out->text, .end = out->text + length, .line_start = out->text, .out = out};
    r.error = error;
    int rc = heading(&r);
    while (rc == 0 && r.at < r.end) {
        rc = record(&r);
        if (rc == 0)
            rc = add_row(&r);
    }
    if (rc)
        nb_requirements_free(out);
    return rc;
}

int nb_requirements_load(const char *verb, struct nb_requirements *out)
{
    char path[4096];
    uint8_t *text = NULL;
    size_t length = 0;
    struct flash_text_error error;
    snprintf(path, sizeof path, "%s/requirements.csv", nb_data_dir());
    int rc = nb_read_file(path, MAX_FILE, &text, &length);
    if (rc) {
        fprintf(stderr, "nobrick %s: %s: %s\n", verb, path, strerror(errno));
        return rc;
    }
    rc = nb_requirements_parse((const char *)text, length, out, &error);
    free(text);
    if (rc == OTA_E_ARGUMENT)
        fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
    else if (rc)
        fprintf(stderr, "nobrick %s: %s: %s\n", verb, path, ota_err_text(rc));
    return rc;
}

const struct nb_requirement *nb_requirement_find(const struct nb_requirements *requirements,
                                                 const char *id)
{
    for (size_t i = 0; i < requirements->count; i++)
        if (strcmp(requirements->rows[i].id, id) == 0)
            return &requirements->rows[i];
    return NULL;
}

void nb_requirements_free(struct nb_requirements *requirements)
{
    free(requirements->rows);
    free(requirements->text);
    *requirements = (struct nb_requirements){0};
}
