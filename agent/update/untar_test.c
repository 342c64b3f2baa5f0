#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/update/untar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- archives ---------------------------------------------------------------------------- */

#define IMAGE_SIZE 1300u

struct archive {
    uint8_t buffer[OTA_TAR_LIST_MAX]; /* the reader's */
    uint8_t bytes[16384];
    size_t size;
    uint8_t image[IMAGE_SIZE];
    /* what came out */
    uint8_t got[IMAGE_SIZE * 2];
    uint32_t got_size;
    uint32_t announced;
    struct img_version version;
    int begin_error;
    int data_error;
};

static void seal(uint8_t *header)
{
    unsigned sum = 0;
    char digits[16];
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf(digits, sizeof digits, "%06o", sum);
    memcpy(header + 148, digits, 7);
}

static uint8_t *add(struct archive *a, const char *name, const void *data, size_t size)
{
    uint8_t *header = a->bytes + a->size;
    char digits[32];
    memcpy(header, name, strlen(name));
    snprintf(digits, sizeof digits, "%011zo", size);
    memcpy(header + 124, digits, 12);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    seal(header);
    memcpy(header + 512, data, size);
    a->size += 512 + (size + 511) / 512 * 512;
    assert_true(a->size + 1024 <= sizeof a->bytes);
    return header;
}

#define LIST(count, version, files)                                                                \
    "{\"numberOfComponents\":\"" count "\",\"version\":\"" version "\",\"files\":[" files "]}"
#define SELF  "{\"fileName\":\"components.json\",\"fileType\":\"component_list\"}"
#define IMAGE "{\"fileName\":\"app.bin\",\"fileType\":\"NSPE\",\"fileSize\":\"1300\"}"
#define GOOD  LIST("2", "1.2.0", SELF "," IMAGE)

static void archive_begin(struct archive *a, const char *list)
{
    memset(a, 0, sizeof *a);
    for (uint32_t i = 0; i < IMAGE_SIZE; i++)
        a->image[i] = (uint8_t)(i * 7 + i / 256);
    if (list != NULL)
        add(a, "components.json", list, strlen(list));
}

static void archive_make(struct archive *a, const char *list)
{
    archive_begin(a, list);
    add(a, "app.bin", a->image, IMAGE_SIZE);
    a->size += 1024;
}

static int on_begin(void *context, const struct img_version *version, uint32_t size)
{
    struct archive *a = context;
    assert_int_equal(a->announced, 0);
    a->announced = size;
    a->version = *version;
    return a->begin_error;
}

static int on_data(void *context, const uint8_t *data, size_t length)
{
    struct archive *a = context;
    assert_true(length > 0 && a->got_size + length <= sizeof a->got);
    memcpy(a->got + a->got_size, data, length);
    a->got_size += (uint32_t)length;
    return a->data_error;
}

/* Feeds the archive in pieces of `step` bytes, each in memory of its own size. */
static int feed(struct archive *a, struct ota_untar *untar, size_t step)
{
    const struct ota_untar_sink sink = {a, on_begin, on_data};
    int error = 0;
    a->got_size = 0;
    a->announced = 0;
    ota_untar_init(untar, &sink, a->buffer);
    for (size_t at = 0; at < a->size && error == 0; at += step) {
        size_t length = a->size - at < step ? a->size - at : step;
        uint8_t *piece = malloc(length);
        memcpy(piece, a->bytes + at, length);
        error = ota_untar_write(untar, piece, length);
        free(piece);
    }
    return error != 0 ? error : ota_untar_finish(untar);
}

static void assert_image(const struct archive *a)
{
    assert_int_equal(a->announced, IMAGE_SIZE);
    assert_int_equal(a->got_size, IMAGE_SIZE);
    assert_memory_equal(a->got, a->image, IMAGE_SIZE);
    assert_int_equal(a->version.major, 1);
    assert_int_equal(a->version.minor, 2);
    assert_int_equal(a->version.revision, 0);
}

/* ---- good ones --------------------------------------------------------------------------- */

