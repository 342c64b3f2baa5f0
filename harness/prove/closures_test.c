/* The table of closures: rows by part and scheme, sums and extremes. */
#include "harness/prove/closures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void add(struct nb_closures *closures, const char *part, const char *scheme,
                enum nb_verdict verdict, uint32_t states, unsigned depth)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    struct nb_cell cell = {0};
    assert_non_null(outcome);
    snprintf(cell.part, sizeof cell.part, "%s", part);
    snprintf(cell.scheme, sizeof cell.scheme, "%s", scheme);
    outcome->verdict = verdict;
    outcome->proof = (struct nb_proof){.closed = verdict == NB_PASS,
                                       .states = states,
                                       .masked = 2 * states,
                                       .edges = 10 * states,
                                       .depth = depth,
                                       .seconds = states / 100.0};
    assert_int_equal(nb_closures_add(closures, &cell, outcome), 0);
    free(outcome);
}

static void test_rows(void **state)
{
    static const char wanted[] =
        "| (usual) | overwrite | 1 of 1 | 0 | 1 | 2 | 10 | 1 | 0.0 | 0.01 |\n"
        "| aaa | overwrite | 0 of 1 | 0 | 7 | 14 | 70 | 0 | 0.1 | 0.07 |\n"
        "| aaa | swap-move | 1 of 2 | 1 | 300 | 600 | 3000 | 4 | 3.0 | 2.00 |\n";
    struct nb_closures closures = {0};
    char *text = NULL;
    size_t size = 0;
    (void)state;
    add(&closures, "aaa", "swap-move", NB_PASS, 200, 4);
    add(&closures, "", "overwrite", NB_PASS, 1, 1);
    add(&closures, "aaa", "overwrite", NB_ERROR, 7, 0);
    add(&closures, "aaa", "swap-move", NB_FAIL, 100, 2);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    nb_closures_print(&closures, out);
    fclose(out);
    const char *rows = strstr(text, "|\n| (");
    assert_non_null(rows);
    assert_string_equal(rows + 2, wanted);
    free(text);
    nb_closures_free(&closures);
    assert_int_equal(closures.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
