#include "harness/cli/device_options.h"

#include "harness/cli/option_words.h"
#include "harness/files/files.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_WAIT       31536000u /* a year, in seconds */
#define LONGEST_KEEP_ALIVE 65535u    /* what a CONNECT packet has room for */
#define MOST_TRIES         1000u

static const char *const help =
    "usage: nobrick device --device FILE|PRESET --flash FILE [option...]\n"
    "\n"
    "Runs a device: loader, application and update agent on a flash file, against a real broker, "
    "a\n"
    "real HTTP server, or both. The flash file is made when it does not exist; a reset starts "
    "this\n"
    "program anew. Kill it whenever you like: the next start goes on.\n"
    "\n"
    "  --device FILE|PRESET  device file, or a name from `nobrick list devices`\n"
    "  --system S            instead: S's usual device (anycloud: anycloud-w25q128, harmony:\n"
    "                        harmony-wfi32)\n"
    "  --flash FILE          the device's flash, chip after chip; FILE.nv holds its counter\n"
    "  --factory IMAGE       goes into the primary slot when the flash file is new\n"
    "  --factory-version N --factory-key KEY.pem\n"
    "                        what stands beside it, where images say nothing of themselves "
    "(harmony:\n"
    "                        version 1, not signed)\n"
    "  --trust PUB.pem       public key that images must be signed with; may be repeated\n"
    "  --board B --prefix P  other than the device file's\n"
    "\n"
    "  --push FILE           no cloud: a host hands this image over in pieces, as by UART or BLE;\n"
    "                        ends as --once does\n"
    "\n"
    "  --broker URL          mqtt[s]://HOST[:PORT] (default mqtt://127.0.0.1:1883)\n"
    "  --server URL          http[s]://HOST[:PORT]\n"
    "  --ca FILE             PEM: who may have signed their certificates (default: the system's)\n"
    "  --cert FILE --key FILE  PEM: the device's own certificate and its private key\n"
    "  --via mqtt|http       where to ask first (default mqtt); the job may lead elsewhere\n"
    "  --flow job|direct     ask for a job (default), or fetch the image at once\n"
    "  -d, --direct          as subscriber.py: over MQTT, ask with Send Direct Update and listen "
    "on\n"
    "                        the topic that all devices of the board share\n"
    "  -c, --chunk-mode N    as subscriber.py: over MQTT, ask for each chunk, of N bytes (512, "
    "1024,\n"
    "                        2048 or a multiple of 4096 up to 65536)\n"
    "  --file PATH           of the job on the server, or of the image in direct flow\n"
    "  --no-result           do not report Success or Failure\n"
    "  --permanent           ask for installation without a trial\n"
    "  --answer WHAT=STEP    what the application says when its agent comes to a step: stop, done "
    "(it\n"
    "                        did that itself) or fail; steps are those of `nobrick list states`, "
    "and\n"
    "                        write; may be repeated\n"
    "  --stay                do not reset to install: the next start does it\n"
    "  --hold                an update that is available waits to be initiated (harmony)\n"
    "  --initiate            … by this, at the beginning\n"
    "  --unperiodic          look for updates only when told to (harmony)\n"
    "  --console             read commands from standard input (harmony): sysota help\n"
    "  --initial-check S --next-check S --retry S --retry-last S --connect-wait S --job-wait S\n"
    "  --data-wait S --keep-alive S\n"
    "                        timings in seconds (default: 1 ms, 10, 1, 8, 5, 10, 3, 60)\n"
    "  --connect-tries N --data-tries N\n"
    "                        before a session is given up, without any progress (4, 5)\n"
    "\n"
    "  --once                stop after one check, through all resets:\n"
    "                        0 updated or nothing new, 1 refused, reverted or failed\n"
    "  --boot-only           run the loader once and say what boots\n"
    "  --cut N:TEAR          cut the power at flash operation N (exit 9)\n"
    "  --journal FILE        append a line for each flash operation\n"
    "  --events FD           write event lines to that descriptor\n"
    "  --fast                short timings, for tests\n"
    "  --log LEVEL           error (default) warning notice info debug\n"
    "  -v                    say more: every event, and --log debug\n"
    "\n"
    "examples:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o v1.img\n"
    "  nobrick device --device anycloud-nrf52840 --flash dev.bin --factory v1.img --boot-only\n"
    "  nobrick device --system harmony --flash wfi32.bin --factory v1.img --boot-only\n";

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick device: %s%s%s (nobrick device --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return 3; /* exit code 2, plus 1 */
}

