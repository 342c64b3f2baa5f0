#include "harness/run/net.h"
#include "harness/run/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MAGIC  "OTAImage"
#define CHUNK_HEADER 32

static bool over_http(enum nb_link link)
{
    return link == NB_LINK_HTTP || link == NB_LINK_HTTPS;
}

static bool uses(const struct nb_net *net, enum nb_link link)
{
    return net->via == link || net->data == link || net->offers[link];
}

/* ---- choice ------------------------------------------------------------------------------ */

static int index_of(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

/* What a system's cloud has no place for. */
static int check_links(const struct nb_net *net, const struct nb_script *script,
                       char reason[NB_LINE])
{
    const struct nb_side *side = net->side;
    if (!side->has_broker && (net->via == NB_LINK_MQTT || net->data == NB_LINK_MQTT)) {
        snprintf(reason, NB_LINE, "%s's cloud has no broker: expected via and data http or https",
                 side->system);
        return OTA_E_ARGUMENT;
    }
    if (script->nginx && side->real_jobs &&
        (over_http(net->via) || !over_http(net->data) || script->agent.direct)) {
        snprintf(reason, NB_LINE, "line %u: %s", script->nginx, side->real_jobs);
        return OTA_E_ARGUMENT;
    }
    return 0;
}

int nb_net_choose(struct nb_net *net, const struct nb_script *script, const struct nb_cell *cell,
                  const struct sim_device *device, char reason[NB_LINE])
{
    int via = index_of(cell->via, nb_link_words);
    int data = index_of(cell->data, nb_link_words);
    int tls = cell->tls[0] ? index_of(cell->tls, nb_tls_words) : NB_TLS_NONE;
    if (via < 0 || data < 0 || tls < 0) {
        snprintf(reason, NB_LINE, "via=%.20s data=%.20s tls=%.20s: no such word", cell->via,
                 cell->data, cell->tls);
        return OTA_E_ARGUMENT;
    }
    const char *spoken = nb_cell_system(script, cell);
    if (spoken && strcmp(spoken, device->system) != 0) {
        snprintf(reason, NB_LINE, "line %u: the device is one of %s, not of %s",
                 script->system.line, device->system, spoken);
        return OTA_E_ARGUMENT;
    }
    net->side = nb_side_find(device->system);
    if (!net->side) {
        snprintf(reason, NB_LINE, "nobody plays the cloud of %s devices", device->system);
        return OTA_E_UNSUPPORTED;
    }
    net->via = via == NB_LINK_NONE ? net->side->via : (enum nb_link)via;
    net->data = data == NB_LINK_NONE ? net->side->data : (enum nb_link)data;
    if (net->data == NB_LINK_NONE)
        net->data = net->via;
    net->tls = (enum nb_tls)tls;
    for (size_t i = 0; i < script->image_count; i++)
        net->offers[script->images[i].connection] = true;
    return check_links(net, script, reason);
}

/* The link that a fault is on. */
static enum nb_link link_of(const struct nb_net *net, const struct nb_fault *fault)
{
    enum nb_fault_talk talk = nb_fault_rows[fault->kind].talk;
    enum nb_link server = over_http(net->data) ? net->data : net->via;
    if (talk == NB_TALK_MQTT || fault->side == NB_SIDE_BROKER)
        return NB_LINK_MQTT;
    if (talk == NB_TALK_HTTP)
        return fault->phase == NB_PHASE_DATA ? net->data : net->via;
    return fault->side == NB_SIDE_SERVER ? server : net->data;
}

static bool is_tls(const struct nb_net *net, enum nb_link link)
{
    return link == NB_LINK_HTTPS || (link == NB_LINK_MQTT && net->tls != NB_TLS_NONE);
}

const char *nb_net_cannot(const struct nb_net *net, const struct nb_fault *fault)
{
    enum nb_fault_talk talk = nb_fault_rows[fault->kind].talk;
    enum nb_link link = link_of(net, fault);
    if (fault->kind == NB_NET_DNS)
        return net->makers->fail_names ? NULL : "names are the machine's own here";
    if (fault->kind == NB_CLOCK_JUMP && !net->makers->jump)
        return "nobody turns the machine's own clock";
    if (talk == NB_TALK_HTTP && !over_http(link))
        return "nothing goes over HTTP here";
    if (talk == NB_TALK_MQTT && !uses(net, NB_LINK_MQTT))
        return "nothing goes over MQTT here";
    if (talk == NB_TALK_BYTES && !uses(net, link))
        return "nobody connects there";
    if (fault->place == NB_PLACE_CONNECT &&
        (talk != NB_TALK_BYTES || fault->kind == NB_NET_CORRUPT))
        return "it strikes at bytes or packets, not at a connection";
    if (talk != NB_TALK_BYTES && is_tls(net, link) && fault->kind != NB_HTTP_EXPIRE)
        return "the proxy cannot look into TLS";
    return NULL;
}

const char *nb_net_not_for(const struct nb_net *net, const struct nb_script *script,
                           const struct nb_step *step)
{
    return net->side->cannot(script, step);
}

/* ---- start ------------------------------------------------------------------------------- */

void nb_net_cloud_event(void *context, const struct ota_event *event)
{
    struct nb_net *net = context;
    if (net->cloud && net->side->event)
        net->side->event(net, event);
}

static void report(void *context, const char *line)
{
    const struct nb_net *net = context;
    net->line(net->context, line);
}

static void jump(void *context, uint32_t ms)
{
    struct nb_net *net = context;
    net->makers->jump(net, ms);
}

/* Puts a proxy in front of the server, where the script needs one. */
static int open_door(struct nb_net *net, struct nb_door *door, bool proxied, const char *name,
                     enum nb_fault_talk talk)
{
    const struct nb_proxy_config config = {
        .world = net->world,
        .name = name,
        .upstream = door->port,
        .talk = door->tls ? NB_TALK_BYTES : talk,
        .chunk_magic = CHUNK_MAGIC,
        .chunk_header = CHUNK_HEADER,
        .job_path = net->side->job_path,
        .jump = net->makers->jump ? jump : NULL,
        .report = report,
        .context = net,
    };
    if (!proxied)
        return 0;
    door->proxy = nb_proxy_new(&config, &door->port);
    return door->proxy ? 0 : OTA_E_NO_SPACE;
}

static int start_server(struct nb_net *net, struct nb_kit *kit, bool tls, char reason[NB_LINE])
{
    const struct nb_peer_server *peer;
    int rc = net->makers->server(net, kit, tls, &peer, reason);
    if (rc)
        return rc;
    net->server[tls] = (struct nb_door){.port = peer->port, .tls = tls};
    return net->side->serve(net, peer);
}

enum nb_tls nb_net_tls(const struct nb_net *net)
{
    return net->tls == NB_TLS_NONE ? NB_TLS_SERVER : net->tls;
}

/* A real server has both ports, whichever of them this cell uses. */
static int start_servers(struct nb_net *net, const struct nb_script *script, struct nb_kit *kit,
                         char reason[NB_LINE])
{
    uint16_t real[2] = {0};
    net->real = script->nginx;
    int rc = net->real ? net->makers->real_server(net, kit, real, reason) : 0;
    for (int tls = 0; rc == 0 && tls < 2; tls++) {
        struct nb_door *door = &net->server[tls];
        if (!uses(net, tls ? NB_LINK_HTTPS : NB_LINK_HTTP))
            continue;
        if (net->real)
            *door = (struct nb_door){.port = real[tls], .tls = tls};
        else
            rc = start_server(net, kit, tls, reason);
        if (rc == 0)
            rc = open_door(net, door, script->needs_proxy, "server", NB_TALK_HTTP);
    }
    return rc;
}

static int start_broker(struct nb_net *net, struct nb_kit *kit, char reason[NB_LINE])
{
    uint16_t tls_port = 0;
    if (!net->side->has_broker)
        return 0;
    int rc = net->makers->broker(net, kit, &net->broker_port, &tls_port, reason);
    net->broker.tls = tls_port != 0;
    net->broker.port = tls_port ? tls_port : net->broker_port;
    return rc;
}

int nb_net_start(struct nb_net *net, const struct nb_script *script, const struct nb_cell *cell,
                 const struct sim_device *device, char reason[NB_LINE])
{
    net->by_name = false;
    for (size_t i = 0; i < script->step_count; i++)
        net->by_name = net->by_name || (script->steps[i].kind == NB_FAULT_NET &&
                                        script->steps[i].fault.kind == NB_NET_DNS);
    int rc = start_broker(net, cell->kit, reason);
    if (rc == 0)
        rc = net->makers->closed_port(net, &net->closed_port);
    if (rc == 0)
        rc = net->side->start(net, device, reason);
    if (rc == 0 && net->side->has_broker)
        rc = open_door(net, &net->broker, script->needs_proxy, "broker", NB_TALK_MQTT);
    if (rc == 0)
        rc = start_servers(net, script, cell->kit, reason);
    return rc;
}

void nb_net_stop(struct nb_net *net)
{
    nb_proxy_free(net->broker.proxy);
    for (int tls = 0; tls < 2; tls++)
        nb_proxy_free(net->server[tls].proxy);
    if (net->side)
        net->side->stop(net);
    for (int tls = 0; tls < 2; tls++)
        net->server[tls] = (struct nb_door){0};
    net->broker = (struct nb_door){0};
    net->offered_size = 0;
    net->traffic = 0;
    if (net->makers)
        net->makers->stop(net);
}

int nb_net_offer(struct nb_net *net, const struct nb_offered *offered, char reason[NB_LINE])
{
    return net->side->offer(net, offered, reason);
}

/* ---- faults ------------------------------------------------------------------------------ */

uint32_t nb_net_fault_at(const struct nb_net *net, const struct nb_fault *fault)
{
    return fault->percent ? (uint32_t)((uint64_t)net->offered_size * fault->at / 100) : fault->at;
}

int nb_net_arm(struct nb_net *net, const struct nb_step *step)
{
    struct nb_fault fault = step->fault;
    enum nb_link link = link_of(net, &fault);
    const struct nb_door *door =
        link == NB_LINK_MQTT ? &net->broker : &net->server[link == NB_LINK_HTTPS];
    if (step->kind != NB_FAULT_NET || fault.kind == NB_HTTP_EXPIRE)
        return net->side->arm ? net->side->arm(net, step) : OTA_E_UNSUPPORTED;
    fault.text = step->raw_text;
    if (fault.kind == NB_NET_DNS) {
        if (!net->makers->fail_names)
            return OTA_E_UNSUPPORTED;
        net->makers->fail_names(net, fault.times);
        net->names_armed = true;
        return 0;
    }
    fault.at = nb_net_fault_at(net, &fault);
    fault.percent = false;
    return door->proxy ? nb_proxy_arm(door->proxy, &fault) : OTA_E_UNSUPPORTED;
}

void nb_net_device_line(struct nb_net *net, const char *text)
{
    static const char *const words[] = {"state pause", "idle ", "reject "};
    bool gave_up = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        gave_up = gave_up || strncmp(text, words[i], strlen(words[i])) == 0;
    if (!gave_up)
        return;
    if (net->broker.proxy)
        nb_proxy_device_gave_up(net->broker.proxy);
    for (int tls = 0; tls < 2; tls++)
        if (net->server[tls].proxy)
            nb_proxy_device_gave_up(net->server[tls].proxy);
}

static size_t end_proxy(struct nb_net *net, struct nb_proxy *proxy, const char **word)
{
    struct nb_proxy_traffic traffic;
    if (!proxy)
        return 0;
    size_t unfired = nb_proxy_unfired(proxy, word);
    nb_proxy_traffic(proxy, &traffic);
    net->traffic += traffic.to_device;
    nb_proxy_step(proxy);
    return unfired;
}

static size_t end_names(struct nb_net *net, const char **word)
{
    char line[NB_WORD];
    uint32_t failed = net->names_armed ? net->makers->names_failed(net) : 0;
    if (!net->names_armed)
        return 0;
    net->names_armed = false;
    net->makers->fail_names(net, 0);
    snprintf(line, sizeof line, "fault dns %u", failed);
    if (failed)
        net->line(net->context, line);
    else
        *word = nb_fault_rows[NB_NET_DNS].word;
    return failed == 0;
}

size_t nb_net_end_step(struct nb_net *net, const char **word)
{
    net->traffic = 0;
    size_t unfired = net->cloud && net->side->end_step ? net->side->end_step(net, word) : 0;
    unfired += end_names(net, word);
    unfired += end_proxy(net, net->broker.proxy, word);
    for (int tls = 0; tls < 2; tls++)
        unfired += end_proxy(net, net->server[tls].proxy, word);
    return unfired;
}

void nb_net_memory(const struct nb_net *net, struct anycloud_memory *out)
{
    *out = (struct anycloud_memory){0};
    if (net->cloud && net->side->memory)
        net->side->memory(net, out);
}

void nb_net_recall(struct nb_net *net, const struct anycloud_memory *memory)
{
    if (net->cloud && net->side->recall)
        net->side->recall(net, memory);
}

/* ---- what the device is told ------------------------------------------------------------- */

bool nb_net_via_http(const struct nb_net *net)
{
    return over_http(net->via);
}

const char *nb_net_host(const struct nb_net *net)
{
    return net->by_name ? "localhost" : "127.0.0.1";
}

const struct nb_door *nb_net_home_server(const struct nb_net *net)
{
    bool https = net->via == NB_LINK_HTTPS || (net->via == NB_LINK_MQTT && !net->server[0].port);
    return net->server[https].port ? &net->server[https] : NULL;
}
