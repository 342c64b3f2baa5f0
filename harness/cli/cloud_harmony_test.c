/* `nobrick cloud --system harmony` as its own process, asked by the curl library; what it writes
 * down; and all that it refuses. */
#include "agent/image/harmony.h"
#include "harness/cli/verbs.h"
#include "harness/files/files.h"
#include "harness/image/image.h"
#include "harness/image/patch.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/run/certs.h"
#include "sim/crypto_openssl.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define V1_SIZE 40000u
#define V2_SIZE 40064u
#define PATH    300
#define LIMIT   100000u

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char dir[64];
static uint8_t v1[V1_SIZE];
static uint8_t v2[V2_SIZE];

struct text {
    char data[LIMIT];
    size_t size;
};

/* ---- the process ------------------------------------------------------------------------- */

struct cloud {
    pid_t pid;
    unsigned port;
    int out; /* read end of its stdout and stderr */
    struct text said;
};

/* Words of the command line, in the directory of the files. */
static void start(struct cloud *cloud, const char *words)
{
    int ends[2];
    memset(cloud, 0, sizeof *cloud);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    cloud->pid = fork();
    assert_true(cloud->pid >= 0);
    if (cloud->pid == 0) {
        char text[1024];
        char *argv[48] = {"cloud", "--system", "harmony"};
        int argc = 3;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(text, sizeof text, "%s", words);
        for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL && argc < 47;
             word = strtok_r(NULL, " ", &save))
            argv[argc++] = word;
        if (chdir(dir) != 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0)
            _exit(99);
        close(ends[0]);
        int code = nb_cmd_cloud(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    close(ends[1]);
    cloud->out = ends[0];
}

/* Waits for more of what it says; false: there is no more. */
static bool hear(struct cloud *cloud)
{
    struct text *said = &cloud->said;
    ssize_t n = read(cloud->out, said->data + said->size, sizeof said->data - 1 - said->size);
    said->size += n > 0 ? (size_t)n : 0;
    said->data[said->size] = '\0';
    return n > 0;
}

static void await_port(struct cloud *cloud)
{
    const char *at = NULL;
    while (at == NULL || strchr(at, '\n') == NULL) {
        assert_true(hear(cloud));
        at = strstr(cloud->said.data, "listening http");
    }
    assert_int_equal(sscanf(at, "listening %*[a-z]://127.0.0.1:%u", &cloud->port), 1);
}

/* Its exit code, and all that it said. */
static int finish(struct cloud *cloud)
{
    int status = 0;
    while (hear(cloud))
        ;
    close(cloud->out);
    assert_int_equal(waitpid(cloud->pid, &status, 0), cloud->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int stop(struct cloud *cloud)
{
    assert_int_equal(kill(cloud->pid, SIGTERM), 0);
    return finish(cloud);
}

/* ---- the client -------------------------------------------------------------------------- */

static size_t collect(char *data, size_t size, size_t count, void *context)
{
    struct text *text = context;
    assert_true(text->size + size * count < sizeof text->data);
    memcpy(text->data + text->size, data, size * count);
    text->size += size * count;
    text->data[text->size] = '\0';
    return size * count;
}

/* The status of a GET, or 0 when there was no answer. `range` may be NULL. */
static long get(const struct cloud *cloud, const char *scheme, const char *path, const char *range,
                struct text *out)
{
    char url[200];
    char ca[PATH];
    long status = 0;
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    memset(out, 0, sizeof *out);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, cloud->port, path);
    snprintf(ca, sizeof ca, "%s/%s.crt", dir, NB_CERTS_CA);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(curl, CURLOPT_RANGE, range);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

/* ---- manifests --------------------------------------------------------------------------- */

static const char *field(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    assert_non_null(text);
    return text;
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void expect_digest(const char *hex, const void *data, size_t size)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char text[2 * CRYPTO_SHA256_SIZE + 1];
    assert_int_equal(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, text);
}

/* A device's way to look at a signature, with the public key of the pair. */
static void expect_signature(const char *base64, const void *data, size_t size)
{
    unsigned char raw[96];
    uint8_t der[IMG_RS_DER_MAX];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char path[PATH];
    struct crypto_key key;
    uint8_t *key_der = NULL;
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    assert_non_null(crypto);
    assert_int_equal(strlen(base64), 88);
    assert_int_equal(EVP_DecodeBlock(raw, (const unsigned char *)base64, 88), 66);
    assert_int_equal(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL), 1);
    snprintf(path, sizeof path, "%s/signer.pub.pem", dir);
    assert_int_equal(crypto_openssl_read_public(path, &key, &key_der), OTA_OK);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    size_t length = img_rs_to_der(raw, der);
    assert_int_equal(port->verify(port->context, &key, digest, der, length), OTA_OK);
    digest[0] ^= 1;
    assert_int_not_equal(port->verify(port->context, &key, digest, der, length), OTA_OK);
    free(key_der);
    crypto_openssl_free(crypto);
}

/* The path in a URL of this server. */
static const char *path_of(const struct cloud *cloud, const char *scheme, const char *url)
{
    char origin[64];
    snprintf(origin, sizeof origin, "%s://127.0.0.1:%u", scheme, cloud->port);
    assert_int_equal(strncmp(url, origin, strlen(origin)), 0);
    return url + strlen(origin);
}

/* As a device does: manifest, then what it names, and the patch applied to what it holds. */
static void update(const struct cloud *cloud, const char *scheme)
{
    static struct text text;
    uint8_t *made = NULL;
    size_t size = 0;
    const char *fault = NULL;
    assert_int_equal(get(cloud, scheme, "/ota.json", NULL, &text), 200);
    cJSON *root = cJSON_Parse(text.data);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "ota");
    assert_int_equal(cJSON_GetArraySize(list), 1);
    const cJSON *entry = cJSON_GetArrayItem(list, 0);
    assert_true(number(entry, "Version") == 2);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(entry, "EraseVer")));
    expect_digest(field(entry, "Digest"), v2, V2_SIZE);
    expect_signature(field(entry, "Signature"), v2, V2_SIZE);
    const cJSON *patch = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(entry, "Patch"), 0);
    assert_true(number(patch, "BaseVersion") == 1);
    expect_digest(field(patch, "BaseVerDigest"), v1, V1_SIZE);
    assert_string_equal(field(patch, "TargetDigest"), field(entry, "Digest"));
    const char *url = field(entry, "URL");
    assert_int_equal(get(cloud, scheme, path_of(cloud, scheme, url), NULL, &text), 200);
    assert_int_equal(text.size, V2_SIZE);
    assert_memory_equal(text.data, v2, V2_SIZE);
    assert_int_equal(get(cloud, scheme, "/v2.bin", "4096-8191", &text), 206);
    assert_int_equal(text.size, 4096);
    assert_memory_equal(text.data, v2 + 4096, 4096);
    url = field(patch, "PatchURL");
    assert_int_equal(get(cloud, scheme, path_of(cloud, scheme, url), NULL, &text), 200);
    expect_digest(field(patch, "PatchDigest"), text.data, text.size);
    assert_int_equal(nb_jojodiff_apply((struct nb_bytes){v1, V1_SIZE},
                                       (struct nb_bytes){(uint8_t *)text.data, text.size}, V2_SIZE,
                                       &made, &size, &fault),
                     OTA_OK);
    assert_int_equal(size, V2_SIZE);
    assert_memory_equal(made, v2, V2_SIZE);
    free(made);
    cJSON_Delete(root);
}

