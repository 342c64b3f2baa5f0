/* What the proxy's tests share: the proxy between a client socket and a server socket of the test,
 * one loop, no threads. */
#ifndef NOBRICK_HARNESS_FAULTS_PROXY_RIG_H
#define NOBRICK_HARNESS_FAULTS_PROXY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/faults/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 2000
#define ROOM    (512u * 1024u)

struct stream {
    uint8_t data[ROOM];
    size_t size;
    bool ended;
    bool reset;
};

static struct posix_loop *loop;
static struct nb_proxy *proxy;
static uint16_t proxy_port;
static int listener;
static int server; /* the connection that the real server took last */
static int accepted;
static int client;
static struct stream to_client;
static struct stream to_server;
static char lines[4096]; /* what the proxy reported */

/* ---- sockets ----------------------------------------------------------------------------- */

static inline void on_line(void *context, const char *line)
{
    size_t used = strlen(lines);
    (void)context;
    snprintf(lines + used, sizeof lines - used, "%s\n", line);
}

static inline void read_into(struct stream *stream, int fd)
{
    ssize_t got = recv(fd, stream->data + stream->size, ROOM - stream->size, MSG_DONTWAIT);
    if (got > 0) {
        stream->size += (size_t)got;
        return;
    }
    if (got < 0 && errno == EAGAIN)
        return;
    stream->ended = got == 0;
    stream->reset = got < 0 && errno == ECONNRESET;
    posix_loop_unwatch(loop, fd);
}

static inline void on_client(void *context, int fd)
{
    (void)context;
    read_into(&to_client, fd);
}

static inline void on_server(void *context, int fd)
{
    (void)context;
    read_into(&to_server, fd);
}

static inline void on_accept(void *context, int fd)
{
    (void)context;
    server = accept(fd, NULL, NULL);
    accepted++;
    assert_int_equal(posix_loop_watch(loop, server, on_server, NULL), 0);
}

static inline struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Connects the client; errno of the attempt. */
static inline int dial(void)
{
    struct sockaddr_in address = loopback(proxy_port);
    if (client >= 0) {
        posix_loop_unwatch(loop, client);
        close(client);
    }
    memset(&to_client, 0, sizeof to_client);
    memset(&to_server, 0, sizeof to_server);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        return errno;
    assert_int_equal(posix_loop_watch(loop, client, on_client, NULL), 0);
    return 0;
}

static inline void turn(void)
{
    (void)posix_loop_run(loop, 1);
}

/* Runs the loop until `condition` holds; fails when it never does. */
#define until(condition)                                                                           \
    do {                                                                                           \
        uint64_t end = posix_now_ms() + WAIT_MS;                                                   \
        while (!(condition) && posix_now_ms() < end)                                               \
            turn();                                                                                \
        assert_true(condition);                                                                    \
    } while (0)

static inline void settle(void)
{
    (void)posix_loop_run(loop, 30);
}

static inline void say(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

static inline void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* ---- rig --------------------------------------------------------------------------------- */

static inline void begin(enum nb_fault_talk talk)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    loop = posix_loop_new();
    assert_non_null(loop);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(posix_loop_watch(loop, listener, on_accept, NULL), 0);
    const struct nb_proxy_config config = {.loop = loop,
                                           .name = "server",
                                           .upstream = ntohs(address.sin_port),
                                           .talk = talk,
                                           .chunk_magic = "DATA",
                                           .chunk_header = 8,
                                           .job_path = "/job",
                                           .report = on_line};
    proxy = nb_proxy_new(&config, &proxy_port);
    assert_non_null(proxy);
    client = server = -1;
    accepted = 0;
    lines[0] = '\0';
}

static inline void end(void)
{
    nb_proxy_free(proxy);
    if (client >= 0)
        close(client);
    if (server >= 0)
        close(server);
    close(listener);
    posix_loop_free(loop);
}

static inline void meet(void)
{
    int before = accepted;
    assert_int_equal(dial(), 0);
    until(accepted == before + 1);
}

static inline struct nb_fault fault_of(enum nb_fault_kind kind, enum nb_fault_place place,
                                       uint32_t at, uint32_t value)
{
    struct nb_fault fault = {.place = place, .at = at, .value = value};
    nb_fault_complete(&fault, kind);
    return fault;
}

static inline void arm(enum nb_fault_kind kind, enum nb_fault_place place, uint32_t at,
                       uint32_t value)
{
    const struct nb_fault fault = fault_of(kind, place, at, value);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
}

static inline void assert_fired(const char *line)
{
    const char *word = "";
    if (nb_proxy_unfired(proxy, &word) != 0 || !strstr(lines, line))
        fail_msg("'%s' not in '%s', unfired: %s", line, lines, word);
}

#endif
