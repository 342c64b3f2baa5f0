/* The options of `nobrick device`. */
#ifndef NOBRICK_HARNESS_CLI_DEVICE_OPTIONS_H
#define NOBRICK_HARNESS_CLI_DEVICE_OPTIONS_H

#include "sim/posix/device.h"

struct device_options {
    const char *device; /* file or preset */
    const char *factory;
    uint32_t factory_version; /* what the factory says of it, on a device with a store */
    const char *factory_key;  /* PEM private key that signs that; NULL: unsigned */
    const char *push;
    const char *board;  /* NULL: the device file's */
    const char *prefix; /* of topics; the same */
    const char *trusted[SIM_MAX_KEYS];
    size_t trusted_count;
    bool verbose;
    bool anew;     /* after a reset; the caller's */
    int events_fd; /* -1: none */
    /* All that the options say of it; device, factory, event and context are the caller's. */
    struct posix_device_config config;
};

/* 0: go on; else the exit code + 1, after a message or the help. The strings are the caller's
 * arguments. */
OTA_MUST_CHECK int device_options_parse(int argc, char **argv, struct device_options *out);

#endif
