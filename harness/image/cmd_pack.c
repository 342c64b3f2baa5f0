#include "harness/image/image.h"
#include "harness/image/image_cli.h"
#include "harness/image/pack.h"

#include <stdlib.h>
#include <string.h>

static const char *const HELP =
    "usage: nobrick image pack [--version V] [--spe FILE]... -o OUT FILE\n"
    "\n"
    "Makes a TAR archive as AnyCloud devices take them: components.json first, then FILE as the\n"
    "component of type NSPE, the image of the device.\n"
    "\n"
    "  --version V        of the update, 1.2.3 (default: what the image in FILE says)\n"
    "  --spe FILE         a component of type SPE as well; a device with one image refuses it\n"
    "  -o, --output OUT   the archive\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick image pack -o v2.tar v2.img\n"
    "  tar tvf v2.tar\n";

struct pack_options {
    struct img_version version;
    bool has_version;
    const char *spe[NB_PACK_MEMBERS];
    size_t spe_count;
    const char *output;
    const char *image;
    bool help;
};

static int take_option(void *context, int option)
{
    struct pack_options *o = context;

    switch (option) {
    case 'v':
        if (nb_version_parse(optarg, &o->version) < 0 || o->version.build != 0) {
            return nb_image_complain("pack", "--version %s: not a version like 1.2.3", optarg);
        }
        o->has_version = true;
        return 0;
    case 's':
        if (o->spe_count + 1 >= NB_PACK_MEMBERS) {
            return nb_image_complain("pack", "more than %u components", NB_PACK_MEMBERS);
        }
        o->spe[o->spe_count++] = optarg;
        return 0;
    default:
        o->output = optarg;
        return 0;
    }
}

/* 0, or 2 after saying what is wrong. */
static int parse(int argc, char **argv, struct pack_options *o)
{
    static const struct option options[] = {
        {"version", required_argument, NULL, 'v'},
        {"spe", required_argument, NULL, 's'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {"pack", options, take_option, o, &o->help, 1};
    int code = nb_image_take_options(&wanted, argc, argv);

    if (code != 0 || o->help) {
        return code;
    }
    if (o->output == NULL) {
        return nb_image_complain("pack", "needs -o OUT (--help)");
    }
    o->image = argv[optind];
    return 0;
}

/* The files in memory. */
struct members {
    struct nb_pack_member list[NB_PACK_MEMBERS];
    uint8_t *data[NB_PACK_MEMBERS];
    size_t count;
};

static int add_member(struct members *members, const char *path, const char *type)
{
    struct nb_pack_member *member = &members->list[members->count];
    const char *slash = strrchr(path, '/');

    if (nb_image_read("pack", path, &members->data[members->count], &member->size) < 0) {
        return 2;
    }
    member->data = members->data[members->count];
    member->name = slash != NULL ? slash + 1 : path;
    member->type = type;
    members->count++;
    return 0;
}

/* What the image says of itself, unless --version said it. */
static int find_version(const struct members *members, struct pack_options *o)
{
    const struct nb_pack_member *image = &members->list[0];
    struct img_header header;

    if (o->has_version) {
        return 0;
    }
    if (image->size < IMG_HEADER_SIZE ||
        img_header_parse(image->data, NB_IMAGE_FILE_MAX, &header, NULL) != 0) {
        return nb_image_complain("pack", "%s: not an MCUboot image: needs --version (--help)",
                                 o->image);
    }
    o->version = header.version;
    return 0;
}

static int pack(const struct members *members, const struct pack_options *o)
{
    uint8_t *archive = NULL;
    size_t size = 0;

    int err = nb_image_pack(&o->version, members->list, members->count, &archive, &size);
    if (err == OTA_E_ARGUMENT) {
        return nb_image_complain("pack", "a file is empty, or its name cannot be listed: plain "
                                         "ASCII, up to 99 characters, each name once");
    }
    if (err < 0) {
        return nb_image_complain("pack", "%s", ota_err_text(err));
    }
    int code = nb_image_write("pack", o->output, archive, size);
    free(archive);
    return code;
}

int nb_image_cmd_pack(int argc, char **argv)
{
    struct pack_options o = {.help = false};
    struct members members = {.count = 0};

    int code = parse(argc, argv, &o);
    if (code != 0) {
        return code;
    }
    if (o.help) {
        fputs(HELP, stdout);
        return 0;
    }
    code = add_member(&members, o.image, "NSPE");
    for (size_t i = 0; code == 0 && i < o.spe_count; i++) {
        code = add_member(&members, o.spe[i], "SPE");
    }
    if (code == 0) {
        code = find_version(&members, &o);
    }
    if (code == 0) {
        code = pack(&members, &o);
    }
    for (size_t i = 0; i < members.count; i++) {
        free(members.data[i]);
    }
    return code;
}
