/* The page of AnyCloud tells people the agent's timings: it must tell the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/cli/device_options.h"

#include "agent/update/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 256

static const struct row {
    const char *name;
    const uint32_t *value; /* milliseconds, or a count */
    const char *unit;
    const char *option;
} rows[] = {
    {"initial_check", &ota_default_timing.initial_check, "s", "--initial-check"},
    {"next_check", &ota_default_timing.next_check, "s", "--next-check"},
    {"job_wait", &ota_default_timing.job_wait, "s", "--job-wait"},
    {"data_wait", &ota_default_timing.data_wait, "s", "--data-wait"},
    {"connect_wait", &ota_default_timing.connect_wait, "s", "--connect-wait"},
    {"retry_first", &ota_default_timing.retry_first, "s", "--retry"},
    {"retry_last", &ota_default_timing.retry_last, "s", "--retry-last"},
    {"keep_alive", &ota_default_timing.keep_alive, "s", "--keep-alive"},
    {"connect_tries", &ota_default_timing.connect_tries, "", "--connect-tries"},
    {"data_tries", &ota_default_timing.data_tries, "", "--data-tries"},
};
#define ROWS (sizeof rows / sizeof rows[0])

_Static_assert(ROWS == sizeof(struct ota_timing) / sizeof(uint32_t), "a row a timing");

/* The line of the page's table that begins with this name; false when there is none. */
static bool find_row(const char *name, char line[LINE])
{
    const char *data = getenv("NOBRICK_DATA");
    char path[LINE];
    char begin[64];
    bool found = false;
    snprintf(path, sizeof path, "%s/anycloud/README.md", data ? data : "scenarios");
    snprintf(begin, sizeof begin, "| `%s` |", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (!found && fgets(line, LINE, file))
        found = strncmp(line, begin, strlen(begin)) == 0;
    fclose(file);
    return found;
}

static void the_page_says_what_the_agent_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char line[LINE];
        char expected[LINE];
        bool seconds = rows[i].unit[0] != '\0';
        if (!find_row(rows[i].name, line))
            fail_msg("the page has no row for %s", rows[i].name);
        snprintf(expected, sizeof expected, "| `%s` | %u%s%s |", rows[i].name,
                 *rows[i].value / (seconds ? 1000 : 1), seconds ? " " : "", rows[i].unit);
        if (strncmp(line, expected, strlen(expected)) != 0)
            fail_msg("%sis not: %s", line, expected);
        assert_int_equal(seconds ? *rows[i].value % 1000 : 0, 0);
        snprintf(expected, sizeof expected, "| `%s` |\n", rows[i].option);
        size_t length = strlen(expected);
        if (strlen(line) < length || strcmp(line + strlen(line) - length, expected) != 0)
            fail_msg("%sdoes not end with: %s", line, expected);
    }
}

/* What such an option sets: milliseconds, or a count. */
static void options_set_timings(void **state)
{
    struct device_options options;
    const struct ota_timing *timing = &options.config.life.session.timing;
    const uint32_t *const set[] = {
        &timing->initial_check, &timing->next_check,  &timing->job_wait,   &timing->data_wait,
        &timing->connect_wait,  &timing->retry_first, &timing->retry_last, &timing->keep_alive,
        &timing->connect_tries, &timing->data_tries};
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char option[32];
        char *words[] = {"device", "--device", "x", "--flash", "y", option, "7", NULL};
        snprintf(option, sizeof option, "%s", rows[i].option);
        assert_int_equal(device_options_parse(7, words, &options), 0);
        for (size_t j = 0; j < ROWS; j++)
            assert_int_equal(*set[j], j != i ? 0 : rows[i].unit[0] != '\0' ? 7000 : 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_the_agent_does),
        cmocka_unit_test(options_set_timings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