/* ---- serving ----------------------------------------------------------------------------- */

static void serves_over_http(void **state)
{
    static struct cloud cloud;
    static struct text text;
    (void)state;
    start(&cloud, "--image v2.bin --base v1.bin --sign signer.pem --listen 127.0.0.1 -v");
    await_port(&cloud);
    update(&cloud, "http");
    assert_int_equal(get(&cloud, "http", "/v1.bin", NULL, &text), 404);
    assert_int_equal(stop(&cloud), 128 + SIGTERM);
    assert_non_null(strstr(cloud.said.data, "\nhttp get /ota.json whole 200\n"
                                            "http get /v2.bin whole 200\n"
                                            "http get /v2.bin 4096-8191 206\n"
                                            "http get /v1-v2.patch whole 200\n"
                                            "http get /v1.bin whole 404\n"));
}

static void start_https(struct cloud *cloud, const char *words)
{
    char all[400];
    const char *server = nb_certs_server(NB_TLS_SERVER);
    snprintf(all, sizeof all, "--listen https://127.0.0.1 --cert %s.crt --key %s.key %s", server,
             server, words);
    start(cloud, all);
    await_port(cloud);
}

static void serves_over_https(void **state)
{
    static struct cloud cloud;
    static struct text text;
    char range[40];
    (void)state;
    start_https(&cloud, "--image v2.bin --base v1.bin --sign signer.pem");
    update(&cloud, "https");
    snprintf(range, sizeof range, "8192-%u", V2_SIZE - 1);
    assert_int_equal(get(&cloud, "https", "/v2.bin", range, &text), 206);
    assert_int_equal(get(&cloud, "http", "/ota.json", NULL, &text), 0);
    assert_int_equal(stop(&cloud), 128 + SIGTERM);
    /* without -v of a file's parts the last one is told, and no other */
    assert_non_null(strstr(cloud.said.data, "http get /v2.bin whole 200\n"));
    assert_non_null(strstr(cloud.said.data, "http get /v2.bin 8192-"));
    assert_null(strstr(cloud.said.data, "4096-8191"));
}

