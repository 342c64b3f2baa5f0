#include "harness/cli/cloud_options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char errors[1024];

/* Parses "--image v2.img" and these words; what it complains about goes to `errors`. */
static int parse(const char *words, struct cloud_options *out)
{
    static char text[512];
    char *argv[40] = {"cloud", "--image", "v2.img"};
    int argc = 3;
    char path[] = "/tmp/nobrick-cloud-options-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    snprintf(text, sizeof text, "%s", words);
    for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    int result = cloud_options_parse(argc, argv, out);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(file, errors, sizeof errors - 1, 0);
    errors[n > 0 ? n : 0] = '\0';
    close(file);
    return result;
}

static void defaults(void **state)
{
    struct cloud_options options;
    (void)state;
    assert_int_equal(parse("", &options), 0);
    assert_string_equal(options.image, "v2.img");
    assert_string_equal(options.board, "CY8CPROTO_062_4343W");
    assert_string_equal(options.prefix, "OTAUpdate");
    assert_string_equal(options.path, "/ota-update.bin");
    assert_string_equal(options.job_path, "/ota_update.json");
    assert_string_equal(options.broker.host, "127.0.0.1");
    assert_int_equal(options.broker.port, 1883);
    assert_int_equal(options.chunk_size, 4096);
    assert_int_equal(options.connection, ANYCLOUD_OVER_MQTT);
    assert_false(options.broker.tls || options.listens || options.has_version);
    assert_int_equal(options.log, OTA_LOG_INFO);
}

static void as_the_original(void **state)
{
    struct cloud_options options;
    (void)state;
    assert_int_equal(
        parse("tls -l -b mosquitto -k KIT -f other.img -c anycloud -e _test", &options), 0);
    assert_string_equal(options.image, "other.img");
    assert_string_equal(options.board, "KIT");
    assert_string_equal(options.prefix, "anycloud_test");
    assert_string_equal(options.broker.host, "test.mosquitto.org");
    assert_int_equal(options.broker.port, 8884);
    assert_true(options.broker.tls);
    assert_string_equal(options.broker.ca_path, "mosquitto.org.crt");
    assert_string_equal(options.broker.cert_path, "mosquitto_client.crt");
    assert_string_equal(options.broker.key_path, "mosquitto_client.key");
    assert_int_equal(options.log, OTA_LOG_DEBUG);
}

