/* Event lines: made by the bench and the device process, read by expectations and the oracle. */
#include "harness/image/image.h"
#include "harness/run/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nb_version_print(const struct img_version *version, char *out, size_t size)
{
    snprintf(out, size, "%u.%u.%u", version->major, version->minor, version->revision);
}

void nb_event_boot(const struct boot_result *result, char *out, size_t size)
{
    static const char *const performed[] = {"", "", " test", " permanent", " revert"};
    char version[24];
    nb_version_print(&result->image.header.version, version, sizeof version);
    snprintf(out, size, "boot %s %s%s%s", version, result->trial ? "trial" : "confirmed",
             performed[result->performed], result->resumed ? " resumed" : "");
}

#define WORDS 6

/* Splits a line into at most WORDS words; returns how many. */
static size_t split(const char *line, char words[WORDS][NB_WORD])
{
    size_t count = 0;
    while (*line && count < WORDS) {
        size_t length = strcspn(line, " ");
        if (length) {
            size_t kept = length < NB_WORD ? length : NB_WORD - 1;
            memcpy(words[count], line, kept);
            words[count++][kept] = '\0';
        }
        line += length + (line[length] == ' ');
    }
    return count;
}

static bool one_of(const struct nb_expect *expect, const char *word)
{
    struct img_version version;
    if (nb_version_parse(word, &version) != 0)
        return false;
    for (size_t i = 0; i < expect->version_count; i++)
        if (img_version_compare(&version, &expect->versions[i]) == 0)
            return true;
    return false;
}

static bool is_boot(const struct nb_expect *expect, size_t count, char words[WORDS][NB_WORD])
{
    if (count < 3 || !one_of(expect, words[1]))
        return false;
    if (expect->status == NB_STATUS_ANY)
        return true;
    return strcmp(words[2], expect->status == NB_STATUS_TRIAL ? "trial" : "confirmed") == 0;
}

bool nb_expect_matches(const struct nb_expect *expect, const char *line, bool from_cloud)
{
    /* The first word of the event, and what must follow it. */
    static const struct {
        const char *event;
        bool version;
    } forms[NB_EXPECT_KINDS] = {
        [NB_EXPECT_REFUSED] = {"refused", false}, [NB_EXPECT_REJECT] = {"reject", false},
        [NB_EXPECT_REPORT] = {"reported", false}, [NB_EXPECT_JOB] = {"job", true},
        [NB_EXPECT_PENDING] = {"pending", true},  [NB_EXPECT_CONFIRMED] = {"confirmed", true},
        [NB_EXPECT_RESET] = {"reset", false},     [NB_EXPECT_IDLE] = {"idle", false},
    };
    char words[WORDS][NB_WORD] = {{0}};
    size_t count = split(line, words);
    bool cloud_kind = expect->kind == NB_EXPECT_CLOUD || expect->kind == NB_EXPECT_CHUNK_REQUEST;
    if (cloud_kind != from_cloud || count == 0)
        return false;
    switch (expect->kind) {
    case NB_EXPECT_CLOUD:
        return strncmp(line, expect->text, strlen(expect->text)) == 0;
    case NB_EXPECT_CHUNK_REQUEST:
        return count > 1 && strcmp(words[0], "chunk-request") == 0 &&
               strtoul(words[1], NULL, 10) == expect->value;
    case NB_EXPECT_NO_IMAGE:
        return count > 1 && strcmp(words[0], "boot") == 0 && strcmp(words[1], "none") == 0;
    case NB_EXPECT_EVENT:
        return count > 2 && strcmp(words[0], "event") == 0 && strcmp(words[2], expect->word) == 0;
    case NB_EXPECT_PAUSE:
        return count > 1 && strcmp(words[0], "state") == 0 && strcmp(words[1], "pause") == 0;
    case NB_EXPECT_BOOT:
        return strcmp(words[0], "boot") == 0 && is_boot(expect, count, words);
    default:
        break;
    }
    if (count < 2 || strcmp(words[0], forms[expect->kind].event) != 0)
        return false;
    return forms[expect->kind].version ? one_of(expect, words[1])
                                       : strcmp(words[1], expect->word) == 0;
}
