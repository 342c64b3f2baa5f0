/* Somebody else's firmware for mps2-an385, as small as it gets: what loader and application share.
 */
#include <stdint.h>

#define PRIMARY       0x21008000u /* runs from here: stack and start are its first words */
#define SECONDARY     0x2100C000u /* an update lies here … */
#define SLOT_SIZE     0x4000u
#define SECTOR        0x1000u
#define REQUEST       0x8079B62Cu /* … and its last word asks for it */
#define WORD(address) (*(volatile uint32_t *)(address))
