/* What the loaders differ in, beside sim_scheme_find. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_LOADER_SCHEME_H
#define NOBRICK_SIM_CORTEXM_GUEST_LOADER_SCHEME_H

#include "sim/cortexm/guest/crypto.h"

/* For struct guest_crypto. */
guest_verifier *loader_verify_rsa(void);

#endif
