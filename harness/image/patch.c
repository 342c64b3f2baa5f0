#include "harness/image/patch.h"

#include "agent/delta/jojodiff.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK     16u /* bytes by which places are found again */
#define CHAIN     64u /* places looked at, at most */
#define SAME      5u  /* a run shorter than this is cheaper as data: A7 A3 n A7 A6 */
#define FOLLOW_UP 8u  /* equal bytes straight ahead that end a search */
#define BUCKETS   (1u << 16)
#define NOWHERE   UINT32_MAX
#define ESCAPE    0xA7

enum operator{ BKT = 0xA2, EQL, DEL, INS, MOD };

/* ---- the patch, as it grows ---------------------------------------------------------------- */

struct writer {
    uint8_t *data;
    size_t size;
    size_t room;
    bool failed;
    enum operator op;
    bool is_held; /* an A7 of the data that is not written yet: the next byte decides how */
};

static void put(struct writer *writer, uint8_t byte)
{
    if (writer->size == writer->room && !writer->failed) {
        size_t room = writer->room * 2 + 256;
        uint8_t *data = realloc(writer->data, room);
        writer->failed = data == NULL;
        if (data != NULL) {
            writer->data = data;
            writer->room = room;
        }
    }
    if (!writer->failed)
        writer->data[writer->size++] = byte;
}

/* Writes the A7 that was held back: twice where one would be taken for an operator's. */
static void release(struct writer *writer, bool twice)
{
    if (!writer->is_held)
        return;
    writer->is_held = false;
    put(writer, ESCAPE);
    if (twice)
        put(writer, ESCAPE);
}

static void put_operator(struct writer *writer, enum operator op)
{
    if (writer->op == op && (op == MOD || op == INS))
        return;
    release(writer, true);
    put(writer, ESCAPE);
    put(writer, (uint8_t)op);
    writer->op = op;
}

static void put_data(struct writer *writer, enum operator op, const uint8_t *data, size_t length)
{
    if (length == 0)
        return;
    put_operator(writer, op);
    for (size_t i = 0; i < length; i++) {
        release(writer, data[i] >= BKT && data[i] <= ESCAPE);
        if (data[i] == ESCAPE)
            writer->is_held = true;
        else
            put(writer, data[i]);
    }
}

static void put_length(struct writer *writer, enum operator op, size_t length)
{
    if (length == 0)
        return;
    put_operator(writer, op);
    unsigned digits = 0;
    if (length <= 252) {
        put(writer, (uint8_t)(length - 1));
    } else if (length <= 508) {
        put(writer, 252);
        put(writer, (uint8_t)(length - 253));
    } else {
        digits = length <= UINT16_MAX ? 2 : 4;
        put(writer, digits == 2 ? 253 : 254);
    }
    while (digits-- > 0)
        put(writer, (uint8_t)(length >> 8 * digits));
}

/* ---- where else in the source something is --------------------------------------------------- */

struct index {
    struct nb_bytes source;
    uint32_t *heads; /* BUCKETS: the first place with this hash */
    uint32_t *nexts; /* one a byte of the source */
};

static uint32_t hash(const uint8_t *block)
{
    uint64_t first, second;
    memcpy(&first, block, 8);
    memcpy(&second, block + 8, 8);
    uint64_t mixed = (first ^ second * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    return (uint32_t)(mixed >> 40) % BUCKETS;
}

static bool index_init(struct index *index, struct nb_bytes source)
{
    index->source = source;
    index->heads = malloc(BUCKETS * sizeof *index->heads);
    index->nexts = malloc((source.size + 1) * sizeof *index->nexts);
    if (index->heads == NULL || index->nexts == NULL)
        return false;
    memset(index->heads, 0xFF, BUCKETS * sizeof *index->heads);
    for (size_t at = source.size; at-- > 0;) { /* so that a chain goes upwards */
        if (at + BLOCK > source.size)
            continue;
        uint32_t *head = &index->heads[hash(source.data + at)];
        index->nexts[at] = *head;
        *head = (uint32_t)at;
    }
    return true;
}

static void index_free(struct index *index)
{
    free(index->heads);
    free(index->nexts);
}

static size_t equal_run(struct nb_bytes a, size_t a_at, struct nb_bytes b, size_t b_at)
{
    size_t length = 0;
    while (a_at + length < a.size && b_at + length < b.size &&
           a.data[a_at + length] == b.data[b_at + length])
        length++;
    return length;
}

/* The longest run of the source that equals the target at `at`; 0 when none has BLOCK bytes. */
static size_t find(const struct index *index, struct nb_bytes target, size_t at, size_t *place)
{
    size_t best = 0;
    if (at + BLOCK > target.size || index->source.size < BLOCK)
        return 0;
    uint32_t next = index->heads[hash(target.data + at)];
    for (unsigned n = 0; n < CHAIN && next != NOWHERE; n++, next = index->nexts[next]) {
        size_t length = equal_run(index->source, next, target, at);
        if (length >= BLOCK && length > best) {
            best = length;
            *place = next;
        }
    }
    return best;
}

/* ---- from one equal run to the next -----------------------------------------------------------
 */

struct place {
    size_t source;
    size_t target;
};

/* The next place where source and target agree again, at or behind `from`: straight ahead, or
 * wherever else in the source, whichever comes first and then is longer. Their ends when none. */
static struct place next_run(const struct index *index, struct nb_bytes target, struct place from)
{
    struct nb_bytes source = index->source;
    for (size_t at = from.target; at < target.size; at++) {
        struct place ahead = {from.source + (at - from.target), at};
        size_t place = 0;
        size_t straight =
            ahead.source < source.size ? equal_run(source, ahead.source, target, at) : 0;
        size_t elsewhere = straight < BLOCK ? find(index, target, at, &place) : 0;
        if (elsewhere > straight)
            return (struct place){place, at};
        if (straight >= FOLLOW_UP)
            return ahead;
    }
    return (struct place){source.size, target.size};
}

/* Data of the target beside as many bytes of the source: runs that are equal anyway are copied. */
static void put_modified(struct writer *writer, const uint8_t *source, const uint8_t *target,
                         size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t same = 0;
        while (at + same < length && source[at + same] == target[at + same])
            same++;
        if (same >= SAME) {
            put_length(writer, EQL, same);
            at += same;
        } else {
            size_t data = same < length - at ? same + 1 : same;
            put_data(writer, MOD, target + at, data);
            at += data;
        }
    }
}

