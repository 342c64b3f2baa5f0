#include "harness/run/bench.h"

#include "harness/prove/errors.h"
#include "harness/prove/prove.h"
#include "harness/prove/sweep.h"
#include "harness/run/act.h"
#include "harness/run/bench_store.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- events and judgement ---------------------------------------------------------------- */

void nb_bench_event(struct nb_bench *bench, const char *format, ...)
{
    struct nb_bench_state *state = &bench->state;
    if (state->event_count == NB_BENCH_EVENTS) { /* keep the newest */
        memmove(state->events[0], state->events[1], sizeof state->events - NB_BENCH_LINE);
        state->event_count--;
        state->cursor -= state->cursor > 0;
    }
    char *line = state->events[state->event_count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, NB_BENCH_LINE, format, arguments);
    va_end(arguments);
    nb_oracle_event(&state->oracle, line);
}

static void violation(struct nb_bench *bench, const char *text)
{
    char *out = bench->state.oracle.violation;
    if (out[0] == '\0')
        snprintf(out, NB_LINE, "%s", text);
}

/* Judges what boots by its bytes, independently of what the loader thinks of them. */
static void judge_content(struct nb_bench *bench, const struct img_info *image)
{
    uint64_t fingerprint =
        flash_sim_fingerprint(bench->sim, bench->device.primary.address, image->end);
    bool known = false;
    for (size_t i = 0; i < bench->known_count && !known; i++)
        known = bench->known[i].genuine && bench->known[i].end == image->end &&
                bench->known[i].fingerprint == fingerprint;
    if (!known)
        violation(bench, "what boots is not, byte for byte, a genuine image that was put down");
    if (bench->device.loader.size != 0 &&
        flash_sim_fingerprint(bench->sim, bench->device.loader.address,
                              bench->device.loader.size) != bench->loader_fingerprint)
        violation(bench, "the bootloader's region was written");
}

/* True when the device has asked its flash for something that the part forbids, since the last
 * time somebody asked here. */
static bool broke_flash_rules(struct nb_bench *bench)
{
    const char *text = flash_sim_violation(bench->sim);
    struct flash_stats stats;
    if (text[0] == '\0')
        return false;
    flash_sim_stats(bench->sim, &stats);
    if (stats.violations == bench->violations)
        return false;
    bench->violations = stats.violations;
    char line[NB_LINE];
    snprintf(line, sizeof line, "violation %s", text);
    nb_oracle_event(&bench->state.oracle, line); /* whole: the bench's own lines are short */
    nb_bench_event(bench, "%s", line);
    return true;
}

/* ---- what a device does ------------------------------------------------------------------ */

static int boot_once(struct nb_bench *bench)
{
    struct boot_result result;
    char line[NB_BENCH_LINE];
    int err = boot_go(&bench->config, &result);
    if (err == OTA_E_POWER)
        return err;
    if (result.refused != 0)
        nb_bench_event(bench, "refused %s", ota_err_word(result.refused));
    if (err == OTA_E_NO_IMAGE) {
        nb_bench_event(bench, "boot none %s", ota_err_word(err));
        return err;
    }
    if (err != 0) {
        nb_bench_event(bench, "loader-error %s", ota_err_word(err));
        return err;
    }
    nb_event_boot(&result, line, sizeof line);
    nb_bench_event(bench, "%s", line);
    judge_content(bench, &result.image);
    return 0;
}

/* Boots; a loader that met a flash error resets and tries again. What the part forbids is no such
 * error: it would be refused every time. */
static int boot_through_errors(struct nb_bench *bench)
{
    int err = 0;
    for (int i = 0; i < NB_BENCH_MAX_BOOT; i++) {
        err = boot_once(bench);
        if (broke_flash_rules(bench))
            return err == OTA_E_POWER ? err : 0;
        if (err == 0 || err == OTA_E_NO_IMAGE || err == OTA_E_POWER)
            return err == OTA_E_POWER ? err : 0;
    }
    nb_bench_event(bench, "boot none %s", ota_err_word(err));
    return 0;
}

