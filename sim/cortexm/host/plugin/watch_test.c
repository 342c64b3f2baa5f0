/* The watch without QEMU: a guest that is a loop here. Operations are found again, every cut leaves
 * what the simulator leaves, and what the part forbids is seen. */
#include "sim/cortexm/host/plugin/watch_rig.h"

#define PC 0x1234u

struct guest {
    struct rig *rig;
    struct plugin_watch watch;
    enum plugin_verdict verdict;
    uint64_t stores;
};

static void on_journal(void *context, const char *line)
{
    rig_append(((struct guest *)context)->rig->got.journal, line);
}

static void on_event(void *context, const char *line)
{
    rig_append(((struct guest *)context)->rig->got.events, line);
}

/* The flash is what the device began with, or what the last guest left. */
static void power_on(struct guest *guest, struct rig *rig, bool fresh)
{
    struct flash_sim *shadow = guest->watch.shadow;
    rig_clear(&rig->got, rig->part->size);
    if (fresh) {
        memcpy(rig->got.bytes, rig->first, rig->part->size);
        if (shadow != NULL)
            flash_sim_close(shadow);
        shadow = flash_sim_memory(rig->options.chips, 1);
        assert_non_null(shadow);
        assert_int_equal(flash_sim_put(shadow, 0, rig->first, rig->part->size), 0);
    }
    *guest = (struct guest){.rig = rig,
                            .watch = {.shadow = shadow,
                                      .window = rig->got.bytes,
                                      .options = &rig->options,
                                      .journal = on_journal,
                                      .event = on_event,
                                      .context = guest}};
    plugin_watch_begin(&guest->watch);
}

static void power_off(struct guest *guest)
{
    flash_sim_close(guest->watch.shadow);
    guest->watch.shadow = NULL;
}

/* Stores outside of the flash reach no memory here. */
static void store(struct guest *guest, uint32_t address, const uint8_t *data, uint32_t length)
{
    if (guest->verdict != PLUGIN_GOES_ON)
        return;
    if (address < guest->rig->part->size)
        memcpy(guest->rig->got.bytes + address, data, length);
    guest->stores++;
    guest->verdict = plugin_watch_store(&guest->watch, address, length, PC);
}

static void ring(struct guest *guest, enum flash_op_kind kind)
{
    if (guest->verdict == PLUGIN_GOES_ON && guest->rig->options.has_doorbell)
        guest->verdict = plugin_watch_ring(
            &guest->watch, kind == FLASH_OP_ERASE ? PLUGIN_RING_ERASE : PLUGIN_RING_PROGRAM);
}

static void fill(struct guest *guest, uint32_t address, uint32_t length)
{
    uint8_t blank[8];
    memset(blank, guest->rig->sector.erased, sizeof blank);
    for (uint32_t i = 0; i < length; i += guest->rig->part->width)
        store(guest, address + i, blank, guest->rig->part->width);
}

static void program(struct guest *guest, uint32_t address, const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i += guest->rig->part->width)
        store(guest, address + i, data + i, guest->rig->part->width);
}

static void end(struct guest *guest)
{
    if (guest->verdict == PLUGIN_GOES_ON)
        guest->verdict = plugin_watch_end(&guest->watch);
}

static void run(struct guest *guest)
{
    for (size_t i = 0; i < guest->rig->op_count; i++) {
        const struct rig_op *op = &guest->rig->ops[i];
        if (op->kind == FLASH_OP_ERASE)
            fill(guest, op->address, op->length);
        else
            program(guest, op->address, op->data, op->length);
        ring(guest, op->kind);
    }
    end(guest);
}

static void compare_state(const struct guest *guest)
{
    const struct rig *rig = guest->rig;
    assert_true(flash_sim_state_print(guest->watch.shadow, 0, rig->part->size) ==
                flash_sim_state_print(rig->reference, 0, rig->part->size));
}

/* ---- operations -------------------------------------------------------------------------- */

