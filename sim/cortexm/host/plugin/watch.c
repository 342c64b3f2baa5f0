#include "sim/cortexm/host/plugin/watch.h"

#include "sim/life.h"

#include <stdarg.h>
#include <string.h>

#define BLOCK 4096u
#define LINE  240

/* ---- what is told ------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void say(struct plugin_watch *watch,
                                                      const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    watch->event(watch->context, line);
}

/* Lines of the device's flash; a violation is told with the guest's instruction. */
static void pass_event(void *context, const char *line, int code)
{
    struct plugin_watch *watch = context;
    (void)code;
    if (strncmp(line, "violation ", 10) == 0)
        say(watch, "%s (pc 0x%X)", line, watch->run.pc);
    else
        watch->event(watch->context, line);
}

static void pass_journal(void *context, const char *line)
{
    struct plugin_watch *watch = context;
    watch->journal(watch->context, line);
}

static enum flash_tear cut(void *context, const struct flash_op *op, uint32_t number)
{
    struct plugin_watch *watch = context;
    const struct plugin_options *options = watch->options;
    (void)op;
    if (options->cut != PLUGIN_CUT_OPERATION || number != options->cut_number)
        return FLASH_TEAR_NONE;
    watch->cut_came = true;
    return options->cut_tear;
}

static void power_off(void *context)
{
    ((struct plugin_watch *)context)->is_off = true;
}

/* ---- shadow and window ------------------------------------------------------------------- */

/* The first block at or after `from` that the shadow has otherwise; false when there is none. */
static bool next_difference(const struct plugin_watch *watch, uint32_t *from, uint8_t shadow[BLOCK],
                            uint32_t *length)
{
    uint32_t size = flash_sim_size(watch->shadow);
    for (; *from < size; *from += *length) {
        *length = size - *from < BLOCK ? size - *from : BLOCK;
        if (flash_sim_peek(watch->shadow, *from, shadow, *length) != 0 ||
            memcmp(watch->window + *from, shadow, *length) != 0)
            return true;
    }
    return false;
}

/* The guest's flash becomes what the shadow says. */
static void put_back(struct plugin_watch *watch)
{
    uint8_t block[BLOCK];
    uint32_t length;
    for (uint32_t at = 0; next_difference(watch, &at, block, &length); at += length)
        memcpy(watch->window + at, block, length);
}

static const struct flash_part *part_at(const struct plugin_watch *watch, uint32_t address)
{
    const struct flash_chip *chips;
    size_t left = flash_sim_chips(watch->shadow, &chips);
    while (--left > 0 && address >= chips[1].start)
        chips++;
    return &chips->part;
}

/* What is read, marked and counted together at that address. */
static uint32_t step_at(const struct plugin_watch *watch, uint32_t address)
{
    const struct flash_part *part = part_at(watch, address);
    return part->ecc > part->unit ? part->ecc : part->unit;
}

/* The shadow takes over the units of [from, to) that differ. */
static int take_over(struct plugin_watch *watch, uint32_t from, uint32_t to)
{
    uint8_t unit[BLOCK];
    int error = 0;
    while (error == 0 && from < to) {
        uint32_t step = step_at(watch, from);
        uint32_t length = step - from % step;
        length = length < BLOCK ? length : BLOCK;
        length = length < to - from ? length : to - from;
        error = flash_sim_peek(watch->shadow, from, unit, length);
        if (error == 0 && memcmp(watch->window + from, unit, length) != 0)
            error = flash_sim_put(watch->shadow, from, watch->window + from, length);
        from += length;
    }
    return error;
}

