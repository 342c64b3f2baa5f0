/* Host and port, as in URLs, options and job documents. */
#ifndef NOBRICK_SIM_ADDRESS_H
#define NOBRICK_SIM_ADDRESS_H

#include "agent/ports.h"

/* Parses HOST[:PORT][/] up to the end of `text`; an IPv6 address stands in brackets and keeps them.
 * Without a port *port is left alone. OTA_E_ARGUMENT for anything else, and for a host that does
 * not fit into `size` bytes or has a character that means something else in a URL. */
OTA_MUST_CHECK int sim_address_parse(const char *text, char *host, size_t size, uint16_t *port);

/* Can `host` be put into a URL as it is? */
bool sim_host_is_plain(const char *host, size_t length);

#endif
