#include "sim/cortexm/guest/nv.h"

#include "sim/cortexm/guest/semihost.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_SIZE 300

static int get(void *context, uint32_t *value)
{
    const struct guest_nv *nv = context;
    char text[16];
    if (nv->path == NULL)
        return OTA_E_IO;
    *value = 0;
    if (semihost_read(nv->path, text, sizeof text) < 0)
        return OTA_OK; /* never raised */
    char *end;
    *value = strtoul(text, &end, 10);
    return end != text && *end == '\n' ? OTA_OK : OTA_E_IO;
}

static int raise(void *context, uint32_t value)
{
    const struct guest_nv *nv = context;
    char text[16];
    char fresh[PATH_MAX_SIZE];
    uint32_t present;
    int result = get(context, &present);
    if (result != OTA_OK || value <= present)
        return result;
    snprintf(text, sizeof text, "%" PRIu32 "\n", value);
    int length = snprintf(fresh, sizeof fresh, "%s.new", nv->path);
    if (length < 0 || (size_t)length >= sizeof fresh)
        return OTA_E_NO_SPACE;
    return semihost_write(fresh, text) == 0 && semihost_rename(fresh, nv->path) == 0 ? OTA_OK
                                                                                     : OTA_E_IO;
}

void guest_nv_init(struct guest_nv *nv, const char *path)
{
    nv->port = (struct nv_port){nv, get, raise};
    nv->path = path;
}