/* On every part: these operations leave what the simulator leaves, and its journal. */
static void find_operations(void (*add)(struct rig *rig), bool doorbell)
{
    for (size_t i = 0; i < RIG_PARTS; i++) {
        struct rig *rig = rig_new(&rig_parts[i]);
        struct guest guest = {0};
        rig->options.has_doorbell = doorbell;
        add(rig);
        rig_reference(rig);
        power_on(&guest, rig, true);
        run(&guest);
        assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        rig_compare(rig);
        compare_state(&guest);
        power_off(&guest);
        rig_free(rig);
    }
}

static void test_operations_are_found(void **state)
{
    (void)state;
    find_operations(rig_add_distinct, false);
}

static void test_a_ringing_driver_leaves_no_doubt(void **state)
{
    (void)state;
    find_operations(rig_add_ambiguous, true);
}

/* Without a ring: neighbours are one program, up to the end of their page, and what changes nothing
 * is nothing. */
static void test_what_cannot_be_told(void **state)
{
    static const uint8_t data[600] = {0};
    struct rig *rig = rig_new(&rig_parts[0]);
    struct guest guest = {0};
    (void)state;
    power_on(&guest, rig, true);
    program(&guest, 0x10, data, 100);
    program(&guest, 0x74, data, 400);
    fill(&guest, 0x2000, 0x1000);
    fill(&guest, 0x2010, 16);
    fill(&guest, 0x0, 0x10);
    fill(&guest, 0x4000, 0x110);
    program(&guest, 0x4110, data, 0xF0);
    end(&guest);
    assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
    assert_non_null(strstr(rig->got.journal, "0 program 0x10 240 "));
    assert_non_null(strstr(rig->got.journal, "\n1 program 0x100 256 "));
    assert_non_null(strstr(rig->got.journal, "\n2 program 0x200 4 "));
    assert_non_null(strstr(rig->got.journal, "\n3 program 0x4100 256 "));
    assert_null(strstr(rig->got.journal, "\n4 "));
    power_off(&guest);
    rig_free(rig);
}

/* A register ends a program of whole units, not an erase, and not half a unit. */
static void test_a_register_ends_a_program(void **state)
{
    static const uint8_t data[16] = {0};
    struct rig *rig = rig_new(&rig_parts[2]);
    struct guest guest = {0};
    (void)state;
    power_on(&guest, rig, true);
    store(&guest, 0, data, 4);
    assert_int_equal(plugin_watch_register(&guest.watch), PLUGIN_GOES_ON);
    assert_string_equal(rig->got.journal, "");
    store(&guest, 4, data + 4, 4);
    assert_int_equal(plugin_watch_register(&guest.watch), PLUGIN_GOES_ON);
    assert_memory_equal(rig->got.journal, "0 program 0x0 8 ", 16);
    fill(&guest, 0x800, 0x400);
    assert_int_equal(plugin_watch_register(&guest.watch), PLUGIN_GOES_ON);
    fill(&guest, 0xC00, 0x400);
    end(&guest);
    assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
    assert_non_null(strstr(rig->got.journal, "\n1 erase 0x800 2048\n"));
    power_off(&guest);
    rig_free(rig);
}

/* ---- cuts -------------------------------------------------------------------------------- */

/* Every tear in every operation, also those that do not fit it. */
static void cut_everywhere(const struct rig_part *part, bool doorbell)
{
    struct rig *rig = rig_new(part);
    struct guest guest = {0};
    unsigned cuts = 0;
    rig->options.has_doorbell = doorbell;
    rig_add_distinct(rig);
    rig->options.cut = PLUGIN_CUT_OPERATION;
    for (uint32_t number = 0; number < rig->op_count; number++) {
        for (int tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++) {
            rig->options.cut_number = number;
            rig->options.cut_tear = (enum flash_tear)tear;
            rig_reference(rig);
            power_on(&guest, rig, true);
            run(&guest);
            assert_int_equal(guest.verdict, rig->is_off ? PLUGIN_POWER_OFF : PLUGIN_GOES_ON);
            rig_compare(rig);
            compare_state(&guest);
            cuts += rig->is_off;
        }
    }
    assert_true(cuts >= 5 * rig->op_count); /* rows have the fewest that fit */
    power_off(&guest);
    rig_free(rig);
}

