/* What a board is told at its start, as a text of `key=value` lines that QEMU puts into its RAM at
 * each reset (sim/cortexm/guest/settings.c reads it).
 *
 *   key                                     value
 *   name system manufacturer manufacturer-id product serial board topic-prefix   text
 *   chip (repeats)                          SIZE UNIT PAGE ERASED PROGRAMS ROW REPROGRAM-ZERO,
 *                                           then COUNT SECTOR for each run
 *   loader primary secondary journal progress scratch status factory   ADDRESS SIZE
 *   scheme                                  a boot scheme's name
 *   reverts in-status store max-end         what an application knows of its loader's scheme
 *   align write-size max-sectors header attempts watchdog-ms   number
 *   validate-primary refuse-older security-counter             0 or 1
 *   key (repeats)                           `ecdsa` or `rsa`, and the DER as hexadecimal digits
 *   once boot-only by-http send-direct no-result permanent stay hold initiate   0 or 1
 *   flow                                    job, direct
 *   timing                                  desk, fast, default
 *   initial-check ... data-tries            milliseconds, or how many
 *   file chunk, answer (repeats)            as in struct sim_session
 *   broker broker-port broker-tls server server-port server-tls   where they are
 *   ca cert private                         PEM files, as hexadecimal digits
 *   act                                     a word of sim/act.h: the application does that and ends
 *   act-permanent act-version               0 or 1; MAJOR.MINOR.REVISION
 *   image row                               of an act: bytes at BOARD_IMAGE, and what says which
 *                                           image that is, as hexadecimal digits
 *   marks                                   offset in the flash window, see guest/flash.h
 *   nv                                      path of the counter's file, by semihosting
 *   time                                    seconds since 1970, at the reset
 *   seed                                    32 bytes of chance, as hexadecimal digits
 *   log                                     how much of its log the board tells: 0 errors to 4 all
 *
 * A key that is not there is 0, or empty. */
#ifndef NOBRICK_SIM_CORTEXM_HOST_SETTINGS_H
#define NOBRICK_SIM_CORTEXM_HOST_SETTINGS_H

#include "sim/life.h"

#define CORTEXM_SEED_SIZE 32

struct cortexm_peer {
    const char *host; /* NULL: there is none */
    uint16_t port;
    bool tls;
};

struct cortexm_settings {
    const struct sim_life_config *life; /* device and session; event and context are not asked */
    struct cortexm_peer broker;
    struct cortexm_peer server;
    const char *ca; /* PEM files; NULL: none */
    const char *certificate;
    const char *private_key;
    const char *nv; /* NULL: no counter */
    uint32_t marks; /* offset in the flash window; 0: all can be read */
    uint8_t seed[CORTEXM_SEED_SIZE];
    enum ota_log_level log_level;
};

/* Writes them to the file at `path`. OTA_E_IO with errno set, also of a PEM file; OTA_E_NO_SPACE
 * when they do not fit into what the board has for them. */
OTA_MUST_CHECK int cortexm_settings_write(const struct cortexm_settings *settings,
                                          const char *path);

#endif
