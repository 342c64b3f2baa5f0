#include "agent/delta/jojodiff.h"

#include <string.h>

enum {
    ESCAPE = 0xA7,
    BKT = 0xA2,
    EQL = 0xA3,
    DEL = 0xA4,
    INS = 0xA5,
    MOD = 0xA6,
    NO_OP = 0,
    /* of point.digits */
    FIRST_DIGIT = 0xFF,  /* the length's first byte comes next */
    OFFSET_DIGIT = 0xFE, /* the byte behind 252, to which 253 is added */
};

static int fail(struct ota_jojodiff *delta, int error, const char *fault)
{
    delta->error = error;
    delta->fault = fault;
    return error;
}

void ota_jojodiff_init(struct ota_jojodiff *delta, const struct ota_delta_ends *ends,
                       bool takes_later_format, uint8_t *buffer, uint32_t buffer_size)
{
    *delta = (struct ota_jojodiff){.ends = *ends,
                                   .takes_later_format = takes_later_format,
                                   .buffer = buffer,
                                   .buffer_size = buffer_size};
}

/* ---- the target -------------------------------------------------------------------------- */

/* The positions move first: a point that is saved inside ends.write is behind these bytes. */
static int emit(struct ota_jojodiff *delta, const uint8_t *data, uint32_t length)
{
    struct ota_jojodiff_point *at = &delta->at;
    if (length > delta->ends.target_limit - at->target_at)
        return fail(delta, OTA_E_IMG_SIZE, "makes more bytes than fit");
    at->target_at += length;
    int err = delta->ends.write(delta->ends.context, data, length);
    delta->paused = err == OTA_DELTA_PAUSE;
    return err < 0 ? fail(delta, err, "target cannot be written") : OTA_OK;
}

/* What is left of an EQL. */
static int copy(struct ota_jojodiff *delta)
{
    struct ota_jojodiff_point *at = &delta->at;
    while (delta->error == 0 && !delta->paused && at->copy_left > 0) {
        uint32_t length = at->copy_left < delta->buffer_size ? at->copy_left : delta->buffer_size;
        int err =
            delta->ends.read(delta->ends.context, (uint32_t)at->source_at, delta->buffer, length);
        if (err < 0)
            return fail(delta, err, "source cannot be read");
        at->source_at += length;
        at->copy_left -= length;
        (void)emit(delta, delta->buffer, length);
    }
    return delta->error;
}

/* ---- operators --------------------------------------------------------------------------- */

static bool is_operator(uint8_t byte)
{
    return byte >= BKT && byte <= MOD;
}

static void begin_operator(struct ota_jojodiff *delta, uint8_t op)
{
    delta->at.op = op;
    delta->at.digits = op == MOD || op == INS ? 0 : FIRST_DIGIT;
    delta->at.number = 0;
}

/* An operator with its length. */
static int apply(struct ota_jojodiff *delta)
{
    struct ota_jojodiff_point *at = &delta->at;
    uint8_t op = at->op;
    uint64_t source_left =
        at->source_at < delta->ends.source_size ? delta->ends.source_size - at->source_at : 0;
    at->op = NO_OP;
    if (at->number == 0)
        return fail(delta, OTA_E_PATCH, "length of 0");
    if (op == BKT && at->number > at->source_at)
        return fail(delta, OTA_E_PATCH, "goes back before the source's beginning");
    if (op != BKT && at->number > source_left)
        return fail(delta, OTA_E_PATCH, "goes beyond the source's end");
    if (op == BKT)
        at->source_at -= at->number;
    else if (op == DEL)
        at->source_at += at->number;
    else
        at->copy_left = (uint32_t)at->number;
    return OTA_OK;
}

static int take_digit(struct ota_jojodiff *delta, uint8_t byte)
{
    static const uint8_t digits[4] = {OFFSET_DIGIT, 2, 4, 8}; /* behind 252, 253, 254, 255 */
    struct ota_jojodiff_point *at = &delta->at;
    at->patch_at++;
    if (at->digits == FIRST_DIGIT && byte >= 252) {
        at->digits = digits[byte - 252];
        return OTA_OK;
    }
    if (at->digits == FIRST_DIGIT)
        at->number = byte + 1u;
    else if (at->digits == OFFSET_DIGIT)
        at->number = byte + 253u;
    else
        at->number = at->number << 8 | byte;
    at->digits = at->digits < OFFSET_DIGIT ? (uint8_t)(at->digits - 1) : 0;
    return at->digits > 0 ? OTA_OK : apply(delta);
}