static void brokers(void **state)
{
    static const struct {
        const char *words, *host;
        unsigned port;
        bool tls;
        const char *ca; /* NULL: none */
    } rows[] = {
        {"-b e", "mqtt.eclipseprojects.io", 1883, false, NULL},
        {"TLS -b eclipse", "mqtt.eclipseprojects.io", 8883, true, "eclipse_ca.crt"},
        {"-b m", "test.mosquitto.org", 1883, false, NULL},
        {"-b ml", "127.0.0.1", 1883, false, NULL},
        {"tls -b mosquitto_local", "127.0.0.1", 8884, true, "mosquitto_ca.crt"},
        {"tls -b mosquitto_local --ca my.pem", "127.0.0.1", 8884, true, "my.pem"},
        {"-b other.host", "other.host", 1883, false, NULL},
        {"-b other.host:99", "other.host", 99, false, NULL},
        {"tls -b other.host", "other.host", 8883, true, NULL},
        {"tls -b [::1]:7 --ca x.pem", "[::1]", 7, true, "x.pem"},
        {"--broker mqtts://h --ca x.pem", "h", 8883, true, "x.pem"},
        {"tls --broker mqtts://h:5", "h", 5, true, NULL},
        {"--broker mqtt://h --ca x.pem", "h", 1883, false, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cloud_options options;
        if (parse(rows[i].words, &options) != 0)
            fail_msg("%s: %s", rows[i].words, errors);
        if (strcmp(options.broker.host, rows[i].host) != 0 || options.broker.port != rows[i].port ||
            options.broker.tls != rows[i].tls)
            fail_msg("%s: %s %u", rows[i].words, options.broker.host, options.broker.port);
        if (rows[i].ca == NULL)
            assert_null(options.broker.ca_path);
        else
            assert_string_equal(options.broker.ca_path, rows[i].ca);
    }
}

static void servers(void **state)
{
    struct cloud_options options;
    (void)state;
    assert_int_equal(parse("--listen 127.0.0.1:8080", &options), 0);
    assert_true(options.listens && options.has_broker && !options.listen.tls);
    assert_int_equal(options.connection, ANYCLOUD_OVER_MQTT);
    assert_int_equal(parse("--listen 127.0.0.1 --broker none", &options), 0);
    assert_int_equal(options.connection, ANYCLOUD_OVER_HTTP);
    assert_int_equal(options.listen.port, 0);
    assert_false(options.has_broker);
    assert_int_equal(
        parse("--listen https://127.0.0.1:1 --broker none --cert c --key k --client-ca a",
              &options),
        0);
    assert_int_equal(options.connection, ANYCLOUD_OVER_HTTPS);
    assert_true(options.listen.tls);
    assert_int_equal(parse("--listen 127.0.0.1:1 --connection https --cert c --key k", &options),
                     0);
    assert_true(options.listen.tls);
    assert_int_equal(
        parse("--listen https://127.0.0.1:1 --connection mqtt --cert c --key k", &options), 0);
    assert_true(options.listen.tls);
    assert_int_equal(parse("--connection HTTP --data-server 10.0.0.88:81", &options), 0);
    assert_string_equal(options.data_host, "10.0.0.88");
    assert_int_equal(options.data_port, 81);
    assert_int_equal(parse("--listen 0.0.0.0:80 --connection http --data-server h", &options), 0);
}

static void levels_and_numbers(void **state)
{
    struct cloud_options options;
    (void)state;
    assert_int_equal(parse("--log error --chunk-size 65535 --updates 3 --version 1.2.3", &options),
                     0);
    assert_int_equal(options.log, OTA_LOG_ERROR);
    assert_int_equal(options.chunk_size, 65535);
    assert_int_equal(options.updates, 3);
    assert_int_equal(options.version.revision, 3);
    assert_int_equal(parse("-v", &options), 0);
    assert_int_equal(options.log, OTA_LOG_DEBUG);
    assert_int_equal(parse("-v --log notice", &options), 0);
    assert_int_equal(options.log, OTA_LOG_NOTICE);
}

static void usage_is_two(void **state)
{
    static const char *const rows[][2] = {
        {"--bogus", "unknown option: --bogus"},
        {"-f", "this option needs a value: -f"},
        {"--image", "this option needs a value: --image"},
        {"extra", "unexpected argument: extra"},
        {"--system harmony5", "no such system (nobrick list systems): harmony5"},
        {"-b amazon", "this broker has a host for each account; say --broker mqtts://HOST: amazon"},
        {"-b ftp://h", "not a broker URL (mqtt://HOST[:PORT]): ftp://h"},
        {"-b a@b", "not a broker (mqtt://HOST[:PORT], HOST[:PORT] or an alias): a@b"},
        {"tls -b mqtt://h", "tls needs an mqtts:// URL, a host or an alias: mqtt://h"},
        {"-b none", "without a broker it needs --listen"},
        {"-k a/+", "not a board's name: a/+"},
        {"-c a#", "not a topic prefix: a#"},
        {"-e a#", "not a topic suffix: a#"},
        {"--path x", "not a path: x"},
        {"--job /a?b", "not a path: /a?b"},
        {"--chunk-size 0", "--chunk-size wants a number up to 65535: 0"},
        {"--chunk-size 65536", "--chunk-size wants a number up to 65535: 65536"},
        {"--updates -1", "--updates wants a number: -1"},
        {"--events 99", "--events wants an open descriptor: 99"},
        {"--version x", "not a version: x"},
        {"--log loud", "--log wants error, warning, notice, info or debug: loud"},
        {"--connection ftp", "--connection wants mqtt, http or https: ftp"},
        {"--connection http", "--connection http needs --listen or --data-server"},
        {"--connection http --listen 0.0.0.0:80",
         "devices cannot be sent to this address; say --data-server: 0.0.0.0:80"},
        {"--connection https --listen http://127.0.0.1 --cert c --key k",
         "--connection and --listen differ; say --data-server: http://127.0.0.1"},
        {"--connection https --listen 127.0.0.1", "HTTPS needs --cert and --key"},
        {"--listen 127.0.0.1 --client-ca x", "--client-ca needs an HTTPS server"},
        {"--listen ftp://127.0.0.1", "not an address to listen on (ADDR[:PORT]): ftp://127.0.0.1"},
        {"--listen 127.0.0.1:x", "not an address to listen on (ADDR[:PORT]): 127.0.0.1:x"},
        {"--data-server a/b", "not a server (HOST[:PORT]): a/b"},
        {"-b none --listen 127.0.0.1 --connection mqtt",
         "--connection mqtt without a broker needs --data-server"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cloud_options options;
        char line[300];
        assert_int_equal(parse(rows[i][0], &options), 2 + 1);
        snprintf(line, sizeof line, "nobrick cloud: %s (nobrick cloud --help)\n", rows[i][1]);
        assert_string_equal(errors, line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(as_the_original),
        cmocka_unit_test(brokers),
        cmocka_unit_test(servers),
        cmocka_unit_test(levels_and_numbers),
        cmocka_unit_test(usage_is_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
