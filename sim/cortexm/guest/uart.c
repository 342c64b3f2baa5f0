#include "sim/cortexm/guest/uart.h"

#include "sim/cortexm/guest/board.h"

/* CMSDK APB UART. */
struct uart_registers {
    uint32_t data;
    uint32_t state;
    uint32_t control;
    uint32_t interrupt;
    uint32_t divider;
};

#define STATE_TX_FULL  1u
#define STATE_RX_FULL  2u
#define CONTROL_TX     1u
#define CONTROL_RX     2u
#define CONTROL_RX_IRQ 8u
#define INTERRUPT_RX   2u
#define LEAST_DIVIDER  16u

static volatile struct uart_registers *const uarts[] = {
    [UART_EVENTS] = (volatile struct uart_registers *)0x40004000,
    [UART_LOG] = (volatile struct uart_registers *)0x40005000,
};

static char command[32];
static size_t command_length;

void uart_start(void)
{
    for (size_t i = 0; i < sizeof uarts / sizeof uarts[0]; i++) {
        uarts[i]->divider = LEAST_DIVIDER;
        uarts[i]->control = CONTROL_TX;
    }
    uarts[UART_EVENTS]->control = CONTROL_TX | CONTROL_RX | CONTROL_RX_IRQ;
    board_wake_by(BOARD_LINE_UART0_RX);
    command_length = 0;
}

static void put(volatile struct uart_registers *uart, char c)
{
    while ((uart->state & STATE_TX_FULL) != 0) {
    }
    uart->data = (unsigned char)c;
}

void uart_line(enum uart uart, const char *text)
{
    for (; *text != '\0'; text++)
        put(uarts[uart], *text);
    put(uarts[uart], '\n');
}

const char *uart_command(void)
{
    volatile struct uart_registers *uart = uarts[UART_EVENTS];
    while ((uart->state & STATE_RX_FULL) != 0) {
        char c = (char)uart->data;
        uart->interrupt = INTERRUPT_RX;
        if (c == '\n') {
            command[command_length] = '\0';
            command_length = 0;
            return command;
        }
        if (command_length < sizeof command - 1)
            command[command_length++] = c;
    }
    return NULL;
}