static void put_word(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

/* Tells the guest's driver what cannot be read. More than there is room for is a range to the end.
 */
static void put_marks(struct plugin_watch *watch)
{
    if (watch->options->marks == 0)
        return;
    uint8_t *table = watch->window + watch->options->marks;
    uint32_t size = flash_sim_size(watch->shadow);
    uint32_t count = 0;
    uint32_t length;
    uint32_t at = flash_sim_unreadable(watch->shadow, 0, &length);
    while (at < size && count < PLUGIN_MAX_MARKS) {
        if (++count == PLUGIN_MAX_MARKS)
            length = size - at;
        put_word(table + 8 * count - 4, at);
        put_word(table + 8 * count, length);
        at = flash_sim_unreadable(watch->shadow, at + length, &length);
    }
    put_word(table, count);
}

/* Tells it whether its last operation failed. */
static void put_status(struct plugin_watch *watch, bool failed)
{
    if (watch->options->marks != 0)
        put_word(watch->window + watch->options->marks + PLUGIN_STATUS, failed);
}

void plugin_watch_begin(struct plugin_watch *watch)
{
    const struct plugin_options *options = watch->options;
    watch->run = (struct plugin_run){0};
    watch->operations = watch->options->first;
    watch->stores = 0;
    watch->is_off = false;
    watch->cut_came = false;
    flash_sim_power_on(watch->shadow);
    flash_sim_restart_count(watch->shadow);
    flash_failing_init(&watch->failing, watch->shadow);
    if (options->fails)
        flash_failing_arm(&watch->failing, options->fail_number - options->first, options->failure);
    watch->flash = (struct sim_device_flash){
        .sim = watch->shadow,
        .inner = &watch->failing.port,
        .operations = &watch->operations,
        .cut = cut,
        .journal = watch->journal != NULL ? pass_journal : NULL,
        .event = pass_event,
        .power_off = power_off,
        .context = watch,
    };
    sim_device_flash_init(&watch->flash);
    put_marks(watch);
    put_status(watch, false);
}

/* ---- operations -------------------------------------------------------------------------- */

/* The shadow did as the guest has, refused, failed as it was to, or lost its power. */
static enum plugin_verdict judge(struct plugin_watch *watch, int result)
{
    if (watch->is_off) {
        put_back(watch);
        return PLUGIN_POWER_OFF;
    }
    if (watch->failing.armed && watch->failing.fired) {
        flash_failing_disarm(&watch->failing);
        say(watch, "flash-fail %u", watch->options->fail_number);
        put_back(watch);
        put_status(watch, result != 0);
        return PLUGIN_GOES_ON;
    }
    return result == 0 ? PLUGIN_GOES_ON : PLUGIN_VIOLATION;
}

static enum plugin_verdict program(struct plugin_watch *watch, uint32_t from, uint32_t to)
{
    const struct flash_port *port = &watch->flash.port;
    return judge(watch, port->program(port->context, from, watch->window + from, to - from));
}

/* A fill with the erased value: whole sectors, or a violation. */
static enum plugin_verdict erase(struct plugin_watch *watch, uint32_t from, uint32_t to)
{
    const struct flash_port *port = &watch->flash.port;
    enum plugin_verdict verdict = PLUGIN_GOES_ON;
    struct flash_sector sector;
    while (verdict == PLUGIN_GOES_ON && from < to) {
        int result = port->sector(port->context, from, &sector);
        if (result != 0 || sector.start != from || sector.size > to - from) {
            say(watch, "violation erase of %u bytes at 0x%X: its sector has %u at 0x%X (pc 0x%X)",
                to - from, from, sector.size, sector.start, watch->run.pc);
            return PLUGIN_VIOLATION;
        }
        verdict = judge(watch, port->erase(port->context, from));
        from += sector.size;
    }
    put_marks(watch);
    return verdict;
}

/* ---- runs -------------------------------------------------------------------------------- */

static bool is_empty(const struct plugin_run *run)
{
    return run->from == run->to;
}

static void forget_run(struct plugin_watch *watch)
{
    watch->run.from = watch->run.to;
}

/* Nobody said what the run was. A fill of erased flash with the erased value leaves no trace and is
 * none. */
static enum plugin_verdict close_run(struct plugin_watch *watch)
{
    const struct plugin_run run = watch->run;
    enum plugin_verdict verdict = PLUGIN_GOES_ON;
    if (!run.blank)
        verdict = program(watch, run.program_from, run.to);
    else if (run.changed)
        verdict = erase(watch, run.from, run.to);
    forget_run(watch);
    return verdict;
}

/* The run was interrupted: what it did is there, and a code word that it did not finish cannot be
 * read where there is ecc. */
static int leave_torn(struct plugin_watch *watch)
{
    const struct plugin_run run = watch->run;
    forget_run(watch);
    if (is_empty(&run) || (run.blank && !run.changed))
        return 0;
    say(watch, "torn 0x%X %u", run.from, run.to - run.from);
    uint32_t step = step_at(watch, run.from);
    bool ecc = part_at(watch, run.from)->ecc != 0;
    int error = take_over(watch, run.from, run.to);
    if (error == 0 && ecc && run.from % step != 0)
        error = flash_sim_break_unit(watch->shadow, run.from);
    if (error == 0 && ecc && run.to % step != 0)
        error = flash_sim_break_unit(watch->shadow, run.to);
    put_marks(watch);
    return error;
}

/* The first byte that brings a bit back to the erased value; `length` when none does. */
static uint32_t first_back(const uint8_t *old, const uint8_t *new, uint32_t length, uint8_t erased)
{
    uint32_t i = 0;
    while (i < length && ((old[i] ^ erased) & ~(new[i] ^ erased)) == 0)
        i++;
    return i;
}

/* A run that nobody will ring for ends where a sector ends, and a program where its page does. */
static enum plugin_verdict end_at_border(struct plugin_watch *watch,
                                         const struct flash_sector *sector)
{
    struct plugin_run *run = &watch->run;
    if (run->to == sector->start + sector->size)
        return close_run(watch);
    if (sector->page == 0 || run->to % sector->page != 0)
        return PLUGIN_GOES_ON;
    if (!run->blank)
        return close_run(watch);
    run->program_from = run->to;
    return PLUGIN_GOES_ON;
}

/* Adds a store, or the part of one that lies in one sector and page, to the run. */
static enum plugin_verdict add(struct plugin_watch *watch, const struct flash_sector *sector,
                               uint32_t address, uint32_t length)
{
    struct plugin_run *run = &watch->run;
    const uint8_t *new = watch->window + address;
    uint8_t old[PLUGIN_MAX_STORE];
    if (flash_sim_peek(watch->shadow, address, old, length) != 0)
        return PLUGIN_VIOLATION;
    bool blank = true;
    for (uint32_t i = 0; i < length; i++)
        blank = blank && new[i] == sector->erased;
    if (!is_empty(run) && run->blank && run->changed && !blank) {
        enum plugin_verdict verdict = close_run(watch);
        if (verdict != PLUGIN_GOES_ON)
            return verdict;
    }
    if (is_empty(run)) {
        run->from = run->program_from = run->to = address;
        run->fill = address == sector->start;
        run->blank = true;
        run->changed = false;
    }
    uint32_t bad = first_back(old, new, length, sector->erased);
    if (bad < length && !(run->fill && run->blank && blank)) {
        say(watch,
            "violation program at 0x%X: 0x%02x over 0x%02x would bring back erased bits (pc 0x%X)",
            address + bad, new[bad], old[bad], run->pc);
        return PLUGIN_VIOLATION;
    }
    run->to += length;
    run->blank = run->blank && blank;
    run->changed = run->changed || memcmp(old, new, length) != 0;
    return watch->options->has_doorbell ? PLUGIN_GOES_ON : end_at_border(watch, sector);
}

/* ---- what the guest does ----------------------------------------------------------------- */

/* May the guest store there at all? */
static bool is_allowed(struct plugin_watch *watch, uint32_t address, uint32_t length)
{
    const struct plugin_options *options = watch->options;
    uint32_t size = flash_sim_size(watch->shadow);
    const char *wrong = address > size || length > size - address ? "outside the chips" : NULL;
    for (size_t i = 0; wrong == NULL && i < options->fixed_count; i++) {
        const struct plugin_range *fixed = &options->fixed[i];
        if (address < fixed->address + fixed->size && fixed->address < address + length)
            wrong = "may not be changed";
    }
    if (wrong != NULL)
        say(watch, "violation store of %u bytes at 0x%X: %s (pc 0x%X)", length, address, wrong,
            watch->run.pc);
    return wrong == NULL;
}

/* The power goes before the store, which is in the window already, lands. */
static enum plugin_verdict cut_store(struct plugin_watch *watch, uint32_t address, uint32_t length)
{
    watch->cut_came = true;
    int error = flash_sim_peek(watch->shadow, address, watch->window + address, length);
    if (error == 0)
        error = leave_torn(watch);
    if (error != 0)
        return PLUGIN_FAILED;
    say(watch, "cut-store %u", watch->options->cut_number);
    say(watch, "exit %d", SIM_CUT_EXIT);
    return PLUGIN_POWER_OFF;
}

enum plugin_verdict plugin_watch_store(struct plugin_watch *watch, uint32_t address,
                                       uint32_t length, uint32_t pc)
{
    struct plugin_run *run = &watch->run;
    uint64_t number = watch->stores++;
    enum plugin_verdict verdict = PLUGIN_GOES_ON;
    if (!is_empty(run) && address != run->to)
        verdict = close_run(watch);
    if (verdict != PLUGIN_GOES_ON)
        return verdict;
    run->pc = pc;
    if (!is_allowed(watch, address, length))
        return PLUGIN_VIOLATION;
    if (watch->options->cut == PLUGIN_CUT_STORE && number == watch->options->cut_number)
        return cut_store(watch, address, length);
    while (verdict == PLUGIN_GOES_ON && length > 0) {
        struct flash_sector sector;
        const struct flash_port *port = &watch->flash.port;
        if (port->sector(port->context, address, &sector) != 0)
            return PLUGIN_FAILED;
        uint32_t step = sector.start + sector.size - address;
        if (sector.page != 0 && sector.page - address % sector.page < step)
            step = sector.page - address % sector.page;
        step = length < step ? length : step;
        verdict = add(watch, &sector, address, step);
        address += step;
        length -= step;
    }
    return verdict;
}

enum plugin_verdict plugin_watch_ring(struct plugin_watch *watch, enum plugin_ring ring)
{
    const struct plugin_run run = watch->run;
    put_status(watch, false);
    if (is_empty(&run))
        return PLUGIN_GOES_ON;
    forget_run(watch);
    if (ring == PLUGIN_RING_PROGRAM)
        return program(watch, run.from, run.to);
    if (run.blank)
        return erase(watch, run.from, run.to);
    say(watch, "violation erase of %u bytes at 0x%X: stores other values, too (pc 0x%X)",
        run.to - run.from, run.from, run.pc);
    return PLUGIN_VIOLATION;
}

enum plugin_verdict plugin_watch_register(struct plugin_watch *watch)
{
    const struct plugin_run *run = &watch->run;
    if (watch->options->has_doorbell || is_empty(run) || run->blank ||
        (run->to - run->program_from) % part_at(watch, run->from)->unit != 0)
        return PLUGIN_GOES_ON;
    return close_run(watch);
}

enum plugin_verdict plugin_watch_reset(struct plugin_watch *watch)
{
    return leave_torn(watch) == 0 ? PLUGIN_GOES_ON : PLUGIN_FAILED;
}

enum plugin_verdict plugin_watch_end(struct plugin_watch *watch)
{
    const struct plugin_options *options = watch->options;
    uint8_t block[BLOCK];
    uint32_t length;
    uint32_t at = 0;
    enum plugin_verdict verdict = plugin_watch_register(watch);
    if (verdict == PLUGIN_GOES_ON)
        verdict = plugin_watch_reset(watch);
    if (verdict != PLUGIN_GOES_ON)
        return verdict;
    if (next_difference(watch, &at, block, &length)) {
        for (uint32_t i = 0; watch->window[at] == block[i]; i++)
            at++;
        say(watch, "violation change at 0x%X: by no store", at);
        return PLUGIN_VIOLATION;
    }
    if (options->cut != PLUGIN_CUT_NEVER && !watch->cut_came)
        say(watch, "cut-missed %s %u: there were %llu",
            options->cut == PLUGIN_CUT_STORE ? "store" : "operation", options->cut_number,
            options->cut == PLUGIN_CUT_STORE ? (unsigned long long)watch->stores
                                             : watch->operations);
    if (watch->failing.armed)
        say(watch, "fail-missed operation %u: there were %u", options->fail_number,
            watch->operations);
    return PLUGIN_GOES_ON;
}
