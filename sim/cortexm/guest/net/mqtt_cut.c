#include "sim/cortexm/guest/net/mqtt_cut.h"

#include <string.h>

#define LONGEST_HEADER 5u
#define MORE           0x80u

void mqtt_cut_reset(struct mqtt_cut *cut)
{
    cut->size = 0;
    cut->header = 0;
    cut->left = 0;
    cut->first = true;
}

/* The piece that was handed out is done. */
static void begin_piece(struct mqtt_cut *cut)
{
    if (cut->left == 0)
        mqtt_cut_reset(cut);
    else
        cut->first = false;
    cut->size = 0;
}

static bool is_complete(const struct mqtt_cut *cut)
{
    size_t room = cut->first ? MQTT_CUT_ROOM : MQTT_CUT_ROOM - cut->header;
    return cut->header != 0 && (cut->left == 0 || cut->size == room);
}

/* One more byte of a fixed header: type and flags, then the length of the rest, seven bits a byte.
 */
static void take_header(struct mqtt_cut *cut, uint8_t byte)
{
    cut->piece[cut->size++] = byte;
    if (cut->size > 1)
        cut->left |= (uint32_t)(byte & 0x7fu) << (7 * (cut->size - 2));
    if (cut->size > 1 && ((byte & MORE) == 0 || cut->size == LONGEST_HEADER))
        cut->header = cut->size;
}

static size_t take_rest(struct mqtt_cut *cut, const uint8_t *data, size_t size)
{
    size_t room = (cut->first ? MQTT_CUT_ROOM : MQTT_CUT_ROOM - cut->header) - cut->size;
    if (size > room)
        size = room;
    if (size > cut->left)
        size = cut->left;
    memcpy(cut->piece + cut->size, data, size);
    cut->size += size;
    cut->left -= (uint32_t)size;
    return size;
}

bool mqtt_cut_feed(struct mqtt_cut *cut, const uint8_t *data, size_t size, size_t *used)
{
    *used = 0;
    if (is_complete(cut))
        begin_piece(cut);
    while (*used < size && !is_complete(cut)) {
        if (cut->header == 0)
            take_header(cut, data[(*used)++]);
        else
            *used += take_rest(cut, data + *used, size - *used);
    }
    return is_complete(cut);
}
