#include "harness/files/files.h"
#include "harness/image/atomic_file.h"
#include "harness/image/image.h"
#include "harness/image/image_cli.h"
#include "sim/crypto_openssl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 8

static const char *const HELP =
    "usage: nobrick image PART [--help] ...\n"
    "\n"
    "  create   make an MCUboot image from a payload, and sign it\n"
    "  verify   check an image: hash, signature, every size and TLV\n"
    "  show     print header, TLVs and slot trailer\n"
    "  pad      make a whole slot of an image, with a trailer\n"
    "  pack     make a TAR archive with a list of components, as AnyCloud devices take them\n"
    "  diff     make the patch that turns one file into another\n"
    "  patch    apply one\n"
    "  hex2bin, bin2hex   Intel HEX to bytes and back\n"
    "  merge    one Intel HEX file of several, as of a loader and an application\n"
    "  factory  the same for a device that keeps images in a store, with the factory's row\n"
    "  store    show the images in a device's store, and write them as the original's files\n"
    "  sign     digest and signature of a file, as Harmony's manifests have them\n"
    "\n"
    "example:\n"
    "  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem\n"
    "  openssl pkey -in key.pem -pubout -out key.pub.pem\n"
    "  nobrick image create --size 64K --version 1.2.3 --key key.pem -o v1.img\n"
    "  nobrick image verify --key key.pub.pem v1.img\n";

static const char *const VERIFY_HELP =
    "usage: nobrick image verify [--key PUB.pem]... FILE\n"
    "\n"
    "Checks an MCUboot image, or a slot that begins with one. Exit code 0: verified, its version\n"
    "is printed; 1: refused, with the reason, the offset and the field; 2: usage or no such file.\n"
    "\n"
    "  --key PUB.pem   a public key to trust (P-256 or RSA-2048); without one only the hash and\n"
    "                  the structure are checked\n"
    "\n"
    "example:\n"
    "  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem\n"
    "  openssl pkey -in key.pem -pubout -out key.pub.pem\n"
    "  nobrick image create --size 64K --version 1.2.3 --key key.pem -o v1.img\n"
    "  nobrick image verify --key key.pub.pem v1.img\n";

int nb_image_complain(const char *part, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "nobrick image%s%s: ", part[0] != '\0' ? " " : "", part);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 2;
}

/* The line for an option that getopt_long did not take. */
static int bad_option(const char *part, int option, char *const *argv)
{
    const char *what = argv[optind - 1];

    if (option == ':') {
        return nb_image_complain(part, "option %s needs a value (--help)", what);
    }
    return nb_image_complain(part, "unknown option %s (--help)", what);
}

/* Those of the options that may be written short, as getopt wants them. */
static const char *short_options(const struct option *options, char out[8])
{
    char *end = out;

    *end++ = ':';
    for (const struct option *option = options; option->name != NULL; option++) {
        if (option->val == 'o' || option->val == 'k' || option->val == 'h') {
            *end++ = (char)option->val;
            if (option->has_arg == required_argument) {
                *end++ = ':';
            }
        }
    }
    *end = '\0';
    return out;
}

int nb_image_take_options(const struct nb_image_options *wanted, int argc, char **argv)
{
    char text[8];
    const char *letters = short_options(wanted->options, text);
    int option;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, letters, wanted->options, NULL)) != -1) {
        if (option == 'h') {
            *wanted->help = true;
            return 0;
        }
        int code = option == '?' || option == ':' ? bad_option(wanted->part, option, argv)
                                                  : wanted->take(wanted->context, option);
        if (code != 0) {
            return code;
        }
    }
    if (wanted->files == NB_IMAGE_FILES) {
        return 0;
    }
    if (wanted->files == 0 && optind != argc) {
        return nb_image_complain(wanted->part, "what is '%s'? (--help)", argv[optind]);
    }
    if (argc - optind != wanted->files) {
        return nb_image_complain(wanted->part, "needs exactly one FILE (--help)");
    }
    return 0;
}

int nb_image_read(const char *part, const char *path, uint8_t **data, size_t *size)
{
    int err = nb_read_file(path, NB_IMAGE_FILE_MAX, data, size);

    if (err < 0) {
        nb_image_complain(part, "%s: %s", path, strerror(errno));
        return err;
    }
    return OTA_OK;
}

int nb_image_write(const char *part, const char *path, const void *data, size_t size)
{
    return nb_atomic_file_write(path, data, size) < 0
               ? nb_image_complain(part, "%s: %s", path, strerror(errno))
               : 0;
}

void nb_image_print_refusal(const char *part, const char *path, int err,
                            const struct img_fault *fault)
{
    if (fault->what == NULL || fault->what[0] == '\0') {
        fprintf(stderr, "nobrick image %s: %s: refused: %s: %s\n", part, path, ota_err_word(err),
                ota_err_text(err));
        return;
    }
    fprintf(stderr, "nobrick image %s: %s: refused: %s at offset 0x%x (%s): %s\n", part, path,
            ota_err_word(err), fault->offset, fault->what, ota_err_text(err));
}

