#include "harness/run/tar.h"

#include "agent/update/untar.h"
#include "harness/image/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK       OTA_TAR_BLOCK
#define AT_SIZE     124
#define SIZE_DIGITS 11
#define AT_CHECKSUM 148
#define CHECKSUM    8
#define LOST        1500u /* of a cut-off archive: its end, and some of the image */

static size_t member_size(const uint8_t *header)
{
    char digits[SIZE_DIGITS + 1] = "";
    memcpy(digits, header + AT_SIZE, SIZE_DIGITS);
    return strtoul(digits, NULL, 8);
}

/* So that only what was changed in it is wrong. */
static void sum_up(uint8_t *header)
{
    char digits[CHECKSUM];
    unsigned sum = 0;
    memset(header + AT_CHECKSUM, ' ', CHECKSUM);
    for (size_t i = 0; i < BLOCK; i++)
        sum += header[i];
    snprintf(digits, sizeof digits, "%06o", sum & 0777777u);
    memcpy(header + AT_CHECKSUM, digits, sizeof digits);
}

static void lengthen(uint8_t *header)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%011zo", member_size(header) + 1);
    memcpy(header + AT_SIZE, digits, SIZE_DIGITS);
    sum_up(header);
}

static void spoil(enum nb_tar kind, uint8_t *archive, uint32_t *size)
{
    size_t list = member_size(archive);
    size_t image = BLOCK + (list + BLOCK - 1) / BLOCK * BLOCK; /* offset of its header */
    switch (kind) {
    case NB_TAR_CHECKSUM:
        archive[image + AT_CHECKSUM] ^= 1;
        break;
    case NB_TAR_NO_LIST:
        memmove(archive, archive + image, *size - image);
        *size -= (uint32_t)image;
        break;
    case NB_TAR_SIZE:
        lengthen(archive + image);
        break;
    case NB_TAR_NAME:
        archive[image] ^= 1;
        sum_up(archive + image);
        break;
    case NB_TAR_CUT_OFF:
        *size -= LOST;
        break;
    case NB_TAR_NO_IMAGE:
        memset(archive + image, 0, *size - image);
        break;
    default:
        break;
    }
}

int nb_tar_make(enum nb_tar kind, const struct img_version *version, const uint8_t *image,
                uint32_t image_size, uint8_t **out, uint32_t *size)
{
    const struct nb_pack_member member = {"app.bin", kind == NB_TAR_OTHER_CORE ? "SPE" : "NSPE",
                                          image, image_size};
    struct img_version listed = *version;
    size_t packed = 0;
    if (kind == NB_TAR_VERSION)
        listed.revision++;
    int rc = nb_image_pack(&listed, &member, 1, out, &packed);
    if (rc)
        return rc;
    *size = (uint32_t)packed;
    spoil(kind, *out, size);
    return 0;
}
