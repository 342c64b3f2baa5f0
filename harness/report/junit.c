#include "harness/report/junit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nb_junit {
    FILE *file;
    FILE *cases; /* memory */
    char *text;
    size_t size;
    size_t counts[NB_ERROR + 1];
    double seconds;
};

struct nb_junit *nb_junit_open(const char *path)
{
    struct nb_junit *junit = calloc(1, sizeof *junit);
    if (!junit)
        return NULL;
    junit->file = fopen(path, "w");
    junit->cases = junit->file ? open_memstream(&junit->text, &junit->size) : NULL;
    if (junit->cases)
        return junit;
    if (junit->file)
        fclose(junit->file);
    free(junit);
    return NULL;
}

/* Length of the well-formed UTF-8 sequence at `text`, 0 when it is none that XML allows. */
static size_t utf8(const unsigned char *text)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (text[0] < 0x80)
        return text[0] >= ' ' || text[0] == '\t' || text[0] == '\n' ? 1 : 0;
    size_t length = text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    unsigned point = length ? text[0] & (0x7Fu >> length) : 0;
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        point = point << 6 | (text[i] & 0x3Fu);
    }
    bool allowed = point >= least[length] && point <= 0x10FFFF && point >> 11 != 27 &&
                   point != 0xFFFE && point != 0xFFFF;
    return allowed ? length : 0;
}

static void escape(FILE *out, const char *text)
{
    while (*text) {
        size_t length = utf8((const unsigned char *)text);
        if (length == 0)
            fputc('?', out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if (*text == '\n')
            fputs("&#10;", out);
        else
            fwrite(text, 1, length, out);
        text += length ? length : 1;
    }
}

static void details(FILE *out, const char *id, const struct nb_outcome *outcome)
{
    for (size_t i = 0; i < outcome->story_count; i++) {
        escape(out, outcome->story[i]);
        fputc('\n', out);
    }
    if (!*id)
        return;
    fputs("replay: ", out);
    escape(out, id);
    fputs("\nnobrick replay ", out);
    escape(out, id);
    fputc('\n', out);
}

void nb_junit_case(struct nb_junit *junit, const char *path, const char *title, const char *cell,
                   const char *id, const struct nb_outcome *outcome)
{
    FILE *out = junit->cases;
    junit->counts[outcome->verdict]++;
    junit->seconds += outcome->seconds;
    fputs("    <testcase classname=\"", out);
    escape(out, path);
    fputs("\" name=\"", out);
    escape(out, title);
    if (*cell) {
        fputs(" [", out);
        escape(out, cell);
        fputc(']', out);
    }
    fprintf(out, "\" time=\"%.3f\"", outcome->seconds);
    if (outcome->verdict == NB_PASS) {
        fputs("/>\n", out);
        return;
    }
    const char *element = outcome->verdict == NB_SKIP    ? "skipped"
                          : outcome->verdict == NB_ERROR ? "error"
                                                         : "failure";
    fprintf(out, ">\n      <%s message=\"", element);
    escape(out, outcome->reason);
    fputc('"', out);
    if (outcome->verdict == NB_SKIP) {
        fputs("/>\n    </testcase>\n", out);
        return;
    }
    fprintf(out, " type=\"%s\">", nb_verdict_word(outcome->verdict));
    details(out, id, outcome);
    fprintf(out, "</%s>\n    </testcase>\n", element);
}

int nb_junit_close(struct nb_junit *junit)
{
    bool good = fclose(junit->cases) == 0;
    size_t tests = 0;
    for (size_t i = 0; i <= NB_ERROR; i++)
        tests += junit->counts[i];
    size_t failures = junit->counts[NB_FAIL] + junit->counts[NB_VACUOUS];
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", junit->file);
    fprintf(junit->file,
            "  <testsuite name=\"nobrick\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
            "skipped=\"%zu\" time=\"%.3f\">\n",
            tests, failures, junit->counts[NB_ERROR], junit->counts[NB_SKIP], junit->seconds);
    if (good)
        fwrite(junit->text, 1, junit->size, junit->file);
    fputs("  </testsuite>\n</testsuites>\n", junit->file);
    good = good && !ferror(junit->file);
    good = fclose(junit->file) == 0 && good;
    free(junit->text);
    free(junit);
    return good ? 0 : OTA_E_IO;
}