static void test_a_cut_leaves_what_the_simulator_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < RIG_PARTS; i++)
        cut_everywhere(&rig_parts[i], false);
}

static void test_a_cut_of_a_ringing_driver_does_so_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        cut_everywhere(&rig_parts[i], true);
}

/* What the first N stores did is there, and nothing else. */
static void test_the_power_goes_at_any_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct rig *rig = rig_new(&rig_parts[i]);
        struct guest guest = {0};
        rig_add_distinct(rig);
        power_on(&guest, rig, true);
        run(&guest);
        uint64_t stores = guest.stores;
        uint8_t *wanted = malloc(rig->part->size);
        assert_non_null(wanted);
        rig->options.cut = PLUGIN_CUT_STORE;
        for (uint32_t n = 0; n < stores; n += n < 200 || n + 200 > stores ? 1 : 97) {
            rig->options.cut_number = n;
            power_on(&guest, rig, true);
            run(&guest);
            assert_int_equal(guest.verdict, PLUGIN_POWER_OFF);
            assert_int_equal(guest.stores, n + 1);
            memcpy(wanted, rig->first, rig->part->size);
            uint64_t left = n;
            for (size_t op = 0; op < rig->op_count; op++) {
                uint32_t width = rig->part->width;
                for (uint32_t at = 0; at < rig->ops[op].length && left > 0; at += width, left--) {
                    uint8_t *to = wanted + rig->ops[op].address + at;
                    if (rig->ops[op].kind == FLASH_OP_ERASE)
                        memset(to, rig->sector.erased, width);
                    else
                        memcpy(to, rig->ops[op].data + at, width);
                }
            }
            assert_memory_equal(rig->got.bytes, wanted, rig->part->size);
            assert_int_equal(flash_sim_peek(guest.watch.shadow, 0, wanted, rig->part->size), 0);
            assert_memory_equal(rig->got.bytes, wanted, rig->part->size);
        }
        free(wanted);
        power_off(&guest);
        rig_free(rig);
    }
}

/* Half of a code word was stored: it cannot be read. */
static void test_half_a_word_cannot_be_read(void **state)
{
    static const uint8_t data[8] = {0};
    uint8_t read[8];
    struct rig *rig = rig_new(&rig_parts[2]);
    struct guest guest = {0};
    (void)state;
    rig->options.cut = PLUGIN_CUT_STORE;
    rig->options.cut_number = 3;
    power_on(&guest, rig, true);
    for (uint32_t at = 0; at < 16; at += 4)
        store(&guest, at, data, 4);
    assert_int_equal(guest.verdict, PLUGIN_POWER_OFF);
    assert_string_equal(rig->got.events, "torn 0x0 12\ncut-store 3\nexit 9\n");
    const struct flash_port *port = flash_sim_port(guest.watch.shadow);
    assert_int_equal(port->read(port->context, 0, read, 8), 0);
    assert_int_equal(port->read(port->context, 8, read, 8), OTA_E_FLASH_READ);
    power_off(&guest);
    rig_free(rig);
}

static void test_a_cut_that_never_comes_is_told(void **state)
{
    struct rig *rig = rig_new(&rig_parts[1]);
    struct guest guest = {0};
    (void)state;
    rig_add_distinct(rig);
    rig->options.cut = PLUGIN_CUT_OPERATION;
    rig->options.cut_number = 8;
    rig->options.cut_tear = FLASH_TEAR_BEFORE;
    power_on(&guest, rig, true);
    run(&guest);
    assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
    assert_string_equal(rig->got.events, "cut-missed operation 8: there were 8\n");
    rig->options.cut = PLUGIN_CUT_STORE;
    rig->options.cut_number = 1000000;
    power_on(&guest, rig, true);
    run(&guest);
    assert_non_null(strstr(rig->got.events, "cut-missed store 1000000: there were 1"));
    power_off(&guest);
    rig_free(rig);
}

