#include "harness/prove/tale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES      1u /* that bearable faults of one step may cost together */
#define UNBEARABLE 99u
#define HEADER     32u /* of a chunk; in it, version and size of the image: */
#define VERSION    12u
#define TOTAL      18u
#define TOTAL_END  22u

#define MOST_LATENCY  20u /* ms, both ways: tests wait some hundred for an answer */
#define MOST_COPIES   5u
#define MOST_TIMES    3u    /* the bytes that come without faults … */
#define MOST_HEADER   1024u /* of a message, and what else comes */
#define MOST_MORE     32768u
#define LEAST_RATE    65536u
#define LEAST_REFUSAL 300u /* statuses below it say that all is well */
#define CHANGED       412u /* the status of an image that is another one by now … */
#define PAST_END      416u /* … and of a range that begins behind the end */

/* ---- what a device must bear ------------------------------------------------------------- */

/* Tries that one fault of a kind costs. */
static const uint8_t prices[NB_FAULT_KINDS] = {
    [NB_NET_REFUSE] = 1,
    [NB_NET_RESET] = 1,
    [NB_NET_HALF_CLOSE] = 1,
    [NB_NET_STALL] = 1,
    [NB_NET_LATENCY] = 0,
    [NB_NET_RATE] = 0,
    [NB_NET_SLICE] = 0,
    [NB_NET_TRUNCATE] = 1,
    [NB_CLOCK_JUMP] = UNBEARABLE,
    [NB_NET_DNS] = 1,
    [NB_NET_CORRUPT] = UNBEARABLE,
    [NB_MQTT_DROP_PUBACK] = 1,
    [NB_MQTT_DOUBLE_PUBACK] = 0,
    [NB_MQTT_DROP_PUBLISH] = UNBEARABLE, /* it may be the job */
    [NB_MQTT_DOUBLE_PUBLISH] = 0,
    [NB_MQTT_SWAP_PUBLISH] = UNBEARABLE,
    [NB_MQTT_NO_CONNACK] = 1,
    [NB_MQTT_NO_PINGRESP] = 1,
    [NB_MQTT_DOUBLE_PINGRESP] = 0,
    [NB_MQTT_TAKE_OVER] = 1,
    [NB_HTTP_WRONG_LENGTH] = 1,
    [NB_HTTP_SHORT_BODY] = 1,
    [NB_HTTP_NO_LENGTH] = 1,
    [NB_HTTP_WRONG_RANGE] = 1,
    [NB_HTTP_WRONG_TOTAL] = UNBEARABLE, /* the image may be another one */
    [NB_HTTP_STAR_TOTAL] = 1,
    [NB_HTTP_NO_RANGE] = 1,
    [NB_HTTP_IGNORE_RANGE] = 1,
    [NB_HTTP_CHUNKED] = 0,
    [NB_HTTP_BROKEN_CHUNKS] = 1,
    [NB_HTTP_EMPTY] = 1,
    [NB_HTTP_OTHER_IMAGE] = UNBEARABLE,
    [NB_HTTP_ETAG_CHANGE] = 1,
    [NB_HTTP_LONG_HEADERS] = 0,
    [NB_HTTP_LOWER_CASE] = 0,
    [NB_HTTP_CLOSE] = 0,
    [NB_HTTP_STATUS] = 1,
    [NB_HTTP_BUSY] = 1,
    [NB_HTTP_REDIRECT] = 0,
    [NB_HTTP_REDIRECT_RELATIVE] = 0,
    [NB_HTTP_REDIRECT_NOWHERE] = 1,
    [NB_HTTP_RAW] = UNBEARABLE,
    [NB_HTTP_EXPIRE] = UNBEARABLE,
};

/* A line as slow as that outlasts what a device waits for an answer. */
static bool is_too_slow(const struct nb_fault *fault)
{
    return (fault->kind == NB_NET_LATENCY && fault->value > MOST_LATENCY) ||
           (fault->kind == NB_NET_RATE && fault->value < LEAST_RATE);
}

