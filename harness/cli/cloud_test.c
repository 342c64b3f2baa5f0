#include "harness/cli/cloud_rig.h"
#include "harness/image/image.h"
#include "harness/image/pack.h"
#include "sim/posix/http.h"

static void serves_mqtt_and_http_at_once(void **state)
{
    (void)state;
    skip_without_broker();
    struct peer peer = start_both("--connection http");
    update_devices(1);
    update_over_http(&peer);
    stop_peer(&peer);
}

static void two_devices_at_once(void **state)
{
    (void)state;
    skip_without_broker();
    struct peer peer = start_both("--connection http");
    update_devices(2);
    assert_int_equal(count_events("result success " PREFIX "/OTAImage/device-0"), 1);
    assert_int_equal(count_events("result success " PREFIX "/OTAImage/device-1"), 1);
    update_devices(6);
    stop_peer(&peer);
}

static void ends_after_updates(void **state)
{
    char answer[2000];
    int status = 0;
    (void)state;
    for (int failure = 0; failure < 2; failure++) {
        struct peer peer = start_peer("--broker none --listen 127.0.0.1 --path /x.bin --updates 1");
        char request[200];
        snprintf(request, sizeof request,
                 "POST /x.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n"
                 "Connection: close\r\n\r\n{\"Message\":\"%s\"}",
                 failure ? "Failure" : "Success");
        fetch(peer.http_port, request, answer, sizeof answer);
        assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
        assert_int_equal(waitpid(peer.pid, &status, 0), peer.pid);
        assert_int_equal(WEXITSTATUS(status), failure);
    }
}

/* Runs a verb in a process of its own. Returns its exit code and what it wrote to stderr. */
static int run_verb(int (*verb)(int, char **), const char *words, char *errors, size_t size)
{
    char path[PATH];
    int status = 0;
    snprintf(path, sizeof path, "%s/errors", dir);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen(path, "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
            _exit(99);
        setvbuf(stderr, NULL, _IONBF, 0);
        if (verb == NULL)
            become_peer(words);
        char text[1200];
        char *argv[48] = {NULL};
        int argc = 0;
        snprintf(text, sizeof text, "%s", words);
        for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL && argc < 47;
             word = strtok_r(NULL, " ", &save))
            argv[argc++] = word;
        int code = verb(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    errors[fread(errors, 1, size - 1, file)] = '\0';
    fclose(file);
    return WEXITSTATUS(status);
}

/* One line that names what is wrong, and no other. */
static void says_once_why_it_cannot_start(void **state)
{
    static const char *const rows[][2] = {
        {"--broker mqtts://127.0.0.1:1 --ca /nope.pem",
         "nobrick cloud: --ca /nope.pem: No such file or directory\n"},
        {"--broker none --listen https://127.0.0.1 --cert /nope.crt --key /nope.key",
         "nobrick cloud: --cert /nope.crt: No such file or directory\n"},
        {"--broker none --listen https://127.0.0.1 --cert /dev/null --key /nope.key",
         "nobrick cloud: --cert /dev/null: there is no PEM in it\n"},
    };
    char errors[600];
    char words[100];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(run_verb(NULL, rows[i][0], errors, sizeof errors), 2);
        assert_string_equal(errors, rows[i][1]);
    }
    struct peer peer = start_peer("--broker none --listen 127.0.0.1");
    snprintf(words, sizeof words, "--broker none --listen 127.0.0.1:%u", peer.http_port);
    assert_int_equal(run_verb(NULL, words, errors, sizeof errors), 2);
    assert_non_null(strchr(errors, '\n'));
    assert_string_equal(strchr(errors, '\n'), "\n");
    assert_non_null(strstr(errors, "ddress already in use"));
    stop_peer(&peer);
}

/* At once, not only when it has given up. */
static void says_that_no_broker_answers(void **state)
{
    char errors[600];
    (void)state;
    assert_int_equal(run_verb(NULL, "--broker mqtt://127.0.0.1:1", errors, sizeof errors), 1);
    assert_string_equal(
        errors, "nobrick cloud: cannot connect to 127.0.0.1:1: Connection refused; trying again\n"
                "nobrick cloud: cannot connect to 127.0.0.1:1: Connection refused\n");
}