void nb_bench_boot(struct nb_bench *bench)
{
    /* No cut is armed here: OTA_E_POWER cannot come. */
    if (boot_through_errors(bench) != 0)
        nb_bench_event(bench, "boot none %s", ota_err_word(OTA_E_POWER));
}

static void on_act(void *context, const char *line, int code)
{
    (void)code;
    nb_bench_event(context, "%s", line);
}

bool nb_bench_permanent(const struct nb_bench *bench, const struct nb_step *step)
{
    return step->permanent || bench->cell->permanent;
}

void nb_bench_announce(struct nb_bench *bench, const struct nb_step *step)
{
    struct nb_blob blob;
    char version[24];
    nb_oracle_step(&bench->state.oracle,
                   step->kind == NB_DEVICE_CONFIRM ? NB_CONFIRMS_AT_ONCE : NB_CONFIRMS_NOTHING);
    if (step->kind == NB_DEVICE_PUSH && nb_bench_offer(bench, step, &blob) == 0) {
        nb_version_print(&bench->script->images[step->image].version, version, sizeof version);
        nb_bench_event(bench, "push %s", version);
    }
    const struct sim_act act =
        nb_act_of(step, &bench->state.staged, nb_bench_permanent(bench, step));
    sim_act_announce(&act, &bench->config, on_act, bench);
}

/* A push that is to end with an image pending may have got that far. */
void nb_bench_cut(struct nb_bench *bench, const struct nb_step *step, uint32_t op,
                  enum flash_tear tear)
{
    char line[NB_BENCH_LINE] = "pending ";
    size_t length = strlen(line);
    if (step->kind == NB_DEVICE_PUSH && !step->push.wrong_crc &&
        (step->push.abort == SIM_ABORT_NEVER || step->push.abort == SIM_ABORT_PENDING)) {
        nb_version_print(&bench->script->images[step->image].version, line + length,
                         sizeof line - length);
        nb_oracle_event(&bench->state.oracle, line);
    }
    nb_oracle_cut(&bench->state.oracle);
    nb_bench_event(bench, "cut %u %s", op, flash_tear_word(tear));
}

int nb_bench_act(struct nb_bench *bench, const struct nb_step *step)
{
    const struct sim_act act =
        nb_act_of(step, &bench->state.staged, nb_bench_permanent(bench, step));
    int err = OTA_E_ARGUMENT;
    if (step->kind == NB_DEVICE_BOOT)
        return boot_through_errors(bench);
    if (step->kind == NB_DEVICE_PUSH)
        err = nb_bench_push(bench, step);
    else if (act.kind != SIM_ACT_NONE)
        err = sim_act(&act, &bench->config, on_act, bench);
    /* The oracle has the word then; the error is only what comes of it. */
    return broke_flash_rules(bench) && err != OTA_E_POWER ? 0 : err;
}

/* ---- the device's memories and faults ---------------------------------------------------- */

static int counter_get(void *context, uint32_t *value)
{
    *value = ((struct nb_bench *)context)->state.counter;
    return 0;
}

static int counter_raise(void *context, uint32_t value)
{
    struct nb_bench *bench = context;
    if (value > bench->state.counter)
        bench->state.counter = value;
    return 0;
}

static enum flash_tear cut_there(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct nb_bench *bench = context;
    (void)sim;
    return op->index == bench->cut.op ? bench->cut.tear : FLASH_TEAR_NONE;
}

static void use_flash(struct nb_bench *bench, const struct flash_port *port)
{
    bench->config.primary.flash = port;
    bench->config.secondary.flash = port;
    bench->config.scratch.flash = port;
    bench->config.format.status.flash = port;
    bench->config.factory.flash = port;
}

/* ---- expectations ------------------------------------------------------------------------ */