static void the_image_comes_out_whatever_the_pieces(void **state)
{
    static const char *const lists[] = {
        GOOD,
        LIST("1", "1.2.0", IMAGE),
        LIST("2", "1.2.0", "{\"fileName\":\"components.json\",\"fileID\":\"0\"}," IMAGE),
        " \n" GOOD "\n\n",
        LIST("2", "1.2.0",
             SELF ",{\"fileName\":\"app.bin\",\"fileType\":\"NSPE\",\"fileID\":\"1\","
                  "\"fileStartAdd\":\"0x10\",\"fileSize\":\"1300\",\"more\":5}"),
    };
    static struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct ota_untar untar;
        archive_make(&a, lists[i]);
        assert_true(ota_untar_is_tar(a.bytes, 262));
        for (size_t step = 1; step < 1100; step += step < 20 ? 1 : 61) {
            assert_int_equal(feed(&a, &untar, step), 0);
            assert_image(&a);
            assert_null(untar.fault);
            assert_int_equal(untar.position, a.size);
        }
        a.size += 8192; /* up to a whole record, as tar writes it */
        assert_int_equal(feed(&a, &untar, a.size), 0);
        assert_image(&a);
    }
}

static void an_image_is_no_archive(void **state)
{
    static struct archive a;
    (void)state;
    archive_make(&a, GOOD);
    assert_false(ota_untar_is_tar(a.bytes, 261));
    a.bytes[257] = 'U';
    assert_false(ota_untar_is_tar(a.bytes, 512));
}

/* After a reset: the head is fetched again, then what is missing. */
static void what_is_in_flash_is_skipped(void **state)
{
    static struct archive a;
    (void)state;
    for (uint32_t have = 0; have <= IMAGE_SIZE; have += have < 1296 ? 81 : 1) {
        const struct ota_untar_sink sink = {&a, on_begin, on_data};
        struct ota_untar untar;
        size_t at = 0;
        archive_make(&a, GOOD);
        ota_untar_init(&untar, &sink, a.buffer);
        assert_int_equal(ota_untar_skip(&untar, have), OTA_E_BUSY);
        while (a.announced == 0)
            assert_int_equal(ota_untar_write(&untar, a.bytes + at++, 1), 0);
        assert_int_equal(untar.position, 3 * 512);
        assert_int_equal(ota_untar_skip(&untar, IMAGE_SIZE + 1), OTA_E_ARGUMENT);
        assert_int_equal(ota_untar_skip(&untar, have), 0);
        assert_int_equal(untar.position, 3 * 512 + have);
        assert_int_equal(
            ota_untar_write(&untar, a.bytes + untar.position, a.size - (size_t)untar.position), 0);
        assert_int_equal(ota_untar_finish(&untar), 0);
        assert_int_equal(a.got_size, IMAGE_SIZE - have);
        assert_memory_equal(a.got, a.image + have, a.got_size);
        assert_int_equal(ota_untar_skip(&untar, 1), OTA_E_BUSY);
    }
}

/* ---- refused ----------------------------------------------------------------------------- */

static void assert_refused(struct archive *a, int code, const char *fault)
{
    static const size_t steps[] = {1, 100, 512, sizeof a->bytes};
    for (size_t i = 0; i < 4; i++) {
        struct ota_untar untar;
        int error = feed(a, &untar, steps[i]);
        if (error != code || untar.fault == NULL || strstr(untar.fault, fault) == NULL)
            fail_msg("%s: %s, %s", fault, ota_err_word(error), untar.fault);
        assert_int_equal(ota_untar_write(&untar, a->bytes, 512), code); /* and stays so */
        assert_int_equal(ota_untar_skip(&untar, 0), code);
        assert_int_equal(ota_untar_finish(&untar), code);
    }
}

/* Lists that break one bound each. */
#define NAME10  "0123456789"
#define NAME100 NAME10 NAME10 NAME10 NAME10 NAME10 NAME10 NAME10 NAME10 NAME10 NAME10
#define FILE_OF(name, type, size)                                                                  \
    "{\"fileName\":\"" name "\",\"fileType\":\"" type "\",\"fileSize\":\"" size "\"}"
