/* `nobrick cloud` for AnyCloud: a publisher for devices, over a real broker, over HTTP, or both. */
#include "agent/update/untar.h"
#include "harness/cli/cloud_options.h"
#include "harness/cli/cloud_words.h"
#include "harness/cli/verbs.h"
#include "harness/files/files.h"
#include "harness/image/pack.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/peers/anycloud_http.h"
#include "harness/peers/http_server.h"
#include "sim/posix/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_IMAGE  (64u << 20)
#define MAX_TRIES  5 /* to reach the broker for the first time */
#define GOODBYE_MS 1000
#define ANSWER_MS  100 /* for the answer to the last result over HTTP */

enum stop { STOP_SIGNAL = 1, STOP_DONE, STOP_UNREACHABLE, STOP_CLOSED };

struct publisher {
    const struct cloud_options *options;
    struct posix_loop *loop;
    struct posix_clock *clock;
    struct posix_mqtt *mqtt;       /* NULL: no broker */
    struct anycloud_cloud *cloud;  /* NULL: no broker */
    struct nb_http_server *server; /* NULL: none */
    struct anycloud_http *http;    /* on it */
    int signal_fd;
    int signal_number;
    unsigned tries;
    unsigned results;
    unsigned failures;
    bool told; /* why it cannot start */
    bool seen; /* the broker answered once */
    bool leaving;
};

/* ---- events ------------------------------------------------------------------------------ */

static bool starts_with(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* A part of the image: there are many of them. */
static bool is_piece(const struct cloud_options *options, const char *line)
{
    size_t length = strlen(options->path);
    return starts_with(line, "chunk ") ||
           (starts_with(line, "http get ") && strncmp(line + 9, options->path, length) == 0 &&
            line[9 + length] == ' ' && strcmp(strrchr(line, ' '), " 206") == 0);
}

static enum ota_log_level level_of(const struct cloud_options *options, const char *line)
{
    if (is_piece(options, line))
        return OTA_LOG_DEBUG;
    if (starts_with(line, "bad ") || starts_with(line, "closed "))
        return OTA_LOG_WARNING;
    return starts_with(line, "result ") || starts_with(line, "http post ") ? OTA_LOG_NOTICE
                                                                           : OTA_LOG_INFO;
}

static void show(const struct publisher *publisher, const char *line)
{
    const struct cloud_options *options = publisher->options;
    nb_cloud_show(line, options->events_fd, level_of(options, line) <= options->log);
}

/* Both cloud sides. A POST without a body counts as a result that is no failure: devices of the
 * original send nothing else. */
static void on_line(void *context, const char *line)
{
    struct publisher *publisher = context;
    const char *last = strrchr(line, ' ');
    bool posted = starts_with(line, "http post ");
    bool failure = posted ? strcmp(last, " failure") == 0 : starts_with(line, "result failure");
    show(publisher, line);
    if (!posted && !failure && !starts_with(line, "result success"))
        return;
    publisher->results++;
    publisher->failures += failure;
    if (publisher->results == publisher->options->updates)
        posix_loop_stop(publisher->loop, STOP_DONE);
}

static void tell_unreachable(const struct publisher *publisher, const char *what_now)
{
    const struct posix_mqtt_config *broker = &publisher->options->broker;
    fprintf(stderr, "nobrick cloud: cannot connect to %s:%u: %s%s\n", broker->host, broker->port,
            posix_mqtt_reason(publisher->mqtt), what_now);
}

/* The broker has not answered yet, and it did not now: says why at once, and again at the end. */
static void count_failure(struct publisher *publisher)
{
    publisher->tries++;
    if (publisher->tries == 1)
        tell_unreachable(publisher, "; trying again");
    if (publisher->tries == MAX_TRIES)
        posix_loop_stop(publisher->loop, STOP_UNREACHABLE);
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
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code != OTA_OK && !publisher->seen)
        count_failure(publisher);
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
    publisher->signal_number = posix_signals_take(fd);
    if (publisher->signal_number != 0)
        posix_loop_stop(publisher->loop, STOP_SIGNAL);
}

