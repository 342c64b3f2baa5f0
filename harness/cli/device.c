/* The verb `nobrick device`: options, what people see, and the reset (execution anew). */
#include "sim/posix/device.h"
#include "harness/cli/paths.h"
#include "harness/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_IMAGE      (64u << 20)
#define BAR_CELLS      30u
#define CRASH_PAUSE_MS 200

/* Carries a device's life over the execution anew: "PID OPERATIONS CRASHES FAILURE". The pid stays
 * the same then, so a value that somebody else left in the environment is recognised. */
#define LIFE_VARIABLE "NOBRICK_DEVICE_LIFE"

static const char *const help =
    "usage: nobrick device --device FILE|PRESET --flash FILE --broker URL [option...]\n"
    "\n"
    "Runs a device: loader, application and update agent on a flash file, against a real broker.\n"
    "The flash file is made when it does not exist; a reset starts this program anew.\n"
    "\n"
    "  --device FILE|PRESET  device file, or a name from `nobrick list devices`\n"
    "  --flash FILE          the device's flash, chip after chip; FILE.nv holds its counter\n"
    "  --broker URL          mqtt://HOST[:PORT] (default mqtt://127.0.0.1:1883)\n"
    "  --factory IMAGE       goes into the primary slot when the flash file is new\n"
    "  --key PUB.pem         public key that images must be signed with; may be repeated\n"
    "  --once                stop after one check, through all resets:\n"
    "                        0 updated or nothing new, 1 refused, reverted or failed\n"
    "  --boot-only           run the loader once and say what boots\n"
    "  --cut N:TEAR          cut the power at flash operation N (exit 9)\n"
    "  --journal FILE        append a line for each flash operation\n"
    "  --events FD           write event lines to that descriptor\n"
    "  --fast                short timings, for tests\n"
    "  -v                    say more\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o v1.img\n"
    "  nobrick device --device anycloud-nrf52840 --flash dev.bin --factory v1.img --boot-only\n";

struct options {
    const char *device;
    const char *flash;
    const char *broker;
    const char *factory;
    const char *journal;
    const char *keys[SIM_MAX_KEYS];
    size_t key_count;
    bool once;
    bool boot_only;
    bool fast;
    bool verbose;
    bool has_cut;
    uint32_t cut_operation;
    enum flash_tear cut_tear;
    int events_fd; /* -1: none */
};

/* What is on the screen. */
struct display {
    bool terminal;
    bool verbose;
    bool once;
    int events_fd;
    unsigned tenth; /* of the last progress line in a pipe */
    bool in_bar;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick device: %s%s%s (nobrick device --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return 2;
}

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
    return strncmp(line, "state ", 6) == 0 || strncmp(line, "exit ", 5) == 0;
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
        rest = "no connection to the broker yet";
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

/* ---- options ----------------------------------------------------------------------------- */

static int parse_cut(const char *text, struct options *out)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || number > UINT32_MAX || *end != ':')
        return usage("--cut wants N:TEAR, as 17:half", text);
    out->cut_tear = flash_tear_from_word(end + 1, strlen(end + 1));
    if (out->cut_tear == FLASH_TEAR_COUNT || out->cut_tear == FLASH_TEAR_NONE)
        return usage("no such tear", end + 1);
    out->cut_operation = (uint32_t)number;
    out->has_cut = true;
    return 0;
}

static int parse_events(const char *text, int *fd)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || number > 65535 ||
        fcntl((int)number, F_GETFD) < 0)
        return usage("--events wants an open descriptor", text);
    *fd = (int)number;
    return 0;
}

enum option_id {
    OPTION_DEVICE = 256,
    OPTION_FLASH,
    OPTION_BROKER,
    OPTION_FACTORY,
    OPTION_KEY,
    OPTION_ONCE,
    OPTION_BOOT_ONLY,
    OPTION_CUT,
    OPTION_JOURNAL,
    OPTION_EVENTS,
    OPTION_FAST,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"flash", required_argument, NULL, OPTION_FLASH},
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"factory", required_argument, NULL, OPTION_FACTORY},
    {"key", required_argument, NULL, OPTION_KEY},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"boot-only", no_argument, NULL, OPTION_BOOT_ONLY},
    {"cut", required_argument, NULL, OPTION_CUT},
    {"journal", required_argument, NULL, OPTION_JOURNAL},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"fast", no_argument, NULL, OPTION_FAST},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* 0: go on; else the exit code + 1 (so that --help can end with 0). */
static int parse_option(int option, struct options *out)
{
    switch (option) {
    case OPTION_DEVICE:
        out->device = optarg;
        return 0;
    case OPTION_FLASH:
        out->flash = optarg;
        return 0;
    case OPTION_BROKER:
        out->broker = optarg;
        return 0;
    case OPTION_FACTORY:
        out->factory = optarg;
        return 0;
    case OPTION_KEY:
        if (out->key_count == SIM_MAX_KEYS)
            return usage("too many keys", optarg) + 1;
        out->keys[out->key_count++] = optarg;
        return 0;
    case OPTION_ONCE:
        out->once = true;
        return 0;
    case OPTION_BOOT_ONLY:
        out->boot_only = true;
        return 0;
    case OPTION_CUT:
        return parse_cut(optarg, out) != 0 ? 3 : 0;
    case OPTION_JOURNAL:
        out->journal = optarg;
        return 0;
    case OPTION_EVENTS:
        return parse_events(optarg, &out->events_fd) != 0 ? 3 : 0;
    case OPTION_FAST:
        out->fast = true;
        return 0;
    case 'v':
        out->verbose = true;
        return 0;
    case OPTION_HELP:
        fputs(help, stdout);
        return 1;
    default:
        return usage("unknown option", NULL) + 1;
    }
}

