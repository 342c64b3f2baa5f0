/* `nobrick image store`: what a device's store holds, and the same as the original's files, read
 * back from a directory and from a FAT image. */
#include "harness/cli/paths.h"
#include "harness/image/cmd_rig.h"
#include "harness/image/harmony.h"
#include "harness/image/store_view.h"
#include "sim/crypto_openssl.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#define DEVICE           "--device harmony-small"
#define SLOT_SIZE        0x10000u
#define SIZE_OF(version) (3000u + 7u * (version))

/* A harmony-small that has booted its factory image, version 1, of 5000 bytes. */
struct bench {
    struct sim_device device;
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct boot_config boot;
    struct store_config config;
    uint8_t buffer[SIM_COPY_BUFFER];
};

static void bytes_of(uint32_t version, uint8_t *out, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        out[i] = (uint8_t)(i * 3u + version * 17u);
}

static void bench_open(struct bench *bench, const char *flash)
{
    struct flash_text_error error;
    struct boot_result result;
    uint8_t app[5000];
    char command[120];
    bool created;
    bytes_of(1, app, sizeof app);
    put("app.bin", app, sizeof app);
    assert_int_equal(run("bin2hex --base 0x10008000 -o app.hex app.bin"), 0);
    snprintf(command, sizeof command, "factory " DEVICE " --version 1 --flash %s app.hex", flash);
    assert_int_equal(run(command), 0);
    assert_int_equal(nb_device_load("test", "harmony-small", &bench->device), 0);
    assert_int_equal(flash_sim_file(flash, bench->device.chips, bench->device.chip_count, &created,
                                    &bench->sim, &error),
                     0);
    bench->crypto = crypto_openssl_new(NULL, false);
    sim_device_boot_config(&bench->device, flash_sim_port(bench->sim),
                           crypto_openssl_port(bench->crypto), NULL, NULL, bench->buffer,
                           sizeof bench->buffer, &bench->boot);
    boot_store_config(&bench->boot, &bench->config);
    assert_int_equal(boot_go(&bench->boot, &result), 0);
}

static void bench_close(struct bench *bench)
{
    crypto_openssl_free(bench->crypto);
    flash_sim_close(bench->sim);
    sim_device_free(&bench->device);
}

/* As a session does it. Returns where the image lies. */
static uint32_t insert(struct bench *bench, const char *name, uint32_t version, bool valid,
                       const char *key)
{
    static uint8_t image[8192];
    struct store store;
    struct img_row row = {.version = version, .type = IMG_ROW_PRODUCTION};
    char reason[160];
    uint8_t place;
    uint32_t size = SIZE_OF(version);
    bytes_of(version, image, sizeof image);
    snprintf(row.name, sizeof row.name, "%s", name);
    assert_int_equal(nb_harmony_sign(image, size, key, &row, reason, sizeof reason), 0);
    assert_int_equal(store_open(&store, &bench->config), 0);
    assert_int_equal(store_reserve(&store, &row, &place), 0);
    const struct flash_area area = store_place(&store, place);
    assert_int_equal(flash_area_erase_back(&area, 0, size), 0);
    assert_int_equal(flash_area_program(&area, 0, image, (size + 255) / 256 * 256), 0);
    assert_int_equal(store_insert(&store, place, &row, valid), 0);
    return area.address;
}