/* ---- life -------------------------------------------------------------------------------- */

static int watch_signals(struct publisher *publisher)
{
    publisher->signal_fd = posix_signals_open();
    if (publisher->signal_fd < 0)
        return OTA_E_IO;
    return posix_loop_watch(publisher->loop, publisher->signal_fd, on_signal, publisher);
}

static int prepare_broker(struct publisher *publisher)
{
    const struct cloud_options *options = publisher->options;
    if (!options->has_broker)
        return OTA_OK;
    publisher->clock = posix_clock_new(publisher->loop, on_timer, publisher);
    publisher->mqtt = posix_mqtt_new(publisher->loop, &options->broker, on_mqtt, publisher);
    if (publisher->clock == NULL || publisher->mqtt == NULL)
        return OTA_E_NO_SPACE;
    publisher->cloud =
        anycloud_cloud_new(posix_mqtt_port(publisher->mqtt), posix_clock_port(publisher->clock),
                           options->prefix, options->board, on_line, publisher);
    return publisher->cloud != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

static int prepare_server(struct publisher *publisher)
{
    const struct cloud_options *options = publisher->options;
    char text[300];
    if (!options->listens)
        return OTA_OK;
    publisher->server = nb_cloud_server(publisher->loop, &options->listen, text);
    if (publisher->server == NULL) {
        publisher->told = true;
        return OTA_E_IO;
    }
    const struct nb_peer_server *peer = nb_http_server_peer(publisher->server);
    const struct anycloud_http_config interface = {.board = options->board,
                                                   .job_path = options->job_path};
    publisher->http = anycloud_http_new(peer, &interface, on_line, publisher);
    if (publisher->http == NULL)
        return OTA_E_NO_SPACE;
    show(publisher, text);
    return OTA_OK;
}

/* Where jobs send devices for the image. */
static void place_offer(const struct publisher *publisher, struct anycloud_offer *offer)
{
    const struct cloud_options *options = publisher->options;
    offer->connection = options->connection;
    snprintf(offer->file, sizeof offer->file, "%s", options->path);
    if (options->has_data_server) {
        snprintf(offer->host, sizeof offer->host, "%s", options->data_host);
        offer->port = options->data_port;
    } else if (options->connection != ANYCLOUD_OVER_MQTT) {
        snprintf(offer->host, sizeof offer->host, "%s", options->listen.host);
        offer->port = nb_http_server_peer(publisher->server)->port;
    } else if (options->listens) { /* a job over HTTP must name the broker */
        snprintf(offer->host, sizeof offer->host, "%s", options->broker.host);
        offer->port = options->broker.port;
    } else {
        offer->port = options->broker.port;
    }
}

static void leave(struct publisher *publisher)
{
    publisher->leaving = true;
    if (publisher->http != NULL)
        (void)posix_loop_run(publisher->loop, ANSWER_MS);
    if (publisher->mqtt == NULL)
        return;
    const struct mqtt_port *mqtt = posix_mqtt_port(publisher->mqtt);
    if (mqtt->disconnect(mqtt->context) == OTA_OK)
        (void)posix_loop_run(publisher->loop, GOODBYE_MS);
}

static int start(struct publisher *publisher, struct anycloud_offer *offer)
{
    publisher->loop = posix_loop_new();
    if (publisher->loop == NULL || watch_signals(publisher) != OTA_OK)
        return OTA_E_NO_SPACE;
    int result = prepare_server(publisher);
    if (result == OTA_OK)
        result = prepare_broker(publisher);
    if (result != OTA_OK)
        return result;
    place_offer(publisher, offer);
    if (publisher->http != NULL)
        result = anycloud_http_offer(publisher->http, offer);
    if (result != OTA_OK || publisher->cloud == NULL)
        return result;
    anycloud_cloud_offer(publisher->cloud, offer);
    return anycloud_cloud_start(publisher->cloud);
}

static int serve(struct publisher *publisher, struct anycloud_offer *offer)
{
    int result = start(publisher, offer);
    if (result != OTA_OK) {
        if (!publisher->told)
            fprintf(stderr, "nobrick cloud: cannot start: %s\n", ota_err_text(result));
        return 2;
    }
    int why = posix_loop_run(publisher->loop, UINT32_MAX);
    if (why == STOP_UNREACHABLE) {
        tell_unreachable(publisher, "");
        return 1;
    }
    leave(publisher);
    if (why == STOP_SIGNAL)
        return 128 + publisher->signal_number;
    return publisher->failures > 0 ? 1 : 0;
}

/* An archive is announced as its list says. One that no device would take is not served unless
 * somebody insists, with --version. */
static int archive_version(const char *path, const uint8_t *data, size_t size,
                           struct img_version *out)
{
    const char *fault;
    int result = nb_archive_check(data, size, out, &fault);
    if (result != OTA_OK)
        fprintf(stderr, "nobrick cloud: %s: archive: %s; say --version to offer it all the same\n",
                path, fault != NULL ? fault : ota_err_text(result));
    return result;
}

/* What to announce: as told, else what the image's header or the archive's list says. */
static int find_version(const struct cloud_options *options, const uint8_t *image, size_t size,
                        struct img_version *out)
{
    struct img_header header;
    *out = options->version;
    if (options->has_version)
        return OTA_OK;
    if (ota_untar_is_tar(image, size))
        return archive_version(options->image, image, size, out);
    if (size < IMG_HEADER_SIZE || img_header_parse(image, MAX_IMAGE, &header, NULL) != OTA_OK) {
        fprintf(stderr, "nobrick cloud: %s: not an MCUboot image; say --version\n", options->image);
        return OTA_E_IMG_HEADER;
    }
    *out = header.version;
    return OTA_OK;
}

/* A wrong name is told at once and by name, not by a library and after some tries. */
static int check_pems(const struct cloud_options *options)
{
    const struct posix_mqtt_config *broker = &options->broker;
    const struct {
        const char *option;
        const char *path;
    } files[] = {
        {"--ca", broker->ca_path},      {"--cert", broker->cert_path},
        {"--key", broker->key_path},    {"--cert", options->listen.cert},
        {"--key", options->listen.key}, {"--client-ca", options->listen.client_ca},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (nb_check_pem("cloud", files[i].option, files[i].path) != OTA_OK)
            return 2;
    return 0;
}

static int run(const struct cloud_options *options)
{
    struct anycloud_offer offer = {.chunk_size = options->chunk_size};
    struct publisher publisher = {.options = options, .signal_fd = -1};
    uint8_t *image = NULL;
    size_t size = 0;
    if (nb_read_file(options->image, MAX_IMAGE, &image, &size) != OTA_OK) {
        fprintf(stderr, "nobrick cloud: %s: %s\n", options->image, strerror(errno));
        return 2;
    }
    int result = 2;
    if (find_version(options, image, size, &offer.version) == OTA_OK) {
        offer.image = image;
        offer.size = (uint32_t)size;
        result = serve(&publisher, &offer);
        anycloud_cloud_free(publisher.cloud);
        anycloud_http_free(publisher.http);
        nb_http_server_free(publisher.server);
        posix_mqtt_free(publisher.mqtt);
        posix_loop_free(publisher.loop);
        if (publisher.signal_fd >= 0)
            close(publisher.signal_fd);
    }
    free(image);
    return result;
}

int nb_cloud_anycloud(int argc, char **argv)
{
    struct cloud_options options;
    int result = cloud_options_parse(argc, argv, &options);
    if (result != 0)
        return result - 1;
    result = check_pems(&options);
    return result != 0 ? result : run(&options);
}
