/* A record that survives any cut and the loss of a sector: one in each half of an area.
 *
 * The area is two halves of whole sectors, the first half not the smaller one; each half is a ring
 * of records (ring.h) of two sectors or more. Every record is written to the first half, then to
 * the second one, with the same sequence number; the newest whole one of both counts. So a cut
 * leaves the old record or the new one, and a row that becomes unreadable later, or a sector that
 * a cut program disturbs, takes nothing away. */
#ifndef NOBRICK_AGENT_TWIN_H
#define NOBRICK_AGENT_TWIN_H

#include "agent/ring.h"

#define OTA_TWIN_SECTORS    4u /* the least that the area has */
#define OTA_TWIN_RECORD_MAX 88u
#define OTA_TWIN_READS      4 /* what is left of a cut write may be there or not, each time anew */

/* The area, opened. The caller's; good until somebody else writes there. */
struct ota_twin {
    struct ota_ring halves[2];
    uint32_t sequence; /* of the newest record; 0: there is none */
    uint8_t newest[OTA_TWIN_RECORD_MAX];
};

/* Finds the newest record. OTA_E_LAYOUT: the area has less than four sectors. */
OTA_MUST_CHECK int ota_twin_open(struct ota_twin *twin, const struct ota_ring_kind *kind,
                                 const struct flash_area *area);

/* The loader's, at each boot, before anybody else reads: the newest record that any of several
 * reads finds. It is mended, so that it is found from then on. */
OTA_MUST_CHECK int ota_twin_settle(struct ota_twin *twin, const struct ota_ring_kind *kind,
                                   const struct flash_area *area);

/* Erases what the next record needs erased, so that _put only programs: the erase comes before what
 * the record is about, and a cut in between leaves nothing that is new. */
OTA_MUST_CHECK int ota_twin_prepare(struct ota_twin *twin);

/* Writes `newest`, whose own fields the caller has filled in, to both halves. On an error the
 * newest record is the old or the new one, and the twin is to be opened again. */
OTA_MUST_CHECK int ota_twin_put(struct ota_twin *twin);

/* Writes the newest record to the half that does not have it: a cut came in between, or the record
 * there was lost. Nothing is written when both have it. */
OTA_MUST_CHECK int ota_twin_mend(struct ota_twin *twin);

#endif
