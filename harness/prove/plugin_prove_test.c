/* Bootloaders of scenarios/plugin, proved: the sound one closes, each mistake of the other one is
 * found with its shortest list of cuts, which fails again. */
#include "harness/prove/plugin_machine.h"
#include "harness/prove/plugin_prove.h"
#include "harness/prove/plugin_rig.h"

static char plugin[RIG_PATH];
static struct nb_plugin_device device;

static void use(const char *example)
{
    char path[RIG_PATH];
    struct flash_text_error error;
    rig_example(example, plugin, path);
    if (nb_plugin_device_load(path, nb_parts_dir(), &device, &error) != 0)
        fail_msg("%s:%u: %s", path, error.line, error.message);
}

static struct nb_cell cell_of(const char *name)
{
    struct nb_cell cell = {.tears = NB_TEARS_ALL};
    snprintf(cell.plugin_case, sizeof cell.plugin_case, "%s", name);
    return cell;
}

static struct nb_outcome *prove(const struct nb_cell *cell)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    nb_plugin_prove(plugin, &device, cell, outcome);
    return outcome;
}

static void test_sound_ones_close(void **state)
{
    (void)state;
    use("overwrite");
    assert_int_equal(device.case_count, 4);
    for (size_t i = 0; i < device.case_count; i++) {
        const struct nb_cell cell = cell_of(device.cases[i].name);
        struct nb_outcome *outcome = prove(&cell);
        if (outcome->verdict != NB_PASS)
            fail_msg("%s: %s", cell.plugin_case, outcome->reason);
        assert_true(outcome->proof.closed);
        assert_int_equal(outcome->proof.rests, NB_RUNS_NEW);
        assert_int_equal(outcome->proof.depth, 1);
        assert_true(outcome->proof.masked > 100); /* reads go through the seam */
        free(outcome);
    }
    use("planted");
    struct nb_cell cell = cell_of("none");
    for (int tears = NB_TEARS_ALL; tears <= NB_TEARS_NONE; tears++) {
        cell.tears = (enum nb_tears)tears;
        struct nb_outcome *outcome = prove(&cell);
        assert_int_equal(outcome->verdict, NB_PASS);
        free(outcome);
    }
}

static void test_masked_as_unmasked(void **state)
{
    static const char *const cases[] = {"none", "two-cuts"};
    (void)state;
    use("planted");
    for (size_t i = 0; i < 2; i++) {
        struct nb_cell cell = cell_of(cases[i]);
        cell.tears = NB_TEARS_NONE;
        struct nb_outcome *masked = prove(&cell);
        cell.unmasked = true;
        struct nb_outcome *plain = prove(&cell);
        assert_int_equal(masked->verdict, plain->verdict);
        assert_string_equal(masked->cuts, plain->cuts);
        assert_true(masked->proof.states < plain->proof.states);
        assert_int_equal(plain->proof.masked, 0);
        free(masked);
        free(plain);
    }
}

/* What is repeated by its chain fails for that reason; with the last cut left out it does not. */
static void expect_repeats(const struct nb_cell *cell, const struct nb_outcome *found,
                           const char *reason)
{
    struct nb_cell again = *cell;
    memcpy(again.cuts, found->proof.chain, sizeof again.cuts);
    again.cut_count = found->proof.chain_length;
    struct nb_outcome *outcome = prove(&again);
    if (outcome->verdict != NB_FAIL || strstr(outcome->reason, reason) == NULL)
        fail_msg("%s: repeated: %s", cell->plugin_case, outcome->reason);
    assert_true(outcome->story_count >= again.cut_count);
    free(outcome);
    if (again.cut_count < 3)
        return;
    again.cuts[1] = again.cuts[--again.cut_count];
    again.cut_count = 2;
    outcome = prove(&again);
    assert_int_equal(outcome->verdict, NB_PASS);
    free(outcome);
}

