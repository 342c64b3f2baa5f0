/* The plugin in QEMU, with a guest that follows orders by plain stores and knows nothing of it.
 * Every cut of every operation is watch_test's; here some of each kind, on the instruction set. */
#include "sim/cortexm/host/plugin/guest/guest.h"
#include "sim/cortexm/host/plugin/watch_rig.h"
#include "sim/life.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST_CODE 5 /* with which the guest ends when all is well */

struct bench {
    struct rig *rig;
    char build[512]; /* where plugin and guest are */
    char dir[256];
    FILE *orders;
    char arguments[512]; /* of the plugin, for the next machine, with a comma before each */
    int code;            /* of QEMU */
};

/* ---- what is needed ---------------------------------------------------------------------- */

static const char *missing(struct bench *bench)
{
    char path[600];
    ssize_t length = readlink("/proc/self/exe", bench->build, sizeof bench->build - 1);
    assert_true(length > 0);
    bench->build[length] = '\0';
    for (int i = 0; i < 2; i++)
        *strrchr(bench->build, '/') = '\0';
    if (system("command -v qemu-system-arm >/dev/null") != 0)
        return "qemu-system-arm is missing (package qemu-system-arm)";
    snprintf(path, sizeof path, "%s/flash_plugin.so", bench->build);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof path, "%s/plugin_guest.elf", bench->build);
    return access(path, R_OK) == 0 ? NULL
                                   : "arm-none-eabi-gcc is missing (package gcc-arm-none-eabi)";
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    const char *tmp = getenv("TMPDIR");
    snprintf(bench->dir, sizeof bench->dir, "%s/plugin.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(bench->dir));
    *state = bench;
    return 0;
}

static const char *path_of(const struct bench *bench, const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", bench->dir, name);
    return path;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"flash",   "flash.state", "orders",
                                        "journal", "events",      "said"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(bench, names[i]));
    rmdir(bench->dir);
    if (bench->rig != NULL)
        rig_free(bench->rig);
    free(bench);
    return 0;
}

/* True when the test is to be skipped; said with the reason. */
static bool lacks(struct bench *bench)
{
    const char *what = missing(bench);
    if (what != NULL)
        print_message("%s\n", what);
    return what != NULL;
}

/* ---- files ------------------------------------------------------------------------------- */

static void read_text(const struct bench *bench, const char *name, char out[RIG_TEXT])
{
    FILE *file = fopen(path_of(bench, name), "r");
    size_t length = file != NULL ? fread(out, 1, RIG_TEXT - 1, file) : 0;
    out[length] = '\0';
    if (file != NULL)
        fclose(file);
}

/* A device that has never run. */
static void new_flash(struct bench *bench, const struct rig_part *part)
{
    if (bench->rig != NULL)
        rig_free(bench->rig);
    bench->rig = rig_new(part);
    unlink(path_of(bench, "flash.state"));
    int fd = open(path_of(bench, "flash"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, PLUGIN_WINDOW_SIZE), 0);
    assert_int_equal(pwrite(fd, bench->rig->first, part->size, 0), part->size);
    close(fd);
}

static void order(struct bench *bench, const struct guest_order *order, const uint8_t *data)
{
    static const uint8_t zeros[4] = {0};
    struct guest_order copy = *order;
    if (bench->orders == NULL)
        bench->orders = fopen(path_of(bench, "orders"), "w");
    assert_non_null(bench->orders);
    if (copy.kind <= GUEST_READ)
        copy.address += PLUGIN_WINDOW_BASE;
    assert_int_equal(fwrite(&copy, sizeof copy, 1, bench->orders), 1);
    if (order->kind == GUEST_STORE) {
        assert_int_equal(fwrite(data, 1, order->length, bench->orders), order->length);
        fwrite(zeros, 1, -order->length & 3, bench->orders);
    }
}

