#include "harness/script/verbs.h"
#include "harness/script/words.h"

#include <stdio.h>

#define HEADER(kind, pattern, what, example)                                                       \
    {                                                                                              \
        NB_GROUP_HEADER, NB_HEADER_##kind, 0, pattern, what, example                               \
    }
#define STEP(kind, pattern, what, example)                                                         \
    {                                                                                              \
        NB_GROUP_STEP, NB_##kind, 0, pattern, what, example                                        \
    }
#define FAULT(kind, variant, pattern, what, example)                                               \
    {                                                                                              \
        NB_GROUP_FAULT, NB_FAULT_##kind, variant, pattern, what, example                           \
    }
#define EXPECT(kind, pattern, what, example)                                                       \
    {                                                                                              \
        NB_GROUP_EXPECT, NB_EXPECT_##kind, 0, pattern, what, example                               \
    }

/* The flash, not an event, is what this one looks at: a step of its own. */
#define EXPECT_FLASH(pattern, what, example)                                                       \
    {                                                                                              \
        NB_GROUP_STEP, NB_EXPECT_FLASH, 0, pattern, what, example                                  \
    }

const struct nb_script_verb nb_script_verbs[] = {
    HEADER(TITLE, "title TEXT", "what the scenario shows, one sentence",
           "title A plain update from v1 to v2"),
    HEADER(REQ, "req REQUIREMENT...", "the requirements it is evidence for", "req BOOT-01 BOOT-09"),
    HEADER(SYSTEM, "system SYSTEM...", "whose protocol is spoken", "system anycloud"),
    HEADER(WORLD, "world WORLD...", "where it may run; posix when nothing is named",
           "world virtual posix"),
    HEADER(DEVICE, "device NAME...", "device presets, a matrix; or *", "device anycloud-w25q128"),
    HEADER(PART, "part NAME...", "flash parts, a matrix; * takes all that fit", "part *"),
    HEADER(SCHEME, "scheme SCHEME...", "boot schemes, a matrix; or *",
           "scheme overwrite swap-move"),
    HEADER(SIZE, "size SIZE...", "size of v2 beside v1, a matrix", "size smaller equal larger"),
    HEADER(INSTALL, "install INSTALL...", "what `pending` means, a matrix",
           "install test permanent"),
    HEADER(SLOT, "slot BYTES", "slot size of devices made from a part", "slot 128K"),
    HEADER(LOADER, "loader SWITCH...", "switches of the loader on devices made from a part",
           "loader counter no-validate"),

    STEP(CLOUD_OFFER, "cloud offer IMAGE [OPTION...]", "the cloud offers an image from now on",
         "cloud offer v2 size=64K app=crashes"),
    STEP(CLOUD_NONE, "cloud offer none", "the cloud answers that there is no update",
         "cloud offer none"),
    STEP(CLOUD_NONE, "cloud withdraw", "the same", "cloud withdraw"),
    STEP(DEVICE_CHECK, "device check",
         "the device boots and looks for an update, until its check ends, through all reboots",
         "device check"),
    STEP(DEVICE_BOOT, "device boot", "one boot of the loader", "device boot"),
    STEP(DEVICE_CONFIRM, "device confirm", "the running application confirms itself",
         "device confirm"),
    STEP(DEVICE_PENDING, "device pending [permanent]",
         "the running application asks the loader to install slot1", "device pending"),
    STEP(DEVICE_COUNTER, "device counter N", "raises the security counter in nv",
         "device counter 5"),
    STEP(FLASH_IMAGE, "flash SLOT IMAGE [OPTION...] [TRAILER...]",
         "puts an image down like a factory or a programmer", "flash slot1 v2 pending"),
    STEP(FLASH_IMAGE, "flash SLOT file NAME [TRAILER...]", "the same with a golden file",
         "flash slot0 file p256-v1.2.3.img"),
    STEP(FLASH_ERASE, "flash SLOT erase", "erases a slot", "flash slot1 erase"),
    STEP(FLASH_FLIP, "flash SLOT flip OFFSET", "flips a bit of the byte at the offset",
         "flash slot0 flip 0x400"),
    STEP(FLASH_BREAK, "flash SLOT break OFFSET",
         "makes a unit unreadable; a negative offset counts from the slot's end",
         "flash slot1 break -16"),

    FAULT(CUT, 0, "@flash:* cut",
          "the next device step is repeated with a power cut at every flash operation and tear",
          "@flash:* cut"),
    FAULT(CUT, 0, "@flash:N cut [TEAR]",
          "power cut at the N-th flash operation of the next device step", "@flash:37 cut half"),
    FAULT(FAIL, 0, "@flash:N fail", "the N-th flash operation of the next device step fails",
          "@flash:3 fail"),
    FAULT(CHUNK, NB_CHUNK_DROP, "@chunk:N drop", "the cloud does not send the chunk, once",
          "@chunk:3 drop"),
    FAULT(CHUNK, NB_CHUNK_REPEAT, "@chunk:N repeat", "it sends the chunk twice", "@chunk:3 repeat"),
    FAULT(CHUNK, NB_CHUNK_CORRUPT, "@chunk:N corrupt", "it flips a byte of the chunk",
          "@chunk:3 corrupt"),
    FAULT(CHUNK, NB_CHUNK_RAW, "@chunk:N raw HEX", "it sends these bytes in place of the chunk",
          "@chunk:0 raw 4f5441496d616765"),
    FAULT(REVERSE, 0, "@chunks reverse", "it sends the last chunk first", "@chunks reverse"),
    FAULT(JOB_SILENT, 0, "@job silent", "it does not answer when asked for an update",
          "@job silent"),
    FAULT(JOB_RAW, 0, "@job raw TEXT", "it answers with this text", "@job raw {\"Message\":"),

    EXPECT(BOOT, "expect boot VERSIONS [STATUS]", "the loader starts this image",
           "expect boot v1|v2"),
    EXPECT(NO_IMAGE, "expect no-image", "the loader finds nothing to start", "expect no-image"),
    EXPECT(REFUSED, "expect refused ERROR", "the loader refuses what is pending",
           "expect refused bad-hash"),
    EXPECT(REJECT, "expect reject ERROR", "the agent rejects the offer or the image",
           "expect reject wrong-board"),
    EXPECT(REPORT, "expect report RESULT", "the agent's report was delivered",
           "expect report success"),
    EXPECT(JOB, "expect job VERSIONS", "the agent accepts a job", "expect job v2"),
    EXPECT(PENDING, "expect pending VERSIONS", "the agent hands the image to the loader",
           "expect pending v2"),
    EXPECT(CONFIRMED, "expect confirmed VERSIONS", "the application confirms itself",
           "expect confirmed v2"),
    EXPECT(RESET, "expect reset WHY", "the device resets", "expect reset watchdog"),
    EXPECT(IDLE, "expect idle ERROR", "the session ends with this word", "expect idle no-update"),
    EXPECT(CHUNK_REQUEST, "expect chunk-request OFFSET", "the device asks for missing data",
           "expect chunk-request 12288"),
    EXPECT(CLOUD, "expect cloud TEXT", "a line of the cloud begins with this text",
           "expect cloud result failure"),
    EXPECT_FLASH("expect flash SLOT KNOWN", "the slot begins with this image, byte for byte",
                 "expect flash slot0 v2"),
    EXPECT_FLASH("expect flash SLOT erased", "the slot is erased", "expect flash slot1 erased"),
    STEP(UNTIL_STABLE, "until stable boot VERSIONS",
         "boots until two boots in a row leave the flash unchanged; then this image runs",
         "until stable boot v2"),
};