int nb_image_parse_size(const char *text, uint64_t max, uint64_t *out)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return OTA_E_ARGUMENT;
    }
    errno = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned long long value = strtoull(text, &end, hex ? 16 : 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : 0;
    if (shift != 0) {
        end++;
    }
    if (errno != 0 || *end != '\0' || value > max >> shift) {
        return OTA_E_ARGUMENT;
    }
    *out = (uint64_t)value << shift;
    return OTA_OK;
}

void nb_version_print_full(const struct img_version *version, char out[NB_VERSION_TEXT])
{
    if (version->build != 0) {
        snprintf(out, NB_VERSION_TEXT, "%u.%u.%u+%u", version->major, version->minor,
                 version->revision, version->build);
    } else {
        snprintf(out, NB_VERSION_TEXT, "%u.%u.%u", version->major, version->minor,
                 version->revision);
    }
}

/* The keys named on the command line. */
struct trusted {
    struct crypto_key keys[KEYS_MAX];
    uint8_t *der[KEYS_MAX];
    const char *paths[KEYS_MAX];
    size_t count;
    bool help;
};

static int trust(struct trusted *trusted, const char *path)
{
    if (trusted->count == KEYS_MAX) {
        return nb_image_complain("verify", "more than %d keys", KEYS_MAX);
    }
    int err = crypto_openssl_read_public(path, &trusted->keys[trusted->count],
                                         &trusted->der[trusted->count]);
    if (err == OTA_E_IO) {
        return nb_image_complain("verify", "%s: %s", path, strerror(errno));
    }
    if (err < 0) {
        return nb_image_complain("verify", "%s: not a PEM public key (P-256 or RSA-2048)", path);
    }
    trusted->paths[trusted->count++] = path;
    return 0;
}

static int take_verify_option(void *context, int option)
{
    (void)option;
    return trust(context, optarg);
}

static int verify_file(const char *path, const struct trusted *trusted)
{
    struct img_rules rules = {.keys = trusted->keys, .key_count = trusted->count};
    struct img_fault fault = {0, NULL};
    struct img_info info;
    uint8_t *data;
    size_t size;
    char version[NB_VERSION_TEXT];

    if (nb_image_read("verify", path, &data, &size) < 0) {
        return 2;
    }
    int err = nb_image_check(data, size, &rules, &info, &fault);
    free(data);
    if (err < 0) {
        nb_image_print_refusal("verify", path, err, &fault);
        return 1;
    }
    nb_version_print_full(&info.header.version, version);
    printf("%s: verified: version %s, %u bytes, ", path, version, info.end);
    if (info.has_counter) {
        printf("security counter %u, ", info.counter);
    }
    if (!info.is_signed) {
        printf("hash only: no --key, signature not checked\n");
    } else {
        printf("signed by %s (%s)\n", trusted->paths[info.key],
               trusted->keys[info.key].scheme == CRYPTO_ECDSA_P256 ? "ECDSA P-256"
                                                                   : "RSA-2048 PSS");
    }
    return 0;
}

int nb_image_cmd_verify(int argc, char **argv)
{
    static const struct option options[] = {
        {"key", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct trusted trusted = {.count = 0};
    const struct nb_image_options wanted = {"verify", options,       take_verify_option,
                                            &trusted, &trusted.help, 1};
    int result = nb_image_take_options(&wanted, argc, argv);

    if (trusted.help) {
        fputs(VERIFY_HELP, stdout);
    } else if (result == 0) {
        result = verify_file(argv[optind], &trusted);
    }
    for (size_t i = 0; i < trusted.count; i++) {
        free(trusted.der[i]);
    }
    return result;
}

int nb_cmd_image(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } parts[] = {
        {"create", nb_image_cmd_create},   {"verify", nb_image_cmd_verify},
        {"show", nb_image_cmd_show},       {"pad", nb_image_cmd_pad},
        {"pack", nb_image_cmd_pack},       {"diff", nb_image_cmd_diff},
        {"patch", nb_image_cmd_patch},     {"hex2bin", nb_image_cmd_hex2bin},
        {"bin2hex", nb_image_cmd_bin2hex}, {"merge", nb_image_cmd_merge},
        {"factory", nb_image_cmd_factory}, {"store", nb_image_cmd_store},
        {"sign", nb_image_cmd_sign},
    };

    if (argc < 2) {
        return nb_image_complain("", "create, verify, show, pad, pack, diff, patch, hex2bin, "
                                     "bin2hex, merge, factory, store or sign? (--help)");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(HELP, stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            return parts[i].run(argc - 1, argv + 1);
        }
    }
    return nb_image_complain("",
                             "no such thing as '%s': create, verify, show, pad, pack, diff, patch, "
                             "hex2bin, bin2hex, merge, factory, store "
                             "or sign (--help)",
                             argv[1]);
}
