#include "sim/cortexm/host/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU          "qemu-system-arm"
#define MOST_WORDS    64
#define TEXT_SIZE     640
#define SETTINGS_ADDR "0x20100000" /* BOARD_SETTINGS of the guest */

/* Machines of one memory map: a Cortex-M3 (AN385), and a Cortex-M4 (AN386). */
static const struct {
    const char *name;
    const char *option;
} machines[] = {{"mps2-an385", "mps2-an385,memory-backend=flash"},
                {"mps2-an386", "mps2-an386,memory-backend=flash"}};
#define IMAGE_ADDR "0x20200000" /* BOARD_IMAGE */

/* ---- what is there ----------------------------------------------------------------------- */

static bool has_programs(const char *dir)
{
    char path[TEXT_SIZE];
    int length = snprintf(path, sizeof path, "%s/platform.elf", dir);
    return length > 0 && (size_t)length < sizeof path && access(path, R_OK) == 0;
}

bool cortexm_programs(char *out, size_t size)
{
    const char *given = getenv("NOBRICK_CORTEXM");
    if (given != NULL) {
        snprintf(out, size, "%s", given);
        return has_programs(out);
    }
    char self[400];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    for (int up = 0; length > 0 && up < 3; up++) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        length = slash - self;
        snprintf(out, size, "%s/cortexm", self);
        if (has_programs(out))
            return true;
    }
    return false;
}

bool cortexm_plugin(char *out, size_t size)
{
    char dir[TEXT_SIZE];
    if (!cortexm_programs(dir, sizeof dir))
        return false;
    int length = snprintf(out, size, "%s/../flash_plugin.so", dir);
    return length > 0 && (size_t)length < size && access(out, R_OK) == 0;
}

