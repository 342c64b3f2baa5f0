#include "sim/cortexm/guest/fault.h"

#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/retained.h"
#include "sim/cortexm/guest/uart.h"

#include <string.h>

#define SCB_CFSR BOARD_REGISTER(0xE000ED28)

/* What the processor pushes when it takes an exception. */
struct frame {
    uint32_t r[4];
    uint32_t r12;
    uint32_t lr;
    uint32_t pc;
    uint32_t psr;
};

static void put_hex(char out[9], uint32_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    out[8] = '\0';
}

static void tell(const char *what, const struct frame *frame)
{
    char line[80];
    char number[9];
    strcpy(line, what);
    put_hex(number, frame->pc);
    strcat(strcat(line, " at pc 0x"), number);
    put_hex(number, frame->lr);
    strcat(strcat(line, " lr 0x"), number);
    put_hex(number, SCB_CFSR);
    strcat(strcat(line, " cfsr 0x"), number);
    uart_line(UART_LOG, line);
}

/* Called from the assembly below, with the frame. */
__attribute__((used)) static void on_fault(const struct frame *frame)
{
    guest_retained()->reset = GUEST_RESET_CRASH;
    tell("error: fault", frame);
    board_reset();
}

__attribute__((used)) static void on_watchdog(const struct frame *frame)
{
    tell("error: watchdog", frame);
    board_reset();
}

__attribute__((naked)) void guest_fault(void)
{
    __asm__ volatile("tst lr, #4\n"
                     "ite eq\n"
                     "mrseq r0, msp\n"
                     "mrsne r0, psp\n"
                     "b on_fault\n");
}

__attribute__((naked)) void guest_watchdog(void)
{
    __asm__ volatile("tst lr, #4\n"
                     "ite eq\n"
                     "mrseq r0, msp\n"
                     "mrsne r0, psp\n"
                     "b on_watchdog\n");
}
