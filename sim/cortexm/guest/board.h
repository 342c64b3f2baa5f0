/* The board: QEMU's mps2-an385 (Arm application note 385), a Cortex-M3 at 25 MHz.
 *
 * Interrupts stay masked for all of a device's life: the processor sleeps in WFI, which a pending
 * interrupt ends all the same, and then whoever may have caused it is asked. So there are no
 * handlers but those for faults and the watchdog, and no concurrency. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_BOARD_H
#define NOBRICK_SIM_CORTEXM_GUEST_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_HZ 25000000u

/* The device's flash, mapped: the first byte of its first chip lies here. */
#define BOARD_FLASH      0x21000000u
#define BOARD_FLASH_SIZE 0x01000000u

#define BOARD_RAM      0x20000000u
#define BOARD_RAM_SIZE 0x00400000u

#define BOARD_SETTINGS      0x20100000u /* what the device is told, put there at each reset */
#define BOARD_SETTINGS_SIZE 0x00010000u
#define BOARD_IMAGE         0x20200000u /* likewise: an image that the application is to store */
#define BOARD_RETAINED      0x200FF000u /* RAM that survives a reset */

/* Words of RAM that nobody reads. The flash driver stores to the first one after each program, to
 * the second one after each erase, so that who watches its stores knows where an operation ends. */
#define BOARD_DOORBELL 0x200FFFF0u

#define BOARD_REGISTER(address) (*(volatile uint32_t *)(address))

/* Interrupt lines. */
enum board_line { BOARD_LINE_UART0_RX = 0, BOARD_LINE_ETHERNET = 13 };

/* Lets that line end a sleep. */
void board_wake_by(enum board_line line);

/* Sleeps until a line that may end it is raised, or until `ms` have passed. May end early. */
void board_sleep(uint32_t ms);

/* Milliseconds since the reset. */
uint64_t board_now_ms(void);

/* Starts the millisecond counter; masks interrupts. Called once, first. */
void board_start(void);

_Noreturn void board_reset(void);

/* Makes the vector table at `table` (aligned to 256 bytes) the processor's. */
void board_set_vectors(const void *table);

/* Starts the program whose first words, at `entry`, are its stack and its start. */
_Noreturn void board_jump(uint32_t entry);

/* The watchdog: when it is not fed for `ms`, NMI comes; after as long again the board is reset.
 * Once started it cannot be stopped by accident: its registers are locked between uses. */
void board_watchdog_start(uint32_t ms);
void board_watchdog_feed(void);
void board_watchdog_stop(void);

#endif
