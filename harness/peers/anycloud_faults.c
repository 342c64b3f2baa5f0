#include "harness/peers/anycloud_faults.h"

#include <stdlib.h>
#include <string.h>

const char *anycloud_fault_word(enum anycloud_fault_kind kind)
{
    static const char *const words[ANYCLOUD_FAULTS] = {
        [ANYCLOUD_DROP_CHUNK] = "drop",       [ANYCLOUD_REPEAT_CHUNK] = "repeat",
        [ANYCLOUD_REVERSE] = "reverse",       [ANYCLOUD_CORRUPT_CHUNK] = "corrupt",
        [ANYCLOUD_RAW_CHUNK] = "raw-chunk",   [ANYCLOUD_RAW_JOB] = "raw-job",
        [ANYCLOUD_SILENT_JOB] = "silent-job", [ANYCLOUD_PATCH_CHUNK] = "patch-chunk",
        [ANYCLOUD_LATE_CHUNK] = "late-chunk", [ANYCLOUD_JOB_BEFORE_CHUNK] = "job-before-chunk",
    };
    return words[kind];
}

static bool concerns_chunk(enum anycloud_fault_kind kind)
{
    return kind == ANYCLOUD_DROP_CHUNK || kind == ANYCLOUD_REPEAT_CHUNK ||
           kind == ANYCLOUD_CORRUPT_CHUNK || kind == ANYCLOUD_RAW_CHUNK ||
           kind == ANYCLOUD_PATCH_CHUNK || kind == ANYCLOUD_LATE_CHUNK ||
           kind == ANYCLOUD_JOB_BEFORE_CHUNK;
}

const struct anycloud_armed *anycloud_faults_fire(struct anycloud_faults *faults,
                                                  enum anycloud_fault_kind kind, uint32_t index)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct anycloud_armed *fault = &faults->armed[i];
        if (fault->kind != kind || fault->left == 0 ||
            (concerns_chunk(kind) && fault->index != index))
            continue;
        fault->left--;
        return fault;
    }
    return NULL;
}

int anycloud_faults_arm(struct anycloud_faults *faults, const struct anycloud_fault *fault)
{
    uint8_t *raw = NULL;
    if (faults->count == ANYCLOUD_ARMED)
        return OTA_E_NO_SPACE;
    if (fault->kind >= ANYCLOUD_FAULTS)
        return OTA_E_ARGUMENT;
    if (fault->raw_size > 0) {
        raw = malloc(fault->raw_size);
        if (raw == NULL)
            return OTA_E_NO_SPACE;
        memcpy(raw, fault->raw, fault->raw_size);
    }
    faults->armed[faults->count++] = (struct anycloud_armed){
        fault->kind, fault->index, fault->count, fault->at, raw, fault->raw_size};
    return OTA_OK;
}

void anycloud_faults_disarm(struct anycloud_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        free(faults->armed[i].raw);
    faults->count = 0;
}

size_t anycloud_faults_unfired(const struct anycloud_faults *faults)
{
    size_t count = 0;
    for (size_t i = 0; i < faults->count; i++)
        count += faults->armed[i].left > 0;
    return count;
}
