/* How deep a stack has been: painted at the start, looked at later. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_STACK_H
#define NOBRICK_SIM_CORTEXM_GUEST_STACK_H

#include <stdint.h>

/* Paints from `bottom`, the lowest address it may reach, to where the caller stands. */
void stack_paint(uint32_t *bottom);

/* Tells on the log how many bytes below `top` were used since: "PROGRAM: stack 2208 bytes". */
void stack_tell(const char *program, const uint32_t *bottom, const uint32_t *top);

#endif