/* ---- values ------------------------------------------------------------------------------ */

static int parse_cut(const char *text, struct device_options *out)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || number > UINT32_MAX || *end != ':')
        return usage("--cut wants N:TEAR, as 17:half", text);
    out->config.cut_tear = flash_tear_from_word(end + 1, strlen(end + 1));
    if (out->config.cut_tear == FLASH_TEAR_COUNT || out->config.cut_tear == FLASH_TEAR_NONE)
        return usage("no such tear", end + 1);
    out->config.cut_operation = (uint32_t)number;
    out->config.has_cut = true;
    return 0;
}

static int parse_events(const char *text, int *fd)
{
    return nb_option_descriptor(text, fd) ? 0 : usage("--events wants an open descriptor", text);
}

static int parse_seconds(const char *text, uint32_t longest, uint32_t *ms)
{
    unsigned long number;
    /* A timer of the clock counts milliseconds in 32 bits: 49 days. */
    if (!nb_option_count(text, 1, longest, &number))
        return usage(longest == LONGEST_WAIT ? "not a number of seconds (1 to a year)"
                                             : "not a number of seconds (1 to 65535)",
                     text);
    *ms = number > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)number * 1000;
    return 0;
}

static int parse_tries(const char *text, uint32_t *out)
{
    unsigned long number;
    if (!nb_option_count(text, 1, MOST_TRIES, &number))
        return usage("not a number of tries (1 to 1000)", text);
    *out = (uint32_t)number;
    return 0;
}

static int parse_chunk(const char *text, uint32_t *out)
{
    unsigned long number;
    if (!nb_option_count(text, 1, UINT32_MAX, &number) || !ota_is_chunk_size((uint32_t)number))
        return usage("--chunk-mode wants 512, 1024, 2048 or a multiple of 4096 up to 65536", text);
    *out = (uint32_t)number;
    return 0;
}

static int parse_log(const char *text, enum ota_log_level *level)
{
    return nb_option_log(text, level)
               ? 0
               : usage("--log wants error, warning, notice, info or debug", text);
}

/* One of two words: false for the first. */
static int parse_choice(const char *option, const char *first, const char *second, bool *out)
{
    *out = strcmp(optarg, second) == 0;
    if (*out || strcmp(optarg, first) == 0)
        return 0;
    char text[64];
    snprintf(text, sizeof text, "%s wants %s or %s", option, first, second);
    return usage(text, optarg);
}

static int parse_system(const char *text, const char **device)
{
    static const char *const usual[][2] = {{"anycloud", "anycloud-w25q128"},
                                           {"harmony", "harmony-wfi32"}};
    size_t i = 0;
    while (i < sizeof usual / sizeof usual[0] && strcmp(text, usual[i][0]) != 0)
        i++;
    if (i == sizeof usual / sizeof usual[0])
        return usage("no such system (anycloud or harmony)", text);
    if (*device == NULL)
        *device = usual[i][1];
    return 0;
}

static int parse_version(const char *text, uint32_t *out)
{
    unsigned long number;
    if (!nb_option_count(text, 1, UINT32_MAX, &number))
        return usage("--factory-version wants a number from 1 to 4294967295", text);
    *out = (uint32_t)number;
    return 0;
}

static int parse_broker(const char *text, struct posix_mqtt_config *out)
{
    return posix_mqtt_url(text, out) == OTA_OK
               ? 0
               : usage("not a broker URL (mqtt://HOST[:PORT])", text);
}

static int parse_server(const char *text, struct posix_http_config *out)
{
    return posix_http_url(text, out) == OTA_OK
               ? 0
               : usage("not a server URL (http://HOST[:PORT])", text);
}

/* ---- the table --------------------------------------------------------------------------- */