static const struct {
    const char *list;
    int code;
    const char *fault;
} lists[] = {
    {"[]", OTA_E_ARCHIVE, "JSON"},
    {"{\"files\":[", OTA_E_ARCHIVE, "JSON"},
    {"{\"a\":[[[[[1]]]]]}", OTA_E_ARCHIVE, "JSON"},
    {GOOD "x", OTA_E_ARCHIVE, "JSON"},
    {"{\"version\":\"1.2.0\",\"files\":[" IMAGE "]}", OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("1", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("3", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("9", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("-2", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("2 ", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {LIST("4294967298", "1.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "numberOfComponents"},
    {"{\"numberOfComponents\":2,\"version\":\"1.2.0\",\"files\":[" SELF "," IMAGE "]}",
     OTA_E_ARCHIVE, "numberOfComponents"},
    {"{\"numberOfComponents\":\"2\",\"files\":[" SELF "," IMAGE "]}", OTA_E_ARCHIVE, "version"},
    {LIST("2", "1.2", SELF "," IMAGE), OTA_E_ARCHIVE, "version"},
    {LIST("2", "1.2.0.", SELF "," IMAGE), OTA_E_ARCHIVE, "version"},
    {LIST("2", "256.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "version"},
    {LIST("2", "1.2.65536", SELF "," IMAGE), OTA_E_ARCHIVE, "version"},
    {LIST("2", "000000000001.2.0", SELF "," IMAGE), OTA_E_ARCHIVE, "version"},
    {"{\"numberOfComponents\":\"2\",\"version\":\"1.2.0\",\"files\":{}}", OTA_E_ARCHIVE, "files"},
    {LIST("0", "1.2.0", ""), OTA_E_ARCHIVE, "no image"},
    {LIST("1", "1.2.0", SELF), OTA_E_ARCHIVE, "no image"},
    {LIST("1", "1.2.0", "7"), OTA_E_ARCHIVE, "fileName"},
    {LIST("2", "1.2.0", SELF ",{\"fileType\":\"NSPE\",\"fileSize\":\"1300\"}"), OTA_E_ARCHIVE,
     "fileName"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("", "NSPE", "1300")), OTA_E_ARCHIVE, "fileName"},
    {LIST("2", "1.2.0", SELF "," FILE_OF(NAME100, "NSPE", "1300")), OTA_E_ARCHIVE, "fileName"},
    {LIST("2", "1.2.0", IMAGE "," SELF), OTA_E_ARCHIVE, "fileType"},
    {LIST("2", "1.2.0", SELF "," SELF), OTA_E_ARCHIVE, "fileType"},
    {LIST("1", "1.2.0", FILE_OF("components.json", "NSPE", "1300")), OTA_E_ARCHIVE, "fileType"},
    {LIST("2", "1.2.0", SELF ",{\"fileName\":\"app.bin\",\"fileSize\":\"1300\"}"), OTA_E_ARCHIVE,
     "fileType"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "NSPE567890123456", "1300")), OTA_E_ARCHIVE,
     "fileType"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "SPE", "1300")), OTA_E_UNSUPPORTED,
     "not of this device"},
    {LIST("3", "1.2.0", SELF "," IMAGE "," FILE_OF("tfm.bin", "SPE", "10")), OTA_E_UNSUPPORTED,
     "not of this device"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "nspe", "1300")), OTA_E_UNSUPPORTED,
     "not of this device"},
    {LIST("3", "1.2.0", SELF "," IMAGE "," FILE_OF("b.bin", "NSPE", "10")), OTA_E_ARCHIVE,
     "two images"},
    {LIST("2", "1.2.0", SELF ",{\"fileName\":\"app.bin\",\"fileType\":\"NSPE\"}"), OTA_E_ARCHIVE,
     "fileSize"},
    {LIST("2", "1.2.0", SELF ",{\"fileName\":\"app.bin\",\"fileType\":\"NSPE\",\"fileSize\":1300}"),
     OTA_E_ARCHIVE, "fileSize"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "NSPE", "0")), OTA_E_ARCHIVE, "fileSize"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "NSPE", "4294967296")), OTA_E_ARCHIVE,
     "fileSize"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bin", "NSPE", "1299")), OTA_E_ARCHIVE,
     "not as large as listed"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("app.bim", "NSPE", "1300")), OTA_E_ARCHIVE,
     "name of a member"},
    {LIST("2", "1.2.0", SELF "," FILE_OF("APP.bin", "NSPE", "1300")), OTA_E_ARCHIVE,
     "name of a member"},
};

