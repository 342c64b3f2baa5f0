/* Why a TLS handshake failed, with the words of the posix world, from what was seen of it. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_TLS_VERDICT_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_TLS_VERDICT_H

#include "agent/ports.h"

struct tls_verdict {
    bool untrusted;      /* the chain ends at nobody who is trusted … */
    bool self_signed;    /* … with a server's certificate that signed itself, … */
    bool trusted_issuer; /* … or that names a trusted authority */
    bool out_of_date;
    bool wrong_name;
    unsigned alert;     /* of the server's, a fatal one; 0: none */
    bool asked_in_vain; /* the server wants a certificate of the device, which has none */
};

/* OTA_E_TLS…, never 0: what is wrong with the chain comes first, then its dates, then the name. */
int tls_verdict_code(const struct tls_verdict *verdict);

/* Is `host` an IPv4 address? Then it is written to `out`. */
bool tls_is_address(const char *host, uint8_t out[4]);

#endif
