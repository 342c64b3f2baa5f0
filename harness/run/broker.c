#include "harness/run/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 5
#define START_MS    5000
#define POLL_MS     10

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

/* ---- finding it -------------------------------------------------------------------------- */

static bool find_program(char *out, size_t size)
{
    const char *named = getenv("NOBRICK_MOSQUITTO");
    if (named) {
        snprintf(out, size, "%s", named);
        return access(out, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    char places[4096];
    snprintf(places, sizeof places, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin");
    for (char *save = NULL, *place = strtok_r(places, ":", &save); place;
         place = strtok_r(NULL, ":", &save)) {
        snprintf(out, size, "%s/mosquitto", place);
        if (access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that is free now; somebody may take it before mosquitto does. 0: none. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    uint16_t port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return good;
}

/* ---- starting it ------------------------------------------------------------------------- */

static int write_config(const char *path, const struct nb_broker *broker,
                        const struct nb_broker_tls *tls)
{
    /* Started by root it would change to a user of its own, and lose the parent-death signal. */
    const struct passwd *caller = getpwuid(geteuid());
    FILE *file = fopen(path, "w");
    if (!file)
        return OTA_E_IO;
    fprintf(file, "allow_anonymous true\npersistence false\nlistener %u 127.0.0.1\n", broker->port);
    if (tls)
        fprintf(file,
                "listener %u 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n"
                "require_certificate %s\n",
                broker->tls_port, tls->ca, tls->cert, tls->key, tls->mutual ? "true" : "false");
    if (caller)
        fprintf(file, "user %s\n", caller->pw_name);
    return fclose(file) == 0 ? 0 : OTA_E_IO;
}

static void become(const char *program, const char *config, const char *log, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    execl(program, "mosquitto", "-c", config, (char *)NULL);
    _exit(127);
}

/* Waits until it answers. False when it ended instead, or never did. */
static bool comes_up(struct nb_broker *broker)
{
    for (int waited = 0; waited < START_MS; waited += POLL_MS) {
        if (waitpid(broker->pid, NULL, WNOHANG) == broker->pid) {
            broker->pid = 0;
            return false;
        }
        if (answers(broker->port) && (broker->tls_port == 0 || answers(broker->tls_port)))
            return true;
        nap();
    }
    return false;
}

int nb_broker_start(struct nb_broker *broker, const char *dir, const struct nb_broker_tls *tls,
                    char *reason, size_t reason_size)
{
    char program[4200];
    char config[512];
    char log[512];
    memset(broker, 0, sizeof *broker);
    if (!find_program(program, sizeof program)) {
        snprintf(reason, reason_size, "no mosquitto: apt-get install mosquitto");
        return OTA_E_UNSUPPORTED;
    }
    snprintf(config, sizeof config, "%s/mosquitto.conf", dir);
    snprintf(log, sizeof log, "%s/mosquitto.log", dir);
    for (int i = 0; i < START_TRIES; i++) {
        broker->port = free_port();
        broker->tls_port = tls ? free_port() : 0;
        if (broker->port == 0 || (tls && broker->tls_port == 0) ||
            write_config(config, broker, tls) != 0)
            break;
        pid_t parent = getpid();
        broker->pid = fork();
        if (broker->pid == 0)
            become(program, config, log, parent);
        if (broker->pid > 0 && comes_up(broker))
            return 0;
        nb_broker_stop(broker);
    }
    snprintf(reason, reason_size, "mosquitto does not start");
    return OTA_E_IO;
}

void nb_broker_stop(struct nb_broker *broker)
{
    if (broker->pid <= 0)
        return;
    kill(broker->pid, SIGKILL);
    while (waitpid(broker->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    broker->pid = 0;
}
