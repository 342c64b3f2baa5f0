/* Direct flow: no job says where the image is, the configuration does; the data says which version
 * it is. */
#include "agent/update/steps.h"

#include <string.h>

static enum ota_state begin(struct ota_agent *agent)
{
    agent->source = (struct ota_source){.connection = agent->config.connection};
    if (agent->config.connection != OTA_BY_MQTT)
        memcpy(agent->source.path, agent->config.http_file, strlen(agent->config.http_file) + 1);
    agent->announced = false;
    return ota_begin_fetch(agent);
}

static int announce(struct ota_agent *agent, const struct img_version *version)
{
    agent->offer = *version;
    int error = ota_judge_offer(agent);
    if (error != 0)
        return error;
    agent->announced = true;
    ota_notify(agent, OTA_NOTICE_JOB, 0);
    return 0;
}

const struct ota_direct ota_direct = {begin, announce};
