#include "harness/prove/lives.h"
#include "harness/files/files.h"
#include "harness/prove/life.h"
#include "harness/prove/prove.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPT   (1u << 20)
#define HEALED_LIVES 12 /* after a chain, until the device must have come to rest */

/* ---- a chain of lives -------------------------------------------------------------------- */

static void tell_life(const struct nb_life_machine *life, const struct nb_cut *cut,
                      struct nb_outcome *outcome)
{
    char text[NB_CUT_TEXT];
    nb_cut_print(cut, text);
    nb_story_add(outcome, "%s%s", text, life->is_cut ? ": the power is cut" : "");
    nb_trace_tell(nb_virtual_trace(life->virtual), outcome);
    nb_virtual_forget(life->virtual);
}

/* Lives without cuts and faults, until one changes nothing. NULL, or what is wrong. */
static const char *come_to_rest(struct nb_life_machine *life, struct nb_outcome *outcome)
{
    static const struct nb_cut whole = {.tear = FLASH_TEAR_NONE, .action = NB_ACTION_LIFE};
    const struct nb_demand *demand = &life->machine.demand;
    const char *wrong = NULL;
    for (int i = 0; i < HEALED_LIVES; i++) {
        struct nb_end end;
        uint32_t before = life->around;
        uint32_t size = flash_sim_size(life->machine.sim);
        uint64_t print = flash_sim_fingerprint(life->machine.sim, 0, size);
        nb_life_play(life, &whole, &end);
        tell_life(life, &whole, outcome);
        if (end.wrong != NULL || life->err != 0)
            return end.wrong;
        wrong = nb_judge_rest(demand, NB_PHASE_LIFE, end.runs);
        if (i > 0 && life->around == before &&
            flash_sim_fingerprint(life->machine.sim, 0, size) == print)
            return wrong;
    }
    return wrong;
}

static enum nb_verdict play_chain(struct nb_life_machine *life, const struct nb_cell *cell,
                                  char reason[NB_LINE], struct nb_outcome *outcome)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < cell->cut_count && wrong == NULL; i++) {
        const struct nb_cut *cut = &cell->cuts[i];
        struct nb_end end;
        if (cut->action != NB_ACTION_LIFE && cut->action != NB_ACTION_TROUBLE) {
            snprintf(reason, NB_LINE, "the id has runs that a 'prove' with a cloud does not know");
            return NB_ERROR;
        }
        nb_life_play(life, cut, &end);
        tell_life(life, cut, outcome);
        if (!life->is_cut && cut->tear != FLASH_TEAR_NONE) {
            snprintf(reason, NB_LINE, "line %u: a power cut of the chain never fell",
                     life->prove->line);
            return NB_VACUOUS;
        }
        wrong = end.wrong;
    }
    if (wrong == NULL)
        wrong = come_to_rest(life, outcome);
    if (wrong == NULL)
        return NB_PASS;
    snprintf(reason, NB_LINE, "line %u: %s", life->prove->line, wrong);
    return NB_FAIL;
}

/* ---- the search -------------------------------------------------------------------------- */

static bool has_faults(const struct nb_script *script)
{
    for (size_t i = 0; i < script->step_count && script->steps[i].kind != NB_PROVE; i++)
        if (script->steps[i].kind >= NB_FAULT_CUT && script->steps[i].kind <= NB_FAULT_NET)
            return true;
    return false;
}

