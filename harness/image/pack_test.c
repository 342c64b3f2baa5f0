/* Archives for AnyCloud devices: GNU tar understands them, and the device's reader does. */
#include "harness/image/pack.h"

#include "agent/update/untar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct img_version version = {1, 20, 300, 0};

struct world {
    char dir[1024];
    uint8_t image[70001];
    struct nb_pack_member members[NB_PACK_MEMBERS + 1];
    /* what the device's reader hands on */
    uint8_t got[70001];
    uint32_t got_size;
    uint32_t announced;
};

static int set_up(void **state)
{
    static struct world w;
    const char *tmp = getenv("TMPDIR");

    snprintf(w.dir, sizeof w.dir, "%s/nobrick-pack-XXXXXX", tmp != NULL ? tmp : "/tmp");
    for (size_t i = 0; i < sizeof w.image; i++) {
        w.image[i] = (uint8_t)(i * 7 + i / 255);
    }
    w.members[0] = (struct nb_pack_member){"app-v2.img", "NSPE", w.image, sizeof w.image};
    w.members[1] = (struct nb_pack_member){"tfm.bin", "SPE", w.image, 512};
    *state = &w;
    return mkdtemp(w.dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    return rmdir(w->dir);
}

/* Output of a shell command in the world's directory. */
static void shell(struct world *w, const char *command, char *out, size_t size)
{
    char line[2048];

    snprintf(line, sizeof line, "cd '%s' && { %s; } 2>&1", w->dir, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    out[fread(out, 1, size - 1, pipe)] = '\0';
    if (pclose(pipe) != 0) {
        fail_msg("%s: %s", command, out);
    }
}

static void save(struct world *w, const char *name, const uint8_t *data, size_t size)
{
    char path[2048];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int on_begin(void *context, const struct img_version *of, uint32_t size)
{
    struct world *w = context;

    assert_int_equal(of->major, version.major);
    assert_int_equal(of->revision, version.revision);
    w->announced = size;
    return 0;
}

static int on_data(void *context, const uint8_t *data, size_t length)
{
    struct world *w = context;

    assert_true(length <= sizeof w->got - w->got_size);
    memcpy(w->got + w->got_size, data, length);
    w->got_size += (uint32_t)length;
    return 0;
}

static int untar(struct world *w, const uint8_t *data, size_t size)
{
    const struct ota_untar_sink sink = {w, on_begin, on_data};
    struct ota_untar reader;
    uint8_t buffer[OTA_TAR_LIST_MAX];

    w->got_size = 0;
    w->announced = 0;
    assert_true(ota_untar_is_tar(data, size));
    ota_untar_init(&reader, &sink, buffer);
    int error = ota_untar_write(&reader, data, size);
    return error != 0 ? error : ota_untar_finish(&reader);
}

static void gnu_tar_lists_and_extracts_it(void **state)
{
    struct world *w = *state;
    char out[4096];
    uint8_t *archive;
    size_t size;

    assert_int_equal(nb_image_pack(&version, w->members, 2, &archive, &size), 0);
    assert_int_equal(size % 512, 0);
    save(w, "a.tar", archive, size);
    free(archive);
    shell(w, "tar tf a.tar", out, sizeof out);
    assert_string_equal(out, "components.json\napp-v2.img\ntfm.bin\n");
    shell(w, "TZ=UTC tar tvf a.tar --numeric-owner app-v2.img", out, sizeof out);
    assert_non_null(strstr(out, "-rw-r--r-- 0/0"));
    assert_non_null(strstr(out, " 70001 1970-01-01 00:00 app-v2.img"));
    save(w, "app-v2.img.want", w->image, sizeof w->image);
    shell(w, "tar xf a.tar && cmp app-v2.img app-v2.img.want && wc -c <tfm.bin", out, sizeof out);
    assert_string_equal(out, "512\n");
    shell(w, "cat components.json", out, sizeof out);
    assert_string_equal(
        out, "{\"numberOfComponents\":\"3\",\"version\":\"1.20.300\",\"files\":["
             "{\"fileName\":\"components.json\",\"fileType\":\"component_list\"},"
             "{\"fileName\":\"app-v2.img\",\"fileType\":\"NSPE\",\"fileSize\":\"70001\"},"
             "{\"fileName\":\"tfm.bin\",\"fileType\":\"SPE\",\"fileSize\":\"512\"}]}\n");
    shell(w, "rm *", out, sizeof out);
}

static void the_device_reads_it(void **state)
{
    struct world *w = *state;
    uint8_t *archive;
    size_t size;

    for (size_t n = 1; n < sizeof w->image; n = n * 3 + 1) {
        w->members[0].size = n;
        assert_int_equal(nb_image_pack(&version, w->members, 1, &archive, &size), 0);
        assert_int_equal(untar(w, archive, size), 0);
        assert_int_equal(w->announced, n);
        assert_int_equal(w->got_size, n);
        assert_memory_equal(w->got, w->image, n);
        free(archive);
    }
    w->members[0].size = sizeof w->image;
    assert_int_equal(nb_image_pack(&version, w->members, 2, &archive, &size), 0);
    assert_int_equal(untar(w, archive, size), OTA_E_UNSUPPORTED);
    free(archive);
}

/* What people pack themselves, with the formats that tar has for plain files. */
static void the_device_reads_what_gnu_tar_made(void **state)
{
    static const char *const formats[] = {"ustar", "gnu", "v7"};
    struct world *w = *state;
    static uint8_t archive[102400];
    char out[4096];
    static const char list[] =
        "{ \"numberOfComponents\": \"2\", \"version\": \"1.20.300\", \"files\": [\n"
        "  { \"fileName\": \"components.json\", \"fileType\": \"component_list\" },\n"
        "  { \"fileName\": \"app.bin\", \"fileType\": \"NSPE\", \"fileSize\": \"70001\" } ] }\n";

    save(w, "components.json", (const uint8_t *)list, sizeof list - 1);
    save(w, "app.bin", w->image, sizeof w->image);
    for (size_t i = 0; i < 3; i++) {
        char command[2048];
        snprintf(command, sizeof command, "tar --format=%s -cf a.tar components.json app.bin",
                 formats[i]);
        shell(w, command, out, sizeof out);
        snprintf(command, sizeof command, "%s/a.tar", w->dir);
        FILE *file = fopen(command, "rb");
        assert_non_null(file);
        size_t size = fread(archive, 1, sizeof archive, file);
        (void)fclose(file);
        if (i == 2) {
            assert_false(ota_untar_is_tar(archive, size)); /* older than ustar */
            continue;
        }
        assert_int_equal(untar(w, archive, size), 0);
        assert_int_equal(w->got_size, sizeof w->image);
        assert_memory_equal(w->got, w->image, sizeof w->image);
    }
    shell(w, "rm *", out, sizeof out);
}

static void equal_input_gives_equal_bytes(void **state)
{
    struct world *w = *state;
    uint8_t *one;
    uint8_t *other;
    size_t size;
    size_t other_size;

    assert_int_equal(nb_image_pack(&version, w->members, 2, &one, &size), 0);
    assert_int_equal(nb_image_pack(&version, w->members, 2, &other, &other_size), 0);
    assert_int_equal(size, other_size);
    assert_memory_equal(one, other, size);
    free(one);
    free(other);
}

static void what_cannot_be_in_one_is_refused(void **state)
{
    static const char *const names[] = {"",    "a b",      "a\"b",           "a\\b",
                                        "a/b", "\xC3\xA4", "components.json"};
    struct world *w = *state;
    struct nb_pack_member members[NB_PACK_MEMBERS + 1];
    char long_name[101];
    uint8_t *archive;
    size_t size;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct nb_pack_member member = {names[i], "NSPE", w->image, 1};
        assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), OTA_E_ARGUMENT);
    }
    memset(long_name, 'n', 100);
    long_name[100] = '\0';
    struct nb_pack_member member = {long_name, "NSPE", w->image, 1};
    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), OTA_E_ARGUMENT);
    long_name[99] = '\0';
    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), 0);
    assert_int_equal(untar(w, archive, size), 0);
    free(archive);
    member.size = 0;
    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), OTA_E_ARGUMENT);
    for (size_t i = 0; i <= NB_PACK_MEMBERS; i++) {
        members[i] = (struct nb_pack_member){long_name + i, "SPE", w->image, 1};
    }
    assert_int_equal(nb_image_pack(&version, members, NB_PACK_MEMBERS + 1, &archive, &size),
                     OTA_E_NO_SPACE);
    assert_int_equal(nb_image_pack(&version, members, NB_PACK_MEMBERS, &archive, &size),
                     OTA_E_NO_SPACE); /* the list is longer than a device takes */
    members[1] = members[0];
    assert_int_equal(nb_image_pack(&version, members, 2, &archive, &size), OTA_E_ARGUMENT);
}

