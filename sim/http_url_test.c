/* Where redirects lead. */
#include "sim/http_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void follows(void **state)
{
    static const struct {
        const char *from; /* path of http://here:8080 */
        const char *location;
        int code;
        const char *to; /* URL */
    } rows[] = {
        {"/a/b?c", "/x", OTA_OK, "http://here:8080/x"},
        {"/a/b?c", "x?y", OTA_OK, "http://here:8080/a/x?y"},
        {"/a/b?c/d", "x", OTA_OK, "http://here:8080/a/x"},
        {"/a/b?c", "?y", OTA_OK, "http://here:8080/a/b?y"},
        {"/a/b?c", "#y", OTA_OK, "http://here:8080/a/b?c"},
        {"/a/b?c", "", OTA_OK, "http://here:8080/a/b?c"},
        {"/a/b/c", "./x", OTA_OK, "http://here:8080/a/b/x"},
        {"/a/b/c", "../x", OTA_OK, "http://here:8080/a/x"},
        {"/a/b/c", "../../../../x", OTA_OK, "http://here:8080/x"},
        {"/a/b/c", "../", OTA_OK, "http://here:8080/a/"},
        {"/a/", "x y#z", OTA_OK, "http://here:8080/a/x%20y"},
        {"/a", "//there/x", OTA_OK, "http://there:80/x"},
        {"/a", "http://there", OTA_OK, "http://there:80/"},
        {"/a", "http://there?x", OTA_OK, "http://there:80/?x"},
        {"/a", "HTTPS://there/x/../y", OTA_OK, "https://there:443/x/../y"},
        {"/a", "http://[::1]:81/x", OTA_OK, "http://[::1]:81/x"},
        {"/a", "https://there:444/x:y", OTA_OK, "https://there:444/x:y"},
        {"/a", "ftp://there/x", OTA_E_UNSUPPORTED, NULL},
        {"/a", "file:///etc/hostname", OTA_E_UNSUPPORTED, NULL},
        {"/a", "mailto:x", OTA_E_UNSUPPORTED, NULL},
        {"/a", "http:x", OTA_E_ARGUMENT, NULL},
        {"/a", "http://", OTA_E_ARGUMENT, NULL},
        {"/a", "http://me@there/", OTA_E_ARGUMENT, NULL},
        {"/a", "http://there:0/", OTA_E_ARGUMENT, NULL},
        {"/a", "http://there:65536/", OTA_E_ARGUMENT, NULL},
        {"/a", "/x\ty", OTA_E_ARGUMENT, NULL},
        {"/a", "/x\x7f", OTA_E_ARGUMENT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_http_url from = {.host = "here", .port = 8080};
        struct sim_http_url to;
        char text[3000] = "";
        strcpy(from.path, rows[i].from);
        int code = sim_http_url_follow(&from, rows[i].location, &to);
        if (code == OTA_OK)
            snprintf(text, sizeof text, "%s://%s:%u%s", to.tls ? "https" : "http", to.host, to.port,
                     to.path);
        if (code != rows[i].code || (code == OTA_OK && strcmp(text, rows[i].to) != 0))
            fail_msg("%s from %s: %s %s", rows[i].location, rows[i].from, ota_err_word(code), text);
    }
}

static void too_long(void **state)
{
    struct sim_http_url from = {.host = "here", .port = 80, .path = "/"};
    struct sim_http_url to;
    char location[SIM_HTTP_PATH + 1];
    (void)state;
    memset(location, 'x', sizeof location);
    location[0] = '/';
    location[SIM_HTTP_PATH] = '\0';
    assert_int_equal(sim_http_url_follow(&from, location, &to), OTA_E_ARGUMENT);
    memset(location + 1, ' ', SIM_HTTP_PATH / 2); /* escaped they do not fit */
    location[SIM_HTTP_PATH / 2] = '\0';
    assert_int_equal(sim_http_url_follow(&from, location, &to), OTA_E_ARGUMENT);
    location[SIM_HTTP_PATH / 4] = '\0';
    assert_int_equal(sim_http_url_follow(&from, location, &to), OTA_OK);
    assert_int_equal(strlen(to.path), 1 + 3 * (SIM_HTTP_PATH / 4 - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
