#include "harness/script/words.h"
#include "harness/script/word_classes.h"
#include "sim/systems.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool nb_word_complain(struct nb_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->complaint, sizeof line->complaint, format, arguments);
    va_end(arguments);
    return false;
}

bool nb_word_is(const char *word, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

int nb_word_index(const char *word, size_t length, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (nb_word_is(word, length, list[i]))
            return i;
    return -1;
}

bool nb_word_number(const char *word, size_t length, bool units, uint32_t *out)
{
    char text[24];
    if (length == 0 || length >= sizeof text || !isdigit((unsigned char)word[0]))
        return false;
    memcpy(text, word, length);
    text[length] = '\0';
    char *end = NULL;
    bool hex = length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned long long value = strtoull(text, &end, hex ? 16 : 10);
    if (units && *end == 'K') {
        value *= 1024;
        end++;
    } else if (units && *end == 'M') {
        value *= 1024 * 1024;
        end++;
    }
    if (*end != '\0' || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* ---- lists of the header ----------------------------------------------------------------- */

bool nb_word_add(struct nb_line *line, const char *word, size_t length)
{
    if (length >= NB_WORD)
        return nb_word_complain(line, "longer than %d characters", NB_WORD - 1);
    if (line->list.count == NB_LIST)
        return nb_word_complain(line, "more than %d values", NB_LIST);
    for (size_t i = 0; i < line->list.count; i++)
        if (nb_word_is(word, length, line->list.items[i]))
            return nb_word_complain(line, "given twice");
    char *item = line->list.items[line->list.count++];
    memcpy(item, word, length);
    item[length] = '\0';
    return true;
}

static bool add_known(struct nb_line *line, const char *word, size_t length,
                      const char *const *list)
{
    return nb_word_index(word, length, list) >= 0 && nb_word_add(line, word, length);
}

static const char *const system_words[] = {"anycloud", "harmony", "aliyun", "uota", "ameba", NULL};
static const char *const world_words[] = {"virtual", "posix", "cortexm", NULL};
static const char *const scheme_words[] = {
    "overwrite", "swap-move", "swap-scratch", "swap-status",  "swap-offset", "direct-xip",
    "ranked",    "candidate", "restore",      "signature-ab", NULL};
static const char *const size_words[] = {"smaller", "equal", "larger", "maximal", NULL};
static const char *const install_words[] = {"test", "permanent", NULL};

static bool any_or(struct nb_line *line, const char *word, size_t length)
{
    if (!nb_word_is(word, length, "*"))
        return false;
    if (line->list.count)
        return nb_word_complain(line, "* stands alone");
    line->list.any = true;
    return true;
}

static bool take_requirement(struct nb_line *line, const char *word, size_t length)
{
    size_t i = 0;
    while (i < length && isupper((unsigned char)word[i]))
        i++;
    if (i == 0 || i + 1 >= length || word[i] != '-')
        return false;
    for (i++; i < length; i++)
        if (!isdigit((unsigned char)word[i]))
            return false;
    return nb_word_add(line, word, length);
}

static bool take_system(struct nb_line *line, const char *word, size_t length)
{
    return add_known(line, word, length, system_words);
}

static bool take_world(struct nb_line *line, const char *word, size_t length)
{
    return add_known(line, word, length, world_words);
}

/* A name goes into the list of a header line, or is the golden file of a step. */
static bool take_name(struct nb_line *line, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)word[i]) && !strchr("._-/", word[i]))
            return line->verb->group == NB_GROUP_HEADER && any_or(line, word, length);
    if (line->list.any)
        return nb_word_complain(line, "* stands alone");
    if (line->verb->group == NB_GROUP_HEADER)
        return nb_word_add(line, word, length);
    if (length >= sizeof line->image.file)
        return nb_word_complain(line, "longer than %zu characters", sizeof line->image.file - 1);
    memcpy(line->image.file, word, length);
    line->image.file[length] = '\0';
    if (word[0] == '/' || strstr(line->image.file, "..") != NULL)
        return nb_word_complain(line, "not a file below scenarios/golden");
    line->names_image = true;
    line->has_options = true;
    return true;
}

