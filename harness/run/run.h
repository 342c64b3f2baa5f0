/* Running scenarios: cells of the matrix, the engines that run one cell, and what comes of it.
 *
 * An engine takes one parsed script and one cell and fills one outcome; it keeps nothing between
 * calls except what hangs on the kit. Four engines exist: the bench (harness/run/bench.c, in
 * process, flash in memory, sweeps, no network), virtual, posix and cortexm. The runner chooses,
 * prints and counts. */
#ifndef NOBRICK_HARNESS_RUN_RUN_H
#define NOBRICK_HARNESS_RUN_RUN_H

#include "harness/prove/search.h"
#include "harness/script/script.h"
#include "sim/device.h"

#define NB_STORY_LINES  12
#define NB_NOT_AS_SAID  "stable, but not as" /* why `until stable` fails at rest */
#define NB_NOTE_LINES   16
#define NB_LINE         200
#define NB_DRAWN        8
#define NB_DEFAULT_SLOT (128u * 1024u)
#define NB_TYPICAL      "typical" /* of a `part` line: the parts listed in the file of that name */
#define NB_IMAGE_SIZE   (64u * 1024u) /* payload of an image without `size=` */

/* ---- the kit: what the cells of a scenario share ---------------------------------------- */

struct nb_kit; /* harness/run/kit.h: scratch directory, test keys, images made so far */

/* ---- cells ------------------------------------------------------------------------------- */

/* A line of the language that stands before a device step: the step-th of the script, from 1. */
struct nb_drawn {
    unsigned step;
    char line[NB_TEXT];
};

/* One combination of header values. "" where the script does not name the dimension. */
struct nb_cell {
    struct nb_kit *kit;
    char system[NB_WORD];
    char world[NB_WORD];  /* the world it runs in */
    char device[NB_TEXT]; /* preset or path */
    char part[NB_WORD];
    char scheme[NB_WORD];
    enum nb_size size;
    bool permanent;     /* what `pending` means: `install permanent` */
    bool install_named; /* the script has an `install` line: show it */
    char data[NB_WORD]; /* words of the lines of these names; "": not given */
    char via[NB_WORD];
    char tls[NB_WORD];
    char plugin_case[NB_WORD]; /* of the device file of a plugin (prove/plugin_prove.h) */
    /* replay: the i-th is for the i-th `@flash:*` line, or for the i-th run of a `prove` line */
    struct nb_cut cuts[NB_CUTS];
    size_t cut_count; /* 0: sweep them all */
    bool replay;
    enum nb_tears tears; /* of a `prove` line */
    bool unmasked;       /* it takes nothing for dead */
    const char *map;     /* where its picture goes; NULL: nowhere */
    bool explored; /* not the script itself but a history of it (prove/explore.h): of this seed … */
    uint64_t seed;
    bool drawn_given; /* … with these faults, not with those that the seed draws */
    struct nb_drawn drawn[NB_DRAWN];
    size_t drawn_count;
    bool hash;           /* note a hash of all that happened, and one of the flash journal */
    uint32_t sample;     /* sweeps try each N-th cut only; 0: all */
    const char *journal; /* file that takes the flash journal, a line an operation; NULL: none */
    bool every;          /* sweeps on the board take every cut, not one of each class */
    bool programs;       /* images hold the board's program, as in the cortexm world */
    bool compute; /* compute every hash and signature anew; false: remember them by content */
};

/* ---- outcomes ---------------------------------------------------------------------------- */

enum nb_verdict {
    NB_PASS,
    NB_FAIL,    /* the device did wrong */
    NB_VACUOUS, /* nothing wrong, but a fault never fired */
    NB_SKIP,    /* cannot run here: `reason` says why */
    NB_ERROR,   /* the script or this machine is at fault: `reason` */
};

struct nb_outcome {
    enum nb_verdict verdict;
    char reason[NB_LINE];
    char story[NB_STORY_LINES][NB_LINE]; /* the last lines added */
    size_t story_count;
    char cuts[NB_LINE];    /* "OP.TEAR+OP.fail" that made it fail; "": none */
    struct nb_proof proof; /* of a `prove` line */
    uint64_t points;       /* cuts or errors tried */
    uint64_t validations;  /* images checked in them */
    uint64_t journal_hash; /* under cell->hash: of the flash journal … */
    uint64_t flash_hash;   /* … and of the flash at the end */
    double seconds;
    double longest; /* seconds of the longest device step, where devices are processes */
    char notes[NB_NOTE_LINES][NB_LINE]; /* printed as comments, whatever the verdict */
    size_t note_count;
};

/* Appends a line to the story; the oldest goes when it is full. */
void nb_story_add(struct nb_outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends a diagnostic line; dropped when full. */
void nb_note_add(struct nb_outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets verdict and reason, unless something as bad or worse is there already (ERROR, FAIL,
 * VACUOUS, SKIP, PASS), and puts ">> reason" into the story. */
void nb_outcome_set(struct nb_outcome *outcome, enum nb_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *nb_verdict_word(enum nb_verdict verdict);

/* ---- engines ----------------------------------------------------------------------------- */

/* All return 0 when `outcome` is filled, which they got zeroed; a negative ota_err counts as
 * NB_ERROR. */
int nb_bench_run(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome);
int nb_posix_run(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome);
int nb_virtual_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome);
int nb_cortexm_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome);

/* A monotonic clock, for rates and durations. */
double nb_seconds(void);
/* The processor time of this process, for rates of one core: others may use the machine, too. */
double nb_cpu_seconds(void);

/* The signal that asked the run to stop, or 0. Set by the handler that this installs, so that what
 * was made on the disk can be taken away. */
extern volatile int nb_run_stop;
void nb_run_catch_signals(void);

/* The system whose cloud is played in a cell; NULL: the device's own, for the script names none. */
const char *nb_cell_system(const struct nb_script *script, const struct nb_cell *cell);

/* The device of a cell: preset, or generic from part and scheme (defaults: nrf52840, swap-move,
 * 128 KiB slots), with the script's loader switches, the kit's trusted key and, for scripts with
 * goldens, the goldens' keys. Released with sim_device_free. */
OTA_MUST_CHECK int nb_cell_device(const struct nb_script *script, const struct nb_cell *cell,
                                  struct sim_device *out, struct flash_text_error *error);

/* ---- events ------------------------------------------------------------------------------ */

/* Events are lines as the device process writes them ("boot 2.0.0 trial test"), or cloud lines
 * (anycloud_cloud.h), in the order in which they happened. The bench makes the same lines. */

/* Does `line` of the device (or of the cloud) meet `expect`? */
bool nb_expect_matches(const struct nb_expect *expect, const char *line, bool from_cloud);

/* The `boot` event line of a boot that succeeded: "boot 2.0.0 trial test resumed". */
void nb_event_boot(const struct boot_result *result, char *out, size_t size);

/* "1.2.3" without the build number. */
void nb_version_print(const struct img_version *version, char *out, size_t size);

/* ---- verbs ------------------------------------------------------------------------------- */

int nb_cmd_run(int argc, char **argv);
int nb_cmd_replay(int argc, char **argv);

/* For `nobrick list scenarios`: "PATH title" of every script in the data directory. */
int nb_list_scenarios(void (*line)(void *context, const char *text), void *context);

#endif