enum option_id {
    OPTION_DIRECT = 'd',
    OPTION_CHUNK_MODE = 'c',
    OPTION_DEVICE = 256,
    OPTION_SYSTEM,
    OPTION_FLASH,
    OPTION_FACTORY,
    OPTION_FACTORY_VERSION,
    OPTION_FACTORY_KEY,
    OPTION_PUSH,
    OPTION_TRUST,
    OPTION_BOARD,
    OPTION_PREFIX,
    OPTION_BROKER,
    OPTION_SERVER,
    OPTION_CA,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_VIA,
    OPTION_FLOW,
    OPTION_FILE,
    OPTION_NO_RESULT,
    OPTION_PERMANENT,
    OPTION_STAY,
    OPTION_HOLD,
    OPTION_INITIATE,
    OPTION_UNPERIODIC,
    OPTION_CONSOLE,
    OPTION_ANSWER,
    OPTION_INITIAL_CHECK,
    OPTION_NEXT_CHECK,
    OPTION_RETRY,
    OPTION_RETRY_LAST,
    OPTION_CONNECT_WAIT,
    OPTION_CONNECT_TRIES,
    OPTION_DATA_TRIES,
    OPTION_JOB_WAIT,
    OPTION_DATA_WAIT,
    OPTION_KEEP_ALIVE,
    OPTION_ONCE,
    OPTION_BOOT_ONLY,
    OPTION_CUT,
    OPTION_JOURNAL,
    OPTION_EVENTS,
    OPTION_FAST,
    OPTION_LOG,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"system", required_argument, NULL, OPTION_SYSTEM},
    {"flash", required_argument, NULL, OPTION_FLASH},
    {"factory", required_argument, NULL, OPTION_FACTORY},
    {"factory-version", required_argument, NULL, OPTION_FACTORY_VERSION},
    {"factory-key", required_argument, NULL, OPTION_FACTORY_KEY},
    {"push", required_argument, NULL, OPTION_PUSH},
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"board", required_argument, NULL, OPTION_BOARD},
    {"prefix", required_argument, NULL, OPTION_PREFIX},
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"ca", required_argument, NULL, OPTION_CA},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"via", required_argument, NULL, OPTION_VIA},
    {"flow", required_argument, NULL, OPTION_FLOW},
    {"direct", no_argument, NULL, OPTION_DIRECT},
    {"chunk-mode", required_argument, NULL, OPTION_CHUNK_MODE},
    {"file", required_argument, NULL, OPTION_FILE},
    {"no-result", no_argument, NULL, OPTION_NO_RESULT},
    {"permanent", no_argument, NULL, OPTION_PERMANENT},
    {"stay", no_argument, NULL, OPTION_STAY},
    {"hold", no_argument, NULL, OPTION_HOLD},
    {"initiate", no_argument, NULL, OPTION_INITIATE},
    {"unperiodic", no_argument, NULL, OPTION_UNPERIODIC},
    {"console", no_argument, NULL, OPTION_CONSOLE},
    {"answer", required_argument, NULL, OPTION_ANSWER},
    {"initial-check", required_argument, NULL, OPTION_INITIAL_CHECK},
    {"next-check", required_argument, NULL, OPTION_NEXT_CHECK},
    {"retry", required_argument, NULL, OPTION_RETRY},
    {"retry-last", required_argument, NULL, OPTION_RETRY_LAST},
    {"connect-wait", required_argument, NULL, OPTION_CONNECT_WAIT},
    {"connect-tries", required_argument, NULL, OPTION_CONNECT_TRIES},
    {"data-tries", required_argument, NULL, OPTION_DATA_TRIES},
    {"job-wait", required_argument, NULL, OPTION_JOB_WAIT},
    {"data-wait", required_argument, NULL, OPTION_DATA_WAIT},
    {"keep-alive", required_argument, NULL, OPTION_KEEP_ALIVE},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"boot-only", no_argument, NULL, OPTION_BOOT_ONLY},
    {"cut", required_argument, NULL, OPTION_CUT},
    {"journal", required_argument, NULL, OPTION_JOURNAL},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"fast", no_argument, NULL, OPTION_FAST},
    {"log", required_argument, NULL, OPTION_LOG},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* Who the device is and what it holds. -1: not one of these. */
