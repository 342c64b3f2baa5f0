/* What is alive, on graphs made by hand: each way in which a later boot may read is followed, and
 * nothing else is. */
#define SECTORS 4u
#define FROM    0u
#include "harness/prove/graph_rig.h"

static uint64_t bit(uint32_t chunk)
{
    return UINT64_C(1) << chunk;
}

/* A state that ran, and itself reads `alive`. */
static uint32_t add_state(struct bench *bench, uint64_t alive)
{
    struct nb_search *search = &bench->search;
    const struct nb_state found = {.print = search->states.count + 1, .parent = NB_NOBODY};
    uint32_t id = nb_add_state(search, &found);
    struct nb_state *state = nb_state_at(search, id);
    state->status = NB_RAN;
    state->alive = calloc(search->words, sizeof *state->alive);
    assert_non_null(state->alive);
    state->alive[0] = alive;
    return id;
}

static uint32_t add_op(struct bench *bench, enum flash_op_kind kind, uint32_t chunk,
                       uint32_t before, uint32_t after)
{
    const struct nb_op op = {
        .key = bench->search.ops.count + 1,
        .kind = kind,
        .address = chunk * NB_CHUNK,
        .length = kind == FLASH_OP_ERASE ? SECTOR : NB_CHUNK,
        .before = before,
        .after = after,
        .links = NB_NOBODY,
    };
    return nb_add_op(&bench->search, &op);
}

static void link_to(struct bench *bench, uint32_t *head, uint32_t op, uint32_t first,
                    uint32_t second)
{
    const struct nb_link link = {.op = op, .ends = {first, second}};
    nb_add_link(&bench->search, head, &link, NULL, 0);
}

static uint64_t alive_of_op(const struct bench *bench, uint32_t op)
{
    return nb_op_at(&bench->search, op)->alive[0];
}

static uint64_t alive_of_state(const struct bench *bench, uint32_t id)
{
    return nb_state_at(&bench->search, id)->alive[0];
}

static void find(struct bench *bench)
{
    assert_int_equal(nb_find_alive(&bench->search), 0);
    assert_false(bench->search.failed);
}

/* A cut beside the operation leaves the state before it or the one after it. */
static void test_clean_cuts(void **state)
{
    struct bench *bench = *state;
    uint32_t before = add_state(bench, bit(9));
    uint32_t after = add_state(bench, bit(10));
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 0, before, after);
    find(bench);
    assert_true(alive_of_op(bench, program) == (bit(0) | bit(9) | bit(10)));
    assert_true(alive_of_state(bench, after) == bit(10)); /* and nothing flows back */
}

/* What the erase erases whole, nobody behind it reads; the state before it may. */
static void test_erase_ends_life(void **state)
{
    struct bench *bench = *state;
    uint32_t before = add_state(bench, bit(4));
    uint32_t after = add_state(bench, bit(3) | bit(5) | bit(7) | bit(8));
    uint32_t erase = add_op(bench, FLASH_OP_ERASE, 4, before, after);
    find(bench);
    assert_true(alive_of_op(bench, erase) == (bit(3) | bit(4) | bit(8)));
}

/* … nor does the run itself, after the erase: what its next operation needs. */
static void test_erase_in_the_run(void **state)
{
    struct bench *bench = *state;
    uint32_t nobody = add_state(bench, 0);
    uint32_t erase = add_op(bench, FLASH_OP_ERASE, 4, nobody, nobody);
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 5, nobody, nobody);
    uint32_t other = add_op(bench, FLASH_OP_PROGRAM, 9, nobody, nobody);
    link_to(bench, &nb_op_at(&bench->search, erase)->links, program, NB_NOBODY, NB_NOBODY);
    link_to(bench, &nb_op_at(&bench->search, program)->links, other, NB_NOBODY, NB_NOBODY);
    find(bench);
    assert_true(alive_of_op(bench, program) == (bit(5) | bit(9)));
    assert_true(alive_of_op(bench, erase) == bit(9));
}

/* A program is allowed on some content only, and so it reads; it ends the life of nothing. */
static void test_program_reads(void **state)
{
    struct bench *bench = *state;
    uint32_t before = add_state(bench, 0);
    uint32_t after = add_state(bench, bit(2));
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 2, before, after);
    uint32_t next = add_op(bench, FLASH_OP_PROGRAM, 1, before, after);
    find(bench);
    assert_true(alive_of_op(bench, program) == bit(2));
    assert_true(alive_of_op(bench, next) == (bit(1) | bit(2)));
}

