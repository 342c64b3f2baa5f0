/* A mosquitto on a free loopback port, and a client of the MQTT seam, for tests. */
#ifndef NOBRICK_SIM_POSIX_BROKER_RIG_H
#define NOBRICK_SIM_POSIX_BROKER_RIG_H

#include "sim/posix/certs_rig.h"
#include "sim/posix/mqtt.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PATIENCE 5000

/* ---- a broker ---------------------------------------------------------------------------- */

static pid_t broker;
static uint16_t port;

static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline bool answers(uint16_t number)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(number),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    bool open = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return open;
}

/* Of the broker's certificate (certs_rig.h); NULL: no TLS. Clients may have to show theirs. */
static const char *broker_identity;
static bool broker_wants_client;

static inline const char *write_broker_config(uint16_t number)
{
    const char *path = rig_file("broker", "conf");
    const struct passwd *login = getpwuid(getuid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "listener %u 127.0.0.1\nallow_anonymous true\nuser %s\npersistence false\n",
            number, login != NULL ? login->pw_name : "root");
    fprintf(file, "cafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate %s\n",
            rig_file("ca", "crt"), rig_file(broker_identity, "crt"),
            rig_file(broker_identity, "key"), broker_wants_client ? "true" : "false");
    fclose(file);
    return path;
}

/* Dies with us. Without a configuration file mosquitto listens on loopback only. */
static inline void run_broker(uint16_t number)
{
    char text[8];
    const char *option = broker_identity != NULL ? "-c" : "-p";
    const char *value = broker_identity != NULL ? write_broker_config(number) : text;
    snprintf(text, sizeof text, "%u", number);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
        _exit(126);
    execlp("mosquitto", "mosquitto", option, value, (char *)NULL);
    execl("/usr/sbin/mosquitto", "mosquitto", option, value, (char *)NULL);
    _exit(127);
}

static inline void start_broker(void)
{
    for (int tries = 0; tries < 5; tries++) {
        port = free_port();
        broker = fork();
        assert_true(broker >= 0);
        if (broker == 0)
            run_broker(port);
        for (int i = 0; i < 100; i++) {
            int status;
            usleep(20000);
            if (waitpid(broker, &status, WNOHANG) == broker) {
                broker = 0;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                    return; /* there is none */
                break;      /* somebody else took the port */
            }
            if (answers(port))
                return;
        }
    }
}

static inline void stop_broker(void)
{
    if (broker > 0) {
        kill(broker, SIGKILL);
        waitpid(broker, NULL, 0);
    }
    broker = 0;
}

/* ---- a client ---------------------------------------------------------------------------- */

struct client {
    struct posix_loop *loop;
    struct posix_mqtt *mqtt;
    const struct mqtt_port *port;
    int codes[8]; /* of the last event of each type */
    unsigned counts[8];
    enum ota_event_type awaited;
    char topic[64];
    uint8_t *data;
    size_t length;
};

static inline void on_event(void *context, const struct ota_event *event)
{
    struct client *client = context;
    client->counts[event->type]++;
    client->codes[event->type] = event->code;
    if (event->type == OTA_EVENT_MQTT_MESSAGE) {
        snprintf(client->topic, sizeof client->topic, "%s", event->topic);
        free(client->data);
        client->data = malloc(event->length + 1);
        assert_non_null(client->data);
        if (event->length > 0)
            memcpy(client->data, event->data, event->length);
        client->length = event->length;
    }
    if (event->type == client->awaited)
        posix_loop_stop(client->loop, 1);
}

static inline bool await(struct client *client, enum ota_event_type type)
{
    unsigned before = client->counts[type];
    client->awaited = type;
    int result = posix_loop_run(client->loop, PATIENCE);
    client->awaited = OTA_EVENT_START;
    return result == 1 && client->counts[type] == before + 1;
}

static inline void open_client(struct client *client, struct posix_loop *loop, uint16_t number)
{
    struct posix_mqtt_config config = {.host = "127.0.0.1", .port = number};
    *client = (struct client){.loop = loop, .awaited = OTA_EVENT_START};
    client->mqtt = posix_mqtt_new(loop, &config, on_event, client);
    assert_non_null(client->mqtt);
    client->port = posix_mqtt_port(client->mqtt);
}

static inline int start_connect(struct client *client, const char *id, const char *will)
{
    const struct mqtt_connect options = {.client_id = id,
                                         .keep_alive_s = 60,
                                         .clean_session = true,
                                         .will_topic = will,
                                         .will_payload = "gone"};
    return client->port->connect(client->port->context, &options);
}

static inline void connect_client(struct client *client, const char *id, const char *will)
{
    assert_int_equal(start_connect(client, id, will), OTA_OK);
    assert_true(await(client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client->codes[OTA_EVENT_MQTT_CONNECTED], OTA_OK);
}

static inline void close_client(struct client *client)
{
    posix_mqtt_free(client->mqtt);
    free(client->data);
}

static inline void need_broker(void)
{
    if (broker == 0)
        start_broker();
    if (broker == 0) {
        print_message("mosquitto is missing: skipped\n");
        skip();
    }
}

static inline void subscribe(struct client *client, const char *topic)
{
    assert_int_equal(client->port->subscribe(client->port->context, topic, 1), OTA_OK);
    assert_true(await(client, OTA_EVENT_MQTT_SUBSCRIBED));
    assert_int_equal(client->codes[OTA_EVENT_MQTT_SUBSCRIBED], OTA_OK);
}

#endif
