#include "sim/cortexm/guest/net/tls_verdict.h"

/* Alerts by which a server refuses the device's certificate (RFC 5246, 7.2; RFC 8446, 6). */
static bool refuses_device(unsigned alert)
{
    static const uint8_t alerts[] = {
        42 /* bad */,     43 /* unsupported */, 44 /* revoked */, 45 /* expired */,
        46 /* unknown */, 48 /* unknown CA */,  49 /* denied */,  116 /* wanted, and not shown */};
    for (size_t i = 0; i < sizeof alerts; i++)
        if (alerts[i] == alert)
            return true;
    return false;
}

int tls_verdict_code(const struct tls_verdict *verdict)
{
    if (verdict->untrusted)
        return verdict->self_signed      ? OTA_E_TLS_SELF
               : verdict->trusted_issuer ? OTA_E_TLS_IMPOSTOR
                                         : OTA_E_TLS_CA;
    if (verdict->out_of_date)
        return OTA_E_TLS_EXPIRED;
    if (verdict->wrong_name)
        return OTA_E_TLS_NAME;
    /* Before TLS 1.3 there is no alert for a certificate that is missing. */
    return verdict->asked_in_vain || refuses_device(verdict->alert) ? OTA_E_TLS_DEVICE : OTA_E_TLS;
}

bool tls_is_address(const char *host, uint8_t out[4])
{
    for (unsigned part = 0; part < 4; part++) {
        unsigned value = 0;
        unsigned digits = 0;
        while (*host >= '0' && *host <= '9' && digits < 4) {
            value = value * 10 + (unsigned)(*host++ - '0');
            digits++;
        }
        if (digits == 0 || digits > 3 || value > 255 || *host++ != (part < 3 ? '.' : '\0'))
            return false;
        out[part] = (uint8_t)value;
    }
    return true;
}
