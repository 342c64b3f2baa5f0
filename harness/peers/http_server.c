#include "harness/peers/http_server.h"

#include "harness/files/files.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS    64u
#define IDLE_S         60u
#define MEMORY         8192u /* of one connection: the largest request line and headers */
#define BACKLOG        64
#define MAX_PEM        (1u << 20)
#define MAX_DELAYS     CONNECTIONS
#define TIMER_DAEMON   0
#define TIMER_DELAY    1
#define REASON_ADDRESS "cannot listen on %s:%u: %s"

struct delay {
    struct MHD_Connection *connection;
    uint64_t due;
};

struct client {
    int fd;         /* -1: this place is free */
    bool is_served; /* its request is complete and the answer not yet sent */
};

struct nb_http_server {
    struct posix_loop *loop;
    struct posix_clock *clock;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* -1: not watched */
    struct nb_peer_server peer;
    struct nb_peer_handler handler; /* request NULL: none */
    bool wants_certificate;
    char *cert;
    char *key;
    char *ca;
    struct delay delays[MAX_DELAYS];
    size_t delay_count;
    struct client clients[CONNECTIONS];
};

struct nb_peer_exchange {
    struct nb_http_server *server;
    struct MHD_Connection *connection;
    bool asked; /* the handler was, and wants to be asked again */
    enum MHD_Result result;
    size_t body_size;
    bool body_cut;
    char body[NB_PEER_BODY + 1];
};

static void complain(const struct nb_http_server *server, const char *text)
{
    if (server->handler.complain != NULL)
        server->handler.complain(server->handler.owner, text);
}

/* ---- running in the loop ----------------------------------------------------------------- */

static const struct clock_port *clock_of(const struct nb_http_server *server)
{
    return posix_clock_port(server->clock);
}

static unsigned connections(const struct nb_http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info != NULL ? info->num_connections : 0;
}

/* The daemon misses the end of a stream that came together with a piece of a request: its epoll is
 * edge-triggered, and it takes a short read for "no more for now". Such connections would stay
 * until they time out, and 64 of them lock everybody out. Shutting a socket down makes a new edge.
 * Who closed only its sending half, and waits for an answer, is let alone. */
static void drop_gone_clients(const struct nb_http_server *server)
{
    char byte;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct client *client = &server->clients[i];
        if (client->fd >= 0 && !client->is_served &&
            recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
            (void)shutdown(client->fd, SHUT_RDWR);
    }
}

/* The daemon works when its descriptor is readable and when it says so itself. And once more when
 * connections went: it listens again, after it was full, only in the next round. */
static void run(struct nb_http_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    const struct clock_port *clock = clock_of(server);
    unsigned before;
    do {
        before = connections(server);
        (void)MHD_run(server->daemon);
        if (connections(server) == CONNECTIONS)
            drop_gone_clients(server);
    } while (connections(server) < before);
    if (MHD_get_timeout(server->daemon, &ms) != MHD_YES)
        clock->disarm(clock->context, TIMER_DAEMON);
    else if (clock->arm(clock->context, TIMER_DAEMON, ms > 60000 ? 60000 : (uint32_t)ms) != OTA_OK)
        complain(server, "clock failed");
}

static void on_ready(void *context, int fd)
{
    (void)fd;
    run(context);
}

static void arm_delays(struct nb_http_server *server)
{
    const struct clock_port *clock = clock_of(server);
    uint64_t now = posix_now_ms();
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < server->delay_count; i++)
        if (server->delays[i].due < first)
            first = server->delays[i].due;
    if (first == UINT64_MAX)
        return;
    if (clock->arm(clock->context, TIMER_DELAY, first <= now ? 0 : (uint32_t)(first - now)) != 0)
        complain(server, "clock failed");
}

static void resume_due(struct nb_http_server *server, uint64_t until)
{
    for (size_t i = 0; i < server->delay_count;) {
        struct delay delay = server->delays[i];
        if (delay.due > until) {
            i++;
            continue;
        }
        server->delays[i] = server->delays[--server->delay_count];
        MHD_resume_connection(delay.connection);
    }
}

static void on_timer(void *context, unsigned id)
{
    struct nb_http_server *server = context;
    if (id == TIMER_DELAY) {
        resume_due(server, posix_now_ms());
        arm_delays(server);
    }
    run(server);
}

static int later(struct nb_peer_exchange *exchange, uint32_t ms)
{
    struct nb_http_server *server = exchange->server;
    if (server->delay_count == MAX_DELAYS)
        return OTA_E_NO_SPACE;
    server->delays[server->delay_count++] =
        (struct delay){exchange->connection, posix_now_ms() + ms};
    MHD_suspend_connection(exchange->connection);
    exchange->result = MHD_YES;
    arm_delays(server);
    return OTA_OK;
}

