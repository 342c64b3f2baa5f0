#include "sim/timing.h"

/* Short enough for a test, long enough for a loaded machine. */
static const struct ota_timing fast_timing = {
    .initial_check = 1,
    .next_check = 1000,
    .job_wait = 2000,
    .data_wait = 500,
    .connect_wait = 3000,
    .retry_first = 100,
    .retry_last = 1000,
    .connect_tries = 3,
    .data_tries = 5,
};

/* At a desk nobody waits a day for the next check. */
static const struct ota_timing desk_timing = {
    .initial_check = 1,
    .next_check = 10000,
    .job_wait = 10000,
    .data_wait = 3000,
    .connect_wait = 5000,
    .retry_first = 1000,
    .retry_last = 8000,
    .connect_tries = 4,
};

struct ota_timing sim_timing_of(enum sim_timing usual, const struct ota_timing *wish)
{
    struct ota_timing timing = usual == SIM_TIMING_FAST   ? fast_timing
                               : usual == SIM_TIMING_DESK ? desk_timing
                                                          : ota_default_timing;
#define WISH(field) (timing.field = wish->field != 0 ? wish->field : timing.field)
    WISH(initial_check);
    WISH(next_check);
    WISH(job_wait);
    WISH(data_wait);
    WISH(connect_wait);
    WISH(retry_first);
    WISH(retry_last);
    WISH(keep_alive);
    WISH(connect_tries);
    WISH(data_tries);
#undef WISH
    if (timing.retry_last < timing.retry_first)
        timing.retry_last = timing.retry_first;
    return timing;
}
