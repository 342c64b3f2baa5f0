/* The bootloader: a program of its own at address 0. Starts the watchdog, runs one boot
 * (agent/boot), says what it did, and starts the image in the primary slot, in place. */
#include "agent/crc32.h"
#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/crypto.h"
#include "sim/cortexm/guest/fault.h"
#include "sim/cortexm/guest/flash.h"
#include "sim/cortexm/guest/loader_scheme.h"
#include "sim/cortexm/guest/nv.h"
#include "sim/cortexm/guest/retained.h"
#include "sim/cortexm/guest/semihost.h"
#include "sim/cortexm/guest/settings.h"
#include "sim/cortexm/guest/stack.h"
#include "sim/cortexm/guest/uart.h"

#include <string.h>

extern uint32_t loader_stack_top[];
extern uint32_t loader_data_source[];
extern uint32_t loader_data_start[];
extern uint32_t loader_data_end[];
extern uint32_t loader_bss_end[];
extern uint32_t heap_end[]; /* the stack grows down to it */

void loader_start(void);

const struct ota_program ota_program = {.crc32 = ota_crc32_by_nibbles};

/* ---- seams ------------------------------------------------------------------------------- */

static void on_event(void *context, const char *line, int code)
{
    (void)context, (void)code;
    uart_line(UART_EVENTS, line);
}

static void on_log(void *context, enum ota_log_level level, const char *text, int code)
{
    const struct guest_settings *settings = context;
    (void)code; /* a loader's lines are about none */
    if ((uint32_t)level <= settings->log_level)
        uart_line(UART_LOG, text);
}

static void reset(void *context)
{
    (void)context;
    board_reset();
}

static int start_watchdog(void *context, uint32_t timeout_ms)
{
    (void)context;
    board_watchdog_start(timeout_ms);
    return OTA_OK;
}

static void feed_watchdog(void *context)
{
    (void)context;
    board_watchdog_feed();
}

/* ---- ends -------------------------------------------------------------------------------- */

_Noreturn static void end(int code)
{
    struct sim_line line;
    board_watchdog_stop();
    sim_line_begin(&line, "exit ");
    sim_line_number(&line, (uint32_t)code);
    uart_line(UART_EVENTS, line.text);
    semihost_exit(code);
}

/* What the last reset was, where nobody could say it. A device that resets all the time pauses. */
static void note_reset(struct guest_retained *retained, bool once)
{
    if (retained->boots == 1 || retained->reset == GUEST_RESET_ORDERED)
        return;
    uart_line(UART_EVENTS, retained->reset == GUEST_RESET_CRASH ? "reset crash" : "reset watchdog");
    retained->reset = GUEST_RESET_ORDERED;
    if (sim_past_begins_anew(&retained->past, once))
        return;
    uart_line(UART_LOG, "too many resets in a row and no application that stays up");
    end(1);
}

static void pause(void)
{
    uint64_t until = board_now_ms() + SIM_CRASH_PAUSE_MS;
    for (uint64_t now = board_now_ms(); now < until; now = board_now_ms())
        board_sleep((uint32_t)(until - now));
}

/* ---- boot -------------------------------------------------------------------------------- */

static void boot(struct guest_settings *settings, struct guest_retained *retained)
{
    static uint8_t buffer[SIM_COPY_BUFFER];
    struct guest_flash flash;
    struct guest_crypto crypto;
    struct guest_nv nv;
    struct boot_config config;
    const struct platform_port platform = {settings, reset, start_watchdog, feed_watchdog, on_log};
    const struct sim_power power = {settings->life.once, on_event, NULL};
    guest_flash_init(&flash, &settings->device, settings->marks);
    guest_crypto_init(&crypto, loader_verify_rsa());
    guest_nv_init(&nv, settings->nv);
    sim_device_boot_config(&settings->device, &flash.port, &crypto.port, &nv.port, &platform,
                           buffer, sizeof buffer, &config);
    int error;
    int code = sim_power_on(&power, &config, &retained->past, &retained->boot, &error);
    if (settings->log_level >= OTA_LOG_INFO)
        stack_tell("loader", heap_end, loader_stack_top);
    if (code == SIM_LIFE_RESET)
        board_reset();
    if (code > 0 || settings->life.boot_only)
        end(code);
}

/* Does a program begin there: a stack in RAM, a start in the slot? A processor that is sent astray
 * without a stack cannot even take its fault. */
static bool is_program(uint32_t entry, const struct sim_region *slot)
{
    const uint32_t *words = (const uint32_t *)entry;
    uint32_t start = words[1] - BOARD_FLASH - slot->address;
    return words[0] % 8 == 0 && words[0] > BOARD_RAM && words[0] <= BOARD_RAM + BOARD_RAM_SIZE &&
           start % 2 == 1 && start < slot->size;
}

_Noreturn static void start_image(const struct guest_settings *settings,
                                  struct guest_retained *retained)
{
    const struct sim_region *slot = &settings->device.primary;
    uint32_t entry = BOARD_FLASH + slot->address + retained->boot.image.header.hdr_size;
    if (is_program(entry, slot)) {
        retained->reset = GUEST_RESET_WATCHDOG; /* unless somebody notes something else */
        board_jump(entry);
    }
    uart_line(UART_LOG, "error: the image is no program for this board");
    retained->reset = GUEST_RESET_CRASH;
    board_reset();
}

_Noreturn static void run(void)
{
    static struct guest_settings settings;
    board_start();
    uart_start();
    unsigned line = guest_settings_read(&settings, guest_settings_of_loader);
    if (line != 0) {
        struct sim_line text;
        sim_line_begin(&text, "error: settings: no sense in line ");
        sim_line_number(&text, line);
        uart_line(UART_LOG, text.text);
        end(2);
    }
    struct guest_retained *retained = guest_retained_open();
    note_reset(retained, settings.life.once);
    if (retained->past.crashes > 0)
        pause();
    boot(&settings, retained);
    start_image(&settings, retained);
}

void loader_start(void)
{
    memcpy(loader_data_start, loader_data_source,
           (size_t)((char *)loader_data_end - (char *)loader_data_start));
    memset(loader_data_end, 0, (size_t)((char *)loader_bss_end - (char *)loader_data_end));
    stack_paint(heap_end);
    run();
}

/* Stack, reset, NMI, faults: hard, memory, bus, usage. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    loader_stack_top,    (void *)loader_start, (void *)guest_watchdog, (void *)guest_fault,
    (void *)guest_fault, (void *)guest_fault,  (void *)guest_fault,
};
