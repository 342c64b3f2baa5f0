#include "harness/run/nginx.h"
#include "harness/image/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_TRIES 5

/* ---- configuration ----------------------------------------------------------------------- */

/* One process, in the foreground, that writes nowhere but below its prefix. */
static int write_config(const char *path, const struct nb_nginx *nginx,
                        const struct nb_daemon_tls *tls)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return OTA_E_IO;
    fprintf(file,
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\n"
            "events {}\nhttp {\n"
            "log_format nobrick '$request_method $uri $http_range $status $body_bytes_sent';\n"
            "access_log /dev/stdout nobrick;\n"
            "client_body_temp_path body;\nproxy_temp_path proxy;\n"
            "fastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n"
            "default_type application/octet-stream;\nserver {\nroot files;\n");
    fprintf(file, "listen 127.0.0.1:%u;\n", nginx->port);
    if (tls)
        fprintf(file, "listen 127.0.0.1:%u ssl;\nssl_certificate %s;\nssl_certificate_key %s;\n",
                nginx->tls_port, tls->cert, tls->key);
    if (tls && tls->mutual)
        fprintf(file, "ssl_client_certificate %s;\nssl_verify_client on;\n", tls->ca);
    fprintf(file, "}\n}\n");
    return fclose(file) == 0 ? 0 : OTA_E_IO;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* ---- its access log ---------------------------------------------------------------------- */

static void take_byte(struct nb_nginx *nginx, char byte)
{
    char text[NB_NGINX_LINE + 8];
    if (byte != '\n') {
        if (nginx->length + 1 < sizeof nginx->text)
            nginx->text[nginx->length++] = byte;
        return;
    }
    nginx->text[nginx->length] = '\0';
    nginx->length = 0;
    snprintf(text, sizeof text, "nginx %s", nginx->text);
    nginx->line(nginx->context, text);
}

static void on_log(void *context, int fd)
{
    struct nb_nginx *nginx = context;
    char buffer[1024];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        posix_loop_unwatch(nginx->loop, fd);
    for (ssize_t i = 0; i < got; i++)
        take_byte(nginx, buffer[i]);
}

static int watch_log(struct nb_nginx *nginx, int *writes)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return OTA_E_IO;
    nginx->log = fds[0];
    *writes = fds[1];
    return posix_loop_watch(nginx->loop, nginx->log, on_log, nginx);
}

/* ---- life -------------------------------------------------------------------------------- */

static bool start_once(struct nb_nginx *nginx, const char *program, const char *dir,
                       const struct nb_daemon_tls *tls, int log)
{
    char config[320];
    char errors[320];
    const char *const arguments[] = {"nginx", "-p", dir, "-c", config, "-e", "stderr", NULL};
    nginx->port = nb_daemon_free_port();
    nginx->tls_port = tls ? nb_daemon_free_port() : 0;
    snprintf(config, sizeof config, "%s/nginx.conf", dir);
    snprintf(errors, sizeof errors, "%s/nginx.log", dir);
    if (nginx->port == 0 || (tls && nginx->tls_port == 0) || write_config(config, nginx, tls) != 0)
        return false;
    const uint16_t ports[] = {nginx->port, nginx->tls_port};
    nginx->pid = nb_daemon_start(program, arguments, errors, log);
    if (nb_daemon_comes_up(&nginx->pid, ports, 2))
        return true;
    nb_daemon_stop(&nginx->pid);
    return false;
}

int nb_nginx_start(struct nb_nginx *nginx, const char *dir, const struct nb_daemon_tls *tls,
                   char *reason, size_t reason_size)
{
    char program[4200];
    char prefix[280];
    int log = -1;
    if (!nb_daemon_find("nginx", "NOBRICK_NGINX", program, sizeof program)) {
        snprintf(reason, reason_size, "no nginx: apt-get install nginx-light");
        return OTA_E_UNSUPPORTED;
    }
    snprintf(prefix, sizeof prefix, "%s/nginx", dir);
    snprintf(nginx->root, sizeof nginx->root, "%s/files", prefix);
    bool up = false;
    if (make_directory(prefix) && make_directory(nginx->root) && watch_log(nginx, &log) == 0)
        for (int i = 0; !up && i < START_TRIES; i++)
            up = start_once(nginx, program, prefix, tls, log);
    if (log >= 0)
        close(log);
    if (up)
        return 0;
    snprintf(reason, reason_size, "nginx does not start");
    return OTA_E_IO;
}

int nb_nginx_serve(struct nb_nginx *nginx, const char *path, const void *data, size_t size)
{
    char file[600];
    snprintf(file, sizeof file, "%s%s", nginx->root, path);
    if (data)
        return nb_atomic_file_write(file, data, size);
    return unlink(file) == 0 || errno == ENOENT ? 0 : OTA_E_IO;
}

void nb_nginx_stop(struct nb_nginx *nginx)
{
    nb_daemon_stop(&nginx->pid);
    if (nginx->log <= 0)
        return;
    posix_loop_unwatch(nginx->loop, nginx->log);
    close(nginx->log);
    nginx->log = 0;
}
