/* The board's serial lines: UART0 carries the device's event lines and takes an operator's
 * commands, UART1 its log. Polled. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_UART_H
#define NOBRICK_SIM_CORTEXM_GUEST_UART_H

#include <stdbool.h>
#include <stddef.h>

enum uart { UART_EVENTS, UART_LOG };

void uart_start(void);

/* A line without its newline, which is added. */
void uart_line(enum uart uart, const char *text);

/* A whole line of the operator, without newline, or NULL: none has come yet. Valid until the next
 * call. Longer lines are cut. */
const char *uart_command(void);

#endif
