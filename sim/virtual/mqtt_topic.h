/* Topic names and topic filters of MQTT 3.1.1, section 4.7. Both are UTF-8 texts that were checked
 * already. */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_TOPIC_H
#define NOBRICK_SIM_VIRTUAL_MQTT_TOPIC_H

#include "sim/virtual/mqtt_packet.h"

/* A name to publish to: not empty, no wildcards. */
bool mqtt_topic_is_name(struct mqtt_bytes topic);
/* A filter: `+` is a whole level, `#` is the whole last one. */
bool mqtt_topic_is_filter(struct mqtt_bytes filter);
/* A wildcard at the beginning does not match names that begin with `$`. */
bool mqtt_topic_matches(struct mqtt_bytes filter, struct mqtt_bytes name);

#endif
