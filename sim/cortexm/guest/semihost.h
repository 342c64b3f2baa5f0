/* Semihosting: what a board needs of its bench. Exit of the machine, and the file that stands for
 * the chip's counter memory. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_SEMIHOST_H
#define NOBRICK_SIM_CORTEXM_GUEST_SEMIHOST_H

#include <stddef.h>

/* The machine ends with that exit code. */
_Noreturn void semihost_exit(int code);

/* Reads a whole file of less than `size` bytes as text. Its length; -1: cannot be read. */
int semihost_read(const char *path, char *out, size_t size);

/* 0, or -1. */
int semihost_write(const char *path, const char *text);
int semihost_rename(const char *from, const char *to);

#endif