static void order_store(struct bench *bench, uint32_t address, const uint8_t *data, uint32_t length)
{
    const struct rig *rig = bench->rig;
    order(bench,
          &(struct guest_order){GUEST_STORE, address, length, rig->part->width, 0,
                                rig->options.has_doorbell ? 1 : 0},
          data);
}

static void order_fill(struct bench *bench, uint32_t address, uint32_t length)
{
    const struct rig *rig = bench->rig;
    order(bench,
          &(struct guest_order){GUEST_FILL, address, length, rig->part->width, rig->sector.erased,
                                rig->options.has_doorbell ? 2 : 0},
          NULL);
}

static void order_ops(struct bench *bench)
{
    for (size_t i = 0; i < bench->rig->op_count; i++) {
        const struct rig_op *op = &bench->rig->ops[i];
        if (op->kind == FLASH_OP_ERASE)
            order_fill(bench, op->address, op->length);
        else
            order_store(bench, op->address, op->data, op->length);
    }
}

/* ---- the machine ------------------------------------------------------------------------- */

/* Runs the orders. Fills rig->got, and `said` with the plugin's standard error. */
static void run(struct bench *bench, char said[RIG_TEXT])
{
    struct rig *rig = bench->rig;
    char command[4096];
    order(bench, &(struct guest_order){.kind = GUEST_END, .value = GUEST_CODE}, NULL);
    assert_int_equal(fclose(bench->orders), 0);
    bench->orders = NULL;
    unlink(path_of(bench, "journal"));
    unlink(path_of(bench, "events"));
    snprintf(command, sizeof command,
             "exec timeout 60 qemu-system-arm -M mps2-an385,memory-backend=ps -object "
             "memory-backend-file,id=ps,size=16M,mem-path='%s/flash',share=on -display none "
             "-monitor none -serial none -semihosting-config enable=on,target=native -kernel "
             "'%s/plugin_guest.elf' -device loader,file='%s/orders',addr=0x%X,force-raw=on -plugin "
             "'%s/flash_plugin.so',flash='%s/flash',parts='%s/parts',part=%s:%u,"
             "journal='%s/journal',events='%s/events'%s%s 2>'%s/said'",
             bench->dir, bench->build, bench->dir, GUEST_ORDERS, bench->build, bench->dir,
             rig_data(), rig->part->name, rig->part->size, bench->dir, bench->dir,
             rig->options.has_doorbell ? ",doorbell=0x203FFFF8" : "", bench->arguments, bench->dir);
    int status = system(command);
    assert_true(WIFEXITED(status));
    bench->code = WEXITSTATUS(status);
    rig_clear(&rig->got, rig->part->size);
    read_text(bench, "journal", rig->got.journal);
    read_text(bench, "events", rig->got.events);
    read_text(bench, "said", said);
    int fd = open(path_of(bench, "flash"), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, rig->got.bytes, rig->part->size, 0), rig->part->size);
    close(fd);
}

/* What flashsim keeps beside the bytes is that of the reference, too. */
static void compare_state(const struct bench *bench)
{
    const struct rig *rig = bench->rig;
    struct flash_text_error error = {0};
    struct flash_sim *shadow;
    assert_int_equal(
        flash_sim_shadow(path_of(bench, "flash"), rig->options.chips, 1, &shadow, &error), 0);
    assert_true(flash_sim_state_print(shadow, 0, rig->part->size) ==
                flash_sim_state_print(rig->reference, 0, rig->part->size));
    flash_sim_close(shadow);
}

/* ---- operations -------------------------------------------------------------------------- */

static void find_operations(struct bench *bench, const struct rig_part *part, bool doorbell)
{
    char said[RIG_TEXT];
    new_flash(bench, part);
    bench->rig->options.has_doorbell = doorbell;
    if (doorbell)
        rig_add_ambiguous(bench->rig);
    else
        rig_add_distinct(bench->rig);
    rig_reference(bench->rig);
    order_ops(bench);
    run(bench, said);
    assert_string_equal(said, "");
    assert_int_equal(bench->code, GUEST_CODE);
    char *last = strstr(bench->rig->got.events, "end ");
    assert_non_null(last);
    *last = '\0';
    rig_compare(bench->rig);
    compare_state(bench);
}

