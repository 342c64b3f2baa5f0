/* Two boots act alike when all that they do, and where they end, is alike. */
#include "harness/prove/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SECTOR 256u

/* What the machine does in one run. */
struct acts {
    uint32_t counter;
    uint32_t raised; /* the counter's value at the end */
    uint32_t erased;
    uint32_t programmed;
    uint8_t byte;
    unsigned repeats; /* of the program, unit after unit */
    struct nb_end end;
    unsigned done; /* programs that the flash took */
};

static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    struct acts *acts = context;
    const struct flash_port *flash = seam->flash;
    uint8_t data[12];
    uint8_t seen[8];
    (void)action;
    memset(data, 0x40, sizeof data);
    data[11] = acts->byte;
    int err = flash->read(flash->context, 0, seen, sizeof seen);
    if (err == 0)
        err = flash->erase(flash->context, acts->erased);
    for (unsigned i = 0; err == 0 && i < acts->repeats; i++) {
        err = flash->program(flash->context, acts->programmed + i * 12, data, sizeof data);
        acts->done += err == 0;
    }
    acts->counter = acts->raised;
    *end = acts->end;
}

/* The number of one run from erased flash. */
static uint64_t number_of(struct acts *acts, uint32_t max_ops)
{
    static const struct flash_part part = {
        .name = "toy",
        .size = 4 * SECTOR,
        .runs = {{4, SECTOR}},
        .run_count = 1,
        .unit = 4,
        .erased = 0xFF,
        .programs = 1,
    };
    const struct flash_chip chip = {part, 0};
    const struct nb_state state = {.counter = 3, .phase = NB_PHASE_ASKED};
    struct nb_machine machine = {
        .context = acts, .counter = &acts->counter, .to = 4 * SECTOR, .run = run};
    struct nb_search search = {.machine = &machine, .options = {.max_ops = max_ops}};
    machine.sim = flash_sim_memory(&chip, 1);
    assert_non_null(machine.sim);
    acts->done = 0;
    uint64_t number = nb_acts(&search, &state, NULL);
    assert_int_equal(search.states.count, 0);
    flash_sim_close(machine.sim);
    return number;
}

static const struct acts usual = {.raised = 3,
                                  .erased = SECTOR,
                                  .programmed = 2 * SECTOR,
                                  .byte = 0x11,
                                  .repeats = 2,
                                  .end = {.runs = NB_RUNS_OLD}};

static void test_alike(void **state)
{
    struct acts one = usual;
    struct acts other = usual;
    (void)state;
    assert_true(number_of(&one, 0) == number_of(&other, 0));
    assert_int_equal(one.done, 2);
}

/* A difference in any one thing is one, down to the last byte. */
static void test_each_difference(void **state)
{
    struct acts others[9];
    (void)state;
    for (size_t i = 0; i < 9; i++)
        others[i] = usual;
    others[0].byte = 0x12;
    others[1].programmed += 4;
    others[2].erased = 0;
    others[3].repeats = 1;
    others[4].raised = 4;
    others[5].end.runs = NB_RUNS_NEW;
    others[6].end.trial = true;
    others[7].end.refused = true;
    others[8].repeats = 0;
    struct acts first = usual;
    uint64_t number = number_of(&first, 0);
    for (size_t i = 0; i < 9; i++)
        if (number_of(&others[i], 0) == number)
            fail_msg("difference %zu is none", i);
}

/* A run that goes on and on is stopped. */
static void test_stopped(void **state)
{
    struct acts acts = usual;
    (void)state;
    acts.repeats = 20;
    number_of(&acts, 4);
    assert_int_equal(acts.done, 3); /* the erase was one */
}

/* Programs of nothing but entries. */
static void test_writes_entry(void **state)
{
    struct nb_machine machine = {.entries = 512, .entries_end = 640};
    const struct nb_search search = {.machine = &machine};
    struct flash_op op = {.kind = FLASH_OP_PROGRAM, .address = 512, .length = 128};
    (void)state;
    assert_true(nb_writes_entry(&search, &op));
    op.length = 129;
    assert_false(nb_writes_entry(&search, &op));
    op = (struct flash_op){.kind = FLASH_OP_PROGRAM, .address = 508, .length = 8};
    assert_false(nb_writes_entry(&search, &op));
    op = (struct flash_op){.kind = FLASH_OP_ERASE, .address = 512, .length = 128};
    assert_false(nb_writes_entry(&search, &op));
    machine.entries = machine.entries_end = 0;
    op = (struct flash_op){.kind = FLASH_OP_PROGRAM, .address = 0, .length = 8};
    assert_false(nb_writes_entry(&search, &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_each_difference),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_writes_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
