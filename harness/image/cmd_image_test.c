/* The verb `nobrick image` as a user meets it: exit codes, one line when it fails, no half files.
 */
#include "harness/image/image.h"

#include "harness/cli/paths.h"
#include "harness/files/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH     4096
#define ARGS_MAX 24

struct world {
    char dir[PATH / 2];
    int home;          /* directory to go back to */
    char golden[PATH]; /* absolute */
    char out[16384];
    char err[4096];
};

static int start_capture(int fd, const char *path)
{
    int saved = dup(fd);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(saved >= 0 && file >= 0);
    assert_true(dup2(file, fd) >= 0);
    (void)close(file);
    return saved;
}

static void end_capture(int fd, int saved, const char *path, char *text, size_t size)
{
    assert_true(dup2(saved, fd) >= 0);
    (void)close(saved);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
    assert_int_equal(unlink(path), 0);
}

/* Runs `nobrick image WORDS…`, words split at spaces ("$G" becomes the goldens' directory). */
static int run(struct world *w, const char *words)
{
    char buffer[PATH];
    char golden[ARGS_MAX][PATH + 64];
    char *argv[ARGS_MAX] = {(char *)"image"};
    int argc = 1;
    char *rest = buffer;

    snprintf(buffer, sizeof buffer, "%s", words);
    for (char *word; (word = strsep(&rest, " ")) != NULL; argc++) {
        assert_true(argc < ARGS_MAX - 1);
        argv[argc] = word;
        if (strncmp(word, "$G", 2) == 0) {
            snprintf(golden[argc], sizeof golden[argc], "%s%s", w->golden, word + 2);
            argv[argc] = golden[argc];
        }
    }
    (void)fflush(stdout);
    (void)fflush(stderr);
    int out = start_capture(STDOUT_FILENO, "captured.out");
    int err = start_capture(STDERR_FILENO, "captured.err");
    int code = nb_cmd_image(argc, argv);
    (void)fflush(stdout);
    (void)fflush(stderr);
    end_capture(STDOUT_FILENO, out, "captured.out", w->out, sizeof w->out);
    end_capture(STDERR_FILENO, err, "captured.err", w->err, sizeof w->err);
    return code;
}

static int set_up(void **state)
{
    static struct world w;
    const char *tmp = getenv("TMPDIR");
    char golden[PATH];

    w.home = -1; /* not in a directory of its own yet: tear_down removes nothing */
    *state = &w;
    snprintf(golden, sizeof golden, "%s/golden", nb_data_dir());
    if (realpath(golden, w.golden) == NULL) {
        return -1;
    }
    snprintf(w.dir, sizeof w.dir, "%s/nobrick-cmd-image-XXXXXX", tmp != NULL ? tmp : "/tmp");
    int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (home < 0 || mkdtemp(w.dir) == NULL || chdir(w.dir) != 0) {
        return -1;
    }
    w.home = home;
    return nb_image_make_key("key", CRYPTO_ECDSA_P256);
}

/* Fills `names` with what lies in the working directory; returns how many. */
static int list_files(char names[][256], int max)
{
    DIR *dir = opendir(".");
    int count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.' && count < max) {
            snprintf(names[count++], 256, "%s", entry->d_name);
        }
    }
    (void)closedir(dir);
    return count;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char names[64][256];

    if (w->home < 0) {
        return 0;
    }
    int count = list_files(names, 64);
    for (int i = 0; i < count; i++) {
        (void)unlink(names[i]);
    }
    if (fchdir(w->home) != 0) {
        return -1;
    }
    (void)close(w->home);
    return rmdir(w->dir);
}

