/* What the C library wants of the board: memory for malloc (only libraries use it: big numbers of
 * Mbed TLS, TLS), and what an assertion that fails does. */
#include "sim/cortexm/guest/uart.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* The linker script says how much there is. */
extern char heap_start[];
extern char heap_end[];

__attribute__((used)) void *_sbrk(ptrdiff_t step);

void *_sbrk(ptrdiff_t step)
{
    static char *top;
    if (top == NULL)
        top = heap_start;
    char *old = top;
    if (step > heap_end - top || step < heap_start - top) {
        errno = ENOMEM;
        return (void *)-1;
    }
    top += step;
    return old;
}

void abort(void)
{
    for (;;)
        __asm__ volatile("udf #0");
}

void __assert_func(const char *file, int line, const char *function, const char *expression)
{
    (void)line, (void)function;
    uart_line(UART_LOG, file);
    uart_line(UART_LOG, expression);
    abort();
}

/* There are no files; sscanf links what would read one all the same. */
int _read(int file, void *out, size_t size);
int _write(int file, const void *data, size_t size);
int _close(int file);
long _lseek(int file, long offset, int from);

int _read(int file, void *out, size_t size)
{
    (void)file, (void)out, (void)size;
    errno = ENOSYS;
    return -1;
}

int _write(int file, const void *data, size_t size)
{
    (void)file, (void)data, (void)size;
    errno = ENOSYS;
    return -1;
}

int _close(int file)
{
    (void)file;
    errno = ENOSYS;
    return -1;
}

long _lseek(int file, long offset, int from)
{
    (void)file, (void)offset, (void)from;
    errno = ENOSYS;
    return -1;
}