static unsigned price_of_net(const struct nb_fault *fault)
{
    unsigned price = is_too_slow(fault) ? UNBEARABLE : prices[fault->kind];
    bool half_a_job = fault->phase == NB_PHASE_JOB &&
                      (fault->kind == NB_HTTP_SHORT_BODY || fault->kind == NB_HTTP_NO_LENGTH ||
                       fault->kind == NB_HTTP_EMPTY ||
                       (fault->kind == NB_HTTP_STATUS && fault->value < LEAST_REFUSAL));
    bool redirects = fault->kind == NB_HTTP_REDIRECT || fault->kind == NB_HTTP_REDIRECT_RELATIVE;
    bool whole_job = fault->kind == NB_HTTP_IGNORE_RANGE && fault->phase == NB_PHASE_JOB;
    bool copies = fault->kind == NB_MQTT_DOUBLE_PUBACK || fault->kind == NB_MQTT_DOUBLE_PUBLISH ||
                  fault->kind == NB_MQTT_DOUBLE_PINGRESP;
    if (whole_job)
        return 0;
    if (half_a_job)
        return UNBEARABLE; /* it looks whole, and is no JSON */
    if (redirects && fault->times > 1)
        return UNBEARABLE; /* in a circle, perhaps */
    if (copies && fault->times > MOST_COPIES)
        return UNBEARABLE;
    if (price == 0 || price == UNBEARABLE || copies)
        return price;
    return fault->times > TRIES ? UNBEARABLE : price * fault->times;
}

/* No image has no bytes, or as many as that. */
static bool is_no_total(const struct nb_step *step)
{
    static const uint8_t none[] = {0, 0, 0, 0};
    static const uint8_t all[] = {0xFF, 0xFF, 0xFF, 0xFF};
    return step->patch_at == TOTAL && step->raw_size == sizeof none &&
           (memcmp(step->raw, none, sizeof none) == 0 || memcmp(step->raw, all, sizeof all) == 0);
}

static unsigned price_of_chunk(const struct nb_step *step)
{
    switch (step->chunk_fault) {
    case NB_CHUNK_REPEAT:
        return 0;
    case NB_CHUNK_DROP:
    case NB_CHUNK_LATE:
    case NB_CHUNK_RAW:
        return 1;
    case NB_CHUNK_PATCH: /* of the header: whoever looks at it asks for the chunk once more. The
                          * first chunk is believed in what it says of the whole */
        if (step->value == 0 && step->patch_at < TOTAL_END &&
            step->patch_at + step->raw_size > VERSION && !is_no_total(step))
            return UNBEARABLE;
        return step->patch_at + step->raw_size <= HEADER ? 1 : UNBEARABLE;
    default: /* a job in between: the one before is finished first */
        return step->chunk_fault == NB_CHUNK_JOB ? 0 : UNBEARABLE;
    }
}

static unsigned price_of(const struct nb_step *fault)
{
    switch (fault->kind) {
    case NB_FAULT_NET:
        return price_of_net(&fault->fault);
    case NB_FAULT_CHUNK:
        return price_of_chunk(fault);
    case NB_FAULT_REVERSE:
        return 1; /* then the last chunk is the first to speak of the whole */
    default:
        return UNBEARABLE;
    }
}

/* Messages that come once more because of the fault. */
static unsigned copies_of(const struct nb_step *step)
{
    if (step->kind == NB_FAULT_CHUNK)
        return step->chunk_fault == NB_CHUNK_REPEAT || step->chunk_fault == NB_CHUNK_JOB;
    return step->kind == NB_FAULT_NET && step->fault.kind == NB_MQTT_DOUBLE_PUBLISH
               ? step->fault.times
               : 0;
}

