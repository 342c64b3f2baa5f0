#include "sim/power_on.h"

static const char *swap_word(enum img_swap_type type)
{
    switch (type) {
    case IMG_SWAP_TEST:
        return " test";
    case IMG_SWAP_PERM:
        return " permanent";
    case IMG_SWAP_REVERT:
        return " revert";
    case IMG_SWAP_NONE:
    default:
        return "";
    }
}

void sim_boot_line(const struct boot_result *result, struct sim_line *out)
{
    const struct img_version *version = &result->image.header.version;
    sim_line_begin(out, "boot ");
    sim_line_number(out, version->major);
    sim_line_text(out, ".");
    sim_line_number(out, version->minor);
    sim_line_text(out, ".");
    sim_line_number(out, version->revision);
    sim_line_text(out, result->trial ? " trial" : " confirmed");
    sim_line_text(out, swap_word(result->performed));
    if (result->resumed)
        sim_line_text(out, " resumed");
}

bool sim_past_begins_anew(struct sim_past *past, bool once)
{
    past->crashes++;
    return !once || past->crashes < SIM_MAX_CRASHES;
}

static void say_error(const struct sim_power *power, const char *what, int error)
{
    struct sim_line line;
    sim_line_begin(&line, what);
    sim_line_text(&line, ota_err_word(error));
    power->event(power->context, line.text, error);
}

int sim_power_on(const struct sim_power *power, const struct boot_config *config,
                 struct sim_past *past, struct boot_result *out, int *error)
{
    struct sim_line line;
    *error = boot_go(config, out);
    if (out->refused != OTA_OK) {
        past->failure = out->refused;
        say_error(power, "refused ", out->refused);
    }
    if (*error != OTA_OK && *error != OTA_E_NO_IMAGE) {
        say_error(power, "loader-error ", *error);
        if (sim_past_begins_anew(past, power->once))
            return SIM_LIFE_RESET;
    }
    if (*error != OTA_OK) {
        say_error(power, "boot none ", *error);
        return 1;
    }
    if (out->performed == IMG_SWAP_REVERT)
        past->failure = OTA_E_REVERTED;
    sim_boot_line(out, &line);
    power->event(power->context, line.text, OTA_OK);
    return 0;
}
