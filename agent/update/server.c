#include "agent/update/steps.h"

#include <string.h>

/* ---- requests ---------------------------------------------------------------------------- */

int ota_request(struct ota_agent *agent, const struct http_request *request)
{
    const struct http_port *http = agent->ports.http;
    agent->reply = (struct ota_reply){.from = request->from};
    int error = http->request(http->context, request);
    agent->requested = error == 0;
    return error;
}

struct http_request ota_home_request(const struct ota_agent *agent, const char *path)
{
    return (struct http_request){
        .method = HTTP_GET,
        .tls = agent->config.connection == OTA_BY_HTTPS,
        .host = agent->config.http_host,
        .port = agent->config.http_port,
        .path = path,
    };
}

static bool is_success(unsigned status)
{
    return status >= 200 && status <= 299;
}

/* ---- is the server there ----------------------------------------------------------------- */

enum ota_state ota_probe_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct http_request request = ota_home_request(agent, agent->config.http_file);
    (void)event;
    request.ranged = true; /* one byte will do */
    int error = ota_request(agent, &request);
    if (error != 0)
        return ota_retry_request(agent, error);
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_PROBE;
}

/* Whatever it thinks of the request: the new image can reach the server. */
void ota_heed(struct ota_agent *agent, const struct http_head *head)
{
    uint32_t most = agent->config.timing.next_check;
    if (head->status != 429 && head->status != 503)
        return;
    agent->told_ms = head->retry_after_s < most / 1000 ? head->retry_after_s * 1000 : most;
}

enum ota_state ota_probe_head(struct ota_agent *agent, const struct ota_event *event)
{
    (void)agent;
    (void)event;
    return OTA_STATE_CONFIRM;
}

enum ota_state ota_probe_failed(struct ota_agent *agent, const struct ota_event *event)
{
    bool late = event->type == OTA_EVENT_TIMER || event->code == 0;
    return ota_retry_request(agent, late ? OTA_E_TIMEOUT : event->code);
}

/* ---- the job document -------------------------------------------------------------------- */

enum ota_state ota_query_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct http_request request = ota_home_request(agent, agent->config.http_file);
    (void)event;
    request.ranged = true; /* as the vendor's devices ask */
    request.to = UINT32_MAX;
    agent->text_length = 0;
    int error = ota_request(agent, &request);
    if (error != 0)
        return ota_retry_request(agent, error);
    ota_wait(agent, agent->config.timing.job_wait);
    return OTA_STATE_QUERY;
}

static enum ota_state refuse_document(struct ota_agent *agent)
{
    agent->text_length = OTA_E_JSON;
    return ota_take_document(agent);
}

enum ota_state ota_query_head(struct ota_agent *agent, const struct ota_event *event)
{
    const struct http_head *head = event->head;
    ota_heed(agent, head);
    if (!is_success(head->status))
        return ota_retry_request(agent, OTA_E_HTTP_STATUS);
    if (head->status == 206 && (!head->has_range || head->from != 0))
        return ota_retry_request(agent, OTA_E_HTTP_RANGE);
    if (head->has_length && head->length >= agent->config.text_size)
        return refuse_document(agent);
    agent->reply.begun = true;
    return OTA_STATE_QUERY;
}

enum ota_state ota_query_body(struct ota_agent *agent, const struct ota_event *event)
{
    size_t room = agent->config.text_size - 1 - (size_t)agent->text_length;
    if (!agent->reply.begun)
        return OTA_STATE_QUERY;
    if (event->length > room)
        return refuse_document(agent);
    if (event->length > 0)
        memcpy(agent->text + agent->text_length, event->data, event->length);
    agent->text_length += (int)event->length;
    return OTA_STATE_QUERY;
}

enum ota_state ota_query_done(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0 || !agent->reply.begun)
        return ota_retry_request(agent, event->code != 0 ? event->code : OTA_E_DISCONNECTED);
    agent->tries = 0;
    return ota_take_document(agent);
}

enum ota_state ota_query_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    return ota_retry_request(agent, OTA_E_TIMEOUT);
}

/* ---- the result -------------------------------------------------------------------------- */

const char *ota_result_path(const struct ota_agent *agent)
{
    return agent->record.path[0] != 0 ? agent->record.path : agent->config.http_file;
}

enum ota_state ota_post_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct http_request request = ota_home_request(agent, ota_result_path(agent));
    (void)event;
    request.method = HTTP_POST;
    request.body = agent->text;
    int error = agent->text_length < 0 ? agent->text_length : ota_request(agent, &request);
    if (error != 0)
        return ota_retry_request(agent, error);
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_POST;
}

/* A server that does not take results never will: that is no reason to come again and again. */
enum ota_state ota_post_head(struct ota_agent *agent, const struct ota_event *event)
{
    unsigned status = event->head->status;
    ota_heed(agent, event->head);
    if (is_success(status))
        return ota_reported(agent, true);
    if (status < 400 || status > 499)
        return ota_retry_request(agent, OTA_E_HTTP_STATUS);
    ota_log(agent, OTA_LOG_WARNING, "result not taken", OTA_E_HTTP_STATUS);
    return ota_reported(agent, false);
}

enum ota_state ota_post_failed(struct ota_agent *agent, const struct ota_event *event)
{
    bool late = event->type == OTA_EVENT_TIMER || event->code == 0;
    return ota_retry_request(agent, late ? OTA_E_TIMEOUT : event->code);
}
