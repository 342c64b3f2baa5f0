/* Cloud sides as a run has them: one row a system says what stands on the run's broker and servers,
 * and what is on offer there. Whose cloud a device gets is a matter of its system (nb_side_find);
 * net.c, and all else that runs scenarios, knows no system. A new one is a file with a row, and a
 * line in the table of side.c. Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_SIDE_H
#define NOBRICK_HARNESS_RUN_SIDE_H

#include "harness/run/net.h"

/* What a `cloud …` line puts on offer. */
struct nb_offered {
    enum nb_step_kind kind;         /* NB_CLOUD_OFFER, ADD, ERASE or NONE */
    struct img_version erased;      /* ERASE */
    const struct nb_image *image;   /* OFFER, ADD; else NULL */
    const struct nb_blob *blob;     /* its bytes; the kit's */
    const struct nb_image *bases;   /* of its patches, in the order of image->bases … */
    const struct nb_blob *sources;  /* … their bytes … */
    const struct nb_bytes *patches; /* … and the patches from them; the kit's */
    const char *board;
};

struct nb_side {
    const char *system;    /* as device files say it */
    const char *device;    /* the preset of a script that names none */
    bool has_broker;       /* jobs may come by MQTT */
    enum nb_link via;      /* how devices ask for a job when the script does not say it */
    enum nb_link data;     /* what carries the image then; NONE: what carried the job */
    const char *job_path;  /* over HTTP: what is no data */
    const char *real_jobs; /* why somebody else's server cannot have the job, or NULL */
    /* Why this step cannot be played, or NULL. */
    const char *(*cannot)(const struct nb_script *script, const struct nb_step *step);
    /* net->cloud, and what it has on the broker. With a reason. */
    int (*start)(struct nb_net *net, const struct sim_device *device, char reason[NB_LINE]);
    /* What it has on an HTTP server; net->cloud is there. */
    int (*serve)(struct nb_net *net, const struct nb_peer_server *peer);
    /* net->cloud is NULL afterwards; it may be NULL before. The servers are still there. */
    void (*stop)(struct nb_net *net);
    /* An event of the broker's connection. NULL: there is none. */
    void (*event)(struct nb_net *net, const struct ota_event *event);
    /* From now on; sets net->offered_size. With a reason where it can be told. */
    int (*offer)(struct nb_net *net, const struct nb_offered *offered, char reason[NB_LINE]);
    /* May what is on offer be refused, or the image not come as it is, for what the offer says of
     * it? NULL: never. */
    bool (*is_lie)(const struct nb_image *image);
    /* Arms a fault that no proxy plays, for the next device step. NULL: `cannot` names them all. */
    int (*arm)(struct nb_net *net, const struct nb_step *step);
    /* The device step is over: how many of those never fired, and the word of one. They are armed
     * no more. NULL: there are none. */
    size_t (*end_step)(struct nb_net *net, const char **word);
    /* What it knows of devices (anycloud_cloud.h); NULL: nothing. */
    void (*memory)(const struct nb_net *net, struct anycloud_memory *out);
    void (*recall)(struct nb_net *net, const struct anycloud_memory *memory);
};

extern const struct nb_side nb_side_anycloud;
extern const struct nb_side nb_side_harmony;

/* The row of a system, or NULL: nobody plays its cloud. */
const struct nb_side *nb_side_find(const char *system);

#endif