static int parse_options(int argc, char **argv, struct options *out)
{
    *out = (struct options){.broker = "mqtt://127.0.0.1:1883", .events_fd = -1};
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":v", long_options, NULL)) != -1;) {
        if (option == ':' || option == '?')
            return usage(option == ':' ? "this option needs a value" : "unknown option",
                         argv[optind - 1]) +
                   1;
        int result = parse_option(option, out);
        if (result != 0)
            return result;
    }
    if (optind != argc)
        return usage("unexpected argument", argv[optind]) + 1;
    if (out->device == NULL)
        return usage("--device is missing", NULL) + 1;
    if (out->flash == NULL)
        return usage("--flash is missing", NULL) + 1;
    return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void read_life(struct posix_device_life *life)
{
    long pid;
    struct posix_device_life found = {0};
    const char *text = getenv(LIFE_VARIABLE);
    memset(life, 0, sizeof *life);
    if (text != NULL &&
        sscanf(text, "%ld %u %u %d", &pid, &found.operations, &found.crashes, &found.failure) ==
            4 &&
        pid == (long)getpid())
        *life = found;
    unsetenv(LIFE_VARIABLE);
}

/* Executes the same program with the same arguments. Returns only when that fails. */
static int start_anew(int argc, char **argv, const struct posix_device_life *life)
{
    char text[80];
    char name[] = "nobrick";
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (arguments == NULL)
        return 2;
    arguments[0] = name;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    snprintf(text, sizeof text, "%ld %u %u %d", (long)getpid(), life->operations, life->crashes,
             life->failure);
    if (setenv(LIFE_VARIABLE, text, 1) == 0) {
        if (life->crashes > 0) /* a crash loop should not eat a processor */
            nanosleep(&(struct timespec){.tv_nsec = CRASH_PAUSE_MS * 1000000L}, NULL);
        fflush(NULL);
        execv("/proc/self/exe", arguments);
    }
    fprintf(stderr, "nobrick device: cannot start anew: %s\n", strerror(errno));
    free(arguments);
    return 2;
}

/* What the options name: broker, device, keys, factory image (malloc'ed). */
static int load(const struct options *options, struct sim_device *device, uint8_t **factory,
                struct posix_device_config *config)
{
    struct flash_text_error error = {0};
    if (posix_mqtt_url(options->broker, &config->broker) != OTA_OK)
        return usage("not a broker URL (mqtt://HOST[:PORT])", options->broker);
    if (nb_device_load("device", options->device, device) != OTA_OK)
        return 2;
    for (size_t i = 0; i < options->key_count; i++)
        if (sim_device_add_key(device, options->keys[i], &error) != OTA_OK)
            return usage(error.message, NULL);
    if (options->factory != NULL &&
        nb_read_file(options->factory, MAX_IMAGE, factory, &config->factory_size) != OTA_OK) {
        fprintf(stderr, "nobrick device: %s: %s\n", options->factory, strerror(errno));
        return 2;
    }
    config->factory = *factory;
    return 0;
}

/* The last line: the result on stdout, a failure on stderr. */
static void show_end(const struct posix_device_end *end)
{
    if (end->text[0] == '\0')
        return;
    fflush(stdout);
    fprintf(end->good ? stdout : stderr, "nobrick device: %s\n", end->text);
    fflush(stdout);
}

static int run(const struct options *options, struct posix_device_life *life)
{
    struct sim_device device = {0};
    struct display display = {.terminal = isatty(STDOUT_FILENO) == 1,
                              .verbose = options->verbose,
                              .once = options->once,
                              .events_fd = options->events_fd};
    struct posix_device_end end = {0};
    struct posix_device_config config = {
        .device = &device,
        .flash_path = options->flash,
        .once = options->once,
        .boot_only = options->boot_only,
        .fast = options->fast,
        .has_cut = options->has_cut,
        .cut_operation = options->cut_operation,
        .cut_tear = options->cut_tear,
        .journal_path = options->journal,
        .log_level = options->verbose ? OTA_LOG_DEBUG : OTA_LOG_ERROR,
        .event = on_event,
        .context = &display,
    };
    uint8_t *factory = NULL;
    int result = load(options, &device, &factory, &config);
    if (result == 0)
        result = posix_device_run(&config, life, &end);
    if (result != POSIX_DEVICE_RESET)
        show_end(&end);
    free(factory);
    sim_device_free(&device);
    return result;
}

int nb_cmd_device(int argc, char **argv)
{
    struct options options;
    struct posix_device_life life;
    int result = parse_options(argc, argv, &options);
    if (result != 0)
        return result - 1;
    signal(SIGPIPE, SIG_IGN);
    read_life(&life);
    result = run(&options, &life);
    return result == POSIX_DEVICE_RESET ? start_anew(argc, argv, &life) : result;
}
