#include "harness/image/image.h"
#include "harness/image/image_cli.h"
#include "harness/image/memory.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define TLV_HEAD    4u
#define DATA_SHOWN  32u
#define TLV_TYPES   (sizeof tlv_types / sizeof tlv_types[0])
#define FLAG_TYPES  (sizeof flag_types / sizeof flag_types[0])
#define ALIGN_TYPES (sizeof aligns / sizeof aligns[0])

static const char *const SHOW_HELP =
    "usage: nobrick image show FILE\n"
    "\n"
    "Prints the header and every TLV of an MCUboot image; of a whole slot the trailer too. What\n"
    "is malformed is named after what could be read; the exit code is then 1.\n"
    "\n"
    "example:\n"
    "  nobrick image create --size 64K --version 1.2.3 -o v1.img\n"
    "  nobrick image show v1.img\n";

static const struct {
    uint16_t type;
    const char *name;
} tlv_types[] = {
    {IMG_TLV_KEYHASH, "KEYHASH"},
    {IMG_TLV_PUBKEY, "PUBKEY"},
    {IMG_TLV_SHA256, "SHA256"},
    {IMG_TLV_SHA384, "SHA384"},
    {IMG_TLV_SHA512, "SHA512"},
    {IMG_TLV_RSA2048_PSS, "RSA2048_PSS"},
    {IMG_TLV_ECDSA_SIG, "ECDSA_SIG"},
    {IMG_TLV_RSA3072_PSS, "RSA3072_PSS"},
    {IMG_TLV_ED25519, "ED25519"},
    {0x25, "SIG_PURE"},
    {0x30, "ENC_RSA2048"},
    {0x31, "ENC_KW"},
    {0x32, "ENC_EC256"},
    {0x33, "ENC_X25519"},
    {IMG_TLV_DEPENDENCY, "DEPENDENCY"},
    {IMG_TLV_SEC_CNT, "SEC_CNT"},
    {0x60, "BOOT_RECORD"},
    {0x70, "DECOMP_SIZE"},
    {0x71, "DECOMP_SHA"},
    {0x72, "DECOMP_SIGNATURE"},
    {0x73, "COMP_DEC_SIZE"},
    {0x74, "UUID_VID"},
    {0x75, "UUID_CID"},
};

static const struct {
    uint32_t bit;
    const char *name;
} flag_types[] = {
    {IMG_F_PIC, "PIC"},
    {IMG_F_ENCRYPTED_AES128, "ENCRYPTED_AES128"},
    {IMG_F_ENCRYPTED_AES256, "ENCRYPTED_AES256"},
    {IMG_F_NON_BOOTABLE, "NON_BOOTABLE"},
    {IMG_F_RAM_LOAD, "RAM_LOAD"},
    {IMG_F_ROM_FIXED, "ROM_FIXED"},
    {IMG_F_COMPRESSED_LZMA1, "COMPRESSED_LZMA1"},
    {IMG_F_COMPRESSED_LZMA2, "COMPRESSED_LZMA2"},
    {IMG_F_COMPRESSED_ARM_THUMB, "COMPRESSED_ARM_THUMB"},
};

static const uint32_t aligns[] = {8, 16, 32};

static uint32_t get_u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static void show_header(const struct img_header *header)
{
    char version[NB_VERSION_TEXT];

    nb_version_print_full(&header->version, version);
    printf("header\n");
    printf("  version             %s\n", version);
    printf("  header size         0x%x\n", header->hdr_size);
    printf("  payload             %u bytes\n", header->img_size);
    printf("  protected TLVs      %u bytes\n", header->protect_tlv_size);
    printf("  load address        0x%08x\n", header->load_addr);
    printf("  flags               0x%x", header->flags);
    for (size_t i = 0; i < FLAG_TYPES; i++) {
        if ((header->flags & flag_types[i].bit) != 0) {
            printf(" %s", flag_types[i].name);
        }
    }
    printf("\n");
}

static void show_tlv(const uint8_t *entry, uint32_t offset, uint32_t type, uint32_t length)
{
    const char *name = type >= 0xA0 ? "vendor" : "unknown";

    for (size_t i = 0; i < TLV_TYPES; i++) {
        if (tlv_types[i].type == type) {
            name = tlv_types[i].name;
        }
    }
    printf("  0x%06x  0x%02x %-16s %4u bytes  ", offset, type, name, length);
    for (uint32_t i = 0; i < length && i < DATA_SHOWN; i++) {
        printf("%02x", entry[TLV_HEAD + i]);
    }
    printf("%s\n", length > DATA_SHOWN ? "..." : "");
}