static bool expect_event(struct nb_bench *bench, const struct nb_step *step, char reason[NB_LINE])
{
    struct nb_bench_state *state = &bench->state;
    for (size_t i = state->cursor; i < state->event_count; i++) {
        if (nb_expect_matches(&step->expect, state->events[i], false)) {
            state->cursor = i + 1;
            return true;
        }
    }
    snprintf(reason, NB_LINE, "line %u: nothing met `%.100s`", step->line, step->text);
    return false;
}

static bool boots_one_of(const struct nb_bench *bench, const struct nb_expect *expect)
{
    const struct nb_bench_state *state = &bench->state;
    for (size_t i = state->event_count; i > 0; i--)
        if (strncmp(state->events[i - 1], "boot ", 5) == 0)
            return nb_expect_matches(expect, state->events[i - 1], false);
    return false;
}

/* Boots without cuts until two boots in a row have left flash alone. */
static bool until_stable(struct nb_bench *bench, const struct nb_step *step, char reason[NB_LINE])
{
    int quiet = 0;
    bench->state.cursor = bench->state.event_count;
    nb_oracle_step(&bench->state.oracle, NB_CONFIRMS_NOTHING);
    for (int i = 0; i < NB_BENCH_MAX_BOOT && quiet < 2; i++) {
        flash_sim_restart_count(bench->sim);
        nb_bench_boot(bench);
        quiet = flash_sim_op_count(bench->sim) == 0 ? quiet + 1 : 0;
    }
    if (quiet < 2) {
        snprintf(reason, NB_LINE, "line %u: flash still changes after %d boots", step->line,
                 NB_BENCH_MAX_BOOT);
        return false;
    }
    if (!boots_one_of(bench, &step->expect)) {
        snprintf(reason, NB_LINE, "line %u: " NB_NOT_AS_SAID " `%.80s` says", step->line,
                 step->text);
        return false;
    }
    bench->state.cursor = bench->state.event_count;
    return true;
}

/* ---- running steps ----------------------------------------------------------------------- */

static bool is_device_step(const struct nb_step *step)
{
    return step->kind == NB_DEVICE_BOOT || step->kind == NB_DEVICE_PUSH ||
           nb_act_kind(step->kind) != SIM_ACT_NONE;
}

/* A device step with whatever faults are armed for it. */
static enum nb_verdict device_step(struct nb_bench *bench, const struct nb_step *step,
                                   char reason[NB_LINE])
{
    bench->state.cursor = bench->state.event_count;
    nb_bench_announce(bench, step);
    flash_sim_restart_count(bench->sim);
    if (bench->cut_armed)
        flash_sim_observe(bench->sim, cut_there, bench);
    if (bench->failing.armed)
        use_flash(bench, &bench->failing.port);
    int err = nb_bench_act(bench, step);
    flash_sim_observe(bench->sim, NULL, NULL);
    use_flash(bench, flash_sim_port(bench->sim));
    bool cut = flash_sim_is_off(bench->sim);
    flash_sim_power_on(bench->sim);
    if (err == OTA_E_POWER) {
        nb_bench_cut(bench, step, bench->cut.op, bench->cut.tear);
        if (bench->cut_returns)
            nb_bench_boot(bench);
    } else if (err != 0) {
        snprintf(reason, NB_LINE, "line %u: %s", step->line, ota_err_text(err));
        return NB_FAIL;
    }
    bool vacuous = (bench->cut_armed && !cut) || (bench->failing.armed && !bench->failing.fired);
    if (vacuous && flash_sim_misfit(bench->sim) != FLASH_TEAR_NONE)
        snprintf(reason, NB_LINE, "line %u: the tear `%s` does not fit operation %u", step->line,
                 flash_tear_word(bench->cut.tear), bench->cut.op);
    else if (vacuous)
        snprintf(reason, NB_LINE, "line %u: a fault armed for it never fired", step->line);
    bench->cut_armed = false;
    flash_failing_disarm(&bench->failing);
    return vacuous ? NB_VACUOUS : NB_PASS;
}

