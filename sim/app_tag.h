/* The behaviour tag that every test image carries in its payload.
 *
 *   off size
 *     0   16  "nobrick-app-tag" and a NUL
 *    16   16  behaviour word, NUL padded: good crashes hangs offline forgets
 *
 * It lies at a multiple of 16 in the first 4 KiB of the payload. An image without a tag is a good
 * application. */
#ifndef NOBRICK_SIM_APP_TAG_H
#define NOBRICK_SIM_APP_TAG_H

#include "agent/image/mcuboot.h"

#define APP_TAG_SIZE  32u
#define APP_TAG_MAGIC "nobrick-app-tag"

enum app_behaviour {
    APP_GOOD,    /* connects, confirms, reports, looks for updates */
    APP_CRASHES, /* resets at once, before it confirms */
    APP_HANGS,   /* does nothing until the watchdog fires */
    APP_OFFLINE, /* runs, but never gets a connection */
    APP_FORGETS, /* works, but never confirms */
    APP_BEHAVIOURS
};

const char *app_behaviour_word(enum app_behaviour behaviour);
/* APP_BEHAVIOURS when the word is none of them. */
enum app_behaviour app_behaviour_from_word(const char *word);
/* Writes the 32 bytes of a tag. */
void app_tag_write(enum app_behaviour behaviour, uint8_t out[APP_TAG_SIZE]);
/* The behaviour of the image in `slot` whose header is `header`. */
enum app_behaviour app_tag_read(const struct flash_area *slot, const struct img_header *header);

#endif
