/* A server for the tests of the HTTP client: it listens on a free loopback port, reads requests and
 * answers each with the next canned reply, byte for byte, from a thread of its own. */
#ifndef NOBRICK_SIM_POSIX_SERVER_RIG_H
#define NOBRICK_SIM_POSIX_SERVER_RIG_H

#include "sim/posix/certs_rig.h"
#include "sim/reply_rig.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>

struct rig_server {
    const char *identity; /* NULL: no TLS */
    bool wants_client;
    size_t slice; /* bytes a write; 0: all at once */
    struct rig_reply replies[RIG_REPLIES];
    size_t reply_count;
    /* what happened */
    char requests[RIG_REPLIES][RIG_TEXT];
    size_t request_count;
    unsigned connections;
    /* its own */
    int fd;
    uint16_t port;
    SSL_CTX *tls;
    pthread_t thread;
};

struct rig_stream {
    int fd;
    SSL *ssl;
};

static inline ssize_t rig_read(const struct rig_stream *stream, char *out, size_t size)
{
    return stream->ssl != NULL ? SSL_read(stream->ssl, out, (int)size)
                               : read(stream->fd, out, size);
}

static inline bool rig_write(const struct rig_stream *stream, const char *bytes, size_t length)
{
    ssize_t n = stream->ssl != NULL ? SSL_write(stream->ssl, bytes, (int)length)
                                    : send(stream->fd, bytes, length, MSG_NOSIGNAL);
    return n == (ssize_t)length;
}

/* One request, with a body of its Content-Length. */
static inline bool rig_read_request(const struct rig_stream *stream, char *out)
{
    size_t length = 0;
    size_t wanted = SIZE_MAX;
    while (length < wanted && length + 1 < RIG_TEXT) {
        ssize_t n = rig_read(stream, out + length, 1);
        if (n <= 0)
            return false;
        out[++length] = '\0';
        if (stream->ssl == NULL && out[0] == '\x16')
            return true; /* somebody begins a TLS handshake */
        const char *field = strstr(out, "Content-Length: ");
        if (wanted == SIZE_MAX && strstr(out, "\r\n\r\n") != NULL)
            wanted = length + (field != NULL ? strtoul(field + 16, NULL, 10) : 0);
    }
    return true;
}

static inline bool rig_answer(const struct rig_server *server, const struct rig_stream *stream,
                              const struct rig_reply *reply)
{
    char byte;
    if (reply->bytes == NULL)
        return false;
    size_t length = reply->length != 0 ? reply->length : strlen(reply->bytes);
    size_t slice = server->slice != 0 ? server->slice : length;
    for (size_t at = 0; at < length; at += slice)
        if (!rig_write(stream, reply->bytes + at, length - at < slice ? length - at : slice))
            return false;
    while (reply->then_wait && rig_read(stream, &byte, 1) > 0)
        continue;
    return !reply->then_close;
}

static inline void rig_serve(struct rig_server *server, int fd)
{
    struct rig_stream stream = {fd, NULL};
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (server->tls != NULL) {
        stream.ssl = SSL_new(server->tls);
        SSL_set_fd(stream.ssl, fd);
    }
    bool good = stream.ssl == NULL || SSL_accept(stream.ssl) == 1;
    while (good && server->request_count < RIG_REPLIES &&
           rig_read_request(&stream, server->requests[server->request_count])) {
        size_t number = server->request_count++;
        const struct rig_reply nothing = {.bytes = NULL};
        good = rig_answer(server, &stream,
                          number < server->reply_count ? &server->replies[number] : &nothing);
    }
    if (stream.ssl != NULL && good)
        SSL_shutdown(stream.ssl);
    /* Bytes not read would make the system reset the connection, and an alert might be lost. */
    char byte;
    shutdown(fd, SHUT_WR);
    while (stream.ssl != NULL && read(fd, &byte, 1) > 0)
        continue;
    SSL_free(stream.ssl);
    ERR_clear_error();
    close(fd);
}

static inline void *rig_run(void *context)
{
    struct rig_server *server = context;
    for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0;) {
        server->connections++;
        rig_serve(server, fd);
    }
    return NULL;
}

static inline void rig_server_start(struct rig_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (server->identity != NULL) {
        server->tls = SSL_CTX_new(TLS_server_method());
        assert_int_equal(
            SSL_CTX_use_certificate_chain_file(server->tls, rig_file(server->identity, "crt")), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(server->tls, rig_file(server->identity, "key"),
                                                     SSL_FILETYPE_PEM),
                         1);
        assert_int_equal(SSL_CTX_load_verify_locations(server->tls, rig_file("ca", "crt"), NULL),
                         1);
        if (server->wants_client)
            SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                               NULL);
    }
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, rig_run, server), 0);
}

/* The client must have closed its connections. Afterwards what happened may be looked at. */
static inline void rig_server_stop(struct rig_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    SSL_CTX_free(server->tls);
}

#endif
