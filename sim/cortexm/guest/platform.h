/* The platform: libraries and drivers that stay in ROM, as network stacks do on many chips, so that
 * an image carries only what is its own. An application is linked against the addresses of its
 * functions. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_PLATFORM_H
#define NOBRICK_SIM_CORTEXM_GUEST_PLATFORM_H

/* Gives the platform its memory and takes the vector table. To be called first. */
void platform_start(void);

#endif
