#include "sim/cortexm/guest/stack.h"

#include "sim/cortexm/guest/uart.h"
#include "sim/line.h"

#define PAINT 0xA5C3A5C3u

void stack_paint(uint32_t *bottom)
{
    const uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (volatile uint32_t *at = bottom; at < here; at++)
        *at = PAINT;
}

void stack_tell(const char *program, const uint32_t *bottom, const uint32_t *top)
{
    struct sim_line line;
    while (bottom < top && *bottom == PAINT)
        bottom++;
    sim_line_begin(&line, program);
    sim_line_text(&line, ": stack ");
    sim_line_number(&line, (uint32_t)(top - bottom) * (uint32_t)sizeof *top);
    sim_line_text(&line, " bytes");
    uart_line(UART_LOG, line.text);
}