/* The guest's driver finds the ranges that cannot be read, until they are erased. */
static void test_the_guest_is_told_what_cannot_be_read(void **state)
{
    static const uint8_t none[4] = {0};
    static const uint8_t one[12] = {1, 0, 0, 0, 0, 0x0C, 0, 0, 0, 4, 0, 0};
    struct rig *rig = rig_new(&rig_parts[2]);
    struct guest guest = {0};
    (void)state;
    uint8_t *window = realloc(rig->got.bytes, PLUGIN_WINDOW_SIZE);
    assert_non_null(window);
    rig->got.bytes = window;
    rig->options.marks = PLUGIN_WINDOW_SIZE - PLUGIN_MARKS_SIZE;
    const uint8_t *marks = window + rig->options.marks;
    rig->options.cut = PLUGIN_CUT_OPERATION;
    rig->options.cut_number = 0;
    rig->options.cut_tear = FLASH_TEAR_ERASE_FAULT;
    power_on(&guest, rig, true);
    assert_memory_equal(marks, none, 4);
    fill(&guest, 0x800, 0x800);
    assert_int_equal(guest.verdict, PLUGIN_POWER_OFF);
    rig->options.cut = PLUGIN_CUT_NEVER;
    power_on(&guest, rig, false);
    assert_memory_equal(marks, one, sizeof one);
    fill(&guest, 0x800, 0x800);
    assert_memory_equal(marks, none, 4);
    /* A reset in half a word, and more of them than there is room for. */
    store(&guest, 0x800, none, 4);
    assert_int_equal(plugin_watch_reset(&guest.watch), PLUGIN_GOES_ON);
    assert_int_equal(marks[0], 1);
    for (uint32_t i = 0; i < PLUGIN_MAX_MARKS + 5; i++)
        assert_int_equal(flash_sim_break_unit(guest.watch.shadow, i * 16), 0);
    power_on(&guest, rig, false);
    assert_int_equal(marks[0] + 256 * marks[1], PLUGIN_MAX_MARKS);
    const uint8_t *last = marks + 8 * PLUGIN_MAX_MARKS - 4;
    const uint32_t from = 16 * (PLUGIN_MAX_MARKS - 1);
    assert_int_equal(last[0] + 256 * last[1], from);
    assert_int_equal(last[4] + 256 * last[5], rig->part->size - from);
    power_off(&guest);
    rig_free(rig);
}

/* ---- operations that fail ---------------------------------------------------------------- */

/* A guest whose driver rings and asks; operation `number` fails. */
static struct rig *failing_rig(struct guest *guest, uint32_t number, enum flash_failure failure)
{
    struct rig *rig = rig_new(&rig_parts[0]);
    uint8_t *window = realloc(rig->got.bytes, PLUGIN_WINDOW_SIZE);
    assert_non_null(window);
    rig->got.bytes = window;
    rig->options.marks = PLUGIN_WINDOW_SIZE - PLUGIN_MARKS_SIZE;
    rig->options.has_doorbell = true;
    rig->options.fails = true;
    rig->options.fail_number = number;
    rig->options.failure = failure;
    memset(rig->first, 0, 64);
    power_on(guest, rig, true);
    return rig;
}

static uint8_t status_of(const struct rig *rig)
{
    return rig->got.bytes[rig->options.marks + PLUGIN_STATUS];
}

