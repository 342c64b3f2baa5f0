/* AnyCloud's cloud side in a run: a publisher on the broker, and the same jobs and images over
 * HTTP. */
#include "harness/peers/anycloud_cloud.h"
#include "harness/peers/anycloud_http.h"
#include "harness/run/side.h"
#include "harness/run/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOUD_MS   5000 /* for the cloud side to connect and subscribe */
#define CHUNK_SIZE 4096

struct side {
    struct sim_clock *clock;
    struct anycloud_cloud *cloud;
    struct anycloud_http *servers[2]; /* plain, TLS */
    char board[SIM_TEXT];
    struct anycloud_offer offer; /* the present one */
    uint8_t *archive;            /* what is on offer, if that is one */
};

/* ---- start ------------------------------------------------------------------------------- */

static void on_event(struct nb_net *net, const struct ota_event *event)
{
    const struct side *side = net->cloud;
    if (side->cloud)
        anycloud_cloud_event(side->cloud, event);
}

static void on_timer(void *context, unsigned id)
{
    struct nb_net *net = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    on_event(net, &event);
}

static int get_ready(const struct nb_net *net, struct anycloud_cloud *cloud)
{
    const struct sim_world *world = net->world;
    int rc = anycloud_cloud_start(cloud);
    uint64_t end = world->now_ms(world->context) + CLOUD_MS;
    while (rc == 0 && !anycloud_cloud_ready(cloud)) {
        (void)world->run(world->context, 5);
        if (nb_run_stop)
            rc = OTA_E_CANCELLED;
        else if (world->now_ms(world->context) > end)
            rc = OTA_E_TIMEOUT;
    }
    return rc;
}

static int start(struct nb_net *net, const struct sim_device *device, char reason[NB_LINE])
{
    const struct sim_world *world = net->world;
    const struct mqtt_port *mqtt;
    struct side *side = net->cloud = calloc(1, sizeof *side);
    if (!side)
        return OTA_E_NO_SPACE;
    snprintf(side->board, sizeof side->board, "%s", device->board);
    int rc = net->makers->client(net, &mqtt);
    side->clock = world->clock_new(world->context, on_timer, net);
    if (rc || !side->clock)
        return rc ? rc : OTA_E_NO_SPACE;
    side->cloud = anycloud_cloud_new(mqtt, world->clock_port(side->clock), device->topic_prefix,
                                     device->board, net->line, net->context);
    if (!side->cloud)
        return OTA_E_NO_SPACE;
    rc = get_ready(net, side->cloud);
    if (rc)
        snprintf(reason, NB_LINE, "the cloud side does not get ready: %s", ota_err_text(rc));
    return rc;
}

/* The link to the image on one of the servers has expired: the jobs of the others name the new
 * one. */
static void on_moved(void *context)
{
    struct nb_net *net = context;
    const struct side *side = net->cloud;
    struct anycloud_offer offer = side->offer;
    bool tls = offer.connection == ANYCLOUD_OVER_HTTPS;
    anycloud_http_file(side->servers[tls], offer.file, sizeof offer.file);
    anycloud_cloud_offer(side->cloud, &offer);
    if (side->servers[!tls] && anycloud_http_offer(side->servers[!tls], &offer) != 0)
        net->line(net->context, "bad offer: out of memory");
}

static int serve(struct nb_net *net, const struct nb_peer_server *peer)
{
    struct side *side = net->cloud;
    const struct anycloud_http_config config = {
        .board = side->board, .moved = on_moved, .moved_context = net};
    side->servers[peer->tls] = anycloud_http_new(peer, &config, net->line, net->context);
    return side->servers[peer->tls] ? 0 : OTA_E_NO_SPACE;
}

static void stop(struct nb_net *net)
{
    struct side *side = net->cloud;
    if (!side)
        return;
    for (int tls = 0; tls < 2; tls++)
        anycloud_http_free(side->servers[tls]);
    if (side->cloud)
        anycloud_cloud_free(side->cloud);
    if (side->clock)
        net->world->clock_free(side->clock);
    free(side->archive);
    free(side);
    net->cloud = NULL;
}

/* ---- offers ------------------------------------------------------------------------------ */

static int give(struct nb_net *net, const struct anycloud_offer *offer)
{
    const struct side *side = net->cloud;
    int rc = 0;
    anycloud_cloud_offer(side->cloud, offer);
    for (int tls = 0; rc == 0 && tls < 2; tls++)
        if (side->servers[tls])
            rc = anycloud_http_offer(side->servers[tls], offer);
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
    snprintf(offer->host, sizeof offer->host, "%s", nb_net_host(net));
    offer->port = closed                  ? net->closed_port
                  : link == NB_LINK_MQTT  ? net->broker.port
                  : link == NB_LINK_HTTPS ? net->server[1].port
                                          : net->server[0].port;
}

