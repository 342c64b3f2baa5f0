#include "harness/run/net.h"
#include "harness/run/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOUD_MS     5000 /* for the cloud side to connect and subscribe */
#define CHUNK_SIZE   4096
#define CHUNK_MAGIC  "OTAImage"
#define CHUNK_HEADER 32

extern volatile int nb_run_stop;

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

int nb_net_choose(struct nb_net *net, const struct nb_script *script, const struct nb_cell *cell,
                  char reason[NB_LINE])
{
    int via = index_of(cell->via, nb_link_words);
    int data = index_of(cell->data, nb_link_words);
    int tls = cell->tls[0] ? index_of(cell->tls, nb_tls_words) : NB_TLS_NONE;
    if (via < 0 || data < 0 || tls < 0) {
        snprintf(reason, NB_LINE, "via=%.20s data=%.20s tls=%.20s: no such word", cell->via,
                 cell->data, cell->tls);
        return OTA_E_ARGUMENT;
    }
    net->via = via == NB_LINK_NONE ? NB_LINK_MQTT : (enum nb_link)via;
    net->data = data == NB_LINK_NONE ? NB_LINK_MQTT : (enum nb_link)data;
    net->tls = (enum nb_tls)tls;
    for (size_t i = 0; i < script->image_count; i++)
        net->offers[script->images[i].connection] = true;
    return 0;
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

/* ---- start ------------------------------------------------------------------------------- */

void nb_net_cloud_event(void *context, const struct ota_event *event)
{
    struct nb_net *net = context;
    if (net->cloud)
        anycloud_cloud_event(net->cloud, event);
}

static void on_timer(void *context, unsigned id)
{
    struct nb_net *net = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    if (net->cloud)
        anycloud_cloud_event(net->cloud, &event);
}

static int start_cloud(struct nb_net *net, const struct sim_device *device, char reason[NB_LINE])
{
    const struct sim_world *world = net->world;
    const struct mqtt_port *mqtt;
    int rc = net->makers->client(net, &mqtt);
    net->clock = world->clock_new(world->context, on_timer, net);
    if (rc || !net->clock)
        return rc ? rc : OTA_E_NO_SPACE;
    net->cloud = anycloud_cloud_new(mqtt, world->clock_port(net->clock), device->topic_prefix,
                                    device->board, net->line, net->context);
    if (!net->cloud)
        return OTA_E_NO_SPACE;
    rc = anycloud_cloud_start(net->cloud);
    uint64_t end = world->now_ms(world->context) + CLOUD_MS;
    while (rc == 0 && !anycloud_cloud_ready(net->cloud)) {
        (void)world->run(world->context, 5);
        if (nb_run_stop)
            rc = OTA_E_CANCELLED;
        else if (world->now_ms(world->context) > end)
            rc = OTA_E_TIMEOUT;
    }
    if (rc)
        snprintf(reason, NB_LINE, "the cloud side does not get ready: %s", ota_err_text(rc));
    return rc;
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
        .job_path = ANYCLOUD_JOB_PATH,
        .jump = net->makers->jump ? jump : NULL,
        .report = report,
        .context = net,
    };
    if (!proxied)
        return 0;
    door->proxy = nb_proxy_new(&config, &door->port);
    return door->proxy ? 0 : OTA_E_NO_SPACE;
}

/* The link to the image on one of the servers has expired: the jobs of the others name the new
 * one. */
static void on_moved(void *context)
{
    struct nb_net *net = context;
    struct anycloud_offer offer = net->offer;
    bool tls = offer.connection == ANYCLOUD_OVER_HTTPS;
    anycloud_http_file(net->servers[tls], offer.file, sizeof offer.file);
    anycloud_cloud_offer(net->cloud, &offer);
    if (net->servers[!tls] && anycloud_http_offer(net->servers[!tls], &offer) != 0)
        net->line(net->context, "bad offer: out of memory");
}

