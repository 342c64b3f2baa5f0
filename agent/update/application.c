#include "agent/update/steps.h"

#include <string.h>

/* ---- asking ------------------------------------------------------------------------------ */

static enum ota_answer consult(struct ota_agent *agent, const char *state, enum ota_ask ask,
                               int code)
{
    if (agent->config.decide == NULL)
        return OTA_ANSWER_CONTINUE;
    struct ota_question question = {
        .ask = ask,
        .state = state,
        .code = code,
        .connection = ota_connection_now(agent),
        .version = agent->offer,
        .done = ota_image_done(agent),
        .total = ota_image_total(agent),
        .document = agent->text,
        .document_size = agent->config.text_size,
    };
    enum ota_answer answer = agent->config.decide(agent->config.decide_context, &question);
    agent->text[agent->config.text_size - 1] = 0;
    if (agent->text_length >= 0 && ask == OTA_ASK_STEP)
        agent->text_length = (int)strlen(agent->text);
    return answer;
}

/* ---- obeying ----------------------------------------------------------------------------- */

/* The application did the work of the present state: where that leads. The state itself when its
 * first handler knows (agent->taken_over). */
static enum ota_state taken_over(struct ota_agent *agent)
{
    switch (agent->state) {
    case OTA_STATE_CONNECT:
        agent->linked = true;
        agent->unacked = 0;
        return OTA_STATE_SUBSCRIBE;
    case OTA_STATE_SUBSCRIBE:
    case OTA_STATE_PAUSE:
        return ota_proceed(agent);
    case OTA_STATE_PROBE:
        return OTA_STATE_CONFIRM;
    case OTA_STATE_ASK:
    case OTA_STATE_QUERY:
        return OTA_STATE_PARSE;
    case OTA_STATE_ERASE:
        agent->prepared = true;
        return ota_proceed(agent);
    case OTA_STATE_REQUEST:
        return OTA_STATE_RECEIVE;
    case OTA_STATE_RECEIVE:
    case OTA_STATE_PEEK:
    case OTA_STATE_FETCH:
        return OTA_STATE_VERIFY;
    case OTA_STATE_REPORT:
    case OTA_STATE_POST:
        return ota_reported(agent, true);
    case OTA_STATE_RESET:
        agent->restart = false;
        return OTA_STATE_LEAVE;
    default: /* verify, install, confirm, parse know; there is nothing to take over in the others */
        agent->taken_over = true;
        return agent->state;
    }
}

/* In these the session has ended: there is nothing left to stop or to take over. */
static bool is_final(enum ota_state state)
{
    return state == OTA_STATE_IDLE || state == OTA_STATE_LEAVE;
}

/* Tells the application how the state that is being left ended. Returns where to go, which is
 * `next` unless the application stops the session. */
static enum ota_state leave(struct ota_agent *agent, enum ota_state next)
{
    int failure = agent->failure;
    enum ota_answer answer = consult(agent, ota_state_name(agent),
                                     failure != 0 ? OTA_ASK_FAILURE : OTA_ASK_SUCCESS, failure);
    if (is_final(agent->state) || (failure != 0 && next != OTA_STATE_PAUSE))
        return next;
    if (answer == OTA_ANSWER_STOP)
        return ota_stop(agent, OTA_E_STOPPED);
    return answer == OTA_ANSWER_FAILED && failure == 0 ? ota_stop(agent, OTA_E_APP) : next;
}

/* Before a state's first work: what the application wishes instead. */
static bool enter(struct ota_agent *agent, enum ota_state *next)
{
    enum ota_answer answer = consult(agent, ota_state_name(agent), OTA_ASK_STEP, 0);
    if (is_final(agent->state))
        answer = OTA_ANSWER_CONTINUE;
    if (answer == OTA_ANSWER_STOP || answer == OTA_ANSWER_FAILED) {
        *next = ota_stop(agent, answer == OTA_ANSWER_STOP ? OTA_E_STOPPED : OTA_E_APP);
        return false;
    }
    *next = answer == OTA_ANSWER_DONE ? taken_over(agent) : agent->state;
    return *next == agent->state;
}

static int write(struct ota_agent *agent, bool *written)
{
    enum ota_answer answer = consult(agent, "write", OTA_ASK_STEP, 0);
    *written = answer == OTA_ANSWER_DONE;
    if (answer == OTA_ANSWER_STOP)
        return OTA_E_STOPPED;
    return answer == OTA_ANSWER_FAILED ? OTA_E_APP : 0;
}

const struct ota_say ota_say = {enter, leave, write};
