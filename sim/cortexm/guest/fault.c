#include "sim/cortexm/guest/fault.h"

#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/retained.h"
#include "sim/cortexm/guest/uart.h"

#define SCB_CFSR BOARD_REGISTER(0xE000ED28)

/* What the processor pushes when it takes an exception. */
struct frame {
    uint32_t r[4];
    uint32_t r12;
    uint32_t lr;
    uint32_t pc;
    uint32_t psr;
};

static void tell(const char *what, const struct frame *frame)
{
    struct sim_line line;
    sim_line_begin(&line, what);
    sim_line_text(&line, " at pc ");
    sim_line_hex(&line, frame->pc);
    sim_line_text(&line, " lr ");
    sim_line_hex(&line, frame->lr);
    sim_line_text(&line, " cfsr ");
    sim_line_hex(&line, SCB_CFSR);
    uart_line(UART_LOG, line.text);
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