static int start_server(struct nb_net *net, struct nb_kit *kit, const char *board, bool tls,
                        char reason[NB_LINE])
{
    const struct anycloud_http_config config = {
        .board = board, .moved = on_moved, .moved_context = net};
    const struct nb_peer_server *peer;
    int rc = net->makers->server(net, kit, tls, &peer, reason);
    if (rc)
        return rc;
    net->servers[tls] = anycloud_http_new(peer, &config, net->line, net->context);
    net->server[tls] = (struct nb_door){.port = peer->port, .tls = tls};
    return net->servers[tls] ? 0 : OTA_E_NO_SPACE;
}

enum nb_tls nb_net_tls(const struct nb_net *net)
{
    return net->tls == NB_TLS_NONE ? NB_TLS_SERVER : net->tls;
}

/* A real server has both ports, whichever of them this cell uses. */
static int start_servers(struct nb_net *net, const struct nb_script *script, struct nb_kit *kit,
                         const char *board, char reason[NB_LINE])
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
            rc = start_server(net, kit, board, tls, reason);
        if (rc == 0)
            rc = open_door(net, door, script->needs_proxy, "server", NB_TALK_HTTP);
    }
    return rc;
}

int nb_net_start(struct nb_net *net, const struct nb_script *script, const struct nb_cell *cell,
                 const struct sim_device *device, char reason[NB_LINE])
{
    uint16_t tls_port = 0;
    net->by_name = false;
    for (size_t i = 0; i < script->step_count; i++)
        net->by_name = net->by_name || (script->steps[i].kind == NB_FAULT_NET &&
                                        script->steps[i].fault.kind == NB_NET_DNS);
    int rc = net->makers->broker(net, cell->kit, &net->broker_port, &tls_port, reason);
    if (rc)
        return rc;
    net->broker.tls = tls_port != 0;
    net->broker.port = tls_port ? tls_port : net->broker_port;
    rc = net->makers->closed_port(net, &net->closed_port);
    if (rc == 0)
        rc = start_cloud(net, device, reason);
    if (rc == 0)
        rc = open_door(net, &net->broker, script->needs_proxy, "broker", NB_TALK_MQTT);
    if (rc == 0)
        rc = start_servers(net, script, cell->kit, device->board, reason);
    return rc;
}

void nb_net_stop(struct nb_net *net)
{
    nb_proxy_free(net->broker.proxy);
    for (int tls = 0; tls < 2; tls++) {
        nb_proxy_free(net->server[tls].proxy);
        anycloud_http_free(net->servers[tls]);
        net->servers[tls] = NULL;
        net->server[tls] = (struct nb_door){0};
    }
    net->broker = (struct nb_door){0};
    net->offer = (struct anycloud_offer){0};
    net->traffic = 0;
    if (net->cloud)
        anycloud_cloud_free(net->cloud);
    net->cloud = NULL;
    if (net->clock)
        net->world->clock_free(net->clock);
    net->clock = NULL;
    if (net->makers)
        net->makers->stop(net);
    free(net->archive);
    net->archive = NULL;
}

/* ---- offers ------------------------------------------------------------------------------ */

static int give(struct nb_net *net, const struct anycloud_offer *offer)
{
    int rc = 0;
    anycloud_cloud_offer(net->cloud, offer);
    for (int tls = 0; rc == 0 && tls < 2; tls++)
        if (net->servers[tls])
            rc = anycloud_http_offer(net->servers[tls], offer);
    if (rc == 0 && net->real)
        rc = net->makers->serve(net, offer->file[0] ? offer->file : ANYCLOUD_FILE, offer->image,
                                offer->size);
    return rc;
}

/* Where the job sends the device for the data. */
static void direct(const struct nb_net *net, enum nb_link link, bool closed,
                   struct anycloud_offer *offer)
{
    static const enum anycloud_connection connections[] = {
        [NB_LINK_MQTT] = ANYCLOUD_OVER_MQTT,
        [NB_LINK_HTTP] = ANYCLOUD_OVER_HTTP,
        [NB_LINK_HTTPS] = ANYCLOUD_OVER_HTTPS,
    };
    offer->connection = connections[link];
    if (link == net->via && !closed)
        return; /* where the job came from */
    snprintf(offer->host, sizeof offer->host, "%s", net->by_name ? "localhost" : "127.0.0.1");
    offer->port = closed                  ? net->closed_port
                  : link == NB_LINK_MQTT  ? net->broker.port
                  : link == NB_LINK_HTTPS ? net->server[1].port
                                          : net->server[0].port;
}