const size_t nb_script_verb_count = sizeof nb_script_verbs / sizeof nb_script_verbs[0];

struct nb_list *nb_header_list(struct nb_script *script, enum nb_header header)
{
    switch (header) {
    case NB_HEADER_REQ:
        return &script->req;
    case NB_HEADER_SYSTEM:
        return &script->system;
    case NB_HEADER_WORLD:
        return &script->world;
    case NB_HEADER_DEVICE:
        return &script->device;
    case NB_HEADER_PART:
        return &script->part;
    case NB_HEADER_SCHEME:
        return &script->scheme;
    case NB_HEADER_SIZE:
        return &script->size;
    case NB_HEADER_INSTALL:
        return &script->install;
    default:
        return NULL;
    }
}

static void print_verb(const struct nb_script_verb *verb,
                       void (*line)(void *context, const char *text), void *context)
{
    char text[320];
    snprintf(text, sizeof text, "%-44s %s", verb->pattern, verb->what);
    line(context, text);
    snprintf(text, sizeof text, "%-44s   %s", "", verb->example);
    line(context, text);
}

void nb_verbs_print(void (*line)(void *context, const char *text), void *context)
{
    static const char *const intro[] = {
        "A scenario is a file of lines; `#` starts a comment. Header lines come first, then steps.",
        "Words in capitals are arguments, [X] may be left out, X... may repeat.",
        "",
    };
    for (size_t i = 0; i < sizeof intro / sizeof intro[0]; i++)
        line(context, intro[i]);
    for (size_t i = 0; i < nb_script_verb_count; i++)
        print_verb(&nb_script_verbs[i], line, context);
    line(context, "");
    nb_words_print(line, context);
}

void nb_faults_print(void (*line)(void *context, const char *text), void *context)
{
    for (size_t i = 0; i < nb_script_verb_count; i++)
        if (nb_script_verbs[i].group == NB_GROUP_FAULT)
            print_verb(&nb_script_verbs[i], line, context);
}