static int parse_identity(int option, struct device_options *out)
{
    switch (option) {
    case OPTION_DEVICE:
        out->device = optarg;
        return 0;
    case OPTION_SYSTEM:
        return parse_system(optarg, &out->device);
    case OPTION_FLASH:
        out->config.flash_path = optarg;
        return 0;
    case OPTION_FACTORY:
        out->factory = optarg;
        return 0;
    case OPTION_FACTORY_VERSION:
        return parse_version(optarg, &out->factory_version);
    case OPTION_FACTORY_KEY:
        out->factory_key = optarg;
        return 0;
    case OPTION_PUSH:
        out->push = optarg;
        out->config.life.once = true;
        return 0;
    case OPTION_TRUST:
        if (out->trusted_count == SIM_MAX_KEYS)
            return usage("too many keys", optarg);
        out->trusted[out->trusted_count++] = optarg;
        return 0;
    case OPTION_BOARD:
        out->board = optarg;
        return 0;
    case OPTION_PREFIX:
        out->prefix = optarg;
        return 0;
    default:
        return -1;
    }
}

/* Whom it talks to, and how. -1: not one of these. */
static int parse_session(int option, struct device_options *out)
{
    struct sim_session *session = &out->config.life.session;
    bool second;
    int result;
    switch (option) {
    case OPTION_VIA:
        return parse_choice("--via", "mqtt", "http", &session->by_http);
    case OPTION_FLOW:
        result = parse_choice("--flow", "job", "direct", &second);
        session->flow = second ? OTA_FLOW_DIRECT : OTA_FLOW_JOB;
        return result;
    case OPTION_FILE:
        session->file = optarg;
        return optarg[0] == '/' ? 0 : usage("--file wants a path that begins with /", optarg);
    case OPTION_DIRECT:
        session->flow = OTA_FLOW_DIRECT;
        session->send_direct = true;
        return 0;
    case OPTION_CHUNK_MODE:
        return parse_chunk(optarg, &session->chunk_size);
    case OPTION_NO_RESULT:
        session->no_result = true;
        return 0;
    case OPTION_PERMANENT:
        session->permanent = true;
        return 0;
    case OPTION_STAY:
        session->stay = true;
        return 0;
    case OPTION_HOLD:
        session->hold = true;
        return 0;
    case OPTION_INITIATE:
        session->initiate = true;
        return 0;
    case OPTION_UNPERIODIC:
        session->unperiodic = true;
        return 0;
    case OPTION_CONSOLE:
        out->config.console = true;
        return 0;
    case OPTION_ANSWER:
        return app_answers_add(&session->answers, optarg, strlen(optarg))
                   ? 0
                   : usage("--answer wants stop=STEP, done=STEP or fail=STEP, four at most",
                           optarg);
    default:
        return -1;
    }
}

/* How long it waits, and how often it tries. -1: not one of these. */
static int parse_timing(int option, struct ota_timing *out)
{
    switch (option) {
    case OPTION_INITIAL_CHECK:
        return parse_seconds(optarg, LONGEST_WAIT, &out->initial_check);
    case OPTION_NEXT_CHECK:
        return parse_seconds(optarg, LONGEST_WAIT, &out->next_check);
    case OPTION_RETRY:
        return parse_seconds(optarg, LONGEST_WAIT, &out->retry_first);
    case OPTION_RETRY_LAST:
        return parse_seconds(optarg, LONGEST_WAIT, &out->retry_last);
    case OPTION_CONNECT_WAIT:
        return parse_seconds(optarg, LONGEST_WAIT, &out->connect_wait);
    case OPTION_JOB_WAIT:
        return parse_seconds(optarg, LONGEST_WAIT, &out->job_wait);
    case OPTION_DATA_WAIT:
        return parse_seconds(optarg, LONGEST_WAIT, &out->data_wait);
    case OPTION_KEEP_ALIVE:
        return parse_seconds(optarg, LONGEST_KEEP_ALIVE, &out->keep_alive);
    case OPTION_CONNECT_TRIES:
        return parse_tries(optarg, &out->connect_tries);
    case OPTION_DATA_TRIES:
        return parse_tries(optarg, &out->data_tries);
    default:
        return -1;
    }
}

