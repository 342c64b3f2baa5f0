/* What a program decides for everything of agent/ that it is linked with: how much it spends on
 * speed and on working memory. One definition in each program, beside its main. */
#ifndef NOBRICK_AGENT_PROGRAM_H
#define NOBRICK_AGENT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ota_program {
    /* ota_crc32_by_nibbles (agent/crc32.h), a library's, or a chip's own. */
    uint32_t (*crc32)(uint32_t crc, const void *data, size_t length);
    /* JSON is read in here (agent/protocol/json_arena.h): aligned for any object, of any size. A
     * document that needs more is refused. NULL and 0: a program that reads none. Where no device
     * knows archives it may be the memory that is their `piece` (struct ota_config): no document is
     * read while a piece of an image waits there. */
    void *json;
    size_t json_size;
    /* The session logs nothing: its notices say all that a program must know. Where the compiler
     * sees the whole program at once, no text of a log line is linked. */
    bool silent;
};

extern const struct ota_program ota_program;

#endif
