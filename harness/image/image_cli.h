/* The parts of the verb `nobrick image`. Private to harness/image.
 *
 * Each takes argv[0] = its own name and returns the exit code: 0, 1 refused, 2 usage or bad file.
 * Whatever fails says so in one line on stderr. */
#ifndef NOBRICK_HARNESS_IMAGE_IMAGE_CLI_H
#define NOBRICK_HARNESS_IMAGE_IMAGE_CLI_H

#include "agent/image/mcuboot.h"
#include "harness/image/hex.h"

#include <getopt.h>
#include <stdio.h>

#define NB_IMAGE_FILE_MAX (256u << 20)

int nb_image_cmd_create(int argc, char **argv);
int nb_image_cmd_pad(int argc, char **argv);
int nb_image_cmd_pack(int argc, char **argv);
int nb_image_cmd_diff(int argc, char **argv);
int nb_image_cmd_patch(int argc, char **argv);
int nb_image_cmd_hex2bin(int argc, char **argv);
int nb_image_cmd_bin2hex(int argc, char **argv);
int nb_image_cmd_merge(int argc, char **argv);
int nb_image_cmd_factory(int argc, char **argv);
int nb_image_cmd_store(int argc, char **argv);
int nb_image_cmd_sign(int argc, char **argv);
int nb_image_cmd_verify(int argc, char **argv);
int nb_image_cmd_show(int argc, char **argv);

/* Prints `nobrick image PART: …` and a line end on stderr; returns 2. */
int nb_image_complain(const char *part, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Gives each option of argv but 'h' to `take`, which returns 0, or 2 after saying what is wrong.
 * 'h' sets *help, and nothing more is looked at. Behind the options stand `files` names, 0, 1 or
 * NB_IMAGE_FILES (whoever calls counts them), the first at argv[optind]. Returns 0, or 2 after
 * saying what is wrong. */
#define NB_IMAGE_FILES (-1)
struct nb_image_options {
    const char *part;
    const struct option *options;           /* long ones; 'o', 'k' and 'h' may be written short */
    int (*take)(void *context, int option); /* NULL: there are no others */
    void *context;
    bool *help;
    int files;
};
int nb_image_take_options(const struct nb_image_options *wanted, int argc, char **argv);

/* Reads the file, or prints why not. 0 or OTA_E_IO. */
OTA_MUST_CHECK int nb_image_read(const char *part, const char *path, uint8_t **data, size_t *size);

/* Adds all that these Intel HEX files hold. Returns 0, or 2 after saying what is wrong. */
int nb_image_read_hex(const char *part, char **paths, int count, struct nb_hex *hex);

/* Writes the file as nb_atomic_file_write does. Returns 0, or 2 after saying why not. */
int nb_image_write(const char *part, const char *path, const void *data, size_t size);

/* Prints `nobrick image PART: FILE: refused: WORD at offset 0x… (FIELD): text` on stderr. */
void nb_image_print_refusal(const char *part, const char *path, int err,
                            const struct img_fault *fault);

/* Number with an optional 0x and an optional K or M behind it. */
OTA_MUST_CHECK int nb_image_parse_size(const char *text, uint64_t max, uint64_t *out);

/* "1.2.3", with "+4" when there is a build number. */
#define NB_VERSION_TEXT 32
void nb_version_print_full(const struct img_version *version, char out[NB_VERSION_TEXT]);

#endif