static int parse_running(int option, struct device_options *out)
{
    struct posix_device_config *config = &out->config;
    switch (option) {
    case OPTION_ONCE:
        config->life.once = true;
        return 0;
    case OPTION_BOOT_ONLY:
        config->life.boot_only = true;
        return 0;
    case OPTION_CUT:
        return parse_cut(optarg, out);
    case OPTION_JOURNAL:
        config->journal_path = optarg;
        return 0;
    case OPTION_EVENTS:
        return parse_events(optarg, &out->events_fd);
    case OPTION_FAST:
        config->life.timing = SIM_TIMING_FAST;
        return 0;
    case OPTION_LOG:
        return parse_log(optarg, &config->log_level);
    case 'v':
        out->verbose = true;
        config->log_level = OTA_LOG_DEBUG;
        return 0;
    default:
        fputs(help, stdout);
        return 1;
    }
}

/* What the URLs and TLS files say together, and what is missing. */
struct peers {
    const char *broker;
    const char *server;
    const char *ca;
    const char *cert;
    const char *key;
};

static int settle_peers(const struct peers *peers, struct device_options *out)
{
    struct posix_mqtt_config *broker = &out->config.broker;
    struct posix_http_config *server = &out->config.server;
    int result = parse_broker(peers->broker, broker);
    if (result == 0 && peers->server != NULL)
        result = parse_server(peers->server, server);
    if (result != 0)
        return result;
    if ((peers->cert == NULL) != (peers->key == NULL))
        return usage("--cert and --key belong together", NULL);
    if (nb_check_pem("device", "--ca", peers->ca) != OTA_OK ||
        nb_check_pem("device", "--cert", peers->cert) != OTA_OK ||
        nb_check_pem("device", "--key", peers->key) != OTA_OK)
        return 3;
    const struct sim_session *session = &out->config.life.session;
    if (session->send_direct && session->by_http)
        return usage("--direct is for --via mqtt", NULL);
    if (session->by_http && peers->server == NULL)
        return usage("--via http needs --server", NULL);
    if (session->by_http && session->flow == OTA_FLOW_DIRECT && session->file == NULL)
        return usage("--via http --flow direct needs --file", NULL);
    broker->ca_path = server->ca_path = peers->ca;
    broker->cert_path = server->cert_path = peers->cert;
    broker->key_path = server->key_path = peers->key;
    return 0;
}

static int parse_peer(int option, struct peers *out)
{
    switch (option) {
    case OPTION_BROKER:
        out->broker = optarg;
        return 0;
    case OPTION_SERVER:
        out->server = optarg;
        return 0;
    case OPTION_CA:
        out->ca = optarg;
        return 0;
    case OPTION_CERT:
        out->cert = optarg;
        return 0;
    case OPTION_KEY:
        out->key = optarg;
        return 0;
    default:
        return -1;
    }
}

int device_options_parse(int argc, char **argv, struct device_options *out)
{
    struct peers peers = {.broker = "mqtt://127.0.0.1:1883"};
    *out = (struct device_options){.events_fd = -1, .factory_version = 1};
    out->config.log_level = OTA_LOG_ERROR;
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":vdc:", long_options, NULL)) != -1;) {
        if (option == ':' || option == '?')
            return usage(option == ':' ? "this option needs a value" : "unknown option",
                         argv[optind - 1]);
        int result = parse_identity(option, out);
        if (result < 0)
            result = parse_peer(option, &peers);
        if (result < 0)
            result = parse_session(option, out);
        if (result < 0)
            result = parse_timing(option, &out->config.life.session.timing);
        if (result < 0)
            result = parse_running(option, out);
        if (result != 0)
            return result;
    }
    if (optind != argc)
        return usage("unexpected argument", argv[optind]);
    if (out->device == NULL)
        return usage("--device is missing", NULL);
    if (out->config.flash_path == NULL)
        return usage("--flash is missing", NULL);
    return settle_peers(&peers, out);
}
