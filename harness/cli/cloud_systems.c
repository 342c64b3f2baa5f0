/* The verb `nobrick cloud`: whose cloud it is, is a row of a table. */
#include "harness/cli/cloud_words.h"
#include "harness/peers/anycloud_cloud.h"

#include <signal.h>
#include <string.h>

static const struct {
    const char *system;
    int (*run)(int argc, char **argv);
} systems[] = {
    {"anycloud", nb_cloud_anycloud}, /* the default */
    {"harmony", nb_cloud_harmony},
};

/* The value of the last --system on the command line; NULL: there is none. */
static const char *named_system(int argc, char **argv)
{
    static const char option[] = "--system";
    const size_t length = sizeof option - 1;
    const char *found = NULL;
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], option, length) == 0) {
            if (argv[i][length] == '=')
                found = argv[i] + length + 1;
            else if (argv[i][length] == '\0' && i + 1 < argc)
                found = argv[++i];
        }
    return found;
}

int nb_cmd_cloud(int argc, char **argv)
{
    const char *system = named_system(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (system == NULL || strcmp(systems[i].system, system) == 0)
            return systems[i].run(argc, argv);
    return nb_cloud_usage("no such system (nobrick list systems)", system) - 1;
}