static void arm(struct nb_bench *bench, const struct nb_step *step)
{
    const struct nb_cell *cell = bench->cell;
    if (step->all && cell->cut_count == 0) {
        bench->sweep_armed = true;
        bench->sweep_fails = step->kind == NB_FAULT_FAIL;
        bench->sweep_tears = step->tears;
        bench->sweep_failure = step->failure;
        return;
    }
    if (step->kind == NB_FAULT_FAIL) { /* a script sweeps once at most */
        flash_failing_arm(&bench->failing, step->all ? cell->cuts[0].op : step->value,
                          step->failure);
        return;
    }
    bench->cut_armed = true;
    bench->cut_returns = step->all;
    if (step->all) {
        bench->cut = cell->cuts[0]; /* a script has one such line at most */
    } else {
        bench->cut.op = step->value;
        bench->cut.tear = step->tear == FLASH_TEAR_COUNT ? FLASH_TEAR_BEFORE : step->tear;
    }
}

static enum nb_verdict plain_step(struct nb_bench *bench, const struct nb_step *step,
                                  char reason[NB_LINE])
{
    struct flash_text_error error = {0};
    int err = 0;
    switch (step->kind) {
    case NB_EXPECT:
        return expect_event(bench, step, reason) ? NB_PASS : NB_FAIL;
    case NB_EXPECT_FLASH:
        return nb_bench_expect_flash(bench, step, reason);
    case NB_EXPECT_WEAR:
        return nb_bench_expect_wear(bench, step, reason);
    case NB_UNTIL_STABLE:
        return until_stable(bench, step, reason) ? NB_PASS : NB_FAIL;
    case NB_DEVICE_COUNTER:
        bench->state.counter = step->value;
        return NB_PASS;
    case NB_FLASH_IMAGE:
        err = nb_bench_put(bench, step->slot, &bench->script->images[step->image], step, &error);
        break;
    case NB_FLASH_ERASE:
    case NB_FLASH_FLIP:
    case NB_FLASH_BREAK:
    case NB_FLASH_WEAKEN:
    case NB_FLASH_STICK:
        err = nb_bench_damage(bench, step, &error);
        break;
    default:
        snprintf(error.message, sizeof error.message, "needs a cloud: not possible on the bench");
        err = OTA_E_UNSUPPORTED;
    }
    if (err != 0)
        snprintf(reason, NB_LINE, "line %u: %s", step->line,
                 error.message[0] != '\0' ? error.message : ota_err_text(err));
    return err == 0 ? NB_PASS : NB_ERROR;
}

/* What the oracle saw is worse than a step that only found nothing wrong. */
static enum nb_verdict judge(const struct nb_bench *bench, const struct nb_step *step,
                             enum nb_verdict verdict, char reason[NB_LINE])
{
    const char *wrong = nb_oracle_violation(&bench->state.oracle);
    if (wrong == NULL || verdict == NB_FAIL || verdict == NB_ERROR)
        return verdict;
    snprintf(reason, NB_LINE, "line %u: %.150s", step->line, wrong);
    return NB_FAIL;
}