/* Puts the image on offer into an archive. */
static int pack(struct nb_net *net, enum nb_tar kind, struct anycloud_offer *offer)
{
    int rc =
        nb_tar_make(kind, &offer->version, offer->image, offer->size, &net->archive, &offer->size);
    offer->image = net->archive;
    return rc;
}

static void describe(struct nb_net *net, const struct nb_image *image, const char *board,
                     struct anycloud_offer *offer)
{
    if (image->chunk)
        offer->chunk_size = image->chunk;
    snprintf(offer->file, sizeof offer->file, "%s", image->path);
    snprintf(offer->board, sizeof offer->board, "%s", image->board[0] ? image->board : board);
    direct(net, image->connection ? image->connection : net->data, image->port_closed, offer);
}

int nb_net_offer(struct nb_net *net, const struct nb_image *image, const struct nb_blob *blob,
                 const char *board)
{
    struct anycloud_offer offer = {.chunk_size = CHUNK_SIZE};
    uint8_t *before = net->archive;
    net->archive = NULL;
    if (image) {
        offer.image = blob->data;
        offer.size = blob->size;
        offer.version = image->has_announce ? image->announce : image->version;
    }
    int rc = image && image->tar ? pack(net, image->tar, &offer) : 0;
    if (rc == 0 && image)
        describe(net, image, board, &offer);
    net->offer = offer;
    if (rc == 0)
        rc = give(net, &offer);
    free(before); /* nobody offers it any more */
    return rc;
}

/* ---- faults ------------------------------------------------------------------------------ */

static int arm_server(struct anycloud_http *http, const struct nb_fault *fault)
{
    const struct anycloud_http_fault own = {.kind = ANYCLOUD_HTTP_EXPIRE,
                                            .target = ANYCLOUD_HTTP_IMAGE,
                                            .argument = fault->value,
                                            .from = fault->at,
                                            .count = fault->times};
    return anycloud_http_fault(http, &own);
}

int nb_net_arm(struct nb_net *net, const struct nb_step *step)
{
    struct nb_fault fault = step->fault;
    enum nb_link link = link_of(net, &fault);
    const struct nb_door *door =
        link == NB_LINK_MQTT ? &net->broker : &net->server[link == NB_LINK_HTTPS];
    fault.text = step->raw_text;
    if (fault.kind == NB_NET_DNS) {
        if (!net->makers->fail_names)
            return OTA_E_UNSUPPORTED;
        net->makers->fail_names(net, fault.times);
        net->names_armed = true;
        return 0;
    }
    if (fault.percent) {
        fault.at = (uint32_t)((uint64_t)net->offer.size * fault.at / 100);
        fault.percent = false;
    }
    if (fault.kind == NB_HTTP_EXPIRE)
        return arm_server(net->servers[link == NB_LINK_HTTPS], &fault);
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
    size_t unfired = net->cloud ? anycloud_cloud_unfired(net->cloud) : 0;
    if (unfired)
        *word = "a fault of the cloud";
    if (net->cloud)
        anycloud_cloud_disarm(net->cloud); /* a fault is for one step */
    unfired += end_names(net, word);
    unfired += end_proxy(net, net->broker.proxy, word);
    for (int tls = 0; tls < 2; tls++) {
        unfired += end_proxy(net, net->server[tls].proxy, word);
        size_t own = net->servers[tls] ? anycloud_http_unfired(net->servers[tls]) : 0;
        if (own)
            *word = nb_fault_rows[NB_HTTP_EXPIRE].word;
        unfired += own;
        if (net->servers[tls])
            anycloud_http_disarm(net->servers[tls]);
    }
    return unfired;
}

/* ---- what the device is told ------------------------------------------------------------- */

bool nb_net_via_http(const struct nb_net *net)
{
    return over_http(net->via);
}

const struct nb_door *nb_net_home_server(const struct nb_net *net)
{
    bool https = net->via == NB_LINK_HTTPS || (net->via == NB_LINK_MQTT && !net->server[0].port);
    return net->server[https].port ? &net->server[https] : NULL;
}
