/* curl's sockets lie in one epoll descriptor, which the loop watches; curl's timer and the stall
 * timer are a clock of the loop. Events are delivered out of curl's callbacks, where curl must not
 * be called: what the receiver asks for meanwhile (`cancelled`, `waiting`) is done when curl has
 * returned. */
#include "sim/posix/http.h"

#include "sim/address.h"
#include "sim/http_head.h"
#include "sim/http_order.h"
#include "sim/http_pace.h"
#include "sim/posix/tls.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_REDIRECTS 5L
#define MAX_HEADERS   65536u /* of one answer */
#define BUFFER_SIZE   65536L
#define PEER_SIZE     (SIM_HTTP_HOST + 8u)
#define URL_SIZE      (SIM_HTTP_PATH + PEER_SIZE + 16u)

enum timer { TIMER_CURL, TIMER_STALL };

struct posix_http {
    struct posix_loop *loop;
    struct posix_http_config config;
    struct http_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    struct posix_clock *clock;
    int epoll_fd; /* -1 until the first request */
    CURLM *multi;
    CURL *easy;
    struct sim_http_order order; /* under way */
    struct curl_slist *headers;  /* of it */
    bool busy;                   /* somebody waits for its DONE */
    bool attached;               /* curl works on it */
    bool inside;                 /* curl runs and must not be called */
    bool cancelled;              /* drop it when curl returns */
    struct sim_http_order next;
    bool waiting; /* start `next` when curl returns */
    struct sim_http_head reader;
    bool head_sent;
    size_t header_bytes;
    struct sim_http_pace pace;
    int failure; /* why we broke it off ourselves; 0: we did not */
    char error[CURL_ERROR_SIZE];
    char reason[CURL_ERROR_SIZE];
    char peer[PEER_SIZE];
};

/* ---- what curl calls --------------------------------------------------------------------- */

static void arm(struct posix_http *http, enum timer timer, uint32_t ms)
{
    const struct clock_port *clock = posix_clock_port(http->clock);
    (void)clock->arm(clock->context, timer, ms); /* fails for other ids only */
}

static void disarm(struct posix_http *http, enum timer timer)
{
    const struct clock_port *clock = posix_clock_port(http->clock);
    clock->disarm(clock->context, timer);
}

static void note_progress(struct posix_http *http, size_t length)
{
    if (sim_http_pace_note(&http->pace, length))
        arm(http, TIMER_STALL, http->pace.stall_ms);
}

static void send_head(struct posix_http *http)
{
    const struct ota_event event = {.type = OTA_EVENT_HTTP_HEAD, .head = &http->reader.head};
    if (http->head_sent)
        return;
    http->head_sent = true;
    http->deliver(http->context, &event);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct posix_http *http = context;
    size_t length = size * count;
    note_progress(http, length);
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        http->header_bytes = 0;
    http->header_bytes += length;
    if (http->header_bytes > MAX_HEADERS) {
        http->failure = OTA_E_HTTP_STATUS;
        snprintf(http->reason, sizeof http->reason, "answer has more than %u bytes of headers",
                 MAX_HEADERS);
        return 0;
    }
    sim_http_head_line(&http->reader, line, length);
    return length;
}

/* Bodies of redirects do not come here: the first byte says that the head is the final one. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct posix_http *http = context;
    size_t length = size * count;
    struct ota_event event = {
        .type = OTA_EVENT_HTTP_BODY, .data = (const uint8_t *)data, .length = length};
    note_progress(http, length);
    if (!http->cancelled)
        send_head(http);
    if (!http->cancelled)
        http->deliver(http->context, &event);
    return http->cancelled ? 0 : length;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct posix_http *http = context;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* closed already: gone already */
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (known == NULL)
        (void)curl_multi_assign(http->multi, fd, http);
    return epoll_ctl(http->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

static int on_curl_timer(CURLM *multi, long ms, void *context)
{
    struct posix_http *http = context;
    (void)multi;
    if (ms < 0)
        disarm(http, TIMER_CURL);
    else
        arm(http, TIMER_CURL, (uint32_t)ms);
    return 0;
}

/* ---- starting ---------------------------------------------------------------------------- */

static void set_tls(struct posix_http *http)
{
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (http->config.ca_path != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->config.ca_path);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* or the system's would be trusted too */
    }
    curl_easy_setopt(easy, CURLOPT_SSLCERT, http->config.cert_path);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, http->config.key_path);
}

static bool add_header(struct posix_http *http, const char *line)
{
    struct curl_slist *longer = curl_slist_append(http->headers, line);
    if (longer != NULL)
        http->headers = longer;
    return longer != NULL;
}