/* ---- requests and replies ---------------------------------------------------------------- */

static const char *header(const struct nb_peer_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static struct MHD_Response *make_response(const struct nb_peer_reply *reply)
{
    /* the library only reads the body */
    void *body = (void *)(uintptr_t)(reply->body != NULL ? reply->body : "");
    struct MHD_Response *response =
        reply->release != NULL
            ? MHD_create_response_from_buffer_with_free_callback_cls(reply->body_size, body,
                                                                     reply->release, reply->owner)
            : MHD_create_response_from_buffer(reply->body_size, body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL && reply->release != NULL)
        reply->release(reply->owner);
    bool good = response != NULL;
    for (size_t i = 0; good && i < reply->header_count; i++)
        good = MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value) ==
               MHD_YES;
    if (good || response == NULL)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static int reply_to(struct nb_peer_exchange *exchange, const struct nb_peer_reply *reply)
{
    struct MHD_Response *response = make_response(reply);
    if (response == NULL)
        return OTA_E_NO_SPACE;
    exchange->result = MHD_queue_response(exchange->connection, reply->status, response);
    MHD_destroy_response(response);
    return exchange->result == MHD_YES ? OTA_OK : OTA_E_NO_SPACE;
}

static void collect(struct nb_peer_exchange *exchange, const char *data, size_t size)
{
    if (size > NB_PEER_BODY - exchange->body_size) {
        exchange->body_cut = true;
        return;
    }
    memcpy(exchange->body + exchange->body_size, data, size);
    exchange->body_size += size;
}

static void set_served(struct MHD_Connection *connection, bool is_served)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info != NULL ? info->socket_context : NULL;
    if (client != NULL)
        client->is_served = is_served;
}

/* Called when the headers are there, for each piece of a body, at the end, and after a delay. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **slot)
{
    struct nb_http_server *server = context;
    struct nb_peer_exchange *exchange = *slot;
    (void)version;
    if (exchange == NULL) {
        *slot = exchange = calloc(1, sizeof *exchange);
        if (exchange == NULL)
            return MHD_NO;
        exchange->server = server;
        exchange->connection = connection;
        return MHD_YES;
    }
    if (*size > 0) {
        collect(exchange, data, *size);
        *size = 0;
        return MHD_YES;
    }
    const struct nb_peer_request request = {.exchange = exchange,
                                            .method = method,
                                            .path = url,
                                            .body = exchange->body,
                                            .body_size = exchange->body_size,
                                            .body_cut = exchange->body_cut,
                                            .again = exchange->asked};
    exchange->asked = true;
    set_served(connection, true);
    exchange->result = MHD_NO; /* unless the handler replies */
    if (server->handler.request != NULL)
        server->handler.request(server->handler.owner, &request);
    return exchange->result;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)context, (void)code;
    set_served(connection, false);
    free(*slot);
    *slot = NULL;
}

static void serve(void *context, const struct nb_peer_handler *handler)
{
    struct nb_http_server *server = context;
    server->handler = handler != NULL ? *handler : (struct nb_peer_handler){.request = NULL};
}

/* ---- the daemon's callbacks -------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void on_log(void *context, const char *format,
                                                         va_list arguments)
{
    const struct nb_http_server *server = context;
    char text[200];
    vsnprintf(text, sizeof text, format, arguments);
    for (char *at = text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = at[1] == '\0' ? '\0' : '?';
    complain(server, text);
}

/* Judges a client's certificate. The daemon would hang up without a word; with an alert the client
 * knows why. */
static int on_certificate(gnutls_session_t session)
{
    unsigned status = 0;
    if (gnutls_certificate_verify_peers3(session, NULL, &status) == 0 && status == 0)
        return 0;
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL,
                            status & GNUTLS_CERT_SIGNER_NOT_FOUND ? GNUTLS_A_UNKNOWN_CA
                            : status & GNUTLS_CERT_EXPIRED        ? GNUTLS_A_CERTIFICATE_EXPIRED
                                                                  : GNUTLS_A_BAD_CERTIFICATE);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static struct client *add_client(struct nb_http_server *server, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info != NULL && i < CONNECTIONS; i++)
        if (server->clients[i].fd < 0) {
            server->clients[i] = (struct client){.fd = info->connect_fd};
            return &server->clients[i];
        }
    return NULL;
}

