/* What the loaders differ in: the one boot scheme, and whether keys may be RSA. The build makes one
 * of each: LOADER_SCHEME and LOADER_RSA name them. */
#include "sim/cortexm/guest/loader_scheme.h"

#include "sim/device.h"

#include <string.h>

const struct boot_scheme *sim_scheme_find(const char *name)
{
    return strncmp(name, LOADER_SCHEME.name, SIM_TEXT) == 0 ? &LOADER_SCHEME : NULL;
}

guest_verifier *loader_verify_rsa(void)
{
    return LOADER_RSA;
}
