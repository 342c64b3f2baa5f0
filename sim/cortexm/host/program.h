/* The application of the board as the build leaves it, moved to where it is to run.
 *
 * It is linked twice, at two addresses (application-a.bin at CORTEXM_LINKED_A, application-b.bin at
 * CORTEXM_LINKED_B): a word that differs holds an address in the image, and is moved; all others
 * are as they are. So one build serves every slot of every device, and no linker is needed. */
#ifndef NOBRICK_SIM_CORTEXM_HOST_PROGRAM_H
#define NOBRICK_SIM_CORTEXM_HOST_PROGRAM_H

#include "agent/ports.h"

#define CORTEXM_FLASH    0x21000000u /* where the device's flash lies in the board's memory */
#define CORTEXM_LINKED_A 0x21000020u
#define CORTEXM_LINKED_B 0x21100020u

/* Moves a program that is linked at A and at B, both of `size` bytes, to `address`, and writes it
 * to `out`. OTA_E_ARGUMENT when the two are not the same program, or when `address` is not aligned
 * to 8 bytes. */
OTA_MUST_CHECK int cortexm_program_move(const uint8_t *a, const uint8_t *b, size_t size,
                                        uint32_t address, uint8_t *out);

/* Reads both from the directory and moves them to `offset` in the device's flash: primary slot plus
 * header. *out is malloc'ed and the caller's. OTA_E_IO with errno set, OTA_E_ARGUMENT,
 * OTA_E_NO_SPACE. */
OTA_MUST_CHECK int cortexm_program_load(const char *dir, uint32_t offset, uint8_t **out,
                                        size_t *size);

/* Copies stack and start of the program at `offset` in the flash file, its first 8 bytes, to a file
 * at `path`. OTA_E_IO with errno set. */
OTA_MUST_CHECK int cortexm_program_entry(const char *flash, uint32_t offset, const char *path);

#endif
