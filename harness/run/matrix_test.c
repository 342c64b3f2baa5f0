#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/matrix.h"

#include <stdio.h>
#include <string.h>

#define STEPS "flash slot1 v2 pending\ndevice boot\nexpect boot v2\n"

static void parse(const char *text, struct nb_script *script)
{
    struct flash_text_error error;
    int rc = nb_script_parse(text, strlen(text), "dir/test.ota", script, &error);
    if (rc)
        print_error("%u:%u: %s\n", error.line, error.column, error.message);
    assert_int_equal(rc, 0);
}

/* The names of all cells, one a line. */
static void names_of(const struct nb_matrix *matrix, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < matrix->count; i++) {
        char name[200];
        nb_cell_name(&matrix->cells[i], name, sizeof name);
        used += (size_t)snprintf(out + used, size - used, "%s\n", name);
    }
}

static const struct {
    const char *header;
    const char *names; /* NULL: refused */
    size_t left_out;
    const char *message;
} cases[] = {
    {"", "\n", 0, NULL},
    {"system anycloud\nworld virtual posix\n", "\n", 0, NULL},
    {"part nrf52840 stm32l4\ninstall test permanent\n",
     "part=nrf52840,install=test\npart=nrf52840,install=permanent\n"
     "part=stm32l4,install=test\npart=stm32l4,install=permanent\n",
     0, NULL},
    {"part nrf52840\nscheme overwrite swap-move\nsize smaller maximal\n",
     "part=nrf52840,scheme=overwrite,size=smaller\npart=nrf52840,scheme=overwrite,size=maximal\n"
     "part=nrf52840,scheme=swap-move,size=smaller\npart=nrf52840,scheme=swap-move,size=maximal\n",
     0, NULL},
    {"via mqtt http\ndata http https\ntls client\n",
     "via=mqtt,data=http,tls=client\nvia=mqtt,data=https,tls=client\n"
     "via=http,data=http,tls=client\nvia=http,data=https,tls=client\n",
     0, NULL},
    /* what does not fit under * is left out, and counted */
    {"part psoc6-internal nrf52840\nscheme *\n",
     "part=psoc6-internal,scheme=overwrite\npart=psoc6-internal,scheme=swap-status\n"
     "part=psoc6-internal,scheme=ranked\n"
     "part=nrf52840,scheme=overwrite\npart=nrf52840,scheme=swap-move\n"
     "part=nrf52840,scheme=swap-scratch\npart=nrf52840,scheme=swap-status\n"
     "part=nrf52840,scheme=ranked\n",
     2, NULL},
    /* so is a device of another system than the cloud's */
    {"system anycloud\npart nrf52840\nscheme *\ncloud offer v3\ndevice check\n",
     "part=nrf52840,scheme=overwrite\npart=nrf52840,scheme=swap-move\n"
     "part=nrf52840,scheme=swap-scratch\npart=nrf52840,scheme=swap-status\n",
     1, NULL},
    {"system harmony\npart nrf52840\nscheme *\ncloud offer v3\ndevice check\n",
     "part=nrf52840,scheme=ranked\n", 4, NULL},
    {"system harmony\ndevice *\ncloud offer v3\ndevice check\n",
     "device=harmony-small\ndevice=harmony-small-rows\ndevice=harmony-wfi32\n", 9, NULL},
    {"part nrf52840\nscheme swap-move ranked\ncloud offer v3\ndevice check\n",
     "part=nrf52840,scheme=swap-move\npart=nrf52840,scheme=ranked\n", 0, NULL},
    /* and a store where a host pushes into slots */
    {"part nrf52840\nscheme *\ndevice push v3\n",
     "part=nrf52840,scheme=overwrite\npart=nrf52840,scheme=swap-move\n"
     "part=nrf52840,scheme=swap-scratch\npart=nrf52840,scheme=swap-status\n",
     1, NULL},
    {"part psoc6-internal\nscheme swap-move\n", NULL, 0,
     "3:1: part=psoc6-internal,scheme=swap-move: "},
    {"part nosuch\n", NULL, 0, "3:1: part=nosuch: "},
    {"scheme candidate\n", NULL, 0,
     "3:1: scheme=candidate: boot scheme candidate is not built yet"},
    {"device nosuch\n", NULL, 0, "3:1: device=nosuch: no device nosuch"},
    {"part nrf52840\nscheme *\nslot 16M\n", NULL, 0, "0:0: no combination fits (5 left out)"},
};