static void test_operations_are_found(void **state)
{
    struct bench *bench = *state;
    if (lacks(bench))
        skip();
    for (size_t i = 0; i < RIG_PARTS; i++)
        find_operations(bench, &rig_parts[i], false);
}

static void test_a_ringing_driver_leaves_no_doubt(void **state)
{
    struct bench *bench = *state;
    if (lacks(bench))
        skip();
    for (size_t i = 0; i < RIG_PARTS; i++)
        find_operations(bench, &rig_parts[i], true);
}

static void test_a_register_ends_a_program(void **state)
{
    static const uint8_t data[16] = {0};
    struct bench *bench = *state;
    char said[RIG_TEXT];
    if (lacks(bench))
        skip();
    new_flash(bench, &rig_parts[2]);
    order_store(bench, 0, data, 8);
    order(bench, &(struct guest_order){.kind = GUEST_REGISTER}, NULL);
    order_store(bench, 8, data, 8);
    run(bench, said);
    assert_int_equal(bench->code, GUEST_CODE);
    assert_memory_equal(bench->rig->got.journal, "0 program 0x0 8 ", 16);
    assert_non_null(strstr(bench->rig->got.journal, "\n1 program 0x8 8 "));
}

/* ---- cuts -------------------------------------------------------------------------------- */

static void cut(struct bench *bench, const struct rig_part *part, bool doorbell, uint32_t number,
                enum flash_tear tear)
{
    char said[RIG_TEXT];
    new_flash(bench, part);
    struct rig *rig = bench->rig;
    rig->options.has_doorbell = doorbell;
    rig->options.cut = PLUGIN_CUT_OPERATION;
    rig->options.cut_number = number;
    rig->options.cut_tear = tear;
    rig_add_distinct(rig);
    rig_reference(rig);
    assert_true(rig->is_off);
    order_ops(bench);
    snprintf(bench->arguments, sizeof bench->arguments, ",cut=op:%u:%s", number,
             flash_tear_word(tear));
    run(bench, said);
    assert_int_equal(bench->code, SIM_CUT_EXIT);
    rig_compare(rig);
    compare_state(bench);
}

static void test_a_cut_leaves_what_the_simulator_leaves(void **state)
{
    static const struct {
        uint8_t part; /* a bit each */
        uint32_t number;
        enum flash_tear tear;
    } rows[] = {
        {7, 0, FLASH_TEAR_BEFORE},      {7, 1, FLASH_TEAR_BEFORE},   {7, 2, FLASH_TEAR_AFTER},
        {7, 4, FLASH_TEAR_AFTER},       {7, 1, FLASH_TEAR_LOWER},    {7, 4, FLASH_TEAR_UPPER},
        {5, 3, FLASH_TEAR_HALF},        {7, 3, FLASH_TEAR_BITS_ODD}, {7, 5, FLASH_TEAR_FIRST_BIT0},
        {4, 2, FLASH_TEAR_FIRST_FAULT}, {5, 1, FLASH_TEAR_TAIL32},   {1, 3, FLASH_TEAR_DISTURB},
        {4, 4, FLASH_TEAR_ERASE_FAULT}, {7, 7, FLASH_TEAR_LOWER},    {2, 3, FLASH_TEAR_FIRST_WEAK},
    };
    struct bench *bench = *state;
    if (lacks(bench))
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned part = 0; part < 3; part++)
            if ((rows[i].part >> part & 1) != 0)
                cut(bench, &rig_parts[part], i % 2 == 1, rows[i].number, rows[i].tear);
}

