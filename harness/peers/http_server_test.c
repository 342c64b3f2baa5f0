/* What only the server on real sockets can get wrong; the rest of it is tested with the cloud side
 * that stands on it (anycloud_http_test.c). */
#include "harness/peers/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 3000u
#define PLACES  64u        /* connections that the server takes at once */
#define BODY    (4u << 20) /* more than a socket takes at once */

static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

struct bench {
    struct posix_loop *loop;
    struct nb_http_server *server;
};

static void on_request(void *owner, const struct nb_peer_request *asked)
{
    struct bench *bench = owner;
    const struct nb_peer_server *peer = nb_http_server_peer(bench->server);
    static char body[BODY];
    const struct nb_peer_reply reply = {.status = 200, .body = body, .body_size = BODY};
    assert_int_equal(peer->reply(asked->exchange, &reply), OTA_OK);
}

static int set_up(void **state)
{
    static struct bench bench;
    char reason[200];
    const struct nb_http_server_config config = {.port = 0};
    bench = (struct bench){.loop = posix_loop_new()};
    assert_non_null(bench.loop);
    bench.server = nb_http_server_new(bench.loop, &config, reason, sizeof reason);
    assert_non_null(bench.server);
    const struct nb_peer_server *peer = nb_http_server_peer(bench.server);
    peer->serve(peer->context, &(struct nb_peer_handler){.owner = &bench, .request = on_request});
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    nb_http_server_free(bench->server);
    posix_loop_free(bench->loop);
    return 0;
}

static int connect_and_send(const struct bench *bench, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(nb_http_server_peer(bench->server)->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    return fd;
}

/* Lets the server work until the whole answer is there and the connection closed. false: the answer
 * was cut, or none came for WAIT_MS. */
static bool is_answered(const struct bench *bench, int fd)
{
    static char piece[1 << 16];
    bool is_good = false;
    size_t used = 0;
    for (uint64_t until = posix_now_ms() + WAIT_MS; posix_now_ms() < until;) {
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n < 0) {
            (void)posix_loop_run(bench->loop, 10);
            continue;
        }
        if (used == 0)
            is_good = n >= 12 && memcmp(piece, "HTTP/1.1 200", 12) == 0;
        used += (size_t)n;
    }
    return is_good && used > BODY;
}

/* Clients that send a piece of a request and go, all before the server looks. */
static void half_requests_leave_no_one_outside(void **state)
{
    static const char *const pieces[] = {"GET / HT", "POST / HTTP/1.1\r\nHost: h\r\n"
                                                     "Content-Length: 9\r\n\r\nabc"};
    const struct bench *bench = *state;
    for (size_t i = 0; i < 2; i++) {
        int gone[PLACES];
        for (unsigned n = 0; n < PLACES; n++)
            gone[n] = connect_and_send(bench, pieces[i]);
        for (unsigned n = 0; n < PLACES; n++)
            close(gone[n]);
        int fd = connect_and_send(bench, request);
        assert_true(is_answered(bench, fd));
        close(fd);
    }
}

/* Who has sent all and closed its half of the line still gets the answer, also when the server is
 * full. */
static void half_closed_clients_are_answered(void **state)
{
    const struct bench *bench = *state;
    int waiting[PLACES];
    for (unsigned n = 0; n < PLACES; n++) {
        waiting[n] = connect_and_send(bench, request);
        assert_int_equal(shutdown(waiting[n], SHUT_WR), 0);
    }
    for (unsigned n = 0; n < PLACES; n++) /* until all are being served and the server is full */
        (void)posix_loop_run(bench->loop, 1);
    for (unsigned n = 0; n < PLACES; n++) {
        assert_true(is_answered(bench, waiting[n]));
        close(waiting[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(half_requests_leave_no_one_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_closed_clients_are_answered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
