/* The lines of a text that describes a device: words, numbers, parts and regions on them.
 *
 * Shared by the device file and by other descriptions that name parts in the same way. A line is
 * split in place: its words point into the text. Every failure fills `error` with line and column
 * and returns OTA_E_ARGUMENT. */
#ifndef NOBRICK_SIM_DEVICE_WORDS_H
#define NOBRICK_SIM_DEVICE_WORDS_H

#include "sim/device.h"

#define SIM_MAX_WORDS 7u
#define SIM_MAX_TEXT  65536u

struct sim_word {
    const char *text;
    size_t length;
    unsigned column; /* 1-based */
};

struct sim_words {
    struct flash_text_error *error;
    unsigned number;   /* of the line, 1-based: the caller counts */
    const char *start; /* of the line */
    struct sim_word words[SIM_MAX_WORDS];
    size_t count;
    struct sim_word rest; /* the whole value: everything after the first word */
};

int sim_fail_at(struct flash_text_error *error, unsigned line, unsigned column, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

bool sim_is_blank(char c);
bool sim_word_is(const struct sim_word *word, const char *text);

/* Splits the line into words; a `#` at the start of a word begins a comment. */
OTA_MUST_CHECK int sim_words_split(struct sim_words *line, const char *text, size_t length);
/* Are there `least` to `most` words behind the first one? Else "expected: KEY usage". */
OTA_MUST_CHECK int sim_words_expect(struct sim_words *line, size_t least, size_t most,
                                    const char *usage);
/* Decimal or 0x hexadecimal, with K or M for 1024 and 1024 * 1024. */
OTA_MUST_CHECK int sim_words_number(struct sim_words *line, const struct sim_word *word,
                                    uint32_t *out);
/* part NAME [SIZE]: the next chip of the device, cut to that size. */
OTA_MUST_CHECK int sim_words_part(struct sim_words *line, const char *parts_dir,
                                  struct sim_device *device);
/* CHIP OFFSET SIZE, from word `first` on: whole erase sectors of a chip that the device has. CHIP
 * is a part's name, or NAME#2 for the second chip of that name. `name` is the region's, for
 * messages. */
OTA_MUST_CHECK int sim_words_region(struct sim_words *line, size_t first, const char *name,
                                    const struct sim_device *device, struct sim_region *out);

/* The text of the file at `path`, in `buffer` of SIM_MAX_TEXT + 1 bytes. Also OTA_E_IO, with the
 * system's reason in `error->message`; line and column are 0. */
OTA_MUST_CHECK int sim_text_read(const char *path, char *buffer, size_t *length,
                                 struct flash_text_error *error);
/* Paths in a file are relative to it: `path` as seen from the file at `file`. */
OTA_MUST_CHECK int sim_path_beside(const char *file, const char *path, char *out, size_t size);

#endif
