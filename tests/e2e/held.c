/* held HOW GATE PROGRAM - what cluster.py says of WAYS, then becomes the program. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILED_ONCE 75

/* The first process of a container ignores what it does not catch. */
static void stop(int number)
{
    _exit(128 + number);
}

static int wait_at_gate(const char *path)
{
    char text[8];
    int gate = open(path, O_RDONLY);

    if (gate < 0 || read(gate, text, sizeof(text)) <= 0) {
        perror(path);
        return -1;
    }
    close(gate);
    return 0;
}

static int fails_now(const char *gate)
{
    char mark[4096];

    snprintf(mark, sizeof(mark), "%s.failed", gate);
    return mkdir(mark, 0777) == 0;
}

int main(int argc, char **argv)
{
    const char *shard = getenv("JOB_COMPLETION_INDEX");

    if (argc != 4)
        return 64;
    signal(SIGTERM, stop);
    if (strcmp(argv[1], "held") == 0 || (strcmp(argv[1], "held-composing") == 0 && !shard)) {
        if (wait_at_gate(argv[2]) < 0)
            return 70;
    } else if (strcmp(argv[1], "failing-once") == 0 && shard && strcmp(shard, "1") == 0) {
        if (fails_now(argv[2]))
            return FAILED_ONCE;
    }
    execl(argv[3], argv[3], (char *)NULL);
    perror(argv[3]);
    return 70;
}
