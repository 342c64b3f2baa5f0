/* What the programs with a simulated device in them decide for their agent: fast checksums, and
 * JSON as rich as anybody sends. */
#include "agent/program.h"
#include "agent/protocol/json_arena.h"

#include <zlib.h>

static uint32_t crc32_by_zlib(uint32_t crc, const void *data, size_t length)
{
    return (uint32_t)crc32_z(crc, data, length);
}

static union {
    max_align_t align;
    uint8_t bytes[JSON_ARENA(224)];
} json;

const struct ota_program ota_program = {
    .crc32 = crc32_by_zlib, .json = json.bytes, .json_size = sizeof json.bytes};
