/* Updates that are pushed: whoever talks to the device hands the image over piece by piece.
 *
 * The same slot, checks and trailer as the session's, for any transport that brings the bytes in
 * order (a serial line, Bluetooth, a USB stick). Nothing of a push survives a reset: it begins
 * anew. The caller owns the struct; config is copied, what it points to must outlive it. No session
 * may be fetching meanwhile.
 *
 *   call          in state                  then
 *   _init                                   IDLE
 *   _prepare      IDLE, FAILED, PREPARING   PREPARING, at last PREPARED
 *   _start        PREPARED                  WRITING
 *   _write        WRITING                   WRITING
 *   _verify       WRITING                   VERIFIED
 *   _set_pending  VERIFIED                  PENDING: reset the device, the loader has work
 *   _abort        any                       IDLE; withdraws a PENDING image as well
 *
 * A call in any other state is OTA_E_BUSY and changes nothing. Every other error makes the state
 * FAILED and keeps `error`: from there only _prepare and _abort lead on, so that a failed check is
 * never overwritten by a later call. The running image is never touched; whatever happens, the
 * loader finds either nothing to do or a whole image that was verified. */
#ifndef NOBRICK_AGENT_UPDATE_PUSH_H
#define NOBRICK_AGENT_UPDATE_PUSH_H

#include "agent/image/mcuboot.h"
#include "agent/image/trailer.h"
#include "agent/update/progress.h"

#define OTA_PUSH_UNIT_MAX 512u

enum ota_push_state {
    OTA_PUSH_IDLE,
    OTA_PUSH_PREPARING,
    OTA_PUSH_PREPARED,
    OTA_PUSH_WRITING,
    OTA_PUSH_VERIFIED,
    OTA_PUSH_PENDING,
    OTA_PUSH_FAILED,
};

struct ota_push_config {
    struct flash_area primary;
    struct flash_area secondary;
    struct img_trailer_format format;
    const struct crypto_port *crypto;
    const struct crypto_key *keys;
    size_t key_count;
    uint32_t max_end; /* largest image the loader's scheme accepts */
    bool reverts;     /* the scheme gives an unconfirmed image one trial */
    bool permanent;   /* ask for installation without a trial */
    /* Of a session that shares the slot: cleared before the slot is erased. NULL: there is none. */
    struct ota_progress *progress;
};

struct ota_push {
    struct ota_push_config config;
    enum ota_push_state state;
    int error;  /* why it FAILED */
    bool asked; /* the loader was asked, or may have been, and that was not withdrawn */
    struct img_version running;
    struct img_info info;            /* of the image, once VERIFIED */
    uint32_t erased_from;            /* the slot is erased from here to its end */
    uint32_t size;                   /* announced */
    uint32_t received;               /* bytes handed over so far */
    uint32_t unit_size;              /* program unit of the slot */
    uint8_t erased;                  /* value of its erased bytes */
    uint8_t unit[OTA_PUSH_UNIT_MAX]; /* the last, incomplete unit */
};

/* OTA_E_LAYOUT: program units larger than OTA_PUSH_UNIT_MAX. Or the running image is none. */
OTA_MUST_CHECK int ota_push_init(struct ota_push *push, const struct ota_push_config *config);

/* Erases one sector of the slot a call, the trailer's first. 1: call again; 0: ready.
 * OTA_E_UNCONFIRMED: the slot holds the image to go back to. */
OTA_MUST_CHECK int ota_push_prepare(struct ota_push *push);

/* `size` bytes will follow. OTA_E_IMG_SIZE: 0, or more than fit. */
OTA_MUST_CHECK int ota_push_start(struct ota_push *push, uint32_t size);

/* The next bytes of the image, as many as there are. OTA_E_IMG_SIZE: more than announced. */
OTA_MUST_CHECK int ota_push_write(struct ota_push *push, const void *data, size_t length);

/* What lies in flash has this CRC-32 (that of zlib, over all bytes handed over) and is a trusted
 * image of the announced size and newer than what runs. OTA_E_CHECKSUM; OTA_E_IMG_TRUNCATED: not
 * all of it was handed over; OTA_E_IMG_SIZE: the image ends earlier; OTA_E_IMG_VERSION; and what
 * img_check says. */
OTA_MUST_CHECK int ota_push_verify(struct ota_push *push, uint32_t crc);

/* Asks the loader to install it at the next boot. */
OTA_MUST_CHECK int ota_push_set_pending(struct ota_push *push);

/* Gives up: the loader will find nothing to install. On an error the state is FAILED, and _abort or
 * _prepare may be called again. */
OTA_MUST_CHECK int ota_push_abort(struct ota_push *push);

#endif
