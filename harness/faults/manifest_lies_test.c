/* Each lie, as it changes the text of a manifest; and manifests of a wanted size. */
#include "harness/faults/manifest_lies.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATCH                                                                                      \
    "\"Patch\":[{\"BaseVersion\":1,\"BaseVerDigest\":\"0a\",\"PatchURL\":\"p\","                   \
    "\"PatchDigest\":\"1b\",\"TargetDigest\":\"2c\"}]"
#define BEHIND                                                                                     \
    ",\"Digest\":\"0123456789abcdef\",\"Signature\":\"QUJD\",\"EraseVer\":false," PATCH "}"
#define URL   ",\"URL\":\"http://a/v2.bin\""
#define TRUTH "{\"ota\":[{\"Version\":2" URL BEHIND "]}"

static const cJSON *last_of(const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "ota");
    return cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
}

/* What a manifest of one entry is with that lie told; `room` holds it, and its size is returned. */
static size_t told(const char *word, const char *truth, char *room, size_t space)
{
    const struct nb_manifest_lie *lie = &nb_manifest_lies[nb_manifest_lie_find(word, strlen(word))];
    assert_string_equal(lie->word, word);
    cJSON *root = cJSON_Parse(truth);
    assert_non_null(root);
    if (lie->tree != NULL)
        assert_true(lie->tree(root, (cJSON *)(uintptr_t)last_of(root)));
    char *text = cJSON_PrintUnformatted(root);
    assert_non_null(text);
    size_t size = strlen(text);
    assert_true(size + 2 < space);
    memcpy(room, text, size + 1);
    free(text);
    cJSON_Delete(root);
    if (lie->text != NULL)
        lie->text(room, &size);
    return size;
}

/* A piece of the truth, and what is there in its place. */
static const struct {
    const char *word;
    const char *from;
    const char *to;
} rows[] = {
    {"version-string", "\"Version\":2", "\"Version\":\"2\""},
    {"version-zero", "\"Version\":2", "\"Version\":0"},
    {"version-negative", "\"Version\":2", "\"Version\":-1"},
    {"version-fraction", "\"Version\":2", "\"Version\":2.5"},
    {"version-huge", "\"Version\":2", "\"Version\":4294967298"},
    {"no-version", "\"Version\":2,", ""},
    {"no-url", URL, ""},
    {"url-number", "\"http://a/v2.bin\"", "1"},
    {"url-ftp", "http://a", "ftp://a"},
    {"url-bare", "http://a", "a"},
    {"no-digest", "\"Digest\":\"0123456789abcdef\",", ""},
    {"wrong-digest", "\"0123456789", "\"1123456789"},
    {"short-digest", "cdef\"", "cde\""},
    {"bad-digest", "\"0123456789", "\"0123456g89"},
    {"upper-digest", "abcdef\"", "ABCDEF\""},
    {"bad-signature", "QUJD", "not*base64"},
    {"short-signature", "QUJD", "AAAA"},
    {"erase-number", "\"EraseVer\":false", "\"EraseVer\":1"},
    {"no-erase", "\"EraseVer\":false,", ""},
    {"duplicate-keys", PATCH "}",
     PATCH ",\"Version\":99,\"URL\":\"http://127.0.0.1:1/no.bin\",\"EraseVer\":true}"},
    {"unknown-keys", PATCH "}]}",
     PATCH ",\"Extra\":{\"ota\":[],\"Version\":77}}],\"Comment\":null}"},
    {"object", TRUTH, "{\"ota\":{\"Version\":2" URL BEHIND "}"},
    {"bare", TRUTH, "{\"Version\":2" URL BEHIND},
    {"no-entries", TRUTH, "{\"ota\":[]}"},
    {"no-list", TRUTH, "{}"},
    {"trailing", PATCH "}]}", PATCH "}]}}"},
    {"patch-no-base", "\"BaseVersion\":1,", ""},
    {"patch-digest-number", "\"0a\"", "1"},
    {"patch-other-base", "\"0a\"", "\"1a\""},
    {"patch-no-url", "\"PatchURL\":\"p\",", ""},
    {"patch-gone", "\"PatchURL\":\"p\"", "\"PatchURL\":\"p.gone\""},
    {"patch-wrong-digest", "\"1b\"", "\"0b\""},
    {"patch-wrong-target", "\"2c\"", "\"0c\""},
};