static void assert_one_line(const char *text, const char *start, const char *contains)
{
    assert_memory_equal(text, start, strlen(start));
    assert_non_null(strstr(text, contains));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_help(void **state)
{
    static const char *const words[] = {"--help",      "create --help", "verify --help",
                                        "show --help", "pad --help",    "pack --help",
                                        "diff --help", "patch --help"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(run(w, words[i]), 0);
        assert_non_null(strstr(w->out, "usage: nobrick image"));
        assert_non_null(strstr(w->out, "example:\n  "));
        assert_string_equal(w->err, "");
    }
}

static void test_usage_errors(void **state)
{
    static const struct {
        const char *words;
        const char *says;
    } rows[] = {
        {"", "''"},
        {"paint", "'paint'"},
        {"create", "--payload FILE or --size N"},
        {"create --size 1K --payload key.pem --version 1 -o x", "one of them"},
        {"create --size 1K -o x", "--version"},
        {"create --size 1K --version 1", "-o OUT"},
        {"create --size 1K --version one -o x", "one"},
        {"create --size 1Q --version 1 -o x", "1Q"},
        {"create --size 99999999999999999999 --version 1 -o x", "99999999999999999999"},
        {"create --size 1K --version 1 --app sleeps -o x", "sleeps"},
        {"create --size 1K --version 1 --header-size 8 -o x", "header size 8"},
        {"create --size 1K --version 1 --colour -o x", "--colour"},
        {"create --size 1K --version 1 -o", "-o needs a value"},
        {"create --size 1K --version 1 -o x y", "'y'"},
        {"create --size 0 --version 1 -o x", "empty"},
        {"create --payload none --version 1 -o x", "none: No such file"},
        {"create --size 1K --version 1 --key none -o x", "none: No such file"},
        {"create --size 1K --version 1 --key key.pub.pem -o x", "not a PEM private key"},
        {"create --size 1K --version 1 -o none/x", "none/x: No such file"},
        {"verify", "one FILE"},
        {"verify none", "none: No such file"},
        {"verify --key none $G/p256-v1.2.3.img", "none: No such file"},
        {"verify --key key.pem $G/p256-v1.2.3.img", "not a PEM public key"},
        {"show", "one FILE"},
        {"show none", "none: No such file"},
        {"pad $G/p256-v1.2.3.img -o x", "--slot-size"},
        {"pad --slot-size 128K $G/p256-v1.2.3.img", "-o OUT"},
        {"pad --slot-size 64K $G/p256-v1.2.3.img -o x", "do not fit 65536"},
        {"pad --slot-size 128K --align 7 $G/p256-v1.2.3.img -o x", "8, 16 or 32"},
        {"pad --slot-size 128K --erased 0x12 $G/p256-v1.2.3.img -o x", "0xFF or 0x00"},
        {"pad --slot-size 128K $G/malformed/flip-payload.img -o x", "bad-hash"},
        {"pack -o x", "one FILE"},
        {"pack $G/p256-v1.2.3.img", "-o OUT"},
        {"pack $G/p256-v1.2.3.img $G/unsigned-v1.2.5.img -o x", "one FILE"},
        {"pack none -o x", "none: No such file"},
        {"pack --spe none $G/p256-v1.2.3.img -o x", "none: No such file"},
        {"pack --version 1.2.3+4 $G/p256-v1.2.3.img -o x", "1.2.3+4"},
        {"pack key.pub.pem -o x", "key.pub.pem: not an MCUboot image: needs --version"},
        {"pack --spe $G/p256-v1.2.3.img $G/p256-v1.2.3.img -o x", "each name once"},
        {"pack $G/p256-v1.2.3.img -o none/x", "none/x: No such file"},
        {"diff $G/app-a.bin -o x", "OLD and NEW"},
        {"diff $G/app-a.bin $G/app-b.bin", "-o FILE"},
        {"diff --format bsdiff $G/app-a.bin $G/app-b.bin -o x", "--format bsdiff"},
        {"diff $G/app-a.bin none -o x", "none: No such file"},
        {"diff $G/app-a.bin $G/app-b.bin -o none/x", "none/x: No such file"},
        {"patch --format jojodiff $G/app-a.bin $G/app-b.bin -o x", "--format"},
        {"patch none $G/app-b.bin -o x", "none: No such file"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = run(w, rows[i].words);
        if (code != 2) {
            fail_msg("image %s: exit code %d", rows[i].words, code);
        }
        assert_one_line(w->err, "nobrick image", rows[i].says);
        assert_string_equal(w->out, "");
        assert_int_not_equal(access("x", F_OK), 0);
    }
}

static void test_verify_goldens(void **state)
{
    static const struct {
        const char *name;
        const char *says; /* version, or the reason's word */
        int code;
    } rows[] = {
        {"p256-v1.2.3.img", "version 1.2.3+4,", 0},
        {"p256-v1.3.0-sec7.img", "security counter 7", 0},
        {"rsa2048-v1.2.4.img", "version 1.2.4,", 0},
        {"p256-v2.0.0-hdr400-pending.slot", "version 2.0.0,", 0},
        {"otherkey-v9.0.0.img", "refused: unknown-key at offset 0xfdf4 (key hash)", 1},
        {"unsigned-v1.2.5.img", "refused: no-signature at ", 1},
        {"malformed/bad-magic.img", "refused: bad-magic at offset 0x0 (header magic)", 1},
        {"malformed/header-size-0.img", "refused: bad-header at offset 0x8 (header size)", 1},
        {"malformed/size-overflow.img", "refused: bad-size at offset 0xc (image size)", 1},
        {"malformed/flip-payload.img", "refused: bad-hash at offset 0xfdd0 (SHA-256)", 1},
        {"malformed/flip-header-version.img", "refused: bad-hash at offset 0xfdd0", 1},
        {"malformed/truncated-payload.img", "refused: truncated at offset 0x7530 (payload)", 1},
        {"malformed/truncated-tlv.img", "refused: truncated at offset 0xfe4b (TLV data)", 1},
        {"malformed/tlv-len-lies.img", "refused: bad-tlv at offset 0xfdce (TLV length)", 1},
        {"malformed/tlv-total-lies.img", "refused: bad-tlv at offset 0xfdca (TLV total)", 1},
        {"malformed/no-signature.img", "refused: no-signature at ", 1},
    };
    struct world *w = *state;
    char words[256];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(words, sizeof words, "verify --key $G/p256.pub.pem --key $G/rsa2048.pub.pem $G/%s",
                 rows[i].name);
        assert_int_equal(run(w, words), rows[i].code);
        if (rows[i].code == 0) {
            assert_one_line(w->out, "/", rows[i].says);
            assert_string_equal(w->err, "");
        } else {
            assert_one_line(w->err, "nobrick image verify: ", rows[i].says);
            assert_string_equal(w->out, "");
        }
    }
}

static void test_verify_without_key_says_so(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, "verify $G/unsigned-v1.2.5.img"), 0);
    assert_non_null(strstr(w->out, "signature not checked"));
}

