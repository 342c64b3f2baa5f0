#include "sim/cortexm/host/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_MAX 0x100000u

static uint32_t get_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_word(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

int cortexm_program_move(const uint8_t *a, const uint8_t *b, size_t size, uint32_t address,
                         uint8_t *out)
{
    if (size % 4 != 0 || address % 8 != 0)
        return OTA_E_ARGUMENT;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t at_a = get_word(a + i);
        uint32_t at_b = get_word(b + i);
        if (at_a != at_b && at_b - at_a != CORTEXM_LINKED_B - CORTEXM_LINKED_A)
            return OTA_E_ARGUMENT;
        put_word(out + i, at_a == at_b ? at_a : at_a - CORTEXM_LINKED_A + address);
    }
    return OTA_OK;
}

static int read_file(const char *dir, const char *name, uint8_t **out, size_t *size)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return OTA_E_IO;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return OTA_E_IO;
    *out = malloc(PROGRAM_MAX);
    *size = *out != NULL ? fread(*out, 1, PROGRAM_MAX, file) : 0;
    bool good = ferror(file) == 0;
    fclose(file);
    return *out == NULL ? OTA_E_NO_SPACE : good ? OTA_OK : OTA_E_IO;
}

int cortexm_program_load(const char *dir, uint32_t offset, uint8_t **out, size_t *size)
{
    uint8_t *a = NULL;
    uint8_t *b = NULL;
    size_t size_b = 0;
    *out = NULL;
    *size = 0;
    int result = read_file(dir, "application-a.bin", &a, size);
    if (result == OTA_OK)
        result = read_file(dir, "application-b.bin", &b, &size_b);
    if (result == OTA_OK && *size != size_b)
        result = OTA_E_ARGUMENT;
    if (result == OTA_OK)
        result = cortexm_program_move(a, b, *size, CORTEXM_FLASH + offset, a);
    free(b);
    if (result == OTA_OK)
        *out = a;
    else
        free(a);
    return result;
}

int cortexm_program_entry(const char *flash, uint32_t offset, const char *path)
{
    uint8_t words[8];
    FILE *in = fopen(flash, "r");
    if (in == NULL)
        return OTA_E_IO;
    bool good = fseek(in, (long)offset, SEEK_SET) == 0 && fread(words, sizeof words, 1, in) == 1;
    fclose(in);
    FILE *out = good ? fopen(path, "w") : NULL;
    if (out == NULL)
        return OTA_E_IO;
    good = fwrite(words, sizeof words, 1, out) == 1;
    good = fclose(out) == 0 && good;
    return good ? OTA_OK : OTA_E_IO;
}
