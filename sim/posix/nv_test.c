#include "sim/posix/nv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[256];
static char path[300];

static int make_dir(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/nv.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/flash.nv", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir); /* fails when something else was left behind */
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void only_goes_up(void **state)
{
    struct posix_nv nv;
    uint32_t value = 99;
    (void)state;
    assert_int_equal(posix_nv_init(&nv, path), OTA_OK);
    assert_int_equal(nv.port.get(nv.port.context, &value), OTA_OK);
    assert_int_equal(value, 0);
    assert_int_equal(nv.port.raise(nv.port.context, 0), OTA_OK);
    assert_int_equal(access(path, F_OK), -1); /* nothing was raised */
    assert_int_equal(nv.port.raise(nv.port.context, 7), OTA_OK);
    assert_int_equal(nv.port.raise(nv.port.context, 3), OTA_OK);
    assert_int_equal(nv.port.get(nv.port.context, &value), OTA_OK);
    assert_int_equal(value, 7);
    assert_int_equal(nv.port.raise(nv.port.context, UINT32_MAX), OTA_OK);
    struct posix_nv again;
    assert_int_equal(posix_nv_init(&again, path), OTA_OK);
    assert_int_equal(again.port.get(again.port.context, &value), OTA_OK);
    assert_int_equal(value, UINT32_MAX);
}

static void nonsense_is_an_error(void **state)
{
    static const char *const texts[] = {
        "",     "\n",     "seven\n",      "7",     "7 \n",
        "-1\n", "7\n8\n", "4294967296\n", "0x7\n", "99999999999999999\n"};
    struct posix_nv nv;
    uint32_t value;
    (void)state;
    assert_int_equal(posix_nv_init(&nv, path), OTA_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_text(texts[i]);
        if (nv.port.get(nv.port.context, &value) != OTA_E_IO ||
            nv.port.raise(nv.port.context, 9) != OTA_E_IO)
            fail_msg("'%s' was taken for a counter", texts[i]);
    }
}

static void unwritable_keeps_the_old(void **state)
{
    struct posix_nv nv;
    uint32_t value;
    char blocked[320];
    (void)state;
    assert_int_equal(posix_nv_init(&nv, path), OTA_OK);
    assert_int_equal(nv.port.raise(nv.port.context, 5), OTA_OK);
    snprintf(blocked, sizeof blocked, "%s.new", path);
    assert_int_equal(mkdir(blocked, 0700), 0); /* the new file cannot be made */
    assert_int_equal(nv.port.raise(nv.port.context, 6), OTA_E_IO);
    assert_int_equal(rmdir(blocked), 0);
    assert_int_equal(nv.port.get(nv.port.context, &value), OTA_OK);
    assert_int_equal(value, 5);
}

static void path_too_long(void **state)
{
    struct posix_nv nv;
    char *text = malloc(5001);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', 5000);
    text[5000] = '\0';
    assert_int_equal(posix_nv_init(&nv, text), OTA_E_NO_SPACE);
    free(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(only_goes_up),
        CASE(nonsense_is_an_error),
        CASE(unwritable_keeps_the_old),
        CASE(path_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
