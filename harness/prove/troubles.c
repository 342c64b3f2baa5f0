#include "harness/prove/troubles.h"

#include <stddef.h>

/* Every fault of the vocabulary that a device can come through. In the middle of the image, or at
 * the first thing it fits where it knows no place. Left out: `dns`, `clock jump` and `rate` (no
 * byte is another one), ping faults (a small image has none), raw texts and patches (parsers are
 * fuzzed). */
const char *const nb_troubles[] = {
    "@connect:1 net refuse broker",
    "@connect:1 net refuse server",
    "@body:50% net reset",
    "@body:50% net half-close",
    "@body:50% net stall",
    "@body:50% net truncate",
    "@body:50% net corrupt",
    "@net latency 20",
    "@net slice 100",
    "@mqtt drop-puback 2",
    "@mqtt double-puback 2",
    "@mqtt drop-publish 2",
    "@mqtt double-publish 2",
    "@mqtt swap-publish 2",
    "@mqtt no-connack",
    "@body:50% mqtt take-over",
    "@chunk:1 drop",
    "@chunk:1 repeat",
    "@chunk:1 corrupt",
    "@chunk:1 late 600",
    "@chunks reverse",
    "@job silent",
    "@body:50% http wrong-length",
    "@body:50% http short-body",
    "@body:50% http no-length",
    "@body:50% http wrong-range",
    "@body:50% http wrong-total",
    "@body:50% http star-total",
    "@body:50% http no-range",
    "@body:50% http ignore-range",
    "@body:50% http chunked",
    "@body:50% http broken-chunks",
    "@body:50% http empty",
    "@body:50% http other-image",
    "@body:50% http etag-change",
    "@body:50% http long-headers",
    "@body:50% http close",
    "@body:50% http status 404",
    "@body:50% http busy 3",
    "@body:50% http redirect",
    "@body:50% http redirect-relative",
    "@body:50% http redirect-nowhere",
    "@body:50% http expire 403",
    NULL,
};
