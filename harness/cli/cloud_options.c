#include "harness/cli/cloud_options.h"

#include "harness/cli/cloud_words.h"
#include "harness/cli/option_words.h"
#include "harness/image/image.h"
#include "harness/peers/anycloud_http.h"
#include "sim/address.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHUNK_SIZE 4096
#define MAX_CHUNK  65535 /* the chunk header counts its data in 16 bits */

static const char *const help =
    "usage: nobrick cloud --image FILE [option...] [tls]\n"
    "\n"
    "Offers an image to the devices of a board and serves them over an MQTT broker, over HTTP or\n"
    "HTTPS, or both at once. It answers whatever comes, and ends with Ctrl-C.\n"
    "\n"
    "  --system S            whose cloud: anycloud (default), or harmony, which has a help of its "
    "own\n"
    "  --image FILE, -f      the image on offer, or a TAR archive (nobrick image pack)\n"
    "  --version X.Y.Z       what to announce (default: what it says itself)\n"
    "  --board B, -k, --kit  the devices' board (default CY8CPROTO_062_4343W)\n"
    "  --prefix P, -c        topic prefix (default OTAUpdate)\n"
    "  --suffix S, -e        is appended to the topic prefix\n"
    "  --chunk-size N        bytes of an MQTT chunk (default 4096, which every device expects)\n"
    "  --broker URL, -b      mqtt[s]://HOST[:PORT] or HOST[:PORT] (default "
    "mqtt://127.0.0.1:1883),\n"
    "                        an alias (below), or none: HTTP only\n"
    "  --listen ADDR[:PORT]  serve HTTP there (default port: any that is free), HTTPS with\n"
    "                        --connection https or as https://ADDR[:PORT]\n"
    "  --connection C        what jobs say of the image: mqtt (default), http or https\n"
    "  --data-server H[:P]   … and of its host (default: this broker or this server)\n"
    "  --path PATH           name of the image over HTTP (default /ota-update.bin)\n"
    "  --job PATH            name of the job over HTTP (default /ota_update.json)\n"
    "  --ca FILE             PEM: who may have signed the broker's certificate\n"
    "  --cert FILE --key FILE  PEM: our own, for the broker and as HTTPS server\n"
    "  --client-ca FILE      PEM: HTTPS clients must show a certificate signed by it\n"
    "  --updates N           end after N results (0 when none was Failure, else 1)\n"
    "  --log LEVEL           error warning notice info (default) debug\n"
    "  -v, -l                a line for each chunk too: --log debug\n"
    "  --events FD           write event lines to that descriptor\n"
    "\n"
    "As publisher.py: tls -l -b -k -f -e -c mean the same. Aliases of -b: eclipse or e, mosquitto\n"
    "or m, mosquitto_local or ml (here: 127.0.0.1); amazon has a host for each account: give it.\n"
    "tls takes port 8883, or 8884 for the mosquitto ones, and the alias's file names in the\n"
    "working directory where no --ca, --cert, --key are given. Not the same: the broker's\n"
    "certificate is always checked, and an unknown argument is an error.\n"
    "\n"
    "examples (end with Ctrl-C; the first needs a broker on this machine):\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick cloud --system anycloud --image v2.img --broker mqtt://127.0.0.1:1883\n"
    "  nobrick cloud --image v2.img --broker none --listen 127.0.0.1:8080\n";

/* ---- the command line -------------------------------------------------------------------- */

/* As given. */
struct given {
    const char *system, *version, *prefix, *suffix, *broker, *listen, *connection, *data_server;
    const char *ca, *cert, *key, *chunk_size, *updates, *events, *log;
    bool verbose;
    bool tls;
};

enum option_id { OPTION_TEXT = 256, OPTION_HELP };

/* Every option whose value is kept as it is; `short_name` 0: none. */
static const struct text_option {
    const char *name;
    char short_name;
    bool in_given; /* else in the result */
    size_t offset;
} text_options[] = {
    {"system", 0, true, offsetof(struct given, system)},
    {"image", 'f', false, offsetof(struct cloud_options, image)},
    {"version", 0, true, offsetof(struct given, version)},
    {"board", 'k', false, offsetof(struct cloud_options, board)},
    {"kit", 0, false, offsetof(struct cloud_options, board)},
    {"prefix", 'c', true, offsetof(struct given, prefix)},
    {"suffix", 'e', true, offsetof(struct given, suffix)},
    {"chunk-size", 0, true, offsetof(struct given, chunk_size)},
    {"broker", 'b', true, offsetof(struct given, broker)},
    {"listen", 0, true, offsetof(struct given, listen)},
    {"connection", 0, true, offsetof(struct given, connection)},
    {"data-server", 0, true, offsetof(struct given, data_server)},
    {"path", 0, false, offsetof(struct cloud_options, path)},
    {"job", 0, false, offsetof(struct cloud_options, job_path)},
    {"ca", 0, true, offsetof(struct given, ca)},
    {"cert", 0, true, offsetof(struct given, cert)},
    {"key", 0, true, offsetof(struct given, key)},
    {"client-ca", 0, false, offsetof(struct cloud_options, listen.client_ca)},
    {"updates", 0, true, offsetof(struct given, updates)},
    {"log", 0, true, offsetof(struct given, log)},
    {"events", 0, true, offsetof(struct given, events)},
};