/* After it the image may be another one, or an archive after all. */
static bool makes_anew(const struct nb_step *step)
{
    if (step->kind == NB_FAULT_REVERSE)
        return true;
    return step->kind == NB_FAULT_NET &&
           (step->fault.kind == NB_HTTP_OTHER_IMAGE || step->fault.kind == NB_HTTP_ETAG_CHANGE ||
            step->fault.kind == NB_HTTP_IGNORE_RANGE ||
            (step->fault.kind == NB_HTTP_STATUS &&
             (step->fault.value == CHANGED || step->fault.value == PAST_END)));
}

bool nb_is_fault(const struct nb_step *step)
{
    return step->kind >= NB_FAULT_CUT && step->kind <= NB_FAULT_NET;
}

bool nb_tale_is_borne(const struct nb_script *script)
{
    unsigned price = 0;
    for (size_t i = 0; i < script->step_count && price <= TRIES; i++) {
        const struct nb_step *line = &script->steps[i];
        bool device = line->kind == NB_DEVICE_CHECK || line->kind == NB_DEVICE_BOOT ||
                      line->kind == NB_DEVICE_LIVE;
        price = device ? 0 : price + (nb_is_fault(line) ? price_of(line) : 0);
    }
    return price <= TRIES;
}

/* ---- tales ------------------------------------------------------------------------------- */

/* Whether a boot went on with a swap is not told, nor what a device does in between. */
static int tell_line(FILE *out, const char *text)
{
    static const char *const words[] = {"boot ",      "refused ",  "reject ", "pending ",
                                        "confirmed ", "reported ", "idle "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return fprintf(out, "%s; ", text);
    return 0;
}

static char *tell_step(const struct nb_trace *trace, unsigned step)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < trace->count; i++)
        if (trace->lines[i].step == step && !trace->lines[i].cloud)
            tell_line(out, trace->lines[i].text);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static unsigned pauses(const struct nb_trace *trace, unsigned step)
{
    unsigned count = 0;
    for (size_t i = 0; i < trace->count; i++)
        count += !trace->lines[i].cloud && trace->lines[i].step == step &&
                 strcmp(trace->lines[i].text, "state pause") == 0;
    return count;
}

/* Bytes that came to the device in a step, as it counts them. */
static unsigned long long traffic(const struct nb_trace *trace, unsigned step)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < trace->count; i++) {
        unsigned long long bytes = 0;
        if (!trace->lines[i].cloud && trace->lines[i].step == step &&
            sscanf(trace->lines[i].text, "bytes %llu", &bytes) == 1)
            sum += bytes;
    }
    return sum;
}

int nb_tale_take(const struct nb_trace *trace, struct nb_tale *out)
{
    *out = (struct nb_tale){0};
    for (unsigned step = 1; step <= trace->step && step <= NB_TALE_STEPS; step++) {
        out->steps[step] = tell_step(trace, step);
        out->pauses[step] = pauses(trace, step);
        out->traffic[step] = traffic(trace, step);
        if (!out->steps[step]) {
            nb_tale_free(out);
            return OTA_E_NO_SPACE;
        }
    }
    return 0;
}

void nb_tale_free(struct nb_tale *tale)
{
    for (size_t i = 0; i <= NB_TALE_STEPS; i++)
        free(tale->steps[i]);
    *tale = (struct nb_tale){0};
}

/* The server said that it has no such range: who believes it begins anew. */
static bool is_past_end(const struct nb_trace_line *line)
{
    size_t length = strlen(line->text);
    return line->cloud && length > 4 && strcmp(line->text + length - 4, " 416") == 0;
}

/* Is what is fetched from here on something else: the next image, or an image after its patch, or
 * the patch after its image? */
static bool fetches_another(const struct nb_trace_line *line)
{
    return !line->cloud &&
           (strncmp(line->text, "pending ", 8) == 0 || strncmp(line->text, "patch ", 6) == 0);
}

/* Does what was fetched become less within the step, for no such reason? NULL, or the line that
 * says so. */
