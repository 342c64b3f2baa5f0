/* `nobrick list requirements`: each requirement with what shows it, or why nothing does. */
#include "harness/cli/verbs.h"
#include "harness/report/coverage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: nobrick list requirements [--markdown | --check SOURCES]\n\n"
    "The requirements of requirements.csv, one a line: id, level (M must, S should, O optional),\n"
    "what a device does, and the scenarios that show it with the worlds in which they run, the\n"
    "tests that do, or the reason why nothing does. In a pipe the fields are separated by tabs;\n"
    "on a terminal the scenarios are counted.\n\n"
    "  --markdown        the same as a page of tables, with sources\n"
    "  --check SOURCES   names each requirement without scenario, evidence or reason, each reason\n"
    "                    that a scenario contradicts, each unknown id in a script, and each test\n"
    "                    that is not in the directory SOURCES; exits 1 when there is one\n\n"
    "example:\n  nobrick list requirements --markdown\n";

struct show {
    const struct nb_coverage *coverage;
    const struct nb_requirement *row;
};

/* "a.ota (virtual posix), test:x_test.c:name", or "not shown: why". */
static void print_evidence(const struct show *show, const char *separator)
{
    const struct nb_coverage *coverage = show->coverage;
    const struct nb_covering *by;
    const char *evidence = show->row->evidence;
    const char *between = "";
    char word[512];
    size_t at = 0;
    if (*show->row->na)
        printf("not shown: %s", show->row->na);
    for (size_t i = 0; (by = nb_coverage_next(coverage, show->row->id, i, &at)); i = at + 1) {
        printf("%s%s (%s)", between, by->path, by->worlds);
        between = separator;
    }
    while (nb_evidence_next(&evidence, word, sizeof word)) {
        printf("%s%s", between, word);
        between = separator;
    }
}

static void print_plain(const struct show *show)
{
    printf("%s\t%c\t%s\t", show->row->id, show->row->level, show->row->text);
    print_evidence(show, ", ");
    putchar('\n');
}

static void print_aligned(const struct show *show)
{
    size_t scenarios = 0;
    size_t tests = 0;
    size_t at = 0;
    const char *evidence = show->row->evidence;
    char word[512];
    char by[64] = "not shown";
    for (size_t i = 0; nb_coverage_next(show->coverage, show->row->id, i, &at); i = at + 1)
        scenarios++;
    while (nb_evidence_next(&evidence, word, sizeof word))
        tests++;
    if (scenarios && tests)
        snprintf(by, sizeof by, "%zu scenario%s, %zu test%s", scenarios, scenarios == 1 ? "" : "s",
                 tests, tests == 1 ? "" : "s");
    else if (scenarios + tests)
        snprintf(by, sizeof by, "%zu %s%s", scenarios + tests, scenarios ? "scenario" : "test",
                 scenarios + tests == 1 ? "" : "s");
    printf("%s  %c  %-22s  %s\n", show->row->id, show->row->level, by, show->row->text);
}

static void print_markdown(const struct show *show, const char *group)
{
    if (strncmp(group, show->row->id, 4) != 0)
        printf("\n## %.4s\n\n| id | level | requirement | asked for by | shown by |\n"
               "|---|---|---|---|---|\n",
               show->row->id);
    printf("| %s | %c | %s | %s | ", show->row->id, show->row->level, show->row->text,
           show->row->sources);
    print_evidence(show, "<br>");
    puts(" |");
}

enum form { PLAIN, ALIGNED, MARKDOWN };

static void print_all(const struct nb_coverage *coverage, enum form form)
{
    const struct nb_requirements *requirements = &coverage->requirements;
    const char *group = "";
    size_t shown = 0;
    if (form == MARKDOWN)
        puts("# Requirements, and what shows them");
    for (size_t i = 0; i < requirements->count; i++) {
        struct show show = {coverage, &requirements->rows[i]};
        if (form == MARKDOWN)
            print_markdown(&show, group);
        else if (form == ALIGNED)
            print_aligned(&show);
        else
            print_plain(&show);
        group = show.row->id;
        shown += !*show.row->na;
    }
    if (form == ALIGNED)
        printf("%zu requirements, %zu of them shown\n", requirements->count, shown);
}

static void print_finding(void *context, const char *text)
{
    (void)context;
    puts(text);
}

int nb_list_requirements(int argc, char **argv)
{
    struct nb_coverage coverage;
    bool markdown = argc == 2 && strcmp(argv[1], "--markdown") == 0;
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) < 0 ? 2 : 0;
    if (argc > 1 && !markdown && !check) {
        fprintf(stderr, "nobrick list: requirements: expected --markdown or --check SOURCES\n");
        return 2;
    }
    if (nb_coverage_load("list", &coverage) != 0)
        return 2;
    int code = 0;
    if (check)
        code = nb_coverage_check(&coverage, argv[2], print_finding, NULL) ? 1 : 0;
    else
        print_all(&coverage, markdown ? MARKDOWN : isatty(STDOUT_FILENO) ? ALIGNED : PLAIN);
    nb_coverage_free(&coverage);
    return code;
}