/* What the order says. */
static bool set_order(struct posix_http *http)
{
    CURL *easy = http->easy;
    const struct sim_http_order *order = &http->order;
    char url[URL_SIZE];
    snprintf(http->peer, sizeof http->peer, "%s:%u", order->url.host, order->url.port);
    snprintf(url, sizeof url, "%s://%s%s", order->tls ? "https" : "http", http->peer,
             order->url.path);
    if ((order->if_range[0] != '\0' && !add_header(http, order->if_range)) ||
        (order->body != NULL && !add_header(http, "Content-Type: application/json")))
        return false;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    if (order->range[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_RANGE, order->range);
    if (order->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, order->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(order->body));
    }
    return true;
}

static void set_options(struct posix_http *http)
{
    CURL *easy = http->easy;
    const char *redirects = http->order.tls ? "https" : "http,https";
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* the host's proxy is not the device's */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, redirects);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
    curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "nobrick");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->pace.connect_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    set_tls(http);
}

static void clear_order(struct posix_http *http)
{
    curl_slist_free_all(http->headers);
    http->headers = NULL;
    sim_http_order_clear(&http->order);
}

static int start(struct posix_http *http)
{
    http->reader = (struct sim_http_head){.complete = false};
    http->head_sent = false;
    http->header_bytes = 0;
    http->failure = OTA_OK;
    http->error[0] = '\0';
    http->reason[0] = '\0';
    posix_tls_forget();
    set_options(http);
    if (!set_order(http) || curl_multi_add_handle(http->multi, http->easy) != CURLM_OK)
        return OTA_E_NO_SPACE;
    http->attached = true;
    arm(http, TIMER_STALL, sim_http_pace_start(&http->pace));
    return OTA_OK;
}

static void detach(struct posix_http *http)
{
    if (http->attached)
        (void)curl_multi_remove_handle(http->multi, http->easy);
    http->attached = false;
    http->cancelled = false;
    disarm(http, TIMER_STALL);
    clear_order(http);
}

/* ---- ending ------------------------------------------------------------------------------ */

/* A handshake that the network broke off says nothing about the server. */
static bool is_broken_handshake(const char *text)
{
    return strncmp(text, "OpenSSL SSL_connect:", 20) == 0 ||
           strstr(text, "unexpected eof while reading") != NULL;
}

static int code_of(const struct posix_http *http, CURLcode result)
{
    int verdict = posix_tls_verdict();
    switch (result) {
    case CURLE_OK:
        return OTA_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* only connecting has a time limit of curl's */
        return OTA_E_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION: /* of the name, if the certificate is good */
        return verdict != OTA_OK ? verdict : OTA_E_TLS_NAME;
    case CURLE_SSL_CONNECT_ERROR:
        if (verdict != OTA_OK && verdict != OTA_E_TLS_NAME)
            return verdict;
        return is_broken_handshake(http->error) ? OTA_E_DISCONNECTED : OTA_E_TLS;
    case CURLE_SSL_CLIENTCERT:
        return OTA_E_TLS_DEVICE;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
        return OTA_E_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return verdict != OTA_OK && http->reader.head.status == 0 ? verdict : OTA_E_DISCONNECTED;
    case CURLE_PARTIAL_FILE:
        return OTA_E_DISCONNECTED;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return OTA_E_HTTP_STATUS;
    case CURLE_OUT_OF_MEMORY:
        return OTA_E_NO_SPACE;
    default:
        return OTA_E_IO;
    }
}

/* The request is over, and curl has let go of it. */
static void conclude(struct posix_http *http, CURLcode result)
{
    struct ota_event event = {.type = OTA_EVENT_HTTP_DONE};
    event.code = http->failure != OTA_OK ? http->failure : code_of(http, result);
    if (event.code == OTA_OK && !http->reader.complete) { /* that is good enough for curl */
        event.code = OTA_E_DISCONNECTED;
        snprintf(http->reason, sizeof http->reason, "the answer ends within its headers");
    }
    if (event.code != OTA_OK && http->reason[0] == '\0')
        snprintf(http->reason, sizeof http->reason, "%s",
                 http->error[0] != '\0' ? http->error : curl_easy_strerror(result));
    detach(http);
    if (event.code == OTA_OK) {
        http->inside = true; /* what it asks for while it hears of the head comes after */
        send_head(http);
        http->inside = false;
    }
    bool cancelled = http->cancelled;
    http->cancelled = false;
    if (cancelled)
        return;
    http->busy = false;
    http->deliver(http->context, &event);
}

/* After every call into curl that may have done something. */
static void catch_up(struct posix_http *http)
{
    int left;
    const CURLMsg *message;
    if (http->cancelled)
        detach(http);
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE && http->attached) {
            conclude(http, message->data.result);
            break; /* the next one is not done before curl ran again */
        }
    if (!http->waiting)
        return;
    http->waiting = false;
    http->order = http->next;
    http->next.body = NULL;
    if (start(http) != OTA_OK) {
        http->failure = OTA_E_NO_SPACE;
        conclude(http, CURLE_OUT_OF_MEMORY);
    }
}

