#include "harness/faults/manifest_lies.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 200 /* of an unknown member */

/* ---- members ------------------------------------------------------------------------------- */

static bool replace(cJSON *object, const char *key, cJSON *value)
{
    if (value != NULL && cJSON_ReplaceItemInObjectCaseSensitive(object, key, value))
        return true;
    cJSON_Delete(value);
    return false;
}

static bool drop(cJSON *object, const char *key)
{
    bool has = cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    return has;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text != NULL ? text : "";
}

static double version_of(const cJSON *entry)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(entry, "Version"));
}

/* The last patch of the entry: the first one that a device looks at. */
static cJSON *patch_of(const cJSON *entry)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(entry, "Patch");
    return cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
}

/* The first digit is another one. */
static bool change_digest(cJSON *object, const char *key)
{
    char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    if (text != NULL)
        text[0] = text[0] == '0' ? '1' : '0';
    return text != NULL;
}

static bool set_text(cJSON *object, const char *key, const char *before, const char *text,
                     const char *after)
{
    char value[1024];
    snprintf(value, sizeof value, "%s%s%s", before, text, after);
    return replace(object, key, cJSON_CreateString(value));
}

/* ---- the version --------------------------------------------------------------------------- */

static bool version_string(cJSON *root, cJSON *entry)
{
    char text[32];
    (void)root;
    snprintf(text, sizeof text, "%.0f", version_of(entry));
    return replace(entry, "Version", cJSON_CreateString(text));
}

static bool version_zero(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Version", cJSON_CreateNumber(0));
}

static bool version_negative(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Version", cJSON_CreateNumber(-1));
}

static bool version_fraction(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Version", cJSON_CreateNumber(version_of(entry) + 0.5));
}

static bool version_huge(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Version", cJSON_CreateNumber(4294967296.0 + version_of(entry)));
}

static bool no_version(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(entry, "Version");
}

/* ---- where the image is, and what it is ------------------------------------------------------ */

static bool no_url(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(entry, "URL");
}

static bool url_number(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "URL", cJSON_CreateNumber(1));
}

static bool url_ftp(cJSON *root, cJSON *entry)
{
    const char *rest = strstr(text_of(entry, "URL"), "://");
    (void)root;
    return rest != NULL && set_text(entry, "URL", "ftp", rest, "");
}

static bool url_bare(cJSON *root, cJSON *entry)
{
    const char *rest = strstr(text_of(entry, "URL"), "://");
    (void)root;
    return rest != NULL && set_text(entry, "URL", "", rest + 3, "");
}

static bool no_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(entry, "Digest");
}

static bool wrong_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    return change_digest(entry, "Digest");
}

static bool short_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "Digest"));
    if (text != NULL)
        text[strlen(text) - 1] = '\0';
    return text != NULL;
}

static bool bad_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "Digest"));
    if (text != NULL)
        text[7] = 'g';
    return text != NULL;
}

static bool upper_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "Digest"));
    for (char *at = text; at != NULL && *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return text != NULL;
}

static bool bad_signature(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Signature", cJSON_CreateString("not*base64"));
}

static bool short_signature(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Signature", cJSON_CreateString("AAAA"));
}

/* ---- the rest of an entry -------------------------------------------------------------------- */

static bool erase_number(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "EraseVer", cJSON_CreateNumber(1));
}

static bool no_erase(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(entry, "EraseVer");
}

static bool other_case(cJSON *root, cJSON *entry)
{
    cJSON *member;
    (void)root;
    for (member = entry->child; member != NULL; member = member->next)
        for (char *at = member->string; *at != '\0'; at++)
            *at = (char)(isupper((unsigned char)*at) ? tolower((unsigned char)*at)
                                                     : toupper((unsigned char)*at));
    return true;
}

static bool unknown_keys(cJSON *root, cJSON *entry)
{
    cJSON *inner = cJSON_AddObjectToObject(entry, "Extra");
    cJSON *list = inner != NULL ? cJSON_AddArrayToObject(inner, "ota") : NULL;
    return list != NULL && cJSON_AddNumberToObject(inner, "Version", 77) != NULL &&
           cJSON_AddNullToObject(root, "Comment") != NULL;
}

static bool deep(cJSON *root, cJSON *entry)
{
    cJSON *at = cJSON_AddArrayToObject(root, "Deep");
    (void)entry;
    for (int i = 0; at != NULL && i < DEPTH; i++) {
        cJSON *next = cJSON_CreateArray();
        if (!cJSON_AddItemToArray(at, next)) {
            cJSON_Delete(next);
            return false;
        }
        at = next;
    }
    return at != NULL;
}