static void test_mistakes_are_found(void **state)
{
    static const struct {
        const char *name;
        const char *reason;
        const char *story;
    } rows[] = {
        {"two-cuts", "after 2 power cuts no image boots", "erase 4096 bytes at 0x005000"},
        {"torn", "after 1 power cut no image boots", "power cut first operation 35: program 8"},
        {"aborts", "after 1 power cut the bootloader aborts (SIGABRT", "boot: the bootloader ab"},
        {"crashes", "after 1 power cut the bootloader crashes (SIGSEGV)", "program 4 bytes at"},
        {"divides", "after 1 power cut the bootloader crashes (SIGFPE)", "program 4 bytes at"},
        {"recurses", "after 1 power cut the bootloader crashes (SIGSEGV)", "program 4 bytes at"},
        {"loops", "after 1 power cut the bootloader does not come to an end", "program 4 bytes"},
        {"erases-for-ever", "after 1 power cut the run changes flash without end", "program 4"},
        {"exits", "after 1 power cut the bootloader ends its process (exit 3)", "program 4 bytes"},
        {"not-erased", "after 1 power cut the device does what its flash forbids", "erased bits"},
        {"unaligned", "after 1 power cut the device does what its flash forbids", "whole units"},
        {"outside", "after 1 power cut the bootloader writes outside its areas", "at 0x006000"},
        {"read-only", "the bootloader writes an area that is read-only", "erase of 4096 bytes"},
        {"reads-outside", "the bootloader reads outside its areas", "read of 1 byte at 0x006000"},
        {"bad-pointer", "after 1 power cut the bootloader crashes (SIGSEGV)", "program 4 bytes"},
        {"other-image", "what boots is not, byte for byte", "something else starts"},
        {"lost-request", "after 1 power cut no image boots", "nothing starts"},
        {"no-rest", "after 0 power cuts boots go on changing flash for ever", "new starts"},
    };
    (void)state;
    use("planted");
    nb_plugin_cpu_ms = 300; /* one of them loops, in three proofs */
    assert_int_equal(device.case_count, 2 + sizeof rows / sizeof rows[0]); /* none, and sleeps */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct nb_cell cell = cell_of(rows[i].name);
        struct nb_outcome *outcome = prove(&cell);
        bool told = false;
        for (size_t l = 0; l < outcome->story_count; l++)
            told = told || strstr(outcome->story[l], rows[i].story) != NULL;
        if (outcome->verdict != NB_FAIL || strstr(outcome->reason, rows[i].reason) == NULL || !told)
            fail_msg("%s: %s: %s, story of %zu lines", rows[i].name,
                     nb_verdict_word(outcome->verdict), outcome->reason, outcome->story_count);
        expect_repeats(&cell, outcome,
                       strstr(rows[i].reason, " cut") != NULL
                           ? strchr(strstr(rows[i].reason, " cut") + 1, ' ') + 1
                           : rows[i].reason);
        free(outcome);
    }
    nb_plugin_cpu_ms = 2000;
}

/* With clean cuts alone the torn record is never seen. */
static void test_torn_needs_a_tear(void **state)
{
    (void)state;
    use("planted");
    struct nb_cell cell = cell_of("torn");
    cell.tears = NB_TEARS_NONE;
    struct nb_outcome *outcome = prove(&cell);
    assert_int_equal(outcome->verdict, NB_PASS);
    free(outcome);
}

/* What may run in the end is looked at, and a case in which nothing happens is no proof. */
static void test_demands(void **state)
{
    (void)state;
    use("planted");
    const struct nb_cell cell = cell_of("none");
    device.cases[0].rests = NB_RUNS_OLD;
    struct nb_outcome *outcome = prove(&cell);
    assert_int_equal(outcome->verdict, NB_FAIL);
    assert_non_null(strstr(outcome->reason, "the new image stays, and must not"));
    free(outcome);
    device.cases[0].rests = NB_RUNS_OLD | NB_RUNS_NEW;
    device.cases[0].puts[2].bytes[0] = 0xFF; /* the request */
    memset(device.cases[0].puts[2].bytes, 0xFF, 4);
    outcome = prove(&cell);
    assert_int_equal(outcome->verdict, NB_VACUOUS);
    free(outcome);
    char path[RIG_PATH];
    snprintf(path, sizeof path, "%s", plugin);
    snprintf(plugin, sizeof plugin, "%s/nowhere.so", rig_dir);
    outcome = prove(&cell);
    assert_int_equal(outcome->verdict, NB_ERROR);
    assert_non_null(strstr(outcome->reason, "No such file"));
    free(outcome);
    snprintf(plugin, sizeof plugin, "%s", path);
}

/* It never looks at the image that it starts, so no read of its own tells good slots from broken
 * ones: that the image is compared counts as a read. */
