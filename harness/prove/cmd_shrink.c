/* The verb `shrink`: a failing history by its replay id, made small. */
#include "harness/files/files.h"
#include "harness/prove/shrink.h"
#include "harness/run/collect.h"
#include "harness/run/kit.h"
#include "harness/run/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPT (256u * 1024u)

static const char *const help =
    "usage: nobrick shrink ID\n"
    "\n"
    "Makes a failing history of `nobrick explore` small: fewer faults, smaller numbers in them,\n"
    "smaller images and slots, as long as it fails for the same reason. Prints how it fails, and\n"
    "the script that does, ready to be saved as an .ota file.\n"
    "\n"
    "exit: 0 shrunk, 1 the history does not fail, 2 bad script or usage\n"
    "\n"
    "example:\n"
    "  nobrick shrink anycloud/first-update.ota:virtual:seed=7\n";

static int bad(const char *what, const char *value)
{
    fprintf(stderr, "nobrick shrink: %s%s%s (nobrick shrink --help)\n", what, value ? ": " : "",
            value ? value : "");
    return 2;
}

static int show(const char *shown, const struct nb_cell *from, struct nb_shrunk *shrunk)
{
    char id[NB_ID];
    struct nb_cell cell = *from;
    cell.explored = cell.drawn_given = true;
    cell.seed = shrunk->seed;
    cell.drawn_count = shrunk->count;
    memcpy(cell.drawn, shrunk->drawn, sizeof cell.drawn);
    nb_replay_id(shown, &cell, "", id, sizeof id);
    printf("# %s, shrunk in %u plays:\n", nb_verdict_word(shrunk->outcome.verdict), shrunk->plays);
    for (size_t i = 0; i < shrunk->outcome.story_count; i++)
        printf("#   %s\n", shrunk->outcome.story[i]);
    printf("# nobrick replay '%s'\n%s", id, shrunk->script);
    return fflush(stdout) == 0 ? 0 : 2;
}

static int shrink_text(const char *text, const char *shown, struct nb_cell *cell)
{
    struct nb_outcome outcome = {0};
    struct nb_shrunk shrunk = {0};
    struct nb_drawn drawn[NB_DRAWN];
    size_t count = cell->drawn_count;
    struct nb_explorer *explorer = nb_explorer_new(text, shown, cell, &outcome);
    if (!explorer)
        return bad(outcome.reason, NULL);
    memcpy(drawn, cell->drawn, sizeof drawn);
    if (!cell->drawn_given)
        count = nb_explorer_draw(explorer, cell->seed, drawn);
    int rc = nb_shrink(explorer, text, cell->seed, drawn, count, &shrunk);
    if (rc == 0)
        rc = show(shown, cell, &shrunk);
    else if (rc == OTA_E_ARGUMENT) {
        puts("it does not fail");
        rc = 1;
    } else
        rc = bad(ota_err_text(rc), NULL);
    nb_shrunk_free(&shrunk);
    nb_explorer_free(explorer);
    return rc;
}

int nb_cmd_shrink(int argc, char **argv)
{
    char path[256];
    char shown[256];
    struct nb_cell cell;
    struct flash_text_error error;
    struct nb_paths paths = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) < 0 ? 2 : 0;
    if (argc != 2 || argv[1][0] == '-')
        return bad("expected one replay id", NULL);
    if (nb_replay_parse(argv[1], path, sizeof path, &cell, &error) != 0)
        return bad(error.message, NULL);
    if (!cell.explored || strcmp(cell.world, "virtual") != 0)
        return bad("only what `explore` found is shrunk: expected a seed or faults in the id",
                   NULL);
    int rc = nb_paths_add(&paths, path);
    if (rc == 0 && paths.count == 1)
        rc = nb_read_file(paths.items[0], MAX_SCRIPT, &bytes, &size);
    if (rc || paths.count != 1) {
        nb_paths_free(&paths);
        return bad("no such scenario", path);
    }
    nb_path_shown(paths.items[0], shown, sizeof shown);
    nb_paths_free(&paths);
    char *text = strndup((const char *)bytes, size);
    free(bytes);
    cell.kit = nb_kit_new(error.message, sizeof error.message);
    if (!cell.kit)
        fprintf(stderr, "nobrick shrink: %s\n", error.message);
    rc = text && cell.kit ? shrink_text(text, shown, &cell) : 2;
    nb_kit_free(cell.kit);
    free(text);
    return rc;
}