/* The job comes from one server and leads to another: the last line names the one that failed. */
static void the_device_names_the_peer_that_failed(void **state)
{
    char path[PATH];
    char words[1200];
    char errors[600];
    uint8_t *v1;
    size_t size;
    const struct nb_image_spec spec = {
        .payload_size = 6000, .with_tag = true, .version = {1, 0, 0, 0}, .header_size = 32};
    (void)state;
    snprintf(path, sizeof path, "%s/v1.img", dir);
    assert_int_equal(nb_image_create(&spec, &v1, &size, errors, sizeof errors), OTA_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(v1, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(v1);
    struct peer peer =
        start_peer("--broker none --listen 127.0.0.1 --connection http --data-server "
                   "127.0.0.1:1");
    snprintf(
        words, sizeof words,
        "device --device anycloud-nrf52840 --flash %s/flash --factory %s --once --fast --board "
        "CY8CPROTO_062_4343W --via http --server http://127.0.0.1:%u",
        dir, path, peer.http_port);
    assert_int_equal(run_verb(nb_cmd_device, words, errors, sizeof errors), 1);
    assert_int_equal(strncmp(errors, "nobrick device: cannot connect to 127.0.0.1:1: ", 47), 0);
    stop_peer(&peer);
}

/* ---- archives ---------------------------------------------------------------------------- */

/* Offers `size` bytes over HTTP, without saying a version; what it complains about is in `errors`.
 */
static pid_t offer_file(const uint8_t *data, size_t size, char errors[PATH])
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/v3.tar", dir);
    snprintf(errors, PATH, "%s/errors", dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    unlink(events_path);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    char *argv[] = {"cloud",     "--image", path,    "--broker", "none", "--listen",
                    "127.0.0.1", "--log",   "error", "--events", "7",    NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int events = open(events_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (events < 0 || dup2(events, 7) < 0 || freopen(errors, "w", stderr) == NULL)
        _exit(99);
    int code = nb_cmd_cloud((int)COUNT(argv) - 1, argv);
    fflush(NULL);
    _exit(code);
}

static void archives_are_announced_as_their_list_says(void **state)
{
    const struct img_version version = {3, 1, 4, 0};
    const struct nb_pack_member member = {"app.bin", "NSPE", image, IMAGE_SIZE};
    char errors[PATH];
    char text[2000] = "";
    uint8_t *archive;
    size_t size;
    int status = 0;
    struct peer peer = {0};
    (void)state;
    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), 0);
    peer.pid = offer_file(archive, size, errors);
    for (int tries = 0; tries < 500 && strchr(text, '\n') == NULL; tries++, usleep(10000))
        read_events(text, sizeof text);
    assert_int_equal(sscanf(text, "listening http://127.0.0.1:%u", &peer.http_port), 1);
    fetch(peer.http_port, "GET /ota_update.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
          text, sizeof text);
    assert_non_null(strstr(text, "3.1.4"));
    stop_peer(&peer);
    archive[150] ^= 1;
    assert_int_equal(waitpid(offer_file(archive, size, errors), &status, 0) > 0, 1);
    assert_int_equal(WEXITSTATUS(status), 2);
    FILE *file = fopen(errors, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    assert_non_null(strstr(text, "v3.tar: archive: checksum of a header; say --version"));
    free(archive);
}

/* ---- TLS --------------------------------------------------------------------------------- */

struct download {
    struct posix_loop *loop;
    unsigned status;
    size_t size;
};

static void on_http(void *context, const struct ota_event *event)
{
    struct download *download = context;
    if (event->type == OTA_EVENT_HTTP_HEAD)
        download->status = event->head->status;
    if (event->type == OTA_EVENT_HTTP_BODY)
        download->size += event->length;
    if (event->type == OTA_EVENT_HTTP_DONE)
        posix_loop_stop(download->loop, event->code == OTA_OK ? 1 : event->code);
}

/* Fetches ten bytes as that client (NULL: without certificate), trusting `ca`. 1, or why not. */
static int download_as(unsigned port, const char *ca, const char *client)
{
    char paths[3][PATH];
    struct posix_http_config config = {.host = "127.0.0.1", .port = (uint16_t)port, .tls = true};
    struct download download = {.loop = posix_loop_new()};
    const struct http_request request = {.path = "/ota-update.bin", .ranged = true, .to = 9};
    snprintf(paths[0], PATH, "%s/%s.crt", dir, ca);
    snprintf(paths[1], PATH, "%s/%s.crt", dir, client != NULL ? client : "");
    snprintf(paths[2], PATH, "%s/%s.key", dir, client != NULL ? client : "");
    config.ca_path = paths[0];
    config.cert_path = client != NULL ? paths[1] : NULL;
    config.key_path = client != NULL ? paths[2] : NULL;
    struct posix_http *http = posix_http_new(download.loop, &config, on_http, &download);
    assert_non_null(http);
    const struct http_port *seam = posix_http_port(http);
    assert_int_equal(seam->request(seam->context, &request), OTA_OK);
    int result = posix_loop_run(download.loop, WAIT_MS);
    if (result == 1) {
        assert_int_equal(download.status, 206);
        assert_int_equal(download.size, 10);
    }
    posix_http_free(http);
    posix_loop_free(download.loop);
    return result;
}

/* The option `tls`, with a broker that demands a certificate; devices come without. */
static void broker_over_tls(void **state)
{
    char words[1200];
    int status = 0;
    const char *client = nb_certs_client(NB_TLS_CLIENT);
    (void)state;
    skip_without_broker();
    int n = snprintf(words, sizeof words, "tls -b localhost:%u --cert %s/%s.crt --key %s/%s.key ",
                     broker.tls_port, dir, client, dir, client);
    snprintf(words + n, sizeof words - (size_t)n, "--ca %s/%s.crt", dir, NB_CERTS_CA);
    struct peer peer = start_peer(words);
    update_devices(1);
    stop_peer(&peer);
    snprintf(words + n, sizeof words - (size_t)n, "--ca %s/%s.crt", dir, client);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        become_peer(words);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 1); /* a broker that we have no reason to trust */
    assert_int_equal(count_events("connected"), 0);
}

static void https_and_its_clients(void **state)
{
    char words[1200];
    const char *server = nb_certs_server(NB_TLS_CLIENT);
    const char *client = nb_certs_client(NB_TLS_CLIENT);
    (void)state;
    int n = snprintf(words, sizeof words,
                     "--broker none --listen https://127.0.0.1 --cert %s/%s.crt --key %s/%s.key",
                     dir, server, dir, server);
    struct peer peer = start_peer(words);
    assert_int_equal(download_as(peer.http_port, NB_CERTS_CA, NULL), 1);
    stop_peer(&peer);
    snprintf(words + n, sizeof words - (size_t)n, " --client-ca %s/%s.crt", dir, NB_CERTS_CA);
    peer = start_peer(words);
    assert_int_equal(download_as(peer.http_port, NB_CERTS_CA, client), 1);
    assert_true(download_as(peer.http_port, NB_CERTS_CA, NULL) < 0);
    assert_true(download_as(peer.http_port, NB_CERTS_CA, nb_certs_client(NB_TLS_STRANGER)) < 0);
    assert_int_equal(download_as(peer.http_port, NB_CERTS_CA, client), 1);
    stop_peer(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_mqtt_and_http_at_once),
        cmocka_unit_test(two_devices_at_once),
        cmocka_unit_test(says_once_why_it_cannot_start),
        cmocka_unit_test(says_that_no_broker_answers),
        cmocka_unit_test(the_device_names_the_peer_that_failed),
        cmocka_unit_test(ends_after_updates),
        cmocka_unit_test(broker_over_tls),
        cmocka_unit_test(https_and_its_clients),
        cmocka_unit_test(archives_are_announced_as_their_list_says),
    };
    return cmocka_run_group_tests(tests, cloud_rig_set_up, cloud_rig_tear_down);
}
