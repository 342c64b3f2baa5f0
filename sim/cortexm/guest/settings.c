#include "sim/cortexm/guest/settings.h"

#include "sim/cortexm/guest/board.h"

#include <stdlib.h>
#include <string.h>

static char *const text = (char *)BOARD_SETTINGS;

enum kind { KIND_TEXT, KIND_POINTER, KIND_NUMBER, KIND_SWITCH, KIND_REGION };

struct row {
    const char *key;
    uint16_t offset;
    uint8_t kind;
};

#define ROW(key, kind, member)                                                                     \
    {                                                                                              \
        key, offsetof(struct guest_settings, member), kind                                         \
    }

static const struct row rows[] = {
    ROW("name", KIND_TEXT, device.name),
    ROW("system", KIND_TEXT, device.system),
    ROW("loader", KIND_REGION, device.loader),
    ROW("primary", KIND_REGION, device.primary),
    ROW("secondary", KIND_REGION, device.secondary),
    ROW("journal", KIND_REGION, device.journal),
    ROW("progress", KIND_REGION, device.progress),
    ROW("scratch", KIND_REGION, device.scratch),
    ROW("status", KIND_REGION, device.status),
    ROW("align", KIND_NUMBER, device.format.align),
    ROW("write-size", KIND_NUMBER, device.format.write_size),
    ROW("max-sectors", KIND_NUMBER, device.format.max_sectors),
    ROW("validate-primary", KIND_SWITCH, device.validate_primary),
    ROW("refuse-older", KIND_SWITCH, device.refuse_older_version),
    ROW("security-counter", KIND_SWITCH, device.use_counter),
    ROW("header", KIND_NUMBER, device.header_size),
    ROW("manufacturer", KIND_TEXT, device.manufacturer),
    ROW("manufacturer-id", KIND_TEXT, device.manufacturer_id),
    ROW("product", KIND_TEXT, device.product),
    ROW("serial", KIND_TEXT, device.serial),
    ROW("board", KIND_TEXT, device.board),
    ROW("topic-prefix", KIND_TEXT, device.topic_prefix),
    ROW("watchdog-ms", KIND_NUMBER, device.watchdog_ms),
    ROW("once", KIND_SWITCH, life.once),
    ROW("boot-only", KIND_SWITCH, life.boot_only),
    ROW("by-http", KIND_SWITCH, life.session.by_http),
    ROW("file", KIND_POINTER, life.session.file),
    ROW("send-direct", KIND_SWITCH, life.session.send_direct),
    ROW("chunk", KIND_NUMBER, life.session.chunk_size),
    ROW("no-result", KIND_SWITCH, life.session.no_result),
    ROW("permanent", KIND_SWITCH, life.session.permanent),
    ROW("stay", KIND_SWITCH, life.session.stay),
    ROW("initial-check", KIND_NUMBER, life.session.timing.initial_check),
    ROW("next-check", KIND_NUMBER, life.session.timing.next_check),
    ROW("job-wait", KIND_NUMBER, life.session.timing.job_wait),
    ROW("data-wait", KIND_NUMBER, life.session.timing.data_wait),
    ROW("connect-wait", KIND_NUMBER, life.session.timing.connect_wait),
    ROW("retry", KIND_NUMBER, life.session.timing.retry_first),
    ROW("retry-last", KIND_NUMBER, life.session.timing.retry_last),
    ROW("keep-alive", KIND_NUMBER, life.session.timing.keep_alive),
    ROW("connect-tries", KIND_NUMBER, life.session.timing.connect_tries),
    ROW("data-tries", KIND_NUMBER, life.session.timing.data_tries),
    ROW("log", KIND_NUMBER, log_level),
    ROW("nv", KIND_POINTER, nv),
    ROW("broker", KIND_POINTER, broker),
    ROW("broker-port", KIND_NUMBER, broker_port),
    ROW("broker-tls", KIND_SWITCH, broker_tls),
    ROW("server", KIND_POINTER, server),
    ROW("server-port", KIND_NUMBER, server_port),
    ROW("server-tls", KIND_SWITCH, server_tls),
};

