/* The life of a device in the virtual world, with a network that is made up here. */
#include "sim/virtual/device.h"

#include "flashsim/failing.h"
#include "harness/image/image.h"
#include "sim/device_flash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOT    0x8000u
#define NO_CUT  UINT32_MAX
#define TEXT    8192
#define PAYLOAD 4096u

struct bench {
    struct sim_device device;
    struct virtual_world *world;
    struct flash_sim *sim;
    uint32_t counter;
    struct virtual_device_config config;
    struct sim_life_end end;
    bool broker; /* it is there */
    unsigned clients;
    unsigned connects;
    unsigned publications;
    unsigned drops;
    uint32_t cut_at;
    enum flash_tear cut_tear;
    bool on_confirm; /* cut the first operation behind the connection */
    uint64_t hash;   /* of the journal */
    char last_journal[SIM_JOURNAL_LINE];
    char events[TEXT];
    unsigned ended;
    int code;
};

/* ---- a network --------------------------------------------------------------------------- */

enum answer { ANSWER_CONNECT, ANSWER_SUBSCRIBE, ANSWER_PUBLISH, ANSWER_CLOSE };

struct client {
    struct bench *bench;
    struct sim_clock *clock;
    struct mqtt_port port;
    void (*deliver)(void *owner, const struct ota_event *event);
    void *owner;
    bool dropped;
};

static void answer(void *owner, unsigned id)
{
    static const enum ota_event_type types[] = {OTA_EVENT_MQTT_CONNECTED, OTA_EVENT_MQTT_SUBSCRIBED,
                                                OTA_EVENT_MQTT_PUBLISHED, OTA_EVENT_MQTT_CLOSED};
    const struct client *client = owner;
    const struct ota_event event = {
        .type = types[id],
        .code = id == ANSWER_CONNECT && !client->bench->broker ? OTA_E_CONNECT : OTA_OK};
    if (!client->dropped)
        client->deliver(client->owner, &event);
}

static int arm(const struct client *client, enum answer id)
{
    assert_false(client->dropped); /* the software is gone: who calls? */
    const struct clock_port *clock =
        virtual_world_table(client->bench->world)->clock_port(client->clock);
    return clock->arm(clock->context, id, 1);
}

static int net_connect(void *context, const struct mqtt_connect *options)
{
    const struct client *client = context;
    (void)options;
    client->bench->connects++;
    return arm(client, ANSWER_CONNECT);
}

static int net_subscribe(void *context, const char *topic, int qos)
{
    (void)topic, (void)qos;
    return arm(context, ANSWER_SUBSCRIBE);
}

static int net_unsubscribe(void *context, const char *topic)
{
    (void)context, (void)topic;
    return OTA_OK;
}

static int net_publish(void *context, const char *topic, const void *payload, size_t length,
                       int qos)
{
    const struct client *client = context;
    (void)topic, (void)payload, (void)length, (void)qos;
    client->bench->publications++;
    return arm(client, ANSWER_PUBLISH);
}

static int net_disconnect(void *context)
{
    return arm(context, ANSWER_CLOSE);
}

static void *net_create(void *context, void (*deliver)(void *owner, const struct ota_event *event),
                        void *owner)
{
    struct client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    client->bench = context;
    const struct sim_world *world = virtual_world_table(client->bench->world);
    client->clock = world->clock_new(world->context, answer, client);
    client->port = (struct mqtt_port){client,          net_connect, net_subscribe,
                                      net_unsubscribe, net_publish, net_disconnect};
    client->deliver = deliver;
    client->owner = owner;
    client->bench->clients++;
    return client;
}

static const char *net_reason(void *client)
{
    (void)client;
    return "nobody there";
}

static void net_drop(void *context)
{
    struct client *client = context;
    client->bench->drops += !client->dropped;
    client->dropped = true;
}

static void net_destroy(void *context)
{
    struct client *client = context;
    client->bench->clients--;
    virtual_world_table(client->bench->world)->clock_free(client->clock);
    free(client);
}

static const struct mqtt_port *net_port(void *client)
{
    return &((struct client *)client)->port;
}

/* ---- a device ---------------------------------------------------------------------------- */

