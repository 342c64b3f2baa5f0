/* `nobrick run --world cortexm` as a whole: what it skips and why, what it names in replay ids,
 * what it leaves behind. What needs the board is skipped where that cannot run. */
#include "harness/cli/verbs.h"
#include "harness/run/run.h"
#include "sim/cortexm/host/qemu.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH      200
#define WAIT_TENS 600 /* of milliseconds */

static char dir[] = "/tmp/nobrick-cortexm-XXXXXX";
static char output[16384]; /* of the last run, both streams */

static const char *file(const char *name)
{
    static char path[PATH];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *out = fopen(file(name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void read_output(void)
{
    FILE *in = fopen(file("output"), "r");
    size_t length = in != NULL ? fread(output, 1, sizeof output - 1, in) : 0;
    output[length] = '\0';
    if (in != NULL)
        fclose(in);
}

/* The verb in a process of its own, and in a group of its own, as shells start one. */
static pid_t start(int (*verb)(int, char **), char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        setpgid(pid, pid);
        return pid;
    }
    setpgid(0, 0);
    int out = open(file("output"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    int code = verb(argc, argv);
    fflush(NULL);
    _exit(code);
}

static int finish(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    read_output();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_script(const char *text)
{
    char path[PATH];
    char *argv[] = {(char[]){"run"}, (char[]){"--world"}, (char[]){"cortexm"}, path, NULL};
    write_text("test.ota", text);
    snprintf(path, sizeof path, "%s", file("test.ota"));
    return finish(start(nb_cmd_run, argv));
}

/* A script for every world, on a device of somebody else's firmware. */
static int run_foreign(const char *world)
{
    char path[PATH];
    char device[PATH];
    char name[16];
    char *argv[] = {
        (char[]){"run"}, (char[]){"--world"}, name, (char[]){"--device"}, device, path, NULL};
    write_text("test.ota", "title T\nworld virtual posix cortexm\nflash slot1 v2 pending\n"
                           "device boot\nexpect boot v2\n");
    write_text("theirs.device", "loader-elf theirs.elf\nimage 1 one.bin\nimage 2 two.bin\n"
                                "system anycloud\npart nrf52840\nloader nrf52840 0x0 0x8000\n"
                                "primary nrf52840 0x8000 0x4000\n"
                                "secondary nrf52840 0xC000 0x4000\n"
                                "journal nrf52840 0x10000 0x2000\nscheme overwrite\n");
    snprintf(name, sizeof name, "%s", world);
    snprintf(device, sizeof device, "%s", file("theirs.device"));
    snprintf(path, sizeof path, "%s", file("test.ota"));
    return finish(start(nb_cmd_run, argv));
}

static void skip_without_board(void)
{
    if (cortexm_missing() == NULL)
        return;
    print_message("skipped: %s\n", cortexm_missing());
    skip();
}

static void expect_text(const char *text)
{
    if (strstr(output, text) == NULL)
        fail_msg("no '%s' in\n%s", text, output);
}

/* ---- what is skipped --------------------------------------------------------------------- */

static void missing_board_is_said(void **state)
{
    (void)state;
    const char *before = getenv("NOBRICK_CORTEXM");
    char kept[PATH] = "";
    snprintf(kept, sizeof kept, "%s", before != NULL ? before : "");
    setenv("NOBRICK_CORTEXM", "/nowhere", 1);
    assert_int_equal(run_script("title T\nworld cortexm\ndevice boot\nexpect boot v1\n"), 77);
    if (kept[0] != '\0')
        setenv("NOBRICK_CORTEXM", kept, 1);
    else
        unsetenv("NOBRICK_CORTEXM");
    expect_text("# SKIP ");
}

/* Its name is looked at, and another processor runs the same programs. */
static void boards_are_chosen(void **state)
{
    static const char script[] = "title T\nworld cortexm\nflash slot1 v2 pending\n"
                                 "device boot\nexpect boot v2 trial\n";
    (void)state;
    setenv("NOBRICK_BOARD", "mps2-an500", 1);
    int code = run_script(script);
    expect_text("# SKIP NOBRICK_BOARD names no board that there is: mps2-an385 or mps2-an386");
    assert_int_equal(code, 77);
    setenv("NOBRICK_BOARD", "mps2-an386", 1);
    code = cortexm_missing() == NULL ? run_script(script) : 0;
    unsetenv("NOBRICK_BOARD");
    assert_int_equal(code, 0);
}

static const struct {
    const char *text;
    int code;
    const char *says;
} rows[] = {
    {"title T\nworld virtual\ndevice boot\nexpect boot v1\n", 77,
     "# SKIP not a script for the cortexm world"},
    {"title T\ndevice boot\nexpect boot v1\n", 77, "# SKIP not a script for the cortexm world"},
    {"title T\nworld cortexm\nflash slot1 v2 size=4K pending\ndevice boot\nexpect boot v2\n", 77,
     "# SKIP v2 of 4096 bytes has no room for the board's program of"},
    {"title T\nworld cortexm\nflash slot1 v2 pending\n@flash:3 fail\ndevice boot\nexpect boot v2\n",
     0, "\nok 1 - "},
    /* The erase of what is erased: nobody but the chip's status says that it failed. */
    {"title T\nworld cortexm\nscheme ranked\nflash slot1 v2\n@flash:0 fail\ndevice pending\n"
     "device boot\nexpect boot v1 confirmed\n",
     0, "\nok 1 - "},
    {"title T\nworld cortexm\nflash slot1 v2 pending\n@flash:9999 fail\ndevice boot\n"
     "expect boot v2\n",
     3, "the flash error armed for it never fired"},
    {"title T\nworld cortexm\ndevice push v2\ndevice boot\nexpect boot v2\n", 77,
     "the board has no line for a host that pushes: the bench plays that, in the virtual world"},
    {"title T\nworld cortexm\nscheme swap-move ranked\nflash slot1 v2\ndevice pending\n"
     "expect pending v2\ndevice boot\nexpect boot v2 trial\ndevice confirm\nexpect confirmed v2\n"
     "until stable boot v2\n",
     0, "\nok 1 - "},
    {"title T\nworld cortexm\nscheme ranked\nflash slot1 v2 confirmed\ndevice boot\n"
     "expect boot v2\n@flash:1 cut half\ndevice rollback\ndevice boot\nexpect boot v1|v2\n",
     0, "\nok 1 - "},
    {"title T\nworld cortexm\nflash slot1 v2 pending\ndevice boot\nexpect boot v2 trial\n", 0,
     "\nok 1 - "},
    {"title T\nworld cortexm\nflash slot1 v2 pending\n@flash:60000 cut\ndevice boot\n"
     "expect boot v2\n",
     3, "the power cut armed for it never fired"},
    {"title T\nworld cortexm\nflash slot1 v2 pending\n@flash:40 cut half\ndevice boot\n"
     "device boot\nexpect boot v2 trial\n",
     0, "\nok 1 - "},
    {"title T\nworld cortexm\n@flash:* cut\ndevice boot\nexpect boot v1\n", 3,
     "the swept step does nothing to the flash"},
};

static void scripts_end_as_they_should(void **state)
{
    (void)state;
    skip_without_board();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = run_script(rows[i].text);
        if (code != rows[i].code)
            fail_msg("row %zu: %d, not %d:\n%s", i, code, rows[i].code, output);
        expect_text(rows[i].says);
    }
}

/* Their firmware runs on the board only, and has to be for it. */
static void foreign_firmware_needs_the_board(void **state)
{
    char device[PATH];
    char flash[PATH];
    char *argv[] = {
        (char[]){"device"}, (char[]){"--device"}, device, (char[]){"--flash"}, flash, NULL};
    (void)state;
    write_text("theirs.elf", "no program");
    write_text("one.bin", "one");
    write_text("two.bin", "two");
    assert_int_equal(run_foreign("virtual"), 77);
    expect_text("# SKIP the device's firmware is somebody else's: it needs the cortexm world");
    assert_int_equal(run_foreign("posix"), 77);
    expect_text("# SKIP the device's firmware is somebody else's: it needs the cortexm world");
    snprintf(device, sizeof device, "%s", file("theirs.device"));
    snprintf(flash, sizeof flash, "%s", file("flash"));
    assert_int_equal(finish(start(nb_cmd_device, argv)), 2);
    expect_text("its firmware is somebody else's, which runs on the board only");
    skip_without_board();
    assert_int_equal(run_foreign("cortexm"), 2);
    expect_text("/theirs.elf: is no ELF file");
    unlink(file("theirs.elf"));
    assert_int_equal(run_foreign("cortexm"), 2);
    expect_text("/theirs.elf: No such file or directory");
}

/* A failure names its world, and fails again when it is replayed. */
static void replay_names_the_world(void **state)
{
    char id[PATH] = "";
    char *argv[] = {(char[]){"replay"}, id, NULL};
    (void)state;
    skip_without_board();
    assert_int_equal(run_script("title T\nworld virtual cortexm\nscheme swap-move\n"
                                "flash slot1 v2 pending\ndevice boot\nexpect boot v1 confirmed\n"),
                     1);
    const char *at = strstr(output, "# nobrick replay ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "# nobrick replay %199s", id), 1);
    assert_non_null(strstr(id, "test.ota:cortexm:scheme=swap-move"));
    assert_int_equal(finish(start(nb_cmd_replay, argv)), 1);
    expect_text("nothing met `expect boot v1 confirmed`");
}

/* A few cuts of a sweep on the host, one of each class on the board; and one of them again. */
static void sweeps_take_one_of_each_class(void **state)
{
    char path[PATH];
    char id[PATH + 40];
    unsigned operations = 0;
    unsigned on_host = 0;
    unsigned classes = 0;
    unsigned on_board = 0;
    char *argv[] = {(char[]){"run"},
                    (char[]){"--world"},
                    (char[]){"cortexm"},
                    (char[]){"--sample"},
                    (char[]){"1300"},
                    path,
                    NULL};
    char *again[] = {(char[]){"replay"}, id, NULL};
    (void)state;
    skip_without_board();
    write_text("test.ota", "title T\nworld cortexm\nflash slot1 v2 pending\n@flash:* cut\n"
                           "device boot\nexpect boot v1|v2\nuntil stable boot v1\n");
    snprintf(path, sizeof path, "%s", file("test.ota"));
    assert_int_equal(finish(start(nb_cmd_run, argv)), 0);
    const char *note = strstr(output, "# ");
    assert_non_null(note);
    assert_int_equal(sscanf(note,
                            "# %u operations, %u power cuts of %u classes on the host, %u on the",
                            &operations, &on_host, &classes, &on_board),
                     4);
    assert_true(operations > 100 && on_host > 1 && classes > 1 && classes <= on_host);
    assert_int_equal(on_board, classes);
    snprintf(id, sizeof id, "%s:cortexm:cuts=100.after", path);
    assert_int_equal(finish(start(nb_cmd_replay, again)), 0);
}

/* A file for each cell, named where there are several, the same in each run. */
static void journals_are_kept(void **state)
{
    static const char *const scripts[] = {
        "title T\nworld virtual\ncloud offer v2\ndevice check\nexpect boot v2 trial\n",
        "title T\nworld virtual\ndata mqtt http\ncloud offer v2\ndevice check\n"
        "expect boot v2 trial\n"};
    static const char *const endings[] = {"_test.ota.ops", "_test.ota.data=http.ops"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char script[PATH];
        char kept[PATH * 2];
        char line[100];
        char last[100] = "";
        size_t lines = 0;
        char *argv[] = {(char[]){"run"}, (char[]){"--journals"}, dir, script, NULL};
        write_text("test.ota", scripts[i]);
        snprintf(script, sizeof script, "%s", file("test.ota"));
        assert_int_equal(finish(start(nb_cmd_run, argv)), 0);
        snprintf(kept, sizeof kept, "%s/_tmp_%s%s", dir, strrchr(dir, '/') + 1, endings[i]);
        FILE *in = fopen(kept, "r");
        if (in == NULL)
            fail_msg("no %s", kept);
        for (; fgets(line, sizeof line, in) != NULL; lines++)
            memcpy(last, line, sizeof last);
        fclose(in);
        assert_true(lines > 100);
        assert_memory_equal(last, "flash ", 6);
    }
}

/* ---- what is left behind ----------------------------------------------------------------- */

/* A QEMU with something of our directory on its command line; 0: none. */
static pid_t find_qemu(void)
{
    pid_t found = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry; found == 0 && (entry = readdir(processes)) != NULL;) {
        char path[300];
        char line[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FILE *in = fopen(path, "r");
        size_t length = in != NULL ? fread(line, 1, sizeof line - 1, in) : 0;
        if (in != NULL)
            fclose(in);
        line[length] = '\0';
        if (length > 15 && strcmp(line, "qemu-system-arm") == 0 &&
            memmem(line, length, dir, strlen(dir)) != NULL)
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(processes);
    return found;
}

/* However the runner ends, QEMU does. `group`: as a terminal does it, to all who were started. */
static void interrupt_with(int number, bool group, int code)
{
    char path[PATH];
    char *argv[] = {(char[]){"run"}, (char[]){"--world"}, (char[]){"cortexm"}, path, NULL};
    write_text("test.ota", "title T\nworld cortexm\ncloud offer none\ndevice live 60\n"
                           "expect idle no-update\n");
    snprintf(path, sizeof path, "%s", file("test.ota"));
    pid_t pid = start(nb_cmd_run, argv);
    int waited = 0;
    while (find_qemu() == 0 && waited++ < WAIT_TENS)
        usleep(10000);
    if (waited >= WAIT_TENS) {
        read_output();
        fail_msg("no board runs: %s", output);
    }
    assert_int_equal(kill(group ? -pid : pid, number), 0);
    assert_int_equal(finish(pid), code);
    for (waited = 0; find_qemu() != 0 && waited < WAIT_TENS; waited++)
        usleep(10000);
    assert_int_equal(find_qemu(), 0);
}

static void no_qemu_is_left(void **state)
{
    (void)state;
    skip_without_board();
    interrupt_with(SIGINT, false, 128 + SIGINT);
    expect_text("# error: line 4: cancelled on request");
    interrupt_with(SIGINT, true, 128 + SIGINT);
    expect_text("# error: line 4: cancelled on request");
    interrupt_with(SIGKILL, false, 128 + SIGKILL);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    return setenv("TMPDIR", dir, 1);
}

static int tear_down(void **state)
{
    char command[PATH + 16];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_board_is_said),
        cmocka_unit_test(boards_are_chosen),
        cmocka_unit_test(scripts_end_as_they_should),
        cmocka_unit_test(foreign_firmware_needs_the_board),
        cmocka_unit_test(replay_names_the_world),
        cmocka_unit_test(journals_are_kept),
        cmocka_unit_test(sweeps_take_one_of_each_class),
        cmocka_unit_test(no_qemu_is_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
