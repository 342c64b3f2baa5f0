/* SIGINT and SIGTERM as something to read. */
#ifndef NOBRICK_SIM_POSIX_SIGNALS_H
#define NOBRICK_SIM_POSIX_SIGNALS_H

#include "agent/ports.h"

/* Blocks both signals for this thread and those it starts, and returns a descriptor that can be
 * read when one came: the caller closes it. OTA_E_IO. */
OTA_MUST_CHECK int posix_signals_open(void);

/* The number of the signal that came, or 0. */
int posix_signals_take(int fd);

#endif
