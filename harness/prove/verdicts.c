#include "harness/prove/verdicts.h"

#include "harness/run/matrix.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static void add_text(FILE *out, const char *path, const char *name, const char *id,
                     const struct nb_outcome *outcome)
{
    fprintf(out, "%-8s %s%s%s\n",
            outcome->verdict == NB_PASS ? "ok" : nb_verdict_word(outcome->verdict), path,
            name[0] ? " " : "", name);
    for (size_t i = 0; i < outcome->note_count; i++)
        fprintf(out, "         %s\n", outcome->notes[i]);
    if (outcome->verdict == NB_PASS)
        return;
    for (size_t i = 0; i < outcome->story_count; i++)
        fprintf(out, "           %s\n", outcome->story[i]);
    fprintf(out, "         nobrick replay %s\n", id);
}

static void add_json(const struct nb_verdicts *verdicts, const char *path, const char *name,
                     const char *id, const struct nb_outcome *outcome)
{
    const struct nb_proof *proof = &outcome->proof;
    cJSON *cell = cJSON_CreateObject();
    cJSON_AddStringToObject(cell, "script", path);
    cJSON_AddStringToObject(cell, "cell", name);
    cJSON_AddStringToObject(cell, "verdict", nb_verdict_word(outcome->verdict));
    cJSON_AddBoolToObject(cell, "closed", proof->closed);
    cJSON_AddNumberToObject(cell, "states", proof->states);
    cJSON_AddNumberToObject(cell, "masked", proof->masked);
    cJSON_AddNumberToObject(cell, "edges", (double)proof->edges);
    cJSON_AddNumberToObject(cell, "depth", proof->depth);
    cJSON_AddNumberToObject(cell, "failures", proof->failures);
    cJSON_AddNumberToObject(cell, "seconds", proof->seconds);
    if (outcome->verdict != NB_PASS) {
        cJSON_AddStringToObject(cell, "reason", outcome->reason);
        cJSON_AddStringToObject(cell, "replay", id);
        cJSON *story = cJSON_AddArrayToObject(cell, "story");
        for (size_t i = 0; i < outcome->story_count; i++)
            cJSON_AddItemToArray(story, cJSON_CreateString(outcome->story[i]));
    }
    char *text = cJSON_PrintUnformatted(cell);
    fprintf(verdicts->out, "%s\n%s", verdicts->cells == 1 ? "{\"cells\": [" : ",",
            text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(cell);
}

void nb_verdicts_add(struct nb_verdicts *verdicts, const char *path, const char *name,
                     const struct nb_cell *cell, const char *id, const struct nb_outcome *outcome)
{
    const struct nb_proof *proof = &outcome->proof;
    verdicts->cells++;
    verdicts->closed += proof->closed;
    bool lost = verdicts->table && nb_closures_add(&verdicts->closures, cell, outcome) != 0;
    verdicts->bad[lost ? NB_ERROR : outcome->verdict]++;
    verdicts->states += proof->states;
    verdicts->masked += proof->masked;
    verdicts->edges += proof->edges;
    verdicts->seconds += proof->seconds;
    verdicts->depth = proof->depth > verdicts->depth ? proof->depth : verdicts->depth;
    if (verdicts->json)
        add_json(verdicts, path, name, id, outcome);
    else if (!verdicts->table || outcome->verdict != NB_PASS)
        add_text(verdicts->table ? stderr : verdicts->out, path, name, id, outcome);
    fflush(verdicts->out);
}

int nb_verdicts_end(struct nb_verdicts *verdicts, size_t planned)
{
    size_t failed = verdicts->bad[NB_FAIL];
    size_t undecided = planned - verdicts->bad[NB_PASS] - failed;
    if (verdicts->table)
        nb_closures_print(&verdicts->closures, verdicts->out);
    nb_closures_free(&verdicts->closures);
    if (verdicts->json)
        fprintf(verdicts->out,
                "%s\n], \"planned\": %zu, \"closed\": %zu, \"failed\": %zu, \"states\": %llu, "
                "\"masked\": %llu, \"edges\": %llu, \"depth\": %u}\n",
                verdicts->cells == 0 ? "{\"cells\": [" : "", planned, verdicts->closed, failed,
                (unsigned long long)verdicts->states, (unsigned long long)verdicts->masked,
                (unsigned long long)verdicts->edges, verdicts->depth);
    else
        fprintf(verdicts->table ? stderr : verdicts->out,
                "%s: %zu of %zu closed, %zu fail; %llu states (%llu masked), %llu edges, "
                "depth %u, %.1f s of one core\n",
                failed != 0      ? "BRICKS"
                : undecided != 0 ? "not proved"
                                 : "proved, of this model of flash",
                verdicts->closed, planned, failed, (unsigned long long)verdicts->states,
                (unsigned long long)verdicts->masked, (unsigned long long)verdicts->edges,
                verdicts->depth, verdicts->seconds);
    return failed != 0                           ? 1
           : verdicts->bad[NB_ERROR] != 0        ? 2
           : verdicts->bad[NB_VACUOUS] != 0      ? 3
           : verdicts->bad[NB_SKIP] == planned   ? 77
           : undecided != verdicts->bad[NB_SKIP] ? 2
                                                 : 0;
}