/* The daemon asks clients for a certificate but goes on without one: here the handshake fails. */
static void demand_certificate(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL)
        return;
    gnutls_certificate_server_set_request(info->tls_session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_function(info->tls_session, on_certificate);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct nb_http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = add_client(server, connection);
        if (server->wants_certificate)
            demand_certificate(connection);
    } else if (*socket_context != NULL) {
        ((struct client *)*socket_context)->fd = -1;
    }
}

/* ---- life -------------------------------------------------------------------------------- */

static int open_socket(const char *address, uint16_t port, char *reason, size_t reason_size)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[8];
    int one = 1;
    snprintf(service, sizeof service, "%u", port);
    int failure = getaddrinfo(address, service, &hints, &found);
    if (failure != 0) {
        snprintf(reason, reason_size, REASON_ADDRESS, address, port, gai_strerror(failure));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        snprintf(reason, reason_size, REASON_ADDRESS, address, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* A PEM file as a string; NULL with the reason. */
static char *read_pem(const char *path, char *reason, size_t reason_size)
{
    uint8_t *data = NULL;
    size_t size = 0;
    if (nb_read_file(path, MAX_PEM, &data, &size) != OTA_OK) {
        snprintf(reason, reason_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = realloc(data, size + 1);
    if (text == NULL) {
        free(data);
        snprintf(reason, reason_size, "out of memory");
        return NULL;
    }
    text[size] = '\0';
    return text;
}

static bool read_identity(struct nb_http_server *server, const struct nb_http_server_config *config,
                          char *reason, size_t reason_size)
{
    if (config->cert_path == NULL)
        return true;
    if (config->key_path == NULL) {
        snprintf(reason, reason_size, "a certificate needs its key");
        return false;
    }
    server->wants_certificate = config->ca_path != NULL;
    server->cert = read_pem(config->cert_path, reason, reason_size);
    if (server->cert != NULL)
        server->key = read_pem(config->key_path, reason, reason_size);
    if (server->key != NULL && config->ca_path != NULL)
        server->ca = read_pem(config->ca_path, reason, reason_size);
    return server->key != NULL && (config->ca_path == NULL || server->ca != NULL);
}

/* `fd` is the daemon's afterwards, or closed. */
static bool start_daemon(struct nb_http_server *server, int fd)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
    size_t count = 0;
    if (server->cert != NULL) {
        flags |= MHD_USE_TLS;
        tls[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert};
        tls[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, server->key};
    }
    if (server->ca != NULL)
        tls[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, server->ca};
    tls[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    /* the logger first: it hears what is wrong with the other options */
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (server->daemon == NULL) {
        close(fd);
        return false;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || posix_loop_watch(server->loop, info->epoll_fd, on_ready, server) != 0)
        return false;
    server->epoll_fd = info->epoll_fd;
    return true;
}

struct nb_http_server *nb_http_server_new(struct posix_loop *loop,
                                          const struct nb_http_server_config *config, char *reason,
                                          size_t reason_size)
{
    const char *address = config->address != NULL ? config->address : "127.0.0.1";
    struct nb_http_server *server = calloc(1, sizeof *server);
    snprintf(reason, reason_size, "out of memory");
    if (server == NULL)
        return NULL;
    server->loop = loop;
    server->epoll_fd = -1;
    for (size_t i = 0; i < CONNECTIONS; i++)
        server->clients[i].fd = -1;
    server->peer = (struct nb_peer_server){.context = server,
                                           .tls = config->cert_path != NULL,
                                           .serve = serve,
                                           .header = header,
                                           .reply = reply_to,
                                           .later = later};
    server->clock = posix_clock_new(loop, on_timer, server);
    if (server->clock != NULL && read_identity(server, config, reason, reason_size)) {
        int fd = open_socket(address, config->port, reason, reason_size);
        if (fd >= 0) {
            server->peer.port = port_of(fd);
            snprintf(reason, reason_size, "the HTTP server does not start%s",
                     server->cert != NULL ? " (certificate and key?)" : "");
            if (start_daemon(server, fd)) {
                run(server);
                return server;
            }
        }
    }
    nb_http_server_free(server);
    return NULL;
}

void nb_http_server_free(struct nb_http_server *server)
{
    if (server == NULL)
        return;
    if (server->epoll_fd >= 0)
        posix_loop_unwatch(server->loop, server->epoll_fd);
    if (server->daemon != NULL) {
        resume_due(server, UINT64_MAX);
        MHD_stop_daemon(server->daemon);
    }
    posix_clock_free(server->clock);
    free(server->cert);
    free(server->key);
    free(server->ca);
    free(server);
}

const struct nb_peer_server *nb_http_server_peer(const struct nb_http_server *server)
{
    return &server->peer;
}
