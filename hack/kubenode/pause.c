/* pause - keeps the namespaces of a pod, and takes note of the ends of orphans. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void reap(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(void)
{
    struct sigaction stopping = { .sa_handler = stop };
    struct sigaction reaping = { .sa_handler = reap, .sa_flags = SA_NOCLDSTOP };

    sigaction(SIGINT, &stopping, NULL);
    sigaction(SIGTERM, &stopping, NULL);
    sigaction(SIGCHLD, &reaping, NULL);
    for (;;)
        pause();
}
