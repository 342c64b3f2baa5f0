/* Whole lives: what a life depends on, and what `prove` says of updates. */
#include "harness/prove/life.h"
#include "harness/prove/lives.h"
#include "harness/prove/play_rig.h"

#define HEAD                                                                                       \
    "title T\nreq STOR-02\nsystem anycloud\ndevice anycloud-small-rows\n"                          \
    "flash slot0 v1 size=1K\ncloud offer v2 size=5K\n"
#define PROVE "prove boot v1|v2\n"
#define HARMONY                                                                                    \
    "title T\nreq STOR-02\nsystem harmony\ndevice harmony-small-rows\n"                            \
    "flash slot0 v1 size=4K\ncloud offer v2 size=5K\n"

static struct nb_cell cell_of(const char *via, const char *data)
{
    struct nb_cell cell = {.kit = kit, .tears = NB_TEARS_PREFIX, .hash = true};
    snprintf(cell.world, sizeof cell.world, "virtual");
    snprintf(cell.device, sizeof cell.device, "anycloud-small-rows");
    snprintf(cell.via, sizeof cell.via, "%s", via);
    snprintf(cell.data, sizeof cell.data, "%s", data);
    return cell;
}

static struct nb_outcome *prove(const char *text, struct nb_cell *cell)
{
    return play_text(nb_virtual_run, text, cell, 0);
}

/* ---- lives ------------------------------------------------------------------------------- */

/* The flash journal of a device that is cut and goes on, while everything around it stays as it is:
 * the same broker, cloud side and clock. */
static uint64_t in_one_world(const char *head, const struct nb_cell *cell, uint32_t op,
                             const char *word)
{
    char text[512];
    struct nb_script script;
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    snprintf(text, sizeof text, "%s@flash:%u cut %s\ndevice check\ndevice check\n%s", head, op,
             word, "until stable boot v1|v2\n");
    parse(text, &script);
    struct nb_virtual *virtual = nb_virtual_new(&script, cell);
    assert_non_null(virtual);
    nb_virtual_play(virtual, NULL, outcome);
    assert_int_equal(outcome->verdict, NB_PASS);
    uint64_t hash = nb_virtual_flash_hash(virtual);
    nb_virtual_free(virtual);
    nb_script_free(&script);
    free(outcome);
    return hash;
}

/* The same with everything around it made anew for each life, as a search does it. */
static uint64_t in_new_worlds(const char *head, const struct nb_cell *cell, uint32_t op,
                              enum flash_tear tear)
{
    char text[512];
    const struct nb_cut cuts[] = {{.op = op, .tear = tear, .action = NB_ACTION_LIFE},
                                  {.tear = FLASH_TEAR_NONE, .action = NB_ACTION_LIFE}};
    struct nb_script script;
    struct nb_outcome outcome = {0};
    struct nb_life_machine life;
    char reason[NB_LINE];
    snprintf(text, sizeof text, "%s" PROVE, head);
    parse(text, &script);
    struct nb_virtual *virtual = nb_virtual_new(&script, cell);
    assert_non_null(virtual);
    assert_true(nb_virtual_prepare(virtual, &outcome));
    assert_int_equal(nb_life_open(&life, virtual, &script, reason), 0);
    for (size_t i = 0; i < 2; i++) {
        struct nb_end end;
        nb_life_play(&life, &cuts[i], &end);
        assert_true(life.is_cut == (i == 0));
        assert_null(end.wrong);
    }
    uint64_t hash = nb_virtual_flash_hash(virtual);
    nb_life_close(&life);
    nb_virtual_free(virtual);
    nb_script_free(&script);
    return hash;
}

static void cuts_in_both(const char *head, const struct nb_cell *cell)
{
    uint64_t last = 0;
    for (uint32_t op = 0; op < 60; op += 5) {
        uint64_t hash = in_new_worlds(head, cell, op, FLASH_TEAR_AFTER);
        assert_true(hash == in_one_world(head, cell, op, "after"));
        assert_true(hash != last);
        last = hash;
        assert_true(in_new_worlds(head, cell, op, FLASH_TEAR_BEFORE) ==
                    in_one_world(head, cell, op, "before"));
    }
}

static void a_life_depends_on_its_state_alone(void **state)
{
    static const char *const links[] = {"mqtt", "http"};
    (void)state;
    for (size_t via = 0; via < 2; via++) {
        for (size_t data = 0; data < 2; data++) {
            struct nb_cell cell = cell_of(links[via], links[data]);
            cuts_in_both(HEAD, &cell);
        }
    }
}

static struct nb_cell harmony_cell(void)
{
    struct nb_cell cell = cell_of("http", "http");
    snprintf(cell.device, sizeof cell.device, "harmony-small-rows");
    return cell;
}

static void so_does_one_with_a_store(void **state)
{
    (void)state;
    struct nb_cell cell = harmony_cell();
    cuts_in_both(HARMONY, &cell);
}

struct looks {
    uint32_t address;
    uint32_t length;
    unsigned count;
};

static void note_look(void *context, uint32_t address, uint32_t length)
{
    struct looks *looks = context;
    looks->count += looks->address == address && looks->length == length;
}

/* A digest that is remembered is no read of the device's port: the search must hear of it. */
static void digests_are_looks(void **state)
{
    static const struct anycloud_memory nothing;
    (void)state;
    struct nb_cell cell = cell_of("mqtt", "mqtt");
    struct nb_script script;
    struct nb_outcome outcome = {0};
    parse(HEAD PROVE, &script);
    struct nb_virtual *virtual = nb_virtual_new(&script, &cell);
    assert_non_null(virtual);
    assert_true(nb_virtual_prepare(virtual, &outcome));
    struct looks looks = {.address = nb_virtual_device(virtual)->secondary.address,
                          .length = 0x400 + 5 * 1024}; /* header and payload are hashed */
    const struct nb_life life = {.remember = &nothing, .looked = note_look, .context = &looks};
    int code;
    bool fired;
    assert_int_equal(nb_virtual_live(virtual, &life, &outcome, &code, &fired), 0);
    assert_int_equal(code, 0);
    assert_true(looks.count > 0);
    nb_virtual_free(virtual);
    nb_script_free(&script);
}

