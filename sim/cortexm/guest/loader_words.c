/* The words of errors, from the one list: the loader says no sentences, and has no room for them.
 */
#include "agent/errors.h"

#include <stddef.h>

#define WORD(name, word, text) word,

const char *ota_err_word(int code)
{
    static const char *const words[] = {OTA_ERR_LIST(WORD)};
    size_t at = (size_t)(code - OTA_ERR_FLOOR - 1);
    return code >= 0 ? "ok" : at < sizeof words / sizeof words[0] ? words[at] : "error";
}