/* B14: every text, number and count of the list has its bounds. */
static void a_list_is_checked(void **state)
{
    static struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        archive_make(&a, lists[i].list);
        assert_refused(&a, lists[i].code, lists[i].fault);
        assert_int_equal(a.got_size, 0);
    }
}

/* The longest that fits, and one more: of the list, a name, a type. */
static void the_bounds_are_reached(void **state)
{
    static struct archive a;
    struct ota_untar untar;
    char list[OTA_TAR_LIST_MAX + 2];
    (void)state;
    memset(list, ' ', sizeof list);
    memcpy(list, GOOD, strlen(GOOD));
    list[OTA_TAR_LIST_MAX] = 0;
    archive_make(&a, list);
    assert_int_equal(feed(&a, &untar, 700), 0);
    assert_image(&a);
    list[OTA_TAR_LIST_MAX] = ' ';
    list[OTA_TAR_LIST_MAX + 1] = 0;
    archive_make(&a, list);
    assert_refused(&a, OTA_E_ARCHIVE, "size of components.json");
    archive_make(&a, "");
    assert_refused(&a, OTA_E_ARCHIVE, "size of components.json");

    char name[100];
    memset(name, 'n', 99);
    name[99] = 0;
    snprintf(list, sizeof list, LIST("2", "1.2.0", SELF "," FILE_OF("%s", "NSPE", "1300")), name);
    archive_begin(&a, list);
    add(&a, name, a.image, IMAGE_SIZE);
    a.size += 1024;
    assert_int_equal(feed(&a, &untar, 333), 0);
    assert_image(&a);
}

enum { LIST_AT = 0, IMAGE_AT = 1024 }; /* headers in a good archive */

static void a_header_is_checked(void **state)
{
    static const struct {
        uint32_t at;
        const char *bytes;
        size_t length;
        bool seal; /* with a checksum that fits */
        const char *fault;
    } rows[] = {
        {LIST_AT, "C", 1, true, "first member"},
        {LIST_AT, "./components.json", 17, true, "first member"},
        {LIST_AT, "C", 1, false, "checksum"},
        {IMAGE_AT, "A", 1, false, "checksum"},
        {IMAGE_AT, "A", 1, true, "name of a member"},
        {IMAGE_AT + 500, "\1", 1, false, "checksum"},
        {IMAGE_AT + 148, "xxxxxx", 6, false, "checksum"},
        {IMAGE_AT + 148, "        ", 8, false, "checksum"},
        {IMAGE_AT + 257, "ustra", 5, true, "magic"},
        {IMAGE_AT + 156, "5", 1, true, "regular file"},
        {IMAGE_AT + 156, "1", 1, true, "regular file"},
        {IMAGE_AT + 156, "2", 1, true, "regular file"},
        {IMAGE_AT + 156, "x", 1, true, "regular file"},
        {IMAGE_AT + 156, "L", 1, true, "regular file"},
        {IMAGE_AT + 345, "dir", 3, true, "too long"},
        {IMAGE_AT, NAME100, 100, true, "too long"},
        {IMAGE_AT + 124, "\200\0\0\0\0\0\0\0\0\0\5\24", 12, true, "size of a member"},
        {IMAGE_AT + 124, "000000024x4", 12, true, "size of a member"},
        {IMAGE_AT + 124, "00000002428", 12, true, "size of a member"},
        {IMAGE_AT + 124, "-0000002424", 12, true, "size of a member"},
        {IMAGE_AT + 124, "000 0002424", 12, true, "size of a member"},
        {IMAGE_AT + 124, "           ", 12, true, "size of a member"},
        {IMAGE_AT + 124, "\0\0\0\0\0\0\0\0\0\0\0", 12, true, "size of a member"},
        {IMAGE_AT + 124, "40000002424", 12, true, "size of a member"},
        {IMAGE_AT + 124, "777777777777", 12, true, "size of a member"},
        {IMAGE_AT + 124, "00000002425", 12, true, "not as large"},
        {IMAGE_AT + 124, "00000000000", 12, true, "not as large"},
    };
    static struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        archive_make(&a, GOOD);
        memcpy(a.bytes + rows[i].at, rows[i].bytes, rows[i].length);
        if (rows[i].seal)
            seal(a.bytes + rows[i].at / 512 * 512);
        assert_refused(&a, OTA_E_ARCHIVE, rows[i].fault);
        assert_int_equal(a.got_size, 0);
    }
}