static void lists_span_the_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        char names[800];
        const struct nb_choice choice = {0};
        struct nb_script script;
        struct nb_matrix matrix;
        struct flash_text_error error;
        snprintf(text, sizeof text, "# here\ntitle T\n%s" STEPS, cases[i].header);
        parse(text, &script);
        int rc = nb_matrix_expand(&script, &choice, &matrix, &error);
        if (cases[i].names) {
            if (rc)
                print_error("%s: %s\n", cases[i].header, error.message);
            assert_int_equal(rc, 0);
            names_of(&matrix, names, sizeof names);
            assert_string_equal(names, cases[i].names);
            assert_int_equal(matrix.left_out, cases[i].left_out);
            nb_matrix_free(&matrix);
        } else {
            char found[240];
            if (rc == 0)
                print_error("%s: expands\n", cases[i].header);
            assert_int_equal(rc, OTA_E_ARGUMENT);
            snprintf(found, sizeof found, "%u:%u: %s", error.line, error.column, error.message);
            found[strlen(cases[i].message)] = '\0';
            assert_string_equal(found, cases[i].message);
        }
        nb_script_free(&script);
    }
}

static void world_is_virtual_unless_only_others_are_named(void **state)
{
    static const char *const headers[] = {"", "world posix virtual cortexm\n", "world cortexm\n"};
    static const char *const worlds[] = {"virtual", "virtual", "cortexm"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char text[300];
        struct nb_choice choice = {0};
        struct nb_script script;
        struct nb_matrix matrix;
        struct flash_text_error error;
        snprintf(text, sizeof text, "title T\n%s" STEPS, headers[i]);
        parse(text, &script);
        assert_int_equal(nb_matrix_expand(&script, &choice, &matrix, &error), 0);
        assert_string_equal(matrix.cells[0].world, worlds[i]);
        nb_matrix_free(&matrix);
        snprintf(choice.world, sizeof choice.world, "posix");
        assert_int_equal(nb_matrix_expand(&script, &choice, &matrix, &error), 0);
        assert_string_equal(matrix.cells[0].world, "posix");
        nb_matrix_free(&matrix);
        nb_script_free(&script);
    }
}

static void chosen_part_replaces_the_list(void **state)
{
    struct nb_choice choice = {.part = "stm32l4"};
    char names[100];
    struct nb_script script;
    struct nb_matrix matrix;
    struct flash_text_error error;
    (void)state;
    parse("title T\npart *\n" STEPS, &script);
    assert_int_equal(nb_matrix_expand(&script, &choice, &matrix, &error), 0);
    names_of(&matrix, names, sizeof names);
    assert_string_equal(names, "part=stm32l4\n");
    nb_matrix_free(&matrix);
    nb_script_free(&script);
}

static void chosen_device_replaces_parts_and_schemes(void **state)
{
    struct nb_choice choice = {.device = "anycloud-w25q128"};
    char names[100];
    struct nb_script script;
    struct nb_matrix matrix;
    struct flash_text_error error;
    (void)state;
    parse("title T\npart *\nscheme *\n" STEPS, &script);
    assert_int_equal(nb_matrix_expand(&script, &choice, &matrix, &error), 0);
    names_of(&matrix, names, sizeof names);
    assert_string_equal(names, "device=anycloud-w25q128\n");
    nb_matrix_free(&matrix);
    nb_script_free(&script);
}

/* ---- replay ids -------------------------------------------------------------------------- */

