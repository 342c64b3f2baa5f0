/* An agent as small as one gets that finds a job by MQTT, fetches by MQTT, goes on after a reset,
 * asks for the installation, confirms and reports: no HTTP, no direct flow, no archives, no
 * questions to the application, no log, a program unit of working memory. Linked for its size, and
 * run as agent/update/minimal_test.c runs it. A chip's main looks like this, with ports of its own.
 */
#include "agent/crc32.h"
#include "agent/protocol/anycloud.h"
#include "agent/protocol/json_arena.h"
#include "agent/update/session_state.h"

#define UNIT 8u /* program unit of the secondary slot */

static union {
    max_align_t align;
    uint8_t bytes[JSON_ARENA(32)];
} json;

const struct ota_program ota_program = {
    .crc32 = ota_crc32_by_nibbles,
    .json = json.bytes,
    .json_size = sizeof json.bytes,
    .silent = true,
};

/* The chip's own. */
extern const struct ota_ports chip_ports;
extern const struct flash_area chip_areas[4];
extern const struct crypto_key chip_key;
extern const struct ota_identity chip_identity;
const struct ota_event *chip_wait(void);

void agent_minimal(void);

static struct ota_agent agent;
static uint8_t piece[UNIT];
static char text[OTA_JSON_MAX + 1];

void agent_minimal(void)
{
    const struct ota_config config = {
        .identity = chip_identity,
        .topic_prefix = "anycloud",
        .primary = chip_areas[0],
        .secondary = chip_areas[1],
        .journal = chip_areas[2],
        .progress = chip_areas[3],
        .format = {.align = 8, .write_size = UNIT, .max_sectors = 128},
        .keys = &chip_key,
        .key_count = 1,
        .max_end = chip_areas[1].size - 0x1000,
        .reverts = true,
        .piece = piece,
        .piece_size = sizeof piece,
        .text = text,
        .text_size = sizeof text,
        .confirm_itself = true,
    };
    if (ota_init(&agent, &config, &chip_ports) != 0)
        return;
    for (;;)
        ota_step(&agent, chip_wait());
}
