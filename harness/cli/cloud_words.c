#include "harness/cli/cloud_words.h"

#include "harness/cli/option_words.h"
#include "sim/address.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int nb_cloud_usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick cloud: %s%s%s (nobrick cloud --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return 2 + 1;
}

bool nb_cloud_is_path(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\?#%", text[i]) != NULL)
            return false;
    return length < 256 && text[0] == '/';
}

int nb_cloud_log(const char *text, bool verbose, enum ota_log_level *out)
{
    *out = verbose ? OTA_LOG_DEBUG : OTA_LOG_INFO;
    return text == NULL || nb_option_log(text, out)
               ? 0
               : nb_cloud_usage("--log wants error, warning, notice, info or debug", text);
}

int nb_cloud_events(const char *text, int *out)
{
    *out = -1;
    return text == NULL || nb_option_descriptor(text, out)
               ? 0
               : nb_cloud_usage("--events wants an open descriptor", text);
}

int nb_cloud_updates(const char *text, unsigned *out)
{
    unsigned long number = 0;
    if (text != NULL && !nb_option_count(text, 1, 1000000, &number))
        return nb_cloud_usage("--updates wants a number", text);
    *out = (unsigned)number;
    return 0;
}

int nb_cloud_listen(const char *text, bool tls, struct nb_cloud_listen *out)
{
    bool named = strstr(text, "://") != NULL;
    bool plain = strncmp(text, "http://", 7) == 0;
    out->port = 0;
    out->tls = strncmp(text, "https://", 8) == 0 || (!named && tls);
    if ((named && !plain && !out->tls) ||
        sim_address_parse(named ? strstr(text, "://") + 3 : text, out->host, sizeof out->host,
                          &out->port) != OTA_OK)
        return nb_cloud_usage("not an address to listen on (ADDR[:PORT])", text);
    return 0;
}

int nb_cloud_listen_files(const struct nb_cloud_listen *listen)
{
    if (listen->tls && (listen->cert == NULL || listen->key == NULL))
        return nb_cloud_usage("HTTPS needs --cert and --key", NULL);
    if (!listen->tls && listen->client_ca != NULL)
        return nb_cloud_usage("--client-ca needs an HTTPS server", NULL);
    return 0;
}

bool nb_cloud_is_everywhere(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

struct nb_http_server *nb_cloud_server(struct posix_loop *loop,
                                       const struct nb_cloud_listen *listen, char line[300])
{
    char address[sizeof listen->host];
    snprintf(address, sizeof address, "%s", listen->host);
    if (address[0] == '[') { /* brackets belong to URLs */
        memmove(address, address + 1, strlen(address));
        address[strlen(address) - 1] = '\0';
    }
    const struct nb_http_server_config config = {
        .address = address,
        .port = listen->port,
        .cert_path = listen->tls ? listen->cert : NULL,
        .key_path = listen->tls ? listen->key : NULL,
        .ca_path = listen->client_ca,
    };
    struct nb_http_server *server = nb_http_server_new(loop, &config, line, 300);
    if (server == NULL)
        fprintf(stderr, "nobrick cloud: %s\n", line);
    else
        snprintf(line, 300, "listening %s://%s:%u", listen->tls ? "https" : "http", listen->host,
                 nb_http_server_peer(server)->port);
    return server;
}

void nb_cloud_show(const char *line, int events, bool shown)
{
    if (events >= 0) {
        char text[600];
        int n = snprintf(text, sizeof text, "%s\n", line);
        ssize_t written = write(events, text, (size_t)n);
        (void)written; /* nobody listens any more: devices are served all the same */
    }
    if (shown)
        printf("%s\n", line);
    if (fflush(stdout) != 0 && errno == EPIPE)
        raise(SIGTERM); /* whoever watched has gone */
}
