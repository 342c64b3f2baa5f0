/* What a device is told at its start: which parts it has, where its slots lie, whom it trusts,
 * where broker and server are, how its session goes. A text of `key=value` lines that the bench
 * puts into RAM (sim/cortexm/host/settings.c writes it, and lists the keys).
 *
 * Read in place: the newlines become NULs, and strings point into it. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_SETTINGS_H
#define NOBRICK_SIM_CORTEXM_GUEST_SETTINGS_H

#include "sim/cortexm/guest/random.h"
#include "sim/life.h"

/* What an application knows of its loader's scheme. */
struct guest_scheme {
    bool reverts;
    bool in_status;
    bool store;
    uint32_t max_end;
};

struct guest_settings {
    struct sim_device device;
    struct sim_life_config life; /* event and context are the caller's */
    struct guest_scheme scheme;
    uint32_t log_level; /* enum ota_log_level */
    uint32_t marks;     /* see flash.h */
    const char *nv;     /* file of the counter; NULL: none */
    const char *broker; /* host; NULL: none */
    uint32_t broker_port;
    bool broker_tls;
    const char *server;
    uint32_t server_port;
    bool server_tls;
    uint8_t seed[GUEST_SEED_SIZE];
    /* its own */
    uint8_t key_der[SIM_MAX_KEYS][300];
    struct sim_act act; /* kind NONE: there is none, and life.act is NULL */
    uint8_t row[IMG_ROW_SIZE];
};

enum guest_setting_kind {
    GUEST_SETTING_TEXT,    /* char[SIM_TEXT] */
    GUEST_SETTING_POINTER, /* const char * */
    GUEST_SETTING_NUMBER,  /* uint32_t */
    GUEST_SETTING_SWITCH,  /* bool */
    GUEST_SETTING_REGION,  /* struct sim_region */
};

/* One key and the member it sets; a table ends with a row without a key. */
struct guest_setting_row {
    const char *key;
    uint16_t offset;
    uint8_t kind;
};

#define GUEST_SETTING_ROW(key, kind, member)                                                       \
    {                                                                                              \
        key, offsetof(struct guest_settings, member), kind                                         \
    }

/* Reads the text: all that a loader needs, and what is in `rows`. 0; else the number of the line
 * that makes no sense, counted from 1. `settings` begins as zeros. */
unsigned guest_settings_read(struct guest_settings *settings, const struct guest_setting_row *rows);
extern const struct guest_setting_row guest_settings_of_loader[];

/* Reads all of it. OTA_E_ARGUMENT when something makes no sense. */
OTA_MUST_CHECK int guest_settings_read_all(struct guest_settings *settings);

/* Sets the member of a row. False: the value is none of its kind. */
bool guest_setting_set(struct guest_settings *settings, const struct guest_setting_row *row,
                       const char *value);

/* The value of a key as it stands in the text, or NULL. The first one (`after` NULL), or the next
 * one after that value, where a key may be repeated. */
const char *guest_setting(const char *key, const char *after);

/* The bytes of pairs of hexadecimal digits. Their number, or -1: no such pairs, or more than
 * `size`. */
int guest_setting_bytes(const char *value, uint8_t *out, size_t size);

/* The row that sim_scheme_find gives an application says what that was told. */
void guest_scheme_tell(const struct guest_scheme *told);

#endif