static bool take_scheme(struct nb_line *line, const char *word, size_t length)
{
    if (line->list.any)
        return nb_word_complain(line, "* stands alone");
    return add_known(line, word, length, scheme_words) || any_or(line, word, length);
}

static bool take_size(struct nb_line *line, const char *word, size_t length)
{
    return add_known(line, word, length, size_words);
}

static bool take_install(struct nb_line *line, const char *word, size_t length)
{
    return add_known(line, word, length, install_words);
}

static bool take_bytes(struct nb_line *line, const char *word, size_t length)
{
    if (!nb_word_number(word, length, true, &line->bytes))
        return false;
    if (line->bytes < 4096 || line->bytes > NB_MAX_PAYLOAD)
        return nb_word_complain(line, "must be 4K to 16M");
    return true;
}

static bool take_switch(struct nb_line *line, const char *word, size_t length)
{
    if (nb_word_is(word, length, "counter"))
        line->switches.counter = true;
    else if (nb_word_is(word, length, "no-validate"))
        line->switches.no_validate = true;
    else if (nb_word_is(word, length, "accept-older"))
        line->switches.accept_older = true;
    else
        return false;
    return true;
}

/* ---- steps ------------------------------------------------------------------------------- */

static bool take_trailer(struct nb_line *line, const char *word, size_t length)
{
    if (nb_word_is(word, length, "pending"))
        line->step.pending = true;
    else if (nb_word_is(word, length, "confirmed"))
        line->step.confirmed = true;
    else if (nb_word_is(word, length, "permanent") && line->step.pending)
        line->step.permanent = true;
    else
        return false;
    return true;
}

/* What the application does while `prove` cuts. */
static bool take_app(struct nb_line *line, const char *word, size_t length)
{
    bool rolls_back = nb_word_is(word, length, "rollback");
    if (rolls_back || nb_word_is(word, length, "factory-reset")) {
        line->step.pending = line->step.permanent = true;
        line->step.call = rolls_back ? SIM_ACT_ROLL_BACK : SIM_ACT_FACTORY_RESET;
        return true;
    }
    if (!nb_word_is(word, length, "confirm"))
        return !nb_word_is(word, length, "confirmed") && take_trailer(line, word, length);
    line->step.confirmed = true;
    return true;
}

static bool take_slot(struct nb_line *line, const char *word, size_t length)
{
    if (!nb_word_is(word, length, "slot0") && !nb_word_is(word, length, "slot1"))
        return false;
    line->step.slot = word[4] == '1';
    return true;
}

static bool take_number(struct nb_line *line, const char *word, size_t length)
{
    return nb_word_number(word, length, false, &line->step.value);
}

static bool take_offset(struct nb_line *line, const char *word, size_t length)
{
    line->step.from_end = length > 1 && word[0] == '-' && line->verb->group == NB_GROUP_STEP;
    size_t skip = line->step.from_end ? 1 : 0;
    if (!nb_word_number(word + skip, length - skip, true, &line->step.value))
        return false;
    line->step.expect.value = line->step.value;
    return true;
}

static bool take_tear(struct nb_line *line, const char *word, size_t length)
{
    enum flash_tear tear = flash_tear_from_word(word, length);
    if (tear == FLASH_TEAR_COUNT || tear == FLASH_TEAR_NONE)
        return false;
    line->step.tear = tear;
    return true;
}

static bool take_tears(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"clean", "weak", "disturb", NULL};
    int index = nb_word_index(word, length, words);
    line->step.tears = index > 0 ? (enum flash_tears)index : FLASH_TEARS_CLEAN;
    return index > 0;
}

static bool take_failure(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"error", "silent", "partial", NULL};
    int index = nb_word_index(word, length, words);
    line->step.failure = index > 0 ? (enum flash_failure)index : FLASH_FAIL_ERROR;
    return index > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_hex(struct nb_line *line, const char *word, size_t length)
{
    if (length % 2)
        return nb_word_complain(line, "an odd number of digits");
    if (length / 2 > sizeof line->step.raw)
        return nb_word_complain(line, "more than %d bytes", NB_RAW);
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(word[i]);
        int low = hex_digit(word[i + 1]);
        if (high < 0 || low < 0)
            return false;
        line->step.raw[i / 2] = (uint8_t)(high << 4 | low);
    }
    line->step.raw_size = length / 2;
    return true;
}

