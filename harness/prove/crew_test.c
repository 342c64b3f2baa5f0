/* Cells side by side: outcomes come in the order of the cells, whoever was faster, and a child that
 * dies is an outcome, too. */
#include "harness/prove/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CELLS 6

enum fate { PLAYS, SLEEPS, LEAVES, DIES };

/* Seen by parent and children alike. */
struct shared {
    atomic_int playing;
    atomic_int most; /* at a time */
    atomic_int played;
};

struct work {
    struct shared *shared;
    enum fate fates[CELLS];
    size_t told;
    volatile int *stop; /* to be set when the cell `stop_at` is told */
    size_t stop_at;
    size_t order[CELLS];
    struct nb_outcome outcomes[CELLS];
};

static void play(void *context, size_t index, struct nb_outcome *outcome)
{
    struct work *work = context;
    int playing = atomic_fetch_add(&work->shared->playing, 1) + 1;
    for (int most = atomic_load(&work->shared->most); playing > most;)
        if (atomic_compare_exchange_weak(&work->shared->most, &most, playing))
            break;
    switch (work->fates[index]) {
    case SLEEPS:
        usleep(60000);
        break;
    case LEAVES:
        _exit(0);
    case DIES:
        raise(SIGKILL);
        break;
    default:
        break;
    }
    atomic_fetch_add(&work->shared->played, 1);
    atomic_fetch_sub(&work->shared->playing, 1);
    work->told = 99; /* in the child: the parent must not see it */
    outcome->points = index + 100;
    nb_outcome_set(outcome, index % 2 == 0 ? NB_PASS : NB_FAIL, "cell %zu", index);
}

static void tell(void *context, size_t index, const struct nb_outcome *outcome)
{
    struct work *work = context;
    work->order[work->told] = index;
    work->outcomes[work->told++] = *outcome;
    if (work->stop != NULL && index == work->stop_at)
        *work->stop = 1;
}

static struct work *start(void)
{
    struct work *work = calloc(1, sizeof *work);
    assert_non_null(work);
    work->shared =
        mmap(NULL, sizeof *work->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(work->shared != MAP_FAILED);
    return work;
}

static void end(struct work *work)
{
    munmap(work->shared, sizeof *work->shared);
    free(work);
}

static void assert_no_child_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_in_order(void **state)
{
    static const size_t jobs[] = {1, 2, CELLS, 64};
    const volatile int stop = 0;
    (void)state;
    for (size_t j = 0; j < sizeof jobs / sizeof jobs[0]; j++) {
        struct work *work = start();
        const struct nb_crew crew = {work, play, tell};
        work->fates[0] = work->fates[3] = SLEEPS; /* the others are done before them */
        assert_int_equal(nb_crew_run(&crew, CELLS, jobs[j], &stop), 0);
        assert_int_equal(work->told, CELLS);
        for (size_t i = 0; i < CELLS; i++) {
            assert_int_equal(work->order[i], i);
            assert_int_equal(work->outcomes[i].points, i + 100);
            assert_int_equal(work->outcomes[i].verdict, i % 2 == 0 ? NB_PASS : NB_FAIL);
        }
        assert_non_null(strstr(work->outcomes[5].reason, "cell 5"));
        assert_int_equal(work->shared->played, CELLS);
        assert_in_range(work->shared->most, 1, jobs[j]);
        assert_no_child_left();
        end(work);
    }
}

static void test_a_child_dies(void **state)
{
    struct work *work = start();
    const struct nb_crew crew = {work, play, tell};
    const volatile int stop = 0;
    (void)state;
    work->fates[1] = DIES;
    work->fates[2] = LEAVES;
    assert_int_equal(nb_crew_run(&crew, 4, 2, &stop), 0);
    assert_int_equal(work->told, 4);
    assert_int_equal(work->outcomes[0].verdict, NB_PASS);
    assert_int_equal(work->outcomes[1].verdict, NB_ERROR);
    assert_string_equal(work->outcomes[1].reason, "its process died of signal 9");
    assert_int_equal(work->outcomes[2].verdict, NB_ERROR);
    assert_string_equal(work->outcomes[2].reason, "its process ended early");
    assert_int_equal(work->outcomes[3].points, 103);
    assert_no_child_left();
    end(work);
}

/* Told to stop: those that were started go, and nobody hears of them. */
static void test_stopped(void **state)
{
    struct work *work = start();
    const struct nb_crew crew = {work, play, tell};
    volatile int stop = 0;
    (void)state;
    work->stop = &stop;
    work->stop_at = 1;
    for (size_t i = 2; i < CELLS; i++)
        work->fates[i] = SLEEPS;
    assert_int_equal(nb_crew_run(&crew, CELLS, 3, &stop), 0);
    assert_int_equal(work->told, 2);
    assert_in_range(work->shared->played, 2, 4); /* the last two were not even begun */
    assert_no_child_left();
    work->told = 0;
    assert_int_equal(nb_crew_run(&crew, CELLS, 3, &stop), 0);
    assert_int_equal(work->told, 0);
    assert_no_child_left();
    end(work);
}

static void test_one_cell(void **state)
{
    struct work *work = start();
    const struct nb_crew crew = {work, play, tell};
    const volatile int stop = 0;
    (void)state;
    assert_int_equal(nb_crew_run(&crew, 1, 1, &stop), 0);
    assert_int_equal(work->told, 1);
    end(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_a_child_dies),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_one_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
