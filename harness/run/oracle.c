#include "harness/run/oracle.h"
#include "harness/image/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nb_oracle_init(struct nb_oracle *oracle, bool reverts, bool validates)
{
    memset(oracle, 0, sizeof *oracle);
    oracle->reverts = reverts;
    oracle->validates = validates;
    oracle->offered = -1;
    oracle->in_slot[0] = -1;
    oracle->in_slot[1] = -1;
    oracle->primary_damaged = true; /* until an image is put down */
}

__attribute__((format(printf, 2, 3))) static void violate(struct nb_oracle *oracle,
                                                          const char *format, ...)
{
    if (oracle->violation[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(oracle->violation, sizeof oracle->violation, format, arguments);
    va_end(arguments);
}

const char *nb_oracle_violation(const struct nb_oracle *oracle)
{
    return oracle->violation[0] ? oracle->violation : NULL;
}

static bool same(const struct img_version *a, const struct img_version *b)
{
    return img_version_compare(a, b) == 0;
}

/* ---- what the harness did ---------------------------------------------------------------- */

static int add_image(struct nb_oracle *oracle, const struct nb_oracle_image *image)
{
    for (size_t i = 0; i < oracle->image_count; i++) {
        struct nb_oracle_image *known = &oracle->images[i];
        if (known->data == image->data && known->size == image->size &&
            same(&known->version, &image->version) && known->genuine == image->genuine &&
            known->packed == image->packed)
            return (int)i;
    }
    if (oracle->image_count == NB_ORACLE_IMAGES) {
        violate(oracle, "the oracle knows more than %d images", NB_ORACLE_IMAGES);
        return -1;
    }
    oracle->images[oracle->image_count] = *image;
    return (int)oracle->image_count++;
}

/* A whole slot that ends with a trailer's magic asks for installation by itself. */
static bool asks_by_itself(const struct nb_oracle_image *image)
{
    static const uint32_t aligns[] = {8, 16, 32};
    if (!image->data || image->end == image->size || image->size < IMG_TRAILER_MAGIC_SIZE)
        return false;
    const uint8_t *end = image->data + image->size - IMG_TRAILER_MAGIC_SIZE;
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++)
        if (memcmp(end, img_trailer_magic(aligns[i]), IMG_TRAILER_MAGIC_SIZE) == 0)
            return true;
    return false;
}

void nb_oracle_put(struct nb_oracle *oracle, unsigned slot, const struct nb_oracle_image *image,
                   bool pending, bool confirmed)
{
    int index = add_image(oracle, image);
    if (index < 0)
        return;
    oracle->in_slot[slot] = index;
    oracle->images[index].refused = false;
    if (slot == 1) {
        oracle->progress_live = false;
        oracle->images[index].stored = oracle->ranks && pending;
        if (pending || asks_by_itself(image)) {
            oracle->has_pending = true;
            oracle->pending = image->version;
        }
        return;
    }
    (void)confirmed; /* without a trailer it never reverts: as good as confirmed */
    oracle->primary_damaged = oracle->validates && !image->genuine;
    oracle->has_confirmed = true;
    oracle->confirmed = image->version;
    oracle->has_running = false;
    oracle->running_trial = false;
}

void nb_oracle_offer(struct nb_oracle *oracle, const struct nb_oracle_image *image)
{
    int before = oracle->offered;
    oracle->offered = image ? add_image(oracle, image) : -1;
    oracle->reoffered = oracle->reoffered || (before >= 0 && oracle->offered != before);
}

void nb_oracle_damage(struct nb_oracle *oracle, unsigned slot)
{
    if (slot == 0) {
        oracle->primary_damaged = true;
        return;
    }
    oracle->progress_live = false;
    nb_oracle_unkept(oracle);
}

/* A new job came for what was refused, and it is to be installed now. */
static void accept_again(struct nb_oracle *oracle, const struct img_version *version)
{
    for (size_t i = 0; i < oracle->image_count; i++)
        if (same(&oracle->images[i].version, version))
            oracle->images[i].refused = false;
}

void nb_oracle_step(struct nb_oracle *oracle, enum nb_oracle_confirms confirms)
{
    oracle->confirms = confirms;
    if (oracle->has_pending || oracle->may_have_asked)
        oracle->progress_live = false; /* the loader may move what was fetched */
    oracle->flash_fails = false;
    oracle->booted_in_step = false;
}

void nb_oracle_unkept(struct nb_oracle *oracle)
{
    oracle->unkept = true;
    oracle->handed_over = false;
}

void nb_oracle_cut(struct nb_oracle *oracle)
{
    oracle->handed_over = false;
    oracle->cut_since_boot = true;
    oracle->tampered = oracle->tampered || oracle->was_tampered;
    /* The agent says `pending` once the trailer is written: a cut may come between the two. */
    oracle->may_have_asked = oracle->asking && oracle->has_job && !oracle->refused_since_job;
    if (oracle->may_have_asked)
        accept_again(oracle, &oracle->job);
    if (oracle->confirms == NB_CONFIRMS_AT_ONCE ||
        (oracle->confirms == NB_CONFIRMS_AFTER_BOOT && oracle->booted_in_step))
        oracle->cut_in_confirmation = true;
}

void nb_oracle_tampered(struct nb_oracle *oracle)
{
    oracle->tampered = true;
}

void nb_oracle_flash_error(struct nb_oracle *oracle)
{
    oracle->flash_fails = true;
    oracle->handed_over = false;
}

/* ---- what the device did ----------------------------------------------------------------- */

/* Of the images of this version: is there one that may run? Says why not. */
static bool may_run(const struct nb_oracle *oracle, const struct img_version *version,
                    const char **why)
{
    *why = "nobody put it down or offered it";
    for (size_t i = 0; i < oracle->image_count; i++) {
        const struct nb_oracle_image *image = &oracle->images[i];
        if (!same(&image->version, version))
            continue;
        bool factory = oracle->in_slot[0] == (int)i && !oracle->validates;
        if (!image->genuine && !factory)
            *why = "it is not genuine";
        else if (image->refused)
            *why = "it was refused";
        else
            return true;
    }
    return false;
}

static void on_boot_none(struct nb_oracle *oracle)
{
    if (!oracle->primary_damaged && !oracle->flash_fails)
        violate(oracle, "a boot finds no image");
    oracle->flash_fails = false;
    oracle->has_running = false;
}

/* Stored, and newer than what is confirmed. */
static bool is_next(const struct nb_oracle *oracle, const struct img_version *version)
{
    for (size_t i = 0; i < oracle->image_count; i++)
        if (oracle->images[i].stored && same(&oracle->images[i].version, version))
            return !oracle->has_confirmed || img_version_compare(version, &oracle->confirmed) > 0;
    return false;
}

/* Another image than the confirmed one: only if it was asked for. */
static void on_other_image(struct nb_oracle *oracle, const char *word,
                           const struct img_version *version, bool trial)
{
    bool asked = (oracle->has_pending && same(&oracle->pending, version)) ||
                 (oracle->may_have_asked && same(&oracle->job, version));
    asked = asked || is_next(oracle, version);
    /* Who lost the primary may recover with whatever good image is left (BOOT-12). */
    if (!asked && !oracle->primary_damaged)
        violate(oracle, "%s runs in place of the confirmed image, and nobody asked for it", word);
    if (!trial) {
        oracle->has_confirmed = true;
        oracle->confirmed = *version;
    }
    if (asked) /* what was installed lies there whole, whatever had happened to the one before */
        oracle->primary_damaged = false;
}

static void on_boot(struct nb_oracle *oracle, const char *word, bool trial)
{
    struct img_version version;
    const char *why = NULL;
    if (nb_version_parse(word, &version) != 0) {
        violate(oracle, "boot event with version %.20s", word);
        return;
    }
    if (!may_run(oracle, &version, &why))
        violate(oracle, "%s runs, but %s", word, why);
    bool again = oracle->has_running && same(&oracle->running, &version);
    bool was_trial = oracle->has_running && oracle->running_trial;
    if (again && was_trial && trial && oracle->reverts)
        violate(oracle, "%s runs again without having confirmed itself", word);
    if (again && was_trial && !trial && !oracle->cut_in_confirmation)
        violate(oracle, "%s counts as confirmed, and nobody confirmed it", word);
    bool known = oracle->has_confirmed && same(&oracle->confirmed, &version);
    if (!known)
        oracle->tampered = oracle->unkept = false; /* what was staged is what runs now */
    if (!known && !(again && was_trial))
        on_other_image(oracle, word, &version, trial);
    else if (again && was_trial && !trial) {
        oracle->has_confirmed = true;
        oracle->confirmed = version;
    }
    if (oracle->has_pending && same(&oracle->pending, &version))
        oracle->has_pending = false;
    oracle->has_running = true;
    oracle->running = version;
    oracle->running_trial = trial;
    oracle->booted_in_step = true;
    oracle->flash_fails = false;
    oracle->cut_since_boot = false;
    oracle->cut_in_confirmation = false;
    oracle->progress_untold = !oracle->reoffered;
    oracle->progress_live = false;
    oracle->asking = oracle->may_have_asked = false;
    oracle->was_tampered = false;
}

/* Rejected for what it is, not for what befell it. */
static bool is_about_content(const char *word)
{
    static const char *const words[] = {"bad-magic",     "bad-header",   "bad-tlv",    "bad-hash",
                                        "bad-signature", "no-signature", "unknown-key"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static void on_reject(struct nb_oracle *oracle, const char *word)
{
    struct nb_oracle_image *offered =
        oracle->offered >= 0 ? &oracle->images[oracle->offered] : NULL;
    bool content = is_about_content(word);
    bool came_whole = offered && offered->genuine && !offered->packed && !oracle->tampered &&
                      !oracle->unkept && !oracle->reoffered &&
                      (!oracle->has_job || same(&oracle->job, &offered->version));
    if (content && came_whole && !oracle->own_checks)
        violate(oracle, "the image is rejected as %s, and is genuine", word);
    /* What runs for good stays good, whatever is wrong with a later job for it. */
    if (offered && !(oracle->has_confirmed && same(&oracle->confirmed, &offered->version)))
        offered->refused = true;
    oracle->refused_since_job = true;
    if (content) { /* it begins anew; after another one it may go on with what it has */
        oracle->was_tampered = oracle->was_tampered || oracle->tampered;
        oracle->tampered = oracle->unkept = false;
    }
    oracle->progress_live = false; /* the agent no longer claims anything of what it fetched */
}

/* The loader refused what was pending: nothing is pending any more. */
static void on_refused(struct nb_oracle *oracle, const char *word)
{
    if (oracle->handed_over && !oracle->own_checks && is_about_content(word))
        violate(oracle, "the loader refuses as %s what the agent handed over as good", word);
    oracle->handed_over = false;
    if (oracle->has_pending)
        for (size_t i = 0; i < oracle->image_count; i++)
            if (same(&oracle->images[i].version, &oracle->pending) &&
                (oracle->in_slot[1] == (int)i || oracle->offered == (int)i))
                oracle->images[i].refused = true;
    oracle->has_pending = false;
    oracle->refused_since_job = true;
}

static void on_pending(struct nb_oracle *oracle, const char *word)
{
    struct img_version version;
    if (nb_version_parse(word, &version) != 0)
        return;
    oracle->has_pending = true;
    oracle->pending = version;
    oracle->handed_over = !oracle->unkept && !oracle->flash_fails;
    /* Asking again makes nothing good that was refused: it takes a new job. */
    if (!oracle->has_job || oracle->refused_since_job)
        return;
    accept_again(oracle, &version);
}

static void on_confirmed(struct nb_oracle *oracle, const char *word)
{
    struct img_version version;
    if (nb_version_parse(word, &version) != 0)
        return;
    if (!oracle->has_running || !same(&oracle->running, &version))
        violate(oracle, "%s confirms itself, but is not what runs", word);
    oracle->running_trial = false;
    oracle->has_confirmed = true;
    oracle->confirmed = version;
    oracle->reoffered = false; /* what was fetched is used up */
}

static void on_reported(struct nb_oracle *oracle, bool success)
{
    bool runs = oracle->has_running && !oracle->running_trial &&
                (!oracle->has_job || same(&oracle->running, &oracle->job));
    if (success && !oracle->has_job)
        violate(oracle, "Success is reported, and there was no job");
    if (success && !runs)
        violate(oracle, "Success is reported, but the new image does not run confirmed");
    if (!success && runs && oracle->has_job && !oracle->refused_since_job)
        violate(oracle, "Failure is reported, but the new image runs and is confirmed");
}

void nb_oracle_event(struct nb_oracle *oracle, const char *line)
{
    char name[16] = "";
    char first[NB_WORD] = "";
    char second[NB_WORD] = "";
    int words = sscanf(line, "%15s %31s %31s", name, first, second);
    if (words < 2)
        return;
    if (strcmp(name, "boot") == 0 && strcmp(first, "none") == 0) {
        on_boot_none(oracle);
    } else if (strcmp(name, "boot") == 0) {
        on_boot(oracle, first, strcmp(second, "trial") == 0);
    } else if (strcmp(name, "refused") == 0) {
        on_refused(oracle, first);
    } else if (strcmp(name, "job") == 0 || strcmp(name, "push") == 0) {
        oracle->has_job = nb_version_parse(first, &oracle->job) == 0;
        oracle->refused_since_job = false;
        oracle->progress_live = oracle->asking = false;
    } else if (strcmp(name, "progress") == 0) {
        oracle->progress_live = true;
        oracle->progress = (uint32_t)strtoul(first, NULL, 10);
        oracle->reoffered = oracle->reoffered && oracle->progress > 0; /* it begins anew */
    } else if (strcmp(name, "state") == 0) {
        oracle->asking = strcmp(first, "install") == 0;
    } else if (strcmp(name, "reject") == 0) {
        on_reject(oracle, first);
    } else if (strcmp(name, "pending") == 0) {
        on_pending(oracle, first);
    } else if (strcmp(name, "confirmed") == 0) {
        on_confirmed(oracle, first);
    } else if (strcmp(name, "reported") == 0) {
        on_reported(oracle, strcmp(first, "success") == 0);
    } else if (strcmp(name, "reset") == 0) {
        oracle->flash_fails = false;   /* what failed before it is over */
        oracle->progress_live = false; /* from here on the loader may move what was fetched */
    } else if (strcmp(name, "cut") == 0) {
        nb_oracle_cut(oracle);
    } else if (strcmp(name, "violation") == 0) {
        violate(oracle, "the flash forbids what the device does: %s", line + strlen("violation "));
    }
}

/* ---- what lies in flash ------------------------------------------------------------------ */

/* Of eight bytes at once: those that are zero in their difference. No carry leaves its byte, and
 * the product adds up the bytes that are 1. */
static uint32_t equal_of_word(const uint8_t *a, const uint8_t *b)
{
    const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t one;
    uint64_t other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    one ^= other;
    const uint64_t zero = ~(((one & low) + low) | one | low) >> 7;
    return (uint32_t)(zero * UINT64_C(0x0101010101010101) >> 56);
}

uint32_t nb_oracle_equal_bytes(const struct nb_oracle_image *image, const uint8_t *bytes,
                               uint32_t size)
{
    const uint32_t end = image->size < size ? image->size : size;
    uint32_t count = 0;
    uint32_t i = 0;
    for (; i + sizeof(uint64_t) <= end; i += sizeof(uint64_t))
        count += equal_of_word(image->data + i, bytes + i);
    for (; i < end; i++)
        count += image->data[i] == bytes[i];
    return count;
}

static bool lies_there(const struct nb_oracle *oracle, const struct nb_oracle_view *view)
{
    bool checked = false;
    for (size_t i = 0; i < oracle->image_count; i++) {
        const struct nb_oracle_image *image = &oracle->images[i];
        if (!image->data || !image->genuine || !same(&image->version, &oracle->running))
            continue;
        checked = true;
        uint32_t end = image->end ? image->end : image->size;
        if (end <= view->primary_size && memcmp(image->data, view->primary, end) == 0)
            return true;
    }
    return !checked;
}

void nb_oracle_flash(struct nb_oracle *oracle, const struct nb_oracle_view *view)
{
    if (view->loader_changed)
        violate(oracle, "the bootloader's region was written");
    /* After a cut the primary may be between two images: the next boot says which it is. */
    if (oracle->has_running && !oracle->cut_since_boot && !oracle->primary_damaged &&
        !oracle->has_pending && !lies_there(oracle, view))
        violate(oracle, "the primary slot does not hold the image that runs, byte for byte");
    if (oracle->progress_live && oracle->offered >= 0 && !oracle->tampered) {
        const struct nb_oracle_image *image = &oracle->images[oracle->offered];
        uint32_t there = image->data
                             ? nb_oracle_equal_bytes(image, view->secondary, view->secondary_size)
                             : UINT32_MAX;
        if (oracle->progress > there && !image->packed)
            violate(oracle, "progress says %u bytes, but %u lie in flash", oracle->progress, there);
    }
}
