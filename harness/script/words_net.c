#include "harness/script/word_classes.h"

#include "harness/faults/manifest_lies.h"

#include <string.h>

#define MIN_CHUNK    64u
#define MAX_CHUNK    65536u
#define MAX_SECONDS  20u
#define MIN_URL      30u
#define MAX_URL      500u
#define MIN_MANIFEST 200u
#define MAX_MANIFEST (1024u * 1024u)

const char *const nb_link_words[] = {"", "mqtt", "http", "https", NULL};
const char *const nb_tls_words[] = {"none",     "server",     "client",      "stranger",
                                    "impostor", "unknown-ca", "self-signed", "expired",
                                    "early",    "wrong-name", NULL};

const char *const nb_agent_timing_words[] = {
    "keep-alive", "job-wait",   "data-wait",     "connect-wait", "next-check",
    "retry",      "retry-last", "connect-tries", "data-tries",   NULL};

const char *const nb_tar_words[] = {"",        "good",     "checksum", "no-list",    "size", "name",
                                    "cut-off", "no-image", "version",  "other-core", NULL};

_Static_assert(sizeof nb_tls_words / sizeof nb_tls_words[0] == NB_TLS_KINDS + 1, "a word a kind");
_Static_assert(sizeof nb_tar_words / sizeof nb_tar_words[0] == NB_TAR_OTHER_CORE + 2, "the same");
_Static_assert(sizeof nb_agent_timing_words / sizeof nb_agent_timing_words[0] ==
                   NB_AGENT_TIMINGS + 1,
               "a word a timing");

/* ---- header ------------------------------------------------------------------------------ */

bool nb_take_link(struct nb_line *line, const char *word, size_t length)
{
    return nb_word_index(word, length, nb_link_words) > 0 && nb_word_add(line, word, length);
}

bool nb_take_tls(struct nb_line *line, const char *word, size_t length)
{
    return nb_word_index(word, length, nb_tls_words) >= 0 && nb_word_add(line, word, length);
}

/* 1 to 20 s, or tries: a scenario is for people who wait for it. */
static bool agent_number(struct nb_line *line, bool tries, const char *value, size_t length,
                         uint32_t *out)
{
    if (nb_word_number(value, length, false, out) && *out >= 1 && *out <= MAX_SECONDS)
        return true;
    return nb_word_complain(line, "must be 1 to %u %s", MAX_SECONDS, tries ? "tries" : "seconds");
}

static bool agent_timing(struct nb_line *line, const char *word, size_t length)
{
    const char *equals = memchr(word, '=', length);
    size_t key = equals ? (size_t)(equals - word) : 0;
    int index = key ? nb_word_index(word, key, nb_agent_timing_words) : -1;
    return index >= 0 && agent_number(line, index >= NB_CONNECT_TRIES, equals + 1, length - key - 1,
                                      &line->agent.seconds[index]);
}

/* "board=APP_X": a name that becomes part of topics. */
static bool agent_name(struct nb_line *line, const char *key, const char *word, size_t length,
                       char out[32])
{
    size_t skip = strlen(key);
    if (length <= skip || memcmp(word, key, skip) != 0)
        return false;
    if (length - skip >= 32)
        return nb_word_complain(line, "longer than 31 characters");
    for (size_t i = skip; i < length; i++)
        if (strchr("+#\"\\", word[i]) != NULL)
            return nb_word_complain(line, "not usable in a topic");
    memcpy(out, word + skip, length - skip);
    return true;
}

static bool agent_answer(struct nb_line *line, const char *word, size_t length)
{
    struct nb_agent_switches *agent = &line->agent;
    size_t count = agent->answers.count;
    if (length >= sizeof agent->answer_words[0] || !app_answers_add(&agent->answers, word, length))
        return false;
    memcpy(agent->answer_words[count], word, length);
    return true;
}

bool nb_take_agent_switch(struct nb_line *line, const char *word, size_t length)
{
    static const char chunk[] = "chunk=";
    const size_t skip = sizeof chunk - 1;
    if (nb_word_is(word, length, "direct"))
        line->agent.direct = true;
    else if (nb_word_is(word, length, "send-direct"))
        line->agent.send_direct = true;
    else if (length > skip && memcmp(word, chunk, skip) == 0)
        return (nb_word_number(word + skip, length - skip, true, &line->agent.chunk) &&
                ota_is_chunk_size(line->agent.chunk)) ||
               nb_word_complain(line, "must be 512, 1K, 2K or a multiple of 4K up to 64K");
    else if (nb_word_is(word, length, "no-result"))
        line->agent.no_result = true;
    else if (nb_word_is(word, length, "permanent"))
        line->agent.permanent = true;
    else if (nb_word_is(word, length, "stay"))
        line->agent.stay = true;
    else if (nb_word_is(word, length, "hold"))
        line->agent.hold = true;
    else
        return agent_answer(line, word, length) ||
               agent_name(line, "prefix=", word, length, line->agent.prefix) ||
               agent_name(line, "board=", word, length, line->agent.board) ||
               (!line->complaint[0] && agent_timing(line, word, length));
    return true;
}

