#include "harness/cli/option_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

bool nb_option_count(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out >= least &&
           *out <= most;
}

bool nb_option_log(const char *text, enum ota_log_level *out)
{
    static const char *const words[] = {"error", "warning", "notice", "info", "debug"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum ota_log_level)i;
            return true;
        }
    return false;
}

bool nb_option_descriptor(const char *text, int *out)
{
    unsigned long number = 0;
    bool good = nb_option_count(text, 0, 65535, &number) && fcntl((int)number, F_GETFD) >= 0;
    if (good)
        *out = (int)number;
    return good;
}
