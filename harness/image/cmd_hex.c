#include "harness/image/harmony.h"
#include "harness/image/hex.h"
#include "harness/image/image_cli.h"

#include <getopt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 8

static const char *const HEX_HELP =
    "usage: nobrick image hex2bin --base ADDRESS [--size SIZE] -o FILE.bin FILE.hex\n"
    "       nobrick image bin2hex --base ADDRESS -o FILE.hex FILE.bin\n"
    "       nobrick image merge -o ALL.hex FILE.hex...\n"
    "\n"
    "hex2bin takes the bytes from ADDRESS on: SIZE of them, or up to the last one that is there.\n"
    "Gaps are 0xFF. What lies elsewhere is left out, and said.\n"
    "merge makes one file of a loader and an application (the unified factory image), with all "
    "that\n"
    "either holds: configuration words, too. An address that two files fill is refused.\n"
    "\n"
    "  --base ADDRESS      of the first byte; of a WFI32's slot 0x10020000\n"
    "  --size SIZE         bytes of the bin file\n"
    "  -o, --output FILE   what comes out\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o app.bin\n"
    "  nobrick image bin2hex --base 0x10020000 -o app.hex app.bin\n"
    "  nobrick image create --size 16K --version 1.0.0 -o loader.bin\n"
    "  nobrick image bin2hex --base 0x10000000 -o loader.hex loader.bin\n"
    "  nobrick image merge -o factory.hex loader.hex app.hex\n"
    "  nobrick image hex2bin --base 0x10020000 -o again.bin factory.hex && cmp app.bin again.bin\n";

static const char *const SIGN_HELP =
    "usage: nobrick image sign --key PRIVATE.pem FILE\n"
    "\n"
    "Prints what a manifest of Harmony's OTA says of an image file: its size, its SHA-256, and "
    "the\n"
    "ECDSA P-256 signature over that, r and s of 32 bytes each, in base64.\n"
    "\n"
    "  -k, --key FILE   the private key, in PEM\n"
    "\n"
    "example:\n"
    "  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem\n"
    "  nobrick image create --size 64K --version 1.0.0 -o app.bin\n"
    "  nobrick image sign --key key.pem app.bin\n";

struct job {
    const char *part; /* "hex2bin", "bin2hex", "merge", "sign" */
    const char *output;
    const char *key;
    char **paths;
    int path_count;
    uint32_t base;
    uint32_t size;
    bool has_base;
    bool help;
};

static int parse_number(const struct job *job, const char *name, const char *text, uint32_t *out)
{
    uint64_t value;
    if (nb_image_parse_size(text, UINT32_MAX, &value) != 0)
        return nb_image_complain(job->part, "--%s %s: not a number of 32 bits", name, text);
    *out = (uint32_t)value;
    return 0;
}

static int check(const struct job *job, int count)
{
    bool signs = strcmp(job->part, "sign") == 0;
    bool merges = strcmp(job->part, "merge") == 0;
    if (merges ? count < 1 || count > FILES_MAX : count != 1)
        return nb_image_complain(job->part, merges ? "needs 1 to 8 files (--help)"
                                                   : "needs exactly one FILE (--help)");
    if (signs && job->key == NULL)
        return nb_image_complain(job->part, "needs --key FILE (--help)");
    if (!signs && job->output == NULL)
        return nb_image_complain(job->part, "needs -o FILE (--help)");
    if (!signs && !merges && !job->has_base)
        return nb_image_complain(job->part, "needs --base ADDRESS (--help)");
    return 0;
}

static int take(void *context, int option)
{
    struct job *job = context;
    switch (option) {
    case 'o':
        job->output = optarg;
        return 0;
    case 'k':
        job->key = optarg;
        return 0;
    case 'b':
        job->has_base = true;
        return parse_number(job, "base", optarg, &job->base);
    default:
        return parse_number(job, "size", optarg, &job->size);
    }
}

