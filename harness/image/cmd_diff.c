#include "harness/image/image_cli.h"
#include "harness/image/patch.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char *const DIFF_HELP =
    "usage: nobrick image diff [--format jojodiff] -o PATCH OLD NEW\n"
    "\n"
    "Makes the patch that turns OLD into NEW, checks that it does, and prints the sizes. OLD and "
    "NEW\n"
    "are files of any kind. Any jojodiff from 0.7 on applies it, and `nobrick image patch`.\n"
    "\n"
    "  --format jojodiff    the only one (and the default)\n"
    "  -o, --output PATCH   the patch\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o v1.img\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick image diff -o v1-v2.patch v1.img v2.img\n"
    "  nobrick image patch -o again.img v1.img v1-v2.patch && cmp v2.img again.img\n";

static const char *const PATCH_HELP =
    "usage: nobrick image patch -o NEW OLD PATCH\n"
    "\n"
    "Applies a patch of jojodiff, of any version, as a device does. Exit code 1: the patch is\n"
    "malformed or not for OLD. A patch has no checksum: compare the digest of NEW.\n"
    "\n"
    "  -o, --output NEW   what comes out\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o v1.img\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick image diff -o v1-v2.patch v1.img v2.img\n"
    "  nobrick image patch -o again.img v1.img v1-v2.patch && cmp v2.img again.img\n";

struct two_files {
    const char *part;  /* "diff", "patch" */
    const char *names; /* of the two files, for complaints */
    const char *output;
    const char *paths[2];
    uint8_t *data[2];
    size_t sizes[2];
    bool help;
};

static int take(void *context, int option)
{
    struct two_files *files = context;
    if (option == 'o')
        files->output = optarg;
    else if (strcmp(optarg, "jojodiff") != 0)
        return nb_image_complain(files->part, "--format %s: jojodiff is the only one", optarg);
    return 0;
}

static int parse(int argc, char **argv, struct two_files *files)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool has_format = strcmp(files->part, "diff") == 0;
    const struct nb_image_options wanted = {files->part, options + !has_format, take,
                                            files,       &files->help,          NB_IMAGE_FILES};
    int code = nb_image_take_options(&wanted, argc, argv);
    if (code != 0 || files->help)
        return code;
    if (argc - optind != 2)
        return nb_image_complain(files->part, "needs exactly %s (--help)", files->names);
    if (files->output == NULL)
        return nb_image_complain(files->part, "needs -o FILE (--help)");
    for (int i = 0; i < 2; i++) {
        files->paths[i] = argv[optind + i];
        if (nb_image_read(files->part, files->paths[i], &files->data[i], &files->sizes[i]) < 0)
            return 2;
    }
    return 0;
}

static struct nb_bytes bytes(const struct two_files *files, int which)
{
    return (struct nb_bytes){files->data[which], files->sizes[which]};
}

/* The patch is applied before it is written: one that does not make NEW would be found by the
 * device, which is late. */
static int check_patch(const struct two_files *files, struct nb_bytes patch)
{
    uint8_t *again = NULL;
    size_t size = 0;
    const char *fault = NULL;
    int err = nb_jojodiff_apply(bytes(files, 0), patch, files->sizes[1], &again, &size, &fault);
    bool is_good = err == 0 && size == files->sizes[1] && memcmp(again, files->data[1], size) == 0;
    free(again);
    return is_good ? 0
                   : nb_image_complain("diff", "the patch does not make %s: a bug of nobrick",
                                       files->paths[1]);
}

static int diff(const struct two_files *files)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int err = nb_jojodiff_make(bytes(files, 0), bytes(files, 1), &data, &size);
    if (err < 0)
        return nb_image_complain("diff", "%s", ota_err_text(err));
    int code = check_patch(files, (struct nb_bytes){data, size});
    if (code == 0)
        code = nb_image_write(files->part, files->output, data, size);
    if (code == 0)
        printf("%s: %zu bytes for %zu (%.1f %%)\n", files->output, size, files->sizes[1],
               files->sizes[1] > 0 ? 100.0 * (double)size / (double)files->sizes[1] : 0.0);
    free(data);
    return code;
}

static int patch(const struct two_files *files)
{
    uint8_t *data = NULL;
    size_t size = 0;
    const char *fault = NULL;
    int err = nb_jojodiff_apply(bytes(files, 0), bytes(files, 1), NB_IMAGE_FILE_MAX, &data, &size,
                                &fault);
    if (err < 0) {
        fprintf(stderr, "nobrick image patch: %s: refused: %s: %s\n", files->paths[1],
                ota_err_word(err), fault != NULL ? fault : ota_err_text(err));
        return err == OTA_E_NO_SPACE ? 2 : 1;
    }
    int code = nb_image_write(files->part, files->output, data, size);
    free(data);
    return code;
}

static int run(int argc, char **argv, struct two_files *files, const char *help,
               int (*work)(const struct two_files *files))
{
    int code = parse(argc, argv, files);
    if (code == 0 && files->help)
        fputs(help, stdout);
    else if (code == 0)
        code = work(files);
    free(files->data[0]);
    free(files->data[1]);
    return code;
}

int nb_image_cmd_diff(int argc, char **argv)
{
    struct two_files files = {.part = "diff", .names = "OLD and NEW"};
    return run(argc, argv, &files, DIFF_HELP, diff);
}

int nb_image_cmd_patch(int argc, char **argv)
{
    struct two_files files = {.part = "patch", .names = "OLD and PATCH"};
    return run(argc, argv, &files, PATCH_HELP, patch);
}
