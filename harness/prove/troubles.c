#include "harness/prove/troubles.h"

#include <stddef.h>

/* The faults of the vocabulary that a device can come through: at the first thing that begins
 * behind 40 percent of the image, or at the first or second of its kind. Left out are those that
 * change no byte and no order (dns, clock jump, rate), those of pings, which a small image has none
 * of, raw texts and patches, which parsers are fuzzed with, and `http expire`, which moves the
 * image once more in each life and so never comes to an end. */
const char *const nb_troubles[] = {
    "@connect:1 net refuse broker",
    "@connect:1 net refuse server",
    "@body:40% net reset",
    "@body:40% net half-close",
    "@body:40% net stall",
    "@body:40% net truncate",
    "@body:40% net corrupt",
    "@net latency 20",
    "@net slice 100",
    "@mqtt drop-puback 2",
    "@mqtt double-puback 2",
    "@mqtt drop-publish 2",
    "@mqtt double-publish 2",
    "@mqtt swap-publish 2",
    "@mqtt no-connack",
    "@body:40% mqtt take-over",
    "@chunk:1 drop",
    "@chunk:1 repeat",
    "@chunk:1 corrupt",
    "@chunk:1 late 600",
    "@chunks reverse",
    "@job silent",
    "@body:40% http wrong-length",
    "@body:40% http short-body",
    "@body:40% http no-length",
    "@body:40% http wrong-range",
    "@body:40% http wrong-total",
    "@body:40% http star-total",
    "@body:40% http no-range",
    "@body:40% http ignore-range",
    "@body:40% http chunked",
    "@body:40% http broken-chunks",
    "@body:40% http empty",
    "@body:40% http other-image",
    "@body:40% http etag-change",
    "@body:40% http long-headers",
    "@body:40% http close",
    "@body:40% http status 404",
    "@body:40% http busy 3",
    "@body:40% http redirect",
    "@body:40% http redirect-relative",
    "@body:40% http redirect-nowhere",
    NULL,
};
