/* A bootloader that copies the second slot over the first when its last word asks for it. The
 * request goes last: whenever the power fails before, the copy begins anew. */
#include "sim/cortexm/example/guest/example.h"

static void erase(uint32_t sector)
{
    for (uint32_t at = 0; at < SECTOR; at += 4)
        WORD(sector + at) = 0xFFFFFFFFu;
}

static void install(void)
{
    for (uint32_t at = 0; at < SLOT_SIZE; at += 4) {
        if (at % SECTOR == 0)
            erase(PRIMARY + at);
        WORD(PRIMARY + at) = WORD(SECONDARY + at);
    }
    erase(SECONDARY + SLOT_SIZE - SECTOR);
}

static void loader_start(void)
{
    if (WORD(SECONDARY + SLOT_SIZE - 4) == REQUEST)
        install();
    __asm__ volatile("msr msp, %0\n bx %1" : : "r"(WORD(PRIMARY)), "r"(WORD(PRIMARY + 4)));
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    (void *)0x20010000, (void *)loader_start};