/* ---- values ------------------------------------------------------------------------------ */

/* A number at *at, which moves behind it and one blank. */
static bool take_number(const char **at, uint32_t *out)
{
    char *end;
    *out = strtoul(*at, &end, 0);
    bool found = end != *at && (*end == ' ' || *end == '\0');
    *at = *end == ' ' ? end + 1 : end;
    return found;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int guest_setting_bytes(const char *value, uint8_t *out, size_t size)
{
    size_t length = strlen(value);
    if (length % 2 != 0 || length / 2 > size)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit(value[2 * i]);
        int low = digit(value[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (int)(length / 2);
}

static bool set_text(char out[SIM_TEXT], const char *value)
{
    if (strlen(value) >= SIM_TEXT)
        return false;
    strcpy(out, value);
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

static bool set_row(struct guest_settings *settings, const struct row *row, const char *value)
{
    void *member = (char *)settings + row->offset;
    switch ((enum kind)row->kind) {
    case KIND_TEXT:
        return set_text(member, value);
    case KIND_POINTER:
        *(const char **)member = value;
        return true;
    case KIND_NUMBER:
        return set_number(member, value);
    case KIND_SWITCH:
        return set_switch(member, value);
    case KIND_REGION:
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

static bool set_scheme(struct guest_settings *settings, const char *value)
{
    settings->device.scheme = sim_scheme_find(value);
    return settings->device.scheme != NULL;
}

/* "ecdsa HEX" or "rsa HEX" */
static bool add_key(struct guest_settings *settings, const char *value)
{
    struct sim_device *device = &settings->device;
    const char *space = strchr(value, ' ');
    if (space == NULL || device->key_count == SIM_MAX_KEYS)
        return false;
    uint8_t *der = settings->key_der[device->key_count];
    int size = guest_setting_bytes(space + 1, der, sizeof settings->key_der[0]);
    if (size <= 0)
        return false;
    device->keys[device->key_count++] = (struct crypto_key){
        strncmp(value, "rsa ", 4) == 0 ? CRYPTO_RSA2048_PSS : CRYPTO_ECDSA_P256, der, (size_t)size};
    return true;
}

static bool set_seed(struct guest_settings *settings, const char *value)
{
    return guest_setting_bytes(value, settings->seed, GUEST_SEED_SIZE) == GUEST_SEED_SIZE;
}

static bool set_flow(struct guest_settings *settings, const char *value)
{
    settings->life.session.flow = strcmp(value, "direct") == 0 ? OTA_FLOW_DIRECT : OTA_FLOW_JOB;
    return true;
}

static bool set_timing(struct guest_settings *settings, const char *value)
{
    settings->life.timing = strcmp(value, "fast") == 0   ? SIM_TIMING_FAST
                            : strcmp(value, "desk") == 0 ? SIM_TIMING_DESK
                                                         : SIM_TIMING_DEFAULT;
    return true;
}

static const struct {
    const char *key;
    bool (*set)(struct guest_settings *settings, const char *value);
} others[] = {
    {"chip", add_chip}, {"scheme", set_scheme}, {"key", add_key},
    {"seed", set_seed}, {"flow", set_flow},     {"timing", set_timing},
};

/* ---- text -------------------------------------------------------------------------------- */

static bool is_key(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, key, length) == 0 && line[length] == '=';
}

static bool read_line(struct guest_settings *settings, const char *line)
{
    const char *value = strchr(line, '=');
    if (value == NULL)
        return false;
    value++;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (is_key(line, rows[i].key))
            return set_row(settings, &rows[i], value);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (is_key(line, others[i].key))
            return others[i].set(settings, value);
    return true; /* somebody else's: guest_setting */
}

unsigned guest_settings_read(struct guest_settings *settings)
{
    char *line = text;
    unsigned number = 1;
    text[BOARD_SETTINGS_SIZE - 1] = '\0';
    for (; *line != '\0'; number++) {
        char *end = line + strcspn(line, "\n");
        *end = '\0';
        if (!read_line(settings, line))
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
            return strchr(line, '=') + 1;
    return NULL;
}