/* ---- offers ------------------------------------------------------------------------------ */

bool nb_option_connection(struct nb_line *line, const char *value, size_t length)
{
    int index = nb_word_index(value, length, nb_link_words);
    if (index < NB_LINK_MQTT)
        return nb_word_complain(line, "must be mqtt, http or https");
    line->image.connection = (enum nb_link)index;
    return true;
}

bool nb_option_port(struct nb_line *line, const char *value, size_t length)
{
    line->image.port_closed = nb_word_is(value, length, "closed");
    return line->image.port_closed || nb_word_complain(line, "must be closed");
}

bool nb_option_file(struct nb_line *line, const char *value, size_t length)
{
    if (length < 2 || length >= sizeof line->image.path || value[0] != '/')
        return nb_word_complain(line, "must be a path like /b.bin of at most %d characters",
                                NB_WORD - 1);
    memcpy(line->image.path, value, length);
    line->image.path[length] = '\0';
    return true;
}

bool nb_option_chunk(struct nb_line *line, const char *value, size_t length)
{
    if (nb_word_number(value, length, true, &line->image.chunk) && line->image.chunk >= MIN_CHUNK &&
        line->image.chunk <= MAX_CHUNK)
        return true;
    return nb_word_complain(line, "must be %u to %u bytes", MIN_CHUNK, MAX_CHUNK);
}

bool nb_option_tar(struct nb_line *line, const char *value, size_t length)
{
    int index = nb_word_index(value, length, nb_tar_words);
    if (index <= NB_TAR_NONE)
        return nb_word_complain(line, "must be good, checksum, no-list, size, name, cut-off, "
                                      "no-image, version or other-core");
    line->image.tar = (enum nb_tar)index;
    return true;
}

/* ---- offers by manifest ------------------------------------------------------------------ */

bool nb_option_patch(struct nb_line *line, const char *value, size_t length)
{
    int index = -1;
    if (line->image.base_count == NB_BASES)
        return nb_word_complain(line, "patches to more than %d bases", NB_BASES);
    if (!nb_word_declared(line, value, length, &index))
        return line->complaint[0] ? false : nb_word_complain(line, "must be an image like v1");
    line->image.bases[line->image.base_count++] = index;
    return true;
}

bool nb_option_lie(struct nb_line *line, const char *value, size_t length)
{
    line->image.lie = nb_manifest_lie_find(value, length);
    return line->image.lie || nb_word_complain(line, "no such lie (nobrick list faults)");
}

bool nb_option_url(struct nb_line *line, const char *value, size_t length)
{
    if (nb_word_number(value, length, false, &line->image.url_length) &&
        line->image.url_length >= MIN_URL && line->image.url_length <= MAX_URL)
        return true;
    return nb_word_complain(line, "must be %u to %u characters", MIN_URL, MAX_URL);
}

bool nb_option_manifest(struct nb_line *line, const char *value, size_t length)
{
    if (nb_word_number(value, length, true, &line->image.manifest_size) &&
        line->image.manifest_size >= MIN_MANIFEST && line->image.manifest_size <= MAX_MANIFEST)
        return true;
    return nb_word_complain(line, "must be %u bytes to 1M", MIN_MANIFEST);
}

/* ---- pushes ------------------------------------------------------------------------------ */

/* What a host does wrong, or gives up. */
bool nb_take_push(struct nb_line *line, const char *word, size_t length)
{
    static const char *const aborts[] = {
        "", "abort=prepared", "abort=written", "abort=verified", "abort=pending", NULL};
    static const char piece[] = "piece=";
    const size_t piece_size = sizeof piece - 1;
    struct sim_push_plan *push = &line->step.push;
    int abort = nb_word_index(word, length, aborts);
    if (abort > SIM_ABORT_NEVER)
        push->abort = (enum sim_push_abort)abort;
    else if (nb_word_is(word, length, "crc=wrong"))
        push->wrong_crc = true;
    else if (nb_word_is(word, length, "insists"))
        push->insists = true;
    else if (length > piece_size && memcmp(word, piece, piece_size) == 0)
        return (nb_word_number(word + piece_size, length - piece_size, true, &push->piece) &&
                push->piece >= 1 && push->piece <= SIM_COPY_BUFFER) ||
               nb_word_complain(line, "must be 1 to %u bytes", SIM_COPY_BUFFER);
    else
        return false;
    return true;
}

