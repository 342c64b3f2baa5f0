/* What a patch costs the processor: applies one, the decoder alone and as the agent does it, on
 * memory that stands for flash, and writes the instructions of both to a file. No digest is
 * computed: they cost the same with a whole image. Run by ci/patches with -icount shift=0, where an
 * instruction takes a nanosecond, so that the board's counter advances every 40 of them. */
#include "agent/crc32.h"
#include "agent/delta/apply.h"
#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/semihost.h"
#include "sim/line.h"

#include <string.h>

/* Put there by QEMU: the sizes, and below them the files. */
#define SIZES  ((const volatile uint32_t *)BOARD_SETTINGS)
#define BASE   0u
#define PATCH  0x200000u
#define TARGET 0x400000u
#define POINTS 0x600000u
#define AREA   0x200000u

#define SECTOR 4096u
#define UNIT   256u
#define RESULT "patch-cost.txt"

#define COUNTER      BOARD_REGISTER(0x40028018)
#define PRESCALE     BOARD_REGISTER(0x4002801C)
#define INSTRUCTIONS 40u /* that take as long as a step of the counter */

extern uint32_t loader_stack_top[];
extern uint32_t loader_data_source[];
extern uint32_t loader_data_start[];
extern uint32_t loader_data_end[];
extern uint32_t loader_bss_end[];

void patch_cost_start(void);

const struct ota_program ota_program = {.crc32 = ota_crc32_by_nibbles};

/* ---- memory as flash --------------------------------------------------------------------- */

static uint8_t *at(uint32_t address)
{
    return (uint8_t *)(uintptr_t)(BOARD_FLASH + address);
}

static int read_bytes(void *context, uint32_t address, void *data, uint32_t length)
{
    (void)context;
    memcpy(data, at(address), length);
    return 0;
}

static int program(void *context, uint32_t address, const void *data, uint32_t length)
{
    (void)context;
    memcpy(at(address), data, length);
    return 0;
}

static int erase(void *context, uint32_t address)
{
    (void)context;
    memset(at(address), 0xFF, SECTOR);
    return 0;
}

static int sync_nothing(void *context)
{
    (void)context;
    return 0;
}

static int find_sector(void *context, uint32_t address, struct flash_sector *out)
{
    (void)context;
    memset(out, 0, sizeof *out);
    out->start = address / SECTOR * SECTOR;
    out->size = SECTOR;
    out->unit = UNIT;
    out->page = UNIT;
    out->erased = 0xFF;
    return 0;
}

static const struct flash_port flash = {NULL,  read_bytes,   program,
                                        erase, sync_nothing, find_sector};

/* Every digest is the one that was promised. */
static int no_digest(void *context, const void *data, size_t length,
                     uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context, (void)data, (void)length;
    memset(digest, 0, CRYPTO_SHA256_SIZE);
    return 0;
}

static int no_digest_of_flash(void *context, const struct flash_port *port, uint32_t address,
                              uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)port, (void)address;
    return no_digest(context, NULL, length, digest);
}

static const struct crypto_port crypto = {NULL, no_digest, no_digest_of_flash, NULL};

/* ---- the two ways ------------------------------------------------------------------------ */

static uint8_t buffer[UNIT];

static int read_base(void *context, uint32_t offset, void *data, uint32_t length)
{
    return read_bytes(context, BASE + offset, data, length);
}

static int write_target(void *context, const uint8_t *data, uint32_t length)
{
    uint32_t *written = context;
    memcpy(at(TARGET + *written), data, length);
    *written += length;
    return 0;
}

/* Fed as it would arrive, in pieces. */
static int decode(uint32_t *written)
{
    static struct ota_jojodiff delta;
    const struct ota_delta_ends ends = {.context = written,
                                        .read = read_base,
                                        .write = write_target,
                                        .source_size = SIZES[0],
                                        .target_limit = AREA};
    int err = 0;
    *written = 0;
    ota_jojodiff_init(&delta, &ends, false, buffer, sizeof buffer);
    for (uint32_t done = 0, step; err == 0 && done < SIZES[1]; done += step) {
        step = SIZES[1] - done < UNIT ? SIZES[1] - done : UNIT;
        err = ota_jojodiff_write(&delta, at(PATCH + done), step);
    }
    return err == 0 ? ota_jojodiff_finish(&delta) : err;
}

static int apply(uint32_t *written)
{
    static struct ota_apply state;
    const struct ota_apply_job job = {.base = {&flash, BASE, AREA},
                                      .patch = {&flash, PATCH, AREA},
                                      .target = {&flash, TARGET, AREA},
                                      .points = {&flash, POINTS, 2 * SECTOR},
                                      .base_size = SIZES[0],
                                      .patch_size = SIZES[1],
                                      .crypto = &crypto,
                                      .buffer = buffer,
                                      .buffer_size = sizeof buffer};
    int err = ota_apply_open(&state, &job);
    if (err != 0)
        return err;
    do
        err = ota_apply_step(&state);
    while (err == 1);
    *written = state.written;
    return err;
}

/* ---- the program ------------------------------------------------------------------------- */

static uint32_t measure(int (*way)(uint32_t *written), uint32_t *written)
{
    uint32_t before = COUNTER;
    if (way(written) != 0)
        semihost_exit(1);
    return (COUNTER - before) * INSTRUCTIONS;
}

void patch_cost_start(void)
{
    struct sim_line line;
    uint32_t written;
    memcpy(loader_data_start, loader_data_source,
           (size_t)((char *)loader_data_end - (char *)loader_data_start));
    memset(loader_data_end, 0, (size_t)((char *)loader_bss_end - (char *)loader_data_end));
    PRESCALE = 0;
    sim_line_begin(&line, "decoder ");
    sim_line_number(&line, measure(decode, &written));
    sim_line_text(&line, " apply ");
    sim_line_number(&line, measure(apply, &written));
    sim_line_text(&line, " bytes ");
    sim_line_number(&line, written);
    sim_line_text(&line, "\n");
    semihost_exit(semihost_write(RESULT, line.text) == 0 ? 0 : 2);
}

/* Stack and reset: a fault ends in a lock-up, and QEMU says so. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    loader_stack_top,
    (void *)patch_cost_start,
};
