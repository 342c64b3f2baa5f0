#include "agent/update/harmony_rig.h"
#include "sim/sysota.h"
#include "sim/systems.h"

struct bench {
    struct rig *rig;
    struct sim_life_ports ports;
    struct sim_life_config config;
    struct sim_life life;
    char printed[2000];
};

static void print(void *context, const char *line)
{
    struct bench *bench = context;
    size_t length = strlen(bench->printed);
    snprintf(bench->printed + length, sizeof bench->printed - length, "%s\n", line);
}

static void type(struct bench *bench, const char *line)
{
    bench->printed[0] = '\0';
    sim_sysota(&bench->life, line, print, bench);
}

/* A line that begins so is in the answer. */
static void answers(struct bench *bench, const char *line)
{
    const char *at = strstr(bench->printed, line);
    if (at == NULL || (at != bench->printed && at[-1] != '\n'))
        fail_msg("no \"%s\" in:\n%s", line, bench->printed);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    const struct ota_service_config switches = {
        .auto_update = true, .auto_reset = true, .periodic = true};
    struct sim_life *life = &bench->life;
    bench->rig = harmony_rig_new();
    bench->ports.server = (struct sim_link){.host = "127.0.0.1", .port = 8000};
    life->config = &bench->config;
    life->ports = &bench->ports;
    life->system = sim_system_find("harmony");
    life->stored.config = harmony_stored.config;
    struct ota_config agent = bench->rig->config;
    agent.notify = NULL;
    life->system->service->begin(&life->service, &switches, &life->app.agent, &agent);
    assert_int_equal(ota_init(&life->app.agent, &agent, &bench->rig->ports), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    rig_free(bench->rig);
    free(bench);
    return 0;
}

static void switches_are_set_and_shown(void **state)
{
    struct bench *bench = *state;
    type(bench, "sysota get info");
    answers(bench, "status        3 waiting-for-period\n");
    answers(bench, "service       6 wait-timer\n");
    answers(bench, "core          idle\n");
    answers(bench, "url           http://127.0.0.1:8000/ota.json\n");
    answers(bench, "periodic      1\n");
    answers(bench, "interval      86400\n");
    type(bench, "sysota set 0 0 0 60 https://fw.example.com:8443/d/ota.json");
    answers(bench, "sysota set: ok\n");
    assert_true(bench->life.app.agent.config.stay_after_complete);
    type(bench, "sysota  get\tinfo\r");
    answers(bench, "status        0 idle\n");
    answers(bench, "service       16 idle\n");
    answers(bench, "url           https://fw.example.com:8443/d/ota.json\n");
    answers(bench, "periodic      0\n");
    answers(bench, "interval      60\n");
    answers(bench, "auto reset    0\n");
    answers(bench, "auto update   0\n");
    type(bench, "sysota set 1"); /* fewer from the right: the others stay */
    type(bench, "sysota get info");
    answers(bench, "periodic      1\n");
    answers(bench, "interval      60\n");
    answers(bench, "auto reset    0\n");
    assert_int_equal(bench->rig->armed, 60000); /* the timer starts at once */
}

static void the_next_check_goes_where_it_was_told(void **state)
{
    struct bench *bench = *state;
    type(bench, "sysota set 1 1 1 60 http://h:81/m.json");
    type(bench, "sysota check");
    assert_string_equal(bench->printed, "");
    rig_expect(bench->rig, "> get h:81/m.json 0-");
    type(bench, "sysota get info");
    answers(bench, "service       18 connect\n"); /* nobody tells the service here */
    type(bench, "sysota initiate");
    answers(bench, "sysota initiate: not possible in the present state\n");
    type(bench, "sysota getfs info");
    answers(bench, "sysota getfs: a session is under way\n");
}

static void the_store_is_shown(void **state)
{
    struct bench *bench = *state;
    type(bench, "sysota getfs info");
    answers(bench, "name                             status  version   digest\n");
    answers(bench, "factory.bin                      F8      1         ");
}

/* All or nothing: what is wrong is named, and nothing is changed. */
static void what_is_wrong_is_named(void **state)
{
    static const char *const rows[][2] = {
        {"sysota set", "sysota set: PERIODIC"},
        {"sysota set 2", "sysota set: periodic is 0 or 1, not 2\n"},
        {"sysota set 0 yes", "sysota set: auto reset is 0 or 1, not yes\n"},
        {"sysota set 0 0 10", "sysota set: auto update is 0 or 1, not 10\n"},
        {"sysota set 0 0 0 0", "sysota set: the interval is 1 to 7200 seconds, not 0\n"},
        {"sysota set 0 0 0 7201", "sysota set: the interval is 1 to 7200 seconds, not 7201\n"},
        {"sysota set 0 0 0 1 ftp://h/", "sysota set: ftp://h/: not supported"},
        {"sysota set factory sign AA==", "sysota set: the factory signs its image"},
        {"sysota reset", "sysota reset: no image waits for a reset\n"},
        {"sysota rollback", "sysota rollback: the factory image runs: there is none behind it\n"},
        {"sysota", "sysota set PERIODIC"},
        {"sysotahelp", "sysota set PERIODIC"},
        {"sysota get", "sysota set PERIODIC"},
        {"sysota fly", "sysota: no such command: fly\n"},
        {"reboot", "no such command: reboot (sysota help)\n"},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        type(bench, rows[i][0]);
        answers(bench, rows[i][1]);
    }
    type(bench, " ");
    assert_string_equal(bench->printed, "");
    assert_true(bench->life.service.config.periodic && bench->life.service.config.auto_reset);
    bench->life.system = sim_system_find("anycloud");
    type(bench, "sysota get info");
    answers(bench, "this device has no such console\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(switches_are_set_and_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_check_goes_where_it_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_store_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
