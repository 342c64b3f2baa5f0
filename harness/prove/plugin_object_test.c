/* Plugins are loaded or refused, set back, and run under guard. */
#include "harness/prove/plugin_object.h"
#include "harness/prove/plugin_rig.h"

#include <signal.h>

#define VERSION "const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;\n"
#define BOOT    "uint32_t nobrick_boot(const struct nobrick_flash *f)"

static struct nb_plugin *load(const char *name, const char *text)
{
    char path[RIG_PATH];
    char reason[512] = "";
    struct nb_plugin *plugin;
    rig_plugin(name, text, path);
    if (nb_plugin_open(path, &plugin, reason, sizeof reason) != 0)
        fail_msg("%s", reason);
    return plugin;
}

static void expect_refused(const char *path, const char *why)
{
    char reason[512] = "";
    struct nb_plugin *plugin;
    assert_int_equal(nb_plugin_open(path, &plugin, reason, sizeof reason), OTA_E_ARGUMENT);
    assert_null(plugin);
    if (strstr(reason, why) == NULL || strstr(reason, path) == NULL || strchr(reason, '\n') != NULL)
        fail_msg("%s: refused with: %s", path, reason);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        const char *why;
    } rows[] = {
        {"no-boot", VERSION, "no entry point `nobrick_boot`"},
        {"no-version", BOOT "{ return !f; }", "does not say `nobrick_plugin_version`"},
        {"other", "const uint32_t nobrick_plugin_version = 0;" BOOT "{ return !f; }", "version 0"},
        {"tls", VERSION "_Thread_local uint32_t kept;" BOOT "{ return !f + kept++; }",
         "thread-local"},
        {"undefined", VERSION "uint32_t gone(void);" BOOT "{ return !f + gone(); }", "gone"},
    };
    char path[RIG_PATH];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_plugin(rows[i].name, rows[i].text, path);
        expect_refused(path, rows[i].why);
    }
    snprintf(path, sizeof path, "%s/nowhere.so", rig_dir);
    expect_refused(path, "No such file");
    rig_write("text.so", "no shared object\n", path);
    expect_refused(path, "");
}

static uint32_t run(struct nb_plugin *plugin)
{
    const struct nobrick_flash flash = {0};
    struct nb_plugin_boot boot;
    nb_plugin_run(plugin, &flash, &boot);
    assert_int_equal(boot.end, NB_PLUGIN_RETURNED);
    return boot.address;
}

/* .data, .bss and what a constructor left; constants and pointers stay good. */
static void test_set_back(void **state)
{
    struct nb_plugin *plugin =
        load("keeps", VERSION
             "#include <string.h>\n"
             "static uint32_t data = 100, bss; static char big[70000]; static uint32_t made;\n"
             "static const char *const names[] = {\"a\", \"bc\"}; static const char **last;\n"
             "__attribute__((constructor)) static void make(void) { made = 7; }\n" BOOT
             "{ (void)f; last = (const char **)names; big[69999]++; made++;\n"
             "  return data++ + bss++ + (uint32_t)(big[69999] - 1) * 1000 + made * 10000 +\n"
             "         (uint32_t)strlen(last[1]) * 1000000; }");
    (void)state;
    assert_int_equal(run(plugin), 2080100);
    assert_int_equal(run(plugin), 2091102);
    nb_plugin_reset(plugin);
    assert_int_equal(run(plugin), 2080100);
    nb_plugin_reset(plugin);
    assert_int_equal(run(plugin), 2080100);
    nb_plugin_close(plugin);
}

static void expect_end(const char *name, const char *body, enum nb_plugin_end end, int number)
{
    char text[1024];
    const struct nobrick_flash flash = {0};
    struct nb_plugin_boot boot;
    snprintf(text, sizeof text,
             VERSION "#include <assert.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
                     "static volatile uint32_t zero; static uint32_t runs;\n" BOOT
                     "{ (void)f; if (runs++) return 5; %s; return 6; }",
             body);
    struct nb_plugin *plugin = load(name, text);
    nb_plugin_run(plugin, &flash, &boot);
    if (boot.end != end || boot.signal != number)
        fail_msg("%s: end %d, signal %d", body, (int)boot.end, boot.signal);
    nb_plugin_run(plugin, &flash, &boot); /* and nothing is spoilt */
    assert_int_equal(boot.end, NB_PLUGIN_RETURNED);
    assert_int_equal(boot.address, 5);
    nb_plugin_close(plugin);
}

static void test_guard(void **state)
{
    (void)state;
    expect_end("fine", "", NB_PLUGIN_RETURNED, 0);
    expect_end("null", "*(volatile uint32_t *)8 = 1", NB_PLUGIN_FAULTED, SIGSEGV);
    expect_end("zero", "zero = 7 / zero", NB_PLUGIN_FAULTED, SIGFPE);
    expect_end("abort", "abort()", NB_PLUGIN_FAULTED, SIGABRT);
    expect_end("trap", "__builtin_trap()", NB_PLUGIN_FAULTED, SIGILL);
    expect_end("naps", "usleep(1200000)", NB_PLUGIN_RETURNED, 0);
    expect_end("loop", "while (!zero) ;", NB_PLUGIN_HUNG, SIGVTALRM);
    expect_end("sleep", "for (;;) pause()", NB_PLUGIN_HUNG, SIGALRM);
}

static unsigned left;

static int leave(void *context, uint32_t address)
{
    (void)context;
    (void)address;
    left++;
    nb_plugin_leave();
}

/* Time that is up while the flash works takes the control away when it has worked. */
static int work_for_long(void *context, uint32_t address)
{
    (void)context;
    nb_plugin_enter_flash();
    for (volatile uint64_t i = 0; i < address; i = i + 1) {
    }
    raise(SIGVTALRM);
    left++;
    nb_plugin_return_from_flash();
    left++;
    return 0;
}

static void test_leaves_in_flash(void **state)
{
    struct nb_plugin *plugin =
        load("erases", VERSION BOOT "{ return (uint32_t)f->erase(f->context, 1000); }");
    struct nobrick_flash flash = {.erase = leave};
    struct nb_plugin_boot boot;
    (void)state;
    left = 0;
    nb_plugin_run(plugin, &flash, &boot);
    assert_int_equal(boot.end, NB_PLUGIN_LEFT);
    assert_int_equal(left, 1);
    flash.erase = work_for_long;
    left = 0;
    nb_plugin_run(plugin, &flash, &boot);
    assert_int_equal(boot.end, NB_PLUGIN_HUNG);
    assert_int_equal(left, 1);
    nb_plugin_close(plugin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_set_back),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_leaves_in_flash),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
