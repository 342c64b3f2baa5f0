/* What makes a state the same state, and sets of chunks. */
#define SECTORS 4u
#define FROM    SECTOR /* the first sector is not the machine's */
#include "harness/prove/graph_rig.h"

/* Flash, counter and phase, and nothing else. */
static void test_same_state(void **state)
{
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    const struct nb_state found = {.print = 9, .counter = 1, .phase = 2, .parent = NB_NOBODY};
    struct nb_state other = found;
    uint32_t id = nb_add_state(search, &found);
    other.op = 5;
    other.tear = FLASH_TEAR_HALF;
    assert_int_equal(nb_add_state(search, &other), id);
    other = found;
    other.print = 10;
    assert_int_not_equal(nb_add_state(search, &other), id);
    other = found;
    other.counter = 2;
    assert_int_not_equal(nb_add_state(search, &other), id);
    other = found;
    other.phase = 3;
    assert_int_not_equal(nb_add_state(search, &other), id);
    assert_int_equal(search->states.count, 4);
}

/* Also when the keys of all of them fall on one place of the table, and when it grows. */
static void test_many_states(void **state)
{
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 3000; i++) {
            const struct nb_state found = {
                .print = i % 10, .counter = i / 10 % 50, .phase = (uint8_t)(i / 500)};
            assert_int_equal(nb_add_state(search, &found), i);
        }
}

/* The way with the fewest cuts is kept, and a state that waits is looked at after so many. */
static void test_fewest_cuts(void **state)
{
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    struct nb_state found = {.print = 9, .depth = 3, .op = 30, .parent = NB_NOBODY};
    uint32_t id = nb_add_state(search, &found);
    found.depth = 4;
    found.op = 40;
    nb_add_state(search, &found);
    assert_int_equal(nb_state_at(search, id)->op, 30);
    found.depth = 1;
    found.op = 10;
    nb_add_state(search, &found);
    assert_int_equal(nb_state_at(search, id)->depth, 1);
    assert_int_equal(nb_state_at(search, id)->op, 10);
    assert_int_equal(search->queues[3].count, 1);
    assert_int_equal(search->queues[4].count, 0);
    assert_int_equal(search->queues[1].count, 1);
    assert_int_equal(search->queues[1].ids[0], id);
}

/* A read touches a chunk with one byte, an erase must cover it; what lies outside counts for none.
 */
static void test_chunks_of(void **state)
{
    static const struct {
        uint32_t address, length;
        struct nb_range touched, covered;
    } rows[] = {
        {FROM, 64, {0, 1}, {0, 1}},        {FROM + 63, 2, {0, 2}, {0, 0}},
        {FROM + 1, 64, {0, 2}, {0, 0}},    {FROM + 1, 127, {0, 2}, {1, 2}},
        {FROM + 10, 200, {0, 4}, {1, 3}},  {FROM - 10, 74, {0, 1}, {0, 1}},
        {0, FROM, {0, 0}, {0, 0}},         {4 * SECTOR - 1, 100, {11, 12}, {0, 0}},
        {4 * SECTOR, 4, {0, 0}, {0, 0}},   {FROM + 64, 0, {0, 0}, {0, 0}},
        {0, UINT32_MAX, {0, 12}, {0, 12}},
    };
    const struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_range touched =
            nb_chunks_of(&bench->search, rows[i].address, rows[i].length, false);
        struct nb_range covered =
            nb_chunks_of(&bench->search, rows[i].address, rows[i].length, true);
        assert_memory_equal(&touched, &rows[i].touched, sizeof touched);
        assert_memory_equal(&covered, &rows[i].covered, sizeof covered);
    }
}

/* Across the words of a set. */
static void test_sets(void **state)
{
    uint64_t set[3] = {0};
    (void)state;
    assert_true(nb_chunks_add(set, (struct nb_range){62, 130}));
    assert_false(nb_chunks_add(set, (struct nb_range){64, 128}));
    assert_true(set[0] == UINT64_C(3) << 62 && set[1] == UINT64_MAX && set[2] == 3);
    nb_chunks_remove(set, (struct nb_range){63, 129});
    assert_true(set[0] == UINT64_C(1) << 62 && set[1] == 0 && set[2] == 2);
    assert_true(nb_chunks_meet(set, (struct nb_range){0, 63}));
    assert_false(nb_chunks_meet(set, (struct nb_range){63, 129}));
    assert_true(nb_chunks_meet(set, (struct nb_range){63, 130}));
    assert_false(nb_chunks_meet(set, (struct nb_range){62, 62}));
    assert_true(nb_chunks_add(set, (struct nb_range){62, 64}));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_same_state), CASE(test_many_states),      CASE(test_fewest_cuts),
        CASE(test_chunks_of),  cmocka_unit_test(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