#define TEXT_OPTIONS (sizeof text_options / sizeof text_options[0])

static void keep(const struct text_option *option, const char *value, struct given *given,
                 struct cloud_options *out)
{
    char *base = option->in_given ? (char *)given : (char *)out;
    memcpy(base + option->offset, &value, sizeof value);
}

/* 0, or the exit code + 1. */
static int read_arguments(int argc, char **argv, struct given *given, struct cloud_options *out)
{
    struct option long_options[TEXT_OPTIONS + 2] = {{"help", no_argument, NULL, OPTION_HELP}};
    int index = 0;
    for (size_t i = 0; i < TEXT_OPTIONS; i++)
        long_options[i + 1] =
            (struct option){text_options[i].name, required_argument, NULL, OPTION_TEXT};
    optind = 1;
    opterr = 0;
    for (int option;
         (option = getopt_long(argc, argv, ":vlf:k:c:e:b:", long_options, &index)) != -1;) {
        if (option == ':' || option == '?')
            return nb_cloud_usage(option == ':' ? "this option needs a value" : "unknown option",
                                  argv[optind - 1]);
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            return 1;
        }
        if (option == 'v' || option == 'l')
            given->verbose = true;
        else if (option == OPTION_TEXT)
            keep(&text_options[index - 1], optarg, given, out);
        for (size_t i = 0; i < TEXT_OPTIONS; i++)
            if (option == text_options[i].short_name)
                keep(&text_options[i], optarg, given, out);
    }
    for (; optind < argc; optind++) {
        if (strcasecmp(argv[optind], "tls") != 0)
            return nb_cloud_usage("unexpected argument", argv[optind]);
        given->tls = true;
    }
    return 0;
}

/* ---- what the words mean ----------------------------------------------------------------- */

static bool is_topic(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("+#\"\\", text[i]) != NULL)
            return false;
    return length > 0 && length < 64 && text[0] != '$';
}

/* The original's names for brokers, and its file names for each. */
static const struct alias {
    const char *name;
    const char *letters;
    const char *host; /* NULL: not ours to know */
    uint16_t tls_port;
    const char *ca, *cert, *key;
} aliases[] = {
    {"eclipse", "e", "mqtt.eclipseprojects.io", 8883, "eclipse_ca.crt", "eclipse_client.crt",
     "eclipse_client.pem"},
    {"mosquitto", "m", "test.mosquitto.org", 8884, "mosquitto.org.crt", "mosquitto_client.crt",
     "mosquitto_client.key"},
    {"mosquitto_local", "ml", "127.0.0.1", 8884, "mosquitto_ca.crt", "mosquitto_client.crt",
     "mosquitto_client.key"},
    {"amazon", "a", NULL, 8883, NULL, NULL, NULL},
};

static const struct alias *find_alias(const char *text)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(text, aliases[i].name) == 0 || strcmp(text, aliases[i].letters) == 0)
            return &aliases[i];
    return NULL;
}

static int use_broker(const struct given *given, struct cloud_options *out)
{
    struct posix_mqtt_config *broker = &out->broker;
    const char *text = given->broker != NULL ? given->broker : "127.0.0.1";
    const struct alias *alias = find_alias(text);
    out->has_broker = strcmp(text, "none") != 0;
    if (!out->has_broker)
        return 0;
    memset(broker, 0, sizeof *broker);
    if (alias != NULL && alias->host == NULL)
        return nb_cloud_usage("this broker has a host for each account; say --broker mqtts://HOST",
                              text);
    if (strstr(text, "://") != NULL) {
        if (posix_mqtt_url(text, broker) != OTA_OK)
            return nb_cloud_usage("not a broker URL (mqtt://HOST[:PORT])", text);
        if (given->tls && !broker->tls)
            return nb_cloud_usage("tls needs an mqtts:// URL, a host or an alias", text);
    } else {
        broker->tls = given->tls;
        broker->port = !given->tls ? 1883 : alias != NULL ? alias->tls_port : 8883;
        if (sim_address_parse(alias != NULL ? alias->host : text, broker->host, sizeof broker->host,
                              &broker->port) != OTA_OK)
            return nb_cloud_usage("not a broker (mqtt://HOST[:PORT], HOST[:PORT] or an alias)",
                                  text);
    }
    if (!broker->tls)
        return 0;
    bool named = given->ca != NULL || given->cert != NULL || given->key != NULL;
    broker->ca_path = alias != NULL && !named ? alias->ca : given->ca;
    broker->cert_path = alias != NULL && !named ? alias->cert : given->cert;
    broker->key_path = alias != NULL && !named ? alias->key : given->key;
    return 0;
}

