/* The verb `nobrick device`: what people see, and the reset (execution anew). */
#include "harness/cli/device_options.h"
#include "harness/cli/paths.h"
#include "harness/cli/verbs.h"
#include "harness/files/files.h"
#include "harness/image/harmony.h"
#include "harness/image/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_IMAGE (64u << 20)
#define BAR_CELLS 30u

/* Carries a device's past over the execution anew: "PID OPERATIONS CRASHES FAILURE PUSHED". The pid
 * stays the same then, so a value that somebody else left in the environment is recognised. */
#define LIFE_VARIABLE "NOBRICK_DEVICE_LIFE"

/* What is on the screen. */
struct display {
    bool terminal;
    bool verbose;
    bool once;
    int events_fd;
    unsigned tenth; /* of the last progress line in a pipe */
    bool in_bar;
};

/* ---- what people see --------------------------------------------------------------------- */

static void show_progress(struct display *display, uint32_t done, uint32_t total)
{
    if (total == 0)
        return;
    unsigned percent = (unsigned)((uint64_t)done * 100 / total);
    if (!display->terminal) {
        if (done != total && percent / 10 == display->tenth)
            return;
        display->tenth = percent / 10;
        printf("download   %3u%%  %u of %u bytes\n", percent, done, total);
        return;
    }
    unsigned full = percent * BAR_CELLS / 100;
    printf("\rdownload   [");
    for (unsigned i = 0; i < BAR_CELLS; i++)
        putchar(i < full ? '#' : '.');
    printf("] %3u%%  %u of %u bytes", percent, done, total);
    display->in_bar = done != total;
    if (done == total)
        putchar('\n');
}

/* Nothing that a person wants to see without -v. Under --once the last line says how it ended. */
static bool is_detail(const struct display *display, const char *line, int code)
{
    if (strncmp(line, "idle ", 5) == 0)
        return display->once || code == OTA_OK || code == OTA_E_NO_UPDATE;
    return strncmp(line, "state ", 6) == 0 || strncmp(line, "bytes ", 6) == 0 ||
           strncmp(line, "exit ", 5) == 0;
}

/* One event, in words. Only what a person wants to see; -v shows every line as it is. */
static void show_event(struct display *display, const char *line, int code)
{
    unsigned done;
    unsigned total;
    const char *rest = strchr(line, ' ');
    int length = rest != NULL ? (int)(rest - line) : (int)strlen(line);
    rest = rest != NULL ? rest + 1 : "";
    if (sscanf(line, "progress %u %u", &done, &total) == 2) {
        show_progress(display, done, total);
        return;
    }
    if (!display->verbose && strcmp(line, "state pause") == 0) {
        line = "retry";
        length = (int)strlen(line);
        rest = "no connection yet";
    } else if (!display->verbose && is_detail(display, line, code)) {
        return;
    }
    if (display->in_bar)
        putchar('\n');
    display->in_bar = false;
    if (strncmp(line, "job ", 4) == 0)
        display->tenth = 0;
    bool bad = code < 0 && code != OTA_E_POWER;
    const char *on = !display->terminal ? "" : bad ? "\033[31m" : "\033[1m";
    const char *off = display->terminal ? "\033[0m" : "";
    printf("%s%-10.*s%s %s", on, length, line, off, rest);
    if (bad)
        printf(": %s", ota_err_text(code));
    putchar('\n');
}

static void on_event(void *context, const char *line, int code)
{
    struct display *display = context;
    if (display->events_fd >= 0) {
        char text[256];
        int n = snprintf(text, sizeof text, "%s\n", line);
        ssize_t written = write(display->events_fd, text, (size_t)n);
        (void)written; /* nobody listens any more: the device does not care */
    }
    show_event(display, line, code);
    if (fflush(stdout) != 0 && errno == EPIPE)
        raise(SIGTERM); /* whoever watched has gone */
}

/* ---- life -------------------------------------------------------------------------------- */

/* False: this is the first life. */
static bool read_life(struct sim_past *past)
{
    long pid;
    int pushed = 0;
    struct sim_past found = {0};
    const char *text = getenv(LIFE_VARIABLE);
    memset(past, 0, sizeof *past);
    if (text != NULL &&
        sscanf(text, "%ld %u %u %d %d", &pid, &found.operations, &found.crashes, &found.failure,
               &pushed) == 5 &&
        pid == (long)getpid()) {
        *past = found;
        past->pushed = pushed != 0;
    } else {
        text = NULL;
    }
    unsetenv(LIFE_VARIABLE);
    return text != NULL;
}

/* Executes the same program with the same arguments. Returns only when that fails. */
static int start_anew(int argc, char **argv, const struct sim_past *past)
{
    char text[80];
    char name[] = "nobrick";
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (arguments == NULL)
        return 2;
    arguments[0] = name;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    snprintf(text, sizeof text, "%ld %u %u %d %d", (long)getpid(), past->operations, past->crashes,
             past->failure, past->pushed);
    if (setenv(LIFE_VARIABLE, text, 1) == 0) {
        if (past->crashes > 0)
            nanosleep(&(struct timespec){.tv_nsec = SIM_CRASH_PAUSE_MS * 1000000L}, NULL);
        fflush(NULL);
        execv("/proc/self/exe", arguments);
    }
    fprintf(stderr, "nobrick device: cannot start anew: %s\n", strerror(errno));
    free(arguments);
    return 2;
}

/* The last line: the result on stdout, a failure on stderr. */
static void show_end(const struct sim_life_end *end)
{
    if (end->text[0] == '\0')
        return;
    fflush(stdout);
    fprintf(end->good ? stdout : stderr, "nobrick device: %s\n", end->text);
    fflush(stdout);
}