/* ---- faults of the network --------------------------------------------------------------- */

static bool place_connect(struct nb_line *line, const char *word, size_t length)
{
    if (!nb_word_number(word, length, false, &line->step.fault.at))
        return false;
    line->step.fault.place = NB_PLACE_CONNECT;
    return line->step.fault.at > 0 || nb_word_complain(line, "connections are counted from 1");
}

static bool place_body(struct nb_line *line, const char *word, size_t length)
{
    bool percent = length > 0 && word[length - 1] == '%';
    if (!nb_word_number(word, length - (percent ? 1 : 0), !percent, &line->step.fault.at))
        return false;
    line->step.fault.place = NB_PLACE_BODY;
    line->step.fault.percent = percent;
    return !percent || line->step.fault.at < 100 || nb_word_complain(line, "must be below 100 %%");
}

bool nb_take_place(struct nb_line *line, const char *word, size_t length)
{
    static const char connect[] = "@connect:";
    static const char body[] = "@body:";
    const size_t connect_size = sizeof connect - 1;
    const size_t body_size = sizeof body - 1;
    if (length > connect_size && memcmp(word, connect, connect_size) == 0)
        return place_connect(line, word + connect_size, length - connect_size);
    if (length > body_size && memcmp(word, body, body_size) == 0)
        return place_body(line, word + body_size, length - body_size);
    return false;
}

/* `@net` begins a line; behind a place the @ has been said. */
static bool talk(const struct nb_line *line, const char *word, size_t length, const char *name)
{
    if (line->step.fault.place != NB_PLACE_ANY)
        return nb_word_is(word, length, name);
    return length > 1 && word[0] == '@' && nb_word_is(word + 1, length - 1, name);
}

bool nb_take_net(struct nb_line *line, const char *word, size_t length)
{
    return talk(line, word, length, "net");
}

bool nb_take_mqtt(struct nb_line *line, const char *word, size_t length)
{
    return talk(line, word, length, "mqtt");
}

bool nb_take_http(struct nb_line *line, const char *word, size_t length)
{
    return talk(line, word, length, "http");
}

bool nb_take_clock(struct nb_line *line, const char *word, size_t length)
{
    return talk(line, word, length, "clock");
}

bool nb_take_duration(struct nb_line *line, const char *word, size_t length)
{
    static const struct {
        char letter;
        uint32_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    uint32_t count = 0;
    if (length < 2 || !nb_word_number(word, length - 1, false, &count))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (word[length - 1] != units[i].letter)
            continue;
        line->step.fault.value = count * units[i].ms;
        return (count > 0 && count <= UINT32_MAX / units[i].ms) ||
               nb_word_complain(line, "must be 1s to 49d");
    }
    return false;
}

bool nb_take_side(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"", "broker", "server", NULL};
    int index = nb_word_index(word, length, words);
    if (index > 0)
        line->step.fault.side = (enum nb_fault_side)index;
    return index > 0;
}

bool nb_take_count(struct nb_line *line, const char *word, size_t length)
{
    if (nb_word_is(word, length, "always")) {
        if (line->verb->variant == NB_MQTT_DOUBLE_PUBACK ||
            line->verb->variant == NB_MQTT_DOUBLE_PUBLISH)
            return nb_word_complain(line, "so many copies never end: must be a number");
        line->step.fault.times = NB_FAULT_ALWAYS;
        return true;
    }
    if (!nb_word_number(word, length, false, &line->step.fault.times))
        return false;
    return line->step.fault.times > 0 || nb_word_complain(line, "must be 1 or more");
}

bool nb_take_phase(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"data", "job", "result", NULL};
    int index = nb_word_index(word, length, words);
    if (index >= 0)
        line->step.fault.phase = (enum nb_fault_phase)index;
    return index >= 0;
}

bool nb_take_value(struct nb_line *line, const char *word, size_t length)
{
    if (!nb_word_number(word, length, true, &line->step.value))
        return false;
    line->step.fault.value = line->step.value;
    return line->step.value > 0 || nb_word_complain(line, "must be 1 or more");
}