/* ---- verdicts ---------------------------------------------------------------------------- */

static void masked_as_unmasked(void **state)
{
    static const struct {
        const char *offer;
        const char *demand;
        enum nb_verdict verdict;
    } rows[] = {
        {"", "prove boot v1|v2\nuntil stable boot v2\nuntil reported success\n", NB_PASS},
        {"", "prove boot v1|v2\nuntil stable boot v1\n", NB_FAIL},
        {"", "prove boot v1\n", NB_FAIL},
        {"", "prove boot v1|v2\nuntil reported failure\n", NB_FAIL},
        {" key=other", "prove boot v1\nuntil reported failure\n", NB_PASS},
        {" key=other", "prove boot v1\nuntil reported success\n", NB_FAIL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_cell cell = cell_of("mqtt", "http");
        char text[512];
        snprintf(text, sizeof text,
                 "title T\nreq STOR-02\nsystem anycloud\nflash slot0 v1 size=1K\n"
                 "cloud offer v2 size=1K%s\n%s",
                 rows[i].offer, rows[i].demand);
        cell.tears = NB_TEARS_NONE;
        struct nb_outcome *masked = prove(text, &cell);
        cell.unmasked = true;
        struct nb_outcome *plain = prove(text, &cell);
        assert_int_equal(masked->verdict, rows[i].verdict);
        assert_int_equal(plain->verdict, rows[i].verdict);
        assert_string_equal(masked->reason, plain->reason);
        assert_int_equal(masked->proof.rests, plain->proof.rests);
        assert_true(masked->proof.states <= plain->proof.states);
        assert_true(masked->proof.depth > 1 || rows[i].verdict == NB_FAIL);
        free(masked);
        free(plain);
    }
}

/* Harmony is told nothing of results: rest is what runs. */
static void a_store_is_proved_without_reports(void **state)
{
    static const struct {
        const char *demand;
        enum nb_verdict verdict;
    } rows[] = {
        {"prove boot v1|v2\nuntil stable boot v1|v2\n", NB_PASS},
        {"prove boot v1|v2\nuntil stable boot v1\n", NB_FAIL},
        {"prove boot v1\n", NB_FAIL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_cell cell = harmony_cell();
        char text[512];
        snprintf(text, sizeof text, HARMONY "%s", rows[i].demand);
        cell.tears = NB_TEARS_NONE;
        struct nb_outcome *outcome = prove(text, &cell);
        assert_int_equal(outcome->verdict, rows[i].verdict);
        assert_true(outcome->proof.closed == (rows[i].verdict == NB_PASS));
        free(outcome);
    }
}

static void faults_strike_in_each_life(void **state)
{
    static const struct {
        const char *fault;
        enum nb_verdict verdict;
    } rows[] = {
        {"@chunk:1 drop\n", NB_PASS},
        {"@chunk:1 corrupt\n", NB_PASS},
        {"@body:40% net reset\n", NB_PASS},
        {"@chunk:9 drop\n", NB_VACUOUS},
    };
    (void)state;
    struct nb_cell cell = cell_of("mqtt", "mqtt");
    struct nb_outcome *none = prove(HEAD PROVE "until stable boot v2\n", &cell);
    assert_int_equal(none->verdict, NB_PASS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "%s" PROVE "until stable boot v2\n", rows[i].fault);
        struct nb_outcome *outcome = prove(text, &cell);
        assert_int_equal(outcome->verdict, rows[i].verdict);
        assert_true(outcome->proof.closed);
        assert_true(outcome->proof.states > none->proof.states);
        free(outcome);
    }
    free(none);
}

static void a_failure_is_a_chain_that_repeats(void **state)
{
    (void)state;
    struct nb_cell cell = cell_of("mqtt", "mqtt");
    const char *text = HEAD PROVE "until stable boot v1\n";
    struct nb_outcome *found = prove(text, &cell);
    assert_int_equal(found->verdict, NB_FAIL);
    assert_true(found->story_count > 3);
    assert_true(found->proof.chain_length > 0);
    memcpy(cell.cuts, found->proof.chain, sizeof cell.cuts);
    cell.cut_count = found->proof.chain_length;
    struct nb_outcome *repeated = prove(text, &cell);
    assert_int_equal(repeated->verdict, NB_FAIL);
    assert_non_null(strstr(repeated->reason, "the new image stays, and must not"));
    cell.cuts[0] = (struct nb_cut){.op = 9999, .tear = FLASH_TEAR_HALF, .action = NB_ACTION_LIFE};
    cell.cut_count = 1;
    struct nb_outcome *missed = prove(text, &cell);
    assert_int_equal(missed->verdict, NB_VACUOUS);
    free(found);
    free(repeated);
    free(missed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_depends_on_its_state_alone),
        cmocka_unit_test(so_does_one_with_a_store),
        cmocka_unit_test(digests_are_looks),
        cmocka_unit_test(masked_as_unmasked),
        cmocka_unit_test(a_store_is_proved_without_reports),
        cmocka_unit_test(faults_strike_in_each_life),
        cmocka_unit_test(a_failure_is_a_chain_that_repeats),
    };
    return cmocka_run_group_tests(tests, kit_rig_set_up, kit_rig_tear_down);
}
