#include "harness/report/coverage.h"
#include "harness/cli/paths.h"
#include "harness/files/files.h"
#include "harness/run/collect.h"
#include "harness/run/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOURCE (1u << 20)

/* ---- what there is ----------------------------------------------------------------------- */

static void name_worlds(const struct nb_script *script, char *out, size_t size)
{
    size_t used = 0;
    if (!script->needs_cloud)
        used = (size_t)snprintf(out, size, "bench");
    for (size_t i = 0; i < script->world.count && used < size; i++)
        if (script->needs_cloud || strcmp(script->world.items[i], "cortexm") == 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "",
                                     script->world.items[i]);
    if (script->needs_cloud && script->world.count == 0)
        snprintf(out, size, "virtual posix");
}

static int add_script(struct nb_coverage *coverage, const char *path)
{
    struct nb_script script;
    struct flash_text_error error;
    int rc = nb_script_load(path, &script, &error); /* says what is wrong */
    if (rc)
        return rc;
    struct nb_covering *covering = &coverage->scripts[coverage->count++];
    nb_path_shown(path, covering->path, sizeof covering->path);
    name_worlds(&script, covering->worlds, sizeof covering->worlds);
    covering->req = script.req;
    nb_script_free(&script);
    return 0;
}

int nb_coverage_load(const char *verb, struct nb_coverage *out)
{
    struct nb_paths paths = {0};
    memset(out, 0, sizeof *out);
    int rc = nb_requirements_load(verb, &out->requirements);
    if (rc)
        return rc;
    rc = nb_paths_add(&paths, nb_data_dir());
    if (rc) {
        fprintf(stderr, "nobrick %s: %s: no scenarios there\n", verb, nb_data_dir());
    } else {
        out->scripts = calloc(paths.count, sizeof *out->scripts);
        rc = out->scripts ? 0 : OTA_E_NO_SPACE;
        if (rc)
            fprintf(stderr, "nobrick %s: %s\n", verb, ota_err_text(rc));
    }
    for (size_t i = 0; rc == 0 && i < paths.count; i++)
        rc = add_script(out, paths.items[i]);
    nb_paths_free(&paths);
    if (rc)
        nb_coverage_free(out);
    return rc;
}

void nb_coverage_free(struct nb_coverage *coverage)
{
    nb_requirements_free(&coverage->requirements);
    free(coverage->scripts);
    *coverage = (struct nb_coverage){0};
}

const struct nb_covering *nb_coverage_next(const struct nb_coverage *coverage, const char *id,
                                           size_t from, size_t *at)
{
    for (size_t i = from; i < coverage->count; i++) {
        const struct nb_covering *covering = &coverage->scripts[i];
        for (size_t r = 0; covering->worlds[0] && r < covering->req.count; r++) {
            if (strcmp(covering->req.items[r], id) == 0) {
                *at = i;
                return covering;
            }
        }
    }
    return NULL;
}

int nb_evidence_next(const char **evidence, char *word, size_t size)
{
    const char *start = *evidence + strspn(*evidence, " ");
    size_t length = strcspn(start, " ");
    snprintf(word, size, "%.*s", (int)length, start);
    *evidence = start + length;
    return length > 0;
}

/* ---- what is wrong ----------------------------------------------------------------------- */

struct check {
    const struct nb_coverage *coverage;
    const char *sources;
    void (*line)(void *context, const char *text);
    void *context;
    size_t findings;
};

__attribute__((format(printf, 2, 3))) static void finding(struct check *check, const char *format,
                                                          ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check->line(check->context, text);
    check->findings++;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length > strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* A CMocka test is a function, and the compiler refuses one that no table names. */
static const char *test_is_missing(const char *path, const char *name)
{
    char wanted[256];
    uint8_t *text = NULL;
    size_t size = 0;
    snprintf(wanted, sizeof wanted, "static void %s(void **", name);
    if (!ends_with(path, "_test.c"))
        return "is no file of unit tests";
    if (nb_read_file(path, MAX_SOURCE, &text, &size))
        return strerror(errno);
    bool found = memmem(text, size, wanted, strlen(wanted)) != NULL;
    free(text);
    return found ? NULL : "has no such test";
}

static const char *fuzz_target_is_missing(const char *path)
{
    char corpus[1024];
    uint8_t *text = NULL;
    size_t size = 0;
    if (!ends_with(path, "_fuzz.c"))
        return "is no fuzz target";
    if (nb_read_file(path, MAX_SOURCE, &text, &size))
        return strerror(errno);
    free(text);
    snprintf(corpus, sizeof corpus, "%.*s.corpus", (int)(strlen(path) - strlen(".c")), path);
    DIR *folder = opendir(corpus);
    if (!folder)
        return "has no corpus";
    closedir(folder);
    return NULL;
}

static const char *evidence_is_missing(const struct check *check, const char *word)
{
    char path[1024];
    const char *rest = strchr(word, ':');
    const char *name = rest ? strchr(rest + 1, ':') : NULL;
    bool test = strncmp(word, "test:", 5) == 0;
    bool fuzz = strncmp(word, "fuzz:", 5) == 0;
    if ((!test && !fuzz) || test != (name != NULL))
        return "is not understood: expected test:PATH:NAME or fuzz:PATH";
    int length = (int)(test ? (size_t)(name - rest - 1) : strlen(rest + 1));
    snprintf(path, sizeof path, "%s/%.*s", check->sources, length, rest + 1);
    return test ? test_is_missing(path, name + 1) : fuzz_target_is_missing(path);
}

static void check_row(struct check *check, const struct nb_requirement *row)
{
    size_t at = 0;
    const struct nb_covering *by = nb_coverage_next(check->coverage, row->id, 0, &at);
    const char *evidence = row->evidence;
    char word[512];
    if (!by && !*row->na && !*row->evidence)
        finding(check,
                "requirements.csv:%u: %s: no scenario or evidence shows it, and no reason is "
                "given",
                row->line, row->id);
    if (by && *row->na)
        finding(check, "requirements.csv:%u: %s: says why nothing shows it, but %s does", row->line,
                row->id, by->path);
    while (nb_evidence_next(&evidence, word, sizeof word)) {
        const char *why = evidence_is_missing(check, word);
        if (why)
            finding(check, "requirements.csv:%u: %s: %s: %s", row->line, row->id, word, why);
    }
}

size_t nb_coverage_check(const struct nb_coverage *coverage, const char *sources,
                         void (*line)(void *context, const char *text), void *context)
{
    struct check check = {coverage, sources, line, context, 0};
    for (size_t i = 0; i < coverage->requirements.count; i++)
        check_row(&check, &coverage->requirements.rows[i]);
    for (size_t i = 0; i < coverage->count; i++) {
        const struct nb_covering *covering = &coverage->scripts[i];
        for (size_t r = 0; r < covering->req.count; r++)
            if (!nb_requirement_find(&coverage->requirements, covering->req.items[r]))
                finding(&check, "%s:%u: %s: requirements.csv has no such requirement",
                        covering->path, covering->req.line, covering->req.items[r]);
    }
    return check.findings;
}
