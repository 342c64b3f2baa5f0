/* The guest of the plugin's test: follows its orders by plain stores. No C library, no data. */
#include "sim/cortexm/host/plugin/guest/guest.h"

#define AIRCR    (*(volatile uint32_t *)0xE000ED0Cu)
#define UART_CTL (*(volatile uint32_t *)0x40004008u)
#define DOORBELL ((volatile uint32_t *)GUEST_DOORBELL)

void reset_handler(void);

static volatile uint32_t was_reset; /* outlives a reset: nothing clears it */
static volatile uint32_t sum;

__attribute__((noreturn)) static void leave(uint32_t code)
{
    uint32_t block[2] = {0x20026, code};              /* the application ended */
    register uint32_t operation __asm__("r0") = 0x20; /* SYS_EXIT_EXTENDED */
    register uint32_t *argument __asm__("r1") = block;
    __asm__ volatile("bkpt 0xAB" : : "r"(operation), "r"(argument) : "memory");
    for (;;)
        ;
}

static void store(uint32_t address, uint32_t width, const uint8_t *bytes)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (uint32_t i = 0; i < width && i < 4; i++)
        low |= (uint32_t)bytes[i] << (8 * i);
    for (uint32_t i = 4; i < width; i++)
        high |= (uint32_t)bytes[i] << (8 * (i - 4));
    if (width == 1)
        *(volatile uint8_t *)address = (uint8_t)low;
    else if (width == 2)
        *(volatile uint16_t *)address = (uint16_t)low;
    else if (width == 4)
        *(volatile uint32_t *)address = low;
    else
        __asm__ volatile("strd %0, %1, [%2]" : : "r"(low), "r"(high), "r"(address) : "memory");
}

static void follow(const struct guest_order *order, const uint8_t *data)
{
    uint8_t fill[8];
    for (uint32_t i = 0; i < sizeof fill; i++)
        fill[i] = (uint8_t)order->value;
    for (uint32_t i = 0; i < order->length; i += order->width)
        store(order->address + i, order->width, order->kind == GUEST_STORE ? data + i : fill);
    if (order->ring != 0)
        DOORBELL[order->ring - 1] = 0;
}

static void read_words(uint32_t address, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sum += ((volatile uint32_t *)address)[i];
}

static void reset_once(void)
{
    if (was_reset == 0x5EEDu)
        return;
    was_reset = 0x5EEDu;
    AIRCR = 0x05FA0004u;
    for (;;)
        ;
}

void reset_handler(void)
{
    const struct guest_order *order = (const struct guest_order *)GUEST_ORDERS;
    while (order->kind != GUEST_END) {
        const uint8_t *data = (const uint8_t *)(order + 1);
        uint32_t size = order->kind == GUEST_STORE ? (order->length + 3u) & ~3u : 0;
        if (order->kind == GUEST_STORE || order->kind == GUEST_FILL)
            follow(order, data);
        else if (order->kind == GUEST_READ)
            read_words(order->address, order->length);
        else if (order->kind == GUEST_REGISTER)
            UART_CTL = 1;
        else if (order->kind == GUEST_RESET)
            reset_once();
        order = (const struct guest_order *)(const void *)(data + size);
    }
    leave(order->value);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[2])(void) = {
    (void (*)(void))0x20080000u, /* the stack */
    reset_handler,
};
