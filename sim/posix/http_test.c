/* The HTTP seam against a server in this process that answers byte for byte what a row says. */
#include "sim/posix/http_rig.h"

#include "sim/http_situations_rig.h"

/* ---- addresses --------------------------------------------------------------------------- */

static void url(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
        bool tls;
    } rows[] = {
        {"http://localhost", "localhost", 80, false},
        {"https://localhost/", "localhost", 443, true},
        {"https://[::1]:4443", "[::1]", 4443, true},
        {"http://10.0.0.1:8080/", "10.0.0.1", 8080, false},
        {"http://", NULL, 0, false},
        {"http://h/path", NULL, 0, false},
        {"http://h:0", NULL, 0, false},
        {"http://h:65536", NULL, 0, false},
        {"http://h:18446744073709551617", NULL, 0, false},
        {"http://me@h", NULL, 0, false},
        {"http://h%2e", NULL, 0, false},
        {"ftp://h", NULL, 0, false},
        {"h:80", NULL, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct posix_http_config config;
        int result = posix_http_url(rows[i].text, &config);
        if ((result == OTA_OK) != (rows[i].host != NULL))
            fail_msg("%s: %s", rows[i].text, ota_err_word(result));
        if (result != OTA_OK)
            continue;
        assert_string_equal(config.host, rows[i].host);
        assert_int_equal(config.port, rows[i].port);
        assert_int_equal(config.tls, rows[i].tls);
    }
}

/* ------------------------------------------------------------------------------------------ */

static int before_all(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    rig_make_all();
    return 0;
}

static int after_all(void **state)
{
    (void)state;
    rig_remove_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url),
        HTTP_SITUATIONS,
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}
