/* Orders to the guest of the plugin's test: a list in the guest's memory, at GUEST_ORDERS, which
 * ends with GUEST_END. Words of 32 bits, in the guest's byte order. */
#ifndef NOBRICK_SIM_CORTEXM_PLUGIN_GUEST_H
#define NOBRICK_SIM_CORTEXM_PLUGIN_GUEST_H

#include <stdint.h>

#define GUEST_ORDERS   0x20100000u
#define GUEST_DOORBELL 0x203FFFF8u

enum guest_kind {
    GUEST_END,      /* of all; the machine ends with exit code `value` */
    GUEST_STORE,    /* `length` bytes, which follow the order, to `address` */
    GUEST_FILL,     /* `length` bytes of `value` to `address` */
    GUEST_READ,     /* `length` words at `address` */
    GUEST_REGISTER, /* one store to a register of a device */
    GUEST_RESET,    /* of the machine, once */
};

struct guest_order {
    uint32_t kind;
    uint32_t address; /* as the processor sees it */
    uint32_t length;
    uint32_t width; /* of the stores: 1, 2, 4 or 8 bytes */
    uint32_t value;
    uint32_t ring; /* 1: ring for a program after it; 2: for an erase */
};

#endif
