#include "harness/image/image.h"
#include "harness/image/image_cli.h"

#include <stdlib.h>
#include <string.h>

#define REASON_SIZE 512

static const char *const CREATE_HELP =
    "usage: nobrick image create (--payload FILE | --size N [--seed N]) --version V -o OUT\n"
    "\n"
    "Makes an MCUboot image.\n"
    "\n"
    "  --payload FILE     the program\n"
    "  --size N           a filler program of N bytes (64K, 0x10000) in its place\n"
    "  --seed N           another filler\n"
    "  --version V        1.2.3 or 1.2.3+4\n"
    "  --key PRIV.pem     sign with this key (P-256 or RSA-2048); without it: unsigned\n"
    "  --counter N        security counter in the protected TLVs\n"
    "  --header-size N    bytes before the payload, 32 or more (default 32)\n"
    "  --load-addr N      load address field\n"
    "  --app BEHAVIOUR    good, crashes, hangs, offline or forgets: put that tag into the\n"
    "                     payload (a filler is tagged good)\n"
    "  -o, --output OUT   the image\n"
    "\n"
    "example:\n"
    "  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem\n"
    "  nobrick image create --size 64K --version 2.0.0 --app crashes --key key.pem -o v2.img\n";

static const char *const PAD_HELP =
    "usage: nobrick image pad --slot-size N [options] -o OUT FILE\n"
    "\n"
    "Makes a whole slot of an image: padded with erased bytes, with a trailer when asked for.\n"
    "\n"
    "  --slot-size N      bytes of the slot (128K, 0x20000)\n"
    "  --align N          the trailer's maximum alignment: 8, 16 or 32 (default 8)\n"
    "  --max-sectors N    sectors that the trailer has status entries for (default 128; 0: none)\n"
    "  --erased N         value of an erased byte: 0xFF (default) or 0x00\n"
    "  --pending          write the trailer magic: in the secondary slot, a trial upgrade\n"
    "  --confirmed        write magic and image_ok: a factory image, or a permanent upgrade\n"
    "  -o, --output OUT   the slot\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 2.0.0 -o v2.img\n"
    "  nobrick image pad --slot-size 128K --pending -o v2.slot v2.img\n";

/* A number option's value into *out. 0, or 2 after saying what is wrong with it. */
static int take_number(const char *part, const char *option, uint64_t max, uint64_t *out)
{
    if (nb_image_parse_size(optarg, max, out) < 0) {
        return nb_image_complain(part, "--%s %s: not a number up to %llu", option, optarg,
                                 (unsigned long long)max);
    }
    return 0;
}

struct create_options {
    struct nb_image_spec spec;
    const char *payload_path;
    const char *output;
    bool has_size;
    bool has_version;
    bool help;
};

static int take_create_text(struct create_options *o, int option)
{
    switch (option) {
    case 'p':
        o->payload_path = optarg;
        return 0;
    case 'k':
        o->spec.key_path = optarg;
        return 0;
    case 'o':
        o->output = optarg;
        return 0;
    case 'v':
        if (nb_version_parse(optarg, &o->spec.version) < 0) {
            return nb_image_complain("create", "--version %s: not a version like 1.2.3 or 1.2.3+4",
                                     optarg);
        }
        o->has_version = true;
        return 0;
    default:
        o->spec.with_tag = true;
        o->spec.behaviour = app_behaviour_from_word(optarg);
        if (o->spec.behaviour == APP_BEHAVIOURS) {
            return nb_image_complain(
                "create", "--app %s: not one of good crashes hangs offline forgets", optarg);
        }
        return 0;
    }
}

static int take_create_option(void *context, int option)
{
    struct create_options *o = context;
    uint64_t number = 0;
    int code;

    switch (option) {
    case 's':
        code = take_number("create", "size", NB_IMAGE_FILE_MAX, &number);
        o->spec.payload_size = (size_t)number;
        o->has_size = true;
        return code;
    case 'S':
        code = take_number("create", "seed", UINT32_MAX, &number);
        o->spec.seed = (uint32_t)number;
        return code;
    case 'H':
        code = take_number("create", "header-size", UINT16_MAX, &number);
        o->spec.header_size = (uint16_t)number;
        return code;
    case 'c':
        code = take_number("create", "counter", UINT32_MAX, &number);
        o->spec.counter = (uint32_t)number;
        o->spec.with_counter = true;
        return code;
    case 'l':
        code = take_number("create", "load-addr", UINT32_MAX, &number);
        o->spec.load_addr = (uint32_t)number;
        return code;
    default:
        return take_create_text(o, option);
    }
}

