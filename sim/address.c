#include "sim/address.h"

#include <stdlib.h>
#include <string.h>

bool sim_host_is_plain(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr("@?#/\"\\%", host[i]) != NULL)
            return false;
    return length > 0;
}

int sim_address_parse(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    if (text[0] == '[' && bracket == NULL)
        return OTA_E_ARGUMENT;
    size_t length = bracket != NULL ? (size_t)(bracket + 1 - text) : strcspn(text, ":/");
    if (length >= size || !sim_host_is_plain(text, length))
        return OTA_E_ARGUMENT;
    const char *rest = text + length;
    if (rest[0] == ':') {
        char *end;
        if (rest[1] < '0' || rest[1] > '9')
            return OTA_E_ARGUMENT;
        unsigned long number = strtoul(rest + 1, &end, 10);
        if (number == 0 || number > 65535)
            return OTA_E_ARGUMENT;
        *port = (uint16_t)number;
        rest = end;
    }
    if (rest[0] != '\0' && strcmp(rest, "/") != 0)
        return OTA_E_ARGUMENT;
    memcpy(host, text, length);
    host[length] = '\0';
    return OTA_OK;
}
