/* kill -9 of QEMU at random moments of a whole networked update: whatever it hit, the device comes
 * back with one of the two images and comes to rest. NOBRICK_BOARD_KILLS moments (4), NOBRICK_SEED.
 * Skipped where QEMU, the board's programs or mosquitto are missing. */
#include "harness/run/cortexm.h"
#include "harness/run/posix.h"
#include "sim/cortexm/host/qemu.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char script_text[] = "title   Killed anywhere in an update\n"
                                  "world   cortexm\n"
                                  "cloud   offer v2\n"
                                  "device  check\n"
                                  "expect  boot v1|v2\n"
                                  "until   stable boot v1|v2\n";

static struct nb_stage board;
static uint32_t usual_ms; /* of an update that nobody kills */
static unsigned killed;   /* while they ran */

/* What a chip knows of its flash beside the bytes was the plugin's to keep, which is not there. */
static void forget_state(const struct nb_posix *own)
{
    char path[NB_PATH + 8];
    snprintf(path, sizeof path, "%s.state", own->flash_path);
    unlink(path);
}

static int run_killed(struct nb_play *play, bool boot_only, int codes[NB_DEVICES])
{
    struct nb_posix *own = play->own;
    own->unwatched = true;
    own->kill_ms = boot_only ? 0 : 1 + (uint32_t)random() % (usual_ms + usual_ms / 8);
    int rc = board.run_device(play, boot_only, codes);
    bool was_killed = codes[0] == 128 + SIGKILL;
    own->kill_ms = 0;
    forget_state(own);
    if (!boot_only && !was_killed) /* it ended before: the next moment comes sooner */
        usual_ms -= usual_ms / 4;
    if (rc || !was_killed)
        return rc;
    killed++;
    nb_play_device_line(play, "cut 0 before"); /* so the oracle knows that something was cut off */
    rc = nb_play_show_flash(play);
    if (rc == 0)
        rc = board.run_device(play, boot_only, codes);
    forget_state(own);
    return rc;
}

static void play(const struct nb_script *script, struct nb_kit *kit, const struct nb_stage *stage,
                 struct nb_outcome *outcome)
{
    struct nb_cell cell = {.kit = kit, .world = "cortexm", .programs = true};
    memset(outcome, 0, sizeof *outcome);
    assert_int_equal(nb_posix_play(script, &cell, stage, NULL, outcome), OTA_OK);
}

static void fail_with(const struct nb_outcome *outcome, unsigned seed, unsigned kill)
{
    for (size_t i = 0; i < outcome->story_count; i++)
        print_message("    %s\n", outcome->story[i]);
    fail_msg("seed %u, kill %u: %s", seed, kill, outcome->reason);
}

static unsigned number_of(const char *variable, unsigned usual)
{
    const char *text = getenv(variable);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : usual;
}

static void killed_anywhere(void **state)
{
    const unsigned kills = number_of("NOBRICK_BOARD_KILLS", 4);
    const unsigned seed = number_of("NOBRICK_SEED", 7);
    char reason[NB_LINE] = "";
    struct nb_script script;
    struct flash_text_error error;
    struct nb_outcome outcome;
    (void)state;
    if (cortexm_missing() != NULL) {
        print_message("skipped: %s\n", cortexm_missing());
        skip();
    }
    assert_int_equal(
        nb_script_parse(script_text, strlen(script_text), "killed.ota", &script, &error), OTA_OK);
    struct nb_kit *kit = nb_kit_new(reason, sizeof reason);
    assert_non_null(kit);
    board = nb_cortexm_stage();
    double begin = nb_seconds();
    play(&script, kit, &board, &outcome);
    bool skipped = outcome.verdict == NB_SKIP;
    usual_ms = (uint32_t)((nb_seconds() - begin) * 1000);
    struct nb_stage killing = board;
    killing.run_device = run_killed;
    srandom(seed);
    /* Moments that came too late are no kills: a loaded machine has many. */
    for (unsigned i = 0; outcome.verdict == NB_PASS && (i < kills || (killed == 0 && i < 40));
         i++) {
        play(&script, kit, &killing, &outcome);
        if (outcome.verdict != NB_PASS)
            fail_with(&outcome, seed, i);
    }
    nb_kit_free(kit);
    nb_script_free(&script);
    if (skipped) {
        print_message("skipped: %s\n", outcome.reason);
        skip();
    }
    if (outcome.verdict != NB_PASS)
        fail_with(&outcome, seed, 0);
    assert_true(killed > 0);
    print_message("%u of %u were killed while they ran\n", killed, kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
