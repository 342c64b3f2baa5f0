/* Looks the verb up, runs it, and sees to it that what it printed got out. */
#include "harness/cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VERSION "0.1.0"

static void print_help(FILE *out)
{
    fputs("usage: nobrick VERB [--help] ...\n"
          "\n"
          "Proves that an over-the-air update cannot brick a device.\n"
          "\n",
          out);
    for (const struct nb_verb *verb = nb_verbs; verb->name != NULL; verb++)
        fprintf(out, "  %-10s %s\n", verb->name, verb->summary);
    fputs("\n"
          "example:\n"
          "  nobrick list parts\n",
          out);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("nobrick " VERSION);
        return 0;
    }
    for (const struct nb_verb *verb = nb_verbs; verb->name != NULL; verb++)
        if (strcmp(argv[1], verb->name) == 0)
            return verb->run(argc - 1, argv + 1);
    fprintf(stderr, "nobrick: no verb '%s' (nobrick --help)\n", argv[1]);
    return 2;
}

/* A full disk must not look like success. What was written is flushed here at the latest. */
static int end_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "nobrick: standard output cannot be written%s%s\n", errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    return code != 0 ? code : 2;
}

int nb_main(int argc, char **argv)
{
    return end_output(dispatch(argc, argv));
}
