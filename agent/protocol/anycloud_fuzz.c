/* Whatever a broker delivers: understood or refused, and what is understood keeps its promises. */
#include "agent/protocol/anycloud.h"

#include <stdlib.h>
#include <string.h>

static void demand(bool kept)
{
    if (!kept)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ota_identity identity = {.board = "B"};
    static const struct ota_speaker speaker = {.identity = &identity};
    struct ota_message message;
    int error = ota_anycloud.read(&speaker, data, size, &message);
    demand(error <= 0 && message.kind <= OTA_MESSAGE_CHUNK);
    if (error == 0 && message.kind == OTA_MESSAGE_JOB) {
        const struct ota_source *source = &message.source;
        demand(memchr(source->host, 0, sizeof source->host) != NULL);
        demand(memchr(source->path, 0, sizeof source->path) != NULL);
        demand(source->path[0] == '/' ||
               (source->path[0] == 0 && source->connection == OTA_BY_MQTT));
        demand(strpbrk(source->path, " \r\n\t") == NULL);
        demand((source->host[0] == 0) == (source->port == 0));
    }
    if (error != 0 || message.kind != OTA_MESSAGE_CHUNK)
        return 0;
    const struct ota_chunk *chunk = &message.chunk;
    demand(ota_is_chunk_size(chunk->step));
    demand(chunk->size > 0 && chunk->size <= chunk->step);
    demand(chunk->offset % chunk->step == 0 && chunk->offset < chunk->total);
    demand(chunk->size == chunk->step || chunk->offset + chunk->size == chunk->total);
    demand(chunk->size <= chunk->total - chunk->offset);
    demand(chunk->data >= data + ANYCLOUD_HEADER_SIZE);
    demand(chunk->size <= (size_t)(data + size - chunk->data)); /* all of it is there */
    return 0;
}
