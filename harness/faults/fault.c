#include "harness/faults/fault.h"

const struct nb_fault_row nb_fault_rows[NB_FAULT_KINDS] = {
    [NB_NET_REFUSE] = {"refuse", NB_TALK_BYTES, false, false},
    [NB_NET_RESET] = {"reset", NB_TALK_BYTES, false, false},
    [NB_NET_HALF_CLOSE] = {"half-close", NB_TALK_BYTES, false, false},
    [NB_NET_STALL] = {"stall", NB_TALK_BYTES, false, false},
    [NB_NET_LATENCY] = {"latency", NB_TALK_BYTES, true, false},
    [NB_NET_RATE] = {"rate", NB_TALK_BYTES, true, false},
    [NB_NET_SLICE] = {"slice", NB_TALK_BYTES, true, false},
    [NB_NET_TRUNCATE] = {"truncate", NB_TALK_BYTES, false, false},
    [NB_CLOCK_JUMP] = {"jump", NB_TALK_BYTES, false, false},
    [NB_NET_DNS] = {"dns", NB_TALK_BYTES, false, false},
    [NB_NET_CORRUPT] = {"corrupt", NB_TALK_BYTES, false, false},
    [NB_MQTT_DROP_PUBACK] = {"drop-puback", NB_TALK_MQTT, false, true},
    [NB_MQTT_DOUBLE_PUBACK] = {"double-puback", NB_TALK_MQTT, false, true},
    [NB_MQTT_DROP_PUBLISH] = {"drop-publish", NB_TALK_MQTT, false, true},
    [NB_MQTT_DOUBLE_PUBLISH] = {"double-publish", NB_TALK_MQTT, false, true},
    [NB_MQTT_SWAP_PUBLISH] = {"swap-publish", NB_TALK_MQTT, false, true},
    [NB_MQTT_NO_CONNACK] = {"no-connack", NB_TALK_MQTT, false, true},
    [NB_MQTT_NO_PINGRESP] = {"no-pingresp", NB_TALK_MQTT, false, true},
    [NB_MQTT_DOUBLE_PINGRESP] = {"double-pingresp", NB_TALK_MQTT, false, true},
    [NB_MQTT_TAKE_OVER] = {"take-over", NB_TALK_MQTT, false, false},
    [NB_HTTP_WRONG_LENGTH] = {"wrong-length", NB_TALK_HTTP, false, false},
    [NB_HTTP_SHORT_BODY] = {"short-body", NB_TALK_HTTP, false, false},
    [NB_HTTP_NO_LENGTH] = {"no-length", NB_TALK_HTTP, false, false},
    [NB_HTTP_WRONG_RANGE] = {"wrong-range", NB_TALK_HTTP, false, false},
    [NB_HTTP_WRONG_TOTAL] = {"wrong-total", NB_TALK_HTTP, false, false},
    [NB_HTTP_STAR_TOTAL] = {"star-total", NB_TALK_HTTP, false, false},
    [NB_HTTP_NO_RANGE] = {"no-range", NB_TALK_HTTP, false, false},
    [NB_HTTP_IGNORE_RANGE] = {"ignore-range", NB_TALK_HTTP, false, false},
    [NB_HTTP_CHUNKED] = {"chunked", NB_TALK_HTTP, true, false},
    [NB_HTTP_BROKEN_CHUNKS] = {"broken-chunks", NB_TALK_HTTP, false, false},
    [NB_HTTP_EMPTY] = {"empty", NB_TALK_HTTP, false, false},
    [NB_HTTP_OTHER_IMAGE] = {"other-image", NB_TALK_HTTP, false, false},
    [NB_HTTP_ETAG_CHANGE] = {"etag-change", NB_TALK_HTTP, true, false},
    [NB_HTTP_LONG_HEADERS] = {"long-headers", NB_TALK_HTTP, true, false},
    [NB_HTTP_LOWER_CASE] = {"lower-case", NB_TALK_HTTP, true, false},
    [NB_HTTP_CLOSE] = {"close", NB_TALK_HTTP, true, false},
    [NB_HTTP_STATUS] = {"status", NB_TALK_HTTP, false, false},
    [NB_HTTP_BUSY] = {"busy", NB_TALK_HTTP, false, false},
    [NB_HTTP_REDIRECT] = {"redirect", NB_TALK_HTTP, false, false},
    [NB_HTTP_REDIRECT_RELATIVE] = {"redirect-relative", NB_TALK_HTTP, false, false},
    [NB_HTTP_REDIRECT_NOWHERE] = {"redirect-nowhere", NB_TALK_HTTP, false, false},
    [NB_HTTP_RAW] = {"raw", NB_TALK_HTTP, false, false},
    [NB_HTTP_EXPIRE] = {"expire", NB_TALK_HTTP, false, false},
};

void nb_fault_complete(struct nb_fault *fault, enum nb_fault_kind kind)
{
    const struct nb_fault_row *row = &nb_fault_rows[kind];
    bool whole_step =
        fault->place == NB_PLACE_ANY && (kind == NB_NET_REFUSE || kind == NB_NET_STALL);
    fault->kind = kind;
    if (fault->times == 0)
        fault->times = row->lasts || whole_step ? NB_FAULT_ALWAYS : 1;
    if (row->ordinal && fault->value == 0)
        fault->value = 1;
}
