/* `nobrick prove --plugin` and `nobrick replay` as a user has them: plugins built, the program run
 * in processes of its own, its output and exit code. */
#include "harness/cli/verbs.h"
#include "harness/prove/plugin_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static char said[65536];

/* Runs the words, standard output and error together in `said`; returns the exit code. */
static int nobrick(const char *first, ...)
{
    char *argv[16] = {(char *)(uintptr_t) "nobrick", (char *)(uintptr_t)first};
    int argc = 2;
    int status;
    char path[RIG_PATH];
    va_list words;
    va_start(words, first);
    while (argc < 15 && (argv[argc] = va_arg(words, char *)) != NULL)
        argc++;
    va_end(words);
    argv[argc] = NULL;
    snprintf(path, sizeof path, "%s/said", rig_dir);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGILL, SIG_DFL); /* CMocka's own */
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
            chdir(rig_dir) != 0)
            _exit(126);
        int code = nb_main(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect(int code, int wanted, const char *text)
{
    if (code != wanted || strstr(said, text) == NULL)
        fail_msg("ends with %d, expected %d and '%s':\n%s", code, wanted, text, said);
}

static void expect_one_line(int code, const char *text)
{
    expect(code, 2, text);
    const char *end = strchr(said, '\n');
    if (end == NULL || end[1] != '\0')
        fail_msg("expected one line:\n%s", said);
}

static void expect_once(const char *text)
{
    const char *first = strstr(said, text);
    if (first == NULL || strstr(first + 1, text) != NULL)
        fail_msg("expected '%s' once:\n%s", text, said);
}

/* planted.device with one case only. */
static void one_case(unsigned mistake, const char *file)
{
    char path[RIG_PATH];
    char text[1024];
    snprintf(text, sizeof text,
             "part nrf52840 32K\n"
             "area mistake nrf52840 0x0000 0x1000 read-only\n"
             "area slot0 nrf52840 0x1000 0x2000\narea slot1 nrf52840 0x3000 0x2000\n"
             "area flags nrf52840 0x5000 0x1000\nold 5000\nnew 7000\nput slot0 old\n"
             "put slot1 new\nput flags hex:24524551\ncase only\nput mistake hex:%02x\n",
             mistake);
    rig_write(file, text, path);
}

static void test_proves(void **state)
{
    char so[RIG_PATH];
    char device[RIG_PATH];
    (void)state;
    rig_example("overwrite", so, device);
    expect(nobrick("prove", "--plugin", "overwrite.so", "--device", device, NULL), 0,
           "proved, of this model of flash: 4 of 4 closed, 0 fail");
    assert_non_null(strstr(said, "every state ends in new"));
    expect(nobrick("prove", "--plugin", so, "--device", device, "--jobs", "1", "--json", NULL), 0,
           "\"planned\": 4, \"closed\": 4, \"failed\": 0");
}

static void take_id(char id[RIG_PATH])
{
    const char *line = strstr(said, "nobrick replay ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "nobrick replay %500s", id), 1);
}

/* The list of cuts of a failure repeats with the id that was printed, and draws a red map. */
static void test_finds_and_repeats(void **state)
{
    char so[RIG_PATH];
    char device[RIG_PATH];
    char id[RIG_PATH];
    char map[RIG_PATH];
    (void)state;
    rig_example("planted", so, device);
    one_case(1, "two.device");
    expect(nobrick("prove", "--plugin", "planted.so", "--device", "two.device", "--tears", "none",
                   "--map", "two.svg", NULL),
           1, ">> after 2 power cuts no image boots");
    assert_non_null(strstr(said, "BRICKS: 0 of 1 closed, 1 fail"));
    take_id(id);
    assert_string_equal(id,
                        "planted.so:plugin:device=two.device,case=only:cuts=1.after+0.after+boot");
    expect(nobrick("replay", id, NULL), 1, "# fail: no image boots");
    take_id(map);
    assert_string_equal(map, id);
    snprintf(map, sizeof map, "%s/two.svg", rig_dir);
    FILE *file = fopen(map, "r");
    assert_non_null(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(said, ">slot1<"));
    assert_non_null(strstr(said, "class=\"f\""));
    expect(
        nobrick("replay", "planted.so:plugin:device=two.device,case=only:cuts=1.after+boot", NULL),
        0, "ok 1");
    expect(
        nobrick("replay", "planted.so:plugin:device=two.device,case=only:cuts=99.after+boot", NULL),
        3, "a power cut of the chain never fell");
}

/* A plugin that ends its process does not end nobrick, and neither do its lines get into ours. */
static void test_survives(void **state)
{
    char so[RIG_PATH];
    char device[RIG_PATH];
    char id[RIG_PATH];
    (void)state;
    rig_example("planted", so, device);
    one_case(10, "exits.device");
    expect(nobrick("prove", "--plugin", so, "--device", "exits.device", NULL), 1,
           ">> after 1 power cut the bootloader ends its process (exit 3)");
    take_id(id);
    expect(nobrick("replay", id, NULL), 1, "# fail: the bootloader ends its process (exit 3)");
    rig_plugin("chance",
               "#include <stdio.h>\n#include <unistd.h>\n"
               "const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;\n"
               "uint32_t nobrick_boot(const struct nobrick_flash *f)\n"
               "{ static const uint32_t set = 0; uint32_t word;\n"
               "  f->read(f->context, f->areas[3].address + 8, &word, 4); puts(\"{chatter}\");\n"
               "  fflush(stdout);\n"
               "  if (word == 0) return unlink(\"marker\") == 0 ? NOBRICK_NOTHING\n"
               "                                               : f->areas[1].address;\n"
               "  if (word != 0xFFFFFFFF) f->erase(f->context, f->areas[3].address);\n"
               "  f->program(f->context, f->areas[3].address + 8, &set, 4);\n"
               "  return f->areas[1].address; }\n",
               so);
    rig_write("marker", "", device);
    expect(nobrick("prove", "--plugin", "chance.so", "--device", "exits.device", NULL), 2,
           "no image boots (1 such states); but not when it is repeated");
    assert_null(strstr(said, "{chatter}\nok"));
    expect(nobrick("prove", "--plugin", "chance.so", "--device", "exits.device", NULL), 0,
           "1 of 1 closed");
    assert_null(strstr(said, "{chatter}"));
}

static void test_refuses(void **state)
{
    char so[RIG_PATH];
    char device[RIG_PATH];
    char path[RIG_PATH];
    (void)state;
    rig_example("overwrite", so, device);
    rig_plugin("old",
               "const uint32_t nobrick_plugin_version = 0;\n"
               "uint32_t nobrick_boot(const struct nobrick_flash *f) { return !f; }\n",
               path);
    rig_plugin("dies", "__attribute__((constructor)) static void die(void) { __builtin_trap(); }\n",
               path);
    rig_write("bare.device", "part nrf52840\n", path);
    rig_write("wrong.device", "part nrf52840\npart nothing\n", path);
    const struct {
        const char *plugin;
        const char *device;
        const char *text;
    } rows[] = {
        {"nowhere.so", device, "nobrick prove: nowhere.so: No such file or directory"},
        {"old.so", device, "built for version 0 of plugin.h, expected 1"},
        {"dies.so", device, "dies of signal 4 while it is loaded"},
        {device, device, "invalid ELF header"},
        {so, "nowhere.device", "nowhere.device: No such file or directory"},
        {so, "bare.device", "bare.device: the file has no 'area'"},
        {so, "wrong.device", "wrong.device:2:6: part 'nothing'"},
        {so, "anycloud-nrf52840", "expected part, area"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_one_line(
            nobrick("prove", "--plugin", rows[i].plugin, "--device", rows[i].device, NULL),
            rows[i].text);
    expect_one_line(nobrick("prove", "--plugin", so, NULL), "--plugin wants --device FILE");
    expect_one_line(
        nobrick("prove", "--plugin", so, "--device", device, "--scheme", "overwrite", NULL),
        "a plugin has no --scheme");
    expect_one_line(nobrick("prove", "--plugin", so, "--device", device, "--update", NULL),
                    "--update");
    expect_one_line(nobrick("prove", "--plugin", so, "--device", device, "--faults", NULL),
                    "--faults");
    expect(nobrick("prove", "--plugin", so, "--device", device, "--map", "no/where.svg", NULL), 2,
           "the map cannot be written: No such file or directory");
    expect_once("the map cannot be written");
    (void)nobrick("prove", "--scheme", "overwrite", "--map", "no/where.svg", "boot/prove-bad.ota",
                  NULL);
    expect_once("the map cannot be written");
    expect_one_line(nobrick("prove", "--plugin", so, "--device", device, "boot/x.ota", NULL),
                    "a plugin plays no script: boot/x.ota");
    expect_one_line(nobrick("replay", "overwrite.so:plugin:device=bare.device", NULL), "no 'area'");
    one_case(0, "none.device");
    expect_one_line(
        nobrick("replay", "nowhere.so:plugin:device=none.device,case=only:cuts=boot", NULL),
        "nobrick replay: nowhere.so: No such file or directory");
    expect_one_line(
        nobrick("replay", "dies.so:plugin:device=none.device,case=only:cuts=boot", NULL),
        "ends its process (signal 4)");
    expect_one_line(nobrick("replay", "nowhere.so:plugin:device=x.device", NULL), "x.device: No");
    snprintf(path, sizeof path, "overwrite.so:plugin:device=%.400s,case=huge", device);
    expect_one_line(nobrick("replay", path, NULL), "no case 'huge'");
    expect_one_line(nobrick("replay", "--hash", path, NULL), "a plugin has no --hash");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proves),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_finds_and_repeats),
        cmocka_unit_test(test_survives),
    };
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
