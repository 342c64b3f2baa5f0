#include "harness/cli/paths.h"
#include "harness/image/atomic_file.h"
#include "harness/image/factory.h"
#include "harness/image/image_cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 8
#define PART      "factory"

static const char *const HELP =
    "usage: nobrick image factory --device FILE|PRESET --version N [option...] FILE.hex...\n"
    "\n"
    "Makes the unified factory image of a device that keeps its images in a store: one Intel HEX\n"
    "file of loader, application and configuration words, with all that the files hold, and the\n"
    "factory's row: version, size, digest and signature of the application, which is what lies in\n"
    "the primary slot. Addresses that two files fill are refused.\n"
    "\n"
    "  --device FILE|PRESET  device file, or a name from `nobrick list devices`\n"
    "  --version N           the application's, a number\n"
    "  -k, --key PRIV.pem    sign the row with this key (P-256); without it: unsigned\n"
    "  --name NAME           the application's, in the row (default factory.bin)\n"
    "  --base ADDRESS        of the device's first byte (default 0x10000000)\n"
    "  -o, --output ALL.hex  the factory image\n"
    "  --flash FILE          also make the flash file of a device that was programmed with it\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o app.bin\n"
    "  nobrick image bin2hex --base 0x10020000 -o app.hex app.bin\n"
    "  nobrick image factory --device harmony-wfi32 --version 1 -o all.hex --flash dev.bin "
    "app.hex\n"
    "  nobrick device --device harmony-wfi32 --flash dev.bin --boot-only\n";

struct job {
    const char *device;
    const char *key;
    const char *name;
    const char *output;
    const char *flash;
    uint64_t base;
    uint64_t version;
    bool has_version;
    bool help;
};

static int take(void *context, int option)
{
    struct job *job = context;
    switch (option) {
    case 'd':
        job->device = optarg;
        return 0;
    case 'k':
        job->key = optarg;
        return 0;
    case 'n':
        job->name = optarg;
        return strlen(optarg) < IMG_ROW_NAME && optarg[0] != '\0'
                   ? 0
                   : nb_image_complain(PART, "--name %s: not 1 to %u characters", optarg,
                                       IMG_ROW_NAME - 1);
    case 'o':
        job->output = optarg;
        return 0;
    case 'f':
        job->flash = optarg;
        return 0;
    case 'b':
        return nb_image_parse_size(optarg, UINT32_MAX, &job->base) == 0
                   ? 0
                   : nb_image_complain(PART, "--base %s: not a number of 32 bits", optarg);
    default:
        job->has_version = true;
        return nb_image_parse_size(optarg, UINT32_MAX, &job->version) == 0 && job->version > 0
                   ? 0
                   : nb_image_complain(PART, "--version %s: not a number from 1 to 4294967295",
                                       optarg);
    }
}

static int parse(int argc, char **argv, struct job *job)
{
    static const struct option options[] = {
        {"device", required_argument, NULL, 'd'},
        {"version", required_argument, NULL, 'v'},
        {"key", required_argument, NULL, 'k'},
        {"name", required_argument, NULL, 'n'},
        {"base", required_argument, NULL, 'b'},
        {"output", required_argument, NULL, 'o'},
        {"flash", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {PART, options, take, job, &job->help, NB_IMAGE_FILES};
    int code = nb_image_take_options(&wanted, argc, argv);
    if (code != 0 || job->help)
        return code;
    if (job->device == NULL || !job->has_version)
        return nb_image_complain(PART, "needs --device FILE|PRESET and --version N (--help)");
    if (job->output == NULL && job->flash == NULL)
        return nb_image_complain(PART, "needs -o ALL.hex, --flash FILE or both (--help)");
    if (argc - optind < 1 || argc - optind > FILES_MAX)
        return nb_image_complain(PART, "needs 1 to %d files (--help)", FILES_MAX);
    return 0;
}

static int write_outputs(const struct job *job, const struct sim_device *device,
                         const struct nb_hex *hex)
{
    char reason[400] = "";
    char *text = NULL;
    size_t length = 0;
    uint32_t base = (uint32_t)job->base;
    int err = nb_hex_print(hex, &text, &length);
    if (err == 0 && job->output != NULL && nb_atomic_file_write(job->output, text, length) < 0) {
        snprintf(reason, sizeof reason, "%s: %s", job->output, strerror(errno));
        err = OTA_E_IO;
    }
    if (err == 0 && job->flash != NULL)
        err = nb_factory_flash(hex, device, base, job->flash, reason, sizeof reason);
    free(text);
    return err == 0 ? 0 : nb_image_complain(PART, "%s", reason[0] ? reason : ota_err_text(err));
}

static int make(const struct job *job, const struct sim_device *device, char **paths, int count)
{
    struct nb_hex hex = {0};
    struct img_row row = {.version = (uint32_t)job->version};
    char reason[400] = "";
    memcpy(row.name, job->name, strlen(job->name) + 1);
    int code = nb_image_read_hex(PART, paths, count, &hex);
    int err = code == 0 ? nb_factory_add_row(&hex, device, (uint32_t)job->base, job->key, &row,
                                             reason, sizeof reason)
                        : 0;
    if (err != 0)
        code = nb_image_complain(PART, "%s", reason[0] ? reason : ota_err_text(err));
    if (code == 0)
        code = write_outputs(job, device, &hex);
    if (code == 0)
        printf("version %u, %u bytes, %s\n", row.version, row.size,
               row.is_signed ? "signed" : "not signed");
    nb_hex_free(&hex);
    return code;
}

int nb_image_cmd_factory(int argc, char **argv)
{
    struct job job = {.name = "factory.bin", .base = NB_FACTORY_BASE};
    struct sim_device device;
    int code = parse(argc, argv, &job);
    if (code != 0)
        return code;
    if (job.help) {
        fputs(HELP, stdout);
        return 0;
    }
    if (nb_device_load("image factory", job.device, &device) != 0)
        return 2;
    code = make(&job, &device, argv + optind, argc - optind);
    sim_device_free(&device);
    return code;
}