/* 0, or 2 after saying what is wrong. */
static int parse_create(int argc, char **argv, struct create_options *o)
{
    static const struct option options[] = {
        {"payload", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'S'},
        {"version", required_argument, NULL, 'v'},
        {"key", required_argument, NULL, 'k'},
        {"counter", required_argument, NULL, 'c'},
        {"header-size", required_argument, NULL, 'H'},
        {"load-addr", required_argument, NULL, 'l'},
        {"app", required_argument, NULL, 'a'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {"create", options, take_create_option, o, &o->help, 0};
    int code = nb_image_take_options(&wanted, argc, argv);

    if (code != 0 || o->help) {
        return code;
    }
    if ((o->payload_path != NULL) == o->has_size) {
        return nb_image_complain("create",
                                 "needs --payload FILE or --size N, one of them (--help)");
    }
    if (!o->has_version) {
        return nb_image_complain("create", "needs --version (--help)");
    }
    if (o->output == NULL) {
        return nb_image_complain("create", "needs -o OUT (--help)");
    }
    return 0;
}

int nb_image_cmd_create(int argc, char **argv)
{
    struct create_options o = {.spec = {.header_size = IMG_HEADER_SIZE}};
    char reason[REASON_SIZE] = "";
    uint8_t *payload = NULL;
    uint8_t *image = NULL;
    size_t size = 0;

    int code = parse_create(argc, argv, &o);
    if (code != 0) {
        return code;
    }
    if (o.help) {
        fputs(CREATE_HELP, stdout);
        return 0;
    }
    if (o.payload_path != NULL) {
        if (nb_image_read("create", o.payload_path, &payload, &o.spec.payload_size) < 0) {
            return 2;
        }
        o.spec.payload = payload;
    } else {
        o.spec.with_tag = true;
    }
    if (nb_image_create(&o.spec, &image, &size, reason, sizeof reason) < 0) {
        code = nb_image_complain("create", "%s", reason);
    } else {
        code = nb_image_write("create", o.output, image, size);
    }
    free(payload);
    free(image);
    return code;
}

struct pad_options {
    uint32_t slot_size;
    struct img_trailer_format format;
    uint8_t erased;
    bool pending;
    bool confirmed;
    bool help;
    const char *output;
};

static int take_pad_option(void *context, int option)
{
    struct pad_options *o = context;
    uint64_t number = 0;
    int code;

    switch (option) {
    case 's':
        code = take_number("pad", "slot-size", NB_IMAGE_FILE_MAX, &number);
        o->slot_size = (uint32_t)number;
        return code;
    case 'a':
        code = take_number("pad", "align", 32, &number);
        if (code == 0 && number != 8 && number != 16 && number != 32) {
            return nb_image_complain("pad", "--align %s: must be 8, 16 or 32", optarg);
        }
        o->format.align = (uint32_t)number;
        return code;
    case 'm':
        code = take_number("pad", "max-sectors", 65536, &number);
        o->format.max_sectors = (uint32_t)number;
        return code;
    case 'e':
        code = take_number("pad", "erased", 0xFF, &number);
        if (code == 0 && number != 0x00 && number != 0xFF) {
            return nb_image_complain("pad", "--erased %s: must be 0xFF or 0x00", optarg);
        }
        o->erased = (uint8_t)number;
        return code;
    case 'P':
        o->pending = true;
        return 0;
    case 'C':
        o->confirmed = true;
        return 0;
    default:
        o->output = optarg;
        return 0;
    }
}

/* 0, or 2 after saying what is wrong. */
static int parse_pad(int argc, char **argv, struct pad_options *o)
{
    static const struct option options[] = {
        {"slot-size", required_argument, NULL, 's'},
        {"align", required_argument, NULL, 'a'},
        {"max-sectors", required_argument, NULL, 'm'},
        {"erased", required_argument, NULL, 'e'},
        {"pending", no_argument, NULL, 'P'},
        {"confirmed", no_argument, NULL, 'C'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct nb_image_options wanted = {"pad", options, take_pad_option, o, &o->help, 1};
    int code = nb_image_take_options(&wanted, argc, argv);

    if (code != 0 || o->help) {
        return code;
    }
    if (o->slot_size == 0) {
        return nb_image_complain("pad", "needs --slot-size N (--help)");
    }
    if (o->output == NULL) {
        return nb_image_complain("pad", "needs -o OUT (--help)");
    }
    return 0;
}

static int pad_file(const char *path, const struct pad_options *o)
{
    struct img_rules rules = {0};
    struct img_fault fault = {0, NULL};
    struct img_info info;
    uint8_t *image = NULL;
    uint8_t *slot = NULL;
    size_t size = 0;

    if (nb_image_read("pad", path, &image, &size) < 0) {
        return 2;
    }
    int err = nb_image_check(image, size, &rules, &info, &fault);
    if (err < 0) {
        nb_image_print_refusal("pad", path, err, &fault);
        free(image);
        return 2;
    }
    err = nb_image_pad(image, info.end, o->slot_size, &o->format, o->erased, o->pending,
                       o->confirmed, &slot);
    int code;
    if (err == OTA_E_IMG_SIZE) {
        code = nb_image_complain("pad", "%s: image of %u bytes and trailer of %u do not fit %u",
                                 path, info.end, img_trailer_size(&o->format), o->slot_size);
    } else if (err < 0) {
        code = nb_image_complain("pad", "%s: %s", path, ota_err_text(err));
    } else {
        code = nb_image_write("pad", o->output, slot, o->slot_size);
    }
    free(image);
    free(slot);
    return code;
}

int nb_image_cmd_pad(int argc, char **argv)
{
    struct pad_options o = {.format = {.align = 8, .max_sectors = 128}, .erased = 0xFF};

    int code = parse_pad(argc, argv, &o);
    if (code != 0) {
        return code;
    }
    if (o.help) {
        fputs(PAD_HELP, stdout);
        return 0;
    }
    o.format.write_size = o.format.align;
    return pad_file(argv[optind], &o);
}
