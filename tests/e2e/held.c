/* held GATE PROGRAM - waits until somebody writes to the gate, then becomes the program. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The first process of a container ignores what it does not catch. */
static void stop(int number)
{
    _exit(128 + number);
}

int main(int argc, char **argv)
{
    char text[8];

    if (argc != 3)
        return 64;
    signal(SIGTERM, stop);
    int gate = open(argv[1], O_RDONLY);
    if (gate < 0 || read(gate, text, sizeof(text)) <= 0) {
        perror(argv[1]);
        return 70;
    }
    close(gate);
    execl(argv[2], argv[2], (char *)NULL);
    perror(argv[2]);
    return 70;
}
