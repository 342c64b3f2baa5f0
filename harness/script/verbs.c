#include "harness/script/verbs.h"
#include "harness/faults/manifest_lies.h"
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
#define NETWORK(kind, pattern, what, example)                                                      \
    {                                                                                              \
        NB_GROUP_FAULT, NB_FAULT_NET, kind, pattern, what, example                                 \
    }
#define EXPECT(kind, pattern, what, example)                                                       \
    {                                                                                              \
        NB_GROUP_EXPECT, NB_EXPECT_##kind, 0, pattern, what, example                               \
    }

#define NEVER(kind, pattern, what, example)                                                        \
    {                                                                                              \
        NB_GROUP_EXPECT, NB_EXPECT_##kind, 1, pattern, what, example                               \
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
    HEADER(DEVICES, "devices N",
           "so many devices at once, alike but for serial number and flash, all with the same luck",
           "devices 2"),
    HEADER(PART, "part NAME...",
           "flash parts, a matrix; typical takes one of each geometry, * all that fit",
           "part typical"),
    HEADER(SCHEME, "scheme SCHEME...", "boot schemes, a matrix; or *",
           "scheme overwrite swap-move"),
    HEADER(SIZE, "size SIZE...", "size of v2 beside v1, a matrix", "size smaller equal larger"),
    HEADER(INSTALL, "install INSTALL...", "what `pending` means, a matrix",
           "install test permanent"),
    HEADER(DATA, "data LINK...", "what carries the image, a matrix; mqtt when nothing is named",
           "data mqtt http"),
    HEADER(VIA, "via LINK...", "how the device asks for its job, a matrix; mqtt when not named",
           "via mqtt http"),
    HEADER(TLS, "tls TLS...", "certificates of broker and server, a matrix; none when not named",
           "tls server client"),
    HEADER(CONFORMANCE, "conformance nginx",
           "a real nginx serves the image; skipped where there is none", "conformance nginx"),
    HEADER(AGENT, "agent ASWITCH...", "how the application runs its agent", "agent no-result"),
    HEADER(SLOT, "slot BYTES", "slot size of devices made from a part", "slot 128K"),
    HEADER(LOADER, "loader SWITCH...", "switches of the loader on devices made from a part",
           "loader counter no-validate"),

    STEP(CLOUD_OFFER, "cloud offer IMAGE [OFFER...]", "the cloud offers an image from now on",
         "cloud offer v2 size=64K app=crashes"),
    STEP(CLOUD_ADD, "cloud add IMAGE [OFFER...]",
         "one more image in the manifest, behind those that are there: the last one counts",
         "cloud add v3 patch=v1"),
    STEP(CLOUD_ERASE, "cloud erase VERSION",
         "the manifest asks for this image to be erased from the store", "cloud erase v2"),
    STEP(CLOUD_NONE, "cloud offer none", "the cloud answers that there is no update",
         "cloud offer none"),
    STEP(CLOUD_NONE, "cloud withdraw", "the same", "cloud withdraw"),
    STEP(DEVICE_CHECK, "device check [initiate]",
         "the device boots and looks for an update, until its check ends, through all reboots; on "
         "hold it fetches one when told to",
         "device check"),
    STEP(DEVICE_LIVE, "device live VALUE",
         "the device boots and lives for so many seconds, check after check", "device live 3"),
    STEP(DEVICE_BOOT, "device boot", "one boot of the loader", "device boot"),
    STEP(DEVICE_CONFIRM, "device confirm", "the running application confirms itself",
         "device confirm"),
    STEP(DEVICE_PUSH, "device push IMAGE [OPTION...] [PUSH...]",
         "a host pushes an image piece by piece, without any cloud", "device push v2 crc=wrong"),
    STEP(DEVICE_PENDING, "device pending [permanent]",
         "the running application asks the loader to install slot1", "device pending"),
    STEP(DEVICE_ROLL_BACK, "device rollback",
         "the running application gives way to the next in rank; of a scheme with a store",
         "device rollback"),
    STEP(DEVICE_FACTORY_RESET, "device factory-reset",
         "the running application asks for the factory image, and that all others go",
         "device factory-reset"),
    STEP(DEVICE_FORGET, "device forget VERSIONS",
         "the running application erases a version from the store", "device forget v2"),
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
    STEP(FLASH_WEAKEN, "flash SLOT unstable OFFSET",
         "makes a unit read differently each time: good, half erased, erased, half erased",
         "flash slot1 unstable -16"),
    STEP(FLASH_STICK, "flash SLOT stuck OFFSET",
         "makes the sector that holds the offset one that erases do not change",
         "flash slot1 stuck 0x1000"),

    FAULT(CUT, 0, "@flash:* cut [TEARS]",
          "the next device step is repeated with a power cut at every flash operation and tear",
          "@flash:* cut weak"),
    FAULT(CUT, 0, "@flash:N cut [TEAR]",
          "power cut at the N-th flash operation of the next device step", "@flash:37 cut half"),
    FAULT(FAIL, 0, "@flash:* fail [FAILURE]",
          "the next device step is repeated with a failure of every flash operation in turn",
          "@flash:* fail silent"),
    FAULT(FAIL, 0, "@flash:N fail [FAILURE]",
          "the N-th flash operation of the next device step fails", "@flash:3 fail silent"),
    FAULT(CHUNK, NB_CHUNK_DROP, "@chunk:N drop", "the cloud does not send the chunk, once",
          "@chunk:3 drop"),
    FAULT(CHUNK, NB_CHUNK_REPEAT, "@chunk:N repeat", "it sends the chunk twice", "@chunk:3 repeat"),
    FAULT(CHUNK, NB_CHUNK_CORRUPT, "@chunk:N corrupt", "it flips a byte of the chunk",
          "@chunk:3 corrupt"),
    FAULT(CHUNK, NB_CHUNK_RAW, "@chunk:N raw HEX", "it sends these bytes in place of the chunk",
          "@chunk:0 raw 4f5441496d616765"),
    FAULT(CHUNK, NB_CHUNK_PATCH, "@chunk:N patch PATCH",
          "it sends the chunk with these bytes of its message changed", "@chunk:3 patch 7:58"),
    FAULT(CHUNK, NB_CHUNK_LATE, "@chunk:N late MS",
          "the stream rests for so many milliseconds before the chunk", "@chunk:3 late 600"),
    FAULT(CHUNK, NB_CHUNK_JOB, "@chunk:N job TEXT", "before the chunk it sends this text as a job",
          "@chunk:3 job {\"Message\":"),
    FAULT(REVERSE, 0, "@chunks reverse", "it sends the last chunk first", "@chunks reverse"),
    FAULT(JOB_SILENT, 0, "@job silent", "it does not answer when asked for an update",
          "@job silent"),
    FAULT(JOB_RAW, 0, "@job raw TEXT", "it answers with this text", "@job raw {\"Message\":"),

    NETWORK(NB_NET_REFUSE, "[PLACE] NET refuse [SIDE] [COUNT]",
            "connections are refused: so many, or all from here on", "@connect:1 net refuse 2"),
    NETWORK(NB_NET_RESET, "[PLACE] NET reset [SIDE] [COUNT]", "the connection is reset",
            "@body:50% net reset"),
    NETWORK(NB_NET_HALF_CLOSE, "[PLACE] NET half-close [SIDE] [COUNT]",
            "the device reads an end of stream", "@body:50% net half-close"),
    NETWORK(NB_NET_STALL, "[PLACE] NET stall [SIDE] [COUNT]",
            "the connection stays, and falls silent", "@body:50% net stall"),
    NETWORK(NB_NET_LATENCY, "[PLACE] NET latency VALUE [SIDE]",
            "so many milliseconds are added, both ways", "@net latency 20"),
    NETWORK(NB_NET_RATE, "[PLACE] NET rate VALUE [SIDE]",
            "no more than so many bytes a second reach the device", "@net rate 64K"),
    NETWORK(NB_NET_SLICE, "[PLACE] NET slice VALUE [SIDE]",
            "all is sent on in writes of so many bytes", "@net slice 1"),
    NETWORK(NB_NET_TRUNCATE, "[PLACE] NET truncate [SIDE] [COUNT]",
            "what follows is lost, and the connection is closed", "@body:1000 net truncate"),
    NETWORK(NB_NET_CORRUPT, "[PLACE] NET corrupt [SIDE] [COUNT]",
            "one byte is flipped, and one of what comes next for each more",
            "@body:1000 net corrupt"),
    NETWORK(NB_NET_DNS, "NET dns [COUNT]",
            "look-ups of names find nothing, so often; hosts have names then", "@net dns 2"),
    NETWORK(NB_CLOCK_JUMP, "[PLACE] CLOCK jump DURATION [SIDE]",
            "the device's clock, and the cloud's, jumps ahead", "@body:50% clock jump 1h"),
    NETWORK(NB_MQTT_DROP_PUBACK, "MQTT drop-puback [VALUE] [COUNT]",
            "the N-th PUBACK to the device is lost", "@mqtt drop-puback 1"),
    NETWORK(NB_MQTT_DOUBLE_PUBACK, "MQTT double-puback [VALUE] [COUNT]",
            "it comes so many times more, or once more", "@mqtt double-puback 1"),
    NETWORK(NB_MQTT_DROP_PUBLISH, "MQTT drop-publish [VALUE] [COUNT]",
            "the N-th PUBLISH to the device is lost", "@mqtt drop-publish 3"),
    NETWORK(NB_MQTT_DOUBLE_PUBLISH, "MQTT double-publish [VALUE] [COUNT]",
            "it comes so many times more, or once more", "@mqtt double-publish 3"),
    NETWORK(NB_MQTT_SWAP_PUBLISH, "MQTT swap-publish [VALUE] [COUNT]",
            "the N-th PUBLISH to the device comes behind the next one", "@mqtt swap-publish 3"),
    NETWORK(NB_MQTT_NO_CONNACK, "MQTT no-connack [VALUE] [COUNT]", "the N-th CONNACK is lost",
            "@mqtt no-connack"),
    NETWORK(NB_MQTT_NO_PINGRESP, "MQTT no-pingresp [VALUE] [COUNT]", "the N-th PINGRESP is lost",
            "@mqtt no-pingresp"),
    NETWORK(NB_MQTT_DOUBLE_PINGRESP, "MQTT double-pingresp [VALUE] [COUNT]",
            "it comes so many times more, or once more: harmless, and shows that there was a ping",
            "@mqtt double-pingresp"),
    NETWORK(NB_MQTT_TAKE_OVER, "[PLACE] MQTT take-over",
            "another client connects with the device's client id", "@body:50% mqtt take-over"),
    NETWORK(NB_HTTP_WRONG_LENGTH, "[PLACE] HTTP wrong-length [PHASE] [COUNT]",
            "Content-Length says more than comes", "@http wrong-length"),
    NETWORK(NB_HTTP_SHORT_BODY, "[PLACE] HTTP short-body [PHASE] [COUNT]",
            "half the body, and a length to match", "@http short-body"),
    NETWORK(NB_HTTP_NO_LENGTH, "[PLACE] HTTP no-length [PHASE] [COUNT]",
            "half the body, and no length", "@http no-length"),
    NETWORK(NB_HTTP_WRONG_RANGE, "[PLACE] HTTP wrong-range [PHASE] [COUNT]",
            "other bytes than were asked for, and it says so", "@body:50% http wrong-range"),
    NETWORK(NB_HTTP_WRONG_TOTAL, "[PLACE] HTTP wrong-total [PHASE] [COUNT]",
            "Content-Range speaks of another total", "@http wrong-total"),
    NETWORK(NB_HTTP_STAR_TOTAL, "[PLACE] HTTP star-total [PHASE] [COUNT]",
            "Content-Range does not know the total", "@http star-total"),
    NETWORK(NB_HTTP_NO_RANGE, "[PLACE] HTTP no-range [PHASE] [COUNT]", "206 without Content-Range",
            "@http no-range job"),
    NETWORK(NB_HTTP_IGNORE_RANGE, "[PLACE] HTTP ignore-range [PHASE] [COUNT]",
            "200 with everything", "@body:50% http ignore-range"),
    NETWORK(NB_HTTP_CHUNKED, "[PLACE] HTTP chunked [PHASE] [COUNT]",
            "the reply comes in chunks, as it may", "@http chunked always"),
    NETWORK(NB_HTTP_BROKEN_CHUNKS, "[PLACE] HTTP broken-chunks [PHASE] [COUNT]",
            "in chunks whose size is no number", "@http broken-chunks"),
    NETWORK(NB_HTTP_EMPTY, "[PLACE] HTTP empty [PHASE] [COUNT]", "a body of no bytes",
            "@http empty"),
    NETWORK(NB_HTTP_OTHER_IMAGE, "[PLACE] HTTP other-image [PHASE] [COUNT]",
            "the range, of another image and with its entity tag", "@body:50% http other-image"),
    NETWORK(NB_HTTP_ETAG_CHANGE, "[PLACE] HTTP etag-change [PHASE] [COUNT]",
            "from here on it is another image, with another entity tag",
            "@body:50% http etag-change always"),
    NETWORK(NB_HTTP_LONG_HEADERS, "[PLACE] HTTP long-headers [PHASE] [COUNT]",
            "3 KiB of headers, as there may be", "@http long-headers always"),
    NETWORK(NB_HTTP_LOWER_CASE, "[PLACE] HTTP lower-case [PHASE] [COUNT]",
            "names of headers in small letters, as they may be", "@http lower-case always"),
    NETWORK(NB_HTTP_CLOSE, "[PLACE] HTTP close [PHASE] [COUNT]",
            "the server closes after its reply, as it may", "@http close always"),
    NETWORK(NB_HTTP_STATUS, "[PLACE] HTTP status VALUE [PHASE] [COUNT]",
            "an error in place of the reply", "@http status 404 data always"),
    NETWORK(NB_HTTP_BUSY, "[PLACE] HTTP busy VALUE [PHASE] [COUNT]",
            "503, and come back after so many seconds", "@http busy 3 job"),
    NETWORK(NB_HTTP_REDIRECT, "[PLACE] HTTP redirect [PHASE] [COUNT]",
            "302 to the same file at an absolute URL", "@http redirect"),
    NETWORK(NB_HTTP_REDIRECT_RELATIVE, "[PLACE] HTTP redirect-relative [PHASE] [COUNT]",
            "302 to its path", "@http redirect-relative"),
    NETWORK(NB_HTTP_REDIRECT_NOWHERE, "[PLACE] HTTP redirect-nowhere [PHASE] [COUNT]",
            "302 without a Location", "@http redirect-nowhere"),
    NETWORK(NB_HTTP_EXPIRE, "[PLACE] HTTP expire VALUE [COUNT]",
            "the link to the image gets this status for good; a new job names a new link",
            "@body:50% http expire 403"),
    NETWORK(NB_HTTP_RAW, "[PLACE] HTTP raw [PHASE] TEXT",
            "this text in place of the reply; \\r \\n and \\0 are understood",
            "@http raw HTTP/1.1 200 OK\\r\\n\\r\\nhello"),

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
    EXPECT(EVENT, "expect event EVENT", "the service of a Harmony device tells this event",
           "expect event update-available"),
    EXPECT(PAUSE, "expect pause", "something failed: the device waits before it tries again",
           "expect pause"),
    EXPECT(CHUNK_REQUEST, "expect chunk-request OFFSET", "the device asks for missing data",
           "expect chunk-request 12288"),
    EXPECT(CLOUD, "expect cloud TEXT", "a line of the cloud begins with this text",
           "expect cloud result failure"),
    NEVER(JOB, "never job VERSIONS", "the agent accepts no such job from there on", "never job v2"),
    NEVER(EVENT, "never event EVENT", "no such event is told from there on",
          "never event download-start"),
    NEVER(PAUSE, "never pause", "the device has no reason to try anything again from there on",
          "never pause"),
    NEVER(CLOUD, "never cloud TEXT", "no line of the cloud begins with this text from there on",
          "never cloud result"),
    EXPECT_FLASH("expect flash SLOT KNOWN", "the slot begins with this image, byte for byte",
                 "expect flash slot0 v2"),
    EXPECT_FLASH("expect flash SLOT erased", "the slot is erased", "expect flash slot1 erased"),
    STEP(EXPECT_WEAR, "expect wear N",
         "no sector was erased more often than this since the scenario began", "expect wear 3"),
    STEP(EXPECT_TRAFFIC, "expect traffic VALUE",
         "no more bytes than this went to the device in the last device step",
         "expect traffic 1200K"),
    STEP(EXPECT_LASTS, "expect lasts VALUE",
         "the last device step took so many milliseconds or more", "expect lasts 1000"),
    STEP(EXPECT_TOPICS, "expect topics VALUE",
         "devices asked for a job on exactly so many topics in the last device step",
         "expect topics 2"),
    STEP(PROVE, "prove [APP...] boot VERSIONS",
         "after any number of power cuts, anywhere, each boot starts one of these; "
         "`until stable` may follow and says what runs in the end. With a cloud: in every phase of "
         "an update, from download to report, and `until reported` may follow, too",
         "prove pending boot v1|v2"),
    STEP(UNTIL_STABLE, "until stable boot VERSIONS",
         "boots until two boots in a row leave the flash unchanged; then this image runs",
         "until stable boot v2"),
    STEP(UNTIL_REPORTED, "until reported RESULT",
         "checks until such a report was delivered, now or in an earlier step; success: of what "
         "confirmed itself last",
         "until reported success"),
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
    case NB_HEADER_DATA:
        return &script->data;
    case NB_HEADER_VIA:
        return &script->via;
    case NB_HEADER_TLS:
        return &script->tls;
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
    line(context, "");
    line(context, "What a manifest says, in `cloud offer` and `cloud add`:");
    nb_manifest_lies_print(line, context);
}