/* Clients without a certificate are turned away. */
static void wants_certificates(void **state)
{
    static struct cloud cloud;
    static struct text text;
    (void)state;
    start_https(&cloud, "--image v2.bin --client-ca " NB_CERTS_CA ".crt");
    assert_int_equal(get(&cloud, "https", "/ota.json", NULL, &text), 0);
    assert_int_equal(stop(&cloud), 128 + SIGTERM);
}

/* A part of the image is no update; its end is. */
static void ends_after_updates(void **state)
{
    static struct cloud cloud;
    static struct text text;
    char range[40];
    (void)state;
    start(&cloud, "--image v2.bin --listen 127.0.0.1 --updates 2");
    await_port(&cloud);
    assert_int_equal(get(&cloud, "http", "/v2.bin", "0-4095", &text), 206);
    assert_int_equal(get(&cloud, "http", "/v2.bin", NULL, &text), 200);
    snprintf(range, sizeof range, "%u-%u", V2_SIZE - 10, V2_SIZE - 1);
    assert_int_equal(get(&cloud, "http", "/v2.bin", range, &text), 206);
    assert_int_equal(finish(&cloud), 0);
}

static void several_images_and_other_names(void **state)
{
    static struct cloud cloud;
    static struct text text;
    (void)state;
    start(&cloud, "--image v2.bin=7 --image v1.bin --manifest /fw/m.json --url "
                  "http://cdn.example/fw/ --listen 127.0.0.1");
    await_port(&cloud);
    assert_int_equal(get(&cloud, "http", "/fw/m.json", NULL, &text), 200);
    const char *seven = strstr(text.data, "\"Version\":7,\"URL\":\"http://cdn.example/fw/v2.bin\"");
    const char *one = strstr(text.data, "\"Version\":1,\"URL\":\"http://cdn.example/fw/v1.bin\"");
    assert_true(seven != NULL && one != NULL && seven < one);
    assert_null(strstr(text.data, "Signature"));
    assert_int_equal(get(&cloud, "http", "/ota.json", NULL, &text), 404);
    assert_int_equal(stop(&cloud), 128 + SIGTERM);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void expect_file(const char *name, const void *data, size_t size)
{
    char path[PATH];
    uint8_t *read = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(nb_read_file(path, LIMIT, &read, &length), OTA_OK);
    assert_int_equal(length, size);
    assert_memory_equal(read, data, size);
    free(read);
}

static void writes_down(void **state)
{
    static struct cloud cloud;
    static const char erase[] = "{\"ota\":[{\"Version\":3,\"EraseVer\":true}]}";
    (void)state;
    start(&cloud, "--image v2.bin --base v1.bin --sign signer.pem --write www --url http://a:80");
    assert_int_equal(finish(&cloud), 0);
    const char *image = strstr(cloud.said.data, "wrote www/v2.bin 40064\n");
    const char *manifest = strstr(cloud.said.data, "wrote www/ota.json ");
    assert_true(image != NULL && manifest != NULL && image < manifest);
    expect_file("www/v2.bin", v2, V2_SIZE);
    start(&cloud, "--erase 3 --write www --url http://a:80");
    assert_int_equal(finish(&cloud), 0);
    expect_file("www/ota.json", erase, sizeof erase - 1);
}

/* ---- what is wrong ----------------------------------------------------------------------- */

static void refuses(void **state)
{
    static const char *const rows[][2] = {
        {"", "--image is missing (nobrick cloud --help)"},
        {"--image v3.bin", "v3.bin: No such file or directory"},
        {"--image empty.bin=2", "empty.bin: the file is empty"},
        {"--image signer.pem",
         "no version in the file's name (vN.bin): say FILE=N: signer.pem (nobrick cloud --help)"},
        {"--image v2.bin=0", "not a version (1 to 4294967295): v2.bin=0 (nobrick cloud --help)"},
        {"--image v2.bin --version 2.0.0",
         "not a version (1 to 4294967295): 2.0.0 (nobrick cloud --help)"},
        {"--image v2.bin --version 4294967296",
         "not a version (1 to 4294967295): 4294967296 (nobrick cloud --help)"},
        {"--image v1.bin --image v2.bin --version 3",
         "--version is for one image: say FILE=N: 3 (nobrick cloud --help)"},
        {"--image v2.bin --image v2.bin=3", "two files would be /v2.bin"},
        {"--image v2.bin --sign no.pem", "--sign no.pem: No such file or directory"},
        {"--image v2.bin --sign v1.bin", "--sign v1.bin: there is no PEM in it"},
        {"--image v2.bin --sign signer.pub.pem",
         "signer.pub.pem: not a PEM private key (P-256 or RSA-2048, no pass phrase)"},
        {"--image v2.bin --sign rsa.pem", "rsa.pem: Harmony's signatures are ECDSA on P-256"},
        {"--image v2.bin --base v9.bin", "v9.bin: No such file or directory"},
        {"--image v2.bin --base v1.bin=2", "v1.bin: the base has the version of the image"},
        {"--image v2.bin --base v1.bin --base v1.bin", "two files would be /v1-v2.patch"},
        {"--erase 0", "--erase wants a version (1 to 4294967295): 0 (nobrick cloud --help)"},
        {"--erase 1 --image v2.bin",
         "--erase stands alone: no --image, --base or --version (nobrick cloud --help)"},
        {"--image v2.bin --write www", "--write needs --url (nobrick cloud --help)"},
        {"--image v2.bin --write no/www --url http://a", "no/www: No such file or directory"},
        {"--image v2.bin --write v1.bin --url http://a", "v1.bin/v2.bin: Not a directory"},
        {"--image v2.bin --write www --url http://a --listen 127.0.0.1",
         "--write serves nothing: no --listen, --cert, --key, --client-ca or --updates (nobrick "
         "cloud --help)"},
        {"--image v2.bin --url ftp://a",
         "not a URL to begin with (http[s]://HOST[:PORT][/PATH]): ftp://a (nobrick cloud --help)"},
        {"--image v2.bin --listen 0.0.0.0",
         "devices cannot be sent to this address; say --url: 0.0.0.0 (nobrick cloud --help)"},
        {"--image v2.bin --listen ftp://a",
         "not an address to listen on (ADDR[:PORT]): ftp://a (nobrick cloud --help)"},
        {"--image v2.bin --listen https://127.0.0.1",
         "HTTPS needs --cert and --key (nobrick cloud --help)"},
        {"--image v2.bin --cert a.crt --key a.key",
         "--cert and --key need --listen https://ADDR[:PORT] (nobrick cloud --help)"},
        {"--image v2.bin --listen https://127.0.0.1 --cert no.crt --key no.key",
         "--cert no.crt: No such file or directory"},
        {"--image v2.bin --client-ca ca.crt",
         "--client-ca needs an HTTPS server (nobrick cloud --help)"},
        {"--image v2.bin --manifest ota.json", "not a path: ota.json (nobrick cloud --help)"},
        {"--image v2.bin --manifest /v2.bin", "two files would be /v2.bin"},
        {"--image v2.bin --updates 0", "--updates wants a number: 0 (nobrick cloud --help)"},
        {"--image v2.bin --log loud",
         "--log wants error, warning, notice, info or debug: loud (nobrick cloud --help)"},
        {"--image v2.bin --events 77",
         "--events wants an open descriptor: 77 (nobrick cloud --help)"},
        {"--image v2.bin more", "unexpected argument: more (nobrick cloud --help)"},
        {"--image v2.bin --more", "unknown option: --more (nobrick cloud --help)"},
        {"--image", "this option needs a value: --image (nobrick cloud --help)"},
        {"--image v2.bin --system uota",
         "no such system (nobrick list systems): uota (nobrick cloud --help)"},
    };
    static struct cloud cloud;
    char expected[300];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        start(&cloud, rows[i][0]);
        int code = finish(&cloud);
        snprintf(expected, sizeof expected, "nobrick cloud: %s\n", rows[i][1]);
        assert_string_equal(cloud.said.data, expected);
        assert_int_equal(code, 2);
    }
}

