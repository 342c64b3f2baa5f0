/* The verb `prove`: the matrix of updates of one boot scheme, or a script, closed under power cuts.
 */
#ifndef NOBRICK_HARNESS_PROVE_CMD_PROVE_H
#define NOBRICK_HARNESS_PROVE_CMD_PROVE_H

int nb_cmd_prove(int argc, char **argv);

#endif
