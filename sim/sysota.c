#include "sim/sysota.h"

#include "agent/protocol/harmony.h"
#include "sim/systems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX    8u
#define LINE_SIZE    512u
#define INTERVAL_MAX 7200u /* seconds, as the original's */

/* One line, as it is being answered. */
struct console {
    struct sim_life *life;
    sim_sysota_print *print;
    void *context;
    char text[LINE_SIZE];
    char *words[WORDS_MAX];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void say(const struct console *console,
                                                      const char *format, ...)
{
    char line[LINE_SIZE + 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    console->print(console->context, line);
}

static const struct ota_service_calls *calls(const struct console *console)
{
    return console->life->system->service;
}

/* ---- set --------------------------------------------------------------------------------- */

static bool take_switch(const struct console *console, size_t index, const char *name, bool *out)
{
    if (index >= console->count)
        return true;
    const char *word = console->words[index];
    if (strcmp(word, "0") != 0 && strcmp(word, "1") != 0) {
        say(console, "sysota set: %s is 0 or 1, not %s", name, word);
        return false;
    }
    *out = word[0] == '1';
    return true;
}

static bool take_interval(const struct console *console, size_t index, uint32_t *out)
{
    if (index >= console->count)
        return true;
    char *end;
    const char *word = console->words[index];
    errno = 0;
    unsigned long seconds = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || errno != 0 || *end != '\0' || seconds == 0 ||
        seconds > INTERVAL_MAX) {
        say(console, "sysota set: the interval is 1 to %u seconds, not %s", INTERVAL_MAX, word);
        return false;
    }
    *out = (uint32_t)seconds * 1000;
    return true;
}

static bool take_url(const struct console *console, size_t index, struct ota_source *out)
{
    if (index >= console->count)
        return true;
    int error = harmony_url_parse(console->words[index], out);
    if (error != OTA_OK)
        say(console, "sysota set: %s: %s", console->words[index], ota_err_text(error));
    return error == OTA_OK;
}

/* All or nothing. */
static void set(struct console *console)
{
    struct ota_service *service = &console->life->service;
    struct ota_service_config config = service->config;
    struct ota_source server;
    if (console->count > 2 && strcmp(console->words[2], "factory") == 0) {
        say(console, "sysota set: the factory signs its image where it makes it "
                     "(nobrick device --factory-key)");
        return;
    }
    if (console->count < 3) {
        say(console, "sysota set: PERIODIC AUTO-RESET AUTO-UPDATE INTERVAL URL");
        return;
    }
    if (!take_switch(console, 2, "periodic", &config.periodic) ||
        !take_switch(console, 3, "auto reset", &config.auto_reset) ||
        !take_switch(console, 4, "auto update", &config.auto_update) ||
        !take_interval(console, 5, &config.interval_ms) || !take_url(console, 6, &server))
        return;
    calls(console)->set(service, &config);
    if (console->count > 6)
        calls(console)->lead(service, &server);
    say(console, "sysota set: ok");
}

/* ---- get --------------------------------------------------------------------------------- */

/* As the original counts it: of what there is to read, how much has come out. */
static void say_patch(const struct console *console)
{
    const struct ota_patched *patched = console->life->stored.patched;
    if (patched == NULL || !patched->active || !patched->begun)
        return;
    uint64_t all = (uint64_t)patched->job.base_size + patched->job.patch_size;
    say(console, "patch         %u %%", (unsigned)(100u * (uint64_t)patched->apply.written / all));
}

static void get_info(struct console *console)
{
    const struct sim_life *life = console->life;
    const struct ota_service_config *switches = &life->service.config;
    const struct ota_agent *agent = &life->app.agent;
    const struct ota_config *config = &agent->config;
    enum ota_service_event status = calls(console)->status(&life->service);
    enum ota_service_state state = calls(console)->state(&life->service);
    bool tls = config->connection == OTA_BY_HTTPS;
    bool given = config->http_host != NULL;
    say(console, "status        %u %s", (unsigned)status, ota_service_event_word(status));
    say(console, "service       %u %s", (unsigned)state, ota_service_state_word(state));
    say(console, "core          %s", ota_core_state_word(calls(console)->core(&life->service)));
    say(console, "total         %u", agent->total);
    say(console, "downloaded    %u", agent->done);
    say_patch(console);
    say(console, "url           http%s://%s:%u%s", tls ? "s" : "",
        given ? config->http_host : life->ports->server.host,
        given ? config->http_port : life->ports->server.port, config->http_file);
    say(console, "periodic      %d", switches->periodic);
    say(console, "interval      %u", switches->interval_ms / 1000);
    say(console, "auto reset    %d", switches->auto_reset);
    say(console, "auto update   %d", switches->auto_update);
}

static void say_place(const struct console *console, const struct store *store, uint8_t place)
{
    struct img_row row;
    char digest[2 * CRYPTO_SHA256_SIZE + 1];
    const struct store_entry *entry = &store->state.entries[place];
    if (entry->status == IMG_ROW_FREE || store_row(store, place, &row) != OTA_OK)
        return;
    for (size_t i = 0; i < sizeof row.digest; i++)
        snprintf(digest + 2 * i, 3, "%02x", row.digest[i]);
    say(console, "%-31s  %02X      %-8u  %s", row.name, entry->status, row.version, digest);
}

static void getfs_info(struct console *console)
{
    struct sim_life *life = console->life;
    struct store store;
    if (life->app.agent.state != OTA_STATE_IDLE) {
        say(console, "sysota getfs: a session is under way");
        return;
    }
    int error = store_open(&store, &life->stored.config);
    if (error != OTA_OK) {
        say(console, "sysota getfs: %s", ota_err_text(error));
        return;
    }
    say(console, "%-31s  status  version   digest", "name");
    for (uint8_t place = 0; place < store.places; place++)
        say_place(console, &store, place);
}

/* ---- the verbs --------------------------------------------------------------------------- */

static void help(struct console *console)
{
    say(console, "sysota set PERIODIC AUTO-RESET AUTO-UPDATE INTERVAL URL  (fewer from the right)");
    say(console, "sysota get info | getfs info | help");
    say(console, "sysota check | initiate | reset | factory-reset | rollback");
}

static void get(struct console *console)
{
    if (console->count == 3 && strcmp(console->words[2], "info") == 0)
        get_info(console);
    else
        help(console);
}

static void getfs(struct console *console)
{
    if (console->count == 3 && strcmp(console->words[2], "info") == 0)
        getfs_info(console);
    else
        help(console);
}

static const struct verb {
    const char *word;
    void (*run)(struct console *console); /* NULL: the message is sent */
    enum ota_service_message message;
    const char *nothing; /* … and is about an image that there is not */
} verbs[] = {
    {"set", set, 0, NULL},
    {"get", get, 0, NULL},
    {"getfs", getfs, 0, NULL},
    {"help", help, 0, NULL},
    {"check", NULL, OTA_SERVICE_CHECK, NULL},
    {"initiate", NULL, OTA_SERVICE_INITIATE, NULL},
    {"reset", NULL, OTA_SERVICE_RESET, "no image waits for a reset"},
    {"factory-reset", NULL, OTA_SERVICE_FACTORY_RESET, "the store has no factory image"},
    {"rollback", NULL, OTA_SERVICE_ROLLBACK, "the factory image runs: there is none behind it"},
};

static void send(struct console *console, const struct verb *verb)
{
    int error = sim_life_message(console->life, verb->message);
    if (error == OTA_E_NO_IMAGE && verb->nothing != NULL)
        say(console, "sysota %s: %s", verb->word, verb->nothing);
    else if (error != OTA_OK)
        say(console, "sysota %s: %s", verb->word, ota_err_text(error));
}

static void split(struct console *console, const char *line)
{
    snprintf(console->text, sizeof console->text, "%s", line);
    char *rest = NULL;
    char *word = strtok_r(console->text, " \t\r\n", &rest);
    while (word != NULL && console->count < WORDS_MAX) {
        console->words[console->count++] = word;
        word = strtok_r(NULL, " \t\r\n", &rest);
    }
}

static void run(struct console *console)
{
    if (console->count < 2) {
        help(console);
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(console->words[1], verbs[i].word) == 0) {
            if (verbs[i].run != NULL)
                verbs[i].run(console);
            else
                send(console, &verbs[i]);
            return;
        }
    say(console, "sysota: no such command: %s", console->words[1]);
}

void sim_sysota(struct sim_life *life, const char *line, sim_sysota_print *print, void *context)
{
    struct console console = {.life = life, .print = print, .context = context};
    split(&console, line);
    if (console.count == 0)
        return;
    if (life->system == NULL || life->system->service == NULL)
        say(&console, "this device has no such console");
    else if (strcmp(console.words[0], "sysota") == 0 || strcmp(console.words[0], "sysotahelp") == 0)
        run(&console);
    else
        say(&console, "no such command: %s (sysota help)", console.words[0]);
}
