/* `nobrick cloud` as its own process, a mosquitto, and devices that do no more than ask: shared by
 * the tests of the verb. Made for one group of tests: cloud_rig_set_up and cloud_rig_tear_down. */
#ifndef NOBRICK_HARNESS_CLI_CLOUD_RIG_H
#define NOBRICK_HARNESS_CLI_CLOUD_RIG_H

#include "harness/cli/verbs.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/run/broker.h"
#include "harness/run/certs.h"
#include "sim/posix/mqtt.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PREFIX     "OTAUpdate/CY8CPROTO_062_4343W"
#define NOTIFY     PREFIX "/publish_notify"
#define IMAGE_SIZE 40001u
#define WAIT_MS    10000u
#define PATH       300

static char dir[64];
static char events_path[PATH];
static struct nb_broker broker;
static char why_skipped[200];
static uint8_t image[IMAGE_SIZE];

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the peer ---------------------------------------------------------------------------- */

struct peer {
    pid_t pid;
    unsigned http_port; /* 0: none */
};

static size_t read_events(char *out, size_t size)
{
    FILE *file = fopen(events_path, "rb");
    size_t n = file != NULL ? fread(out, 1, size - 1, file) : 0;
    out[n] = '\0';
    if (file != NULL)
        fclose(file);
    return n;
}

/* Whether that many lines of the peer begin so. */
static size_t count_events(const char *beginning)
{
    char line[600];
    size_t count = 0;
    FILE *file = fopen(events_path, "rb");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    fclose(file);
    return count;
}