static bool is_on_path(const char *program)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        char file[TEXT_SIZE];
        size_t length = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)length, path, program);
        if (access(file, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

/* QEMU's option for the machine that $NOBRICK_BOARD names, or for the first one; NULL: it names
 * none.
 */
static const char *machine_option(void)
{
    const char *name = getenv("NOBRICK_BOARD");
    if (name == NULL || *name == '\0')
        return machines[0].option;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        if (strcmp(name, machines[i].name) == 0)
            return machines[i].option;
    return NULL;
}

const char *cortexm_missing(void)
{
    char dir[TEXT_SIZE];
    if (machine_option() == NULL)
        return "NOBRICK_BOARD names no board that there is: mps2-an385 or mps2-an386";
    if (!is_on_path(QEMU))
        return QEMU " is not installed (package qemu-system-arm)";
    if (!cortexm_programs(dir, sizeof dir))
        return "the board's programs are not built (make cortexm)";
    if (!cortexm_plugin(dir, sizeof dir))
        return "the plugin that watches the board's flash is not built (make cortexm)";
    return NULL;
}

const char *const cortexm_user_network[] = {"-nic", "user,model=lan9118,ipv6=off", NULL};

/* ---- the process ------------------------------------------------------------------------- */

struct command {
    char text[8][TEXT_SIZE]; /* arguments that are made here */
    const char *words[MOST_WORDS];
    size_t count;
};

static void add(struct command *command, const char *word)
{
    if (command->count < MOST_WORDS - 1)
        command->words[command->count++] = word;
    command->words[command->count] = NULL;
}

/* Commas in a file name are doubled, for QEMU's options end at them. */
static void add_option(struct command *command, char text[TEXT_SIZE], const char *option,
                       const char *head, const char *path, const char *tail)
{
    size_t n = (size_t)snprintf(text, TEXT_SIZE, "%s", head);
    for (; *path != '\0' && n + strlen(tail) + 3 < TEXT_SIZE; path++) {
        if (*path == ',')
            text[n++] = ',';
        text[n++] = *path;
    }
    snprintf(text + n, TEXT_SIZE - n, "%s", tail);
    add(command, option);
    add(command, text);
}

static void add_ours(const struct cortexm_board_config *config, struct command *command)
{
    char path[TEXT_SIZE];
    snprintf(path, sizeof path, "%s/platform.elf", config->programs);
    if (config->entry != NULL) { /* what stands at address 0 is where the processor goes on */
        snprintf(command->text[2], TEXT_SIZE, "%s", path);
        add(command, command->text[2]);
        add_option(command, command->text[3], "-device", "loader,file=", config->entry,
                   ",addr=0,force-raw=on");
    } else {
        snprintf(command->text[2], TEXT_SIZE, "%s/loader-%s%s.elf", config->programs,
                 config->scheme, config->rsa ? "-rsa" : "");
        add(command, command->text[2]);
        add_option(command, command->text[3], "-device", "loader,file=", path, "");
    }
    add_option(command, command->text[4], "-device", "loader,file=", config->settings,
               ",addr=" SETTINGS_ADDR ",force-raw=on");
    if (config->image != NULL)
        add_option(command, command->text[5], "-device", "loader,file=", config->image,
                   ",addr=" IMAGE_ADDR ",force-raw=on");
}

static void compose(const struct cortexm_board_config *config, struct command *command)
{
    /* The board's time is that of its instructions, 2 ns each, and the machine's own while it
     * sleeps: what is computed within a watchdog's time is so on a busy machine, too. */
    static const char *const fixed[] = {"-icount",
                                        "shift=1",
                                        "-nodefaults",
                                        "-no-user-config",
                                        "-display",
                                        "none",
                                        "-monitor",
                                        "none",
                                        "-serial",
                                        "stdio",
                                        "-semihosting-config",
                                        "enable=on,target=native"};
    command->count = 0;
    add(command, QEMU);
    add(command, "-M");
    add(command, machine_option());
    add_option(command, command->text[0], "-object",
               "memory-backend-file,id=flash,size=16M,share=on,mem-path=", config->flash, "");
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        add(command, fixed[i]);
    add_option(command, command->text[1], "-chardev", "file,id=log,append=on,path=", config->log,
               "");
    add(command, "-serial");
    add(command, "chardev:log");
    add(command, "-kernel");
    if (config->loader != NULL)
        add(command, config->loader);
    else
        add_ours(config, command);
    if (config->plugin != NULL) {
        add(command, "-plugin");
        add(command, config->plugin);
    }
    for (const char *const *more = config->more; more != NULL && *more != NULL; more++)
        add(command, *more);
}

/* In the child. A group of its own: Ctrl-C on a terminal is for whoever started it, who ends it. */
static void become(const struct cortexm_board_config *config, struct command *command, int in,
                   int out, pid_t parent)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || setpgid(0, 0) != 0)
        _exit(127);
    int log = open(config->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(QEMU, (char *const *)(uintptr_t)command->words);
    dprintf(STDERR_FILENO, QEMU ": %s\n", strerror(errno));
    _exit(127);
}

int cortexm_board_start(const struct cortexm_board_config *config, struct cortexm_board *out)
{
    int in[2];
    int back[2];
    if (pipe2(in, O_CLOEXEC) != 0)
        return OTA_E_IO;
    if (pipe2(back, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return OTA_E_IO;
    }
    struct command *command = calloc(1, sizeof *command);
    pid_t parent = getpid();
    pid_t pid = -1;
    if (command != NULL) {
        compose(config, command);
        pid = fork();
    }
    if (pid == 0)
        become(config, command, in[0], back[1], parent);
    free(command);
    close(in[0]);
    close(back[1]);
    *out = (struct cortexm_board){pid, in[1], back[0]};
    if (pid > 0)
        return OTA_OK;
    close(in[1]);
    close(back[0]);
    return OTA_E_IO;
}

int cortexm_board_end(struct cortexm_board *board, uint32_t ms)
{
    int status = 0;
    pid_t done = 0;
    for (uint32_t waited = 0; done == 0 && waited < ms; waited += 2) {
        done = waitpid(board->pid, &status, WNOHANG);
        if (done == 0)
            usleep(2000);
    }
    if (done == 0) {
        kill(board->pid, SIGKILL);
        while (waitpid(board->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(board->in);
    close(board->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the flash file ---------------------------------------------------------------------- */

int cortexm_flash_widen(const char *path)
{
    return truncate(path, CORTEXM_FLASH_SIZE) == 0 ? OTA_OK : OTA_E_IO;
}

int cortexm_flash_narrow(const char *path, uint32_t size)
{
    return truncate(path, size) == 0 ? OTA_OK : OTA_E_IO;
}
