/* Patches in place of images, for a session whose images go to a store.
 *
 * A document may name patches beside the image. One is taken when what it is made for is stored
 * here with that digest, what comes out of it has the digest of the offered image (so that the
 * image's signature is good for it), and no patch to that image was bad before: then the patch is
 * what is fetched. Else the image is, and also when a patch turns out to be bad: the document is
 * asked for anew then. A patch that does not come, for whatever reason, is given three sessions.
 *
 * Of the place that the image is to have the patch gets the top end, and the points of its
 * application (agent/delta/apply.h) two sectors below it; the image grows from the beginning. So a
 * patch needs a place that has room for both, and nothing else on the device. When all of it is
 * there, the session's verification makes the image, a piece at a time, and then checks it like
 * any other. A reset on the way finds patch and points again. */
#ifndef NOBRICK_AGENT_UPDATE_PATCHED_H
#define NOBRICK_AGENT_UPDATE_PATCHED_H

#include "agent/delta/apply.h"
#include "agent/protocol/protocol.h"

/* What a device names to take patches. */
struct ota_patches {
    /* The image of the document in agent->text was accepted: agent->source becomes the patch's, if
     * there is one. True: that is another way than before. */
    bool (*find)(struct ota_agent *agent);
    /* Where it goes, as far as its size is known from the last time; then, when it is known. */
    int (*choose)(struct ota_agent *agent);
    int (*give_up)(struct ota_agent *agent);
    /* The next piece of the image; 1: call again. */
    int (*make)(struct ota_agent *agent);
};

extern const struct ota_patches ota_patches;

/* Working memory, the caller's. */
struct ota_patched {
    const struct ota_patches *calls; /* &ota_patches: the caller's */
    bool takes_later_format;         /* the caller's, too: patches of jojodiff 0.8.4 and later */
    bool missed;                     /* there are patches, and what they are for is not here */
    bool active;                     /* what is fetched is the patch `offer` … */
    uint8_t base;                    /* … to the image of that place */
    bool fetched;                    /* all of it is there … */
    bool begun;                      /* … and is being applied */
    struct ota_patch offer;
    uint8_t sessions; /* that set out with a patch to that image, and did not end well */
    uint8_t spoiled[CRYPTO_SHA256_SIZE]; /* of the last image for which a patch was bad */
    struct flash_area place;             /* where the image goes */
    struct ota_apply_job job;
    struct ota_apply apply;
};

#endif
