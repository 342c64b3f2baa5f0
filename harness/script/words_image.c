/* Argument classes that name an image or describe one. */
#include "harness/image/image.h"
#include "harness/script/word_classes.h"

#include <ctype.h>
#include <string.h>

#define MIN_PAYLOAD 1u

bool nb_word_version(const char *word, size_t length, struct img_version *out)
{
    char text[32];
    if (length >= sizeof text || !isdigit((unsigned char)word[0]) || !memchr(word, '.', length))
        return false;
    memcpy(text, word, length);
    text[length] = '\0';
    return nb_version_parse(text, out) == 0;
}

static bool image_number(const char *word, size_t length, unsigned *out)
{
    uint32_t value = 0;
    if (length < 2 || word[0] != 'v' || !nb_word_number(word + 1, length - 1, false, &value) ||
        value == 0 || value > NB_MAX_NUMBER)
        return false;
    *out = value;
    return true;
}

bool nb_take_image(struct nb_line *line, const char *word, size_t length)
{
    unsigned number_of = 0;
    if (!image_number(word, length, &number_of))
        return false;
    line->names_image = true;
    line->image.number = number_of;
    line->image.version.major = (uint8_t)number_of;
    return true;
}

bool nb_word_declared(struct nb_line *line, const char *word, size_t length, int *index)
{
    unsigned number_of = 0;
    if (!image_number(word, length, &number_of))
        return false;
    *index = line->known->latest[number_of];
    if (*index < 0)
        return nb_word_complain(line, "no line above makes %.*s", (int)(length < 8 ? length : 8),
                                word);
    return true;
}

bool nb_take_known(struct nb_line *line, const char *word, size_t length)
{
    return nb_word_declared(line, word, length, &line->step.image);
}

static bool option_version(struct nb_line *line, const char *value, size_t length,
                           struct img_version *out)
{
    if (nb_word_version(value, length, out))
        return true;
    return nb_word_complain(line, "must be a version like 2.1.0");
}

static bool option_size(struct nb_line *line, const char *value, size_t length)
{
    if (nb_word_number(value, length, true, &line->image.size) && line->image.size >= MIN_PAYLOAD &&
        line->image.size <= NB_MAX_PAYLOAD)
        return true;
    return nb_word_complain(line, "must be 1 to 16M bytes");
}

static bool option_app(struct nb_line *line, const char *value, size_t length)
{
    char word[NB_WORD] = "";
    if (length < sizeof word)
        memcpy(word, value, length);
    line->image.app = app_behaviour_from_word(word);
    if (line->image.app < APP_BEHAVIOURS)
        return true;
    return nb_word_complain(line, "must be good, crashes, hangs, offline or forgets");
}

static bool option_board(struct nb_line *line, const char *value, size_t length)
{
    if (length == 0 || length >= sizeof line->image.board)
        return nb_word_complain(line, "must be 1 to %d characters", NB_WORD - 1);
    memcpy(line->image.board, value, length);
    line->image.board[length] = '\0';
    return true;
}

static bool option_counter(struct nb_line *line, const char *value, size_t length)
{
    line->image.no_counter = nb_word_is(value, length, "none");
    line->image.has_counter = !line->image.no_counter;
    if (line->image.no_counter || nb_word_number(value, length, false, &line->image.counter))
        return true;
    return nb_word_complain(line, "must be a number or none");
}

static bool option_key(struct nb_line *line, const char *value, size_t length)
{
    static const char *const words[] = {"trusted", "other", "none", NULL};
    int index = nb_word_index(value, length, words);
    if (index < 0)
        return nb_word_complain(line, "must be trusted, other or none");
    line->image.key = (enum nb_image_key)index;
    return true;
}

static bool option_tamper(struct nb_line *line, const char *value, size_t length)
{
    static const char *const words[] = {"none", "payload", "header", "signature", "truncate", NULL};
    int index = nb_word_index(value, length, words);
    if (index < 1)
        return nb_word_complain(line, "must be payload, header, signature or truncate");
    line->image.tamper = (enum nb_tamper)index;
    return true;
}

static bool option_extra(struct nb_line *line, const char *value, size_t length)
{
    if (nb_word_number(value, length, true, &line->image.extra) &&
        line->image.extra <= NB_MAX_PAYLOAD)
        return true;
    return nb_word_complain(line, "must be a number of bytes");
}

static bool option_own_version(struct nb_line *line, const char *value, size_t length)
{
    return option_version(line, value, length, &line->image.version);
}

static bool option_announce(struct nb_line *line, const char *value, size_t length)
{
    line->image.has_announce = true;
    return option_version(line, value, length, &line->image.announce);
}

static const struct {
    const char *word;
    bool of_offer; /* else of any image */
    bool (*read)(struct nb_line *line, const char *value, size_t length);
} options[] = {
    {"size", false, option_size},
    {"app", false, option_app},
    {"version", false, option_own_version},
    {"counter", false, option_counter},
    {"key", false, option_key},
    {"tamper", false, option_tamper},
    {"extra", false, option_extra},
    {"announce", true, option_announce},
    {"board", true, option_board},
    {"connection", true, nb_option_connection},
    {"port", true, nb_option_port},
    {"chunk", true, nb_option_chunk},
    {"file", true, nb_option_file},
    {"tar", true, nb_option_tar},
    {"patch", true, nb_option_patch},
    {"lie", true, nb_option_lie},
    {"url", true, nb_option_url},
    {"manifest", true, nb_option_manifest},
};

static bool read_option(struct nb_line *line, const char *word, size_t length)
{
    const char *equals = memchr(word, '=', length);
    if (!equals)
        return false;
    size_t key = (size_t)(equals - word);
    bool offers = line->verb->kind == NB_CLOUD_OFFER || line->verb->kind == NB_CLOUD_ADD;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (nb_word_is(word, key, options[i].word) && (offers || !options[i].of_offer))
            return options[i].read(line, equals + 1, length - key - 1);
    return false;
}

/* Other words have an `=`, too: only an image's own options make it another image. */
bool nb_take_option(struct nb_line *line, const char *word, size_t length)
{
    bool taken = read_option(line, word, length);
    line->has_options = line->has_options || taken;
    return taken;
}
