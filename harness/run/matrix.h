/* The matrix of a script: its cells, their names, and replay ids.
 *
 * A replay id is one word that a shell leaves alone: the script's path below the data directory
 * (or as given), the world, the cell's values, and the cuts; what is special in it is written %XX:
 *
 *   boot/swap-test.ota:posix:part=nrf52840,scheme=swap-move,size=larger:cuts=37.half
 *
 * A history that `explore` plays has its seed, and faults as STEP.LINE once they no longer are what
 * the seed draws:
 *
 *   anycloud/first-update.ota:virtual:seed=7:faults=1.%40body%3A37%25%20net%20reset+2.%40job%20silent
 *
 * A plugin of `nobrick prove` stands in the place of the script, and `plugin` in that of the world:
 *
 *   ./myboot.so:plugin:device=myboot.device,case=upgrade:cuts=12.first+boot
 */
#ifndef NOBRICK_HARNESS_RUN_MATRIX_H
#define NOBRICK_HARNESS_RUN_MATRIX_H

#include "harness/run/run.h"

#define NB_ID 2048 /* every character of path and values may take three */

/* What the command line asks for instead of what the script lists; "" where it asks nothing. */
struct nb_choice {
    char world[NB_WORD];
    char part[NB_WORD];
    char device[NB_TEXT];
    char scheme[NB_WORD];
    char size[NB_WORD];
    bool every_part; /* all parts, whatever part or device the script names */
};

/* Is it a word of the `size` line? */
bool nb_size_is_word(const char *word);

struct nb_matrix {
    struct nb_cell *cells;
    size_t count;
    /* Combinations under `*` that do not fit: a scheme and its part, a device and the system whose
     * cloud the script plays, or a store where a host pushes into slots. */
    size_t left_out;
};

/* Expands the lists of the script. 0; or OTA_E_ARGUMENT when a named combination does not fit or
 * nothing fits, with the header's line and a message in `error`; OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_matrix_expand(const struct nb_script *script, const struct nb_choice *choice,
                                    struct nb_matrix *out, struct flash_text_error *error);
void nb_matrix_free(struct nb_matrix *matrix);

/* "part=nrf52840,scheme=swap-move"; "" for a cell without named values. */
void nb_cell_name(const struct nb_cell *cell, char *out, size_t size);

/* The id that repeats `cell` of the script at `path`, with `cuts` ("37.half+12.before" or ""). */
void nb_replay_id(const char *path, const struct nb_cell *cell, const char *cuts, char *out,
                  size_t size);

/* The cell's own list of cuts, as ids spell it. */
void nb_cuts_print(const struct nb_cell *cell, char *out, size_t size);

/* Takes an id apart: the script's path and the cell. OTA_E_ARGUMENT with a message. */
OTA_MUST_CHECK int nb_replay_parse(const char *id, char *path, size_t path_size,
                                   struct nb_cell *cell, struct flash_text_error *error);

#endif
