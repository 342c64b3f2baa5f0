/* Any guest: whatever it stores, in whatever order, the shadow holds what the window holds when the
 * power is cut and when the machine ends. */
#include "flashsim/test_parts.h"
#include "sim/cortexm/host/plugin/watch.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void hear(void *context, const char *line)
{
    (void)context;
    require(line[0] != '\0' && strchr(line, '\n') == NULL);
}

/* The next byte of the input; 0 behind its end. */
struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t take(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* Stores, one behind the other, of `width` bytes each: the erased value, or bytes of the input. */
static enum plugin_verdict store(struct plugin_watch *watch, struct input *input, uint8_t erased)
{
    enum plugin_verdict verdict = PLUGIN_GOES_ON;
    uint32_t address = take(input) * 4u;
    uint32_t size = flash_sim_size(watch->shadow);
    uint8_t how = take(input);
    uint32_t width = 1u << (how & 3);
    uint32_t count = (how >> 3) + 1u;
    address += how >> 2 & 1;
    for (uint32_t i = 0; verdict == PLUGIN_GOES_ON && i < count; i++, address += width) {
        for (uint32_t at = address; at < address + width && at < size; at++)
            watch->window[at] = count > 3 ? erased : take(input);
        verdict = plugin_watch_store(watch, address, width, address);
    }
    return verdict;
}

static enum plugin_verdict act(struct plugin_watch *watch, struct input *input, uint8_t erased)
{
    switch (take(input) % 8) {
    case 0:
        return plugin_watch_register(watch);
    case 1:
        return plugin_watch_ring(watch, PLUGIN_RING_PROGRAM);
    case 2:
        return plugin_watch_ring(watch, PLUGIN_RING_ERASE);
    case 3:
        return plugin_watch_reset(watch);
    default:
        return store(watch, input, erased);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct flash_part *const parts[] = {&part_any,  &part_ecc, &part_twice,
                                                     &part_zero, &part_row, &part_large};
    struct input input = {data, size};
    const struct flash_part *part = parts[take(&input) % (sizeof parts / sizeof parts[0])];
    struct plugin_options options = {.has_doorbell = (take(&input) & 1) != 0,
                                     .cut = (enum plugin_cut)(take(&input) % 3),
                                     .cut_number = take(&input),
                                     .fixed = {{64, 8}},
                                     .fixed_count = take(&input) & 1};
    options.cut_tear = (enum flash_tear)(take(&input) % FLASH_TEAR_COUNT);
    struct plugin_watch watch = {.shadow = one_chip(part),
                                 .window = malloc(part->size),
                                 .options = &options,
                                 .journal = hear,
                                 .event = hear};
    uint8_t *shadow = malloc(part->size);
    require(watch.shadow != NULL && watch.window != NULL && shadow != NULL);
    memset(watch.window, part->erased, part->size);
    plugin_watch_begin(&watch);
    enum plugin_verdict verdict = PLUGIN_GOES_ON;
    while (verdict == PLUGIN_GOES_ON && input.size > 0)
        verdict = act(&watch, &input, part->erased);
    if (verdict == PLUGIN_GOES_ON)
        verdict = plugin_watch_end(&watch);
    require(verdict != PLUGIN_FAILED);
    require(flash_sim_peek(watch.shadow, 0, shadow, part->size) == 0);
    if (verdict != PLUGIN_VIOLATION)
        require(memcmp(shadow, watch.window, part->size) == 0);
    free(shadow);
    free(watch.window);
    flash_sim_close(watch.shadow);
    return 0;
}
