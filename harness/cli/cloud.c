/* The verb `nobrick cloud`: a publisher for devices, over a real broker. */
#include "harness/cli/paths.h"
#include "harness/cli/verbs.h"
#include "harness/image/image.h"
#include "harness/peers/anycloud_cloud.h"
#include "sim/posix/mqtt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MAX_IMAGE  (64u << 20)
#define CHUNK_SIZE 4096
#define MAX_TRIES  5 /* to reach the broker for the first time */
#define GOODBYE_MS 1000

static const char *const help =
    "usage: nobrick cloud --image FILE [option...]\n"
    "\n"
    "Offers an image to the devices of a board and serves them, over an MQTT broker.\n"
    "\n"
    "  --system S            whose cloud: anycloud (default)\n"
    "  --image FILE          the image on offer\n"
    "  --version X.Y.Z       what to announce (default: what the image says)\n"
    "  --board B             the devices' board (default CY8CPROTO_062_4343W)\n"
    "  --prefix P            topic prefix (default OTAUpdate)\n"
    "  --broker URL          mqtt://HOST[:PORT] (default mqtt://127.0.0.1:1883)\n"
    "  --updates N           end after N results (0 when all were Success, else 1)\n"
    "  --events FD           write event lines to that descriptor\n"
    "  -v                    a line for each chunk too\n"
    "\n"
    "example (ends with Ctrl-C; needs a broker on this machine):\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick cloud --system anycloud --image v2.img --broker mqtt://127.0.0.1:1883\n";

struct options {
    const char *system;
    const char *image;
    const char *version;
    const char *board;
    const char *prefix;
    const char *broker;
    unsigned updates;
    int events_fd;
    bool verbose;
};

enum stop { STOP_SIGNAL = 1, STOP_DONE, STOP_UNREACHABLE, STOP_CLOSED };

struct publisher {
    const struct options *options;
    struct posix_loop *loop;
    struct posix_clock *clock;
    struct posix_mqtt *mqtt;
    struct anycloud_cloud *cloud;
    int signal_fd;
    int signal_number;
    unsigned tries;
    unsigned results;
    unsigned failures;
    bool seen; /* the broker answered once */
    bool done;
    bool leaving;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick cloud: %s%s%s (nobrick cloud --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return 2;
}

/* ---- options ----------------------------------------------------------------------------- */

enum option_id {
    OPTION_SYSTEM = 256,
    OPTION_IMAGE,
    OPTION_VERSION,
    OPTION_BOARD,
    OPTION_PREFIX,
    OPTION_BROKER,
    OPTION_UPDATES,
    OPTION_EVENTS,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"system", required_argument, NULL, OPTION_SYSTEM},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"board", required_argument, NULL, OPTION_BOARD},
    {"prefix", required_argument, NULL, OPTION_PREFIX},
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"updates", required_argument, NULL, OPTION_UPDATES},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool parse_count(const char *text, unsigned long most, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out <= most;
}

/* 0: go on; else the exit code + 1 (so that --help can end with 0). */
static int parse_option(int option, struct options *out)
{
    unsigned long number = 0;
    switch (option) {
    case OPTION_SYSTEM:
        out->system = optarg;
        return 0;
    case OPTION_IMAGE:
        out->image = optarg;
        return 0;
    case OPTION_VERSION:
        out->version = optarg;
        return 0;
    case OPTION_BOARD:
        out->board = optarg;
        return 0;
    case OPTION_PREFIX:
        out->prefix = optarg;
        return 0;
    case OPTION_BROKER:
        out->broker = optarg;
        return 0;
    case OPTION_UPDATES:
        if (!parse_count(optarg, 1000000, &number) || number == 0)
            return usage("--updates wants a number", optarg) + 1;
        out->updates = (unsigned)number;
        return 0;
    case OPTION_EVENTS:
        if (!parse_count(optarg, 65535, &number) || fcntl((int)number, F_GETFD) < 0)
            return usage("--events wants an open descriptor", optarg) + 1;
        out->events_fd = (int)number;
        return 0;
    case 'v':
        out->verbose = true;
        return 0;
    default:
        fputs(help, stdout);
        return 1;
    }
}

static bool is_topic(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("+#\"\\", text[i]) != NULL)
            return false;
    return length > 0 && length < 64 && text[0] != '$';
}

static int parse_options(int argc, char **argv, struct options *out)
{
    *out = (struct options){
        .system = "anycloud",
        .board = "CY8CPROTO_062_4343W",
        .prefix = "OTAUpdate",
        .broker = "mqtt://127.0.0.1:1883",
        .events_fd = -1,
    };
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
    if (strcmp(out->system, "anycloud") != 0)
        return usage("no such system (nobrick list systems)", out->system) + 1;
    if (out->image == NULL)
        return usage("--image is missing", NULL) + 1;
    if (!is_topic(out->board))
        return usage("not a board's name", out->board) + 1;
    if (!is_topic(out->prefix))
        return usage("not a topic prefix", out->prefix) + 1;
    return 0;
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_line(void *context, const char *line)
{
    struct publisher *publisher = context;
    const struct options *options = publisher->options;
    bool failure = strncmp(line, "result failure", 14) == 0;
    if (options->events_fd >= 0) {
        char text[512];
        int n = snprintf(text, sizeof text, "%s\n", line);
        ssize_t written = write(options->events_fd, text, (size_t)n);
        (void)written; /* nobody listens any more: devices are served all the same */
    }
    if (options->verbose || strncmp(line, "chunk ", 6) != 0)
        printf("%s\n", line);
    if (fflush(stdout) != 0 && errno == EPIPE)
        raise(SIGTERM); /* whoever watched has gone */
    if (failure || strncmp(line, "result success", 14) == 0) {
        publisher->results++;
        publisher->failures += failure;
        publisher->done = options->updates != 0 && publisher->results >= options->updates;
    }
}

static void on_mqtt(void *context, const struct ota_event *event)
{
    struct publisher *publisher = context;
    if (publisher->leaving) {
        if (event->type == OTA_EVENT_MQTT_CLOSED)
            posix_loop_stop(publisher->loop, STOP_CLOSED);
        return;
    }
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code == OTA_OK)
        publisher->seen = true;
    anycloud_cloud_event(publisher->cloud, event);
    if (publisher->done)
        posix_loop_stop(publisher->loop, STOP_DONE);
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code != OTA_OK && !publisher->seen &&
        ++publisher->tries == MAX_TRIES)
        posix_loop_stop(publisher->loop, STOP_UNREACHABLE);
}