static size_t csv_row(char *out, const char *start, uint32_t version)
{
    static uint8_t image[8192];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    size_t used = (size_t)sprintf(out, "%s", start);
    bytes_of(version, image, sizeof image);
    SHA256(image, SIZE_OF(version), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        used += (size_t)sprintf(out + used, "%02x", digest[i]);
    return used;
}

static void check_file(const char *path, const void *wanted, size_t size)
{
    uint8_t *data;
    size_t length;
    assert_int_equal(nb_read_file(path, 1u << 22, &data, &length), 0);
    assert_int_equal(length, size);
    assert_memory_equal(data, wanted, size);
    free(data);
}

/* Four files of an image and the factory's two, as the original's pages have them. */
static void check_files(const char *folder)
{
    static uint8_t image[SLOT_SIZE];
    char path[200];
    char csv[500];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    size_t used = csv_row(csv, "v9.bin,f8,9,0x01,", 9);
    used += csv_row(csv + used, "\n\"a,b.bin\",FE,10,0x01,", 10);
    used += csv_row(csv + used, "\nv9_300.bin,f0,300,0x01,", 300);
    snprintf(path, sizeof path, "%s/image_database.csv", folder);
    check_file(path, csv, used);
    bytes_of(9, image, sizeof image);
    snprintf(path, sizeof path, "%s/v9.bin", folder);
    check_file(path, image, SIZE_OF(9));
    bytes_of(10, image, sizeof image);
    snprintf(path, sizeof path, "%s/a,b.bin", folder);
    check_file(path, image, SIZE_OF(10));
    memset(image, 0xFF, sizeof image);
    bytes_of(1, image, 5000);
    image[0] = 0xF8;
    image[3] = 3;
    snprintf(path, sizeof path, "%s/factory_reset.bin", folder);
    check_file(path, image, sizeof image);
    SHA256(image, sizeof image, digest);
    snprintf(path, sizeof path, "%s/factory_image_digest.txt", folder);
    check_file(path, digest, sizeof digest);
    snprintf(path, sizeof path, "%s/a,b_sign.txt", folder);
    assert_int_equal(access(path, F_OK), -1);
}

/* r || s in base64 that openssl takes for a signature of the file. */
static void check_signature(const char *folder)
{
    uint8_t *text;
    uint8_t rs[IMG_RS_SIZE + 3];
    uint8_t der[IMG_RS_DER_MAX];
    char command[400];
    size_t size;
    snprintf(command, sizeof command, "%s/v9_sign.txt", folder);
    assert_int_equal(nb_read_file(command, 1000, &text, &size), 0);
    assert_int_equal(size, 88);
    assert_int_equal(EVP_DecodeBlock(rs, text, 88), 66);
    free(text);
    put("rs.der", der, img_rs_to_der(rs, der));
    snprintf(command, sizeof command,
             "openssl dgst -sha256 -verify key.pub.pem -signature rs.der %s/v9.bin >/dev/null",
             folder);
    assert_int_equal(system(command), 0);
}

static void fill_store(struct bench *bench)
{
    struct store store;
    assert_int_equal(nb_image_derive_key("key", "cmd_store_test"), 0);
    (void)insert(bench, "v9.bin", 9, true, "key.pem");
    (void)insert(bench, "a,b.bin", 10, false, NULL);
    (void)insert(bench, "v9.bin", 300, true, NULL);
    assert_int_equal(store_open(&store, &bench->config), 0);
    store.state.entries[store_find(&store, 300)].status = IMG_ROW_DISABLED;
    assert_int_equal(store_commit(&store), 0);
}

static void files_are_the_originals(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, "full.bin");
    fill_store(&bench);
    bench_close(&bench);
    assert_int_equal(run("store " DEVICE " --out files full.bin"), 0);
    assert_true(said("factory 0  version 1           valid           5000 bytes"));
    assert_true(said("runs, last good\nplace   1  version 9           valid           3063 bytes"));
    assert_true(said("  signed    v9.bin\nplace   2  version 10          downloaded"));
    assert_true(said("  unsigned  a,b.bin\nplace   3  version 300         disabled"));
    check_files("files/ota");
    check_signature("files/ota");
    assert_int_equal(run("store " DEVICE " --out files full.bin"), 0); /* again, over them */
    check_files("files/ota");
}

static void fat_image_holds_the_same(void **state)
{
    struct bench bench;
    (void)state;
    if (system("mcopy -V >said 2>&1") != 0) {
        print_message("SKIP FAT images: mcopy is missing (package mtools; sh ci/setup full)\n");
        skip();
    }
    bench_open(&bench, "fat.bin");
    fill_store(&bench);
    bench_close(&bench);
    assert_int_equal(run("store " DEVICE " --fat disk.img fat.bin"), 0);
    assert_int_equal(system("mcopy -s -i disk.img ::/ota back"), 0);
    check_files("back");
    check_signature("back");
    assert_int_equal(access("disk.img.new", F_OK), -1);
    assert_int_equal(run("store " DEVICE " --fat nosuch/disk.img fat.bin"), 2);
    assert_true(said("nobrick image store: mformat: "));

    /* It breaks off half way: nothing is left. */
    char path[4096];
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    assert_int_equal(system("mkdir tools && ln -s $(command -v mformat) tools/mformat"), 0);
    assert_int_equal(setenv("PATH", "tools", 1), 0);
    int code = run("store " DEVICE " --fat half.img fat.bin");
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(code, 2);
    assert_true(said("mcopy is missing (package mtools"));
    assert_int_equal(access("half.img.new", F_OK), -1);
    assert_int_equal(access("half.img", F_OK), -1);
}