static bool use_connection(const char *text, struct cloud_options *out)
{
    static const char *const words[] = {
        [ANYCLOUD_OVER_MQTT] = "mqtt",
        [ANYCLOUD_OVER_HTTP] = "http",
        [ANYCLOUD_OVER_HTTPS] = "https",
    };
    for (size_t i = 0; i < 3; i++)
        if (strcasecmp(text, words[i]) == 0) {
            out->connection = (enum anycloud_connection)i;
            return true;
        }
    return false;
}

static int use_server(const struct given *given, struct cloud_options *out)
{
    const char *text = given->listen;
    if (given->connection != NULL && !use_connection(given->connection, out))
        return nb_cloud_usage("--connection wants mqtt, http or https", given->connection);
    out->listens = text != NULL;
    if (!out->has_broker && !out->listens)
        return nb_cloud_usage("without a broker it needs --listen", NULL);
    if (!out->has_broker && given->connection == NULL)
        out->connection =
            strncmp(text, "https://", 8) == 0 ? ANYCLOUD_OVER_HTTPS : ANYCLOUD_OVER_HTTP;
    bool over_http = out->connection != ANYCLOUD_OVER_MQTT;
    if (out->listens) {
        int result = nb_cloud_listen(text, out->connection == ANYCLOUD_OVER_HTTPS, &out->listen);
        if (result != 0)
            return result;
    }
    out->listen.cert = given->cert;
    out->listen.key = given->key;
    int result = nb_cloud_listen_files(&out->listen);
    if (result != 0)
        return result;
    out->has_data_server = given->data_server != NULL;
    if (out->has_data_server && sim_address_parse(given->data_server, out->data_host,
                                                  sizeof out->data_host, &out->data_port) != 0)
        return nb_cloud_usage("not a server (HOST[:PORT])", given->data_server);
    if (over_http && !out->has_data_server) {
        if (!out->listens)
            return nb_cloud_usage("--connection http needs --listen or --data-server", NULL);
        if (nb_cloud_is_everywhere(out->listen.host))
            return nb_cloud_usage("devices cannot be sent to this address; say --data-server",
                                  text);
        if (out->listen.tls != (out->connection == ANYCLOUD_OVER_HTTPS))
            return nb_cloud_usage("--connection and --listen differ; say --data-server", text);
    }
    if (!over_http && !out->has_broker && !out->has_data_server)
        return nb_cloud_usage("--connection mqtt without a broker needs --data-server", NULL);
    return 0;
}

static int use_names_and_numbers(const struct given *given, struct cloud_options *out)
{
    unsigned long number = 0;
    if (strcmp(given->system, "anycloud") != 0)
        return nb_cloud_usage("no such system (nobrick list systems)", given->system);
    if (out->image == NULL)
        return nb_cloud_usage("--image is missing", NULL);
    out->has_version = given->version != NULL;
    if (out->has_version && nb_version_parse(given->version, &out->version) != OTA_OK)
        return nb_cloud_usage("not a version", given->version);
    if (!is_topic(out->board))
        return nb_cloud_usage("not a board's name", out->board);
    if (!is_topic(given->prefix))
        return nb_cloud_usage("not a topic prefix", given->prefix);
    if (given->suffix[0] != '\0' && !is_topic(given->suffix))
        return nb_cloud_usage("not a topic suffix", given->suffix);
    snprintf(out->prefix, sizeof out->prefix, "%s%s", given->prefix, given->suffix);
    if (!nb_cloud_is_path(out->path))
        return nb_cloud_usage("not a path", out->path);
    if (!nb_cloud_is_path(out->job_path))
        return nb_cloud_usage("not a path", out->job_path);
    if (given->chunk_size != NULL) {
        if (!nb_option_count(given->chunk_size, 1, MAX_CHUNK, &number))
            return nb_cloud_usage("--chunk-size wants a number up to 65535", given->chunk_size);
        out->chunk_size = (uint32_t)number;
    }
    int result = nb_cloud_updates(given->updates, &out->updates);
    if (result == 0)
        result = nb_cloud_events(given->events, &out->events_fd);
    return result != 0 ? result : nb_cloud_log(given->log, given->verbose, &out->log);
}

int cloud_options_parse(int argc, char **argv, struct cloud_options *out)
{
    struct given given = {.system = "anycloud", .prefix = "OTAUpdate", .suffix = ""};
    *out = (struct cloud_options){
        .board = "CY8CPROTO_062_4343W",
        .chunk_size = CHUNK_SIZE,
        .path = ANYCLOUD_FILE,
        .job_path = ANYCLOUD_JOB_PATH,
        .events_fd = -1,
    };
    int result = read_arguments(argc, argv, &given, out);
    if (result == 0)
        result = use_names_and_numbers(&given, out);
    if (result == 0)
        result = use_broker(&given, out);
    return result != 0 ? result : use_server(&given, out);
}