static void test_create_verify_pad_show(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, "create --size 8K --seed 3 --version 2.1.0+9 --counter 5 --app crashes "
                            "--header-size 0x400 --load-addr 0x1000 --key key.pem -o v2.img"),
                     0);
    assert_int_equal(run(w, "verify --key key.pub.pem v2.img"), 0);
    assert_non_null(strstr(w->out, "version 2.1.0+9,"));
    assert_non_null(strstr(w->out, "signed by key.pub.pem (ECDSA P-256)"));
    assert_int_equal(run(w, "pad --slot-size 32K --align 16 --erased 0x00 --confirmed "
                            "--max-sectors 8 -o v2.slot v2.img"),
                     0);
    struct stat status;
    assert_int_equal(stat("v2.slot", &status), 0);
    assert_int_equal(status.st_size, 32768);
    assert_int_equal(run(w, "verify --key key.pub.pem v2.slot"), 0);
    assert_int_equal(run(w, "show v2.slot"), 0);
    assert_non_null(strstr(w->out, "2.1.0+9"));
    assert_non_null(strstr(w->out, "SEC_CNT"));
    assert_non_null(strstr(w->out, "ECDSA_SIG"));
    assert_non_null(strstr(w->out, "trailer, alignment 16"));
    assert_non_null(strstr(w->out, "image_ok            set"));
    assert_non_null(strstr(w->out, "copy_done           unset"));
}