static bool take_patch(struct nb_line *line, const char *word, size_t length)
{
    const char *colon = memchr(word, ':', length);
    size_t before = colon ? (size_t)(colon - word) : 0;
    if (!colon || before + 1 == length ||
        !nb_word_number(word, before, false, &line->step.patch_at))
        return false;
    return take_hex(line, colon + 1, length - before - 1);
}

/* What never comes must be something that could come: the first words of what cloud, servers and
 * proxies say. */
static bool begins_cloud_line(const char *text, size_t length)
{
    static const char *const words[] = {"connected", "closed",  "available", "offered",
                                        "no-update", "request", "chunk",     "chunk-request",
                                        "sent",      "result",  "fault",     "bad",
                                        "http",      "nginx",   NULL};
    const char *blank = memchr(text, ' ', length);
    return nb_word_index(text, blank ? (size_t)(blank - text) : length, words) >= 0;
}

static bool take_ms(struct nb_line *line, const char *word, size_t length)
{
    return nb_word_number(word, length, false, &line->step.patch_at);
}

static bool take_text(struct nb_line *line, const char *word, size_t length)
{
    bool expects = line->verb->group == NB_GROUP_EXPECT;
    size_t room = line->verb->group == NB_GROUP_FAULT ? NB_JOB : NB_TEXT;
    if (length >= room)
        return nb_word_complain(line, "longer than %zu characters", room - 1);
    if (expects && line->verb->variant && !begins_cloud_line(word, length))
        return nb_word_complain(line, "no line of the cloud begins so, ever");
    char *to = expects ? line->step.expect.text : line->step.raw_text;
    memcpy(to, word, length);
    to[length] = '\0';
    return true;
}

/* ---- expectations ------------------------------------------------------------------------ */

static bool take_version(struct nb_line *line, const char *word, size_t length)
{
    struct nb_expect *expect = &line->step.expect;
    if (expect->version_count == NB_ALTERNATIVES)
        return nb_word_complain(line, "more than %d alternatives", NB_ALTERNATIVES);
    struct img_version *out = &expect->versions[expect->version_count];
    int index = -1;
    if (nb_word_declared(line, word, length, &index))
        *out = line->known->images[index].version;
    else if (line->complaint[0] || !nb_word_version(word, length, out))
        return false;
    expect->version_count++;
    return true;
}

static bool take_versions(struct nb_line *line, const char *word, size_t length)
{
    while (length) {
        const char *bar = memchr(word, '|', length);
        size_t part = bar ? (size_t)(bar - word) : length;
        if (!take_version(line, word, part))
            return false;
        length -= part;
        word += part;
        if (bar && --length == 0)
            return false;
        word += bar ? 1 : 0;
    }
    return true;
}

static bool take_status(struct nb_line *line, const char *word, size_t length)
{
    if (nb_word_is(word, length, "trial"))
        line->step.expect.status = NB_STATUS_TRIAL;
    else if (nb_word_is(word, length, "confirmed"))
        line->step.expect.status = NB_STATUS_CONFIRMED;
    else
        return false;
    return true;
}

static bool expect_word(struct nb_line *line, const char *word, size_t length)
{
    memcpy(line->step.expect.word, word, length);
    line->step.expect.word[length] = '\0';
    return true;
}

static bool take_error(struct nb_line *line, const char *word, size_t length)
{
#define ERROR_WORD(name, short_word, text) short_word,
    static const char *const words[] = {"ok", OTA_ERR_LIST(ERROR_WORD) NULL};
#undef ERROR_WORD
    return nb_word_index(word, length, words) >= 0 && expect_word(line, word, length);
}

static bool take_event(struct nb_line *line, const char *word, size_t length)
{
    for (unsigned event = 0; event < OTA_SERVICE_NONE; event++)
        if (nb_word_is(word, length, ota_service_event_word((enum ota_service_event)event)))
            return expect_word(line, word, length);
    return false;
}

static bool take_result(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"success", "failure", NULL};
    return nb_word_index(word, length, words) >= 0 && expect_word(line, word, length);
}