static void on_event(void *context, const char *line, int code)
{
    struct bench *bench = context;
    size_t length = strlen(bench->events);
    (void)code;
    snprintf(bench->events + length, TEXT - length, "%s\n", line);
}

static void on_journal(void *context, const char *line)
{
    struct bench *bench = context;
    bench->hash = sim_journal_hash(bench->hash, line);
    snprintf(bench->last_journal, sizeof bench->last_journal, "%s", line);
}

static enum flash_tear cut(void *context, const struct flash_op *op, uint32_t number)
{
    const struct bench *bench = context;
    (void)op;
    bool now = bench->on_confirm ? bench->connects > 0 : number == bench->cut_at;
    return now ? bench->cut_tear : FLASH_TEAR_NONE;
}

static void put_image(const struct bench *bench, const struct sim_region *slot, uint8_t major,
                      enum app_behaviour behaviour)
{
    const struct nb_image_spec spec = {.payload_size = PAYLOAD,
                                       .seed = major,
                                       .with_tag = true,
                                       .behaviour = behaviour,
                                       .version = {.major = major},
                                       .header_size = 32};
    uint8_t *image = NULL;
    size_t size = 0;
    char reason[160];
    assert_int_equal(nb_image_create(&spec, &image, &size, reason, sizeof reason), 0);
    assert_int_equal(flash_sim_put(bench->sim, slot->address, image, (uint32_t)size), 0);
    free(image);
}

/* v2 lies in the secondary slot and the loader is asked to install it. */
static void put_update(const struct bench *bench, enum app_behaviour behaviour)
{
    const struct flash_area area = {flash_sim_port(bench->sim), bench->device.secondary.address,
                                    bench->device.secondary.size};
    put_image(bench, &bench->device.secondary, 2, behaviour);
    assert_int_equal(img_set_pending(&area, &bench->device.format, false), 0);
}

static int set_up(void **state)
{
    static const struct flash_part part = {.name = "test",
                                           .size = 0x40000,
                                           .runs = {{64, 0x1000}},
                                           .run_count = 1,
                                           .unit = 4,
                                           .erased = 0xFF};
    struct flash_text_error error = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, SLOT, &bench->device, &error), 0);
    bench->world = virtual_world_new();
    assert_non_null(bench->world);
    bench->sim = flash_sim_memory(bench->device.chips, 1);
    assert_non_null(bench->sim);
    bench->broker = true;
    bench->cut_at = NO_CUT;
    bench->cut_tear = FLASH_TEAR_BEFORE;
    put_image(bench, &bench->device.primary, 1, APP_GOOD);
    bench->config = (struct virtual_device_config){
        .device = &bench->device,
        .sim = bench->sim,
        .counter = &bench->counter,
        .world = bench->world,
        .mqtt = {net_create, net_reason, net_drop, net_destroy, bench, "broker", 1883},
        .mqtt_port = net_port,
        .timing = SIM_TIMING_FAST,
        .once = true,
        .cut = cut,
        .journal = on_journal,
        .event = on_event,
        .context = bench,
    };
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(bench->clients, 0);
    flash_sim_close(bench->sim);
    virtual_world_free(bench->world);
    sim_device_free(&bench->device);
    free(bench);
    return 0;
}

static int run(struct bench *bench)
{
    bench->events[0] = '\0';
    bench->hash = 0;
    bench->connects = bench->publications = bench->drops = 0;
    return virtual_device_run(&bench->config, UINT32_MAX, &bench->end);
}

static uint64_t now(const struct bench *bench)
{
    const struct sim_world *world = virtual_world_table(bench->world);
    return world->now_ms(world->context);
}

static void said(const struct bench *bench, const char *text)
{
    if (strstr(bench->events, text) == NULL)
        fail_msg("nobody said \"%s\":\n%s", text, bench->events);
}

static void never_said(const struct bench *bench, const char *text)
{
    if (strstr(bench->events, text) != NULL)
        fail_msg("\"%s\" was said:\n%s", text, bench->events);
}

static void said_at_last(const struct bench *bench, const char *text)
{
    size_t length = strlen(bench->events);
    if (length < strlen(text) || strcmp(bench->events + length - strlen(text), text) != 0)
        fail_msg("the last words are not \"%s\":\n%s", text, bench->events);
}

/* ---- lives ------------------------------------------------------------------------------- */

