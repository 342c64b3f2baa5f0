/* Faults and the watchdog's warning: told on the log, noted for the next boot, then a reset. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_FAULT_H
#define NOBRICK_SIM_CORTEXM_GUEST_FAULT_H

/* For vector tables: of all faults, and of NMI. */
void guest_fault(void);
void guest_watchdog(void);

#endif