static void let_curl_work(struct posix_http *http, curl_socket_t fd, int mask)
{
    int running;
    http->inside = true;
    (void)curl_multi_socket_action(http->multi, fd, mask, &running);
    http->inside = false;
    catch_up(http);
}

static void on_ready(void *context, int epoll_fd)
{
    struct posix_http *http = context;
    struct epoll_event events[8];
    int count = epoll_wait(epoll_fd, events, 8, 0);
    for (int i = 0; i < count; i++) {
        int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        let_curl_work(http, events[i].data.fd, mask);
    }
}

static void on_timer(void *context, unsigned id)
{
    struct posix_http *http = context;
    if (id == TIMER_CURL) {
        let_curl_work(http, CURL_SOCKET_TIMEOUT, 0);
        return;
    }
    if (!http->attached)
        return;
    http->failure = OTA_E_TIMEOUT;
    snprintf(http->reason, sizeof http->reason, "the server went silent");
    conclude(http, CURLE_OPERATION_TIMEDOUT);
}

/* ---- the seam ---------------------------------------------------------------------------- */

/* Curl is started with the first request: most lives of a device need none. */
static int open_curl(struct posix_http *http)
{
    if (http->multi != NULL)
        return OTA_OK;
    posix_tls_watch();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return OTA_E_NO_SPACE;
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    http->clock = posix_clock_new(http->loop, on_timer, http);
    if (http->multi == NULL || http->easy == NULL || http->epoll_fd < 0 || http->clock == NULL)
        return OTA_E_NO_SPACE;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    return posix_loop_watch(http->loop, http->epoll_fd, on_ready, http);
}

static void close_curl(struct posix_http *http)
{
    if (http->multi == NULL)
        return;
    if (http->epoll_fd >= 0)
        posix_loop_unwatch(http->loop, http->epoll_fd);
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    posix_clock_free(http->clock);
    if (http->epoll_fd >= 0)
        close(http->epoll_fd);
    curl_global_cleanup();
    http->multi = NULL;
    http->easy = NULL;
    http->clock = NULL;
    http->epoll_fd = -1;
}

static int http_start(void *context, const struct http_request *request)
{
    struct posix_http *http = context;
    const struct posix_http_config *config = &http->config;
    const struct sim_http_place place = {config->host, config->host[0] != '\0' ? config->port : 0,
                                         config->tls};
    struct sim_http_order order;
    if (http->busy)
        return OTA_E_BUSY;
    int result = sim_http_order_make(request, &place, &order);
    if (result == OTA_OK && http->multi == NULL && (result = open_curl(http)) != OTA_OK)
        close_curl(http);
    if (result == OTA_OK && http->inside) {
        http->next = order;
        http->waiting = true;
        http->busy = true;
        return OTA_OK;
    }
    if (result == OTA_OK) {
        http->order = order;
        result = start(http);
        http->busy = result == OTA_OK;
        if (result != OTA_OK)
            clear_order(http);
        return result;
    }
    sim_http_order_clear(&order);
    return result;
}

static void http_cancel(void *context)
{
    struct posix_http *http = context;
    if (!http->busy)
        return;
    http->busy = false;
    if (http->waiting) {
        http->waiting = false;
        sim_http_order_clear(&http->next);
    } else if (http->inside) {
        http->cancelled = true;
    } else {
        detach(http);
    }
}

/* ---- life -------------------------------------------------------------------------------- */

int posix_http_url(const char *url, struct posix_http_config *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(url, "https://", 8) == 0)
        out->tls = true;
    else if (strncmp(url, "http://", 7) != 0)
        return OTA_E_ARGUMENT;
    out->port = out->tls ? 443 : 80;
    return sim_address_parse(url + (out->tls ? 8 : 7), out->host, sizeof out->host, &out->port);
}

struct posix_http *posix_http_new(struct posix_loop *loop, const struct posix_http_config *config,
                                  void (*deliver)(void *context, const struct ota_event *event),
                                  void *context)
{
    struct posix_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->loop = loop;
    http->config = *config;
    sim_http_pace_init(&http->pace, config->connect_ms, config->stall_ms);
    http->deliver = deliver;
    http->context = context;
    http->epoll_fd = -1;
    http->port = (struct http_port){http, http_start, http_cancel};
    return http;
}

void posix_http_free(struct posix_http *http)
{
    if (http == NULL)
        return;
    if (http->multi != NULL)
        detach(http);
    sim_http_order_clear(&http->next);
    close_curl(http);
    free(http);
}

const struct http_port *posix_http_port(struct posix_http *http)
{
    return &http->port;
}

const char *posix_http_peer(const struct posix_http *http)
{
    return http->peer;
}

const char *posix_http_reason(const struct posix_http *http)
{
    return http->reason;
}

uint64_t posix_http_received(const struct posix_http *http)
{
    return http->pace.received;
}
