/* What counts as not begun, or as complete, must go on counting when others are torn after it. */
#include "harness/prove/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECTOR 256u
#define UNIT   8u
#define PLACES (SECTOR / UNIT)

/* A toy that writes a record of one unit into the next free place, twice a boot, and begins anew
 * when the sector is full. */
struct toy {
    struct flash_sim *sim;
    struct nb_machine machine;
    struct nb_search search;
    uint32_t counter;
    unsigned torn_most; /* so many torn records it bears; more, and it acts in another way */
    bool erases_first;  /* where something is torn it erases the only record that it has */
};

static bool is_whole(const uint8_t *unit)
{
    for (uint32_t i = 0; i < UNIT; i++)
        if (unit[i] != 0x11)
            return false;
    return true;
}

static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    static const uint8_t record[UNIT] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};
    const struct toy *toy = context;
    const struct flash_port *flash = seam->flash;
    uint8_t bytes[SECTOR];
    uint32_t next = 0;
    unsigned torn = 0;
    (void)action;
    if (flash->read(flash->context, 0, bytes, sizeof bytes) != 0)
        return;
    for (uint32_t i = 0; i < PLACES; i++) {
        bool erased = true;
        for (uint32_t j = 0; j < UNIT; j++)
            erased = erased && bytes[i * UNIT + j] == 0xFF;
        torn += !erased && !is_whole(bytes + i * UNIT);
        next = erased ? next : i + 1;
    }
    bool nothing = next == 0;
    int err = 0;
    if (next >= PLACES || (toy->erases_first && torn != 0)) {
        err = flash->erase(flash->context, 0);
        next = 0;
    }
    for (uint32_t i = 0; i < 2 && err == 0 && next + i < PLACES; i++)
        err = flash->program(flash->context, (next + i) * UNIT, record, UNIT);
    end->runs =
        torn > toy->torn_most || (toy->erases_first && nothing) ? NB_RUNS_NOTHING : NB_RUNS_OLD;
}

static void open_toy(struct toy *toy)
{
    static const struct flash_part part = {
        .name = "toy",
        .size = 2 * SECTOR,
        .runs = {{2, SECTOR}},
        .run_count = 1,
        .unit = UNIT,
        .erased = 0xFF,
        .programs = 1,
    };
    const struct flash_chip chip = {part, 0};
    toy->sim = flash_sim_memory(&chip, 1);
    assert_non_null(toy->sim);
    toy->machine = (struct nb_machine){.context = toy,
                                       .sim = toy->sim,
                                       .counter = &toy->counter,
                                       .to = SECTOR,
                                       .records_end = SECTOR,
                                       .run = run};
    toy->search = (struct nb_search){.machine = &toy->machine};
}

/* A record, and a torn one behind it: does it go on counting as the record alone? */
static bool goes_on(unsigned torn_most, bool erases_first, uint32_t walks)
{
    static const uint8_t record[UNIT] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};
    struct toy toy = {.torn_most = torn_most, .erases_first = erases_first};
    open_toy(&toy);
    toy.search.walks = walks;
    assert_int_equal(flash_sim_put(toy.sim, 0, record, UNIT), 0);
    struct nb_state like = {.phase = NB_PHASE_ASKED, .flash = flash_sim_snapshot(toy.sim)};
    toy.search.states = (struct nb_vector){&like, 1, 1};
    assert_int_equal(flash_sim_put(toy.sim, UNIT, record, UNIT / 2), 0);
    bool holds = nb_goes_on_counting(&toy.search, 0, 0, true);
    assert_false(toy.search.failed);
    flash_snapshot_free(toy.sim, like.flash);
    flash_sim_close(toy.sim);
    return holds;
}

static void test_goes_on(void **state)
{
    (void)state;
    assert_true(goes_on(PLACES, false, 0));
    assert_true(goes_on(PLACES, false, 1000));
}

/* One torn record acts as none; with the second or third it acts in another way. */
static void test_more_torn_ones(void **state)
{
    (void)state;
    assert_false(goes_on(1, false, 1000));
    assert_false(goes_on(2, false, 1000));
    assert_false(goes_on(5, false, 0)); /* the first walks are long */
    assert_true(goes_on(5, false, 1000));
}

/* It puts its record down again at once, so only a cut in between shows it. */
static void test_erased_first(void **state)
{
    (void)state;
    assert_false(goes_on(PLACES, true, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_more_torn_ones),
        cmocka_unit_test(test_erased_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
