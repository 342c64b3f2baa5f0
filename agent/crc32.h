/* CRC-32 (IEEE 802.3), as records in flash and pushed images have it. What computes it is the
 * program's choice (agent/program.h): the function below is for a program that has nothing faster.
 */
#ifndef NOBRICK_AGENT_CRC32_H
#define NOBRICK_AGENT_CRC32_H

#include "agent/program.h"

/* CRC-32 of `data` behind bytes whose CRC-32 was `crc`; 0 to begin with. */
static inline uint32_t ota_crc32(uint32_t crc, const void *data, size_t length)
{
    return ota_program.crc32(crc, data, length);
}

/* Half a byte at a time: 100 bytes of a chip. */
uint32_t ota_crc32_by_nibbles(uint32_t crc, const void *data, size_t length);

#endif