static void boots_only(void **state)
{
    struct bench *bench = *state;
    bench->config.boot_only = true;
    assert_int_equal(run(bench), 0);
    assert_string_equal(bench->events, "boot 1.0.0 confirmed\nexit 0\n");
    assert_string_equal(bench->end.text, "1.0.0 boots, confirmed");
    assert_true(bench->end.good);
}

static void nothing_boots(void **state)
{
    struct bench *bench = *state;
    const uint8_t broken = 0;
    assert_int_equal(flash_sim_put(bench->sim, bench->device.primary.address, &broken, 1), 0);
    assert_int_equal(run(bench), 1);
    assert_string_equal(bench->events, "boot none no-image\nexit 1\n");
    assert_false(bench->end.good);
}

static void trial_is_confirmed_and_reported(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_GOOD);
    assert_int_equal(run(bench), 0);
    said(bench, "boot 2.0.0 trial test\napp good\n");
    said(bench, "confirmed 2.0.0\n");
    said_at_last(bench, "reported success\nstate leave\nstate idle\nidle ok\nexit 0\n");
    assert_int_equal(bench->drops, 1); /* at once, before anything else happens */
    assert_string_equal(bench->end.text, "updated: 2.0.0 runs, confirmed and reported");
    bench->config.boot_only = true;
    assert_int_equal(run(bench), 0);
    said(bench, "boot 2.0.0 confirmed\n");
}

static void crash_reverts(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_CRASHES);
    assert_int_equal(run(bench), 1);
    said(bench, "boot 2.0.0 trial test\napp crashes\nreset crash\nboot 1.0.0 confirmed revert\n"
                "app good\n");
    assert_true(now(bench) >= SIM_CRASH_PAUSE_MS);
    assert_string_equal(bench->end.text, "update failed: new image did not confirm and was "
                                         "reverted; 1.0.0 runs");
}

static void hang_is_silent_until_the_watchdog(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_HANGS);
    bench->config.once = false;
    assert_int_equal(virtual_device_run(&bench->config, bench->device.watchdog_ms - 1, &bench->end),
                     OTA_E_TIMEOUT);
    assert_string_equal(bench->events, "boot 2.0.0 trial test\napp hangs\n");
    assert_int_equal(now(bench), bench->device.watchdog_ms - 1);
}

static void watchdog_resets(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_HANGS);
    assert_int_equal(run(bench), 1);
    said(bench, "app hangs\nreset watchdog\nboot 1.0.0 confirmed revert\n");
    assert_true(now(bench) >= bench->device.watchdog_ms);
}

/* Nothing fed it, not even a loader with work. */
static void watchdog_is_exact(void **state)
{
    struct bench *bench = *state;
    put_image(bench, &bench->device.primary, 1, APP_HANGS);
    assert_int_equal(run(bench), 1);
    assert_int_equal(now(bench), SIM_MAX_CRASHES * bench->device.watchdog_ms +
                                     (SIM_MAX_CRASHES - 1) * SIM_CRASH_PAUSE_MS);
}

static void forgets_to_confirm(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_FORGETS);
    assert_int_equal(run(bench), 1);
    never_said(bench, "confirmed 2.0.0");
    assert_string_equal(bench->end.text,
                        "2.0.0 runs on trial and was not confirmed: the next boot reverts it");
}

/* It is not waited for until it looks for updates. */
static void forgetful_is_watched_for_a_second(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_FORGETS);
    bench->config.session.timing.initial_check = 60000;
    assert_int_equal(run(bench), 1);
    assert_int_equal(now(bench), 1000);
}

static void offline_gets_no_connection(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_OFFLINE);
    assert_int_equal(run(bench), 1);
    assert_int_equal(bench->connects, 1); /* v1's */
    said(bench, "app offline\n");
    said(bench, "reset selftest\nboot 1.0.0 confirmed revert\n");
}

static void nobody_at_the_broker(void **state)
{
    struct bench *bench = *state;
    bench->broker = false;
    assert_int_equal(run(bench), 1);
    said_at_last(bench, "idle connect\nexit 1\n");
    assert_string_equal(bench->end.text, "cannot connect to broker:1883: nobody there");
}

