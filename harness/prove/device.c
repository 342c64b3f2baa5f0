#include "harness/prove/device.h"

#include "harness/run/act.h"
#include "harness/run/bench_store.h"

#include <string.h>

static bool same(const struct img_version *a, const struct img_version *b)
{
    return img_version_compare(a, b) == 0;
}

/* ---- one run ----------------------------------------------------------------------------- */

static int sha256(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE])
{
    const struct nb_prove_device *device = context;
    const struct crypto_port *port = crypto_openssl_port(device->bench->crypto);
    return port->sha256(port->context, data, length, digest);
}

/* A digest that is remembered is a read, too. */
static int sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    const struct nb_prove_device *device = context;
    const struct crypto_port *port = crypto_openssl_port(device->bench->crypto);
    (void)flash;
    device->seam->reads(device->seam->context, address, length);
    return port->sha256_flash(port->context, flash_sim_port(device->bench->sim), address, length,
                              digest);
}

static int verify(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size)
{
    const struct nb_prove_device *device = context;
    const struct crypto_port *port = crypto_openssl_port(device->bench->crypto);
    return port->verify(port->context, key, digest, signature, signature_size);
}

/* By the bytes in the primary slot, whatever the loader thinks of them. */
static enum nb_runs what_runs(const struct nb_prove_device *device, const struct img_info *image)
{
    const struct nb_bench *bench = device->bench;
    device->seam->reads(device->seam->context, bench->device.primary.address, image->end);
    uint64_t print = flash_sim_fingerprint(bench->sim, bench->device.primary.address, image->end);
    for (size_t i = 0; i < bench->known_count; i++) {
        const struct nb_bench_known *known = &bench->known[i];
        if (!known->genuine || known->end != image->end || known->fingerprint != print)
            continue;
        if (same(&known->version, &device->old))
            return NB_RUNS_OLD;
        if (device->has_new && same(&known->version, &device->new))
            return NB_RUNS_NEW;
    }
    return NB_RUNS_OTHER;
}

static void boot(struct nb_prove_device *device, struct nb_end *end)
{
    struct boot_result result;
    int err = boot_go(&device->bench->config, &result);
    if (err != 0) {
        end->runs = err == OTA_E_NO_IMAGE ? NB_RUNS_NOTHING : NB_RUNS_ERROR;
        return;
    }
    end->runs = what_runs(device, &result.image);
    end->trial = result.trial;
}

static int act_on_store(struct nb_prove_device *device, enum nb_action action)
{
    struct img_version version;
    bool changed;
    const struct boot_config *config = &device->bench->config;
    return action == NB_ACTION_PENDING ? sim_act_on_store(&device->act, config)
                                       : sim_act_confirm_stored(config, &version, &changed);
}

static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    struct nb_prove_device *device = context;
    struct boot_config *config = &device->bench->config;
    const struct boot_config kept = *config;
    device->seam = seam;
    config->primary.flash = seam->flash;
    config->secondary.flash = seam->flash;
    config->scratch.flash = seam->flash;
    config->format.status.flash = seam->flash;
    config->factory.flash = seam->flash;
    config->crypto = &device->crypto;
    if (action == NB_ACTION_BOOT)
        boot(device, end);
    else if (device->bench->device.scheme->store)
        end->refused = act_on_store(device, action) != 0;
    else if (action == NB_ACTION_PENDING)
        end->refused = img_set_pending(&config->secondary, &config->format,
                                       device->machine.demand.permanent) != 0;
    else
        end->refused = img_confirm(&config->primary, &config->format) != 0;
    *config = kept;
}

/* ---- what it is -------------------------------------------------------------------------- */

/* The versions that the oracle knows: what stays unless something else is asked for and confirmed,
 * and what is asked for or on trial. */
static void find_images(struct nb_prove_device *device)
{
    const struct nb_oracle *oracle = &device->bench->state.oracle;
    int in_slot = oracle->in_slot[1];
    if (oracle->has_confirmed)
        device->old = oracle->confirmed;
    else if (oracle->in_slot[0] >= 0)
        device->old = oracle->images[oracle->in_slot[0]].version;
    device->has_new = true;
    if (oracle->has_running && oracle->running_trial)
        device->new = oracle->running;
    else if (oracle->has_pending)
        device->new = oracle->pending;
    else if (in_slot >= 0)
        device->new = oracle->images[in_slot].version;
    else
        device->has_new = false;
}

/* Without a word for it, the image that was put down last is downloaded. */
static struct sim_act act_of(const struct nb_bench *bench, const struct nb_step *step)
{
    struct sim_act act = nb_act_of(step, &bench->state.staged, false);
    act.kind = step->call == SIM_ACT_NONE ? SIM_ACT_PENDING : step->call;
    return act;
}

