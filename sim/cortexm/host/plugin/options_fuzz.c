/* Any words as arguments of the plugin: refused in one line that says something, or numbers that
 * fit the window. */
#include "sim/cortexm/host/plugin/options.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 16

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plugin_options options;
    char parts[4096];
    char why[400] = "";
    char *words[MAX_WORDS] = {parts};
    int count = 1;
    const char *given = getenv("NOBRICK_DATA");
    snprintf(parts, sizeof parts, "parts=%s/parts", given != NULL ? given : "scenarios");
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = strtok(text, "\n"); word != NULL && count < MAX_WORDS;
         word = strtok(NULL, "\n"))
        words[count++] = word;
    int result = plugin_options_parse(&options, count, words, why, sizeof why);
    if (result != 0) {
        require(result == OTA_E_ARGUMENT && why[0] != '\0' && strchr(why, '\n') == NULL);
    } else {
        const struct flash_chip *last = &options.chips[options.chip_count - 1];
        require(options.flash != NULL && options.chip_count > 0);
        require(last->start + last->part.size <= PLUGIN_WINDOW_SIZE);
        require(options.marks == 0 || options.marks >= last->start + last->part.size);
        require(options.marks <= PLUGIN_WINDOW_SIZE - PLUGIN_MARKS_SIZE);
        require(options.cut != PLUGIN_CUT_OPERATION || options.cut_tear < FLASH_TEAR_COUNT);
    }
    free(text);
    return 0;
}
