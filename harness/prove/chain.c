#include "harness/prove/chain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"boot", "pending", "confirm", "life", "trouble"};
#define FAIL_WORD "fail"
#define WORDS     (sizeof words / sizeof words[0])

const char *nb_action_word(enum nb_action action)
{
    return words[action];
}

const char *nb_cut_word(const struct nb_cut *cut)
{
    return cut->fails ? FAIL_WORD : flash_tear_word(cut->tear);
}

void nb_cut_print(const struct nb_cut *cut, char out[NB_CUT_TEXT])
{
    if (cut->tear == FLASH_TEAR_NONE && !cut->fails)
        snprintf(out, NB_CUT_TEXT, "%s", words[cut->action]);
    else
        snprintf(out, NB_CUT_TEXT, "%s%s%u.%s",
                 cut->action == NB_ACTION_BOOT ? "" : words[cut->action],
                 cut->action == NB_ACTION_BOOT ? "" : "@", cut->op, nb_cut_word(cut));
}

void nb_chain_print(const struct nb_cut *cuts, size_t count, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++) {
        char text[NB_CUT_TEXT];
        nb_cut_print(&cuts[i], text);
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "+" : "", text);
    }
}

bool nb_cut_parse(const char *text, struct nb_cut *out)
{
    *out = (struct nb_cut){.tear = FLASH_TEAR_NONE};
    for (size_t i = 0; i < WORDS; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(text, words[i], length) != 0)
            continue;
        out->action = (enum nb_action)i;
        if (text[length] == '\0')
            return true;
        if (text[length] != '@' || i == NB_ACTION_BOOT)
            return false;
        text += length + 1;
        break;
    }
    char *end;
    unsigned long op = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '.' || op > UINT32_MAX)
        return false;
    out->op = (uint32_t)op;
    out->fails = strcmp(end + 1, FAIL_WORD) == 0 && out->action == NB_ACTION_BOOT;
    if (out->fails)
        return true;
    out->tear = flash_tear_from_word(end + 1, strlen(end + 1));
    return out->tear != FLASH_TEAR_COUNT && out->tear != FLASH_TEAR_NONE;
}
