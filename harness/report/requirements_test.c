#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/report/requirements.h"

#include <string.h>

#define HEAD NB_REQUIREMENTS_HEADING "\n"

static int parse(const char *text, struct nb_requirements *out, struct flash_text_error *error)
{
    return nb_requirements_parse(text, strlen(text), out, error);
}

static void rows_come_out_as_they_are(void **state)
{
    static const char text[] = HEAD "BOOT-01,M,A device boots.,MCUboot,,\r\n"
                                    "\"BOOT-02\",S,\"It says \"\"no\"\", and stops\",a; b,"
                                    "Not here.,\n"
                                    "SECU-02,O,x,y,,test:a_test.c:b fuzz:c_fuzz.c";
    struct nb_requirements requirements;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(text, &requirements, &error), 0);
    assert_int_equal(requirements.count, 3);
    const struct nb_requirement *row = &requirements.rows[0];
    assert_string_equal(row->id, "BOOT-01");
    assert_int_equal(row->level, 'M');
    assert_string_equal(row->text, "A device boots.");
    assert_string_equal(row->sources, "MCUboot");
    assert_string_equal(row->na, "");
    assert_string_equal(row->evidence, "");
    assert_int_equal(row->line, 2);
    row = nb_requirement_find(&requirements, "BOOT-02");
    assert_ptr_equal(row, &requirements.rows[1]);
    assert_string_equal(row->text, "It says \"no\", and stops");
    assert_string_equal(row->na, "Not here.");
    assert_string_equal(requirements.rows[2].evidence, "test:a_test.c:b fuzz:c_fuzz.c");
    assert_int_equal(requirements.rows[2].line, 4);
    assert_null(nb_requirement_find(&requirements, "BOOT-03"));
    nb_requirements_free(&requirements);
}

static void bad_file_is_named_with_place_and_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        unsigned column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "expected the field 'level'"},
        {"id,level\n", 1, 9, "expected the field 'text': the line has 2 of 6"},
        {"id,level,text,source,na,evidence\n", 1, 15, "expected the heading id,level,"},
        {HEAD "\n", 2, 1, "expected the field 'level': the line has 1 of 6"},
        {HEAD "BOOT-01,M,a,b,,,\n", 2, 17, "more than 6 fields"},
        {HEAD "BOOT-1,M,a,b,,\n", 2, 1, "'BOOT-1' is no id"},
        {HEAD "BOOTS-01,M,a,b,,\n", 2, 1, "'BOOTS-01' is no id"},
        {HEAD "BOOT-011,M,a,b,,\n", 2, 1, "'BOOT-011' is no id"},
        {HEAD "BOOT-01,M,a,b,,\nBOOT-01,M,a,b,,\n", 3, 1, "BOOT-01 is in line 2 already"},
        {HEAD "BOOT-01,X,a,b,,\n", 2, 9, "'X' is no level"},
        {HEAD "BOOT-01,,a,b,,\n", 2, 9, "'' is no level"},
        {HEAD "BOOT-01,MS,a,b,,\n", 2, 9, "'MS' is no level"},
        {HEAD "BOOT-01,M,,b,,\n", 2, 11, "the field 'text' is empty"},
        {HEAD "BOOT-01,M,a,,,\n", 2, 13, "the field 'sources' is empty"},
        {HEAD "BOOT-01,M,a,b,c,d\n", 2, 17, "evidence, and a reason"},
        {HEAD "BOOT-01,M,a\"b,c,,\n", 2, 12, "a quote inside a field"},
        {HEAD "BOOT-01,M,\"a\"b,c,,\n", 2, 14, "expected a comma or the line's end"},
        {HEAD "BOOT-01,M,\"a,b,c,,", 2, 11, "no quote closes the field"},
        {HEAD "BOOT-01,M,\"a\"\"", 2, 11, "no quote closes the field"},
        {HEAD "BOOT-01,M,\"a\nb\",c,,\n", 2, 13, "a control character or line break"},
        {HEAD "BOOT-01,M,a\rb,c,,\n", 2, 12, "a control character or line break"},
        {HEAD "BOOT-01,M,a\tb,c,,\n", 2, 12, "a control character or line break"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nb_requirements requirements;
        struct flash_text_error error;
        assert_int_equal(parse(cases[i].text, &requirements, &error), OTA_E_ARGUMENT);
        assert_non_null(strstr(error.message, cases[i].message));
        assert_int_equal(error.line, cases[i].line);
        assert_int_equal(error.column, cases[i].column);
        assert_null(requirements.rows);
        assert_null(requirements.text);
    }
}

static void a_hidden_end_of_text_is_refused(void **state)
{
    static const char text[] = HEAD "BOOT-01,M,a\0b,c,,\n";
    struct nb_requirements requirements;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(nb_requirements_parse(text, sizeof text - 1, &requirements, &error),
                     OTA_E_ARGUMENT);
    assert_int_equal(error.column, 12);
}

static void every_beginning_is_a_file_or_an_error(void **state)
{
    static const char text[] = HEAD "BOOT-01,M,\"a \"\"b\"\", c\",d,,\r\nBOOT-02,S,e,f,g,\r\n";
    (void)state;
    for (size_t length = 0; length < sizeof text; length++) {
        struct nb_requirements requirements;
        struct flash_text_error error;
        int rc = nb_requirements_parse(text, length, &requirements, &error);
        assert_true(rc == 0 || (rc == OTA_E_ARGUMENT && error.line > 0 && error.column > 0));
        if (rc == 0)
            nb_requirements_free(&requirements);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_as_they_are),
        cmocka_unit_test(bad_file_is_named_with_place_and_what_is_wrong),
        cmocka_unit_test(a_hidden_end_of_text_is_refused),
        cmocka_unit_test(every_beginning_is_a_file_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
