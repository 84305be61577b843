#include "fault.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

#define STATUS_UNUSABLE 99

void fault_die(const char *why)
{
    ssize_t ignored = write(STDERR_FILENO, why, strlen(why));

    (void)ignored;
    _exit(STATUS_UNUSABLE);
}

struct fault *fault_open(void)
{
    const char *path = getenv("FAULT_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct fault *fault;

    if (fd < 0)
        fault_die("fault: $FAULT_FILE cannot be opened\n");
    fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fault == MAP_FAILED)
        fault_die("fault: $FAULT_FILE cannot be mapped\n");
    close(fd);
    return fault;
}

int fault_is_due(struct fault *fault)
{
    return __atomic_add_fetch(&fault->count, 1, __ATOMIC_RELAXED) == fault->number;
}

/* --- the way to main() -------------------------------------------------------- */

typedef int (*main_function)(int count, char **arguments, char **environment);
typedef int (*start_function)(main_function program, int count, char **arguments,
                              void (*init)(void), void (*end)(void), void (*loader_end)(void),
                              void *stack_end);

static main_function program_main;

static int begin(int count, char **arguments, char **environment)
{
    fault_begin();
    return program_main(count, arguments, environment);
}

/* Every program's first call of libc; ours is found first. */
__attribute__((visibility("default"))) int __libc_start_main(main_function program, int count,
                                                             char **arguments, void (*init)(void),
                                                             void (*end)(void),
                                                             void (*loader_end)(void),
                                                             void *stack_end);

int __libc_start_main(main_function program, int count, char **arguments, void (*init)(void),
                      void (*end)(void), void (*loader_end)(void), void *stack_end)
{
    void *next = dlsym(RTLD_NEXT, "__libc_start_main");
    start_function start;

    memcpy(&start, &next, sizeof(start));
    program_main = program;
    return start(begin, count, arguments, init, end, loader_end, stack_end);
}
