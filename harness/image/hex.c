#include "harness/image/hex.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAX 255u
#define LINE_BYTES 16u
#define LINE_TEXT  (2u * LINE_BYTES + 16u)

enum { RECORD_DATA, RECORD_END, RECORD_SEGMENT, RECORD_START_SEGMENT, RECORD_LINEAR, RECORD_START };

/* ---- pieces ------------------------------------------------------------------------------ */

static uint64_t end_of(const struct nb_hex_piece *piece)
{
    return (uint64_t)piece->address + piece->size;
}

/* Makes room for a piece at `index`. */
static struct nb_hex_piece *insert(struct nb_hex *hex, size_t index)
{
    struct nb_hex_piece *grown = realloc(hex->pieces, (hex->count + 1) * sizeof *hex->pieces);
    if (grown == NULL)
        return NULL;
    hex->pieces = grown;
    memmove(grown + index + 1, grown + index, (hex->count - index) * sizeof *grown);
    hex->count++;
    grown[index] = (struct nb_hex_piece){0};
    return &grown[index];
}

static int append(struct nb_hex_piece *piece, const uint8_t *data, uint32_t size)
{
    uint8_t *grown = realloc(piece->data, (size_t)piece->size + size);
    if (grown == NULL)
        return OTA_E_NO_SPACE;
    memcpy(grown + piece->size, data, size);
    piece->data = grown;
    piece->size += size;
    return 0;
}

int nb_hex_add_bytes(struct nb_hex *hex, uint32_t address, const uint8_t *data, uint32_t size,
                     const char *from, char *reason, size_t reason_size)
{
    size_t at = hex->count; /* mostly: files are in order */
    if (size == 0)
        return 0;
    if ((uint64_t)address + size > (uint64_t)UINT32_MAX + 1) {
        snprintf(reason, reason_size, "%s: 0x%08X and %u bytes more is beyond 32 bits", from,
                 address, size);
        return OTA_E_ARGUMENT;
    }
    while (at > 0 && hex->pieces[at - 1].address > address)
        at--;
    for (size_t i = at > 0 ? at - 1 : 0; i < hex->count && i <= at; i++) {
        const struct nb_hex_piece *piece = &hex->pieces[i];
        if (end_of(piece) > address && piece->address < (uint64_t)address + size) {
            snprintf(reason, reason_size,
                     "%.100s: 0x%08X to 0x%08X overlaps %.100s: 0x%08X to 0x%08X", from, address,
                     address + (size - 1), piece->from, piece->address,
                     piece->address + (piece->size - 1));
            return OTA_E_ARGUMENT;
        }
    }
    if (at > 0 && end_of(&hex->pieces[at - 1]) == address && hex->pieces[at - 1].from == from)
        return append(&hex->pieces[at - 1], data, size);
    struct nb_hex_piece *piece = insert(hex, at);
    if (piece == NULL)
        return OTA_E_NO_SPACE;
    piece->address = address;
    piece->from = from;
    return append(piece, data, size);
}

size_t nb_hex_fill(const struct nb_hex *hex, uint32_t address, uint32_t size, uint8_t *out)
{
    size_t outside = 0;
    uint64_t end = (uint64_t)address + size;
    memset(out, 0xFF, size);
    for (size_t i = 0; i < hex->count; i++) {
        const struct nb_hex_piece *piece = &hex->pieces[i];
        uint64_t from = piece->address > address ? piece->address : address;
        uint64_t to = end_of(piece) < end ? end_of(piece) : end;
        outside += piece->address < address || end_of(piece) > end;
        if (from < to)
            memcpy(out + (from - address), piece->data + (from - piece->address),
                   (size_t)(to - from));
    }
    return outside;
}

void nb_hex_free(struct nb_hex *hex)
{
    for (size_t i = 0; i < hex->count; i++)
        free(hex->pieces[i].data);
    free(hex->pieces);
    *hex = (struct nb_hex){0};
}

/* ---- reading ----------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The bytes of a line behind its colon: how many, or -1 and why. */
static int read_line(const char *text, size_t length, uint8_t out[RECORD_MAX + 5], const char **why)
{
    uint8_t sum = 0;
    *why = "expected ':' and pairs of hexadecimal digits";
    if (length < 1 || text[0] != ':' || length % 2 == 0 || length / 2 > RECORD_MAX + 5)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit(text[1 + 2 * i]);
        int low = digit(text[2 + 2 * i]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
        sum = (uint8_t)(sum + out[i]);
    }
    *why = "the line is shorter or longer than it says";
    if (length / 2 < 5 || length / 2 != out[0] + 5u)
        return -1;
    *why = "the checksum is wrong";
    return sum == 0 ? (int)(length / 2) : -1;
}

struct reader {
    struct nb_hex *hex;
    const char *from;
    unsigned line;
    uint32_t upper;
    bool ended;
    char *reason;
    size_t reason_size;
};

