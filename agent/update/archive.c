/* A TAR archive in place of an image (agent/update/untar.h reads it).
 *
 * What is fetched is the archive: `total`, `done` and the coverage count its bytes and chunks. What
 * lies in the slot is its image: progress, notices and the check afterwards speak of that. The
 * first chunk holds the list and the image's header, so that both are judged before anything is
 * written; the others are read in order, and one that comes too early is dropped and asked for
 * again.
 *
 * The image begins at a whole block of the archive, and program units are no larger than a block:
 * in each chunk what belongs to the image begins at a unit.
 *
 * No header crosses a chunk, and the list ends in the first one: between two chunks the reader
 * holds nothing in its buffer, which is `text`, where documents are written meanwhile.
 *
 * After a reset the archive is read from its first chunk again; the chunks whose bytes are all in
 * flash are skipped, and of the others only what is missing is programmed. */
#include "agent/update/steps.h"

#include <string.h>

_Static_assert(OTA_UNIT_MAX <= OTA_TAR_BLOCK && OTA_CHUNK_SIZE % OTA_TAR_BLOCK == 0,
               "an image's part of a chunk begins at a program unit");
_Static_assert(3 * OTA_TAR_BLOCK + OTA_TAR_LIST_MAX <= OTA_CHUNK_SIZE,
               "the first chunk holds list and headers, and some of the image");
_Static_assert(OTA_JSON_MAX + 1 >= OTA_TAR_LIST_MAX, "`text` holds a list");

/* ---- the beginning ----------------------------------------------------------------------- */

static int begin_quietly(void *context, const struct img_version *version, uint32_t size)
{
    (void)context, (void)version, (void)size; /* judged in look */
    return 0;
}

static int read_only(void *context, const uint8_t *data, size_t length)
{
    (void)context, (void)data, (void)length;
    return 0;
}

static int read_bytes(struct ota_agent *agent, const uint8_t *data, uint32_t size)
{
    struct ota_untar *untar = &agent->untar;
    int error = ota_untar_write(untar, data, size);
    if (error != 0 && untar->fault != NULL)
        ota_log(agent, OTA_LOG_NOTICE, untar->fault, error);
    return error;
}

/* The list is good in itself: is its image what is wanted here? */
static int judge_list(struct ota_agent *agent)
{
    const struct ota_untar *untar = &agent->untar;
    if (untar->state != OTA_UNTAR_IMAGE && !untar->complete) {
        ota_log(agent, OTA_LOG_NOTICE, "the archive ends before the image", OTA_E_ARCHIVE);
        return OTA_E_ARCHIVE;
    }
    if (untar->size > agent->config.max_end)
        return OTA_E_IMG_SIZE;
    if (!agent->announced)
        return ota_parts(agent)->direct->announce(agent, &untar->version);
    return img_version_compare(&untar->version, &agent->offer) == 0 ? 0 : OTA_E_IMG_VERSION;
}

/* From here on progress is that of the archive's image. */
static int expect_image(struct ota_agent *agent)
{
    struct ota_progress *progress = &agent->progress;
    if (agent->kept > 0)
        return agent->untar.size == progress->total ? 0 : OTA_E_CHANGED;
    int error = ota_progress_clear(progress);
    if (error == 0)
        error = ota_progress_expect(progress, agent->untar.size, agent->etag);
    if (error == 0)
        ota_progress_pack(progress, agent->total);
    return error;
}

static int look(struct ota_agent *agent, const uint8_t *data, uint32_t size)
{
    static const struct ota_untar_sink nowhere = {NULL, begin_quietly, read_only};
    if (agent->done > 0)
        return OTA_E_CHANGED; /* later chunks were taken for pieces of an image */
    ota_untar_init(&agent->untar, &nowhere, (uint8_t *)agent->text);
    int error = read_bytes(agent, data, size);
    if (error == 0)
        error = judge_list(agent);
    return error != 0 ? error : expect_image(agent);
}

/* ---- the rest ---------------------------------------------------------------------------- */

/* The image's next bytes. `data` may lie in agent->piece, whose first unit is overwritten when the
 * image's last one is filled up; behind the image that is nothing but padding. */
static int store_bytes(void *context, const uint8_t *data, size_t length)
{
    struct ota_agent *agent = context;
    uint32_t offset = agent->untar.size - agent->untar.left;
    uint32_t size = (uint32_t)length;
    uint32_t known = agent->kept > offset ? agent->kept - offset : 0;
    if (known >= size)
        return 0; /* a second program would be refused */
    offset += known;
    size -= known;
    int error = agent->written ? 0 : ota_slot_program(agent, offset, size, data + known);
    if (error != 0)
        return error;
    agent->unpacked = offset + size;
    ota_slot_note(agent, offset, size);
    return 0;
}

/* After the first chunk: whole chunks of which every byte is in flash. Not while more of the answer
 * is under way, which goes on behind this chunk. */
static int skip_kept(struct ota_agent *agent, uint32_t *skip)
{
    uint32_t read = agent->untar.size - agent->untar.left;
    if (agent->requested || agent->untar.state != OTA_UNTAR_IMAGE || agent->kept <= read)
        return 0;
    *skip = (agent->kept - read) / OTA_CHUNK_SIZE * OTA_CHUNK_SIZE;
    return ota_untar_skip(&agent->untar, *skip);
}

static int take(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data,
                bool written, uint32_t *skip)
{
    const struct ota_untar_sink slot = {agent, begin_quietly, store_bytes};
    *skip = 0;
    if (offset == 0)
        ota_untar_init(&agent->untar, &slot, (uint8_t *)agent->text);
    agent->written = written;
    int error = agent->untar.position == offset ? read_bytes(agent, data, size) : OTA_E_BUSY;
    if (error == 0 && offset == 0)
        error = skip_kept(agent, skip);
    if (error != 0 || offset + size < agent->total)
        return error;
    error = ota_untar_finish(&agent->untar);
    if (error != 0)
        ota_log(agent, OTA_LOG_NOTICE, agent->untar.fault, error);
    return error;
}

/* Of an archive's image: what that is of the archive, its first chunk will say. */
static void resume(struct ota_agent *agent)
{
    uint32_t size = agent->progress.total;
    agent->archived = true;
    agent->total = agent->progress.archive;
    agent->untar.size = size;
    while (agent->kept < size && ota_progress_has(&agent->progress, agent->kept)) {
        uint32_t rest = size - agent->kept;
        agent->kept += rest < OTA_CHUNK_SIZE ? rest : OTA_CHUNK_SIZE;
    }
    agent->unpacked = agent->kept;
    agent->resumed = agent->kept > 0;
}

const struct ota_archive ota_archive = {ota_untar_is_tar, look, take, resume};
