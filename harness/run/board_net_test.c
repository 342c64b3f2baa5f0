/* The board in QEMU with its network: updates from a real mosquitto and a real cloud, over MQTT and
 * HTTP, with TLS and without; and servers that it must refuse. Skipped where QEMU, the board's
 * programs or mosquitto are missing. */
#include "harness/peers/anycloud_cloud.h"
#include "harness/run/board_rig.h"
#include "harness/run/broker.h"
#include "harness/run/certs.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define BIG        0x40000u /* slot */
#define IMAGE_128K 0x1f000u /* payload: less than 128 KiB with header and signature */
#define BOARD_NAME "CY8CPROTO_062_4343W"

static struct nb_broker broker;
static pid_t cloud;
static unsigned cloud_port;
static char ca_path[PATH];

/* ---- peers ------------------------------------------------------------------------------- */

static void become_cloud(char *words)
{
    char *argv[48] = {"cloud", "--board", BOARD_NAME, "--log", "error", "--events", "7"};
    int argc = 7;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (char *save = NULL, *word = strtok_r(words, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    int events = open(file("events"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (events < 0 || dup2(events, 7) < 0)
        _exit(99);
    _exit(nb_cmd_cloud(argc, argv));
}

static void read_events(char *out, size_t size)
{
    FILE *events = fopen(file("events"), "r");
    size_t length = events != NULL ? fread(out, 1, size - 1, events) : 0;
    out[length] = '\0';
    if (events != NULL)
        fclose(events);
}

/* The cloud as a process of its own, with v2 on offer. `cert` is what it shows. */
static void start_cloud(const char *to_broker, const char *serves, const char *cert)
{
    char words[2000];
    char events[2000] = "";
    snprintf(words, sizeof words, "--image %s --ca %s --cert %s/%s.crt --key %s/%s.key %s %s",
             file("v2.img"), file("ca.crt"), bench.dir, cert, bench.dir, cert, to_broker, serves);
    unlink(file("events"));
    fflush(NULL);
    cloud = fork();
    assert_true(cloud >= 0);
    if (cloud == 0)
        become_cloud(words);
    cloud_port = 0;
    for (int tries = 0; tries < 1000; tries++) {
        read_events(events, sizeof events);
        const char *at = strstr(events, "listening http");
        if (at != NULL && strchr(at, '\n') != NULL)
            assert_int_equal(sscanf(at, "listening %*[a-z]://127.0.0.1:%u", &cloud_port), 1);
        bool connected = strstr(to_broker, "none") != NULL || strstr(events, "connected\n") != NULL;
        if (connected && (serves[0] == '\0' || cloud_port != 0))
            return;
        usleep(10000);
    }
    fail_msg("the cloud did not come up: %s", events);
}

static void stop_cloud(void)
{
    if (cloud > 0) {
        kill(cloud, SIGKILL);
        waitpid(cloud, NULL, 0);
    }
    cloud = 0;
}

static void start_broker(const char *cert, bool mutual)
{
    char reason[200] = "";
    struct nb_daemon_tls tls = {.mutual = mutual};
    snprintf(tls.ca, sizeof tls.ca, "%s", file("ca.crt"));
    snprintf(tls.cert, sizeof tls.cert, "%s/%s.crt", bench.dir, cert);
    snprintf(tls.key, sizeof tls.key, "%s/%s.key", bench.dir, cert);
    int rc = nb_broker_start(&broker, bench.dir, &tls, NB_BROKER_WAITING, reason, sizeof reason);
    if (rc == OTA_E_UNSUPPORTED) {
        print_message("skipped: %s\n", reason);
        skip();
    }
    if (rc != OTA_OK)
        fail_msg("%s", reason);
}

static int stop_peers(void **state)
{
    (void)state;
    stop_cloud();
    nb_broker_stop(&broker);
    return 0;
}

/* ---- devices ----------------------------------------------------------------------------- */

static void skip_without_board(void)
{
    const char *missing = cortexm_missing();
    if (missing == NULL)
        return;
    print_message("skipped: %s\n", missing);
    skip();
}

/* v1 in the first slot, v2 in a file. */
static void make_networked(void)
{
    size_t size;
    skip_without_board();
    make_device("w25q128", "swap-scratch", BIG);
    bench.network = true;
    bench.payload = IMAGE_128K;
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    uint8_t *image = make_image(2, APP_GOOD, file("key.pem"), &size);
    FILE *out = fopen(file("v2.img"), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(image, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    free(image);
    bench.life.timing = SIM_TIMING_DESK;
    bench.settings.ca = ca_path;
}

/* ---- updates ----------------------------------------------------------------------------- */

struct route {
    const char *what;
    bool tls;
    bool by_http; /* where the device asks first; the image comes … */
    const char *connection;
};

static const struct route routes[] = {
    {"job and image by MQTT", false, false, "mqtt"},
    {"job by MQTT, image by HTTP", false, false, "http"},
    {"job and image by HTTP", false, true, "http"},
    {"job and image by MQTT with TLS", true, false, "mqtt"},
    {"job by MQTT with TLS, image by HTTPS", true, false, "https"},
    {"job and image by HTTPS", true, true, "https"},
};

/* In this order; whatever lies between them. */
static void check_story(const char *const *story)
{
    const char *at = bench.lines;
    for (; *story != NULL; story++) {
        const char *found = strstr(at, *story);
        if (found == NULL)
            fail_msg("no '%s' in\n%s", *story, bench.lines);
        at = found + strlen(*story);
    }
}

static void update_by(const struct route *route)
{
    static const char *const story[] = {"boot 1.0.0 confirmed\n",
                                        "job 2.0.0\n",
                                        "pending 2.0.0\n",
                                        "reset install\n",
                                        "boot 2.0.0 trial test\n",
                                        "confirmed 2.0.0\n",
                                        "reported success\n",
                                        "idle ok\n",
                                        "exit 0\n",
                                        NULL};
    char to_broker[200];
    char serves[200];
    bool image_by_http = strcmp(route->connection, "mqtt") != 0;
    uint16_t port = route->tls ? broker.tls_port : broker.port;
    snprintf(to_broker, sizeof to_broker, "--broker mqtt%s://localhost:%u", route->tls ? "s" : "",
             port);
    snprintf(serves, sizeof serves, "--connection %s --listen http%s://127.0.0.1",
             route->connection, route->tls ? "s" : "");
    start_cloud(to_broker, image_by_http ? serves : "", "server");
    bench.settings.broker = (struct cortexm_peer){"localhost", port, route->tls};
    if (image_by_http)
        bench.settings.server =
            (struct cortexm_peer){"127.0.0.1", (uint16_t)cloud_port, route->tls};
    bench.life.session.by_http = route->by_http;
    uint32_t start = now_ms();
    run(NULL);
    uint32_t took = now_ms() - start;
    stop_cloud();
    check_story(story);
    assert_int_equal(bench.code, 0);
    print_message("%s: %u bytes, two boots, reported: %u ms\n", route->what, bench.payload, took);
}

static void updates(void **state)
{
    (void)state;
    skip_without_board();
    start_broker("server", false);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        make_networked();
        update_by(&routes[i]);
    }
}

/* ---- who is refused ---------------------------------------------------------------------- */

struct refusal {
    const char *shows;
    const char *line;
};

static const struct refusal refusals[] = {
    {"impostor", "tls-refused tls-impostor\n"},
    {"unknown-ca", "tls-refused tls-unknown-ca\n"},
    {"self-signed", "tls-refused tls-self-signed\n"},
    {"expired", "tls-refused tls-expired\n"},
    {"early", "tls-refused tls-expired\n"},
    {"wrong-name", "tls-refused tls-wrong-name\n"},
};

static void expect_line(const char *line)
{
    run(line);
    if (strstr(bench.lines, line) == NULL)
        fail_msg("no '%s' in\n%s", line, bench.lines);
    assert_null(strstr(bench.lines, "job 2.0.0"));
}

static void brokers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        make_networked();
        start_broker(refusals[i].shows, false);
        bench.settings.broker = (struct cortexm_peer){"localhost", broker.tls_port, true};
        expect_line(refusals[i].line);
        nb_broker_stop(&broker);
    }
}

static void servers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        make_networked();
        start_cloud("--broker none", "--connection https --listen https://127.0.0.1",
                    refusals[i].shows);
        bench.settings.server = (struct cortexm_peer){"127.0.0.1", (uint16_t)cloud_port, true};
        bench.life.session.by_http = true;
        expect_line(refusals[i].line);
        stop_cloud();
    }
}

/* Who trusts nobody is served by nobody. */
static void nobody_is_trusted_by_default(void **state)
{
    (void)state;
    make_networked();
    bench.settings.ca = NULL;
    start_broker("server", false);
    bench.settings.broker = (struct cortexm_peer){"localhost", broker.tls_port, true};
    expect_line("tls-refused tls-unknown-ca\n");
}

static void device_shows_its_certificate(void **state)
{
    static const char *const shown[] = {NULL, "stranger", "client"};
    char paths[2][PATH];
    (void)state;
    skip_without_board();
    start_broker("server", true);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        make_networked();
        snprintf(paths[0], PATH, "%s/%s.crt", bench.dir, shown[i] != NULL ? shown[i] : "");
        snprintf(paths[1], PATH, "%s/%s.key", bench.dir, shown[i] != NULL ? shown[i] : "");
        bench.settings.certificate = shown[i] != NULL ? paths[0] : NULL;
        bench.settings.private_key = shown[i] != NULL ? paths[1] : NULL;
        bench.settings.broker = (struct cortexm_peer){"localhost", broker.tls_port, true};
        expect_line(i < 2 ? "tls-refused tls-device-refused\n" : "state subscribe\n");
    }
}

