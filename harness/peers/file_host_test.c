/* Files over HTTP, on the servers of both worlds, to the requests that devices make. */
#include "harness/peers/file_host.h"
#include "harness/peers/line_rig.h"

#define FILE_SIZE 5000u
#define WAIT_MS   3000u

struct bench {
    struct rig rig;
    struct file_host *host;
    uint8_t file[FILE_SIZE];
    char lines[1024];
    char answer[4 * FILE_SIZE];
    size_t answer_size;
    size_t head_size;
};

static void on_line(void *context, const char *line)
{
    struct bench *bench = context;
    size_t used = strlen(bench->lines);
    snprintf(bench->lines + used, sizeof bench->lines - used, "%s\n", line);
}

/* Sends these bytes on a line of their own, as a device does for each file, and takes what comes
 * until there are `body` bytes behind the head. */
static void ask(struct bench *bench, const char *request, size_t body)
{
    struct line line;
    uint64_t until = rig_now(&bench->rig) + WAIT_MS;
    bench->answer_size = bench->head_size = 0;
    bench->lines[0] = '\0';
    line_open(&line, &bench->rig);
    line_send(&line, request, strlen(request));
    while (rig_now(&bench->rig) < until &&
           (bench->head_size == 0 || bench->answer_size < bench->head_size + body)) {
        ssize_t n = line_receive(&line, bench->answer + bench->answer_size,
                                 sizeof bench->answer - 1 - bench->answer_size);
        if (n == 0)
            break;
        bench->answer_size += n > 0 ? (size_t)n : 0;
        bench->answer[bench->answer_size] = '\0';
        const char *end = strstr(bench->answer, "\r\n\r\n");
        bench->head_size = end != NULL ? (size_t)(end - bench->answer) + 4 : 0;
    }
    line_close(&line);
    assert_int_equal(bench->answer_size, bench->head_size + body);
}

static void expect_head(const struct bench *bench, const char *text)
{
    assert_non_null(memmem(bench->answer, bench->head_size, text, strlen(text)));
}

