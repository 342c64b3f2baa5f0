/* Intel HEX: programs as text, at addresses of 32 bits, in pieces.
 *
 *   :LLAAAATT data CC     LL bytes of data, AAAA the lower address, CC makes the sum of all 0
 *   TT 00 data            01 end of file
 *      02 upper address, in 16s (4 digits)      04 upper 16 bits of the address
 *      03, 05 where to start (kept by nobody here)
 *
 * What is read is a sorted list of pieces that do not touch. The caller owns it until nb_hex_free.
 */
#ifndef NOBRICK_HARNESS_IMAGE_HEX_H
#define NOBRICK_HARNESS_IMAGE_HEX_H

#include "agent/ports.h"

#include <stdio.h>

struct nb_hex_piece {
    uint32_t address;
    uint32_t size;
    uint8_t *data;
    const char *from; /* the file's name: the caller's, for messages */
};

struct nb_hex {
    struct nb_hex_piece *pieces;
    size_t count;
};

/* Adds what the text says. OTA_E_ARGUMENT with a reason that names file and line, or that names
 * both files and the ranges of theirs that overlap; OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_hex_add(struct nb_hex *hex, const char *text, size_t length, const char *from,
                              char *reason, size_t reason_size);

/* The same of bytes at an address. */
OTA_MUST_CHECK int nb_hex_add_bytes(struct nb_hex *hex, uint32_t address, const uint8_t *data,
                                    uint32_t size, const char *from, char *reason,
                                    size_t reason_size);

/* The bytes of [address, address + size), 0xFF where there is nothing; returns how many pieces lie
 * outside of that, in whole or in part. */
size_t nb_hex_fill(const struct nb_hex *hex, uint32_t address, uint32_t size, uint8_t *out);

/* Records of 16 bytes at most, and of no 64 KiB boundary. Text that is malloc'ed, the caller's. */
OTA_MUST_CHECK int nb_hex_print(const struct nb_hex *hex, char **out, size_t *length);

void nb_hex_free(struct nb_hex *hex);

#endif
