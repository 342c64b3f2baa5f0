/* `nobrick image factory`: what it makes boots on the device that it is for. */
#include "harness/cli/paths.h"
#include "harness/image/cmd_rig.h"
#include "sim/crypto_openssl.h"

#define DEVICE    "--device harmony-small"
#define SLOT_SIZE 0x10000u

/* Boots the flash file once, as its loader does; the key, if any, in key.pub.pem. */
static int boot(const char *path, bool trusted, struct boot_result *result)
{
    struct sim_device device;
    struct flash_text_error error;
    struct flash_sim *sim = NULL;
    struct boot_config config;
    uint8_t buffer[SIM_COPY_BUFFER];
    bool created = false;
    assert_int_equal(nb_device_load("test", "harmony-small", &device), 0);
    if (trusted)
        assert_int_equal(sim_device_add_key(&device, "key.pub.pem", &error), 0);
    assert_int_equal(flash_sim_file(path, device.chips, device.chip_count, &created, &sim, &error),
                     0);
    assert_false(created);
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    sim_device_boot_config(&device, flash_sim_port(sim), crypto_openssl_port(crypto), NULL, NULL,
                           buffer, sizeof buffer, &config);
    int err = boot_go(&config, result);
    crypto_openssl_free(crypto);
    flash_sim_close(sim);
    sim_device_free(&device);
    return err;
}

static void make_parts(size_t app_size)
{
    static const char words[] = ":020000041FC01B\n:043FC000FFFFFF7F81\n:00000001FF\n";
    static uint8_t data[SLOT_SIZE + 16];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 11u + i / 256u);
    put("words.hex", words, sizeof words - 1);
    put("app.bin", data, app_size);
    put("loader.bin", data + 5, 1000);
    assert_int_equal(run("bin2hex --base 0x10008000 -o app.hex app.bin"), 0);
    assert_int_equal(run("bin2hex --base 0x10000000 -o loader.hex loader.bin"), 0);
}

static void what_comes_out_boots(void **state)
{
    struct boot_result result;
    uint8_t *bytes;
    uint8_t *wanted;
    size_t size;
    (void)state;
    make_parts(9001);
    assert_int_equal(run("factory " DEVICE " --version 7 -o all.hex --flash dev.bin words.hex "
                         "loader.hex app.hex"),
                     0);
    assert_true(said("version 7, 9001 bytes, not signed"));
    assert_int_equal(boot("dev.bin", false, &result), 0);
    assert_int_equal(result.image.header.version.major, 7);
    assert_int_equal(nb_read_file("dev.bin", 1u << 20, &bytes, &size), 0);
    assert_int_equal(nb_read_file("loader.bin", 1u << 20, &wanted, &size), 0);
    assert_memory_equal(bytes, wanted, 1000);
    free(bytes);
    free(wanted);
    assert_int_equal(run("hex2bin --base 0x1FC03FC0 -o words.bin all.hex"), 0);
    assert_int_equal(nb_read_file("words.bin", 100, &bytes, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "\xFF\xFF\xFF\x7F", 4);
    free(bytes);
    assert_int_equal(run("factory " DEVICE " --version 7 --flash dev.bin app.hex"), 2);
    assert_true(said("dev.bin: exists already"));
}

/* With a key the loader of a device that trusts it boots this image, and no other. */
static void signed_row_is_believed(void **state)
{
    struct boot_result result;
    (void)state;
    make_parts(SLOT_SIZE);
    assert_int_equal(nb_image_derive_key("key", "cmd_factory_test"), 0);
    assert_int_equal(run("factory " DEVICE " --version 3 --key key.pem --flash signed.bin app.hex"),
                     0);
    assert_true(said("signed"));
    assert_int_equal(boot("signed.bin", true, &result), 0);
    assert_int_equal(result.image.header.version.major, 3);
    assert_int_equal(run("factory " DEVICE " --version 3 --flash plain.bin app.hex"), 0);
    assert_int_equal(boot("plain.bin", true, &result), OTA_E_NO_IMAGE);
    assert_int_equal(boot("plain.bin", false, &result), 0);
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    make_parts(SLOT_SIZE + 1);
    assert_int_equal(run("factory " DEVICE " --version 7 -o none.hex app.hex"), 2);
    assert_true(said("app.hex: 0x10008000 to 0x10018000 goes beyond the slot, which is 0x10008000 "
                     "to 0x10017FFF"));
    make_parts(5000);
    assert_int_equal(run("factory " DEVICE " --version 7 -o none.hex loader.hex"), 2);
    assert_true(said("nothing lies in the slot"));
    assert_int_equal(run("bin2hex --base 0x10018010 -o loader.hex loader.bin"), 0);
    assert_int_equal(run("factory " DEVICE " --version 7 -o none.hex app.hex loader.hex"), 2);
    assert_true(said("the factory's row: 0x10018000 to 0x10018093 overlaps loader.hex: 0x10018010 "
                     "to 0x100183F7"));
    assert_int_equal(run("bin2hex --base 0x10009000 -o loader.hex loader.bin"), 0);
    assert_int_equal(run("factory " DEVICE " --version 7 -o none.hex app.hex loader.hex"), 2);
    assert_true(said("loader.hex: 0x10009000 to 0x100093E7 overlaps app.hex: 0x10008000 to "
                     "0x10009387"));
    assert_int_equal(run("factory --device anycloud-small-rows --version 7 -o none.hex app.hex"),
                     2);
    assert_true(said("no factory area"));
    assert_int_equal(run("factory " DEVICE " --version 0 -o none.hex app.hex"), 2);
    assert_int_equal(run("factory " DEVICE " --version 1 app.hex"), 2);
    assert_int_equal(run("factory " DEVICE " -o none.hex app.hex"), 2);
    assert_int_equal(run("factory --device nosuch --version 1 -o none.hex app.hex"), 2);
    assert_int_equal(access("none.hex", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out_boots),
        cmocka_unit_test(signed_row_is_believed),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
