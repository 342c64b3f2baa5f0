/* The program `nobrick`. */
#include "harness/cli/verbs.h"

int main(int argc, char **argv)
{
    return nb_main(argc, argv);
}
