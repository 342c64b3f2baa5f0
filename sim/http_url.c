#include "sim/http_url.h"

#include "sim/address.h"

#include <string.h>
#include <strings.h>

size_t sim_http_path(const char *path, size_t length, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)path[i];
        if (used + 4 > size)
            return 0;
        if (c > ' ' && c <= '~' && c != '#') {
            out[used++] = (char)c;
            continue;
        }
        out[used++] = '%';
        out[used++] = digits[c >> 4];
        out[used++] = digits[c & 15];
    }
    if (used < size)
        out[used] = '\0';
    return used;
}

/* Letters, digits and + - . before a colon. 0: there is no scheme. */
static size_t scheme_length(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789+-.");
    return text[length] == ':' && strchr("0123456789+-.", text[0]) == NULL ? length : 0;
}

/* HOST[:PORT] in front of a path; returns where the path begins. */
static int read_authority(const char *text, struct sim_http_url *out, const char **rest)
{
    char address[SIM_HTTP_HOST + 8];
    size_t length = strcspn(text, "/?");
    if (length >= sizeof address)
        return OTA_E_ARGUMENT;
    memcpy(address, text, length);
    address[length] = '\0';
    *rest = text + length;
    out->port = out->tls ? 443 : 80;
    return sim_address_parse(address, out->host, sizeof out->host, &out->port);
}

/* What follows the first `start` bytes of the path is `text` now. */
static int join(struct sim_http_url *url, size_t start, const char *text)
{
    size_t length = strlen(text);
    url->path[start] = '\0';
    return length == 0 ||
                   sim_http_path(text, length, url->path + start, sizeof url->path - start) != 0
               ? OTA_OK
               : OTA_E_ARGUMENT;
}

/* `text` takes the place of what follows the last slash; leading ./ and ../ are undone. */
static int join_relative(struct sim_http_url *url, const char *text)
{
    size_t start = strcspn(url->path, "?");
    while (start > 1 && url->path[start - 1] != '/')
        start--;
    if (strncmp(text, "./", 2) == 0)
        text += 2;
    for (; strncmp(text, "../", 3) == 0; text += 3) {
        if (start > 1)
            start--;
        while (start > 1 && url->path[start - 1] != '/')
            start--;
    }
    return join(url, start, text);
}

int sim_http_url_follow(const struct sim_http_url *at, const char *location,
                        struct sim_http_url *out)
{
    char text[SIM_HTTP_PATH];
    size_t length = strcspn(location, "#");
    if (length >= sizeof text)
        return OTA_E_ARGUMENT;
    memcpy(text, location, length);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == '\x7f')
            return OTA_E_ARGUMENT;
    *out = *at;
    const char *rest = text;
    size_t scheme = scheme_length(text);
    if (scheme > 0) {
        out->tls = scheme == 5;
        if ((scheme != 4 && scheme != 5) || strncasecmp(text, "https", scheme) != 0)
            return OTA_E_UNSUPPORTED;
        rest += scheme + 1;
        if (strncmp(rest, "//", 2) != 0)
            return OTA_E_ARGUMENT;
    }
    if (strncmp(rest, "//", 2) == 0) {
        int rc = read_authority(rest + 2, out, &rest);
        if (rc != OTA_OK)
            return rc;
        out->path[0] = '/';
        return join(out, rest[0] == '/' ? 0 : 1, rest);
    }
    if (rest[0] == '/')
        return join(out, 0, rest);
    if (rest[0] == '?')
        return join(out, strcspn(out->path, "?"), rest);
    return rest[0] == '\0' ? OTA_OK : join_relative(out, rest);
}