static void find_phase(struct nb_prove_device *device, const struct nb_step *step)
{
    struct nb_bench *bench = device->bench;
    const struct nb_oracle *oracle = &bench->state.oracle;
    enum img_swap_type asked = bench->device.scheme->store
                                   ? nb_bench_store_requested(bench)
                                   : img_requested(&bench->config.secondary, &bench->config.format);
    device->machine.demand.permanent = asked == IMG_SWAP_PERM;
    if (step->pending) {
        device->phase = NB_PHASE_ASKING;
        device->machine.demand.permanent = nb_bench_permanent(bench, step);
    } else if (oracle->has_running && oracle->running_trial) {
        device->phase = step->confirmed ? NB_PHASE_ON_TRIAL : NB_PHASE_TRIED;
    } else {
        device->phase = asked != IMG_SWAP_NONE ? NB_PHASE_ASKED : NB_PHASE_OLD;
    }
}

/* The set that a list of versions means; NB_RUNS_OTHER when one is neither image. */
static unsigned set_of(const struct nb_prove_device *device, const struct nb_expect *expect)
{
    unsigned set = 0;
    for (size_t i = 0; i < expect->version_count; i++) {
        if (same(&expect->versions[i], &device->old))
            set |= NB_RUNS_OLD;
        else if (device->has_new && same(&expect->versions[i], &device->new))
            set |= NB_RUNS_NEW;
        else
            return NB_RUNS_OTHER;
    }
    return set;
}

/* The machine uses this region, too. */
static void widen(struct nb_machine *machine, const struct sim_region *region)
{
    uint32_t end = region->address + region->size;
    if (region->size == 0)
        return;
    machine->from =
        machine->to == 0 || region->address < machine->from ? region->address : machine->from;
    machine->to = end > machine->to ? end : machine->to;
}

/* Status records lie several to a sector where one is smaller than it. */
static void find_records(struct nb_machine *machine, const struct nb_bench *bench)
{
    const struct sim_region *status = &bench->device.status;
    const struct flash_port *port = flash_sim_port(bench->sim);
    struct flash_sector sector;
    if (status->size == 0 || port->sector(port->context, status->address, &sector) != 0 ||
        sector.unit == sector.size)
        return;
    machine->records = status->address;
    machine->records_end = status->address + status->size;
}

int nb_prove_device_init(struct nb_prove_device *device, struct nb_bench *bench,
                         const struct nb_step *step, const struct nb_step *rest,
                         char reason[NB_LINE])
{
    const struct sim_region *primary = &bench->device.primary;
    const struct sim_region *secondary = &bench->device.secondary;
    const struct sim_region *loader = &bench->device.loader;
    memset(device, 0, sizeof *device);
    device->bench = bench;
    device->crypto = (struct crypto_port){device, sha256, sha256_flash, verify};
    uint32_t primary_end = primary->address + primary->size;
    device->machine = (struct nb_machine){
        .context = device,
        .sim = bench->sim,
        .counter = &bench->state.counter,
        .loader = loader->address,
        .loader_end = loader->address + loader->size,
        .demand = {.reverts = bench->device.scheme->reverts,
                   .again = bench->device.attempts > 1,
                   .confirms = step->confirmed},
        .run = run,
    };
    if (bench->device.format.max_sectors != 0) {
        device->machine.entries_end = primary_end - img_trailer_swap_size(&bench->device.format);
        device->machine.entries = primary_end - img_trailer_size(&bench->device.format);
    }
    find_records(&device->machine, bench);
    widen(&device->machine, primary);
    widen(&device->machine, secondary);
    widen(&device->machine, &bench->device.scratch);
    widen(&device->machine, &bench->device.status);
    widen(&device->machine, &bench->device.factory);
    find_images(device);
    device->act = act_of(bench, step);
    if (step->pending && bench->device.scheme->store)
        device->has_new = sim_act_next(&device->act, &bench->config, &device->new) == 0;
    find_phase(device, step);
    device->act.permanent = device->machine.demand.permanent;
    struct nb_demand *demand = &device->machine.demand;
    demand->boots = set_of(device, &step->expect);
    demand->rests = rest != NULL ? set_of(device, &rest->expect) : demand->boots;
    if (demand->boots & NB_RUNS_OTHER || demand->rests & NB_RUNS_OTHER) {
        const struct nb_step *wrong = demand->boots & NB_RUNS_OTHER ? step : rest;
        snprintf(reason, NB_LINE,
                 "line %u: a version in `%.60s` is neither the running image nor the one in slot1",
                 wrong->line, wrong->text);
        return OTA_E_ARGUMENT;
    }
    return 0;
}