/* What `nobrick cloud` announces, and the archive that it will not offer. */
static void an_archive_says_its_version(void **state)
{
    struct world *w = *state;
    struct nb_pack_member member = {"app.bin", "NSPE", w->image, sizeof w->image};
    struct img_version found = {0};
    const char *fault = "";
    uint8_t *archive;
    size_t size;

    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), 0);
    assert_int_equal(nb_archive_check(archive, size, &found, &fault), 0);
    assert_null(fault);
    assert_int_equal(img_version_compare(&found, &version), 0);
    assert_int_equal(nb_archive_check(archive, size - 1024, &found, &fault), OTA_E_ARCHIVE);
    assert_string_equal(fault, "the archive is not whole");
    archive[150] ^= 1;
    assert_int_equal(nb_archive_check(archive, size, &found, &fault), OTA_E_ARCHIVE);
    assert_string_equal(fault, "checksum of a header");
    free(archive);
    member.type = "SPE";
    assert_int_equal(nb_image_pack(&version, &member, 1, &archive, &size), 0);
    assert_int_equal(nb_archive_check(archive, size, &found, &fault), OTA_E_UNSUPPORTED);
    free(archive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gnu_tar_lists_and_extracts_it),
        cmocka_unit_test(the_device_reads_it),
        cmocka_unit_test(the_device_reads_what_gnu_tar_made),
        cmocka_unit_test(equal_input_gives_equal_bytes),
        cmocka_unit_test(what_cannot_be_in_one_is_refused),
        cmocka_unit_test(an_archive_says_its_version),
    };
    return cmocka_run_group_tests_name("harness/image/pack", tests, set_up, tear_down);
}
