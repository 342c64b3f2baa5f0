/* What the programs with a simulated device in them decide for their agent: fast checksums, and
 * JSON as rich as anybody sends. */
#include "agent/crc32.h"
#include "agent/protocol/json_arena.h"

static union {
    max_align_t align;
    uint8_t bytes[JSON_ARENA(224)];
} json;

const struct ota_program ota_program = {
    .crc32 = ota_crc32_by_words, .json = json.bytes, .json_size = sizeof json.bytes};