static bool take_why(struct nb_line *line, const char *word, size_t length)
{
    static const char *const words[] = {"install", "crash", "watchdog", "selftest", NULL};
    return nb_word_index(word, length, words) >= 0 && expect_word(line, word, length);
}

static const struct nb_word_class classes[] = {
    {"TEXT", "text to the end of the line", take_text},
    {"REQUIREMENT", "a requirement like BOOT-01", take_requirement},
    {"SYSTEM", "anycloud, harmony, aliyun, uota or ameba", take_system},
    {"WORLD", "virtual, posix or cortexm", take_world},
    {"NAME", "a name", take_name},
    {"SCHEME", "a boot scheme like swap-move, or *", take_scheme},
    {"SIZE", "smaller, equal, larger or maximal", take_size},
    {"INSTALL", "test or permanent", take_install},
    {"LINK", "mqtt, http or https", nb_take_link},
    {"TLS", "none, server, client or what is wrong with the certificate", nb_take_tls},
    {"ASWITCH",
     "direct, send-direct, no-result, permanent, stay, hold; chunk= prefix= board=; the "
     "application's "
     "stop=STEP done=STEP "
     "fail=STEP; in seconds keep-alive= job-wait= data-wait= connect-wait= next-check= retry= "
     "retry-last=; connect-tries= data-tries=",
     nb_take_agent_switch},
    {"BYTES", "a size like 128K", take_bytes},
    {"SWITCH", "counter, no-validate or accept-older", take_switch},
    {"IMAGE", "an image: v1, v2 ...", nb_take_image},
    {"KNOWN", "an image: v1, v2 ...", nb_take_known},
    {"OPTION", "size= app= version= counter= key= tamper= extra=", nb_take_option},
    {"OFFER",
     "an OPTION like size=, or announce= board= connection= port= chunk= file= tar= patch= lie= "
     "url= manifest=",
     nb_take_option},
    {"PUSH", "crc=wrong, insists, piece= or abort=prepared, written, verified or pending",
     nb_take_push},
    {"TRAILER", "pending, pending permanent or confirmed", take_trailer},
    {"APP", "pending, pending permanent, rollback, factory-reset or confirm", take_app},
    {"SLOT", "slot0 or slot1", take_slot},
    {"N", "a number", take_number},
    {"OFFSET", "an offset", take_offset},
    {"TEAR", "a tear like before, half or after", take_tear},
    {"TEARS", "weak or disturb", take_tears},
    {"FAILURE", "silent or partial: without an error", take_failure},
    {"PLACE", "@connect:N, @body:N or @body:P%", nb_take_place},
    {"NET", "@net", nb_take_net},
    {"MQTT", "@mqtt", nb_take_mqtt},
    {"HTTP", "@http", nb_take_http},
    {"CLOCK", "@clock", nb_take_clock},
    {"DURATION", "a time like 90s, 5m, 1h or 2d", nb_take_duration},
    {"SIDE", "broker or server", nb_take_side},
    {"COUNT", "a number or always", nb_take_count},
    {"PHASE", "data, job or result", nb_take_phase},
    {"VALUE", "a number", nb_take_value},
    {"HEX", "bytes in hexadecimal", take_hex},
    {"PATCH", "an offset and bytes like 7:58", take_patch},
    {"MS", "milliseconds", take_ms},
    {"VERSION", "v1 or a version like 1.2.3", take_version},
    {"VERSIONS", "v1, v1|v2 or a version like 1.2.3", take_versions},
    {"STATUS", "trial or confirmed", take_status},
    {"ERROR", "an error word like bad-hash", take_error},
    {"EVENT", "a service's event like update-available", take_event},
    {"RESULT", "success or failure", take_result},
    {"WHY", "install, crash, watchdog or selftest", take_why},
};

const struct nb_word_class *nb_word_class(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (nb_word_is(name, length, classes[i].name))
            return &classes[i];
    return NULL;
}

void nb_words_print(void (*line)(void *context, const char *text), void *context)
{
    char text[400];
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        snprintf(text, sizeof text, "%-12s %s", classes[i].name, classes[i].expected);
        line(context, text);
    }
}