static void test_blind_one_is_found(void **state)
{
    (void)state;
    use("planted");
    rig_plugin("blind",
               "#include <string.h>\n"
               "const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;\n"
               "uint32_t nobrick_boot(const struct nobrick_flash *f)\n"
               "{ uint8_t page[256]; uint32_t word, slot0 = f->areas[1].address;\n"
               "  f->read(f->context, f->areas[3].address, &word, 4);\n"
               "  if (word == 0xFFFFFFFF) return slot0;\n"
               "  f->erase(f->context, f->areas[3].address);\n"
               "  f->erase(f->context, slot0); f->erase(f->context, slot0 + 4096);\n"
               "  for (uint32_t i = 0; i < 8192; i += 256) {\n"
               "    f->read(f->context, f->areas[2].address + i, page, 256);\n"
               "    f->program(f->context, slot0 + i, page, 256); }\n"
               "  return slot0; }\n",
               plugin);
    struct nb_cell cell = cell_of("none");
    cell.tears = NB_TEARS_NONE;
    struct nb_outcome *outcome = prove(&cell);
    assert_int_equal(outcome->verdict, NB_FAIL);
    assert_non_null(strstr(outcome->reason, "after 1 power cut what boots is not"));
    assert_string_equal(outcome->cuts, "1.after+boot");
    free(outcome);
}

/* The operation in which the power fails does not come back, not even with an error. */
static void test_cut_does_not_return(void **state)
{
    (void)state;
    use("planted");
    rig_plugin(
        "panics",
        "#include <stdlib.h>\n"
        "const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;\n"
        "uint32_t nobrick_boot(const struct nobrick_flash *f)\n"
        "{ uint32_t word;\n"
        "  f->read(f->context, f->areas[3].address, &word, 4);\n"
        "  if (word != 0xFFFFFFFF && f->erase(f->context, f->areas[3].address) != 0) exit(1);\n"
        "  return f->areas[1].address; }\n",
        plugin);
    struct nb_cell cell = cell_of("none");
    assert_true(nb_cut_parse("0.before", &cell.cuts[0]));
    cell.cut_count = 1;
    struct nb_outcome *outcome = prove(&cell);
    if (outcome->verdict != NB_PASS)
        fail_msg("%s", outcome->reason);
    assert_string_equal(outcome->story[1], "old starts, after 1 operations");
    free(outcome);
}

/* ---- what a plugin keeps in memory ---- */

static void run_as_it_is(void *context, enum nb_action action, const struct nb_seam *seam,
                         struct nb_end *end)
{
    (void)action;
    nb_plugin_machine_boot(context, seam, end);
}

static void search_statics(bool set_back, struct nb_proof *proof)
{
    static const struct nb_search_options options = {.tears = NB_TEARS_NONE};
    static struct nb_plugin_machine machine;
    struct flash_text_error error;
    char reason[512];
    struct nb_plugin *object;
    struct nb_search *search;
    assert_int_equal(nb_plugin_open(plugin, &object, reason, sizeof reason), 0);
    assert_int_equal(nb_plugin_machine_open(&machine, &device, &device.cases[0], object, &error),
                     0);
    if (!set_back)
        machine.machine.run = run_as_it_is;
    assert_int_equal(
        nb_search_run(&machine.machine, NB_PHASE_UNKNOWN, &options, NULL, &search, proof), 0);
    nb_search_free(search);
    nb_plugin_machine_close(&machine);
    nb_plugin_close(object);
}

/* The sound plugin has statics of which the second boot would make a brick. */
static void test_statics_are_set_back(void **state)
{
    struct nb_proof proof;
    (void)state;
    use("planted");
    search_statics(true, &proof);
    assert_true(proof.closed);
    assert_int_equal(proof.failures, 0);
    search_statics(false, &proof);
    assert_true(proof.failures > 0);
    assert_string_equal(proof.reason, "no image boots");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_ones_close),
        cmocka_unit_test(test_masked_as_unmasked),
        cmocka_unit_test(test_mistakes_are_found),
        cmocka_unit_test(test_torn_needs_a_tear),
        cmocka_unit_test(test_demands),
        cmocka_unit_test(test_blind_one_is_found),
        cmocka_unit_test(test_cut_does_not_return),
        cmocka_unit_test(test_statics_are_set_back),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
