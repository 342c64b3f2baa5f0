/* Any lines at the console of a device that is busy: each is answered in whole lines, and the
 * switches are as they were or as a good line says, never half of it. */
#include "sim/sysota.h"
#include "sim/systems.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL_MAX 7200000u
#define URL          "http://127.0.0.1:8000/ota.json"

static void require(bool condition)
{
    if (!condition)
        abort();
}

struct answer {
    size_t lines;
    bool done; /* "sysota set: ok" */
};

static void print(void *context, const char *line)
{
    struct answer *answer = context;
    require(strchr(line, '\n') == NULL);
    answer->lines++;
    answer->done = answer->done || strcmp(line, "sysota set: ok") == 0;
}

static void check(const struct sim_life *life, const struct ota_service_config *before,
                  const struct answer *answer)
{
    const struct ota_service_config *now = &life->service.config;
    const struct ota_source *server = &life->service.server;
    require(now->interval_ms > 0 && now->interval_ms <= INTERVAL_MAX);
    if (!answer->done)
        require(now->periodic == before->periodic && now->auto_reset == before->auto_reset &&
                now->auto_update == before->auto_update && now->interval_ms == before->interval_ms);
    require(memchr(server->host, 0, sizeof server->host) != NULL);
    require(memchr(server->path, 0, sizeof server->path) != NULL);
    require(server->host[0] == '\0' || (server->path[0] == '/' && server->port != 0));
}

static void type(struct sim_life *life, const uint8_t *data, size_t size)
{
    const struct ota_service_config before = life->service.config;
    struct answer answer = {0};
    /* A copy of the exact size, so that reading past its end is seen. */
    char *line = malloc(size + 1);
    require(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    sim_sysota(life, line, print, &answer);
    free(line);
    check(life, &before, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ota_service_config switches = {.periodic = true, .interval_ms = 60000};
    const struct sim_life_config config = {0};
    const struct sim_life_ports ports = {.server = {.host = "127.0.0.1", .port = 8000}};
    struct ota_config agent = {.http_file = URL};
    static struct sim_life life;
    memset(&life, 0, sizeof life);
    life.config = &config;
    life.ports = &ports;
    life.system = sim_system_find("harmony");
    life.stopped = true; /* messages are refused: there is no agent behind this */
    require(life.system != NULL);
    life.system->service->begin(&life.service, &switches, &life.app.agent, &agent);
    life.app.agent.config = agent;
    life.app.agent.state = OTA_STATE_FETCH;
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        type(&life, data, length);
        length += end != NULL;
        data += length;
        size -= length;
    }
    return 0;
}
