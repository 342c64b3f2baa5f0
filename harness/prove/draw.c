#include "harness/prove/draw.h"
#include "harness/faults/fault.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_FAULTS 6u

/* ---- words ------------------------------------------------------------------------------- */

struct drawing {
    struct choice *choice;
    const struct nb_script_verb *verb;
    uint32_t operations;
    uint32_t chunks;
    bool placed; /* a place was drawn: it has said the @ */
    char *out;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct drawing *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(d->out + d->used, NB_TEXT - d->used, format, arguments);
    va_end(arguments);
    d->used += length > 0 && (size_t)length < NB_TEXT - d->used ? (size_t)length : 0;
}

static uint32_t one_of(struct drawing *d, const uint32_t *values, uint32_t count)
{
    return values[choose(d->choice, count)];
}

static void draw_number(struct drawing *d)
{
    bool chunk = d->verb->kind == NB_FAULT_CHUNK;
    if (chunk && choose(d->choice, 4) == 0)
        put(d, "0"); /* the one that says what is to come */
    else
        put(d, "%u", choose(d->choice, (chunk ? d->chunks : d->operations) + 1));
}

static void draw_place(struct drawing *d)
{
    d->placed = true;
    if (choose(d->choice, 3) == 0)
        put(d, "@connect:%u", 1 + choose(d->choice, 4));
    else
        put(d, "@body:%u%%", choose(d->choice, 100));
}

static void draw_talk(struct drawing *d, const char *word)
{
    put(d, "%s%s", d->placed ? "" : "@", word);
}

/* What it counts depends on the fault. */
static void draw_value(struct drawing *d)
{
    static const uint32_t statuses[] = {404, 500, 503, 403, 400, 204, 412, 416, 429};
    static const uint32_t latencies[] = {1, 20, 300, 2000};
    static const uint32_t rates[] = {20, 2000, 16384, 65536};
    static const uint32_t slices[] = {1000, 100, 17};
    switch (d->verb->variant) {
    case NB_HTTP_STATUS:
    case NB_HTTP_EXPIRE:
        put(d, "%u", one_of(d, statuses, sizeof statuses / sizeof statuses[0]));
        break;
    case NB_NET_LATENCY:
        put(d, "%u", one_of(d, latencies, sizeof latencies / sizeof latencies[0]));
        break;
    case NB_NET_RATE:
        put(d, "%u", one_of(d, rates, sizeof rates / sizeof rates[0]));
        break;
    case NB_NET_SLICE:
        put(d, "%u", one_of(d, slices, sizeof slices / sizeof slices[0]));
        break;
    default:
        put(d, "%u", 1 + choose(d->choice, 24)); /* the N-th packet */
        break;
    }
}

static void draw_tear(struct drawing *d)
{
    static const enum flash_tear none = FLASH_TEAR_NONE;
    enum flash_tear tear =
        (enum flash_tear)(none + 1 + choose(d->choice, FLASH_TEAR_COUNT - none - 1));
    put(d, "%s", flash_tear_word(tear));
}

static void draw_bytes(struct drawing *d, uint32_t count)
{
    while (count-- > 0)
        put(d, "%02x", choose(d->choice, 256));
}

/* In place of a chunk: chance, or a message that belongs to somebody else. */
static void draw_hex(struct drawing *d)
{
    static const char *const foreign[] = {"7b7d", "7b224d657373616765223a202248656c6c6f227d",
                                          "4f5441496d616765", "00"};
    if (choose(d->choice, 2) == 0)
        put(d, "%s", foreign[choose(d->choice, sizeof foreign / sizeof foreign[0])]);
    else
        draw_bytes(d, 1 + choose(d->choice, 40));
}

/* A number of `size` bytes, lowest first, that a field might not expect. */
static void draw_field(struct drawing *d, uint32_t size)
{
    static const uint32_t values[] = {0, 1, 8, 31, 33, 255, 4095, 4096, 65535, UINT32_MAX};
    uint32_t value = choose(d->choice, 2) == 0
                         ? choose(d->choice, 40)
                         : one_of(d, values, sizeof values / sizeof values[0]);
    for (; size > 0; size--, value >>= 8)
        put(d, "%02x", value & 0xFF);
}

