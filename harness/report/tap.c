#include "harness/report/tap.h"

void nb_tap_plan(FILE *out, size_t tests)
{
    fprintf(out, "TAP version 14\n1..%zu\n", tests);
}

void nb_tap_bail(FILE *out, const char *why)
{
    fprintf(out, "Bail out! %s\n", why);
}

/* A description or comment: `#` would begin a directive, a line must not end early. */
static void put(FILE *out, const char *text, bool description)
{
    for (; *text; text++) {
        if (description && (*text == '#' || *text == '\\'))
            fputc('\\', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void comment(FILE *out, const char *indent, const char *label, const char *text)
{
    fprintf(out, "%s# %s", indent, label);
    put(out, text, false);
    fputc('\n', out);
}

static void test_line(FILE *out, const char *indent, size_t number, enum nb_verdict verdict,
                      const char *first, const char *second, const char *reason)
{
    bool good = verdict == NB_PASS || verdict == NB_SKIP;
    fprintf(out, "%s%s %zu - ", indent, good ? "ok" : "not ok", number);
    put(out, first, true);
    if (*second) {
        fputc(' ', out);
        put(out, second, true);
    }
    if (verdict == NB_SKIP) {
        fputs(" # SKIP ", out);
        put(out, reason, false);
    }
    fputc('\n', out);
}

static void diagnostics(FILE *out, const char *indent, const char *id,
                        const struct nb_outcome *outcome)
{
    for (size_t i = 0; i < outcome->note_count; i++)
        comment(out, indent, "", outcome->notes[i]);
    if (outcome->verdict == NB_PASS || outcome->verdict == NB_SKIP)
        return;
    fprintf(out, "%s# %s: ", indent, nb_verdict_word(outcome->verdict));
    put(out, outcome->reason, false);
    fputc('\n', out);
    for (size_t i = 0; i < outcome->story_count; i++)
        comment(out, indent, "  ", outcome->story[i]);
    if (!*id)
        return;
    comment(out, indent, "replay: ", id);
    comment(out, indent, "nobrick replay ", id);
}

void nb_tap_begin(const struct nb_report *report)
{
    const char *indent = report->cells > 1 ? "    " : "";
    if (report->cells > 1) {
        fputs("# Subtest: ", report->out);
        put(report->out, report->path, false);
        fprintf(report->out, "\n    1..%zu\n", report->cells);
    }
    if (report->left_out)
        fprintf(report->out, "%s# %zu combinations do not fit and are left out\n", indent,
                report->left_out);
}

void nb_tap_cell(const struct nb_report *report, const char *name, const char *id,
                 const struct nb_outcome *outcome)
{
    if (report->cells > 1) {
        test_line(report->out, "    ", report->cell, outcome->verdict, name, "", outcome->reason);
        diagnostics(report->out, "    ", id, outcome);
        return;
    }
    test_line(report->out, "", report->scenario, outcome->verdict, report->path, report->title,
              outcome->reason);
    diagnostics(report->out, "", id, outcome);
}

void nb_tap_end(const struct nb_report *report)
{
    if (report->cells > 1)
        test_line(report->out, "", report->scenario, report->worst, report->path, report->title,
                  report->reason);
}
