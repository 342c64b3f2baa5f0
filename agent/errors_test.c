#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/errors.h"

#include <string.h>

static const int codes[] = {
#define CODE(name, word, text) OTA_E_##name,
    OTA_ERR_LIST(CODE)
#undef CODE
};
#define CODES (sizeof codes / sizeof codes[0])

static void every_code_has_a_word_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODES; i++) {
        const char *word = ota_err_word(codes[i]);
        const char *text = ota_err_text(codes[i]);
        assert_true(codes[i] < 0);
        assert_true(strlen(word) > 1 && strlen(text) > 5);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(word));
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(codes[i], codes[j]);
            assert_string_not_equal(word, ota_err_word(codes[j]));
        }
    }
    assert_string_equal(ota_err_word(OTA_E_JOB_BOARD), "wrong-board");
    assert_string_equal(ota_err_text(OTA_E_JOB_BOARD), "job is for another board");
}

/* Journals in flash and peers keep codes: a new one goes to the end of the list. */
static void the_first_codes_stay_where_they_are(void **state)
{
    (void)state;
    assert_int_equal(OTA_E_IO, -999);
    assert_int_equal(OTA_E_REVERTED, -962);
    assert_int_equal(OTA_E_TRAFFIC, -949);
}

/* Each of their words begins so, and no other does: a new one cannot be forgotten in the list. */
static void what_is_wrong_with_tls_is_known_as_that(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODES; i++)
        assert_int_equal(ota_err_is_tls(codes[i]), strncmp(ota_err_word(codes[i]), "tls", 3) == 0);
    assert_false(ota_err_is_tls(0));
}

static void success_and_unknown_codes_have_words_too(void **state)
{
    (void)state;
    assert_string_equal(ota_err_word(0), "ok");
    assert_string_equal(ota_err_word(17), "ok");
    assert_string_equal(ota_err_text(0), "no error");
    assert_string_equal(ota_err_word(-1), "error");
    assert_string_equal(ota_err_text(-5000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_word_of_its_own_and_a_sentence),
        cmocka_unit_test(the_first_codes_stay_where_they_are),
        cmocka_unit_test(what_is_wrong_with_tls_is_known_as_that),
        cmocka_unit_test(success_and_unknown_codes_have_words_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
