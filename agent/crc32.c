#include "agent/crc32.h"

uint32_t ota_crc32_by_nibbles(uint32_t crc, const void *data, size_t length)
{
    static const uint32_t row[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    const uint8_t *bytes = data;
    crc = ~crc;
    for (; length > 0; bytes++, length--) {
        crc ^= *bytes;
        crc = crc >> 4 ^ row[crc & 15u];
        crc = crc >> 4 ^ row[crc & 15u];
    }
    return ~crc;
}