static void replay_id_comes_back_as_the_same_cell(void **state)
{
    const struct nb_cell cell = {.world = "posix",
                                 .part = "nrf52840",
                                 .scheme = "swap-move",
                                 .size = NB_SIZE_LARGER,
                                 .install_named = true,
                                 .permanent = true};
    struct nb_cell back;
    struct flash_text_error error;
    char id[NB_ID];
    char again[NB_ID];
    char path[256];
    char cuts[100];
    (void)state;
    nb_replay_id("boot/swap test;x.ota", &cell, "37.half+2.fail", id, sizeof id);
    assert_string_equal(id, "boot/swap%20test%3Bx.ota:posix:part=nrf52840,scheme=swap-move,"
                            "size=larger,install=permanent:cuts=37.half+2.fail");
    assert_int_equal(nb_replay_parse(id, path, sizeof path, &back, &error), 0);
    assert_string_equal(path, "boot/swap test;x.ota");
    assert_true(back.replay);
    assert_int_equal(back.cut_count, 2);
    assert_int_equal(back.cuts[0].op, 37);
    assert_int_equal(back.cuts[0].tear, FLASH_TEAR_HALF);
    assert_false(back.cuts[0].fails);
    assert_int_equal(back.cuts[1].op, 2);
    assert_true(back.cuts[1].fails);
    nb_cuts_print(&back, cuts, sizeof cuts);
    nb_replay_id(path, &back, cuts, again, sizeof again);
    assert_string_equal(again, id);
    const struct nb_cell plain = {.world = "posix"};
    nb_replay_id("a.ota", &plain, "", id, sizeof id);
    assert_string_equal(id, "a.ota:posix");
}

static void a_chain_of_runs_comes_back(void **state)
{
    static const char id[] = "a.ota:virtual:cuts=pending@0.first-odd+boot+37.half+confirm";
    struct nb_cell cell;
    struct flash_text_error error;
    char path[64];
    char cuts[100];
    (void)state;
    assert_int_equal(nb_replay_parse(id, path, sizeof path, &cell, &error), 0);
    assert_int_equal(cell.cut_count, 4);
    assert_int_equal(cell.cuts[0].action, NB_ACTION_PENDING);
    assert_int_equal(cell.cuts[0].tear, FLASH_TEAR_FIRST_ODD);
    assert_int_equal(cell.cuts[1].action, NB_ACTION_BOOT);
    assert_int_equal(cell.cuts[1].tear, FLASH_TEAR_NONE);
    assert_int_equal(cell.cuts[3].action, NB_ACTION_CONFIRM);
    nb_cuts_print(&cell, cuts, sizeof cuts);
    assert_string_equal(cuts, "pending@0.first-odd+boot+37.half+confirm");
}

/* Seeds and faults, whatever characters these have. */
static void replay_id_names_a_history(void **state)
{
    const struct nb_cell cell = {
        .world = "virtual",
        .via = "http",
        .explored = true,
        .seed = 18446744073709551615u,
        .drawn_given = true,
        .drawn = {{1, "@body:37% net reset"}, {2, "@job raw {\"a\":[1+2]}"}},
        .drawn_count = 2};
    struct nb_cell back;
    struct flash_text_error error;
    char id[NB_ID];
    char again[NB_ID];
    char path[256];
    (void)state;
    nb_replay_id("a.ota", &cell, "", id, sizeof id);
    assert_string_equal(id, "a.ota:virtual:via=http:seed=18446744073709551615:"
                            "faults=1.%40body%3A37%25%20net%20reset+"
                            "2.%40job%20raw%20%7B%22a%22%3A%5B1%2B2%5D%7D");
    assert_int_equal(nb_replay_parse(id, path, sizeof path, &back, &error), 0);
    assert_int_equal(back.drawn_count, 2);
    assert_int_equal(back.drawn[1].step, 2);
    assert_string_equal(back.drawn[1].line, cell.drawn[1].line);
    nb_replay_id(path, &back, "", again, sizeof again);
    assert_string_equal(again, id);
    /* a seed alone, and no fault at all */
    assert_int_equal(nb_replay_parse("a.ota:virtual:seed=7", path, sizeof path, &back, &error), 0);
    assert_true(back.explored && !back.drawn_given && back.seed == 7);
    assert_int_equal(nb_replay_parse("a.ota:virtual:faults=", path, sizeof path, &back, &error), 0);
    assert_true(back.explored && back.drawn_given && back.drawn_count == 0);
    /* faults of each life that a proof looks at: no seed */
    back.explored = false;
    back.drawn[0] = (struct nb_drawn){.step = 1, .line = "@job silent"};
    back.drawn_count = 1;
    nb_replay_id("a.ota", &back, "life@7.half+life", id, sizeof id);
    assert_string_equal(id, "a.ota:virtual:cuts=life@7.half+life:faults=1.%40job%20silent");
    assert_int_equal(nb_replay_parse(id, path, sizeof path, &back, &error), 0);
    assert_int_equal(back.cut_count, 2);
    assert_int_equal(back.cuts[0].action, NB_ACTION_LIFE);
}

