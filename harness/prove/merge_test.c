/* Which state stands for another: same answers to the same questions, and all that is alive alike.
 */
#define SECTORS 5u
#define FROM    SECTOR /* the first sector is not the machine's */
#include "harness/prove/graph_rig.h"

/* Fills a chunk of the machine's window. */
static void put(struct bench *bench, uint32_t chunk, uint8_t byte)
{
    uint8_t bytes[NB_CHUNK];
    memset(bytes, byte, sizeof bytes);
    assert_int_equal(flash_sim_put(bench->sim, SECTOR + chunk * NB_CHUNK, bytes, sizeof bytes), 0);
}

/* The present flash as a state. */
static uint32_t add(struct bench *bench, uint32_t counter, uint8_t phase, uint64_t alive)
{
    struct nb_search *search = &bench->search;
    const struct nb_state found = {
        .print = search->states.count + 1, .counter = counter, .phase = phase, .parent = NB_NOBODY};
    uint32_t id = nb_add_state(search, &found);
    struct nb_state *state = nb_state_at(search, id);
    state->alive = calloc(search->words, sizeof *state->alive);
    assert_non_null(state->alive);
    state->alive[0] = alive;
    return id;
}

static uint64_t bit(uint32_t chunk)
{
    return UINT64_C(1) << chunk;
}

/* Each chunk counts by itself, where several that lie together differ, too. */
static void test_only_what_is_alive(void **state)
{
    struct bench *bench = *state;
    uint32_t ids[16];
    for (uint32_t i = 0; i < 16; i++)
        ids[i] = add(bench, 0, 0, bit(i));
    uint32_t all = add(bench, 0, 0, bit(16) - 1);
    uint32_t none = add(bench, 0, 0, 0);
    for (uint32_t i = 0; i < 16; i++)
        assert_true(nb_agrees(&bench->search, ids[i]));
    for (uint32_t i = 5; i < 9; i++)
        put(bench, i, 0x11);
    put(bench, 15, 0x22);
    for (uint32_t i = 0; i < 16; i++)
        assert_true(nb_agrees(&bench->search, ids[i]) == ((i < 5 || i > 8) && i != 15));
    assert_false(nb_agrees(&bench->search, all));
    assert_true(nb_agrees(&bench->search, none));
}

/* Flash that the machine is not said to use must be equal, alive or not. */
static void test_outside_of_the_window(void **state)
{
    struct bench *bench = *state;
    uint32_t id = add(bench, 0, 0, 0);
    const uint8_t byte = 0;
    assert_int_equal(flash_sim_put(bench->sim, 3, &byte, 1), 0);
    assert_false(nb_agrees(&bench->search, id));
}

/* The list of questions a state asked; then other flash, which asks for a state that stands for it.
 */
static void test_same_answers(void **state)
{
    static const struct nb_range asks[] = {{0, 1}, {4, 6}};
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    put(bench, 0, 0x10);
    put(bench, 4, 0x20);
    put(bench, 9, 0x30);
    uint32_t ran = add(bench, 7, 2, bit(0) | bit(4) | bit(9));
    nb_offer_stand_in(search, ran, asks, 2);
    put(bench, 12, 0x44); /* dead */
    assert_int_equal(nb_stand_in(search, add(bench, 7, 2, 0)), ran);
    assert_int_equal(nb_stand_in(search, add(bench, 8, 2, 0)), NB_NOBODY);
    assert_int_equal(nb_stand_in(search, add(bench, 7, 3, 0)), NB_NOBODY);
    put(bench, 9, 0x31); /* alive, and no boot asks for it before its first operation */
    assert_int_equal(nb_stand_in(search, add(bench, 7, 2, 0)), NB_NOBODY);
    put(bench, 9, 0x30);
    put(bench, 5, 0x21); /* another answer, of bytes that are dead */
    assert_int_equal(nb_stand_in(search, add(bench, 7, 2, 0)), NB_NOBODY);
    put(bench, 5, 0xFF);
    assert_int_equal(nb_stand_in(search, add(bench, 7, 2, 0)), ran);
    assert_false(search->failed);
}

/* Several with the same answers: the one that agrees is found, in whatever order they came. */
static void test_one_of_several(void **state)
{
    static const struct nb_range asks[] = {{0, 1}};
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    uint32_t ran[3];
    for (uint8_t i = 0; i < 3; i++) {
        put(bench, 9, i);
        ran[i] = add(bench, 0, 0, bit(0) | bit(9));
        nb_offer_stand_in(search, ran[i], asks, 1);
    }
    for (uint8_t i = 0; i < 3; i++) {
        put(bench, 9, i);
        assert_int_equal(nb_stand_in(search, add(bench, 0, 0, 0)), ran[i]);
    }
    put(bench, 9, 3);
    assert_int_equal(nb_stand_in(search, add(bench, 0, 0, 0)), NB_NOBODY);
}

/* A boot that got the same answers and asks something else is not as deterministic as it should be:
 * it stands for nobody. */
static void test_other_questions(void **state)
{
    static const struct nb_range asks[] = {{0, 1}};
    static const struct nb_range others[] = {{1, 2}};
    struct bench *bench = *state;
    struct nb_search *search = &bench->search;
    put(bench, 9, 1);
    uint32_t ran = add(bench, 0, 0, bit(9));
    nb_offer_stand_in(search, ran, asks, 1);
    put(bench, 9, 2);
    nb_offer_stand_in(search, add(bench, 0, 0, bit(9)), others, 1);
    assert_int_equal(nb_stand_in(search, add(bench, 0, 0, 0)), NB_NOBODY);
    put(bench, 9, 1);
    assert_int_equal(nb_stand_in(search, add(bench, 0, 0, 0)), ran);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_only_what_is_alive), CASE(test_outside_of_the_window), CASE(test_same_answers),
        CASE(test_one_of_several),     CASE(test_other_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
