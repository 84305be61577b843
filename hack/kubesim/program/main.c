/* kubesim - a small Kubernetes API server and Job runner for one machine. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kubesim/program/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "serve", command_serve, "run the server" },
    { "image", command_image, "set or list images of the built-in registry" },
    { "fault", command_fault, "make things go wrong, for tests" },
    { "stats", command_stats, "count requests by verb, resource and user agent" },
};

static void help(FILE *stream)
{
    fputs("Usage: kubesim COMMAND [options]\n\n"
          "A small Kubernetes API server with a Job runner, for a machine without a\n"
          "cluster and for tests. Objects are in memory, pods are local processes of\n"
          "this user, nothing is isolated: it is never a place for production data.\n\n"
          "Commands:\n",
          stream);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs("\n'kubesim COMMAND --help' tells its options.\n", stream);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("kubesim " CHURN_VERSION);
        return 0;
    }
    bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
    help(asked ? stdout : stderr);
    return asked ? 0 : 64;
}
