/* The words and sentences of errors, for who prints them: the agent itself says codes. */
#include "agent/errors.h"

#include <stddef.h>

/* Its place in the list; beyond the last one for what is no error of it. */
static size_t place(int code)
{
    return (size_t)(code - OTA_ERR_FLOOR - 1);
}

const char *ota_err_word(int code)
{
#define WORD(name, word, text) word,
    static const char *const words[] = {OTA_ERR_LIST(WORD)};
#undef WORD
    size_t at = place(code);
    return code >= 0 ? "ok" : at < sizeof words / sizeof words[0] ? words[at] : "error";
}

const char *ota_err_text(int code)
{
#define TEXT(name, word, text) text,
    static const char *const texts[] = {OTA_ERR_LIST(TEXT)};
#undef TEXT
    size_t at = place(code);
    return code >= 0                             ? "no error"
           : at < sizeof texts / sizeof texts[0] ? texts[at]
                                                 : "unknown error";
}