static void without_mtools_it_says_so(void **state)
{
    struct bench bench;
    char path[4096];
    (void)state;
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    bench_open(&bench, "bare.bin");
    bench_close(&bench);
    assert_int_equal(setenv("PATH", "/nosuch", 1), 0);
    int code = run("store " DEVICE " --fat bare.img bare.bin");
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(code, 2);
    assert_true(said("mformat is missing (package mtools"));
    assert_int_equal(access("bare.img", F_OK), -1);
}

static void a_bad_image_is_told(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, "flip.bin");
    (void)insert(&bench, "../v3.bin", 3, false, NULL); /* makes no file outside of the folder */
    uint32_t at = insert(&bench, "v2.bin", 2, false, NULL);
    assert_int_equal(flash_sim_put(bench.sim, at + 50, "\x99", 1), 0);
    bench_close(&bench);
    assert_int_equal(run("store " DEVICE " --out flip flip.bin"), 1);
    assert_int_equal(access("flip/ota/_._v3.bin", R_OK), 0);
    assert_true(said("v2.bin, BAD: bad-hash"));
}

static void each_chip_may_be_a_file(void **state)
{
    struct bench bench;
    uint8_t *flash;
    size_t size;
    (void)state;
    bench_open(&bench, "chips.bin");
    (void)insert(&bench, "v2.bin", 2, false, NULL);
    uint32_t second = bench.device.chips[1].start;
    bench_close(&bench);
    assert_int_equal(nb_read_file("chips.bin", 1u << 22, &flash, &size), 0);
    put("internal.bin", flash, second);
    put("spi.bin", flash + second, size - second);
    free(flash);
    assert_int_equal(run("store " DEVICE " internal.bin spi.bin"), 0);
    assert_true(said("version 2"));
    assert_int_equal(run("store " DEVICE " internal.bin"), 2);
    assert_true(said("internal.bin: 131072 bytes, but harmony-small has 458752"));
    assert_int_equal(run("store " DEVICE " spi.bin internal.bin"), 2);
    assert_true(said("spi.bin: 327680 bytes, but pic32mzw1-internal has 131072"));
    assert_int_equal(run("store " DEVICE " internal.bin spi.bin spi.bin"), 2);
    assert_true(said("3 files, but harmony-small has 2 chips"));
}

static void what_makes_no_sense_is_said(void **state)
{
    uint8_t *flash = malloc(458752);
    (void)state;
    memset(flash, 0xFF, 458752);
    put("erased.bin", flash, 458752);
    free(flash);
    assert_int_equal(run("store " DEVICE " erased.bin"), 0);
    assert_true(said("no directory: this device has never booted"));
    assert_int_equal(run("store " DEVICE " --out none erased.bin"), 2);
    assert_true(said("a device that has never booted has no files"));
    assert_int_equal(access("none", F_OK), -1);
    assert_int_equal(run("store " DEVICE " nosuch.bin"), 2);
    assert_true(said("nosuch.bin: No such file"));
    assert_int_equal(run("store " DEVICE), 2);
    assert_int_equal(run("store erased.bin"), 2);
    assert_int_equal(run("store --device anycloud-w25q128 erased.bin"), 2);
    assert_true(said("anycloud-w25q128 keeps no images in a store"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_the_originals),   cmocka_unit_test(fat_image_holds_the_same),
        cmocka_unit_test(without_mtools_it_says_so), cmocka_unit_test(a_bad_image_is_told),
        cmocka_unit_test(each_chip_may_be_a_file),   cmocka_unit_test(what_makes_no_sense_is_said),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
