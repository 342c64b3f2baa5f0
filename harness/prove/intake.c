#include "harness/prove/intake.h"
#include "harness/faults/manifest_lies.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- jobs -------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *root, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));
}

/* Three numbers with a dot between them, as large as an image's header has room for. */
static bool is_version(const char *text)
{
    static const unsigned long most[] = {UINT8_MAX, UINT8_MAX, UINT16_MAX};
    for (size_t i = 0; i < 3; i++) {
        char *end = NULL;
        unsigned long number = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || number > most[i] || *end != (i < 2 ? '.' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

/* A port that a host is asked at: a number, or its text. Empty or none is the usual one. */
static bool is_port(const cJSON *item)
{
    const char *text = cJSON_GetStringValue(item);
    char *end = NULL;
    if (!item || (text && *text == '\0'))
        return true;
    if (!text)
        return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= UINT16_MAX;
    unsigned long number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && number <= UINT16_MAX;
}

static const char *flaw_of(const cJSON *root, const char *board)
{
    const char *message = text_of(root, "Message");
    const char *version = text_of(root, "Version");
    const char *named = text_of(root, "Board");
    const char *link = text_of(root, "Connection");
    bool http = link && (strcasecmp(link, "HTTP") == 0 || strcasecmp(link, "HTTPS") == 0);
    const char *file = text_of(root, "File");
    if (!message || strcmp(message, "Update Available") != 0)
        return "it says nothing of an update";
    if (!named || strcmp(named, board) != 0)
        return "it is for another board";
    if (!version || !is_version(version))
        return "its version is none";
    if (link && !http && strcasecmp(link, "MQTT") != 0)
        return "it names no connection";
    if (!is_port(cJSON_GetObjectItemCaseSensitive(root, "Port")))
        return "its port is none";
    return http && (!file || *file == '\0') ? "it names no file" : NULL;
}

const char *nb_job_flaw(const char *text, const char *board)
{
    cJSON *root = cJSON_Parse(text);
    const char *flaw = cJSON_IsObject(root) ? flaw_of(root, board) : "it is no JSON object";
    cJSON_Delete(root);
    return flaw;
}

/* The n-th document armed for the device step, from 0, or NULL. */
static const char *nth_job(const struct nb_script *script, unsigned step, unsigned n)
{
    unsigned at = 1;
    for (size_t i = 0; i < script->step_count; i++) {
        const struct nb_step *line = &script->steps[i];
        if (at == step && line->kind == NB_FAULT_JOB_RAW && n-- == 0)
            return line->raw_text;
        at += line->kind == NB_DEVICE_CHECK || line->kind == NB_DEVICE_BOOT ||
              line->kind == NB_DEVICE_LIVE;
    }
    return NULL;
}

static bool says(const struct nb_trace_line *line, bool cloud, const char *word)
{
    return line->cloud == cloud && strncmp(line->text, word, strlen(word)) == 0;
}

/* From where the document was sent on, until the device asks again: it takes no job. */
static bool takes_job(const struct nb_trace *trace, size_t from)
{
    for (size_t i = from + 1; i < trace->count; i++) {
        const struct nb_trace_line *line = &trace->lines[i];
        if (says(line, true, "available ") || line->step != trace->lines[from].step)
            return false;
        if (says(line, false, "job "))
            return true;
    }
    return false;
}

static void judge_jobs(const struct nb_script *script, const struct nb_trace *trace,
                       const char *board, struct nb_outcome *outcome)
{
    unsigned step = 0;
    unsigned n = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct nb_trace_line *line = &trace->lines[i];
        if (!says(line, true, "fault raw-job"))
            continue;
        n = line->step == step ? n + 1 : 0;
        step = line->step;
        const char *text = nth_job(script, step, n);
        const char *flaw = text ? nb_job_flaw(text, board) : NULL;
        if (flaw && takes_job(trace, i))
            nb_outcome_set(outcome, NB_FAIL, "a job is taken, and %s: %.100s", flaw, text);
    }
}

/* ---- manifests --------------------------------------------------------------------------- */

/* Lies of which a reading of our own says that they are none: what is said is true, or may be left
 * out. */
static const char *const harmless[] = {"",           "upper-digest", "no-erase",
                                       "other-case", "unknown-keys", "duplicate-keys"};

/* What a device may not tell of a manifest with this lie; NULL: it may take it. What is wrong with
 * a patch concerns the patch; an image that cannot be what is said must not get to be installed. */
static const char *forbidden_of(const struct nb_manifest_lie *lie)
{
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(lie->word, harmless[i]) == 0)
            return NULL;
    return lie->of_patch ? NULL : lie->of_image ? "pending " : "job ";
}

static void judge_manifests(const struct nb_script *script, const struct nb_trace *trace,
                            struct nb_outcome *outcome)
{
    const struct nb_manifest_lie *lie = &nb_manifest_lies[0];
    unsigned step = 0;
    for (size_t i = 0; i < script->step_count; i++) {
        const struct nb_step *line = &script->steps[i];
        if (line->kind == NB_CLOUD_OFFER || line->kind == NB_CLOUD_ADD)
            lie = &nb_manifest_lies[script->images[line->image].lie];
        else if (line->kind == NB_CLOUD_ERASE || line->kind == NB_CLOUD_NONE)
            lie = &nb_manifest_lies[0];
        if (line->kind != NB_DEVICE_CHECK && line->kind != NB_DEVICE_BOOT &&
            line->kind != NB_DEVICE_LIVE)
            continue;
        step++;
        const char *forbidden = forbidden_of(lie);
        for (size_t at = 0; forbidden && at < trace->count; at++)
            if (trace->lines[at].step == step && says(&trace->lines[at], false, forbidden))
                nb_outcome_set(outcome, NB_FAIL, "line %u: %sis told of a manifest with lie=%s",
                               line->line, forbidden, lie->word);
    }
}

/* ---- chunks ------------------------------------------------------------------------------ */

/* Was a chunk from that offset on sent in some other line? */
static bool sent_elsewhere(const struct nb_trace *trace, size_t but, unsigned long offset)
{
    for (size_t i = 0; i < trace->count; i++) {
        unsigned long other = 0;
        if (i != but && trace->lines[i].cloud &&
            sscanf(trace->lines[i].text, "chunk %*u %lu", &other) == 1 && other == offset)
            return true;
    }
    return false;
}

static bool becomes_pending(const struct nb_trace *trace, size_t from)
{
    for (size_t i = from; i < trace->count && trace->lines[i].step == trace->lines[from].step; i++)
        if (says(&trace->lines[i], false, "pending "))
            return true;
    return false;
}

/* A chunk whose header was made another one has to come once more before the image is whole. */
static void judge_chunks(const struct nb_trace *trace, struct nb_outcome *outcome)
{
    for (size_t i = 0; i < trace->count; i++) {
        unsigned long offset = 0;
        size_t sent = i + 1;
        if (!says(&trace->lines[i], true, "fault patch-chunk") || sent == trace->count ||
            !says(&trace->lines[sent], true, "header patched"))
            continue;
        while (sent < trace->count && !says(&trace->lines[sent], true, "chunk "))
            sent++;
        if (sent < trace->count && sscanf(trace->lines[sent].text, "chunk %*u %lu", &offset) == 1 &&
            becomes_pending(trace, sent) && !sent_elsewhere(trace, sent, offset))
            nb_outcome_set(outcome, NB_FAIL,
                           "the chunk at %lu came with a wrong header only, and counts", offset);
    }
}

void nb_intake_judge(const struct nb_script *script, const struct nb_trace *trace,
                     const char *board, struct nb_outcome *outcome)
{
    judge_jobs(script, trace, board, outcome);
    judge_manifests(script, trace, outcome);
    judge_chunks(trace, outcome);
}
