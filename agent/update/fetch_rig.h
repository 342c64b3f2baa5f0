/* What the tests of fetching over HTTP share: how a session gets there, and how it ends. */
#ifndef NOBRICK_AGENT_UPDATE_FETCH_RIG_H
#define NOBRICK_AGENT_UPDATE_FETCH_RIG_H

#include "agent/update/session_rig.h"

static inline int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.progress.size = RIG_PROGRESS;
    *state = rig;
    return 0;
}

static inline int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* To the first request for data, of an MQTT job whose image is on the server. */
static inline void to_peek(struct rig *rig)
{
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    assert_string_equal(ota_state_name(&rig->agent), "peek");
}

/* … to the first request after the slot was erased. */
static inline void to_fetch(struct rig *rig)
{
    to_peek(rig);
    rig_serve(rig);
    rig_erase(rig);
    assert_string_equal(ota_state_name(&rig->agent), "fetch");
}

static inline void assert_slot_is_image(struct rig *rig)
{
    static uint8_t slot[RIG_SLOT];
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_memory_equal(slot, rig->image, rig->image_size);
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

static inline void assert_slot_untouched(struct rig *rig)
{
    assert_int_equal(flash_area_is_erased(&rig->config.secondary, 0, RIG_SLOT), 1);
}

/* Fails until the session gives the image up, and reports that by MQTT. */
static inline void fail_until_refused(struct rig *rig, void (*answer)(struct rig *rig),
                                      const char *word)
{
    for (unsigned i = 1; i <= ota_default_timing.connect_tries; i++) {
        assert_int_equal(rig_count(rig, "refused"), 0);
        answer(rig);
        if (i < ota_default_timing.connect_tries) {
            assert_string_equal(ota_state_name(&rig->agent), "pause");
            rig_timer(rig);
        }
    }
    rig_fails(rig, word);
}

#endif