static const char *falls_back(const struct nb_trace *trace, unsigned step)
{
    unsigned long before = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct nb_trace_line *line = &trace->lines[i];
        if (line->step == step && (is_past_end(line) || fetches_another(line)))
            before = 0;
        if (line->cloud || line->step != step)
            continue;
        if (strncmp(line->text, "job ", 4) == 0 || strncmp(line->text, "boot ", 5) == 0)
            continue;
        if (strncmp(line->text, "progress ", 9) != 0)
            continue;
        unsigned long now = strtoul(line->text + 9, NULL, 10);
        if (now < before)
            return line->text;
        before = now;
    }
    return NULL;
}

/* Bytes of the largest chunk's message. */
static unsigned largest(const struct nb_trace *trace)
{
    unsigned most = 0;
    for (size_t i = 0; i < trace->count; i++) {
        unsigned size = 0;
        if (trace->lines[i].cloud && sscanf(trace->lines[i].text, "chunk %*u %*u %u", &size) == 1 &&
            size > most)
            most = size;
    }
    return most + MOST_HEADER;
}

/* Where two tales part: the words from there on. */
static const char *parting(const char *told, const char *other)
{
    size_t from = 0;
    for (size_t i = 0; told[i] && told[i] == other[i]; i++)
        if (told[i] == ';')
            from = i + 2;
    return told + from;
}

/* No connection is made in it as it is: how it fails may be one way or another. */
static bool lives_without_net(const char *told)
{
    return strstr(told, "idle tls-") || strstr(told, "idle connect") ||
           strstr(told, "idle timeout");
}

static bool has_archive(const struct nb_script *script)
{
    for (size_t i = 0; i < script->image_count; i++)
        if (script->images[i].tar != NB_TAR_NONE)
            return true;
    return false;
}

int nb_tale_judge(const struct nb_script *script, const struct nb_trace *trace,
                  const struct nb_tale *told, struct nb_outcome *outcome)
{
    unsigned step = 0;
    unsigned price = 0;
    unsigned copies = 0;
    bool anew = false;
    for (size_t i = 0; i < script->step_count; i++) {
        const struct nb_step *line = &script->steps[i];
        anew = anew || makes_anew(line);
        copies += copies_of(line);
        price += nb_is_fault(line) ? price_of(line) : 0;
        if (line->kind == NB_DEVICE_LIVE || price > TRIES)
            return 0;
        if (line->kind != NB_DEVICE_CHECK && line->kind != NB_DEVICE_BOOT)
            continue;
        step++;
        if (step > NB_TALE_STEPS || !told->steps[step] || lives_without_net(told->steps[step]))
            return 0;
        const char *less = falls_back(trace, step);
        if (less && !anew && !has_archive(script)) /* of one its first chunk decides */
            nb_outcome_set(outcome, NB_FAIL,
                           "line %u: a fault that is to be borne costs what was fetched: %.40s",
                           line->line, less);
        unsigned long long bytes = traffic(trace, step);
        unsigned long long most =
            price == 0 ? told->traffic[step] + told->traffic[step] / 4 + copies * largest(trace)
                       : MOST_TIMES * told->traffic[step] + MOST_MORE;
        if (bytes > most && strstr(told->steps[step], "pending "))
            nb_outcome_set(outcome, NB_FAIL,
                           "line %u: faults that are to be borne cost %llu bytes, and without them "
                           "it takes %llu",
                           line->line, bytes, told->traffic[step]);
        if (price == 0 && pauses(trace, step) > told->pauses[step])
            nb_outcome_set(outcome, NB_FAIL, "line %u: a harmless fault costs the device a try",
                           line->line);
        price = copies = 0;
        anew = false;
        char *now = tell_step(trace, step);
        if (!now)
            return OTA_E_NO_SPACE;
        if (strcmp(now, told->steps[step]) != 0)
            nb_outcome_set(outcome, NB_FAIL,
                           "line %u: a fault that is to be borne shows: `%.60s`, not `%.60s`",
                           line->line, parting(now, told->steps[step]),
                           parting(told->steps[step], now));
        free(now);
        if (outcome->verdict == NB_FAIL)
            return 0;
    }
    return 0;
}
