/* A TAR archive of images, read as it arrives.
 *
 * The archive is POSIX ustar with regular files only. Its first member, components.json, lists the
 * others (numbers are strings):
 *
 *   {"numberOfComponents": "2", "version": "1.2.0", "files": [
 *     {"fileName": "components.json", "fileType": "component_list"},
 *     {"fileName": "app.bin", "fileType": "NSPE", "fileSize": "123456"}]}
 *
 * A device has one image: a list with anything else than one component of type NSPE is refused with
 * OTA_E_UNSUPPORTED. The bytes of that component are handed on in order, as they come. Every header
 * checksum, name and size is checked, names and sizes against the list, and nothing may follow the
 * end of the archive but zeros: OTA_E_ARCHIVE, and `fault` says what is wrong. After an error every
 * call returns that error. The caller owns the struct.
 *
 * In a download (agent/update/archive.c): when ota_untar_is_tar() tells so of its first bytes, feed
 * everything to ota_untar_write instead of to the slot; begin() then gives the size of the image
 * (for ota_progress_expect) and data() its bytes. To go on after a reset fetch the archive from its
 * beginning until begin() was called, then call ota_untar_skip for what is in flash already, and
 * fetch on from archive offset `position`. */
#ifndef NOBRICK_AGENT_UPDATE_UNTAR_H
#define NOBRICK_AGENT_UPDATE_UNTAR_H

#include "agent/image/mcuboot.h"

#define OTA_TAR_BLOCK    512u
#define OTA_TAR_NAME_MAX 100u  /* with its NUL, as in a header */
#define OTA_TAR_LIST_MAX 1024u /* of components.json */
#define OTA_TAR_TEXT_MAX 16u   /* of a type and of the version, with the NUL */
#define OTA_TAR_FILES    8u    /* members, the list included */
/* At most so much longer than its image an archive is: headers, list and padding are under 4 KiB,
 * and many tools fill the last 10 KiB up with zeros. */
#define OTA_TAR_AROUND (16u * 1024)

struct ota_untar_sink {
    void *context;
    /* The image of this device follows: `size` bytes. An error refuses the archive. */
    int (*begin)(void *context, const struct img_version *version, uint32_t size);
    /* The next bytes of the image. An error ends the reading. */
    int (*data)(void *context, const uint8_t *data, size_t length);
};

enum ota_untar_state {
    OTA_UNTAR_HEADER, /* collecting a header block */
    OTA_UNTAR_LIST,   /* collecting components.json */
    OTA_UNTAR_IMAGE,  /* handing on the image */
    OTA_UNTAR_PADDING,
    OTA_UNTAR_END, /* behind the two zero blocks */
    OTA_UNTAR_FAILED,
};

struct ota_untar {
    struct ota_untar_sink sink;
    enum ota_untar_state state;
    int error;
    const char *fault;          /* what is wrong, a few words; static; NULL: nothing */
    uint64_t position;          /* bytes of the archive taken so far */
    uint32_t left;              /* bytes of the member, or of its padding, that are still to come */
    uint32_t used;              /* bytes in `buffer` */
    uint32_t zeros;             /* zero blocks in a row */
    bool listed;                /* components.json was read */
    bool complete;              /* the image was handed on, all of it */
    struct img_version version; /* the list's */
    char name[OTA_TAR_NAME_MAX]; /* of the image's member */
    uint32_t size;               /* of the image */
    uint8_t *buffer;             /* the caller's: a header, or the list, as far as it came */
};

/* The first bytes of a download (262 or more) are an archive's. */
bool ota_untar_is_tar(const void *data, size_t length);

/* `buffer` is the caller's, OTA_TAR_LIST_MAX bytes. What lies in it counts from one call to the
 * next only while a block, or the list, has come in part. */
void ota_untar_init(struct ota_untar *untar, const struct ota_untar_sink *sink, uint8_t *buffer);

/* The next bytes, any number. 0, OTA_E_ARCHIVE, OTA_E_UNSUPPORTED or what the sink returned. */
OTA_MUST_CHECK int ota_untar_write(struct ota_untar *untar, const void *data, size_t length);

/* The next `length` bytes of the image are in flash already and will not be fed in. OTA_E_BUSY: the
 * reading is not inside the image; OTA_E_ARGUMENT: the image is shorter. */
OTA_MUST_CHECK int ota_untar_skip(struct ota_untar *untar, uint32_t length);

/* No more bytes come. 0: the archive was whole and so was the image. */
OTA_MUST_CHECK int ota_untar_finish(struct ota_untar *untar);

#endif
