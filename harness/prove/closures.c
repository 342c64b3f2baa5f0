#include "harness/prove/closures.h"

#include <stdlib.h>
#include <string.h>

static struct nb_closure *row_of(struct nb_closures *closures, const struct nb_cell *cell)
{
    for (size_t i = 0; i < closures->count; i++) {
        struct nb_closure *row = &closures->rows[i];
        if (strcmp(row->part, cell->part) == 0 && strcmp(row->scheme, cell->scheme) == 0)
            return row;
    }
    struct nb_closure *grown =
        realloc(closures->rows, (closures->count + 1) * sizeof *closures->rows);
    if (grown == NULL)
        return NULL;
    closures->rows = grown;
    struct nb_closure *row = &grown[closures->count++];
    *row = (struct nb_closure){0};
    memcpy(row->part, cell->part, sizeof row->part);
    memcpy(row->scheme, cell->scheme, sizeof row->scheme);
    return row;
}

int nb_closures_add(struct nb_closures *closures, const struct nb_cell *cell,
                    const struct nb_outcome *outcome)
{
    const struct nb_proof *proof = &outcome->proof;
    struct nb_closure *row = row_of(closures, cell);
    if (row == NULL)
        return OTA_E_NO_SPACE;
    row->cells++;
    row->closed += proof->closed && outcome->verdict == NB_PASS;
    row->failures += outcome->verdict == NB_FAIL;
    row->states += proof->states;
    row->masked += proof->masked;
    row->edges += proof->edges;
    row->depth = proof->depth > row->depth ? proof->depth : row->depth;
    row->longest = proof->seconds > row->longest ? proof->seconds : row->longest;
    row->seconds += proof->seconds;
    return 0;
}

static int by_part(const void *a, const void *b)
{
    const struct nb_closure *x = a;
    const struct nb_closure *y = b;
    int order = strcmp(x->part, y->part);
    return order != 0 ? order : strcmp(x->scheme, y->scheme);
}

void nb_closures_print(struct nb_closures *closures, FILE *out)
{
    if (closures->count != 0)
        qsort(closures->rows, closures->count, sizeof *closures->rows, by_part);
    fputs(
        "| part | scheme | closed | bricks | states | merged | edges | depth | s, all | s, longest "
        "|\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        out);
    for (size_t i = 0; i < closures->count; i++) {
        const struct nb_closure *row = &closures->rows[i];
        fprintf(out, "| %s | %s | %zu of %zu | %zu | %llu | %llu | %llu | %u | %.1f | %.2f |\n",
                row->part[0] ? row->part : "(usual)", row->scheme, row->closed, row->cells,
                row->failures, (unsigned long long)row->states, (unsigned long long)row->masked,
                (unsigned long long)row->edges, row->depth, row->seconds, row->longest);
    }
}

void nb_closures_free(struct nb_closures *closures)
{
    free(closures->rows);
    *closures = (struct nb_closures){0};
}