/* Prints the entries of [from, end), as far as they fit. */
static void show_tlvs(const uint8_t *image, const char *title, uint32_t from, uint32_t end)
{
    printf("%s at 0x%x, %u bytes\n", title, from, end - from);
    from += IMG_TLV_INFO_SIZE;
    while (end - from >= TLV_HEAD) {
        uint32_t length = get_u16(image + from + 2);
        if (length > end - from - TLV_HEAD) {
            printf("  0x%06x  entry of %u bytes does not fit its area\n", from, length);
            return;
        }
        show_tlv(image + from, from, get_u16(image + from), length);
        from += TLV_HEAD + length;
    }
}

static const char *flag_word(enum img_flag flag)
{
    return flag == IMG_FLAG_SET ? "set" : flag == IMG_FLAG_UNSET ? "unset" : "bad";
}

/* A slot shows itself by a trailer magic at its end. */
static void show_trailer(const uint8_t *data, uint32_t size, uint32_t image_end)
{
    static const char *const types[] = {"none", "none", "test", "permanent", "revert"};
    struct img_trailer_format format = {0};
    struct img_trailer trailer;
    struct nb_memory memory;

    if (size == image_end) {
        return;
    }
    for (size_t i = 0; i < ALIGN_TYPES && size - image_end >= IMG_TRAILER_MAGIC_SIZE; i++) {
        if (memcmp(data + size - IMG_TRAILER_MAGIC_SIZE, img_trailer_magic(aligns[i]),
                   IMG_TRAILER_MAGIC_SIZE) == 0) {
            format.align = aligns[i];
        }
    }
    if (format.align == 0 || size - image_end < img_trailer_swap_size(&format)) {
        printf("%u bytes follow the image; no trailer magic at their end\n", size - image_end);
        return;
    }
    nb_memory_init(&memory, data, size, data[image_end] == 0x00 ? 0x00 : 0xFF);
    img_trailer_read(&memory.area, &format, &trailer);
    printf("trailer, alignment %u, slot of 0x%x bytes\n", format.align, size);
    printf("  magic               good\n");
    printf("  image_ok            %s\n", flag_word(trailer.image_ok));
    printf("  copy_done           %s\n", flag_word(trailer.copy_done));
    printf("  swap type           %s (image %u)\n", types[trailer.swap_type], trailer.image_number);
    if (trailer.has_swap_size) {
        printf("  swap size           %u\n", trailer.swap_size);
    } else {
        printf("  swap size           unset\n");
    }
}

static int show_file(const char *path)
{
    struct img_rules rules = {0};
    struct img_fault fault = {0, NULL};
    struct img_info checked;
    struct img_info info;
    struct nb_memory memory;
    uint8_t *data = NULL;
    size_t size = 0;

    if (nb_image_read("show", path, &data, &size) < 0) {
        return 2;
    }
    nb_memory_init(&memory, data, (uint32_t)size, 0xFF);
    int err = nb_image_check(data, size, &rules, &checked, &fault);
    int measured = img_measure(&memory.area, &info, NULL);
    if (measured != OTA_E_IMG_MAGIC && size >= IMG_HEADER_SIZE) {
        show_header(&info.header);
    }
    if (measured == OTA_OK) {
        uint32_t protect = info.header.protect_tlv_size;
        if (protect != 0) {
            show_tlvs(data, "protected TLVs", info.tlv_offset, info.tlv_offset + protect);
        }
        show_tlvs(data, "TLVs", info.tlv_offset + protect, info.end);
        show_trailer(data, (uint32_t)size, info.end);
    }
    free(data);
    if (err < 0) {
        (void)fflush(stdout);
        nb_image_print_refusal("show", path, err, &fault);
        return 1;
    }
    return 0;
}

int nb_image_cmd_show(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool help = false;
    const struct nb_image_options wanted = {"show", options, NULL, NULL, &help, 1};
    int code = nb_image_take_options(&wanted, argc, argv);

    if (help) {
        fputs(SHOW_HELP, stdout);
        return 0;
    }
    return code != 0 ? code : show_file(argv[optind]);
}