static int fail(const struct reader *reader, const char *why)
{
    snprintf(reader->reason, reader->reason_size, "%s:%u: %s", reader->from, reader->line, why);
    return OTA_E_ARGUMENT;
}

static int take_record(struct reader *reader, const uint8_t *record)
{
    uint32_t size = record[0];
    uint32_t value = size >= 2 ? (uint32_t)record[4] << 8 | record[5] : 0;
    uint32_t offset = (uint32_t)record[1] << 8 | record[2];
    switch (record[3]) {
    case RECORD_DATA:
        if (offset + size > 0x10000)
            return fail(reader, "the record runs over a 64 KiB boundary");
        return nb_hex_add_bytes(reader->hex, reader->upper + offset, record + 4, size, reader->from,
                                reader->reason, reader->reason_size);
    case RECORD_END:
        reader->ended = true;
        return size == 0 ? 0 : fail(reader, "the end of the file has data");
    case RECORD_SEGMENT:
    case RECORD_LINEAR:
        if (size != 2)
            return fail(reader, "an upper address has two bytes");
        reader->upper = record[3] == RECORD_LINEAR ? value << 16 : value << 4;
        return 0;
    case RECORD_START_SEGMENT:
    case RECORD_START:
        return size == 4 ? 0 : fail(reader, "a start address has four bytes");
    default:
        return fail(reader, "the type of the record is none of 00 to 05");
    }
}

/* All lines of a file. */
static int read_text(struct reader *reader, const char *text, size_t length)
{
    int err = 0;
    while (err == 0 && length > 0) {
        uint8_t record[RECORD_MAX + 5];
        const char *why;
        const char *newline = memchr(text, '\n', length);
        size_t whole = newline != NULL ? (size_t)(newline - text) + 1 : length;
        size_t line = whole - (newline != NULL);
        reader->line++;
        while (line > 0 && (text[line - 1] == '\r' || text[line - 1] == ' '))
            line--;
        if (line > 0 && reader->ended)
            err = fail(reader, "something follows the end of the file");
        else if (line > 0)
            err = read_line(text, line, record, &why) < 0 ? fail(reader, why)
                                                          : take_record(reader, record);
        text += whole;
        length -= whole;
    }
    return err == 0 && !reader->ended ? fail(reader, "the record that ends the file is missing")
                                      : err;
}

/* By itself first: a piece that overlaps another file's is named as a whole, not by its line. */
int nb_hex_add(struct nb_hex *hex, const char *text, size_t length, const char *from, char *reason,
               size_t reason_size)
{
    struct nb_hex own = {0};
    struct reader reader = {&own, from, 0, 0, false, reason, reason_size};
    int err = read_text(&reader, text, length);
    for (size_t i = 0; err == 0 && i < own.count; i++)
        err = nb_hex_add_bytes(hex, own.pieces[i].address, own.pieces[i].data, own.pieces[i].size,
                               from, reason, reason_size);
    nb_hex_free(&own);
    return err;
}

/* ---- writing ----------------------------------------------------------------------------- */

static size_t print_record(char *out, uint8_t type, uint16_t address, const uint8_t *data,
                           uint8_t size)
{
    uint8_t sum = (uint8_t)(size + (address >> 8) + address + type);
    size_t used = (size_t)sprintf(out, ":%02X%04X%02X", size, address, type);
    for (uint8_t i = 0; i < size; i++) {
        used += (size_t)sprintf(out + used, "%02X", data[i]);
        sum = (uint8_t)(sum + data[i]);
    }
    return used + (size_t)sprintf(out + used, "%02X\n", (uint8_t)-sum);
}

int nb_hex_print(const struct nb_hex *hex, char **out, size_t *length)
{
    size_t records = 2;
    uint32_t upper = 0;
    for (size_t i = 0; i < hex->count; i++)
        records += 3u + hex->pieces[i].size / LINE_BYTES + hex->pieces[i].size / 0x8000u;
    char *text = malloc(records * LINE_TEXT);
    size_t used = 0;
    if (text == NULL)
        return OTA_E_NO_SPACE;
    for (size_t i = 0; i < hex->count; i++) {
        const struct nb_hex_piece *piece = &hex->pieces[i];
        for (uint32_t done = 0; done < piece->size;) {
            uint32_t address = piece->address + done;
            uint32_t size = piece->size - done < LINE_BYTES ? piece->size - done : LINE_BYTES;
            uint32_t room = 0x10000u - (address & 0xFFFFu);
            if (size > room)
                size = room;
            if (address >> 16 != upper) {
                upper = address >> 16;
                const uint8_t bytes[2] = {(uint8_t)(upper >> 8), (uint8_t)upper};
                used += print_record(text + used, RECORD_LINEAR, 0, bytes, 2);
            }
            used += print_record(text + used, RECORD_DATA, (uint16_t)address, piece->data + done,
                                 (uint8_t)size);
            done += size;
        }
    }
    used += print_record(text + used, RECORD_END, 0, NULL, 0);
    *out = text;
    *length = used;
    return 0;
}