#define ROWS (sizeof rows / sizeof rows[0])

static void each_lie_changes_what_it_says(void **state)
{
    char text[4096];
    char expected[4096];
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t size = told(rows[i].word, TRUTH, text, sizeof text);
        text[size] = '\0';
        const char *at = strstr(TRUTH, rows[i].from);
        assert_non_null(at);
        snprintf(expected, sizeof expected, "%.*s%s%s", (int)(at - TRUTH), TRUTH, rows[i].to,
                 at + strlen(rows[i].from));
        assert_string_equal(text, expected);
    }
}

static void other_case_and_depth(void **state)
{
    char text[4096];
    (void)state;
    told("other-case", TRUTH, text, sizeof text);
    assert_non_null(strstr(text, "{\"vERSION\":2,\"url\":\"http://a/v2.bin\",\"dIGEST\":"));
    told("deep", TRUTH, text, sizeof text);
    const char *at = strstr(text, "\"Deep\":");
    assert_non_null(at);
    assert_int_equal(strspn(at + 7, "["), 201);
    told("patch-object", TRUTH, text, sizeof text);
    assert_non_null(strstr(text, "\"Patch\":{\"BaseVersion\":1"));
}

static void lies_of_the_text(void **state)
{
    char text[4096];
    size_t whole = strlen(TRUTH);
    (void)state;
    assert_int_equal(told("bad-json", TRUTH, text, sizeof text), whole / 2);
    assert_int_equal(told("empty", TRUTH, text, sizeof text), 0);
    assert_int_equal(told("nul", TRUTH, text, sizeof text), whole);
    assert_int_equal(strlen(text), whole / 2);
}

/* Every row of the table is looked at here, and lies about what is not there are no lies. */
static void none_is_left_out(void **state)
{
    static const char *const others[] = {"other-case", "deep",  "patch-object",
                                         "bad-json",   "empty", "nul"};
    static const char bare[] = "{\"ota\":[{}]}";
    size_t seen = ROWS + sizeof others / sizeof others[0];
    size_t lies = 0;
    (void)state;
    for (size_t i = 1; i < nb_manifest_lie_count; i++) {
        const struct nb_manifest_lie *lie = &nb_manifest_lies[i];
        int ways = (lie->tree != NULL) + (lie->text != NULL) + (lie->patch != NULL);
        assert_int_equal(ways, 1);
        seen += lie->patch != NULL;
        lies += lie->of_patch;
        if (!lie->of_patch || lie->tree == NULL)
            continue;
        cJSON *root = cJSON_Parse(bare);
        assert_false(lie->tree(root, (cJSON *)(uintptr_t)last_of(root)));
        cJSON_Delete(root);
    }
    assert_int_equal(seen, nb_manifest_lie_count - 1);
    assert_true(lies > 0);
    assert_int_equal(nb_manifest_lie_find("", 0), 0);
    assert_int_equal(nb_manifest_lie_find("no-ur", 5), 0);
}

static void sizes(void **state)
{
    const size_t least = strlen(TRUTH);
    (void)state;
    for (size_t size = least; size < least + 40; size++) {
        cJSON *root = cJSON_Parse(TRUTH);
        bool good = nb_manifest_pad(root, size);
        char *text = cJSON_PrintUnformatted(root);
        assert_int_equal(good, size == least || size >= least + 10);
        assert_int_equal(strlen(text), good ? size : least);
        free(text);
        cJSON_Delete(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lie_changes_what_it_says),
        cmocka_unit_test(other_case_and_depth),
        cmocka_unit_test(lies_of_the_text),
        cmocka_unit_test(none_is_left_out),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