/* A torn erase has ended the life of what it has erased, and of no more. */
static void test_torn_outcomes(void **state)
{
    struct bench *bench = *state;
    uint32_t nobody = add_state(bench, 0);
    const struct nb_edge torn[] = {
        {.state = add_state(bench, bit(5) | bit(6)), .gone = {4, 6}},
        {.state = add_state(bench, bit(7)), .gone = {0, 0}},
        {.state = add_state(bench, bit(12)), .gone = {6, 8}},
    };
    uint32_t erase = add_op(bench, FLASH_OP_ERASE, 4, nobody, nobody);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        struct nb_edge *edge = nb_grow(&bench->search, &bench->search.edges, sizeof *edge);
        assert_non_null(edge);
        *edge = torn[i];
    }
    nb_op_at(&bench->search, erase)->edge_count = sizeof torn / sizeof torn[0];
    find(bench);
    assert_true(alive_of_op(bench, erase) == (bit(6) | bit(7) | bit(12)));
}

/* What a run reads behind an operation, and both of its ends. */
static void test_links(void **state)
{
    struct bench *bench = *state;
    const struct nb_range reads[] = {{1, 3}, {14, 16}};
    uint32_t nobody = add_state(bench, 0);
    uint32_t ends[] = {add_state(bench, bit(6)), add_state(bench, bit(7))};
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 0, nobody, nobody);
    const struct nb_link link = {.op = NB_NOBODY, .ends = {ends[0], ends[1]}};
    nb_add_link(&bench->search, &nb_op_at(&bench->search, program)->links, &link, reads, 2);
    find(bench);
    assert_true(alive_of_op(bench, program) ==
                (bit(0) | bit(1) | bit(2) | bit(6) | bit(7) | bit(14) | bit(15)));
}

/* A state's own run goes on with its operations, and so with all that follows. */
static void test_states_follow_their_runs(void **state)
{
    struct bench *bench = *state;
    uint32_t begin = add_state(bench, bit(0));
    uint32_t end = add_state(bench, bit(11));
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 3, begin, end);
    link_to(bench, &nb_state_at(&bench->search, begin)->links, program, NB_NOBODY, NB_NOBODY);
    find(bench);
    assert_true(alive_of_state(bench, begin) == (bit(0) | bit(3) | bit(11)));
}

/* Where another state stands for one, its life counts; where none ran yet, none does. */
static void test_stand_ins(void **state)
{
    struct bench *bench = *state;
    uint32_t nobody = add_state(bench, 0);
    uint32_t other = add_state(bench, bit(13));
    uint32_t merged = add_state(bench, bit(8));
    uint32_t waiting = add_state(bench, 0);
    nb_state_at(&bench->search, merged)->status = NB_MERGED;
    nb_state_at(&bench->search, merged)->stands = other;
    nb_state_at(&bench->search, waiting)->status = NB_WAITING;
    free(nb_state_at(&bench->search, waiting)->alive);
    nb_state_at(&bench->search, waiting)->alive = NULL;
    uint32_t program = add_op(bench, FLASH_OP_PROGRAM, 0, nobody, merged);
    uint32_t next = add_op(bench, FLASH_OP_PROGRAM, 1, waiting, nobody);
    find(bench);
    assert_true(alive_of_op(bench, program) == (bit(0) | bit(13)));
    assert_true(alive_of_op(bench, next) == bit(1));
}

/* Life goes around in circles, whichever way they were found: each learns of all the others. */
static void test_fixpoint(void **state)
{
    enum { COUNT = 6 };
    struct bench *bench = *state;
    for (uint32_t i = 0; i < COUNT; i++)
        add_state(bench, bit(i));
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t program = add_op(bench, FLASH_OP_PROGRAM, i, i, (i + COUNT - 1) % COUNT);
        link_to(bench, &nb_state_at(&bench->search, i)->links, program, NB_NOBODY, NB_NOBODY);
    }
    find(bench);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(alive_of_state(bench, i) == bit(COUNT) - 1);
        assert_true(alive_of_op(bench, i) == bit(COUNT) - 1);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_clean_cuts),
        CASE(test_erase_ends_life),
        CASE(test_erase_in_the_run),
        CASE(test_program_reads),
        CASE(test_torn_outcomes),
        CASE(test_links),
        CASE(test_states_follow_their_runs),
        CASE(test_stand_ins),
        CASE(test_fixpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
