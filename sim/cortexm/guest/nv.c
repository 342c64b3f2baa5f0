#include "sim/cortexm/guest/nv.h"

#include "sim/cortexm/guest/semihost.h"

#include "sim/line.h"

#include <string.h>

#define PATH_MAX_SIZE 300
#define SUFFIX        ".new"

static int get(void *context, uint32_t *value)
{
    const struct guest_nv *nv = context;
    char text[16];
    if (nv->path == NULL)
        return OTA_E_IO;
    *value = 0;
    if (semihost_read(nv->path, text, sizeof text) < 0)
        return OTA_OK; /* never raised */
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        *value = *value * 10 + (uint32_t)(*at - '0');
    return at != text && *at == '\n' ? OTA_OK : OTA_E_IO;
}

static int raise(void *context, uint32_t value)
{
    const struct guest_nv *nv = context;
    struct sim_line text;
    char fresh[PATH_MAX_SIZE];
    uint32_t present;
    int result = get(context, &present);
    if (result != OTA_OK || value <= present)
        return result;
    size_t length = strlen(nv->path);
    if (length + sizeof SUFFIX > sizeof fresh)
        return OTA_E_NO_SPACE;
    memcpy(fresh, nv->path, length);
    memcpy(fresh + length, SUFFIX, sizeof SUFFIX);
    sim_line_begin(&text, "");
    sim_line_number(&text, value);
    sim_line_text(&text, "\n");
    return semihost_write(fresh, text.text) == 0 && semihost_rename(fresh, nv->path) == 0
               ? OTA_OK
               : OTA_E_IO;
}

void guest_nv_init(struct guest_nv *nv, const char *path)
{
    nv->port = (struct nv_port){nv, get, raise};
    nv->path = path;
}
