/* The one list of error codes.
 *
 * Every fallible call of nobrick returns 0 (or a non-negative count) on success and one of these
 * negative codes on failure. The list makes the enum, the short name that scenarios and events use
 * and the sentence that people read; protocols map the codes to their own result words. */
#ifndef NOBRICK_AGENT_ERRORS_H
#define NOBRICK_AGENT_ERRORS_H

#include <stdbool.h>

#define OTA_ERR_LIST(X)                                                                            \
    X(IO, "io", "input or output failed")                                                          \
    X(ARGUMENT, "argument", "caller passed an argument that makes no sense")                       \
    X(NO_SPACE, "no-space", "a fixed buffer or table is too small")                                \
    X(UNSUPPORTED, "unsupported", "not supported by this build or part")                           \
    X(BUSY, "busy", "not possible in the present state")                                           \
    X(TIMEOUT, "timeout", "nobody answered in time")                                               \
    X(CANCELLED, "cancelled", "cancelled on request")                                              \
    X(POWER, "power", "the power was cut")                                                         \
    X(FLASH_BOUNDS, "flash-bounds", "flash address outside the chip or area")                      \
    X(FLASH_ALIGN, "flash-align", "flash access not aligned to its unit or sector")                \
    X(FLASH_READ, "flash-read", "flash unit cannot be read (error-correction fault)")              \
    X(FLASH_PROGRAM, "flash-program", "flash program refused or failed")                           \
    X(FLASH_ERASE, "flash-erase", "flash erase refused or failed")                                 \
    X(LAYOUT, "layout", "slots, sectors and scheme do not fit together")                           \
    X(IMG_MAGIC, "bad-magic", "not an image: header magic is wrong")                               \
    X(IMG_HEADER, "bad-header", "image header size or flags are invalid")                          \
    X(IMG_SIZE, "bad-size", "image does not fit: size overflows or exceeds the slot")              \
    X(IMG_TLV, "bad-tlv", "image TLV area is malformed")                                           \
    X(IMG_TRUNCATED, "truncated", "image ends before its header says")                             \
    X(IMG_NO_HASH, "no-hash", "image carries no SHA-256")                                          \
    X(IMG_HASH, "bad-hash", "image content does not match its SHA-256")                            \
    X(IMG_NO_SIGNATURE, "no-signature", "image is not signed")                                     \
    X(IMG_KEY, "unknown-key", "image is signed by a key nobody trusts here")                       \
    X(IMG_SIGNATURE, "bad-signature", "image signature does not verify")                           \
    X(IMG_VERSION, "bad-version", "image version is not acceptable")                               \
    X(IMG_COUNTER, "bad-counter", "image security counter is missing or too low")                  \
    X(TRAILER, "bad-trailer", "slot trailer is dirty or torn")                                     \
    X(NO_IMAGE, "no-image", "no slot holds an image that may boot")                                \
    X(UNCONFIRMED, "unconfirmed", "running image is not confirmed yet")                            \
    X(CONNECT, "connect", "cannot connect")                                                        \
    X(DISCONNECTED, "disconnected", "connection was lost")                                         \
    X(JSON, "bad-json", "document is not valid JSON")                                              \
    X(JOB_FIELD, "bad-job", "job document lacks a field or a field has a wrong value")             \
    X(JOB_BOARD, "wrong-board", "job is for another board")                                        \
    X(JOB_VERSION, "old-version", "job offers no newer version")                                   \
    X(NO_UPDATE, "no-update", "no update available")                                               \
    X(CHUNK, "bad-chunk", "data chunk is malformed or contradicts the job")                        \
    X(REVERTED, "reverted", "new image did not confirm and was reverted")                          \
    X(REJECTED, "rejected", "this version failed before and is not tried again")                   \
    X(TLS_CA, "tls-unknown-ca", "server certificate is signed by nobody trusted here")             \
    X(TLS_EXPIRED, "tls-expired", "server certificate is expired or not valid yet")                \
    X(TLS_NAME, "tls-wrong-name", "server certificate is for another name")                        \
    X(TLS, "tls", "TLS handshake failed")                                                          \
    X(HTTP_STATUS, "http-status", "server answered with an error status")                          \
    X(HTTP_RANGE, "http-range", "server answered with another range than was asked for")           \
    X(CHANGED, "changed", "image changed while it was fetched")                                    \
    X(STOPPED, "stopped", "application stopped the update")                                        \
    X(APP, "app-failed", "application failed a step of the update")                                \
    X(ARCHIVE, "bad-archive", "archive of images is malformed or does not fit its list")           \
    X(PENDING, "pending", "an image waits for the next reset to be installed")                     \
    X(TRAFFIC, "too-much-data", "far more was transferred than the image has bytes")               \
    X(CHECKSUM, "bad-checksum", "what lies in flash does not match the CRC-32 that was sent")      \
    X(TLS_SELF, "tls-self-signed", "server certificate is signed by nobody but itself")            \
    X(TLS_IMPOSTOR, "tls-impostor",                                                                \
      "server certificate names a trusted authority that did not sign it")                         \
    X(TLS_DEVICE, "tls-device-refused", "server does not accept this device's certificate")        \
    X(PATCH, "bad-patch", "patch is malformed or does not fit the image it is applied to")

enum ota_err {
    OTA_OK = 0,
    OTA_ERR_FLOOR = -1000, /* codes count up from here, so that list order is free to grow */
#define OTA_ERR_ENUM(name, word, text) OTA_E_##name,
    OTA_ERR_LIST(OTA_ERR_ENUM)
#undef OTA_ERR_ENUM
};

/* Short word of a code ("bad-hash"), "ok" for 0 and above, "error" for an unknown code. Static. */
const char *ota_err_word(int code);

/* Is it one of those that say why a TLS handshake failed? */
bool ota_err_is_tls(int code);

/* One sentence of a code, without a full stop. Static. */
const char *ota_err_text(int code);

#endif