static enum nb_verdict search(struct nb_life_machine *life, const struct nb_script *script,
                              const struct nb_cell *cell, char reason[NB_LINE],
                              struct nb_outcome *outcome)
{
    const struct nb_search_options options = {.tears = cell->tears, .unmasked = cell->unmasked};
    bool trouble = has_faults(script);
    struct nb_search *made = NULL;
    struct nb_proof proof;
    int rc = nb_search_run(&life->machine, trouble ? NB_PHASE_TROUBLE : NB_PHASE_LIFE, &options,
                           &nb_run_stop, &made, &proof);
    if (rc == 0 && proof.informal) {
        nb_note_add(outcome, "the agent's records count in more than one form here: each content "
                             "is a state of its own");
        nb_search_free(made);
        life->machine.normalise = NULL;
        rc = nb_search_run(&life->machine, trouble ? NB_PHASE_TROUBLE : NB_PHASE_LIFE, &options,
                           &nb_run_stop, &made, &proof);
    }
    rc = rc == 0 ? life->err : rc;
    enum nb_verdict verdict = NB_ERROR;
    if (rc == 0) {
        nb_prove_tell(cell, &life->old, &life->new, &proof, outcome);
        nb_note_add(outcome, "%zu surroundings: counter, results delivered, cloud side, oracle",
                    life->arounds.count);
        outcome->proof = proof;
        outcome->points += proof.edges;
        verdict = nb_prove_judge(script, cell, life->prove, &proof, reason, outcome);
    } else {
        snprintf(reason, NB_LINE, "line %u: %.150s", life->prove->line,
                 life->refusal.reason[0] != '\0' ? life->refusal.reason : ota_err_text(rc));
    }
    if (verdict == NB_PASS && trouble && !life->fired) {
        snprintf(reason, NB_LINE, "line %u: the faults in front of it strike in no life",
                 life->prove->line);
        verdict = NB_VACUOUS;
    }
    nb_search_free(made);
    return verdict;
}

static int prove(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome)
{
    struct nb_life_machine *life = calloc(1, sizeof *life);
    struct nb_virtual *virtual = nb_virtual_new(script, cell);
    char reason[NB_LINE] = "";
    int rc = life != NULL && virtual != NULL ? 0 : OTA_E_NO_SPACE;
    if (rc == 0 && nb_virtual_prepare(virtual, outcome)) {
        enum nb_verdict verdict = NB_ERROR;
        rc = nb_life_open(life, virtual, script, reason);
        if (rc == 0)
            verdict = cell->cut_count != 0 ? play_chain(life, cell, reason, outcome)
                                           : search(life, script, cell, reason, outcome);
        if (rc == 0 || reason[0] != '\0') {
            nb_outcome_set(outcome, verdict, "%s", reason);
            rc = 0;
        }
        nb_life_close(life);
    }
    nb_virtual_free(virtual);
    free(life);
    return rc;
}

/* ---- faults that the cell names ---------------------------------------------------------- */

/* The script's text with the cell's faults in front of its `prove` line; malloc'ed. */
static char *insert_faults(const struct nb_script *script, const struct nb_cell *cell,
                           const char *text, size_t length, size_t *size)
{
    const char *at = text;
    char *made = NULL;
    const struct nb_step *step = script->steps;
    FILE *out = open_memstream(&made, size);
    if (out == NULL)
        return NULL;
    while (step->kind != NB_PROVE)
        step++;
    for (unsigned line = 1; line < step->line; line++)
        at = (const char *)memchr(at, '\n', length - (size_t)(at - text)) + 1;
    fprintf(out, "%.*s", (int)(at - text), text);
    for (size_t i = 0; i < cell->drawn_count; i++)
        fprintf(out, "%s\n", cell->drawn[i].line);
    fprintf(out, "%.*s", (int)(length - (size_t)(at - text)), at);
    if (fclose(out) == 0)
        return made;
    free(made);
    return NULL;
}

static int prove_with_faults(const struct nb_script *script, const struct nb_cell *cell,
                             struct nb_outcome *outcome)
{
    struct nb_script troubled;
    struct flash_text_error error = {0};
    uint8_t *text = NULL;
    size_t length = 0;
    size_t size = 0;
    int rc = nb_read_file(script->path, MAX_SCRIPT, &text, &length);
    if (rc != 0)
        return rc;
    char *made = insert_faults(script, cell, (const char *)text, length, &size);
    rc = made != NULL ? nb_script_parse(made, size, script->path, &troubled, &error)
                      : OTA_E_NO_SPACE;
    if (rc == 0) {
        struct nb_cell plain = *cell;
        plain.drawn_count = 0; /* they are the script's now */
        rc = prove(&troubled, &plain, outcome);
        nb_script_free(&troubled);
    } else if (rc == OTA_E_ARGUMENT) {
        nb_outcome_set(outcome, NB_ERROR, "`%.80s`: %.100s", cell->drawn[0].line, error.message);
        rc = 0;
    }
    free(made);
    free(text);
    return rc;
}

int nb_lives_prove(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome)
{
    return cell->drawn_count != 0 ? prove_with_faults(script, cell, outcome)
                                  : prove(script, cell, outcome);
}
