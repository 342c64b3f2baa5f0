/* Any bytes between device and broker: the packets that are seen in them do not depend on how they
 * were cut into pieces, and what does not parse makes the link blind and nothing worse. The first
 * byte says where to cut and which way they go. */
#include "harness/faults/proxy_link.h"

#include <stdlib.h>
#include <string.h>

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void ignore(void *context, const char *line)
{
    (void)context;
    (void)line;
}

/* A link that ends nowhere: what goes through it is dropped behind the parser. */
static void open_link(struct nb_proxy *proxy, struct nb_link *link)
{
    static const enum nb_fault_kind kinds[] = {NB_MQTT_DROP_PUBLISH, NB_MQTT_DOUBLE_PUBACK,
                                               NB_MQTT_NO_CONNACK, NB_MQTT_DOUBLE_PINGRESP};
    memset(proxy, 0, sizeof *proxy);
    memset(link, 0, sizeof *link);
    proxy->config = (struct nb_proxy_config){
        .name = "fuzz", .chunk_magic = "OTAImage", .chunk_header = 32, .report = ignore};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct nb_fault fault = {.value = 2, .times = 2};
        nb_fault_complete(&fault, kinds[i]);
        proxy->armed[proxy->armed_count++] = (struct nb_armed){.fault = fault, .left = 2};
    }
    link->proxy = proxy;
    link->silenced = true;
    link->deaf = true;
}

static void feed(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    size_t before = link->lanes[way].held.size;
    if (link->blind)
        return;
    require(nb_bytes_add(&link->lanes[way].held, data, size));
    nb_mqtt_eat(link, way);
    require(link->lanes[way].held.size <= before + size);
    require(memchr(link->client_id, 0, sizeof link->client_id) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nb_proxy proxies[2];
    static struct nb_link links[2];
    if (size == 0)
        return 0;
    enum nb_way way = data[0] & 1 ? NB_TO_DEVICE : NB_TO_SERVER;
    size_t step = (size_t)(data[0] >> 1) + 1;
    data++;
    size--;
    for (size_t i = 0; i < 2; i++)
        open_link(&proxies[i], &links[i]);
    feed(&links[0], way, data, size);
    for (size_t at = 0; at < size; at += step)
        feed(&links[1], way, data + at, size - at < step ? size - at : step);
    require(links[0].blind == links[1].blind);
    require(memcmp(proxies[0].packets, proxies[1].packets, sizeof proxies[0].packets) == 0);
    require(proxies[0].traffic.data == proxies[1].traffic.data);
    require(strcmp(links[0].client_id, links[1].client_id) == 0);
    for (size_t i = 0; i < 2; i++)
        require(proxies[0].armed[i].left == proxies[1].armed[i].left);
    for (size_t i = 0; i < 4; i++)
        nb_bytes_free(&links[i / 2].lanes[i % 2].held);
    return 0;
}
