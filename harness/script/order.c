/* What may stand behind what in a script, and what a whole one must have. */
#include "harness/script/parser.h"

#include <stdio.h>
#include <string.h>

static bool is_fault(enum nb_step_kind kind)
{
    return kind >= NB_FAULT_CUT && kind <= NB_FAULT_NET;
}

static bool is_until(enum nb_step_kind kind)
{
    return kind == NB_UNTIL_STABLE || kind == NB_UNTIL_REPORTED;
}

bool nb_step_runs_device(enum nb_step_kind kind)
{
    return (kind >= NB_DEVICE_LIVE && kind <= NB_DEVICE_FORGET) || is_until(kind) ||
           kind == NB_PROVE;
}

/* Faults that meet no device step, or each other, would hide that they never fired. */
static int arm(struct nb_parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    bool flash = step->kind == NB_FAULT_CUT || step->kind == NB_FAULT_FAIL;
    if (flash && p->script->devices > 1)
        return nb_parser_fail(p, at, "a flash fault is for one device: expected no 'devices' line");
    if (flash && p->flash_line)
        return nb_parser_fail(p, at,
                              "line %u has a flash fault for the same device step: expected one",
                              p->flash_line);
    if (step->all && p->sweep_line)
        return nb_parser_fail(p, at, "line %u sweeps already: expected one '@flash:*' in a script",
                              p->sweep_line);
    p->armed_line = p->line;
    p->armed_cloud = p->armed_cloud || !flash;
    if (flash)
        p->flash_line = p->line;
    if (step->all)
        p->sweep_line = p->line;
    return 0;
}

/* `prove` cuts by itself, and all that follows it is what runs in the end. */
static int order_proof(struct nb_parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    if (p->prove_line) {
        bool *rests = &p->rests[step->kind == NB_UNTIL_REPORTED];
        if (!is_until(step->kind) || *rests)
            return nb_parser_fail(
                p, at, "line %u ends the script: expected at most one 'until' behind 'prove'",
                p->prove_line);
        *rests = true;
    }
    if (step->kind != NB_PROVE)
        return 0;
    if (p->flash_line || p->sweep_line)
        return nb_parser_fail(p, at,
                              "'prove' cuts the power by itself: expected no fault in line %u",
                              p->flash_line ? p->flash_line : p->sweep_line);
    p->prove_line = p->line;
    p->ran_before = p->device_ran;
    p->troubled = p->armed_cloud;
    return 0;
}

/* At what happened in the device step before. */
static bool looks_back(enum nb_step_kind kind)
{
    return kind == NB_EXPECT || (kind >= NB_EXPECT_WEAR && kind <= NB_EXPECT_TOPICS);
}

/* A fault must meet a device step, an expectation must follow one. */
int nb_parser_order(struct nb_parser *p, const struct nb_step *step)
{
    const char *at = p->words[0].at;
    int wrong = order_proof(p, step);
    if (wrong)
        return wrong;
    if (is_fault(step->kind)) {
        int rc = arm(p, step);
        if (rc)
            return rc;
    } else if (p->armed_line && is_until(step->kind)) {
        return nb_parser_fail(
            p, at,
            "'until' runs without faults: expected the device step that the fault "
            "of line %u is for",
            p->armed_line);
    } else if (nb_step_runs_device(step->kind)) {
        if (p->armed_line && p->armed_cloud && step->kind > NB_DEVICE_CHECK &&
            step->kind != NB_PROVE)
            return nb_parser_fail(p, at, "the fault of line %u needs a 'device check' next",
                                  p->armed_line);
        p->armed_line = 0;
        p->flash_line = 0;
        p->armed_cloud = false;
        p->device_ran = true;
    } else if (!p->device_ran && looks_back(step->kind)) {
        return nb_parser_fail(p, at,
                              "nothing can have happened yet: expected a device step before this");
    } else if (p->armed_line) {
        return nb_parser_fail(p, at, "expected the device step that the fault of line %u is for",
                              p->armed_line);
    }
    bool checks = looks_back(step->kind) || step->kind == NB_EXPECT_FLASH || is_until(step->kind) ||
                  step->kind == NB_PROVE;
    if (checks && p->checks_line == 0)
        p->checks_line = p->line;
    return 0;
}

/* ---- whole scripts ----------------------------------------------------------------------- */

/* What does not go together with `prove`, or NULL. */
static const char *wrong_proof(const struct nb_parser *p)
{
    const struct nb_script *script = p->script;
    const struct nb_step *step = script->steps;
    while (step->kind != NB_PROVE)
        step++;
    if (!script->needs_cloud)
        return p->troubled ? "faults of the network are for a cloud: expected 'cloud offer'" : NULL;
    if (p->ran_before)
        return "with a cloud 'prove' begins at the first power-on: expected no device step before";
    if (step->pending || step->permanent || step->confirmed)
        return "with a cloud the application decides itself: expected 'prove boot VERSIONS'";
    return script->devices > 1 ? "'prove' is about one device: expected no 'devices' line" : NULL;
}

int nb_parser_whole(struct nb_parser *p)
{
    const struct nb_script *script = p->script;
    p->start = "";
    if (p->armed_line) {
        p->line = p->armed_line;
        return nb_parser_fail(p, p->start,
                              "no device step follows this fault: it can never happen");
    }
    if (!p->given[NB_HEADER_TITLE])
        return nb_parser_fail(p, p->start, "the script has no title: expected 'title TEXT'");
    if (!p->checks_line)
        return nb_parser_fail(p, p->start,
                              "the script checks nothing: expected an 'expect' or 'until' line");
    if (!p->device_ran) {
        p->line = p->checks_line;
        return nb_parser_fail(p, p->start,
                              "no device step: this sees only what the script itself put down");
    }
    const char *proof = p->prove_line ? wrong_proof(p) : NULL;
    if (proof) {
        p->line = p->prove_line;
        return nb_parser_fail(p, p->start, "%s", proof);
    }
    if (script->nginx && !script->needs_cloud) {
        p->line = script->nginx;
        return nb_parser_fail(p, p->start,
                              "nginx serves what a cloud offers: expected a 'device check'");
    }
    if (script->devices > 1 && !script->needs_cloud)
        return nb_parser_fail(p, p->start, "'devices' are for a cloud: expected a 'device check'");
    if (script->device.line && (script->part.line || script->scheme.line || script->slot_size)) {
        p->line = script->device.line;
        return nb_parser_fail(p, p->start,
                              "'device' has its own parts and slots: expected no part, scheme "
                              "or slot line beside it");
    }
    return 0;
}