static void test_a_program_fails(void **state)
{
    static const struct {
        enum flash_failure failure;
        uint32_t lands; /* bytes of 32 */
        uint8_t status;
    } rows[] = {{FLASH_FAIL_ERROR, 0, 1}, {FLASH_FAIL_SILENT, 0, 0}, {FLASH_FAIL_PARTIAL, 16, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guest guest = {0};
        struct rig *rig = failing_rig(&guest, 1, rows[i].failure);
        uint8_t data[32];
        uint8_t wanted[32];
        memset(data, 0x5A, sizeof data);
        memset(wanted, rig->sector.erased, sizeof wanted);
        memset(wanted, 0x5A, rows[i].lands);
        fill(&guest, 0, rig->sector.size);
        ring(&guest, FLASH_OP_ERASE);
        assert_int_equal(status_of(rig), 0);
        program(&guest, 0, data, sizeof data);
        ring(&guest, FLASH_OP_PROGRAM);
        assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        assert_int_equal(status_of(rig), rows[i].status);
        assert_memory_equal(rig->got.bytes, wanted, sizeof wanted);
        assert_string_equal(rig->got.events, "flash-fail 1\n");
        /* The next one is done, and says so. */
        program(&guest, 64, data, sizeof data);
        ring(&guest, FLASH_OP_PROGRAM);
        assert_int_equal(status_of(rig), 0);
        assert_memory_equal(rig->got.bytes + 64, data, sizeof data);
        end(&guest);
        assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        assert_string_equal(rig->got.events, "flash-fail 1\n");
        power_off(&guest);
        rig_free(rig);
    }
}

static void test_an_erase_fails(void **state)
{
    static const enum flash_failure failures[] = {FLASH_FAIL_ERROR, FLASH_FAIL_SILENT};
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct guest guest = {0};
        struct rig *rig = failing_rig(&guest, 0, failures[i]);
        fill(&guest, 0, rig->sector.size);
        ring(&guest, FLASH_OP_ERASE);
        assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        assert_int_equal(status_of(rig), failures[i] == FLASH_FAIL_ERROR);
        assert_memory_equal(rig->got.bytes, rig->first, rig->sector.size);
        assert_string_equal(rig->got.journal, "");
        end(&guest);
        assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        power_off(&guest);
        rig_free(rig);
    }
}

static void test_an_error_that_never_came(void **state)
{
    struct guest guest = {0};
    (void)state;
    struct rig *rig = failing_rig(&guest, 7, FLASH_FAIL_ERROR);
    fill(&guest, 0, rig->sector.size);
    ring(&guest, FLASH_OP_ERASE);
    end(&guest);
    assert_string_equal(rig->got.events, "fail-missed operation 7: there were 1\n");
    power_off(&guest);
    rig_free(rig);
}

/* ---- from one machine to the next -------------------------------------------------------- */

static void test_an_operation_that_a_reset_broke(void **state)
{
    struct rig *rig = rig_new(&rig_parts[0]);
    struct guest guest = {0};
    (void)state;
    power_on(&guest, rig, true);
    fill(&guest, 0x1000, 0x800);
    assert_int_equal(plugin_watch_reset(&guest.watch), PLUGIN_GOES_ON);
    assert_string_equal(rig->got.events, "torn 0x1000 2048\n");
    fill(&guest, 0x1000, 0x1000);
    fill(&guest, 0x3000, 0x10);
    end(&guest);
    assert_string_equal(rig->got.journal, "0 erase 0x1000 4096\n");
    assert_string_equal(rig->got.events, "torn 0x1000 2048\ntorn 0x3000 16\n");
    power_off(&guest);
    rig_free(rig);
}

static void test_a_change_without_a_store(void **state)
{
    struct rig *rig = rig_new(&rig_parts[0]);
    struct guest guest = {0};
    (void)state;
    power_on(&guest, rig, true);
    rig->got.bytes[0x2345] = 0;
    end(&guest);
    assert_int_equal(guest.verdict, PLUGIN_VIOLATION);
    assert_string_equal(rig->got.events, "violation change at 0x2345: by no store\n");
    power_off(&guest);
    rig_free(rig);
}

/* ---- violations -------------------------------------------------------------------------- */

struct crime {
    size_t part;
    enum { DATA, FILL, RING_PROGRAM, RING_ERASE } act;
    uint32_t address;
    uint32_t length;
    const char *line; /* NULL: after the next one */
};

