#include "sim/cortexm/guest/semihost.h"

#include <stdint.h>
#include <string.h>

/* Arm's semihosting specification: operations and their argument blocks. */
enum operation {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_RENAME = 0x0F,
    SYS_EXIT_EXTENDED = 0x20,
};

#define MODE_READ        1u /* "rb" */
#define MODE_WRITE       5u /* "wb" */
#define APPLICATION_EXIT 0x20026u

static int call(enum operation operation, const uint32_t *arguments)
{
    register uint32_t r0 __asm__("r0") = (uint32_t)operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int)r0;
}

static uint32_t word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

void semihost_exit(int code)
{
    const uint32_t arguments[] = {APPLICATION_EXIT, (uint32_t)code};
    for (;;)
        (void)call(SYS_EXIT_EXTENDED, arguments);
}

static int open_file(const char *path, uint32_t mode)
{
    const uint32_t arguments[] = {word(path), mode, strlen(path)};
    return call(SYS_OPEN, arguments);
}

static int close_file(int file)
{
    const uint32_t arguments[] = {(uint32_t)file};
    return call(SYS_CLOSE, arguments);
}

int semihost_read(const char *path, char *out, size_t size)
{
    int file = open_file(path, MODE_READ);
    if (file < 0)
        return -1;
    const uint32_t arguments[] = {(uint32_t)file, word(out), size - 1};
    int left = call(SYS_READ, arguments);
    int closed = close_file(file);
    if (left < 0 || closed != 0)
        return -1;
    int length = (int)size - 1 - left;
    out[length] = '\0';
    return length;
}

int semihost_write(const char *path, const char *text)
{
    int file = open_file(path, MODE_WRITE);
    if (file < 0)
        return -1;
    const uint32_t arguments[] = {(uint32_t)file, word(text), strlen(text)};
    int left = call(SYS_WRITE, arguments);
    return close_file(file) == 0 && left == 0 ? 0 : -1;
}

int semihost_rename(const char *from, const char *to)
{
    const uint32_t arguments[] = {word(from), strlen(from), word(to), strlen(to)};
    return call(SYS_RENAME, arguments) == 0 ? 0 : -1;
}
