/* One fault of cloud or network after the other, for `nobrick prove --faults`: each strikes in each
 * life of the device, at one place. */
#ifndef NOBRICK_HARNESS_PROVE_TROUBLES_H
#define NOBRICK_HARNESS_PROVE_TROUBLES_H

/* Lines of the scenario language, NULL-terminated. */
extern const char *const nb_troubles[];

#endif
