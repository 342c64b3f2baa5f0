#include "sim/cortexm/guest/net/tls_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void what_is_worst_is_told(void **state)
{
    static const struct {
        struct tls_verdict verdict;
        const char *word;
    } rows[] = {
        {{.untrusted = true}, "tls-unknown-ca"},
        {{.untrusted = true, .trusted_issuer = true}, "tls-impostor"},
        {{.untrusted = true, .self_signed = true}, "tls-self-signed"},
        {{.untrusted = true, .self_signed = true, .trusted_issuer = true}, "tls-self-signed"},
        {{.untrusted = true, .out_of_date = true, .wrong_name = true}, "tls-unknown-ca"},
        {{.out_of_date = true, .wrong_name = true}, "tls-expired"},
        {{.wrong_name = true}, "tls-wrong-name"},
        {{.wrong_name = true, .asked_in_vain = true}, "tls-wrong-name"},
        {{.alert = 48}, "tls-device-refused"},
        {{.alert = 42}, "tls-device-refused"},
        {{.alert = 116}, "tls-device-refused"},
        {{.alert = 40, .asked_in_vain = true}, "tls-device-refused"},
        {{.asked_in_vain = true}, "tls-device-refused"},
        {{.alert = 40}, "tls"},
        {{.alert = 0}, "tls"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(ota_err_word(tls_verdict_code(&rows[i].verdict)), rows[i].word);
}

static void addresses_are_told_from_names(void **state)
{
    static const uint8_t here[4] = {127, 0, 0, 1};
    static const char *const names[] = {"localhost", "127.0.0",    "127.0.0.1.", "127.0.0.256",
                                        "1.2.3.4x",  "0127.0.0.1", "",           "1..2.3"};
    uint8_t out[4];
    (void)state;
    assert_true(tls_is_address("127.0.0.1", out));
    assert_memory_equal(out, here, 4);
    assert_true(tls_is_address("255.255.255.255", out));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(tls_is_address(names[i], out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_worst_is_told),
        cmocka_unit_test(addresses_are_told_from_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
