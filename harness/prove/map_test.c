/* The picture of a proof: what is drawn where, by counting what is in the file. */
#include "harness/prove/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct nb_seen_op ops[] = {
    {FLASH_OP_ERASE, 0x1000, 0x1000, 0, NB_FATE_OLD},
    {FLASH_OP_PROGRAM, 0x1000, 0x400, 0, NB_FATE_NEW},
    {FLASH_OP_ERASE, 0x1000, 0x1000, 0, NB_FATE_FAIL},
    {FLASH_OP_PROGRAM, 0x9000, 8, 1, NB_FATE_EITHER},
    {FLASH_OP_PROGRAM, 0x8FFF, 1, 1, NB_FATE_NEW}, /* in no area */
    {FLASH_OP_ERASE, 0x9000, 0x1000, 1, NB_FATE_OLD},
};

static const struct nb_map map = {
    .title = "swap-move on <nobody> & co",
    .subtitle = "a script's title",
    .verdict = "closed: 1 states",
    .areas = {{"slot 1", 0x9000, 0x4000}, {"slot 0", 0x1000, 0x4000}},
    .area_count = 2,
    .ops = ops,
    .op_count = sizeof ops / sizeof ops[0],
    .old = "1.0.0",
    .new = "2.0.0",
};

/* The picture as text: malloc'ed, the caller's. */
static char *draw(const struct nb_map *what)
{
    char path[] = "/tmp/nobrick-map-XXXXXX";
    char *text = calloc(1, 65536);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && text != NULL);
    close(fd);
    assert_int_equal(nb_map_write(what, path), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) < 65535);
    fclose(file);
    unlink(path);
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        found++;
    return found;
}

static void test_whole_document(void **state)
{
    char *text = draw(&map);
    (void)state;
    assert_int_equal(strncmp(text, "<svg xmlns=", 11), 0);
    assert_string_equal(text + strlen(text) - 7, "</svg>\n");
    assert_non_null(strstr(text, "swap-move on &lt;nobody> &amp; co</text>"));
    assert_non_null(strstr(text, ">a script's title</text>"));
    assert_non_null(strstr(text, ">closed: 1 states</text>"));
    assert_non_null(strstr(text, ">1.0.0 boots: 2</text>"));
    assert_non_null(strstr(text, ">2.0.0 boots: 2</text>"));
    assert_int_equal(count(text, "<rect"), count(text, "/>") - count(text, "<path"));
    assert_int_equal(count(text, "<text"), count(text, "</text>"));
    free(text);
}

/* In the band above: one box an operation, and one more of each colour in the legend. */
static void test_outcomes(void **state)
{
    char *text = draw(&map);
    (void)state;
    assert_int_equal(count(text, "<rect class=\"a\""), 2);
    assert_int_equal(count(text, "<rect class=\"o\""), 2 + 1);
    assert_int_equal(count(text, "<rect class=\"n\""), 2 + 1);
    assert_int_equal(count(text, "<rect class=\"e\""), 1 + 1);
    assert_int_equal(count(text, "<rect class=\"f\""), 1 + 1);
    assert_int_equal(count(text, "<path class=\"f\" d=\"M376.3 84.0"), 1); /* the mark above it */
    free(text);
}

/* In the areas: one box an operation, but for that in no area; erases are pale. The first area is
 * on top, and in each the lowest address at the bottom. */
static void test_places(void **state)
{
    char *text = draw(&map);
    (void)state;
    /* slot 0 is drawn from 274 to 424; its first quarter is erased */
    assert_non_null(strstr(text, "class=\"o x\" d=\"M128.0 386.5h99.3v37.5h-99.3z"));
    assert_non_null(strstr(text, "class=\"f x\" d=\"M326.7 386.5h99.3v37.5h-99.3z\""));
    assert_non_null(strstr(text, "class=\"n\" d=\"M227.3 414.6h99.3v9.4h-99.3z\""));
    assert_int_equal(count(text, "h99.3v"), 5);
    free(text);
}

static void test_runs_and_wear(void **state)
{
    char *text = draw(&map);
    (void)state;
    assert_int_equal(count(text, ">boot 1: 3 operations</text>"), 1);
    assert_int_equal(count(text, ">boot 2: 3 operations</text>"), 1);
    assert_int_equal(count(text, "stroke-dasharray"), 1); /* between the two */
    /* the sector that was erased twice, and one that was half as often */
    assert_non_null(strstr(text, "<path class=\"w\" d=\"M744.0 386.5h112.0v36.9h-112.0z"
                                 "M744.0 224.5h56.0v36.9h-56.0z\""));
    free(text);
}

static void test_nothing_happens(void **state)
{
    struct nb_map empty = map;
    (void)state;
    empty.op_count = 0;
    char *text = draw(&empty);
    assert_int_equal(count(text, "operations</text>"), 0);
    assert_int_equal(count(text, "<path class=\"w\""), 0);
    free(text);
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    assert_int_equal(nb_map_write(&map, "/no/such/folder/map.svg"), OTA_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_document),  cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_places),          cmocka_unit_test(test_runs_and_wear),
        cmocka_unit_test(test_nothing_happens), cmocka_unit_test(test_nowhere_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