/* The stores up to there are in the file, and no other. */
static void test_the_power_goes_at_a_store(void **state)
{
    static const uint32_t numbers[] = {0, 5, 1000};
    struct bench *bench = *state;
    char said[RIG_TEXT];
    uint8_t data[16];
    if (lacks(bench))
        skip();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        new_flash(bench, &rig_parts[0]);
        for (uint32_t n = 0; n < sizeof data; n++)
            data[n] = rig_byte(7, n);
        order_store(bench, 0x20, data, sizeof data);
        order_fill(bench, 0x1000, 0x1000);
        snprintf(bench->arguments, sizeof bench->arguments, ",cut=store:%u", numbers[i]);
        run(bench, said);
        assert_int_equal(bench->code, SIM_CUT_EXIT);
        assert_non_null(strstr(bench->rig->got.events, "cut-store"));
        uint32_t programmed = numbers[i] < sizeof data ? numbers[i] : sizeof data;
        memcpy(bench->rig->first + 0x20, data, programmed);
        memset(bench->rig->first + 0x1000, 0xFF, numbers[i] - programmed);
        assert_memory_equal(bench->rig->got.bytes, bench->rig->first, bench->rig->part->size);
    }
}

static void test_a_cut_that_never_comes_is_told(void **state)
{
    struct bench *bench = *state;
    char said[RIG_TEXT];
    if (lacks(bench))
        skip();
    new_flash(bench, &rig_parts[0]);
    order(bench, &(struct guest_order){.kind = GUEST_READ, .address = 0x1000, .length = 100}, NULL);
    order_fill(bench, 0x1000, 0x1000);
    snprintf(bench->arguments, sizeof bench->arguments, ",cut=op:1:before");
    run(bench, said);
    assert_int_equal(bench->code, GUEST_CODE);
    assert_string_equal(bench->rig->got.events, "cut-missed operation 1: there were 1\n"
                                                "end 1 operations 4096 stores\n");
}

/* ---- violations -------------------------------------------------------------------------- */

/* Runs the orders, which end in a violation that is told so. */
static void expect_violation(struct bench *bench, const char *line)
{
    char said[RIG_TEXT];
    run(bench, said);
    assert_int_equal(bench->code, PLUGIN_VIOLATION_EXIT);
    const char *told = strstr(bench->rig->got.events, "violation ");
    if (told == NULL || strncmp(told, line, strlen(line)) != 0)
        fail_msg("%s, not %s", bench->rig->got.events, line);
    assert_non_null(strstr(told, " (pc 0x"));
    assert_non_null(strstr(told, ")\nexit 10\n"));
}

/* The driver that forgets to erase. */
static void test_a_program_without_an_erase(void **state)
{
    static const uint8_t data[512] = {0};
    struct bench *bench = *state;
    if (lacks(bench))
        skip();
    for (size_t i = 0; i < 3; i++) {
        uint8_t flipped[512];
        char line[80];
        new_flash(bench, &rig_parts[i]);
        const uint32_t sector = bench->rig->sector.size;
        const uint8_t old = bench->rig->first[sector];
        memcpy(flipped, data, sizeof flipped);
        flipped[0] = (uint8_t)~old;
        order_store(bench, sector, flipped, bench->rig->sector.unit);
        snprintf(line, sizeof line, "violation program at 0x%X: 0x%02x over 0x%02x would", sector,
                 flipped[0], old);
        expect_violation(bench, line);
    }
}

