#include "sim/cortexm/guest/settings.h"

#include "sim/cortexm/guest/board.h"

#include <string.h>

static char *const text = (char *)BOARD_SETTINGS;

const struct guest_setting_row guest_settings_of_loader[] = {
    GUEST_SETTING_ROW("loader", GUEST_SETTING_REGION, device.loader),
    GUEST_SETTING_ROW("primary", GUEST_SETTING_REGION, device.primary),
    GUEST_SETTING_ROW("secondary", GUEST_SETTING_REGION, device.secondary),
    GUEST_SETTING_ROW("scratch", GUEST_SETTING_REGION, device.scratch),
    GUEST_SETTING_ROW("status", GUEST_SETTING_REGION, device.status),
    GUEST_SETTING_ROW("factory", GUEST_SETTING_REGION, device.factory),
    GUEST_SETTING_ROW("attempts", GUEST_SETTING_NUMBER, device.attempts),
    GUEST_SETTING_ROW("align", GUEST_SETTING_NUMBER, device.format.align),
    GUEST_SETTING_ROW("write-size", GUEST_SETTING_NUMBER, device.format.write_size),
    GUEST_SETTING_ROW("max-sectors", GUEST_SETTING_NUMBER, device.format.max_sectors),
    GUEST_SETTING_ROW("validate-primary", GUEST_SETTING_SWITCH, device.validate_primary),
    GUEST_SETTING_ROW("refuse-older", GUEST_SETTING_SWITCH, device.refuse_older_version),
    GUEST_SETTING_ROW("security-counter", GUEST_SETTING_SWITCH, device.use_counter),
    GUEST_SETTING_ROW("watchdog-ms", GUEST_SETTING_NUMBER, device.watchdog_ms),
    GUEST_SETTING_ROW("once", GUEST_SETTING_SWITCH, life.once),
    GUEST_SETTING_ROW("boot-only", GUEST_SETTING_SWITCH, life.boot_only),
    GUEST_SETTING_ROW("log", GUEST_SETTING_NUMBER, log_level),
    GUEST_SETTING_ROW("marks", GUEST_SETTING_NUMBER, marks),
    GUEST_SETTING_ROW("nv", GUEST_SETTING_POINTER, nv),
    {NULL, 0, 0},
};

/* ---- values ------------------------------------------------------------------------------ */

/* 16 and more: not one. */
static uint32_t digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10) : 16;
}

/* A number at *at, which moves behind it and one blank. */
static bool take_number(const char **at, uint32_t *out)
{
    const char *next = *at;
    uint32_t base = 10;
    if (next[0] == '0' && next[1] == 'x') {
        base = 16;
        next += 2;
    }
    const char *first = next;
    *out = 0;
    for (uint32_t value = digit(*next); value < base; value = digit(*next)) {
        *out = *out * base + value;
        next++;
    }
    *at = *next == ' ' ? next + 1 : next;
    return next != first && (*next == ' ' || *next == '\0');
}

int guest_setting_bytes(const char *value, uint8_t *out, size_t size)
{
    size_t length = strlen(value);
    if (length % 2 != 0 || length / 2 > size)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        uint32_t high = digit(value[2 * i]);
        uint32_t low = digit(value[2 * i + 1]);
        if (high > 15 || low > 15)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (int)(length / 2);
}

static bool set_text(char out[SIM_TEXT], const char *value)
{
    size_t length = strlen(value);
    if (length >= SIM_TEXT)
        return false;
    memcpy(out, value, length + 1);
    return true;
}

static bool set_number(uint32_t *out, const char *value)
{
    return take_number(&value, out) && *value == '\0';
}

static bool set_switch(bool *out, const char *value)
{
    *out = value[0] == '1';
    return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
}

/* "ADDRESS SIZE" */
static bool set_region(struct sim_region *out, const char *value)
{
    return take_number(&value, &out->address) && take_number(&value, &out->size) && *value == '\0';
}

bool guest_setting_set(struct guest_settings *settings, const struct guest_setting_row *row,
                       const char *value)
{
    void *member = (char *)settings + row->offset;
    switch ((enum guest_setting_kind)row->kind) {
    case GUEST_SETTING_TEXT:
        return set_text(member, value);
    case GUEST_SETTING_POINTER:
        *(const char **)member = value;
        return true;
    case GUEST_SETTING_NUMBER:
        return set_number(member, value);
    case GUEST_SETTING_SWITCH:
        return set_switch(member, value);
    case GUEST_SETTING_REGION:
        return set_region(member, value);
    }
    return false;
}

