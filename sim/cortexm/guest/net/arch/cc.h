/* What lwIP wants to know of compiler and board. */
#ifndef NOBRICK_GUEST_ARCH_CC_H
#define NOBRICK_GUEST_ARCH_CC_H

#include <stdint.h>

#define LWIP_NO_CTYPE_H      0
#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_RAND()          net_random()
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) net_assert(x)

uint32_t net_random(void);
/* A rule of lwIP's is broken: says so, and never returns. */
void net_assert(const char *text) __attribute__((noreturn));

#endif