/* ---- a broker that says nothing ---------------------------------------------------------- */

#define KEEP_ALIVE_MS 1000u

/* A device that waits for an answer that no cloud gives. */
static void make_waiting(void)
{
    make_networked();
    bench.life.session.timing.keep_alive = KEEP_ALIVE_MS;
    bench.life.session.timing.job_wait = 5 * KEEP_ALIVE_MS;
    bench.settings.broker = (struct cortexm_peer){"127.0.0.1", broker.port, false};
}

static void quiet_line_holds(void **state)
{
    static const char *const story[] = {"state ask\n", "state leave\n", "idle timeout\n", NULL};
    (void)state;
    skip_without_board();
    start_broker("server", false);
    make_waiting();
    run(NULL);
    check_story(story);
    assert_null(strstr(bench.lines, "state pause"));
}

/* TCP still answers for it. */
static void silent_broker_is_given_up(void **state)
{
    struct cortexm_board board;
    (void)state;
    skip_without_board();
    start_broker("server", false);
    make_waiting();
    start_board(&board);
    read_lines(&board, now_ms(), "state ask\n");
    uint32_t since = now_ms();
    assert_int_equal(kill(broker.pid, SIGSTOP), 0);
    read_lines(&board, now_ms(), "state pause\n");
    uint32_t took = now_ms() - since;
    kill(broker.pid, SIGCONT);
    end_board(&board, 0);
    assert_non_null(strstr(bench.lines, "state pause\n"));
    assert_in_range(took, 2 * KEEP_ALIVE_MS, 4 * KEEP_ALIVE_MS);
}

static int group_set_up(void **state)
{
    int rc = board_set_up(state);
    snprintf(ca_path, sizeof ca_path, "%s", file("ca.crt"));
    return rc == 0 ? nb_certs_make(bench.dir) : rc;
}

static int group_tear_down(void **state)
{
    DIR *dir = opendir(bench.dir);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(file(entry->d_name));
    if (dir != NULL)
        closedir(dir);
    return board_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(updates, stop_peers),
        cmocka_unit_test_teardown(brokers_are_refused, stop_peers),
        cmocka_unit_test_teardown(servers_are_refused, stop_peers),
        cmocka_unit_test_teardown(nobody_is_trusted_by_default, stop_peers),
        cmocka_unit_test_teardown(device_shows_its_certificate, stop_peers),
        cmocka_unit_test_teardown(quiet_line_holds, stop_peers),
        cmocka_unit_test_teardown(silent_broker_is_given_up, stop_peers),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
