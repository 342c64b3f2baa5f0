/* Whatever a server sends as a manifest: understood or refused, and what is understood keeps its
 * promises. */
#include "agent/protocol/harmony.h"

#include "agent/image/harmony.h"

#include <stdlib.h>
#include <string.h>

#define PATCHES_MAX 64u

static void demand(bool kept)
{
    if (!kept)
        abort();
}

static void demand_source(const struct ota_source *source)
{
    demand(memchr(source->host, 0, sizeof source->host) != NULL && source->host[0] != 0);
    demand(memchr(source->path, 0, sizeof source->path) != NULL && source->path[0] == '/');
    demand(source->port != 0 && source->connection != OTA_BY_MQTT);
    demand(strpbrk(source->path, " \r\n\t#") == NULL && strpbrk(source->host, " \r\n\t/@") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ota_message message;
    struct ota_patch patch;
    uint32_t number;
    int error = harmony_manifest_parse(data, size, &message);
    demand(error <= 0 && (error == 0 || message.fault != NULL));
    if (error == 0 && message.kind != OTA_MESSAGE_NO_UPDATE)
        demand(img_harmony_number(&message.version, &number) == 0 && number > 0);
    if (error == 0 && message.kind == OTA_MESSAGE_JOB)
        demand_source(&message.source);
    size_t at = 0;
    for (error = 0; at < PATCHES_MAX && error != OTA_E_NO_IMAGE && error != OTA_E_JSON &&
                    error != OTA_E_NO_SPACE;
         at++) {
        error = harmony_patch_parse(data, size, at, &patch);
        if (error == 0) {
            demand_source(&patch.source);
            demand(patch.base_version > 0);
        }
    }
    return 0;
}