/* Puts the image on offer into an archive. */
static int pack(struct side *side, enum nb_tar kind, struct anycloud_offer *offer)
{
    int rc =
        nb_tar_make(kind, &offer->version, offer->image, offer->size, &side->archive, &offer->size);
    offer->image = side->archive;
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

static int offer_image(struct nb_net *net, const struct nb_offered *offered, char reason[NB_LINE])
{
    struct side *side = net->cloud;
    const struct nb_image *image = offered->image;
    struct anycloud_offer offer = {.chunk_size = CHUNK_SIZE};
    uint8_t *before = side->archive;
    (void)reason;
    side->archive = NULL;
    if (image) {
        offer.image = offered->blob->data;
        offer.size = offered->blob->size;
        offer.version = image->has_announce ? image->announce : image->version;
    }
    int rc = image && image->tar ? pack(side, image->tar, &offer) : 0;
    if (rc == 0 && image)
        describe(net, image, offered->board, &offer);
    side->offer = offer;
    net->offered_size = offer.size;
    if (rc == 0)
        rc = give(net, &offer);
    free(before); /* nobody offers it any more */
    return rc;
}

/* ---- faults ------------------------------------------------------------------------------ */

static const char *cannot(const struct nb_script *script, const struct nb_step *step)
{
    const struct nb_image *image = step->image >= 0 ? &script->images[step->image] : NULL;
    if (step->kind == NB_CLOUD_ADD || step->kind == NB_CLOUD_ERASE ||
        (image && (image->lie || image->base_count || image->url_length || image->manifest_size)))
        return "is about a manifest, and AnyCloud's cloud has none";
    return NULL;
}

static int arm_expiry(const struct side *side, const struct nb_net *net,
                      const struct nb_fault *fault)
{
    const struct anycloud_http_fault own = {.kind = ANYCLOUD_HTTP_EXPIRE,
                                            .target = ANYCLOUD_HTTP_IMAGE,
                                            .argument = fault->value,
                                            .from = nb_net_fault_at(net, fault),
                                            .count = fault->times};
    return anycloud_http_fault(side->servers[net->data == NB_LINK_HTTPS], &own);
}

static int arm(struct nb_net *net, const struct nb_step *step)
{
    static const enum anycloud_fault_kind chunk_kinds[] = {
        [NB_CHUNK_DROP] = ANYCLOUD_DROP_CHUNK,       [NB_CHUNK_REPEAT] = ANYCLOUD_REPEAT_CHUNK,
        [NB_CHUNK_CORRUPT] = ANYCLOUD_CORRUPT_CHUNK, [NB_CHUNK_RAW] = ANYCLOUD_RAW_CHUNK,
        [NB_CHUNK_PATCH] = ANYCLOUD_PATCH_CHUNK,     [NB_CHUNK_JOB] = ANYCLOUD_JOB_BEFORE_CHUNK,
        [NB_CHUNK_LATE] = ANYCLOUD_LATE_CHUNK,
    };
    const struct side *side = net->cloud;
    struct anycloud_fault fault = {.index = step->value, .count = 1};
    switch (step->kind) {
    case NB_FAULT_NET:
        return arm_expiry(side, net, &step->fault);
    case NB_FAULT_CHUNK:
        fault.kind = chunk_kinds[step->chunk_fault];
        fault.at = step->patch_at;
        fault.raw = step->raw;
        fault.raw_size = step->raw_size;
        if (step->chunk_fault == NB_CHUNK_JOB) {
            fault.raw = (const uint8_t *)step->raw_text;
            fault.raw_size = strlen(step->raw_text);
        }
        break;
    case NB_FAULT_REVERSE:
        fault.kind = ANYCLOUD_REVERSE;
        break;
    case NB_FAULT_JOB_SILENT:
        fault.kind = ANYCLOUD_SILENT_JOB;
        break;
    default:
        fault.kind = ANYCLOUD_RAW_JOB;
        fault.raw = (const uint8_t *)step->raw_text;
        fault.raw_size = strlen(step->raw_text);
        break;
    }
    return anycloud_cloud_fault(side->cloud, &fault);
}

static size_t end_step(struct nb_net *net, const char **word)
{
    const struct side *side = net->cloud;
    size_t unfired = anycloud_cloud_unfired(side->cloud);
    if (unfired)
        *word = "a fault of the cloud";
    anycloud_cloud_disarm(side->cloud);
    for (int tls = 0; tls < 2; tls++) {
        size_t own = side->servers[tls] ? anycloud_http_unfired(side->servers[tls]) : 0;
        if (own)
            *word = nb_fault_rows[NB_HTTP_EXPIRE].word;
        unfired += own;
        if (side->servers[tls])
            anycloud_http_disarm(side->servers[tls]);
    }
    return unfired;
}

/* ---- memory ------------------------------------------------------------------------------ */

static void memory(const struct nb_net *net, struct anycloud_memory *out)
{
    const struct side *side = net->cloud;
    anycloud_cloud_memory(side->cloud, out);
}

static void recall(struct nb_net *net, const struct anycloud_memory *remembered)
{
    const struct side *side = net->cloud;
    anycloud_cloud_recall(side->cloud, remembered);
}

const struct nb_side nb_side_anycloud = {
    .system = "anycloud",
    .device = "anycloud-nrf52840",
    .has_broker = true,
    .via = NB_LINK_MQTT,
    .data = NB_LINK_MQTT,
    .job_path = ANYCLOUD_JOB_PATH,
    .real_jobs = "nginx serves images only: expected a job by mqtt, and 'data http', 'data https' "
                 "or both",
    .cannot = cannot,
    .start = start,
    .serve = serve,
    .stop = stop,
    .event = on_event,
    .offer = offer_image,
    .arm = arm,
    .end_step = end_step,
    .memory = memory,
    .recall = recall,
};