/* The second one of each is another. */
static bool duplicate_keys(cJSON *root, cJSON *entry)
{
    (void)root;
    return cJSON_AddNumberToObject(entry, "Version", 99) != NULL &&
           cJSON_AddStringToObject(entry, "URL", "http://127.0.0.1:1/no.bin") != NULL &&
           cJSON_AddTrueToObject(entry, "EraseVer") != NULL;
}

/* ---- the document ---------------------------------------------------------------------------- */

static bool object(cJSON *root, cJSON *entry)
{
    cJSON *copy = cJSON_Duplicate(entry, true);
    return replace(root, "ota", copy);
}

static bool bare(cJSON *root, cJSON *entry)
{
    cJSON *copy = cJSON_Duplicate(entry, true);
    if (copy == NULL)
        return false;
    drop(root, "ota");
    while (copy->child != NULL) {
        cJSON *member = cJSON_DetachItemViaPointer(copy, copy->child);
        cJSON_AddItemToObject(root, member->string, member);
    }
    cJSON_Delete(copy);
    return true;
}

static bool no_entries(cJSON *root, cJSON *entry)
{
    (void)entry;
    return replace(root, "ota", cJSON_CreateArray());
}

static bool no_list(cJSON *root, cJSON *entry)
{
    (void)entry;
    return drop(root, "ota");
}

static void bad_json(char *text, size_t *size)
{
    (void)text;
    *size /= 2;
}

static void empty(char *text, size_t *size)
{
    (void)text;
    *size = 0;
}

static void nul(char *text, size_t *size)
{
    text[*size / 2] = '\0';
}

static void trailing(char *text, size_t *size)
{
    text[(*size)++] = '}';
}

/* ---- patches --------------------------------------------------------------------------------- */

static bool patch_no_base(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(patch_of(entry), "BaseVersion");
}

static bool patch_base_digest_number(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(patch_of(entry), "BaseVerDigest", cJSON_CreateNumber(1));
}

static bool patch_other_base(cJSON *root, cJSON *entry)
{
    (void)root;
    return change_digest(patch_of(entry), "BaseVerDigest");
}

static bool patch_no_url(cJSON *root, cJSON *entry)
{
    (void)root;
    return drop(patch_of(entry), "PatchURL");
}

static bool patch_gone(cJSON *root, cJSON *entry)
{
    cJSON *patch = patch_of(entry);
    (void)root;
    return set_text(patch, "PatchURL", "", text_of(patch, "PatchURL"), ".gone");
}

static bool patch_wrong_digest(cJSON *root, cJSON *entry)
{
    (void)root;
    return change_digest(patch_of(entry), "PatchDigest");
}

static bool patch_wrong_target(cJSON *root, cJSON *entry)
{
    (void)root;
    return change_digest(patch_of(entry), "TargetDigest");
}

static bool patch_object(cJSON *root, cJSON *entry)
{
    (void)root;
    return replace(entry, "Patch", cJSON_Duplicate(patch_of(entry), true));
}

/* EQL of more than any base has; data without an operator, which newer versions of the tool write;
 * a patch cut off within a length. */
static const uint8_t too_far[] = {0xA7, 0xA3, 0xFE, 0x7F, 0xFF, 0xFF, 0xFF};
static const uint8_t beyond[] = {0xA7, 0xA3, 0xFD, 0x80, 0x00};
static const uint8_t newer[] = {0x41, 0x42, 0x43, 0xA7, 0xA3, 0x10};
static const uint8_t cut_off[] = {0xA7, 0xA3, 0xFE, 0x00};

#define PATCH_FILE(bytes) .of_patch = true, .patch = bytes, .patch_size = sizeof bytes