/* A file of the user's own may be called anything. */
static void replay_id_escapes_values_too(void **state)
{
    const struct nb_cell cell = {.world = "posix", .device = "my dir/a,b=c:d%1;e.device"};
    struct nb_cell back;
    struct flash_text_error error;
    char id[NB_ID];
    char path[256];
    (void)state;
    nb_replay_id("a.ota", &cell, "", id, sizeof id);
    assert_string_equal(id, "a.ota:posix:device=my%20dir/a%2Cb%3Dc%3Ad%251%3Be.device");
    assert_int_equal(nb_replay_parse(id, path, sizeof path, &back, &error), 0);
    assert_string_equal(back.device, cell.device);
}

static void bad_replay_ids_are_refused(void **state)
{
    static const char *const ids[][2] = {
        {"", "the id is empty"},
        {"a.ota", "expected PATH:WORLD[:VALUES][:cuts=OP.TEAR+...][:seed=N]"
                  "[:faults=STEP.LINE+...]"},
        {"a%2.ota:posix", "'%2.ota': bad escape"},
        {"a.ota:posix:device=x%zz", "'%zz': bad escape"},
        {"a.ota:posix:colour=red", "'colour' is not a dimension of the matrix"},
        {"a.ota:posix:part", "'part' is not a value like part=nrf52840"},
        {"a.ota:posix:size=huge", "size 'huge' is not known"},
        {"a.ota:posix:install=maybe", "install 'maybe' is not known"},
        {"a.ota:virtual:seed=x", "'x' is not a seed"},
        {"a.ota:virtual:seed=99999999999999999999999", "'99999999999999999999999' is not a seed"},
        {"a.ota:virtual:faults=%40job", "'%40job' is not a fault like 1.%40job%20silent"},
        {"a.ota:virtual:faults=0.%40job", "'0.%40job' is not a fault like 1.%40job%20silent"},
        {"a.ota:virtual:faults=1.device", "'device' is not a fault"},
        {"a.ota:posix:cuts=", "no cut follows cuts="},
        {"a.ota:posix:cuts=x.half", "'x.half' is not a cut like 37.half"},
        {"a.ota:posix:cuts=3.sideways", "'3.sideways' is not a cut like 37.half"},
        {"a.ota:posix:cuts=boot@3.half", "'boot@3.half' is not a cut like 37.half"},
        {"a.ota:posix:cuts=pending@boot", "'pending@boot' is not a cut like 37.half"},
        {"a.ota:posix:cuts=3.none", "'3.none' is not a cut like 37.half"},
        {"a.ota:posix:cuts=1.half+1.half+1.half+1.half+1.half+1.half+1.half+1.half+1.half+1.half"
         "+1.half+1.half+1.half+1.half+1.half+1.half+1.half",
         "'1.half': too many cuts"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct nb_cell cell;
        struct flash_text_error error;
        char path[64];
        assert_int_equal(nb_replay_parse(ids[i][0], path, sizeof path, &cell, &error),
                         OTA_E_ARGUMENT);
        assert_string_equal(error.message, ids[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_span_the_matrix),
        cmocka_unit_test(world_is_virtual_unless_only_others_are_named),
        cmocka_unit_test(chosen_part_replaces_the_list),
        cmocka_unit_test(chosen_device_replaces_parts_and_schemes),
        cmocka_unit_test(replay_id_comes_back_as_the_same_cell),
        cmocka_unit_test(a_chain_of_runs_comes_back),
        cmocka_unit_test(replay_id_names_a_history),
        cmocka_unit_test(replay_id_escapes_values_too),
        cmocka_unit_test(bad_replay_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
