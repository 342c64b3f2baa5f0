/* Images go to the secondary slot, and trailers say what runs and what is to run. */
#include "agent/update/steps.h"

static int running(struct ota_agent *agent, struct img_version *out)
{
    struct img_info info;
    int error = img_measure(&agent->config.primary, &info, NULL);
    if (error == 0)
        *out = info.header.version;
    return error;
}

static bool is_on_trial(struct ota_agent *agent)
{
    return agent->config.reverts && img_on_trial(&agent->config.primary, &agent->config.format);
}

/* Half an old image must not look pending. */
static int give_up(struct ota_agent *agent)
{
    return img_prepare_erase(&agent->config.secondary, &agent->config.format);
}

static int check(struct ota_agent *agent, struct img_info *out)
{
    const struct ota_config *config = &agent->config;
    const struct img_rules rules = {config->keys, config->key_count, config->max_end};
    return ota_is_taken_over(agent)
               ? img_measure(&config->secondary, out, NULL)
               : img_check(&config->secondary, &rules, agent->ports.crypto, out, NULL);
}

static int hand_over(struct ota_agent *agent)
{
    const struct ota_config *config = &agent->config;
    return img_set_pending(&config->secondary, &config->format, config->permanent);
}

static int withdraw(struct ota_agent *agent)
{
    return img_withdraw(&agent->config.secondary, &agent->config.format);
}

static int confirm(struct ota_agent *agent)
{
    return img_confirm(&agent->config.primary, &agent->config.format);
}

const struct ota_target ota_to_slots = {
    .running = running,
    .is_on_trial = is_on_trial,
    .give_up = give_up,
    .check = check,
    .hand_over = hand_over,
    .withdraw = withdraw,
    .confirm = confirm,
};