const struct nb_manifest_lie nb_manifest_lies[] = {
    {.word = "", .what = ""},
    {.word = "version-string", .what = "Version is a string", .tree = version_string},
    {.word = "version-zero", .what = "Version is 0", .tree = version_zero},
    {.word = "version-negative", .what = "Version is -1", .tree = version_negative},
    {.word = "version-fraction", .what = "Version is half a number more", .tree = version_fraction},
    {.word = "version-huge", .what = "Version is 2^32 more", .tree = version_huge},
    {.word = "no-version", .what = "there is no Version", .tree = no_version},
    {.word = "no-url", .what = "there is no URL", .tree = no_url},
    {.word = "url-number", .what = "URL is a number", .tree = url_number},
    {.word = "url-ftp", .what = "URL is one of ftp", .tree = url_ftp},
    {.word = "url-bare", .what = "URL does not say by what", .tree = url_bare},
    {.word = "no-digest", .what = "there is no Digest", .tree = no_digest},
    {.word = "wrong-digest",
     .what = "Digest is another image's",
     .of_image = true,
     .tree = wrong_digest},
    {.word = "short-digest",
     .what = "Digest is a digit short",
     .of_image = true,
     .tree = short_digest},
    {.word = "bad-digest",
     .what = "Digest has a digit that is none",
     .of_image = true,
     .tree = bad_digest},
    {.word = "upper-digest", .what = "Digest is in capitals, as it may", .tree = upper_digest},
    {.word = "bad-signature",
     .what = "Signature is no base64",
     .of_image = true,
     .tree = bad_signature},
    {.word = "short-signature",
     .what = "Signature has 3 bytes",
     .of_image = true,
     .tree = short_signature},
    {.word = "erase-number", .what = "EraseVer is 1", .tree = erase_number},
    {.word = "no-erase", .what = "there is no EraseVer, as it may", .tree = no_erase},
    {.word = "other-case", .what = "keys are in other case, as they may", .tree = other_case},
    {.word = "unknown-keys", .what = "there are keys more, as there may", .tree = unknown_keys},
    {.word = "deep", .what = "one of them holds 200 arrays in each other", .tree = deep},
    {.word = "duplicate-keys",
     .what = "keys come again with other values: the first ones count",
     .tree = duplicate_keys},
    {.word = "object", .what = "ota is the entry, without a list", .tree = object},
    {.word = "bare", .what = "the entry is the document", .tree = bare},
    {.word = "no-entries", .what = "the list is empty", .tree = no_entries},
    {.word = "no-list", .what = "there is no ota", .tree = no_list},
    {.word = "bad-json", .what = "half the document", .text = bad_json},
    {.word = "empty", .what = "a document of no bytes", .text = empty},
    {.word = "nul", .what = "a byte 0 in the middle", .text = nul},
    {.word = "trailing", .what = "one bracket more at the end", .text = trailing},
    {.word = "patch-no-base",
     .what = "the patch has no BaseVersion",
     .of_patch = true,
     .tree = patch_no_base},
    {.word = "patch-digest-number",
     .what = "its BaseVerDigest is a number",
     .of_patch = true,
     .tree = patch_base_digest_number},
    {.word = "patch-other-base",
     .what = "its BaseVerDigest is another image's",
     .of_patch = true,
     .tree = patch_other_base},
    {.word = "patch-no-url", .what = "it has no PatchURL", .of_patch = true, .tree = patch_no_url},
    {.word = "patch-gone",
     .what = "where its PatchURL leads there is nothing",
     .of_patch = true,
     .tree = patch_gone},
    {.word = "patch-wrong-digest",
     .what = "its PatchDigest is another file's",
     .of_patch = true,
     .tree = patch_wrong_digest},
    {.word = "patch-wrong-target",
     .what = "its TargetDigest is another image's",
     .of_patch = true,
     .tree = patch_wrong_target},
    {.word = "patch-object",
     .what = "Patch is one, without a list",
     .of_patch = true,
     .tree = patch_object},
    {.word = "patch-too-far", .what = "the patch copies more than there is", PATCH_FILE(too_far)},
    {.word = "patch-beyond",
     .what = "it copies 32 KiB, which fit, of a base that has less",
     PATCH_FILE(beyond)},
    {.word = "patch-newer", .what = "it is of a newer format", PATCH_FILE(newer)},
    {.word = "patch-cut-off", .what = "it ends within a length", PATCH_FILE(cut_off)},
    {.word = "patch-empty", .what = "it is empty", .of_patch = true, .patch = cut_off},
};

const size_t nb_manifest_lie_count = sizeof nb_manifest_lies / sizeof nb_manifest_lies[0];

unsigned nb_manifest_lie_find(const char *word, size_t length)
{
    for (unsigned i = 1; i < nb_manifest_lie_count; i++)
        if (strlen(nb_manifest_lies[i].word) == length &&
            memcmp(nb_manifest_lies[i].word, word, length) == 0)
            return i;
    return 0;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static size_t text_size(const cJSON *root)
{
    char *text = cJSON_PrintUnformatted(root);
    size_t size = text != NULL ? strlen(text) : SIZE_MAX;
    free(text);
    return size;
}

bool nb_manifest_pad(cJSON *root, size_t size)
{
    static const char least[] = ",\"Note\":\"\"";
    size_t now = text_size(root);
    if (now == size)
        return true;
    if (now == SIZE_MAX || now + sizeof least - 1 > size)
        return false;
    size_t rest = size - now - (sizeof least - 1);
    char *note = malloc(rest + 1);
    if (note == NULL)
        return false;
    memset(note, 'x', rest);
    note[rest] = '\0';
    bool good = cJSON_AddStringToObject(root, "Note", note) != NULL;
    free(note);
    return good;
}

void nb_manifest_lies_print(void (*line)(void *context, const char *text), void *context)
{
    char text[160];
    for (size_t i = 1; i < nb_manifest_lie_count; i++) {
        snprintf(text, sizeof text, "  lie=%-22s %s", nb_manifest_lies[i].word,
                 nb_manifest_lies[i].what);
        line(context, text);
    }
}
