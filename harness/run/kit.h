/* What the cells of one scenario share: a scratch directory, a trusted and
 * another P-256 key pair made on the spot, and the images and patches made so far.
 *
 * Nothing in here outlives the process: nb_kit_free removes the directory. */
#ifndef NOBRICK_HARNESS_RUN_KIT_H
#define NOBRICK_HARNESS_RUN_KIT_H

#include "agent/image/harmony.h"
#include "harness/image/patch.h"
#include "harness/run/daemon.h"
#include "harness/run/run.h"

/* NULL, with the reason, when the directory or the keys cannot be made. */
struct nb_kit *nb_kit_new(char *reason, size_t size);
void nb_kit_free(struct nb_kit *kit);

/* The scratch directory; files below it vanish with the kit. */
const char *nb_kit_dir(const struct nb_kit *kit);
/* PEM of the public key that devices trust. */
const char *nb_kit_trusted_key(const struct nb_kit *kit);

/* The kit's own broker on 127.0.0.1, started when it is first asked for, and anew for another kind
 * of TLS. It always has a plain port; `tls_port` is 0 for NB_TLS_NONE. OTA_E_UNSUPPORTED when
 * mosquitto is not installed, OTA_E_IO when it does not start; with a reason. */
OTA_MUST_CHECK int nb_kit_broker(struct nb_kit *kit, enum nb_tls kind, uint16_t *port,
                                 uint16_t *tls_port, char *reason, size_t reason_size);
/* From its start on the broker keeps all that a slow client lets wait, not only as much as by
 * itself. */
void nb_kit_broker_keeps_all(struct nb_kit *kit);

/* Path of a certificate's file ("server", "crt"); the certificates are made when the first path is
 * asked for. OTA_E_IO when they cannot be. */
OTA_MUST_CHECK int nb_kit_cert(struct nb_kit *kit, const char *name, const char *ending, char *out,
                               size_t size);

/* The files of a server under that kind of `tls` line; made as above. */
OTA_MUST_CHECK int nb_kit_tls(struct nb_kit *kit, enum nb_tls kind, struct nb_daemon_tls *tls);

/* An image in memory. */
struct nb_blob {
    const uint8_t *data; /* the kit's, until nb_kit_free */
    uint32_t size;
    uint32_t end; /* of the image proper, without `extra` or the rest of a golden slot */
    uint8_t
        row[IMG_ROW_SIZE]; /* of an image that is kept in a store: what the directory holds of it */
    bool genuine;          /* made with the trusted key (or a golden file) and not tampered with */
    char path[256];        /* the same bytes as a file */
};

/* The bytes of `image` for `device`: a vN with its options, sized as the cell says, or a golden
 * file of the data directory. The same request gives the same bytes. OTA_E_IO, OTA_E_ARGUMENT, …
 * with the reason in `error->message`. */
OTA_MUST_CHECK int nb_kit_image(struct nb_kit *kit, const struct nb_script *script,
                                const struct nb_cell *cell, const struct sim_device *device,
                                const struct nb_image *image, struct nb_blob *out,
                                struct flash_text_error *error);

/* The patch that makes `target` of `base`, two images of this kit. Made once; the bytes are the
 * kit's, until nb_kit_free. OTA_E_NO_SPACE: no memory. */
OTA_MUST_CHECK int nb_kit_patch(struct nb_kit *kit, const struct nb_blob *base,
                                const struct nb_blob *target, struct nb_bytes *out);

#endif
