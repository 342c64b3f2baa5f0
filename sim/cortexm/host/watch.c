#include "sim/cortexm/host/watch.h"

#include "sim/cortexm/host/qemu.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *at;
    size_t room; /* 0: it did not fit */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->at, text->room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= text->room) {
        text->room = 0;
        return;
    }
    text->at += length;
    text->room -= (size_t)length;
}

/* Commas in a file name are doubled, for QEMU's options end at them. */
static void add_path(struct text *text, const char *head, const char *path)
{
    add(text, "%s", head);
    for (; *path != '\0'; path++)
        add(text, *path == ',' ? ",," : "%c", *path);
}

uint32_t cortexm_flash_end(const struct sim_device *device)
{
    const struct flash_chip *last = &device->chips[device->chip_count - 1];
    return last->start + last->part.size;
}

bool cortexm_has_marks(const struct sim_device *device)
{
    return cortexm_flash_end(device) <= CORTEXM_MARKS;
}

int cortexm_watch_words(const struct cortexm_watch *watch, char out[CORTEXM_WATCH_SIZE])
{
    static const char *const failures[] = {[FLASH_FAIL_ERROR] = "error",
                                           [FLASH_FAIL_SILENT] = "silent",
                                           [FLASH_FAIL_PARTIAL] = "partial"};
    const struct sim_device *device = watch->device;
    struct text text = {out, CORTEXM_WATCH_SIZE};
    add_path(&text, "", watch->plugin);
    add_path(&text, ",flash=", watch->flash);
    add_path(&text, ",parts=", watch->parts_dir);
    for (size_t i = 0; i < device->chip_count; i++)
        add(&text, ",part=%s:0x%x", device->chips[i].part.name, device->chips[i].part.size);
    if (device->loader.size != 0)
        add(&text, ",fixed=0x%x:0x%x", device->loader.address, device->loader.size);
    if (watch->rings)
        add(&text, ",doorbell=0x%x", CORTEXM_DOORBELL);
    if (watch->rings && cortexm_has_marks(device))
        add(&text, ",marks=0x%x", CORTEXM_MARKS);
    if (watch->journal != NULL)
        add_path(&text, ",journal=", watch->journal);
    if (watch->is_cut)
        add(&text, ",cut=op:%u:%s", watch->cut_operation, flash_tear_word(watch->cut_tear));
    if (watch->is_fail)
        add(&text, ",fail=%u:%s", watch->fail_operation, failures[watch->failure]);
    add(&text, ",events=/dev/stdout");
    return text.room > 0 ? OTA_OK : OTA_E_NO_SPACE;
}