/* Is the string in the first bytes of the file? */
static bool file_holds(const char *path, const char *text)
{
    uint8_t *data;
    size_t size;

    assert_int_equal(nb_read_file(path, 1 << 20, &data, &size), 0);
    bool found = memmem(data, size < 1536 ? size : 1536, text, strlen(text)) != NULL;
    free(data);
    return found;
}

static void test_pack(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, "create --size 8K --version 2.1.0 -o v2.img"), 0);
    assert_int_equal(run(w, "pack -o v2.tar v2.img"), 0);
    assert_string_equal(w->out, "");
    assert_string_equal(w->err, "");
    assert_true(file_holds("v2.tar", "\"version\":\"2.1.0\""));
    assert_true(file_holds("v2.tar", "{\"fileName\":\"v2.img\",\"fileType\":\"NSPE\""));
    assert_int_equal(run(w, "pack --version 3.0.1 --spe key.pub.pem -o v3.tar v2.img"), 0);
    assert_true(file_holds("v3.tar", "\"version\":\"3.0.1\""));
    assert_true(file_holds("v3.tar", "{\"fileName\":\"key.pub.pem\",\"fileType\":\"SPE\""));
}

static void assert_equal_files(const char *one, const char *other)
{
    uint8_t *data[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    assert_int_equal(nb_read_file(one, 1u << 20, &data[0], &size[0]), OTA_OK);
    assert_int_equal(nb_read_file(other, 1u << 20, &data[1], &size[1]), OTA_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    free(data[0]);
    free(data[1]);
}

static void test_diff_and_patch(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, "create --size 40K --version 1.0.0 -o v1.img"), 0);
    assert_int_equal(run(w, "create --size 40K --version 2.0.0 -o v2.img"), 0);
    assert_int_equal(run(w, "diff -o v1-v2.patch v1.img v2.img"), 0);
    assert_non_null(strstr(w->out, "v1-v2.patch: "));
    assert_int_equal(run(w, "patch -o again.img v1.img v1-v2.patch"), 0);
    assert_string_equal(w->err, "");
    assert_equal_files("again.img", "v2.img");
    assert_int_equal(run(w, "patch -o other.img $G/p256-tiny.img v1-v2.patch"), 1);
    assert_one_line(w->err, "nobrick image patch: v1-v2.patch: refused: bad-patch: ", "source");
    assert_int_not_equal(access("other.img", F_OK), 0);
}

static void test_show_malformed(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, "show $G/malformed/tlv-len-lies.img"), 1);
    assert_non_null(strstr(w->out, "does not fit its area"));
    assert_one_line(w->err, "nobrick image show: ", "bad-tlv");
    assert_int_equal(run(w, "show key.pem"), 1);
    assert_string_equal(w->out, "");
    assert_one_line(w->err, "nobrick image show: ", "bad-magic");
}

/* A disk that is full: one line, the old file is whole, nothing else is left. */
static void test_full_disk(void **state)
{
    struct world *w = *state;
    struct rlimit old;
    char names[64][256];

    assert_int_equal(run(w, "create --size 1K --version 1.0.0 -o full.img"), 0);
    int before = list_files(names, 64);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {8192, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int code = run(w, "create --size 64K --version 2.0.0 -o full.img");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(code, 2);
    assert_one_line(w->err, "nobrick image create: full.img: ", "too large");
    assert_int_equal(list_files(names, 64), before);
    assert_int_equal(run(w, "verify full.img"), 0);
    assert_non_null(strstr(w->out, "version 1.0.0,"));
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(run(w, "create --size 1K --version 1 -o /dev/full"), 2);
        assert_one_line(w->err, "nobrick image create: /dev/full: ", "No space left");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_verify_goldens),
        cmocka_unit_test(test_verify_without_key_says_so),
        cmocka_unit_test(test_create_verify_pad_show),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_diff_and_patch),
        cmocka_unit_test(test_show_malformed),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests_name("harness/image/cmd_image", tests, set_up, tear_down);
}
