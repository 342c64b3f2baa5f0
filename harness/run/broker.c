#include "harness/run/broker.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define START_TRIES 5

static int write_config(const char *path, const struct nb_broker *broker,
                        const struct nb_daemon_tls *tls, unsigned waiting)
{
    /* Started by root it would change to a user of its own, and lose the parent-death signal. */
    const struct passwd *caller = getpwuid(geteuid());
    FILE *file = fopen(path, "w");
    if (!file)
        return OTA_E_IO;
    fprintf(file,
            "allow_anonymous true\npersistence false\nmax_queued_messages %u\n"
            "listener %u 127.0.0.1\n",
            waiting, broker->port);
    if (tls)
        fprintf(file,
                "listener %u 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n"
                "require_certificate %s\n",
                broker->tls_port, tls->ca, tls->cert, tls->key, tls->mutual ? "true" : "false");
    if (caller)
        fprintf(file, "user %s\n", caller->pw_name);
    return fclose(file) == 0 ? 0 : OTA_E_IO;
}

int nb_broker_start(struct nb_broker *broker, const char *dir, const struct nb_daemon_tls *tls,
                    unsigned waiting, char *reason, size_t reason_size)
{
    char program[4200];
    char config[512];
    char log[512];
    memset(broker, 0, sizeof *broker);
    if (!nb_daemon_find("mosquitto", "NOBRICK_MOSQUITTO", program, sizeof program)) {
        snprintf(reason, reason_size, "no mosquitto: apt-get install mosquitto");
        return OTA_E_UNSUPPORTED;
    }
    snprintf(config, sizeof config, "%s/mosquitto.conf", dir);
    snprintf(log, sizeof log, "%s/mosquitto.log", dir);
    for (int i = 0; i < START_TRIES; i++) {
        broker->port = nb_daemon_free_port();
        broker->tls_port = tls ? nb_daemon_free_port() : 0;
        if (broker->port == 0 || (tls && broker->tls_port == 0) ||
            write_config(config, broker, tls, waiting) != 0)
            break;
        const char *const arguments[] = {"mosquitto", "-c", config, NULL};
        const uint16_t ports[] = {broker->port, broker->tls_port};
        broker->pid = nb_daemon_start(program, arguments, log, -1);
        if (nb_daemon_comes_up(&broker->pid, ports, 2))
            return 0;
        nb_broker_stop(broker);
    }
    snprintf(reason, reason_size, "mosquitto does not start");
    return OTA_E_IO;
}

void nb_broker_stop(struct nb_broker *broker)
{
    nb_daemon_stop(&broker->pid);
}