enum nb_verdict nb_bench_steps(struct nb_bench *bench, size_t from, char reason[NB_LINE],
                               struct nb_outcome *outcome)
{
    enum nb_verdict verdict = NB_PASS;
    if (from > 0) /* the cut step of a sweep, and the boot behind it */
        verdict = judge(bench, &bench->script->steps[from - 1], verdict, reason);
    for (size_t i = from; verdict == NB_PASS && i < bench->script->step_count; i++) {
        const struct nb_step *step = &bench->script->steps[i];
        if (step->kind == NB_FAULT_CUT || step->kind == NB_FAULT_FAIL) {
            arm(bench, step);
        } else if (is_device_step(step) && bench->sweep_armed) {
            int err = bench->sweep_fails ? nb_errors_sweep(bench, i, outcome)
                                         : nb_sweep(bench, i, outcome);
            if (err != 0)
                snprintf(reason, NB_LINE, "line %u: %s", step->line,
                         err == OTA_E_CANCELLED ? "stopped" : ota_err_text(err));
            return err == 0 ? NB_PASS : NB_ERROR; /* the rest was run at every point */
        } else if (step->kind == NB_PROVE) {
            return nb_prove(bench, i, reason, outcome); /* what follows is a part of it */
        } else if (is_device_step(step)) {
            verdict = device_step(bench, step, reason);
        } else {
            verdict = plain_step(bench, step, reason);
        }
        verdict = judge(bench, step, verdict, reason);
    }
    return verdict;
}

/* ---- one cell ---------------------------------------------------------------------------- */

static int set_up(struct nb_bench *bench, struct flash_text_error *error)
{
    int err = nb_cell_device(bench->script, bench->cell, &bench->device, error);
    if (err == 0 && bench->device.foreign) {
        snprintf(error->message, sizeof error->message,
                 "the device's firmware is somebody else's: it needs the cortexm world");
        err = OTA_E_UNSUPPORTED;
    }
    if (err != 0)
        return err;
    bench->sim = flash_sim_memory(bench->device.chips, bench->device.chip_count);
    bench->crypto =
        bench->sim != NULL ? crypto_openssl_new(bench->sim, !bench->cell->compute) : NULL;
    if (bench->crypto == NULL)
        return OTA_E_NO_SPACE;
    bench->nv = (struct nv_port){bench, counter_get, counter_raise};
    flash_failing_init(&bench->failing, bench->sim);
    sim_device_boot_config(&bench->device, flash_sim_port(bench->sim),
                           crypto_openssl_port(bench->crypto), &bench->nv, NULL, bench->buffer,
                           sizeof bench->buffer, &bench->config);
    bench->loader_fingerprint =
        flash_sim_fingerprint(bench->sim, bench->device.loader.address, bench->device.loader.size);
    nb_oracle_init(&bench->state.oracle,
                   bench->device.scheme->reverts && bench->device.attempts == 1,
                   bench->device.validate_primary);
    bench->state.oracle.ranks = bench->device.scheme->store;
    const struct nb_image *factory = nb_script_factory(bench->script);
    err = factory != NULL ? nb_bench_put(bench, 0, factory, NULL, error) : 0;
    if (err != 0 || factory == NULL || !bench->device.scheme->store)
        return err;
    struct boot_result result; /* it was switched on once: its store has the factory image */
    return boot_go(&bench->config, &result);
}

int nb_bench_run(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome)
{
    struct nb_bench *bench = calloc(1, sizeof *bench);
    struct flash_text_error error = {0};
    char reason[NB_LINE] = "";
    if (bench == NULL)
        return OTA_E_NO_SPACE;
    bench->script = script;
    bench->cell = cell;
    int err = set_up(bench, &error);
    if (err != 0) {
        nb_outcome_set(outcome, err == OTA_E_UNSUPPORTED ? NB_SKIP : NB_ERROR, "%s",
                       error.message[0] != '\0' ? error.message : ota_err_text(err));
    } else {
        enum nb_verdict verdict = nb_bench_steps(bench, 0, reason, outcome);
        for (size_t i = 0; verdict != NB_PASS && i < bench->state.event_count; i++)
            nb_story_add(outcome, "%s", bench->state.events[i]);
        nb_outcome_set(outcome, verdict, "%s", reason);
    }
    if (bench->crypto != NULL)
        crypto_openssl_free(bench->crypto);
    if (bench->sim != NULL)
        flash_sim_close(bench->sim);
    sim_device_free(&bench->device);
    free(bench);
    return 0;
}