/* Over a chunk's message: mostly over one field of its header, or over the field's lowest byte. */
static void draw_patch(struct drawing *d)
{
    static const struct {
        uint8_t at;
        uint8_t size;
    } fields[] = {{8, 2}, {12, 2}, {14, 2}, {16, 2}, {18, 4}, {22, 4}, {26, 2}, {28, 2}, {30, 2}};
    uint32_t field = choose(d->choice, sizeof fields / sizeof fields[0] + 2);
    if (field < sizeof fields / sizeof fields[0]) {
        put(d, "%u:", fields[field].at);
        draw_field(d, choose(d->choice, 2) == 0 ? 1 : fields[field].size);
        return;
    }
    bool magic = field == sizeof fields / sizeof fields[0];
    if (magic && choose(d->choice, 2) == 0)
        put(d, "7:"); /* its last letter */
    else
        put(d, "%u:", choose(d->choice, magic ? 8 : 40));
    draw_bytes(d, magic ? 1 : 1 + choose(d->choice, 40));
}

/* A job as it should be, but for one field. */
static void draw_job(struct drawing *d)
{
    static const struct {
        const char *name;
        const char *values[10]; /* the first is the right one; NULL: no more; "": no such field */
    } fields[] = {
        {"Message", {"\"Update Available\"", "\"No Update Available\"", "\"Hello\"", "1", ""}},
        {"Board", {"\"CY8CPROTO_062_4343W\"", "\"CY8CKIT_064\"", "\"\"", "7", ""}},
        {"Version",
         {"\"2.0.0\"", "\"2\"", "\"2.0\"", "\"2.0.0.0\"", "\"2.x.0\"", "\"2.0.70000\"", "\"\"", "2",
          ""}},
        {"Connection", {"\"HTTP\"", "\"MQTT\"", "\"FTP\"", "\"\"", "1", ""}},
        {"Server", {"\"127.0.0.1\"", "\"\"", "1"}},
        {"Port", {"\"80\"", "\"70000\"", "70000", "\"-1\"", "\"8x\"", "99999999999", "\"\""}},
        {"File", {"\"/a\"", "\"\"", "1", ""}},
    };
    const uint32_t count = sizeof fields / sizeof fields[0];
    uint32_t wrong = choose(d->choice, 35); /* there are 32 wrong values; else it is a good one */
    const char *between = "{";
    for (uint32_t i = 0; i < count; i++) {
        uint32_t values = 0;
        while (values < 10 && fields[i].values[values])
            values++;
        uint32_t taken = wrong < values - 1 ? wrong + 1 : 0;
        wrong = wrong < values - 1    ? UINT32_MAX
                : wrong == UINT32_MAX ? wrong
                                      : wrong - (values - 1);
        if (fields[i].values[taken][0] == '\0')
            continue;
        put(d, "%s\"%s\":%s", between, fields[i].name, fields[i].values[taken]);
        between = ",";
    }
    put(d, "}");
}

static void draw_text(struct drawing *d)
{
    static const char *const jobs[] = {"{\"Message\":", "{}", "[]", "no json",
                                       "{\"Message\":\"No Update Available\"}"};
    static const char *const replies[] = {"HTTP/1.1 200 OK\\r\\n\\r\\nhello",
                                          "nonsense\\r\\n\\r\\n",
                                          "HTTP/1.1 100 Continue\\r\\n\\r\\n"};
    if (d->verb->kind != NB_FAULT_NET && choose(d->choice, 3) > 0)
        draw_job(d);
    else if (d->verb->kind != NB_FAULT_NET)
        put(d, "%s", jobs[choose(d->choice, sizeof jobs / sizeof jobs[0])]);
    else
        put(d, "%s", replies[choose(d->choice, sizeof replies / sizeof replies[0])]);
}

