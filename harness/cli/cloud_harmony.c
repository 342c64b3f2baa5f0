/* `nobrick cloud` for Harmony: a manifest, images and patches, served or written down. */
#include "harness/cli/cloud_harmony_options.h"
#include "harness/files/files.h"
#include "harness/image/atomic_file.h"
#include "harness/peers/file_host.h"
#include "sim/posix/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS 100 /* for the last answer to get away */

enum stop { STOP_SIGNAL = 1, STOP_DONE };

struct publisher {
    const struct cloud_harmony_options *options;
    struct harmony_release release;
    struct posix_loop *loop;
    struct nb_http_server *server;
    struct file_host *host;
    int signal_fd;
    int signal_number;
    unsigned updates;
};

/* ---- events ------------------------------------------------------------------------------ */

/* What "http get PATH FROM-TO|whole STATUS" says of one of our files. */
struct fetched {
    const struct harmony_file *file; /* NULL: of none, or nothing was served */
    bool is_manifest;
    bool is_part;
    bool to_the_end;
};

static struct fetched read_line(const struct publisher *publisher, const char *line)
{
    const struct harmony_release *release = &publisher->release;
    struct fetched fetched = {.file = NULL};
    char path[FILE_HOST_PATH];
    char range[64];
    unsigned status;
    unsigned long long from;
    unsigned long long to;
    if (sscanf(line, "http get %511s %63s %u", path, range, &status) != 3 ||
        (status != 200 && status != 206))
        return fetched;
    for (size_t i = 0; i < release->file_count; i++)
        if (strcmp(release->files[i].path, path) == 0)
            fetched.file = &release->files[i];
    if (fetched.file == NULL)
        return fetched;
    fetched.is_manifest = fetched.file == &release->files[release->file_count - 1];
    fetched.is_part = status == 206;
    fetched.to_the_end = !fetched.is_part || (sscanf(range, "%llu-%llu", &from, &to) == 2 &&
                                              to + 1 == fetched.file->size);
    return fetched;
}

static enum ota_log_level level_of(const char *line, const struct fetched *fetched)
{
    if (fetched->file != NULL && !fetched->is_manifest && !fetched->to_the_end)
        return OTA_LOG_DEBUG;
    return strncmp(line, "bad ", 4) == 0 ? OTA_LOG_WARNING : OTA_LOG_INFO;
}

static void on_line(void *context, const char *line)
{
    struct publisher *publisher = context;
    const struct cloud_harmony_options *options = publisher->options;
    const struct fetched fetched = read_line(publisher, line);
    nb_cloud_show(line, options->events_fd, level_of(line, &fetched) <= options->log);
    if (fetched.file == NULL || fetched.is_manifest || !fetched.to_the_end)
        return;
    publisher->updates++;
    if (publisher->updates == options->updates)
        posix_loop_stop(publisher->loop, STOP_DONE);
}

static void on_signal(void *context, int fd)
{
    struct publisher *publisher = context;
    publisher->signal_number = posix_signals_take(fd);
    if (publisher->signal_number != 0)
        posix_loop_stop(publisher->loop, STOP_SIGNAL);
}

/* ---- the release ------------------------------------------------------------------------- */

static int make_release(struct publisher *publisher, const struct harmony_plan *plan)
{
    char line[700];
    if (harmony_release_make(plan, &publisher->release, line, sizeof line) != 0) {
        fprintf(stderr, "nobrick cloud: %s\n", line);
        return 2;
    }
    if (publisher->options->log >= OTA_LOG_WARNING &&
        harmony_release_trouble(plan, &publisher->release, line, sizeof line))
        fprintf(stderr, "nobrick cloud: note: for devices of the original: %s\n", line);
    return 0;
}

