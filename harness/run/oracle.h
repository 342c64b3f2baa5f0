/* The oracle: a small executable model of what an update may do, always on.
 *
 * Engines tell it what the harness did to the device (images put down, offered, damaged), every
 * event line in order, and now and then what lies in flash. It says when the device did what no
 * scenario may allow:
 *
 *   1 a boot finds no image, although nobody destroyed the primary slot; only a boot in which the
 *     flash fails may end without one, and the next must go on
 *   2 an image runs that nobody put down or offered, or that is not genuine
 *   3 a confirmed image gives way to one that was neither pending nor offered
 *   4 an unconfirmed image is not reverted at the next boot, or confirms itself; only a cut in what
 *     may have been its confirmation leaves both open
 *   5 an image runs that was refused, and for which no new job came since
 *   6 Success is reported for what does not run confirmed, or without a job; Failure for what runs
 *     confirmed
 *   7 the bootloader's region changed
 *   8 progress claims more than lies in flash; what was changed on its way cannot be compared, nor
 *     an archive, whose chunks lie as they come until the first one says that it is one
 *   9 what lies in the primary slot is not, byte for byte, the image that boots
 *  10 the device does what its flash part forbids
 *  11 the agent rejects for what it is an image that is genuine, came as it is, and lay in flash
 *     that kept what it was given
 *  12 the loader refuses what the agent has just handed over as good
 *
 * A plain struct without pointers into itself: an engine that branches copies it. The image bytes
 * it points to are the caller's. */
#ifndef NOBRICK_HARNESS_RUN_ORACLE_H
#define NOBRICK_HARNESS_RUN_ORACLE_H

#include "harness/run/run.h"

#define NB_ORACLE_IMAGES 24

struct nb_oracle_image {
    struct img_version version;
    const uint8_t *data; /* NULL: content not checked */
    uint32_t size;
    uint32_t end; /* without what was appended behind the image; 0: `size` */
    bool packed;  /* it comes in an archive, whose bytes progress counts */
    bool genuine;
    bool stored;  /* in a store, and may run when its turn comes */
    bool refused; /* by loader or agent, and not accepted since */
};

/* What a device step can do to the image on trial. */
enum nb_oracle_confirms {
    NB_CONFIRMS_NOTHING,    /* a boot, a request */
    NB_CONFIRMS_AT_ONCE,    /* the step is the confirmation */
    NB_CONFIRMS_AFTER_BOOT, /* an application runs once the loader is done */
};

struct nb_oracle {
    bool reverts;   /* the scheme gives one trial */
    bool validates; /* the primary is checked at every boot */
    bool ranks;     /* images are kept in a store, and the newest good one runs */
    struct nb_oracle_image images[NB_ORACLE_IMAGES];
    size_t image_count;
    int offered;          /* index, or -1 */
    int in_slot[2];       /* what the harness put there last, or -1 */
    bool primary_damaged; /* by the harness: no image is no wonder */
    bool has_confirmed;   /* `confirmed` is valid */
    struct img_version confirmed;
    bool has_running;
    struct img_version running;
    bool running_trial;
    bool has_pending; /* an installation was asked for and not seen yet */
    struct img_version pending;
    bool has_job;
    struct img_version job;
    bool refused_since_job;           /* by agent or loader */
    bool asking;                      /* the agent is at asking the loader for the job's image */
    bool may_have_asked;              /* … and a cut fell there */
    enum nb_oracle_confirms confirms; /* the present device step */
    bool booted_in_step;
    bool flash_fails; /* an operation of the present boot returned an error, or of what went before
                       */
    bool cut_since_boot;
    bool cut_in_confirmation; /* … that may have taken place */
    bool reoffered;           /* another image: what was fetched before may not be of it */
    bool progress_untold;     /* since the boot nothing was said of what was fetched before it */
    bool progress_live;       /* `progress` speaks of the present content of the secondary */
    uint32_t progress;
    bool was_tampered; /* … before it was rejected in this life: a cut may leave it there */
    bool tampered;     /* what comes, or lies in the secondary, was changed on its way */
    bool unkept;       /* … or the flash did not keep it, and said nothing */
    bool own_checks;   /* the application does some of the agent's work: rules 11, 12 are off */
    bool handed_over;  /* the agent asked for an installation, and nothing befell it since */
    char violation[NB_LINE]; /* the first one; "" */
};

void nb_oracle_init(struct nb_oracle *oracle, bool reverts, bool validates);

/* The harness put `image` into a slot like a factory or programmer, with the trailer as said. */
void nb_oracle_put(struct nb_oracle *oracle, unsigned slot, const struct nb_oracle_image *image,
                   bool pending, bool confirmed);
/* The cloud offers `image` from now on; NULL: nothing. */
void nb_oracle_offer(struct nb_oracle *oracle, const struct nb_oracle_image *image);
/* The harness erased the slot, flipped a bit or broke a unit in it. */
void nb_oracle_damage(struct nb_oracle *oracle, unsigned slot);
/* A device step begins. */
void nb_oracle_step(struct nb_oracle *oracle, enum nb_oracle_confirms confirms);
/* The power was or will be cut in what happens next (the bench calls it for each cut). */
void nb_oracle_cut(struct nb_oracle *oracle);

/* The image's bytes are changed on their way to the device: what lies in flash may be others, until
 * the device rejects them or something else boots. */
void nb_oracle_tampered(struct nb_oracle *oracle);
/* An operation of the flash did nothing or half of what it was to do, and will not say so. */
void nb_oracle_unkept(struct nb_oracle *oracle);
/* An operation of the flash has returned an error to the device. */
void nb_oracle_flash_error(struct nb_oracle *oracle);

/* One event line of the device. Lines that say nothing to the oracle are ignored. */
void nb_oracle_event(struct nb_oracle *oracle, const char *line);

/* What lies in flash now that the device rests. */
struct nb_oracle_view {
    const uint8_t *primary;
    uint32_t primary_size;
    const uint8_t *secondary;
    uint32_t secondary_size;
    bool loader_changed;
};
void nb_oracle_flash(struct nb_oracle *oracle, const struct nb_oracle_view *view);

/* How many of the image's bytes lie where they belong in the `size` bytes of a slot or place. The
 * image's data is known. */
uint32_t nb_oracle_equal_bytes(const struct nb_oracle_image *image, const uint8_t *bytes,
                               uint32_t size);

/* The first violation, one line, or NULL. */
const char *nb_oracle_violation(const struct nb_oracle *oracle);

#endif