/* False: nobody knows how to draw this class. */
static bool draw_word(struct drawing *d, const char *class, size_t length)
{
    static const char *const sides[] = {"broker", "server"};
    static const char *const times[] = {"1s", "30s", "10m", "1h"};
    static const char *const phases[] = {"data", "job", "result"};
#define IS(name) (length == sizeof name - 1 && memcmp(class, name, length) == 0)
    if (IS("N"))
        draw_number(d);
    else if (IS("PLACE"))
        draw_place(d);
    else if (IS("NET"))
        draw_talk(d, "net");
    else if (IS("MQTT"))
        draw_talk(d, "mqtt");
    else if (IS("HTTP"))
        draw_talk(d, "http");
    else if (IS("MS"))
        put(d, "%u", 1 + choose(d->choice, 3000));
    else if (IS("CLOCK"))
        draw_talk(d, "clock");
    else if (IS("DURATION"))
        put(d, "%s", times[choose(d->choice, sizeof times / sizeof times[0])]);
    else if (IS("VALUE"))
        draw_value(d);
    else if (IS("SIDE"))
        put(d, "%s", sides[choose(d->choice, 2)]);
    else if (IS("PHASE"))
        put(d, "%s", phases[choose(d->choice, 3)]);
    else if (IS("COUNT") && choose(d->choice, 4) == 0)
        put(d, "always");
    else if (IS("COUNT"))
        put(d, "%u", 1 + choose(d->choice, 5));
    else if (IS("TEAR"))
        draw_tear(d);
    else if (IS("HEX"))
        draw_hex(d);
    else if (IS("PATCH"))
        draw_patch(d);
    else if (IS("TEXT"))
        draw_text(d);
    else
        return false;
#undef IS
    return true;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* A raw reply is drawn in place of the image. */
static bool is_left_out(const struct drawing *d, const char *element)
{
    return d->verb->kind == NB_FAULT_NET && d->verb->variant == NB_HTTP_RAW &&
           strncmp(element, "[PHASE]", sizeof "[PHASE]" - 1) == 0;
}

/* One element of a pattern: "[PLACE]", "@flash:N", "reset". */
static bool draw_element(struct drawing *d, const char *element, size_t length)
{
    bool optional = element[0] == '[';
    if (is_left_out(d, element) || (optional && choose(d->choice, 2) == 0))
        return true;
    const char *end = element + length - (optional ? 1 : 0);
    const char *class = element + (optional ? 1 : 0);
    if (d->used)
        put(d, " ");
    const char *literal = class;
    while (class < end && !isupper((unsigned char)*class))
        class ++;
    put(d, "%.*s", (int)(class - literal), literal);
    return class == end || draw_word(d, class, (size_t)(end - class));
}

bool nb_draw_line(struct choice *choice, const struct nb_script_verb *verb,
                  const struct nb_draw_room *room, char out[NB_TEXT])
{
    struct drawing d = {.choice = choice,
                        .verb = verb,
                        .operations = room->operations,
                        .chunks = room->chunks,
                        .out = out};
    out[0] = '\0';
    if (verb->group != NB_GROUP_FAULT || strchr(verb->pattern, '*'))
        return false;
    for (const char *at = verb->pattern; *at;) {
        size_t length = strcspn(at, " ");
        if (!draw_element(&d, at, length))
            return false;
        at += length;
        at += *at == ' ';
    }
    return true;
}

/* ---- histories --------------------------------------------------------------------------- */

/* Faults of a family strike at one thing; a history has some families and not the others. */
static unsigned family_of(const struct nb_script_verb *verb)
{
    if (verb->kind == NB_FAULT_CUT || verb->kind == NB_FAULT_FAIL)
        return 0;
    if (verb->kind != NB_FAULT_NET)
        return 1;
    return 2 + (unsigned)nb_fault_rows[verb->variant].talk;
}

#define FAMILIES 5u

/* How often a kind is drawn when it is the only one: some are many faults in one. */
static unsigned weight_of(const struct nb_script_verb *verb)
{
    if (verb->kind == NB_FAULT_CHUNK && verb->variant == NB_CHUNK_PATCH)
        return 16;
    return verb->kind == NB_FAULT_JOB_RAW ? 6 : verb->kind == NB_FAULT_CUT ? 3 : 1;
}

static size_t draw_kind(struct choice *choice, const struct nb_draw_room *room,
                        size_t kinds[NB_VERBS_MAX])
{
    unsigned weights = 0;
    for (size_t i = 0; i < nb_script_verb_count; i++)
        weights += room->usable[i] ? weight_of(&nb_script_verbs[i]) : 0;
    if (weights == 0)
        return 0;
    unsigned drawn = choose(choice, weights);
    for (size_t i = 0; i < nb_script_verb_count; i++) {
        unsigned weight = room->usable[i] ? weight_of(&nb_script_verbs[i]) : 0;
        kinds[0] = i;
        if (drawn < weight)
            break;
        drawn -= weight;
    }
    return 1;
}

/* Kinds that this history has at all; `few`: one. */
static size_t draw_kinds(struct choice *choice, const struct nb_draw_room *room, bool few,
                         size_t kinds[NB_VERBS_MAX])
{
    bool families[FAMILIES];
    size_t count = 0;
    if (few)
        return draw_kind(choice, room, kinds);
    for (size_t i = 0; i < FAMILIES; i++)
        families[i] = choose(choice, 2) == 1;
    for (size_t i = 0; i < nb_script_verb_count; i++)
        if (room->usable[i] && families[family_of(&nb_script_verbs[i])] && choose(choice, 2) == 1)
            kinds[count++] = i;
    return count;
}

static bool is_flash(const struct nb_script_verb *verb)
{
    return family_of(verb) == 0;
}

/* A server that answers a result so has refused it for good: the report is lost, and rightly. */
static bool refuses_the_result(const char *line)
{
    return strstr(line, "http status 4") && strstr(line, " result");
}

size_t nb_draw(struct choice *choice, const struct nb_draw_room *room,
               struct nb_drawn out[NB_DRAWN])
{
    size_t kinds[NB_VERBS_MAX];
    bool few = choose(choice, 3) > 0; /* what a device must bear shows best alone */
    size_t kind_count = draw_kinds(choice, room, few, kinds);
    size_t wanted = few ? 1 : choose(choice, MOST_FAULTS + 1);
    size_t count = 0;
    uint32_t flash_steps = 0; /* one fault of the flash a step is all that the language takes */
    for (size_t i = 0; i < wanted && kind_count > 0 && room->steps > 0; i++) {
        const struct nb_script_verb *verb =
            &nb_script_verbs[kinds[choose(choice, (uint32_t)kind_count)]];
        unsigned step = 1 + choose(choice, room->steps);
        bool flash = is_flash(verb);
        if (!nb_draw_line(choice, verb, room, out[count].line) ||
            refuses_the_result(out[count].line))
            continue;
        if (flash ? (flash_steps & 1u << step % 32) != 0 : !room->networked(room->context, step))
            continue;
        flash_steps |= flash ? 1u << step % 32 : 0;
        out[count++].step = step;
    }
    return count;
}

const char *nb_draw_word(const struct nb_script_verb *verb)
{
    static const char *const chunks[] = {
        [NB_CHUNK_DROP] = "drop",
        [NB_CHUNK_REPEAT] = "repeat",
        [NB_CHUNK_CORRUPT] = "corrupt",
        [NB_CHUNK_RAW] = "raw-chunk",
        [NB_CHUNK_PATCH] = "patch-chunk",
        [NB_CHUNK_LATE] = "late-chunk",
        [NB_CHUNK_JOB] = "job-before-chunk",
    };
    switch (verb->kind) {
    case NB_FAULT_CUT:
        return "cut";
    case NB_FAULT_FAIL:
        return "fail";
    case NB_FAULT_CHUNK:
        return chunks[verb->variant];
    case NB_FAULT_REVERSE:
        return "reverse";
    case NB_FAULT_JOB_SILENT:
        return "silent-job";
    case NB_FAULT_JOB_RAW:
        return "raw-job";
    default:
        return nb_fault_rows[verb->variant].word;
    }
}