static void test_other_violations(void **state)
{
    static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct bench *bench = *state;
    if (lacks(bench))
        skip();
    new_flash(bench, &rig_parts[0]);
    order_fill(bench, 0x1000, 0x800);
    order_store(bench, 0x5000, data, 1);
    expect_violation(bench, "violation erase of 2048 bytes at 0x1000: its sector has 4096");

    new_flash(bench, &rig_parts[0]);
    order_store(bench, 0x8000, data, 1);
    expect_violation(bench, "violation store of 1 bytes at 0x8000: outside the chips");

    new_flash(bench, &rig_parts[0]);
    snprintf(bench->arguments, sizeof bench->arguments, ",fixed=0x2000:0x1000");
    order_store(bench, 0x2800, data, 1);
    expect_violation(bench, "violation store of 1 bytes at 0x2800: may not be changed");
    bench->arguments[0] = '\0';

    /* The same bits again: a serial NOR takes that, a write-once unit does not. */
    new_flash(bench, &rig_parts[2]);
    order_store(bench, 0x0, data, 8);
    order(bench, &(struct guest_order){.kind = GUEST_REGISTER}, NULL);
    order_store(bench, 0x0, data, 8);
    order(bench, &(struct guest_order){.kind = GUEST_REGISTER}, NULL);
    expect_violation(bench, "violation program at 0x00000000: this unit was programmed 1 times");

    new_flash(bench, &rig_parts[1]);
    order_store(bench, 0x0, data, 8);
    order_store(bench, 0x800, data, 8);
    expect_violation(bench,
                     "violation program of 8 bytes at 0x00000000: not in whole units of 512");
}

/* ---- from one machine to the next -------------------------------------------------------- */

/* All ones use a double word up, although it still reads erased. */
static void test_what_a_chip_knows_outlives_its_machine(void **state)
{
    uint8_t ones[8];
    struct bench *bench = *state;
    char said[RIG_TEXT];
    if (lacks(bench))
        skip();
    memset(ones, 0xFF, sizeof ones);
    new_flash(bench, &rig_parts[2]);
    bench->rig->options.has_doorbell = true;
    order_store(bench, 0x100, ones, 8);
    run(bench, said);
    assert_int_equal(bench->code, GUEST_CODE);
    ones[0] = 0xFE;
    order_store(bench, 0x100, ones, 8);
    expect_violation(bench, "violation program at 0x00000100: this unit was programmed 1 times");
}

static void test_an_operation_that_a_reset_broke(void **state)
{
    struct bench *bench = *state;
    char said[RIG_TEXT];
    if (lacks(bench))
        skip();
    new_flash(bench, &rig_parts[0]);
    order(bench,
          &(struct guest_order){
              .kind = GUEST_FILL, .address = 0x1000, .length = 0x10, .width = 4, .value = 0xFF},
          NULL);
    order(bench, &(struct guest_order){.kind = GUEST_RESET}, NULL);
    order_fill(bench, 0x1000, 0x1000);
    run(bench, said);
    assert_int_equal(bench->code, GUEST_CODE);
    assert_memory_equal(bench->rig->got.events, "torn 0x1000 16\n", 15);
    assert_non_null(strstr(bench->rig->got.journal, " erase 0x1000 4096\n"));
}

static void test_wrong_arguments(void **state)
{
    struct bench *bench = *state;
    char said[RIG_TEXT];
    if (lacks(bench))
        skip();
    new_flash(bench, &rig_parts[0]);
    snprintf(bench->arguments, sizeof bench->arguments, ",cut=op:1:torn");
    run(bench, said);
    assert_int_equal(bench->code, 1);
    assert_non_null(strstr(said, "flash plugin: arguments: cut=op:1:torn: flashsim has no tear"));
    new_flash(bench, &rig_parts[0]);
    snprintf(bench->arguments, sizeof bench->arguments, ",flash=%s/orders", bench->dir);
    run(bench, said);
    assert_int_equal(bench->code, 1);
    assert_non_null(strstr(said, "must be a file of 16 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_operations_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_ringing_driver_leaves_no_doubt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_register_ends_a_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_leaves_what_the_simulator_leaves, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_power_goes_at_a_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_that_never_comes_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_program_without_an_erase, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_violations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_chip_knows_outlives_its_machine, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_operation_that_a_reset_broke, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_arguments, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