static void expect_part(const struct bench *bench, size_t from, size_t size)
{
    assert_int_equal(bench->answer_size - bench->head_size, size);
    assert_memory_equal(bench->answer + bench->head_size, bench->file + from, size);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    rig_open(&bench->rig, *state != NULL);
    bench->host = file_host_new(bench->rig.peer, on_line, bench);
    assert_non_null(bench->host);
    for (size_t i = 0; i < FILE_SIZE; i++)
        bench->file[i] = (uint8_t)(i * 31 + i / 251);
    assert_int_equal(file_host_put(bench->host, "/ota.json", "{}", 2, "application/json"), OTA_OK);
    assert_int_equal(
        file_host_put(bench->host, "/v2.bin", bench->file, FILE_SIZE, "application/octet-stream"),
        OTA_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    file_host_free(bench->host);
    rig_shut(&bench->rig);
    free(bench);
    return 0;
}

/* The request of the original: a line and a Host, no more. It wants Content-Length in this case. */
static void the_originals_request(void **state)
{
    struct bench *bench = *state;
    ask(bench, "GET /ota.json HTTP/1.1\r\nHost: 192.168.0.101\r\n\r\n", 2);
    expect_head(bench, "HTTP/1.1 200 ");
    expect_head(bench, "\r\nContent-Length: 2\r\n");
    expect_head(bench, "\r\nContent-Type: application/json\r\n");
    assert_memory_equal(bench->answer + bench->head_size, "{}", 2);
    assert_string_equal(bench->lines, "http get /ota.json whole 200\n");
    ask(bench, "GET /v2.bin HTTP/1.1\r\nHost: 192.168.0.101\r\n\r\n", FILE_SIZE);
    expect_head(bench, "\r\nContent-Length: 5000\r\n");
    expect_part(bench, 0, FILE_SIZE);
    assert_string_equal(bench->lines, "http get /v2.bin whole 200\n");
}

static void ranges(void **state)
{
    struct bench *bench = *state;
    char request[200];
    char etag[64];
    ask(bench, "GET /v2.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=4096-8191\r\n\r\n", 904);
    expect_head(bench, "HTTP/1.1 206 ");
    expect_head(bench, "\r\nContent-Range: bytes 4096-4999/5000\r\n");
    expect_part(bench, 4096, 904);
    assert_string_equal(bench->lines, "http get /v2.bin 4096-4999 206\n");
    const char *tag = strstr(bench->answer, "ETag: ");
    assert_non_null(tag);
    snprintf(etag, sizeof etag, "%.*s", (int)strcspn(tag + 6, "\r"), tag + 6);
    snprintf(request, sizeof request,
             "GET /v2.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=10-\r\nIf-Range: %s\r\n\r\n", etag);
    ask(bench, request, FILE_SIZE - 10);
    expect_part(bench, 10, FILE_SIZE - 10);
    /* the same file again has the same tag, another file has another one */
    assert_int_equal(file_host_put(bench->host, "/v2.bin", bench->file, FILE_SIZE, "x/y"), OTA_OK);
    ask(bench, request, FILE_SIZE - 10);
    bench->file[0] ^= 1;
    assert_int_equal(file_host_put(bench->host, "/v2.bin", bench->file, FILE_SIZE, "x/y"), OTA_OK);
    ask(bench, request, FILE_SIZE);
    expect_head(bench, "HTTP/1.1 200 ");
    ask(bench, "GET /v2.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=5000-\r\n\r\n", 0);
    expect_head(bench, "HTTP/1.1 416 ");
    expect_head(bench, "\r\nContent-Range: bytes */5000\r\n");
    assert_string_equal(bench->lines, "http get /v2.bin 5000- 416\n");
    /* of an empty file there are no ranges */
    assert_int_equal(file_host_put(bench->host, "/empty", "", 0, "x/y"), OTA_OK);
    ask(bench, "GET /empty HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n", 0);
    expect_head(bench, "HTTP/1.1 200 ");
}

static void what_is_not_there(void **state)
{
    struct bench *bench = *state;
    ask(bench, "GET /v3.bin HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    expect_head(bench, "HTTP/1.1 404 ");
    assert_string_equal(bench->lines, "http get /v3.bin whole 404\n");
    ask(bench, "HEAD /v2.bin HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    expect_head(bench, "\r\nContent-Length: 5000\r\n");
    assert_string_equal(bench->lines, "http head /v2.bin whole 200\n");
    ask(bench, "POST /v2.bin HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 0);
    expect_head(bench, "HTTP/1.1 405 ");
    expect_head(bench, "\r\nAllow: GET, HEAD\r\n");
    assert_string_equal(bench->lines, "");
    file_host_clear(bench->host);
    ask(bench, "GET /ota.json HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    expect_head(bench, "HTTP/1.1 404 ");
}

static void refuses_no_path(void **state)
{
    struct bench *bench = *state;
    char path[FILE_HOST_PATH + 1] = "/";
    assert_int_equal(file_host_put(bench->host, "v2.bin", "", 0, "x/y"), OTA_E_ARGUMENT);
    memset(path + 1, 'x', FILE_HOST_PATH - 1);
    path[FILE_HOST_PATH] = '\0';
    assert_int_equal(file_host_put(bench->host, path, "", 0, "x/y"), OTA_E_ARGUMENT);
    path[FILE_HOST_PATH - 1] = '\0';
    assert_int_equal(file_host_put(bench->host, path, "", 0, "x/y"), OTA_OK);
    ask(bench, "GET /v2.bin HTTP/1.1\r\nHost: a\r\n\r\n", FILE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_CASE(the_originals_request),
        RIG_CASE(ranges),
        RIG_CASE(what_is_not_there),
        RIG_CASE(refuses_no_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
