/* A device with a store as users start it: what its factory put down, and its console. */
#include "harness/cli/verbs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT 8192

struct device {
    pid_t child;
    int typed;   /* its standard input */
    int printed; /* its standard output and errors */
    char text[TEXT];
    size_t length;
};

static char dir[200];

static int make_dir(void **state)
{
    char path[300];
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(dir, sizeof dir, "%s/console.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/factory.bin", dir);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    for (int i = 0; i < 5000; i++)
        fputc(i * 7 % 251, file);
    return fclose(file);
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"flash", "flash.state", "flash.nv", "factory.bin"};
    char path[300];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

/* Nobody listens at port 1: it never gets further than asking. */
static void start(struct device *device, const char *options)
{
    char command[1024];
    char *words[40];
    int count = 0;
    int in[2];
    int out[2];
    snprintf(command, sizeof command,
             "nobrick device --device harmony-small --flash %s/flash --factory %s/factory.bin "
             "--server http://127.0.0.1:1 --unperiodic --console %s",
             dir, dir, options);
    for (char *word = strtok(command, " "); word != NULL && count < 39; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    memset(device, 0, sizeof *device);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    device->child = fork();
    assert_true(device->child >= 0);
    if (device->child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0 ||
            dup2(out[1], STDERR_FILENO) < 0)
            _exit(126);
        execv("/proc/self/exe", words);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    device->typed = in[1];
    device->printed = out[0];
}

static void type(struct device *device, const char *line)
{
    assert_int_equal(write(device->typed, line, strlen(line)), strlen(line));
}

/* Reads until that is printed; what came before it is gone then. */
static void expect(struct device *device, const char *text)
{
    char *at;
    while ((at = strstr(device->text, text)) == NULL) {
        ssize_t n = read(device->printed, device->text + device->length,
                         sizeof device->text - device->length - 1);
        if (n <= 0)
            fail_msg("no \"%s\" in:\n%s", text, device->text);
        device->length += (size_t)n;
        device->text[device->length] = '\0';
    }
    at += strlen(text);
    device->length -= (size_t)(at - device->text);
    memmove(device->text, at, device->length + 1);
}

static int stop(struct device *device)
{
    int status;
    kill(device->child, SIGTERM);
    assert_int_equal(waitpid(device->child, &status, 0), device->child);
    close(device->typed);
    close(device->printed);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What is typed behind a command that resets is read by the next life. */
static void it_listens_through_resets(void **state)
{
    struct device device;
    (void)state;
    start(&device, "--factory-version 7 --stay");
    expect(&device, "boot       7.0.0 confirmed\n");
    type(&device, "sysota getfs info\nsysota factory-reset\nsysota reset\nsysota get info\n");
    expect(&device, "factory.bin                      F8      7         ");
    expect(&device, "event      9 factory-reset-success\n");
    expect(&device, "reset      install\n");
    expect(&device, "boot       7.0.0 confirmed\n");
    expect(&device, "status        0 idle\n");
    expect(&device, "url           http://127.0.0.1:1/ota.json\n");
    expect(&device, "auto reset    0\n");
    type(&device, "sysota rollback\nfly\n");
    expect(&device, "event      12 rollback-failed\n");
    expect(&device, "sysota rollback: ");
    expect(&device, "no such command: fly (sysota help)\n");
    assert_int_equal(stop(&device), 128 + SIGTERM);
}

/* The flash file is kept, and what the factory says of its image is not asked again. */
static void its_input_may_end(void **state)
{
    struct device device;
    (void)state;
    start(&device, "--factory-version 9");
    expect(&device, "boot       7.0.0 confirmed\n");
    close(device.typed);
    device.typed = open("/dev/null", O_WRONLY | O_CLOEXEC);
    expect(&device, "app        good\n");
    usleep(50000); /* it would spin or end by now */
    assert_int_equal(waitpid(device.child, NULL, WNOHANG), 0);
    assert_int_equal(stop(&device), 128 + SIGTERM);
}

/* No flash file is made for a factory image that the device would refuse at each boot. */
static void a_factory_that_does_not_sign_is_told(void **state)
{
    struct device device;
    char options[300];
    char path[300];
    int status;
    (void)state;
    snprintf(options, sizeof options, "--trust %s/golden/p256.pub.pem", getenv("NOBRICK_DATA"));
    start(&device, options);
    expect(&device, "nobrick device: --trust refuses a factory image that is not signed: give "
                    "--factory-key, too\n");
    assert_int_equal(waitpid(device.child, &status, 0), device.child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    close(device.typed);
    close(device.printed);
    snprintf(path, sizeof path, "%s/flash", dir);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_factory_that_does_not_sign_is_told),
        cmocka_unit_test(it_listens_through_resets),
        cmocka_unit_test(its_input_may_end),
    };
    if (argc > 1 && strcmp(argv[1], "device") == 0)
        return nb_cmd_device(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
