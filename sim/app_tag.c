#include "sim/app_tag.h"

#include <string.h>

#define MAGIC_SIZE    16u
#define SEARCHED      4096u
#define SEARCHED_STEP 256u

static const char *const words[APP_BEHAVIOURS] = {
    [APP_GOOD] = "good",       [APP_CRASHES] = "crashes", [APP_HANGS] = "hangs",
    [APP_OFFLINE] = "offline", [APP_FORGETS] = "forgets",
};

const char *app_behaviour_word(enum app_behaviour behaviour)
{
    return behaviour < APP_BEHAVIOURS ? words[behaviour] : "unknown";
}

enum app_behaviour app_behaviour_from_word(const char *word)
{
    enum app_behaviour behaviour = APP_GOOD;

    while (behaviour < APP_BEHAVIOURS && strcmp(word, words[behaviour]) != 0) {
        behaviour++;
    }
    return behaviour;
}

void app_tag_write(enum app_behaviour behaviour, uint8_t out[APP_TAG_SIZE])
{
    const char *word = app_behaviour_word(behaviour);

    memset(out, 0, APP_TAG_SIZE);
    memcpy(out, APP_TAG_MAGIC, sizeof APP_TAG_MAGIC);
    memcpy(out + MAGIC_SIZE, word, strlen(word));
}

/* The behaviour in a tag's second half; APP_BEHAVIOURS when it names none. */
static enum app_behaviour tag_behaviour(const uint8_t tag[APP_TAG_SIZE])
{
    char word[APP_TAG_SIZE - MAGIC_SIZE + 1];

    memcpy(word, tag + MAGIC_SIZE, APP_TAG_SIZE - MAGIC_SIZE);
    word[sizeof word - 1] = '\0';
    return app_behaviour_from_word(word);
}

enum app_behaviour app_tag_read(const struct flash_area *slot, const struct img_header *header)
{
    uint32_t searched = header->img_size < SEARCHED ? header->img_size : SEARCHED;
    uint8_t step[SEARCHED_STEP];
    uint8_t tag[APP_TAG_SIZE];

    for (uint32_t at = 0; at + APP_TAG_SIZE <= searched; at += SEARCHED_STEP) {
        uint32_t n = searched - at < SEARCHED_STEP ? searched - at : SEARCHED_STEP;
        if (flash_area_read(slot, header->hdr_size + at, step, n) < 0) {
            continue;
        }
        for (uint32_t i = 0; i + MAGIC_SIZE <= n && at + i + APP_TAG_SIZE <= searched;
             i += MAGIC_SIZE) {
            if (memcmp(step + i, APP_TAG_MAGIC, MAGIC_SIZE) != 0 ||
                flash_area_read(slot, header->hdr_size + at + i, tag, sizeof tag) < 0) {
                continue;
            }
            enum app_behaviour behaviour = tag_behaviour(tag);
            if (behaviour != APP_BEHAVIOURS) {
                return behaviour;
            }
        }
    }
    return APP_GOOD;
}
