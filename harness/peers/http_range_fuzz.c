/* The Range header over arbitrary text: what is to be served always lies inside. */
#include "harness/peers/http_range.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 4096, 65720, UINT64_MAX};
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t from;
        uint64_t to;
        enum nb_http_range kind = nb_http_range_parse(text, sizes[i], &from, &to);
        if (kind == NB_RANGE_PART && (from > to || to >= sizes[i]))
            abort();
        if (kind == NB_RANGE_WHOLE && (from != 0 || (sizes[i] > 0 && to != sizes[i] - 1)))
            abort();
    }
    free(text);
    return 0;
}