static void old_ways_to_write_a_size_are_read(void **state)
{
    static const char *const sizes[] = {"       2424", "00000002424", "2424       ", "2424",
                                        "000000002424"};
    static struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ota_untar untar;
        archive_make(&a, GOOD);
        memset(a.bytes + IMAGE_AT + 124, 0, 12);
        memcpy(a.bytes + IMAGE_AT + 124, sizes[i], strlen(sizes[i]));
        memcpy(a.bytes + IMAGE_AT + 257, "ustar  ", 8); /* GNU's own */
        a.bytes[IMAGE_AT + 156] = 0;
        seal(a.bytes + IMAGE_AT);
        assert_int_equal(feed(&a, &untar, 512), 0);
        assert_image(&a);
    }
}

static void members_and_end_are_checked(void **state)
{
    static struct archive a;
    (void)state;
    archive_begin(&a, GOOD); /* no image */
    a.size += 1024;
    assert_refused(&a, OTA_E_ARCHIVE, "ends before the image");
    archive_begin(&a, NULL); /* nothing but an end */
    a.size += 1024;
    assert_refused(&a, OTA_E_ARCHIVE, "ends before the image");
    archive_begin(&a, NULL); /* the image first */
    add(&a, "app.bin", a.image, IMAGE_SIZE);
    assert_refused(&a, OTA_E_ARCHIVE, "first member");
    archive_make(&a, GOOD); /* one more */
    a.size -= 1024;
    add(&a, "b.bin", a.image, 10);
    a.size += 1024;
    assert_refused(&a, OTA_E_ARCHIVE, "not in the list");
    archive_make(&a, GOOD); /* the same twice */
    a.size -= 1024;
    add(&a, "app.bin", a.image, IMAGE_SIZE);
    a.size += 1024;
    assert_refused(&a, OTA_E_ARCHIVE, "not in the list");
    archive_make(&a, GOOD); /* behind one zero block */
    a.size -= 512;
    add(&a, "app.bin", a.image, IMAGE_SIZE);
    assert_refused(&a, OTA_E_ARCHIVE, "follows the end");
    archive_make(&a, GOOD); /* behind the end */
    a.size += 600;
    a.bytes[a.size - 1] = 1;
    assert_refused(&a, OTA_E_ARCHIVE, "follows the end");
}

static void a_torn_archive_is_not_whole(void **state)
{
    static struct archive a;
    (void)state;
    archive_make(&a, GOOD);
    size_t whole = a.size;
    for (a.size = 0; a.size < whole; a.size++) {
        struct ota_untar untar;
        assert_int_equal(feed(&a, &untar, 512), OTA_E_ARCHIVE);
        assert_int_equal(untar.complete, a.size >= 1536 + IMAGE_SIZE);
    }
}

static void what_the_sink_says_is_passed_on(void **state)
{
    static struct archive a;
    struct ota_untar untar;
    (void)state;
    archive_make(&a, GOOD);
    a.begin_error = OTA_E_IMG_SIZE;
    assert_int_equal(feed(&a, &untar, 100), OTA_E_IMG_SIZE);
    assert_int_equal(a.got_size, 0);
    a.begin_error = 0;
    a.data_error = OTA_E_FLASH_PROGRAM;
    assert_int_equal(feed(&a, &untar, 100), OTA_E_FLASH_PROGRAM);
    assert_int_equal(ota_untar_finish(&untar), OTA_E_FLASH_PROGRAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_image_comes_out_whatever_the_pieces),
        cmocka_unit_test(an_image_is_no_archive),
        cmocka_unit_test(what_is_in_flash_is_skipped),
        cmocka_unit_test(a_list_is_checked),
        cmocka_unit_test(the_bounds_are_reached),
        cmocka_unit_test(a_header_is_checked),
        cmocka_unit_test(old_ways_to_write_a_size_are_read),
        cmocka_unit_test(members_and_end_are_checked),
        cmocka_unit_test(a_torn_archive_is_not_whole),
        cmocka_unit_test(what_the_sink_says_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