static int parse(int argc, char **argv, struct job *job)
{
    static const struct option options[] = {
        {"base", required_argument, NULL, 'b'},   {"size", required_argument, NULL, 's'},
        {"output", required_argument, NULL, 'o'}, {"key", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {argv[0], options,    take,
                                            job,     &job->help, NB_IMAGE_FILES};
    job->part = argv[0];
    int code = nb_image_take_options(&wanted, argc, argv);
    if (code != 0 || job->help)
        return code;
    code = check(job, argc - optind);
    job->paths = argv + optind;
    job->path_count = argc - optind;
    return code;
}

int nb_image_read_hex(const char *part, char **paths, int count, struct nb_hex *hex)
{
    for (int i = 0; i < count; i++) {
        char reason[400] = "";
        uint8_t *text;
        size_t length;
        if (nb_image_read(part, paths[i], &text, &length) < 0)
            return 2;
        int err = nb_hex_add(hex, (const char *)text, length, paths[i], reason, sizeof reason);
        free(text);
        if (err != 0)
            return nb_image_complain(part, "%s", reason[0] ? reason : ota_err_text(err));
    }
    return 0;
}

static int write_hex(const struct job *job, const struct nb_hex *hex)
{
    char *text = NULL;
    size_t length = 0;
    int err = nb_hex_print(hex, &text, &length);
    int code = err != 0 ? nb_image_complain(job->part, "%s", ota_err_text(err))
                        : nb_image_write(job->part, job->output, text, length);
    free(text);
    return code;
}

static int merge(const struct job *job)
{
    struct nb_hex hex = {0};
    int code = nb_image_read_hex(job->part, job->paths, job->path_count, &hex);
    if (code == 0)
        code = write_hex(job, &hex);
    nb_hex_free(&hex);
    return code;
}

static int to_hex(const struct job *job)
{
    struct nb_hex hex = {0};
    char reason[300] = "";
    uint8_t *data;
    size_t size;
    if (nb_image_read(job->part, job->paths[0], &data, &size) < 0)
        return 2;
    int err = nb_hex_add_bytes(&hex, job->base, data, (uint32_t)size, job->paths[0], reason,
                               sizeof reason);
    int code = err != 0 ? nb_image_complain(job->part, "%s", reason[0] ? reason : ota_err_text(err))
                        : write_hex(job, &hex);
    free(data);
    nb_hex_free(&hex);
    return code;
}

/* Up to the last byte of the piece that holds the base, or begins behind it, and of those that
 * follow in the same 16 MiB: configuration words lie far away. */
static uint32_t usual_size(const struct nb_hex *hex, uint32_t base)
{
    uint64_t end = base;
    for (size_t i = 0; i < hex->count; i++) {
        uint64_t last = (uint64_t)hex->pieces[i].address + hex->pieces[i].size;
        if (last > end && hex->pieces[i].address - (uint64_t)base < 1u << 24)
            end = last;
    }
    return (uint32_t)(end - base);
}

static int to_bin(const struct job *job)
{
    struct nb_hex hex = {0};
    int code = nb_image_read_hex(job->part, job->paths, job->path_count, &hex);
    uint32_t size = job->size != 0 ? job->size : usual_size(&hex, job->base);
    if (code == 0 && (size == 0 || size > NB_IMAGE_FILE_MAX))
        code = nb_image_complain(job->part, "%s: nothing lies at 0x%08X", job->paths[0], job->base);
    uint8_t *data = code == 0 ? malloc(size) : NULL;
    if (code == 0 && data == NULL)
        code = nb_image_complain(job->part, "no memory for %u bytes", size);
    if (code == 0) {
        size_t outside = nb_hex_fill(&hex, job->base, size, data);
        code = nb_image_write(job->part, job->output, data, size);
        if (code == 0)
            printf("%s: %u bytes from 0x%08X; %zu pieces of %s lie outside\n", job->output, size,
                   job->base, outside, job->paths[0]);
    }
    free(data);
    nb_hex_free(&hex);
    return code;
}

static int sign(const struct job *job)
{
    struct img_row row = {.type = IMG_ROW_PRODUCTION};
    char reason[300] = "";
    uint8_t *data;
    size_t size;
    unsigned char text[4 * ((IMG_RS_SIZE + 2) / 3) + 1];
    if (nb_image_read(job->part, job->paths[0], &data, &size) < 0)
        return 2;
    int err = nb_harmony_sign(data, size, job->key, &row, reason, sizeof reason);
    free(data);
    if (err != 0)
        return nb_image_complain(job->part, "%s", reason[0] ? reason : ota_err_text(err));
    EVP_EncodeBlock(text, row.signature, IMG_RS_SIZE);
    printf("size      %u\ndigest    ", row.size);
    for (size_t i = 0; i < sizeof row.digest; i++)
        printf("%02x", row.digest[i]);
    printf("\nsignature %s\n", text);
    return 0;
}

static int run(int argc, char **argv, const char *help, int (*act)(const struct job *job))
{
    struct job job = {0};
    int code = parse(argc, argv, &job);
    if (code != 0)
        return code;
    if (job.help) {
        fputs(help, stdout);
        return 0;
    }
    return act(&job);
}

int nb_image_cmd_hex2bin(int argc, char **argv)
{
    return run(argc, argv, HEX_HELP, to_bin);
}

int nb_image_cmd_bin2hex(int argc, char **argv)
{
    return run(argc, argv, HEX_HELP, to_hex);
}

int nb_image_cmd_merge(int argc, char **argv)
{
    return run(argc, argv, HEX_HELP, merge);
}

int nb_image_cmd_sign(int argc, char **argv)
{
    return run(argc, argv, SIGN_HELP, sign);
}