static void become_peer(const char *words)
{
    static char text[1024];
    char image_path[PATH];
    char *argv[48] = {"cloud", "--image", image_path, "--version", "2.0.0",
                      "--log", "error",   "--events", "7"};
    int argc = 9;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(image_path, sizeof image_path, "%s/v2.img", dir);
    snprintf(text, sizeof text, "%s", words);
    for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    int events = open(events_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (events < 0 || dup2(events, 7) < 0)
        _exit(99);
    _exit(nb_cmd_cloud(argc, argv));
}

static struct peer start_peer(const char *words)
{
    struct peer peer = {0};
    char text[2000] = "";
    bool wants_broker = strstr(words, "none") == NULL;
    unlink(events_path);
    fflush(NULL);
    peer.pid = fork();
    assert_true(peer.pid >= 0);
    if (peer.pid == 0)
        become_peer(words);
    for (int tries = 0; tries < 500; tries++) {
        read_events(text, sizeof text);
        const char *at = strstr(text, "listening http");
        bool ready = !wants_broker || strstr(text, "connected\n") != NULL;
        if (at != NULL && strchr(at, '\n') != NULL)
            assert_int_equal(sscanf(at, "listening %*[a-z]://127.0.0.1:%u", &peer.http_port), 1);
        if (ready && (strstr(words, "--listen") == NULL || peer.http_port != 0))
            return peer;
        usleep(10000);
    }
    fail_msg("the cloud did not come up: %s", text);
    return peer;
}

static void stop_peer(struct peer *peer)
{
    int status = 0;
    assert_int_equal(kill(peer->pid, SIGTERM), 0);
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

/* ---- devices that only ask --------------------------------------------------------------- */

struct device {
    struct posix_loop *loop;
    struct posix_mqtt *mqtt;
    char topic[128];
    char client_id[32];
    uint8_t got[IMAGE_SIZE];
    size_t got_size;
    size_t foreign; /* chunks that are none of its own */
    bool acknowledged;
    int *running; /* devices that are not done */
};

static void tell_cloud(struct device *device, const char *message)
{
    char text[600];
    const struct mqtt_port *mqtt = posix_mqtt_port(device->mqtt);
    int n = snprintf(text, sizeof text,
                     "{\"Message\":\"%s\", \"BoardName\": \"CY8CPROTO_062_4343W\", "
                     "\"Version\": \"1.0.0\", \"UniqueTopicName\": \"%s\"}",
                     message, device->topic);
    assert_int_equal(mqtt->publish(mqtt->context, NOTIFY, text, (size_t)n, 1), OTA_OK);
}

static void on_chunk(struct device *device, const uint8_t *data, size_t length)
{
    uint32_t offset = (uint32_t)(data[22] | data[23] << 8 | data[24] << 16);
    if (length < 32 || memcmp(data, "OTAImage", 8) != 0 || offset + length - 32 > IMAGE_SIZE) {
        device->foreign++;
        return;
    }
    memcpy(device->got + offset, data + 32, length - 32);
    device->got_size += length - 32;
    if (device->got_size == IMAGE_SIZE)
        tell_cloud(device, "Success");
}

static void on_message(struct device *device, const struct ota_event *event)
{
    char text[1200];
    if (strcmp(event->topic, device->topic) != 0)
        device->foreign++;
    if (event->length == 0 || event->data[0] != '{') {
        on_chunk(device, event->data, event->length);
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)event->length, (const char *)event->data);
    assert_non_null(strstr(text, device->topic));
    if (strstr(text, "\"Update Available\"") != NULL)
        tell_cloud(device, "Request Update");
    if (strstr(text, "\"Result Received\"") != NULL) {
        device->acknowledged = true;
        if (--*device->running == 0)
            posix_loop_stop(device->loop, 1);
    }
}

static void on_mqtt(void *context, const struct ota_event *event)
{
    struct device *device = context;
    const struct mqtt_port *mqtt = posix_mqtt_port(device->mqtt);
    if (event->type == OTA_EVENT_MQTT_CONNECTED) {
        assert_int_equal(event->code, OTA_OK);
        assert_int_equal(mqtt->subscribe(mqtt->context, device->topic, 1), OTA_OK);
    }
    if (event->type == OTA_EVENT_MQTT_SUBSCRIBED)
        tell_cloud(device, "Update Availability");
    if (event->type == OTA_EVENT_MQTT_MESSAGE)
        on_message(device, event);
}

/* `count` devices at a time, each with a topic of its own, update themselves. */
static void update_devices(int count)
{
    struct posix_loop *loop = posix_loop_new();
    struct device *devices = calloc((size_t)count, sizeof *devices);
    const struct posix_mqtt_config config = {.host = "127.0.0.1", .port = broker.port};
    int running = count;
    assert_true(loop != NULL && devices != NULL);
    for (int i = 0; i < count; i++) {
        struct device *device = &devices[i];
        device->loop = loop;
        device->running = &running;
        snprintf(device->topic, sizeof device->topic, PREFIX "/OTAImage/device-%d", i);
        snprintf(device->client_id, sizeof device->client_id, "device-%d", i);
        device->mqtt = posix_mqtt_new(loop, &config, on_mqtt, device);
        assert_non_null(device->mqtt);
        const struct mqtt_port *mqtt = posix_mqtt_port(device->mqtt);
        const struct mqtt_connect options = {
            .client_id = device->client_id, .keep_alive_s = 60, .clean_session = true};
        assert_int_equal(mqtt->connect(mqtt->context, &options), OTA_OK);
    }
    assert_int_equal(posix_loop_run(loop, WAIT_MS), 1);
    for (int i = 0; i < count; i++) {
        assert_true(devices[i].acknowledged);
        assert_int_equal(devices[i].foreign, 0);
        assert_int_equal(devices[i].got_size, IMAGE_SIZE);
        assert_memory_equal(devices[i].got, image, IMAGE_SIZE);
        posix_mqtt_free(devices[i].mqtt);
    }
    posix_loop_free(loop);
    free(devices);
}

/* ---- raw HTTP ---------------------------------------------------------------------------- */

static int connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One request on a connection of its own; the whole answer is in `out`. Returns its length. */
static size_t fetch(unsigned port, const char *request, char *out, size_t size)
{
    size_t used = 0;
    int fd = connect_to(port);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (ssize_t n; used < size - 1 && (n = recv(fd, out + used, size - 1 - used, 0)) > 0;)
        used += (size_t)n;
    out[used] = '\0';
    close(fd);
    return used;
}

/* Job, image by ranges, result: what a device does over HTTP. */
static void update_over_http(const struct peer *peer)
{
    static char answer[IMAGE_SIZE + 2000];
    char text[300];
    snprintf(text, sizeof text,
             "\"Server\": \"127.0.0.1\", \"Port\": \"%u\", \"File\": \"/x.bin\"}", peer->http_port);
    fetch(
        peer->http_port,
        "GET /ota_update.json HTTP/1.1\r\nHost: h\r\nRange: bytes=0-\r\nConnection: close\r\n\r\n",
        answer, sizeof answer);
    assert_int_equal(strncmp(answer, "HTTP/1.1 206", 12), 0);
    assert_non_null(strstr(answer, text));
    for (uint32_t from = 0; from < IMAGE_SIZE; from += 16384) {
        uint32_t size = IMAGE_SIZE - from < 16384 ? IMAGE_SIZE - from : 16384;
        snprintf(text, sizeof text,
                 "GET /x.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=%u-%u\r\n"
                 "Connection: close\r\n\r\n",
                 from, from + 16383);
        size_t n = fetch(peer->http_port, text, answer, sizeof answer);
        assert_true(n > size);
        assert_memory_equal(answer + n - size, image + from, size);
    }
    size_t posts = count_events("http post /x.bin success");
    fetch(peer->http_port,
          "POST /x.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\nConnection: close\r\n\r\n"
          "{\"Message\":\"Success\"}",
          answer, sizeof answer);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
    assert_int_equal(count_events("http post /x.bin success"), posts + 1);
}

static void skip_without_broker(void)
{
    if (broker.pid == 0) {
        print_message("%s\n", why_skipped);
        skip();
    }
}

static struct peer start_both(const char *more)
{
    char words[600];
    snprintf(words, sizeof words,
             "--broker mqtt://127.0.0.1:%u --listen 127.0.0.1 --path /x.bin %s", broker.port, more);
    return start_peer(words);
}

/* ---- the group --------------------------------------------------------------------------- */

static int cloud_rig_set_up(void **state)
{
    char path[PATH];
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/nobrick-cloud-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(events_path, sizeof events_path, "%s/events", dir);
    snprintf(path, sizeof path, "%s/v2.img", dir);
    for (size_t i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 31 + i / 251);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image, 1, IMAGE_SIZE, file), IMAGE_SIZE);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(nb_certs_make(dir), OTA_OK);
    struct nb_daemon_tls tls = {.mutual = true};
    const char *server = nb_certs_server(NB_TLS_CLIENT);
    snprintf(tls.ca, sizeof tls.ca, "%s/%s.crt", dir, NB_CERTS_CA);
    snprintf(tls.cert, sizeof tls.cert, "%s/%s.crt", dir, server);
    snprintf(tls.key, sizeof tls.key, "%s/%s.key", dir, server);
    int result =
        nb_broker_start(&broker, dir, &tls, NB_BROKER_WAITING, why_skipped, sizeof why_skipped);
    return result == OTA_OK || result == OTA_E_UNSUPPORTED ? 0 : -1;
}

static int cloud_rig_tear_down(void **state)
{
    char command[PATH];
    (void)state;
    nb_broker_stop(&broker);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

#endif