/* Everything between two equal runs: data, and the way to the second one in the source. */
static void put_gap(struct writer *writer, struct nb_bytes source, struct nb_bytes target,
                    struct place from, struct place to)
{
    size_t data = to.target - from.target;
    bool is_back = to.source < from.source;
    size_t way = is_back ? from.source - to.source : to.source - from.source;
    size_t beside = is_back ? 0 : way < data ? way : data;
    put_modified(writer, source.data + from.source, target.data + from.target, beside);
    put_data(writer, INS, target.data + from.target + beside, data - beside);
    if (to.target == target.size)
        return; /* what is left of the source does not matter */
    put_length(writer, is_back ? BKT : DEL, way - beside);
}

int nb_jojodiff_make(struct nb_bytes source, struct nb_bytes target, uint8_t **out, size_t *size)
{
    struct index index = {.heads = NULL};
    struct writer writer = {.size = 0};
    bool is_ready = source.size < NOWHERE && index_init(&index, source);
    for (struct place at = {0, 0}; is_ready && at.target < target.size;) {
        struct place next = next_run(&index, target, at);
        put_gap(&writer, source, target, at, next);
        size_t length = equal_run(source, next.source, target, next.target);
        put_length(&writer, EQL, length);
        at = (struct place){next.source + length, next.target + length};
    }
    release(&writer, true);
    index_free(&index);
    if (is_ready && !writer.failed && writer.data == NULL)
        writer.data = malloc(1); /* of an empty target */
    if (!is_ready || writer.failed || writer.data == NULL) {
        free(writer.data);
        return OTA_E_NO_SPACE;
    }
    *out = writer.data;
    *size = writer.size;
    return OTA_OK;
}

/* ---- applying one ------------------------------------------------------------------------------
 */

struct memory_ends {
    struct nb_bytes source;
    uint8_t *target;
    size_t size;
    size_t room;
};

static int read_source(void *context, uint32_t offset, void *data, uint32_t length)
{
    const struct memory_ends *ends = context;
    memcpy(data, ends->source.data + offset, length);
    return OTA_OK;
}

static int write_target(void *context, const uint8_t *data, uint32_t length)
{
    struct memory_ends *ends = context;
    if (length > ends->room - ends->size) {
        size_t room = ends->room * 2 + length;
        uint8_t *target = realloc(ends->target, room);
        if (target == NULL)
            return OTA_E_NO_SPACE;
        ends->target = target;
        ends->room = room;
    }
    memcpy(ends->target + ends->size, data, length);
    ends->size += length;
    return OTA_OK;
}

int nb_jojodiff_apply(struct nb_bytes source, struct nb_bytes patch, size_t limit, uint8_t **out,
                      size_t *size, const char **fault)
{
    struct memory_ends memory = {.source = source, .target = malloc(1), .room = 1};
    const struct ota_delta_ends ends = {.context = &memory,
                                        .read = read_source,
                                        .write = write_target,
                                        .source_size = (uint32_t)source.size,
                                        .target_limit = (uint32_t)limit};
    struct ota_jojodiff delta;
    uint8_t buffer[1024];
    *fault = NULL;
    if (memory.target == NULL)
        return OTA_E_NO_SPACE;
    ota_jojodiff_init(&delta, &ends, true, buffer, sizeof buffer);
    int err = ota_jojodiff_write(&delta, patch.data, patch.size);
    if (err == 0)
        err = ota_jojodiff_finish(&delta);
    if (err < 0) {
        *fault = delta.fault;
        free(memory.target);
        return err;
    }
    *out = memory.target;
    *size = memory.size;
    return OTA_OK;
}
