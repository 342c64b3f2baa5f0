#include "harness/report/report.h"
#include "harness/report/junit.h"
#include "harness/report/tap.h"

#include <stdlib.h>
#include <string.h>

int nb_report_open(struct nb_report *report, FILE *out, bool terminal, const char *junit_path)
{
    memset(report, 0, sizeof *report);
    report->out = out;
    report->terminal = terminal;
    if (junit_path) {
        report->junit = nb_junit_open(junit_path);
        if (!report->junit)
            return OTA_E_IO;
    }
    return 0;
}

bool nb_report_wants_colour(void)
{
    const char *term = getenv("TERM");
    const char *none = getenv("NO_COLOR");
    return term && *term && strcmp(term, "dumb") != 0 && !(none && *none);
}

void nb_report_bail(struct nb_report *report, const char *why)
{
    if (!report->terminal)
        nb_tap_bail(report->out, why);
}

void nb_report_plan(struct nb_report *report, size_t scenarios)
{
    report->planned = scenarios;
    if (!report->terminal)
        nb_tap_plan(report->out, scenarios);
}

void nb_report_begin(struct nb_report *report, const char *path, const char *title, size_t cells,
                     size_t left_out)
{
    report->scenario++;
    snprintf(report->path, sizeof report->path, "%s", path);
    snprintf(report->title, sizeof report->title, "%s", title);
    report->cells = cells;
    report->cell = 0;
    report->left_out = left_out;
    memset(report->counts, 0, sizeof report->counts);
    report->reason[0] = '\0';
    report->worst = NB_PASS;
    report->seconds = 0;
    report->points = 0;
    if (!report->terminal)
        nb_tap_begin(report);
    else if (report->colour)
        fprintf(report->out, "  0/%zu %s", cells, report->path);
    fflush(report->out);
}

/* ---- terminal ---------------------------------------------------------------------------- */

static const char *paint(const struct nb_report *report, enum nb_verdict verdict)
{
    static const char *const codes[] = {"\033[32m", "\033[31m", "\033[33m", "\033[36m", "\033[31m"};
    return report->colour ? codes[verdict] : "";
}

static const char *plain(const struct nb_report *report)
{
    return report->colour ? "\033[0m" : "";
}

static void terminal_cell(struct nb_report *report, const char *name, const char *id,
                          const struct nb_outcome *outcome)
{
    if (outcome->verdict != NB_PASS && outcome->verdict != NB_SKIP) {
        fprintf(report->out, "%s%s  %s%s %s\n", report->colour ? "\r\033[K" : "",
                paint(report, outcome->verdict), nb_verdict_word(outcome->verdict), plain(report),
                name);
        for (size_t i = 0; i < outcome->story_count; i++)
            fprintf(report->out, "    %s\n", outcome->story[i]);
        if (*id)
            fprintf(report->out, "    replay: %s\n    nobrick replay '%s'\n", id, id);
    }
    if (report->colour) {
        fprintf(report->out, "\r\033[K  %zu/%zu %s", report->cell, report->cells, report->path);
        fflush(report->out);
    }
}

static void terminal_end(struct nb_report *report)
{
    fprintf(report->out, "%s%s%-7s%s %s  %s", report->colour ? "\r\033[K" : "",
            paint(report, report->worst), nb_verdict_word(report->worst), plain(report),
            report->path, report->title);
    if (report->cells > 1)
        fprintf(report->out, " (%zu cells)", report->cells);
    if (report->left_out)
        fprintf(report->out, ", %zu combinations left out: they do not fit", report->left_out);
    if (report->points)
        fprintf(report->out, ", %llu power cuts", (unsigned long long)report->points);
    if (report->worst == NB_SKIP)
        fprintf(report->out, ": %s", report->reason);
    fprintf(report->out, ", %.1f s\n", report->seconds);
}

static void terminal_summary(const struct nb_report *report)
{
    fprintf(report->out, "%zu passed, %zu failed, %zu skipped\n", report->totals[NB_PASS],
            report->totals[NB_FAIL] + report->totals[NB_VACUOUS] + report->totals[NB_ERROR],
            report->totals[NB_SKIP]);
}

/* ---- both -------------------------------------------------------------------------------- */

static int badness(enum nb_verdict verdict)
{
    static const int order[] = {0, 3, 2, 1, 4};
    return order[verdict];
}

void nb_report_cell(struct nb_report *report, const char *name, const char *id,
                    const struct nb_outcome *outcome)
{
    report->cell++;
    report->counts[outcome->verdict]++;
    report->seconds += outcome->seconds;
    report->points += outcome->points;
    if (badness(outcome->verdict) > badness(report->worst)) {
        report->worst = outcome->verdict;
        memcpy(report->reason, outcome->reason, sizeof report->reason);
    }
    if (report->terminal)
        terminal_cell(report, name, id, outcome);
    else
        nb_tap_cell(report, name, id, outcome);
    if (report->junit)
        nb_junit_case(report->junit, report->path, report->title, name, id, outcome);
    fflush(report->out);
}

void nb_report_end(struct nb_report *report)
{
    /* Some cells ran and were good: the scenario is no skip. */
    if (report->worst == NB_SKIP && report->counts[NB_PASS])
        report->worst = NB_PASS;
    report->totals[report->worst]++;
    if (report->terminal)
        terminal_end(report);
    else
        nb_tap_end(report);
    fflush(report->out);
}

int nb_report_close(struct nb_report *report)
{
    int rc = 0;
    if (report->terminal)
        terminal_summary(report);
    if (report->junit)
        rc = nb_junit_close(report->junit);
    report->junit = NULL;
    return rc;
}

int nb_report_exit_code(const struct nb_report *report)
{
    if (report->totals[NB_ERROR])
        return 2;
    if (report->totals[NB_FAIL])
        return 1;
    if (report->totals[NB_VACUOUS])
        return 3;
    return report->totals[NB_PASS] == 0 && report->totals[NB_SKIP] ? 77 : 0;
}
