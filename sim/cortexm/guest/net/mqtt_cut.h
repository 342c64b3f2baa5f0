/* Cuts the byte stream of a broker into the pieces that lwIP's MQTT client can read.
 *
 * lwIP 2.1.3 keeps a part of a packet that came with one segment at the beginning of its buffer and
 * lays the next part over it. It reads a packet right when every piece that it is given either
 * fills its buffer or ends the packet:
 *
 *   piece   bytes
 *   first   fixed header (2 to 5 bytes) and what follows, MQTT_CUT_ROOM in all, or the whole packet
 *   next    MQTT_CUT_ROOM less the length of the fixed header, or what is left of the packet
 *
 * and no piece holds bytes of two packets. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_CUT_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTT_CUT_ROOM 1024u /* MQTT_VAR_HEADER_BUFFER_LEN of lwipopts.h */

struct mqtt_cut {
    uint8_t piece[MQTT_CUT_ROOM];
    size_t size;   /* of it, so far */
    size_t header; /* length of the packet's fixed header; 0: not known yet */
    uint32_t left; /* of the packet, behind what is in earlier pieces and in this one */
    bool first;    /* piece of its packet */
};

void mqtt_cut_reset(struct mqtt_cut *cut);

/* Takes bytes until a piece is complete; *used says how many. True: it lies in `piece`, `size`
 * bytes, until the next call. A length that MQTT does not know is left to lwIP to refuse: it is
 * handed on as a packet of its own. */
bool mqtt_cut_feed(struct mqtt_cut *cut, const uint8_t *data, size_t size, size_t *used);

#endif
