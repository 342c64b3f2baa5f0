/* An application that says its version on UART0, and ends the machine. */
#include "sim/cortexm/example/guest/example.h"

static void say(const char *text)
{
    WORD(0x40004008u) = 1; /* UART0: transmitter on */
    while (*text != '\0')
        WORD(0x40004000u) = (uint32_t)*text++;
}

static void application_start(void)
{
    uint32_t code[2] = {0x20026, 0}; /* semihosting: the application ended, with 0 */
    register uint32_t what __asm__("r0") = 0x20;
    register uint32_t *how __asm__("r1") = code;
    say("boot " VERSION ".0.0 confirmed\nexit 0\n");
    __asm__ volatile("bkpt 0xAB" : : "r"(what), "r"(how) : "memory");
    for (;;)
        ;
}

__attribute__((section(".vectors"), used)) static const void *const entry[] = {
    (void *)0x20010000, (void *)application_start};