/* Data where 0.7 has none: MOD, by default, since 0.8.4. */
static int begin_data(struct ota_jojodiff *delta)
{
    if (delta->at.op != NO_OP)
        return OTA_OK;
    if (!delta->takes_later_format)
        return fail(delta, OTA_E_UNSUPPORTED, "patch of jojodiff 0.8.4 or later");
    begin_operator(delta, MOD);
    return OTA_OK;
}

static int put_data(struct ota_jojodiff *delta, const uint8_t *data, uint32_t length)
{
    if (begin_data(delta) < 0)
        return delta->error;
    if (delta->at.op == MOD)
        delta->at.source_at += length;
    return emit(delta, data, length);
}

/* The byte behind an A7. One that is neither A7 nor an operator stays for put_data. Returns how
 * many bytes were taken. */
static uint32_t take_escaped(struct ota_jojodiff *delta, uint8_t byte)
{
    static const uint8_t escape = ESCAPE;
    delta->at.is_escaped = 0;
    if (is_operator(byte)) {
        delta->at.patch_at++;
        begin_operator(delta, byte);
        return 1;
    }
    uint32_t taken = byte == ESCAPE ? 1 : 0;
    delta->at.patch_at += taken;
    (void)put_data(delta, &escape, 1);
    return taken;
}

/* Takes as much as is of one kind. Returns how many bytes. */
static uint32_t take(struct ota_jojodiff *delta, const uint8_t *data, size_t length)
{
    struct ota_jojodiff_point *at = &delta->at;
    if (at->digits > 0) {
        (void)take_digit(delta, data[0]);
        return 1;
    }
    if (at->is_escaped)
        return take_escaped(delta, data[0]);
    const uint8_t *escape = memchr(data, ESCAPE, length);
    size_t plain = escape != NULL ? (size_t)(escape - data) : length;
    if (plain == 0) {
        at->is_escaped = 1;
        at->patch_at++;
        return 1;
    }
    uint32_t taken = plain < delta->buffer_size ? (uint32_t)plain : delta->buffer_size;
    at->patch_at += taken;
    (void)put_data(delta, data, taken);
    return taken;
}

int ota_jojodiff_write(struct ota_jojodiff *delta, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    size_t used = 0;
    delta->paused = false;
    while (copy(delta) == 0 && !delta->paused && used < length)
        used += take(delta, bytes + used, length - used);
    return delta->error == 0 && delta->paused ? OTA_DELTA_PAUSE : delta->error;
}

int ota_jojodiff_finish(struct ota_jojodiff *delta)
{
    int err = ota_jojodiff_write(delta, NULL, 0);
    if (err != 0)
        return err;
    if (delta->at.is_escaped || delta->at.digits > 0)
        return fail(delta, OTA_E_PATCH, "ends inside an operator");
    return OTA_OK;
}

/* ---- points ------------------------------------------------------------------------------ */

static void put_le(uint8_t *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_le(const uint8_t *in, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | in[i];
    return value;
}

void ota_jojodiff_save(const struct ota_jojodiff *delta, uint8_t record[OTA_JOJODIFF_POINT])
{
    const struct ota_jojodiff_point *at = &delta->at;
    put_le(record, at->patch_at, 4);
    put_le(record + 4, at->target_at, 4);
    put_le(record + 8, at->source_at, 8);
    put_le(record + 16, at->number, 8);
    put_le(record + 24, at->copy_left, 4);
    record[28] = at->op;
    record[29] = at->is_escaped;
    record[30] = at->digits;
    record[31] = 0;
}

int ota_jojodiff_resume(struct ota_jojodiff *delta, const uint8_t record[OTA_JOJODIFF_POINT])
{
    const struct ota_jojodiff_point at = {
        .patch_at = (uint32_t)get_le(record, 4),
        .target_at = (uint32_t)get_le(record + 4, 4),
        .source_at = get_le(record + 8, 8),
        .number = get_le(record + 16, 8),
        .copy_left = (uint32_t)get_le(record + 24, 4),
        .op = record[28],
        .is_escaped = record[29],
        .digits = record[30],
    };
    bool wants_digits = at.op == DEL || at.op == EQL || at.op == BKT;
    bool is_known = at.op == NO_OP || is_operator(at.op);
    if (!is_known || at.is_escaped > 1 || record[31] != 0 || wants_digits != (at.digits > 0) ||
        (at.digits > 8 && at.digits < OFFSET_DIGIT) || at.target_at > delta->ends.target_limit ||
        (at.copy_left > 0 && (at.source_at > delta->ends.source_size ||
                              at.copy_left > delta->ends.source_size - at.source_at)))
        return OTA_E_ARGUMENT;
    delta->at = at;
    return OTA_OK;
}