static int rename_device(char out[SIM_TEXT], const char *option, const char *wish)
{
    if (wish == NULL)
        return 0;
    int n = snprintf(out, SIM_TEXT, "%s", wish);
    /* These become topics and strings of JSON. */
    if (n > 0 && n < SIM_TEXT && strpbrk(wish, "+#\"\\ \t\r\n") == NULL)
        return 0;
    fprintf(stderr, "nobrick device: %s: not usable in a topic: %s\n", option, wish);
    return 2;
}

/* What the factory says of an image that says nothing of itself. */
static int make_row(const struct device_options *options, const uint8_t *image, size_t size,
                    uint8_t out[IMG_ROW_SIZE])
{
    char reason[200] = "";
    struct img_row row = {
        .name = "factory.bin", .version = options->factory_version, .type = IMG_ROW_FACTORY};
    if (nb_harmony_sign(image, size, options->factory_key, &row, reason, sizeof reason) != OTA_OK) {
        fprintf(stderr, "nobrick device: --factory-key: %s\n", reason);
        return 2;
    }
    img_row_encode(&row, out);
    return 0;
}

/* A flash file is not made for an image that will never boot, nor for none. */
static int check_factory(const struct device_options *options, const uint8_t *image, size_t size)
{
    const char *flash = options->config.flash_path;
    struct nb_memory memory;
    struct img_info info;
    struct img_fault fault = {0};
    bool exists = access(flash, F_OK) == 0;
    if (image == NULL) {
        if (!exists)
            fprintf(stderr,
                    "nobrick device: %s does not exist, and --factory names no image for it\n",
                    flash);
        return exists ? 0 : 2;
    }
    nb_memory_init(&memory, image, (uint32_t)size, 0xFF);
    int result = options->config.life.device->scheme->store
                     ? OTA_OK /* any bytes may be one */
                     : img_measure(&memory.area, &info, &fault);
    if (result != OTA_OK) {
        fprintf(stderr, "nobrick device: %s: %s (nobrick image create)\n", options->factory,
                ota_err_text(result));
        return 2;
    }
    if (exists && !options->anew)
        fprintf(stderr, "nobrick device: %s exists: --factory is not used\n", flash);
    else if (options->config.life.device->scheme->store && options->trusted_count > 0 &&
             options->factory_key == NULL) {
        fprintf(stderr, "nobrick device: --trust refuses a factory image that is not signed: give "
                        "--factory-key, too\n");
        return 2;
    }
    return 0;
}

/* A file with an image, malloc'ed; NULL is none. */
static int load_image(const char *path, uint8_t **out, size_t *size)
{
    if (path == NULL || nb_read_file(path, MAX_IMAGE, out, size) == OTA_OK)
        return 0;
    fprintf(stderr, "nobrick device: %s: %s\n", path, strerror(errno));
    return 2;
}

/* What the options name: device, keys, images (malloc'ed). */
static int load(struct device_options *options, struct sim_device *device, uint8_t **factory,
                uint8_t row[IMG_ROW_SIZE], uint8_t **push)
{
    struct flash_text_error error = {0};
    struct posix_device_config *config = &options->config;
    if (nb_device_load("device", options->device, device) != OTA_OK)
        return 2;
    if (device->foreign != NULL) {
        fprintf(stderr,
                "nobrick device: %s: its firmware is somebody else's, which runs on the board only "
                "(nobrick run --world cortexm)\n",
                options->device);
        return 2;
    }
    if (rename_device(device->board, "--board", options->board) != 0 ||
        rename_device(device->topic_prefix, "--prefix", options->prefix) != 0)
        return 2;
    for (size_t i = 0; i < options->trusted_count; i++)
        if (sim_device_add_key(device, options->trusted[i], &error) != OTA_OK) {
            fprintf(stderr, "nobrick device: %s (nobrick device --help)\n", error.message);
            return 2;
        }
    if (load_image(options->factory, factory, &config->factory_size) != 0 ||
        load_image(options->push, push, &config->life.push_size) != 0)
        return 2;
    config->life.device = device;
    if (check_factory(options, *factory, config->factory_size) != 0)
        return 2;
    config->factory = *factory;
    config->life.push = *push;
    if (*factory == NULL || !device->scheme->store)
        return 0;
    config->factory_row = row;
    return make_row(options, *factory, config->factory_size, row);
}

static int run(struct device_options *options, struct sim_past *past)
{
    struct sim_device device = {0};
    struct display display = {.terminal = isatty(STDOUT_FILENO) == 1,
                              .verbose = options->verbose,
                              .once = options->config.life.once,
                              .events_fd = options->events_fd};
    struct sim_life_end end = {0};
    uint8_t *factory = NULL;
    uint8_t *push = NULL;
    uint8_t row[IMG_ROW_SIZE];
    options->config.life.event = on_event;
    options->config.life.context = &display;
    int result = load(options, &device, &factory, row, &push);
    if (result == 0)
        result = posix_device_run(&options->config, past, &end);
    if (result != SIM_LIFE_RESET)
        show_end(&end);
    free(factory);
    free(push);
    sim_device_free(&device);
    return result;
}

int nb_cmd_device(int argc, char **argv)
{
    struct device_options options;
    struct sim_past past;
    int result = device_options_parse(argc, argv, &options);
    if (result != 0)
        return result - 1;
    signal(SIGPIPE, SIG_IGN);
    options.anew = read_life(&past);
    result = run(&options, &past);
    return result == SIM_LIFE_RESET ? start_anew(argc, argv, &past) : result;
}
