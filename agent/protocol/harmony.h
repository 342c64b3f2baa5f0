/* Microchip Harmony's OTA service on the wire: one manifest on an HTTP server, and image files.
 *
 * Format as measured on the original's devices. The device asks with GET; nothing is reported.
 *
 *   { "ota": [ { "Version": 5, "URL": "http://192.168.0.101:8000/app_v5.bin",
 *                "Digest": "64 hex digits", "Signature": "base64 of r || s", "EraseVer": false,
 *                "Patch": [ { "BaseVersion": 1, "BaseVerDigest": "64 hex digits",
 *                             "PatchURL": "http://192.168.0.101:8000/p.patch",
 *                             "PatchDigest": "64 hex digits",
 *                             "TargetDigest": "64 hex digits" } ] } ] }
 *
 * Names are the same in any case of their letters, the first of equal ones counts, and unknown ones
 * are passed over. As with the original, the last entry of "ota" is the offer, whatever its
 * version; the others are history, of which nothing is read. An empty "ota" offers nothing.
 *
 *   Version    1 to 16777470, a whole number: larger ones could not be told apart
 *   URL        http or https, with a host; its path and query have 255 characters at most
 *   Digest     SHA-256 of the whole file
 *   Signature  ECDSA P-256 over that digest; may be left out
 *   EraseVer   true: the stored image of Version is to be forgotten, nothing else is needed then;
 *              false or left out: an offer. It holds for its manifest only
 *   Patch      see harmony_patch_parse; may be left out */
#ifndef NOBRICK_AGENT_PROTOCOL_HARMONY_H
#define NOBRICK_AGENT_PROTOCOL_HARMONY_H

#include "agent/protocol/protocol.h"

extern const struct ota_protocol ota_harmony;

/* Reads a manifest. OTA_E_JSON: it is none. OTA_E_NO_SPACE: more members than there is room for, or
 * a URL that is too long. OTA_E_UNSUPPORTED: a URL of another scheme. OTA_E_JOB_FIELD: a field is
 * missing or wrong. `fault` names what it is about. */
OTA_MUST_CHECK int harmony_manifest_parse(const uint8_t *data, size_t length,
                                          struct ota_message *out);

/* Reads "http[s]://HOST[:PORT][/PATH][?QUERY]"; a fragment is dropped. The errors of URLs above. */
OTA_MUST_CHECK int harmony_url_parse(const char *text, struct ota_source *out);

/* Reads the element of "Patch" that stands `from_last` elements before the last one, for the last
 * one that fits is meant to be taken. OTA_E_NO_IMAGE: there are no more. OTA_E_JOB_FIELD: this one
 * is missing a field or one is wrong: the next may still do. Other errors as above. */
OTA_MUST_CHECK int harmony_patch_parse(const uint8_t *data, size_t length, size_t from_last,
                                       struct ota_patch *out);

#endif