/* Told, and done all the same. */
static void notes_what_the_original_cannot_do(void **state)
{
    static const char *const rows[][2] = {
        {"--image v2.bin=100", "version 100 is read wrong: up to 99 are not"},
        {"--image small.bin=2",
         "http://a/small.bin has 4096 bytes or less, which is never fetched to its end"},
        {"--image fw=2", "http://a/fw names a file without an extension"},
    };
    static struct cloud cloud;
    char words[200];
    char expected[300];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(words, sizeof words, "%s --write www --url http://a", rows[i][0]);
        start(&cloud, words);
        int code = finish(&cloud);
        snprintf(expected, sizeof expected,
                 "nobrick cloud: note: for devices of the original: %s\n", rows[i][1]);
        assert_non_null(strstr(cloud.said.data, expected));
        assert_int_equal(code, 0);
    }
}

static void helps(void **state)
{
    static struct cloud cloud;
    (void)state;
    start(&cloud, "--help");
    assert_int_equal(finish(&cloud), 0);
    assert_non_null(strstr(cloud.said.data, "usage: nobrick cloud --system harmony --image FILE"));
}

/* ---- set-up ------------------------------------------------------------------------------ */

static void write_file(const char *name, const void *data, size_t size)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    char path[PATH];
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/nobrick-cloud-harmony-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < V1_SIZE; i++)
        v1[i] = (uint8_t)(i * 31 + i / 251 + (i * i >> 9));
    memcpy(v2, v1, 20000);
    memset(v2 + 20000, 0xA7, V2_SIZE - V1_SIZE);
    memcpy(v2 + 20000 + V2_SIZE - V1_SIZE, v1 + 20000, V1_SIZE - 20000);
    write_file("v1.bin", v1, V1_SIZE);
    write_file("v2.bin", v2, V2_SIZE);
    write_file("fw", v2, V2_SIZE);
    write_file("small.bin", v2, 4096);
    write_file("empty.bin", v2, 0);
    snprintf(path, sizeof path, "%s/signer", dir);
    assert_int_equal(nb_image_make_key(path, CRYPTO_ECDSA_P256), OTA_OK);
    snprintf(path, sizeof path, "%s/rsa", dir);
    assert_int_equal(nb_image_make_key(path, CRYPTO_RSA2048_PSS), OTA_OK);
    assert_int_equal(nb_certs_make(dir), OTA_OK);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[PATH];
    (void)state;
    curl_global_cleanup();
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_over_http),
        cmocka_unit_test(serves_over_https),
        cmocka_unit_test(wants_certificates),
        cmocka_unit_test(ends_after_updates),
        cmocka_unit_test(several_images_and_other_names),
        cmocka_unit_test(writes_down),
        cmocka_unit_test(refuses),
        cmocka_unit_test(notes_what_the_original_cannot_do),
        cmocka_unit_test(helps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