/* The manifest is the last one: what it names is there when it is. */
static int write_down(struct publisher *publisher)
{
    const struct cloud_harmony_options *options = publisher->options;
    char path[2 * CLOUD_FILE];
    int result = make_release(publisher, &options->plan);
    if (result != 0)
        return result;
    if (mkdir(options->write, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "nobrick cloud: %s: %s\n", options->write, strerror(errno));
        return 2;
    }
    for (size_t i = 0; i < publisher->release.file_count; i++) {
        const struct harmony_file *file = &publisher->release.files[i];
        int length = snprintf(path, sizeof path, "%s%s", options->write, file->path);
        errno = ENAMETOOLONG;
        if (length >= (int)sizeof path ||
            nb_atomic_file_write(path, file->data, file->size) != OTA_OK) {
            fprintf(stderr, "nobrick cloud: %s: %s\n", path, strerror(errno));
            return 2;
        }
        snprintf(path, sizeof path, "wrote %s%s %zu", options->write, file->path, file->size);
        nb_cloud_show(path, options->events_fd, options->log >= OTA_LOG_INFO);
    }
    return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static int put_files(struct publisher *publisher)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < publisher->release.file_count; i++) {
        const struct harmony_file *file = &publisher->release.files[i];
        error = file_host_put(publisher->host, file->path, file->data, file->size, file->type);
    }
    return error;
}

/* The server first: where it listens is what URLs begin with. */
static int start(struct publisher *publisher)
{
    const struct cloud_harmony_options *options = publisher->options;
    struct harmony_plan plan = options->plan;
    char line[300];
    char url[sizeof line + 32];
    publisher->loop = posix_loop_new();
    publisher->signal_fd = posix_signals_open();
    if (publisher->loop == NULL || publisher->signal_fd < 0 ||
        posix_loop_watch(publisher->loop, publisher->signal_fd, on_signal, publisher) != OTA_OK) {
        fprintf(stderr, "nobrick cloud: cannot start: %s\n", ota_err_text(OTA_E_NO_SPACE));
        return 2;
    }
    publisher->server = nb_cloud_server(publisher->loop, &options->listen, line);
    if (publisher->server == NULL)
        return 2;
    const struct nb_peer_server *peer = nb_http_server_peer(publisher->server);
    snprintf(url, sizeof url, "http%s://%s:%u", options->listen.tls ? "s" : "",
             options->listen.host, peer->port);
    if (plan.url == NULL)
        plan.url = url;
    int result = make_release(publisher, &plan);
    if (result != 0)
        return result;
    publisher->host = file_host_new(peer, on_line, publisher);
    if (publisher->host == NULL || put_files(publisher) != 0) {
        fprintf(stderr, "nobrick cloud: cannot start: %s\n", ota_err_text(OTA_E_NO_SPACE));
        return 2;
    }
    nb_cloud_show(line, options->events_fd, options->log >= OTA_LOG_INFO);
    return 0;
}

static int serve(struct publisher *publisher)
{
    int result = start(publisher);
    if (result != 0)
        return result;
    int why = posix_loop_run(publisher->loop, UINT32_MAX);
    (void)posix_loop_run(publisher->loop, ANSWER_MS);
    return why == STOP_SIGNAL ? 128 + publisher->signal_number : 0;
}

static void clear(struct publisher *publisher)
{
    file_host_free(publisher->host);
    nb_http_server_free(publisher->server);
    if (publisher->loop != NULL)
        posix_loop_free(publisher->loop);
    if (publisher->signal_fd >= 0)
        close(publisher->signal_fd);
    harmony_release_free(&publisher->release);
}

int nb_cloud_harmony(int argc, char **argv)
{
    static struct cloud_harmony_options options;
    struct publisher *publisher = calloc(1, sizeof *publisher);
    int result = cloud_harmony_options_parse(argc, argv, &options);
    if (result == 0 &&
        (publisher == NULL || nb_check_pem("cloud", "--sign", options.plan.key_path) != OTA_OK ||
         nb_check_pem("cloud", "--cert", options.listen.cert) != OTA_OK ||
         nb_check_pem("cloud", "--key", options.listen.key) != OTA_OK ||
         nb_check_pem("cloud", "--client-ca", options.listen.client_ca) != OTA_OK))
        result = 2 + 1;
    if (result == 0) {
        publisher->options = &options;
        publisher->signal_fd = -1;
        result = 1 + (options.write != NULL ? write_down(publisher) : serve(publisher));
        clear(publisher);
    }
    free(publisher);
    return result - 1;
}
