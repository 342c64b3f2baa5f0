#include "sim/cortexm/guest/board.h"

/* Cortex-M3 system control space. */
#define SYST_CSR  BOARD_REGISTER(0xE000E010)
#define SYST_RVR  BOARD_REGISTER(0xE000E014)
#define SYST_CVR  BOARD_REGISTER(0xE000E018)
#define NVIC_ISER BOARD_REGISTER(0xE000E100)
#define NVIC_ICPR BOARD_REGISTER(0xE000E280)
#define SCB_ICSR  BOARD_REGISTER(0xE000ED04)
#define SCB_VTOR  BOARD_REGISTER(0xE000ED08)
#define SCB_AIRCR BOARD_REGISTER(0xE000ED0C)

#define SYST_ENABLE    1u
#define SYST_TICKINT   2u
#define SYST_PROCESSOR 4u
#define SYST_MOST      0x00FFFFFFu
#define ICSR_PENDSTCLR (1u << 25)
#define AIRCR_RESET    0x05FA0004u

/* FPGA I/O block: a counter that advances once every PRESCALE + 1 cycles. */
#define FPGAIO_COUNTER  BOARD_REGISTER(0x40028018)
#define FPGAIO_PRESCALE BOARD_REGISTER(0x4002801C)

/* CMSDK APB watchdog. */
#define WDOG_LOAD   BOARD_REGISTER(0x40008000)
#define WDOG_CTRL   BOARD_REGISTER(0x40008008)
#define WDOG_INTCLR BOARD_REGISTER(0x4000800C)
#define WDOG_LOCK   BOARD_REGISTER(0x40008C00)

#define WDOG_UNLOCK 0x1ACCE551u
#define WDOG_INTEN  1u
#define WDOG_RESEN  2u

static uint32_t wake_lines;

void board_start(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    FPGAIO_PRESCALE = BOARD_HZ / 1000 - 1;
}

uint64_t board_now_ms(void)
{
    static uint32_t latest;
    static uint32_t wraps;
    uint32_t now = FPGAIO_COUNTER;
    if (now < latest)
        wraps++;
    latest = now;
    return (uint64_t)wraps << 32 | now;
}

void board_wake_by(enum board_line line)
{
    wake_lines |= 1u << line;
    NVIC_ISER = 1u << line;
}

void board_sleep(uint32_t ms)
{
    uint32_t most = SYST_MOST / (BOARD_HZ / 1000);
    if (ms == 0)
        return;
    SYST_CSR = 0;
    SYST_RVR = (ms < most ? ms : most) * (BOARD_HZ / 1000);
    SYST_CVR = 0;
    SCB_ICSR = ICSR_PENDSTCLR;
    NVIC_ICPR = wake_lines; /* a line that is still raised stays pending */
    SYST_CSR = SYST_ENABLE | SYST_TICKINT | SYST_PROCESSOR;
    __asm__ volatile("dsb\n wfi" ::: "memory");
    SYST_CSR = 0;
    SCB_ICSR = ICSR_PENDSTCLR;
}

void board_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_RESET;
    for (;;)
        __asm__ volatile("dsb" ::: "memory");
}

void board_set_vectors(const void *table)
{
    SCB_VTOR = (uint32_t)(uintptr_t)table;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

void board_jump(uint32_t entry)
{
    const uint32_t *words = (const uint32_t *)entry;
    __asm__ volatile("msr msp, %0\n"
                     "bx %1\n"
                     :
                     : "r"(words[0]), "r"(words[1])
                     : "memory");
    __builtin_unreachable();
}

/* ---- watchdog ---------------------------------------------------------------------------- */

static void set_watchdog(uint32_t load, uint32_t control)
{
    WDOG_LOCK = WDOG_UNLOCK;
    WDOG_LOAD = load;
    WDOG_CTRL = control;
    WDOG_LOCK = 0;
}

void board_watchdog_start(uint32_t ms)
{
    uint32_t most = UINT32_MAX / (BOARD_HZ / 1000);
    set_watchdog((ms < most ? ms : most) * (BOARD_HZ / 1000), WDOG_INTEN | WDOG_RESEN);
}

void board_watchdog_feed(void)
{
    WDOG_LOCK = WDOG_UNLOCK;
    WDOG_INTCLR = 1; /* reloads it, too */
    WDOG_LOCK = 0;
}

void board_watchdog_stop(void)
{
    set_watchdog(UINT32_MAX, 0);
}