/* ---- keys with a form of their own ------------------------------------------------------- */

/* "SIZE UNIT PAGE ERASED PROGRAMS ROW REPROGRAM-ZERO COUNT SECTOR [COUNT SECTOR...]" */
static bool add_chip(struct guest_settings *settings, const char *value)
{
    struct sim_device *device = &settings->device;
    if (device->chip_count == FLASH_MAX_CHIPS)
        return false;
    struct flash_chip *chip = &device->chips[device->chip_count];
    const struct flash_chip *before = device->chip_count > 0 ? chip - 1 : NULL;
    struct flash_part *part = &chip->part;
    uint32_t erased;
    uint32_t zero;
    chip->start = before != NULL ? before->start + before->part.size : 0;
    if (!take_number(&value, &part->size) || !take_number(&value, &part->unit) ||
        !take_number(&value, &part->page) || !take_number(&value, &erased) ||
        !take_number(&value, &part->programs) || !take_number(&value, &part->row) ||
        !take_number(&value, &zero))
        return false;
    part->erased = (uint8_t)erased;
    part->reprogram_zero = zero != 0;
    while (*value != '\0' && part->run_count < FLASH_MAX_RUNS) {
        struct flash_sector_run *run = &part->runs[part->run_count++];
        if (!take_number(&value, &run->count) || !take_number(&value, &run->size))
            return false;
    }
    device->chip_count++;
    return *value == '\0' && part->unit != 0 && part->run_count > 0;
}

/* "ecdsa HEX" or "rsa HEX" */
static bool add_key(struct guest_settings *settings, const char *value)
{
    struct sim_device *device = &settings->device;
    bool rsa = strncmp(value, "rsa ", 4) == 0;
    if ((!rsa && strncmp(value, "ecdsa ", 6) != 0) || device->key_count == SIM_MAX_KEYS)
        return false;
    uint8_t *der = settings->key_der[device->key_count];
    int size = guest_setting_bytes(value + (rsa ? 4 : 6), der, sizeof settings->key_der[0]);
    if (size <= 0)
        return false;
    device->keys[device->key_count++] =
        (struct crypto_key){rsa ? CRYPTO_RSA2048_PSS : CRYPTO_ECDSA_P256, der, (size_t)size};
    return true;
}

/* ---- text -------------------------------------------------------------------------------- */

static bool is_key(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, key, length) == 0 && line[length] == '=';
}

/* The value of a line of that key; NULL: it is of another. */
static const char *value_of(const char *line, const char *key)
{
    return is_key(line, key) ? line + strlen(key) + 1 : NULL;
}

static bool read_line(struct guest_settings *settings, const struct guest_setting_row *rows,
                      const char *line)
{
    const char *value;
    for (const struct guest_setting_row *row = rows; row->key != NULL; row++)
        if ((value = value_of(line, row->key)) != NULL)
            return guest_setting_set(settings, row, value);
    if ((value = value_of(line, "chip")) != NULL)
        return add_chip(settings, value);
    if ((value = value_of(line, "key")) != NULL)
        return add_key(settings, value);
    if ((value = value_of(line, "scheme")) != NULL)
        settings->device.scheme = sim_scheme_find(value);
    return true; /* or somebody else's: guest_setting */
}

unsigned guest_settings_read(struct guest_settings *settings, const struct guest_setting_row *rows)
{
    char *line = text;
    unsigned number = 1;
    text[BOARD_SETTINGS_SIZE - 1] = '\0';
    for (; *line != '\0'; number++) {
        char *end = line + strcspn(line, "\n");
        *end = '\0';
        if (!read_line(settings, rows, line))
            return number;
        line = end + 1;
    }
    settings->life.device = &settings->device;
    const struct sim_device *device = &settings->device;
    return number > 1 && device->chip_count > 0 && device->scheme != NULL ? 0 : number;
}

const char *guest_setting(const char *key, const char *after)
{
    const char *line = after != NULL ? after + strlen(after) + 1 : text;
    for (; *line != '\0'; line += strlen(line) + 1)
        if (is_key(line, key))
            return line + strlen(key) + 1;
    return NULL;
}