static void on_timer(void *context, unsigned id)
{
    struct publisher *publisher = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    anycloud_cloud_event(publisher->cloud, &event);
}

static void on_signal(void *context, int fd)
{
    struct publisher *publisher = context;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    publisher->signal_number = (int)info.ssi_signo;
    posix_loop_stop(publisher->loop, STOP_SIGNAL);
}

/* ---- life -------------------------------------------------------------------------------- */

static int watch_signals(struct publisher *publisher)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return OTA_E_IO;
    publisher->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (publisher->signal_fd < 0)
        return OTA_E_IO;
    return posix_loop_watch(publisher->loop, publisher->signal_fd, on_signal, publisher);
}

static int prepare(struct publisher *publisher, const struct posix_mqtt_config *broker)
{
    const struct options *options = publisher->options;
    publisher->loop = posix_loop_new();
    if (publisher->loop == NULL || watch_signals(publisher) != OTA_OK)
        return OTA_E_NO_SPACE;
    publisher->clock = posix_clock_new(publisher->loop, on_timer, publisher);
    publisher->mqtt = posix_mqtt_new(publisher->loop, broker, on_mqtt, publisher);
    if (publisher->clock == NULL || publisher->mqtt == NULL)
        return OTA_E_NO_SPACE;
    publisher->cloud =
        anycloud_cloud_new(posix_mqtt_port(publisher->mqtt), posix_clock_port(publisher->clock),
                           options->prefix, options->board, on_line, publisher);
    return publisher->cloud != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

static void leave(struct publisher *publisher)
{
    const struct mqtt_port *mqtt = posix_mqtt_port(publisher->mqtt);
    publisher->leaving = true;
    if (mqtt->disconnect(mqtt->context) == OTA_OK)
        (void)posix_loop_run(publisher->loop, GOODBYE_MS);
}

static int serve(struct publisher *publisher, const struct posix_mqtt_config *broker,
                 const struct anycloud_offer *offer)
{
    int result = prepare(publisher, broker);
    if (result == OTA_OK) {
        anycloud_cloud_offer(publisher->cloud, offer);
        result = anycloud_cloud_start(publisher->cloud);
    }
    if (result != OTA_OK) {
        fprintf(stderr, "nobrick cloud: cannot start: %s\n", ota_err_text(result));
        return 2;
    }
    int why = posix_loop_run(publisher->loop, UINT32_MAX);
    if (why == STOP_UNREACHABLE) {
        fprintf(stderr, "nobrick cloud: cannot connect to %s:%u: %s\n", broker->host, broker->port,
                posix_mqtt_reason(publisher->mqtt));
        return 1;
    }
    leave(publisher);
    if (why == STOP_SIGNAL)
        return 128 + publisher->signal_number;
    return publisher->failures > 0 ? 1 : 0;
}

/* What to announce: as told, else what the image's header says. */
static int find_version(const struct options *options, const uint8_t *image, size_t size,
                        struct img_version *out)
{
    struct img_header header;
    if (options->version != NULL) {
        if (nb_version_parse(options->version, out) == OTA_OK)
            return OTA_OK;
        (void)usage("not a version", options->version);
        return OTA_E_ARGUMENT;
    }
    if (size < IMG_HEADER_SIZE || img_header_parse(image, MAX_IMAGE, &header, NULL) != OTA_OK) {
        fprintf(stderr, "nobrick cloud: %s: not an MCUboot image; say --version\n", options->image);
        return OTA_E_IMG_HEADER;
    }
    *out = header.version;
    return OTA_OK;
}

static int run(const struct options *options)
{
    struct posix_mqtt_config broker;
    struct anycloud_offer offer = {.chunk_size = CHUNK_SIZE};
    struct publisher publisher = {.options = options, .signal_fd = -1};
    uint8_t *image = NULL;
    size_t size = 0;
    if (posix_mqtt_url(options->broker, &broker) != OTA_OK)
        return usage("not a broker URL (mqtt://HOST[:PORT])", options->broker);
    if (nb_read_file(options->image, MAX_IMAGE, &image, &size) != OTA_OK) {
        fprintf(stderr, "nobrick cloud: %s: %s\n", options->image, strerror(errno));
        return 2;
    }
    int result = 2;
    if (find_version(options, image, size, &offer.version) == OTA_OK) {
        offer.image = image;
        offer.size = (uint32_t)size;
        result = serve(&publisher, &broker, &offer);
        anycloud_cloud_free(publisher.cloud);
        posix_mqtt_free(publisher.mqtt);
        posix_loop_free(publisher.loop);
        if (publisher.signal_fd >= 0)
            close(publisher.signal_fd);
    }
    free(image);
    return result;
}

int nb_cmd_cloud(int argc, char **argv)
{
    struct options options;
    int result = parse_options(argc, argv, &options);
    if (result != 0)
        return result - 1;
    signal(SIGPIPE, SIG_IGN);
    return run(&options);
}
