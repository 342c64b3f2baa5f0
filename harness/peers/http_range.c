#include "harness/peers/http_range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Decimal digits; what is too large for the type stays at its maximum. false: none. */
static bool read_number(const char **at, uint64_t *out)
{
    const char *start = *at;
    *out = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        *out = *out > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *out * 10 + digit;
    }
    return *at != start;
}

enum nb_http_range nb_http_range_parse(const char *text, uint64_t size, uint64_t *from,
                                       uint64_t *to)
{
    *from = 0;
    *to = size == 0 ? 0 : size - 1;
    if (text == NULL || strncasecmp(text, "bytes=", 6) != 0)
        return NB_RANGE_WHOLE;
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    text += 6;
    bool has_first = read_number(&text, &first);
    if (*text++ != '-')
        return NB_RANGE_WHOLE;
    bool has_last = read_number(&text, &last);
    if (*text != '\0' || (!has_first && !has_last) || (has_first && has_last && last < first))
        return NB_RANGE_WHOLE;
    if (!has_first) { /* the last so many bytes */
        *from = last < size ? size - last : 0;
        return last == 0 || size == 0 ? NB_RANGE_UNSATISFIABLE : NB_RANGE_PART;
    }
    *from = first;
    if (first >= size)
        return NB_RANGE_UNSATISFIABLE;
    if (has_last && last < size)
        *to = last;
    return NB_RANGE_PART;
}
