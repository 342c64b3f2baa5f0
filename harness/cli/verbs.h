/* The verbs of the program `nobrick`: one row and one function each.
 *
 * A verb gets argv[0] = its own name, answers --help, prints one line on stderr when it fails and
 * returns the exit code: 0 pass, 1 fail, 2 usage or a bad file or script, 3 vacuous. */
#ifndef NOBRICK_HARNESS_CLI_VERBS_H
#define NOBRICK_HARNESS_CLI_VERBS_H

struct nb_verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* one line */
};

/* Ends with a row whose name is NULL. */
extern const struct nb_verb nb_verbs[];

/* The whole program: runs the verb of argv[1] and returns the exit code. When standard output could
 * not be written that is never 0, and stderr says so in one line. */
int nb_main(int argc, char **argv);

int nb_cmd_device(int argc, char **argv);
int nb_cmd_list(int argc, char **argv);
/* The list that takes options. */
int nb_list_requirements(int argc, char **argv);

#endif
