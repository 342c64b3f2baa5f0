#include "harness/peers/http_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ranges(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        enum nb_http_range kind;
        uint64_t from, to;
    } rows[] = {
        {NULL, 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=0-", 10000, NB_RANGE_PART, 0, 9999},
        {"bytes=0-4095", 10000, NB_RANGE_PART, 0, 4095},
        {"Bytes=8192-12287", 10000, NB_RANGE_PART, 8192, 9999},
        {"bytes=9999-9999", 10000, NB_RANGE_PART, 9999, 9999},
        {"bytes=-1", 10000, NB_RANGE_PART, 9999, 9999},
        {"bytes=-20000", 10000, NB_RANGE_PART, 0, 9999},
        {"bytes=5-99999999999999999999999", 10000, NB_RANGE_PART, 5, 9999},
        {"bytes=10000-", 10000, NB_RANGE_UNSATISFIABLE, 10000, 9999},
        {"bytes=99999999999999999999999-", 10000, NB_RANGE_UNSATISFIABLE, UINT64_MAX, 9999},
        {"bytes=-0", 10000, NB_RANGE_UNSATISFIABLE, 10000, 9999},
        {"bytes=0-", 0, NB_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-5", 0, NB_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=5-4", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=-", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=0-1,4-5", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=a-b", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=+1-2", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=--1", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"bytes=1-2 ", 10000, NB_RANGE_WHOLE, 0, 9999},
        {"lines=1-2", 10000, NB_RANGE_WHOLE, 0, 9999},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t from = 77;
        uint64_t to = 77;
        enum nb_http_range kind = nb_http_range_parse(rows[i].text, rows[i].size, &from, &to);
        if (kind != rows[i].kind || from != rows[i].from || to != rows[i].to)
            fail_msg("%s of %llu: kind %d, %llu-%llu", rows[i].text ? rows[i].text : "(none)",
                     (unsigned long long)rows[i].size, kind, (unsigned long long)from,
                     (unsigned long long)to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