static void crash_loop_is_bounded(void **state)
{
    struct bench *bench = *state;
    put_image(bench, &bench->device.primary, 1, APP_CRASHES);
    assert_int_equal(run(bench), 1);
    unsigned resets = 0;
    for (const char *at = bench->events; (at = strstr(at, "reset crash\n")) != NULL; at++)
        resets++;
    assert_int_equal(resets, SIM_MAX_CRASHES);
    assert_int_equal(now(bench), (SIM_MAX_CRASHES - 1) * SIM_CRASH_PAUSE_MS);
    assert_string_equal(bench->end.text, "8 resets in a row and no application that stays up");
}

static void runs_until_it_is_freed(void **state)
{
    struct bench *bench = *state;
    bench->config.once = false;
    put_update(bench, APP_CRASHES);
    assert_int_equal(virtual_device_run(&bench->config, 60000, &bench->end), OTA_E_TIMEOUT);
    assert_int_equal(now(bench), 60000);
    assert_true(bench->connects > 10);
    said(bench, "reset crash");
    never_said(bench, "reset watchdog"); /* v2's is gone with v2 */
}

/* ---- power ------------------------------------------------------------------------------- */

static void cut_at_every_operation_of_the_swap(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_GOOD);
    bench->config.boot_only = true;
    struct flash_snapshot *before = flash_sim_snapshot(bench->sim);
    assert_int_equal(run(bench), 0);
    uint32_t operations = flash_sim_op_count(bench->sim);
    assert_true(operations > 10);
    for (uint32_t at = 0; at < operations; at++) {
        char words[64];
        flash_sim_restore(bench->sim, before);
        bench->cut_at = at;
        assert_int_equal(run(bench), SIM_CUT_EXIT);
        snprintf(words, sizeof words, "cut %u before\nexit 9\n", at);
        assert_string_equal(bench->events, words);
        assert_string_equal(bench->end.text, "");
        assert_int_equal(flash_sim_op_count(bench->sim), at + 1);
        bench->cut_at = NO_CUT;
        assert_int_equal(run(bench), 0);
        said(bench, "boot 2.0.0 trial");
    }
    flash_snapshot_free(bench->sim, before);
}

/* The agent was about to confirm: nothing that it would do next is done. */
static void cut_ends_the_agent_where_it_stands(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_GOOD);
    bench->on_confirm = true;
    bench->cut_tear = FLASH_TEAR_AFTER;
    assert_int_equal(run(bench), SIM_CUT_EXIT);
    said(bench, "state confirm\ncut ");
    said_at_last(bench, " after\nexit 9\n");
    never_said(bench, "confirmed 2.0.0");
    assert_int_equal(bench->publications, 0);
    assert_int_equal(bench->drops, 1);
    bench->on_confirm = false;
    bench->config.boot_only = true;
    assert_int_equal(run(bench), 0);
    said(bench, "boot 2.0.0 confirmed\n");
}

static void cut_that_does_not_fit_is_told(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_GOOD);
    bench->config.boot_only = true;
    bench->cut_at = 0;
    bench->cut_tear = FLASH_TEAR_FAULT; /* a part without code words */
    assert_int_equal(run(bench), 0);
    said(bench, "cut-misfit 0 fault\nboot 2.0.0 trial test\n");
}

static void flash_errors_are_the_loaders(void **state)
{
    struct bench *bench = *state;
    struct flash_failing failing;
    put_update(bench, APP_GOOD);
    struct flash_snapshot *before = flash_sim_snapshot(bench->sim);
    bench->config.boot_only = true;
    assert_int_equal(run(bench), 0);
    uint32_t operations = flash_sim_op_count(bench->sim);
    flash_failing_init(&failing, bench->sim);
    bench->config.flash = &failing.port;
    for (uint32_t at = 0; at < operations; at++) {
        flash_sim_restore(bench->sim, before);
        flash_failing_arm(&failing, at, FLASH_FAIL_ERROR);
        assert_int_equal(run(bench), 0); /* it tries again in the same boot */
        assert_true(failing.fired);
        assert_null(strstr(bench->events, "loader-error"));
        said(bench, "boot 2.0.0 trial");
    }
    assert_true(operations > 20);
    flash_snapshot_free(bench->sim, before);
}

