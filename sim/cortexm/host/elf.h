/* Is a file a program that the board can start? QEMU takes whatever it is given for one, and the
 * processor then runs into nothing. */
#ifndef NOBRICK_SIM_CORTEXM_HOST_ELF_H
#define NOBRICK_SIM_CORTEXM_HOST_ELF_H

/* Why the board cannot start the ELF at `path`, in words ("is no ELF file"); static, or the
 * system's. NULL: it can, as far as its headers say: a linked program for a 32-bit Arm, little
 * endian, with every segment in the file. Source of the format: the ELF specification (<elf.h>). */
const char *cortexm_elf_flaw(const char *path);

#endif