static const struct crime crimes[] = {
    /* a program where nobody erased */
    {0, DATA, 0x1000, 1, "violation program at 0x1000: 0x55 over "},
    /* less than a sector filled with 0xFF, and then somewhere else */
    {0, FILL, 0x1000, 0xFFF, NULL},
    {0, DATA, 0x5000, 1, "violation erase of 4095 bytes at 0x1000: its sector has 4096 at 0x1000"},
    /* or going on with data */
    {0, FILL, 0x1000, 0x10, NULL},
    {0, DATA, 0x1010, 1, "violation erase of 16 bytes at 0x1000: its sector has 4096 at 0x1000"},
    /* a fill in the middle of a sector */
    {0, FILL, 0x1100, 0x100, "violation program at 0x1100: 0xff over "},
    {1, FILL, 0x204, 0x1FC, "violation program at 0x2"},
    /* outside, and where the loader lies */
    {0, DATA, 0x8000, 1, "violation store of 1 bytes at 0x8000: outside the chips"},
    {0, DATA, 0x2FFF, 2, "violation store of 1 bytes at 0x3000: may not be changed"},
    /* half a row, half a double word; the next store tells */
    {1, DATA, 0x0, 256, NULL},
    {1, DATA, 0x800, 4, "violation program of 256 bytes at 0x00000000: not in whole units of 512"},
    {2, DATA, 0x8, 8, NULL},
    {2, DATA, 0x0, 8, NULL},
    {2, DATA, 0x8, 8, NULL},
    {2, DATA, 0x0, 8, "violation program at 0x00000008: this unit was programmed 1 times since"},
    /* a driver that rings: over the end of a page, and not what it says */
    {0, DATA, 0xF0, 32, NULL},
    {0, RING_PROGRAM, 0, 0, "violation program of 32 bytes at 0x000000f0: crosses a page of 256"},
    {0, DATA, 0x0, 32, NULL},
    {0, RING_ERASE, 0, 0, "violation erase of 32 bytes at 0x0: stores other values, too"},
    {0, FILL, 0x0, 0x800, NULL},
    {0, RING_ERASE, 0, 0, "violation erase of 2048 bytes at 0x0: its sector has 4096 at 0x0"},
    {0, FILL, 0x1000, 0x1000, NULL},
    {0, RING_PROGRAM, 0, 0, "violation program of 4096 bytes at 0x00001000: crosses a page"},
};

static void commit(struct guest *guest, const struct crime *crime)
{
    uint8_t data[256];
    memset(data, 0x55, sizeof data);
    if (crime->act == DATA)
        program(guest, crime->address, data, crime->length);
    else if (crime->act == FILL)
        fill(guest, crime->address, crime->length);
    else
        ring(guest, crime->act == RING_ERASE ? FLASH_OP_ERASE : FLASH_OP_PROGRAM);
}

static void test_violations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++) {
        struct rig *rig = rig_new(&rig_parts[crimes[i].part]);
        struct guest guest = {0};
        size_t last = i;
        while (crimes[last].line == NULL)
            last++;
        rig->options.has_doorbell = crimes[last].act >= RING_PROGRAM;
        rig->options.fixed[0] = (struct plugin_range){0x3000, 0x1000};
        rig->options.fixed_count = crimes[i].part == 0;
        power_on(&guest, rig, true);
        for (; i < last; i++) {
            commit(&guest, &crimes[i]);
            assert_int_equal(guest.verdict, PLUGIN_GOES_ON);
        }
        commit(&guest, &crimes[last]);
        if (guest.verdict != PLUGIN_VIOLATION ||
            strncmp(rig->got.events, crimes[last].line, strlen(crimes[last].line)) != 0)
            fail_msg("crime %zu: verdict %d, said %s", last, guest.verdict, rig->got.events);
        assert_non_null(strstr(rig->got.events, " (pc 0x1234)\n"));
        power_off(&guest);
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_are_found),
        cmocka_unit_test(test_a_ringing_driver_leaves_no_doubt),
        cmocka_unit_test(test_what_cannot_be_told),
        cmocka_unit_test(test_a_register_ends_a_program),
        cmocka_unit_test(test_a_cut_leaves_what_the_simulator_leaves),
        cmocka_unit_test(test_a_cut_of_a_ringing_driver_does_so_too),
        cmocka_unit_test(test_the_power_goes_at_any_store),
        cmocka_unit_test(test_half_a_word_cannot_be_read),
        cmocka_unit_test(test_the_guest_is_told_what_cannot_be_read),
        cmocka_unit_test(test_a_program_fails),
        cmocka_unit_test(test_an_erase_fails),
        cmocka_unit_test(test_an_error_that_never_came),
        cmocka_unit_test(test_a_cut_that_never_comes_is_told),
        cmocka_unit_test(test_an_operation_that_a_reset_broke),
        cmocka_unit_test(test_a_change_without_a_store),
        cmocka_unit_test(test_violations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
