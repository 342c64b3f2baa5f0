#include "harness/peers/file_host.h"

#include "harness/peers/http_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
    char path[FILE_HOST_PATH];
    const char *type;
    struct nb_content *content;
    char etag[NB_TAG_SIZE + 2];
    struct file *next;
};

struct file_host {
    const struct nb_peer_server *server;
    void (*line)(void *context, const char *text);
    void *context;
    struct file *files;
};

static struct file *find(const struct file_host *host, const char *path)
{
    struct file *file = host->files;
    while (file != NULL && strcmp(file->path, path) != 0)
        file = file->next;
    return file;
}

static void on_request(void *owner, const struct nb_peer_request *request)
{
    const struct file_host *host = owner;
    struct nb_asked asked;
    const struct file *file = find(host, request->path);
    nb_asked_init(&asked, host->server, request, host->line, host->context);
    if (!nb_asked_for_content(&asked)) {
        nb_answer_status(&asked, 405, "Allow", "GET, HEAD");
    } else if (file == NULL) {
        nb_answer_status(&asked, 404, NULL, NULL);
    } else {
        const struct nb_entity entity = {file->content->bytes, file->content->size, file->content,
                                         file->type, file->etag};
        nb_answer_entity(&asked, &entity, nb_asked_range(&asked, file->etag));
    }
}

static void on_complaint(void *owner, const char *text)
{
    const struct file_host *host = owner;
    char line[300];
    if (host->line == NULL)
        return;
    snprintf(line, sizeof line, "bad http %s", text);
    host->line(host->context, line);
}

int file_host_put(struct file_host *host, const char *path, const void *bytes, size_t size,
                  const char *type)
{
    char tag[NB_TAG_SIZE];
    if (path[0] != '/' || strlen(path) >= FILE_HOST_PATH || size > UINT32_MAX)
        return OTA_E_ARGUMENT;
    struct nb_content *content = nb_content_new(bytes, (uint32_t)size);
    struct file *file = find(host, path);
    if (content != NULL && file == NULL) {
        file = calloc(1, sizeof *file);
        if (file != NULL) {
            memcpy(file->path, path, strlen(path));
            file->next = host->files;
            host->files = file;
        }
    }
    if (content == NULL || file == NULL) {
        nb_content_release(content);
        return OTA_E_NO_SPACE;
    }
    nb_content_tag(content, tag);
    nb_content_release(file->content);
    file->content = content;
    file->type = type;
    snprintf(file->etag, sizeof file->etag, "\"%s\"", tag);
    return OTA_OK;
}

void file_host_clear(struct file_host *host)
{
    while (host->files != NULL) {
        struct file *next = host->files->next;
        nb_content_release(host->files->content);
        free(host->files);
        host->files = next;
    }
}

struct file_host *file_host_new(const struct nb_peer_server *server,
                                void (*line)(void *context, const char *text), void *context)
{
    struct file_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return NULL;
    *host = (struct file_host){server, line, context, NULL};
    const struct nb_peer_handler handler = {on_request, on_complaint, host};
    server->serve(server->context, &handler);
    return host;
}

void file_host_free(struct file_host *host)
{
    if (host == NULL)
        return;
    host->server->serve(host->server->context, NULL);
    file_host_clear(host);
    free(host);
}
