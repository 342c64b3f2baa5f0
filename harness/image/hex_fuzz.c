/* Intel HEX of arbitrary text: refused with a reason, or what is printed of it is read as the same
 * pieces. */
#include "harness/image/hex.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nb_hex hex = {0};
    struct nb_hex again = {0};
    char reason[160] = "";
    char *text = NULL;
    size_t length = 0;
    if (nb_hex_add(&hex, (const char *)data, size, "input", reason, sizeof reason) != 0) {
        require(reason[0] != '\0');
        nb_hex_free(&hex);
        return 0;
    }
    require(nb_hex_print(&hex, &text, &length) == 0);
    require(nb_hex_add(&again, text, length, "printed", reason, sizeof reason) == 0);
    uint64_t sum = 0;
    uint64_t sum_again = 0;
    for (size_t i = 0; i < hex.count; i++)
        for (uint32_t at = 0; at < hex.pieces[i].size; at++)
            sum += (uint64_t)(hex.pieces[i].address + at) * (hex.pieces[i].data[at] + 1u);
    for (size_t i = 0; i < again.count; i++)
        for (uint32_t at = 0; at < again.pieces[i].size; at++)
            sum_again += (uint64_t)(again.pieces[i].address + at) * (again.pieces[i].data[at] + 1u);
    require(sum == sum_again);
    free(text);
    nb_hex_free(&hex);
    nb_hex_free(&again);
    return 0;
}
