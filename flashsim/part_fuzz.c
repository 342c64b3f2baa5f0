/* Any text as a part file: it is refused with a place inside the text, or makes a part that works.
 */
#include "flashsim/flashsim.h"

#include <stdlib.h>

#define MAX_SIZE 0x10000u /* larger parts are read but not tried */

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void try_part(const struct flash_part *part)
{
    struct flash_chip chip = {.part = *part, .start = 0};
    struct flash_sim *sim = flash_sim_memory(&chip, 1);
    require(sim != NULL);
    const struct flash_port *port = flash_sim_port(sim);
    uint32_t last = part->size - part->unit;
    uint8_t *unit = malloc(part->unit);
    require(unit != NULL);
    for (uint32_t i = 0; i < part->unit; i++) {
        unit[i] = (uint8_t)~part->erased;
    }
    uint64_t empty = flash_sim_fingerprint(sim, 0, part->size);
    require(port->program(port->context, last, unit, part->unit) == 0);
    require(flash_sim_fingerprint(sim, 0, part->size) != empty);
    require(port->read(port->context, last, unit, part->unit) == 0);
    require(unit[0] == (uint8_t)~part->erased);
    struct flash_sector sector;
    require(port->sector(port->context, last, &sector) == 0);
    require(sector.start + sector.size == part->size);
    require(port->erase(port->context, sector.start) == 0);
    require(flash_sim_fingerprint(sim, 0, part->size) == empty);
    free(unit);
    flash_sim_close(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flash_part part;
    struct flash_text_error error;
    /* A copy of the exact size, so that reading past its end is seen. */
    char *text = malloc(size > 0 ? size : 1);
    require(text != NULL);
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)data[i];
    }
    int result = flash_part_parse(text, size, "fuzz", &part, &error);
    free(text);
    if (result != 0) {
        require(result == OTA_E_ARGUMENT && error.message[0] != '\0');
        require(error.line >= 1 && error.column >= 1 && error.column <= size + 1);
    } else if (part.size <= MAX_SIZE) {
        try_part(&part);
    }
    return 0;
}