static void counter_is_the_callers(void **state)
{
    struct bench *bench = *state;
    bench->config.boot_only = true;
    bench->device.use_counter = true;
    assert_int_equal(run(bench), 1); /* no image has one */
    said(bench, "boot none");
    assert_int_equal(bench->counter, 0);
}

/* ---- journal, verdicts ------------------------------------------------------------------- */

static void journals_compare(void **state)
{
    struct bench *bench = *state;
    put_update(bench, APP_CRASHES);
    struct flash_snapshot *before = flash_sim_snapshot(bench->sim);
    assert_int_equal(run(bench), 1);
    uint64_t hash = bench->hash;
    uint32_t operations = flash_sim_op_count(bench->sim);
    unsigned number;
    assert_int_equal(sscanf(bench->last_journal, "%u ", &number), 1);
    assert_int_equal(number, operations - 1); /* counted over the resets */
    flash_sim_restore(bench->sim, before);
    assert_int_equal(run(bench), 1);
    assert_true(bench->hash == hash);
    flash_sim_restore(bench->sim, before);
    put_image(bench, &bench->device.primary, 3, APP_GOOD);
    (void)run(bench);
    assert_true(bench->hash != hash);
    flash_snapshot_free(bench->sim, before);
}

static void verdicts_are_remembered(void **state)
{
    struct bench *bench = *state;
    struct crypto_counts first;
    struct crypto_counts second;
    bench->config.boot_only = true;
    bench->config.crypto = crypto_openssl_new(bench->sim, true);
    assert_non_null(bench->config.crypto);
    assert_int_equal(run(bench), 0);
    crypto_openssl_counts(bench->config.crypto, &first);
    assert_int_equal(first.hashes_computed, 1);
    assert_int_equal(run(bench), 0);
    crypto_openssl_counts(bench->config.crypto, &second);
    assert_int_equal(second.hashes, 2 * first.hashes);
    assert_int_equal(second.hashes_computed, 1);
    crypto_openssl_free(bench->config.crypto);
}

/* ---- several ----------------------------------------------------------------------------- */

static void on_ended(void *context, struct virtual_device *device, int code)
{
    struct bench *bench = context;
    const struct sim_world *world = virtual_world_table(bench->world);
    bench->code += code;
    assert_true(virtual_device_end(device)->text[0] != '\0' || code == SIM_CUT_EXIT);
    virtual_device_free(device);
    if (++bench->ended == 2)
        world->stop(world->context, 1);
}

static void two_live_in_one_world(void **state)
{
    struct bench *bench = *state;
    const struct sim_world *world = virtual_world_table(bench->world);
    struct flash_sim *other = flash_sim_memory(bench->device.chips, 1);
    struct virtual_device_config second = bench->config;
    put_update(bench, APP_CRASHES);
    second.sim = other; /* erased: nothing boots */
    assert_non_null(virtual_device_start(&bench->config, on_ended, bench));
    assert_non_null(virtual_device_start(&second, on_ended, bench));
    assert_string_equal(bench->events, ""); /* all of it in the world's run */
    assert_int_equal(world->run(world->context, UINT32_MAX), 1);
    assert_int_equal(bench->code, 2);
    said(bench, "boot none no-image\nexit 1\nreset crash\nboot 1.0.0 confirmed revert\n");
    said_at_last(bench, "exit 1\n");
    flash_sim_close(other);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(boots_only),
        CASE(nothing_boots),
        CASE(trial_is_confirmed_and_reported),
        CASE(crash_reverts),
        CASE(hang_is_silent_until_the_watchdog),
        CASE(watchdog_resets),
        CASE(watchdog_is_exact),
        CASE(forgets_to_confirm),
        CASE(forgetful_is_watched_for_a_second),
        CASE(offline_gets_no_connection),
        CASE(nobody_at_the_broker),
        CASE(crash_loop_is_bounded),
        CASE(runs_until_it_is_freed),
        CASE(cut_at_every_operation_of_the_swap),
        CASE(cut_ends_the_agent_where_it_stands),
        CASE(cut_that_does_not_fit_is_told),
        CASE(flash_errors_are_the_loaders),
        CASE(counter_is_the_callers),
        CASE(journals_compare),
        CASE(verdicts_are_remembered),
        CASE(two_live_in_one_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
