/* fault_calls.c - preloaded into a program, lets its n-th system call on files fail.
 *
 * A seccomp filter traps the calls of the table below, made by the program itself, by libc for it
 * (fopen, readdir) and by the libraries it uses, in any thread, after main() began. The trap
 * carries the call out, or does what the kind asks for:
 *
 *   EIO, EINTR     any of them fails so
 *   EACCES         those that take a path
 *   ENOSPC         those that may need room: write, fsync, mkdir, rename, link, making a file
 *   SHORT          read and write do half of what was asked
 *   SIGTERM        the process is sent SIGTERM, then the call is carried out
 *   SIGTERM+EINTR  the process is sent SIGTERM and the call fails with EINTR
 *
 * A close that fails has closed all the same, as on Linux. fsync is counted and otherwise not
 * carried out: durability is not what is tested, and it is slow. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "fault.h"

#define MARK 0x6661756c74 /* sixth argument of the calls that this file makes */

enum {
    MAKES = 1 << 0, /* may need room */
    MOVES = 1 << 1, /* bytes, so may move fewer */
    SYNCS = 1 << 2,
    CLOSES = 1 << 3,
};

/* `path`: which argument is the path, counted from 1; 0: the first is a descriptor; a path that is
 * empty, too (fstat). */
static const struct call {
    int number, path, flags;
    const char *name;
} calls[] = {
    { SYS_openat, 2, 0, "openat" },
    { SYS_newfstatat, 2, 0, "newfstatat" },
    { SYS_faccessat, 2, 0, "faccessat" },
    { SYS_mkdirat, 2, MAKES, "mkdirat" },
    { SYS_unlinkat, 2, 0, "unlinkat" },
    { SYS_linkat, 4, MAKES, "linkat" },
    { SYS_renameat, 4, MAKES, "renameat" },
    { SYS_renameat2, 4, MAKES, "renameat2" },
#ifdef SYS_open /* what new architectures do without */
    { SYS_open, 1, 0, "open" },
    { SYS_stat, 1, 0, "stat" },
    { SYS_lstat, 1, 0, "lstat" },
    { SYS_access, 1, 0, "access" },
    { SYS_mkdir, 1, MAKES, "mkdir" },
    { SYS_unlink, 1, 0, "unlink" },
    { SYS_link, 2, MAKES, "link" },
    { SYS_rename, 2, MAKES, "rename" },
#endif
    { SYS_fstat, 0, 0, "fstat" },
    { SYS_read, 0, MOVES, "read" },
    { SYS_pread64, 0, MOVES, "pread64" },
    { SYS_write, 0, MOVES | MAKES, "write" },
    { SYS_pwrite64, 0, MOVES | MAKES, "pwrite64" },
    { SYS_writev, 0, MAKES, "writev" },
    { SYS_ftruncate, 0, MAKES, "ftruncate" },
    { SYS_fallocate, 0, MAKES, "fallocate" },
    { SYS_fsync, 0, MAKES | SYNCS, "fsync" },
    { SYS_fdatasync, 0, MAKES | SYNCS, "fdatasync" },
    { SYS_lseek, 0, 0, "lseek" },
    { SYS_flock, 0, 0, "flock" },
    { SYS_getdents64, 0, 0, "getdents64" },
    { SYS_close, 0, CLOSES, "close" },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static struct fault *fault;

/* --- one call ------------------------------------------------------------------ */

/* The result as the kernel gives it: -errno. */
static long carry_out(long number, const uint64_t *arguments)
{
    long outcome =
        syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], MARK);

    return outcome < 0 ? -errno : outcome;
}

static const char *path_of(const struct call *call, const uint64_t *arguments)
{
    const char *path = call->path ? (const char *)arguments[call->path - 1] : NULL;

    return path && path[0] ? path : NULL;
}

static bool makes_room_short(const struct call *call, const uint64_t *arguments)
{
    uint64_t flags = call->number == SYS_openat ? arguments[2] : 0;

    return call->flags & MAKES || flags & O_CREAT;
}

static bool can_happen(const struct call *call, const uint64_t *arguments)
{
    if (strcmp(fault->kind, "EACCES") == 0)
        return path_of(call, arguments) != NULL;
    if (strcmp(fault->kind, "ENOSPC") == 0)
        return makes_room_short(call, arguments);
    if (strcmp(fault->kind, "SHORT") == 0)
        return call->flags & MOVES && arguments[2] > 1;
    return true;
}

/* Tells the test what it was. */
static void note(const struct call *call, const uint64_t *arguments)
{
    const char *path = path_of(call, arguments);
    char link[32];

    memcpy(fault->call, call->name, strlen(call->name) + 1);
    if (path) {
        memcpy(fault->file, path, strnlen(path, sizeof(fault->file) - 1));
        return;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", (int)arguments[0]);
    if (readlink(link, fault->file, sizeof(fault->file) - 1) < 0)
        fault_die("fault: a descriptor has no name\n");
}

static int error_of_kind(void)
{
    static const struct {
        const char *kind;
        int error_number;
    } errors[] = { { "EIO", EIO },       { "EINTR", EINTR },         { "EACCES", EACCES },
                   { "ENOSPC", ENOSPC }, { "SIGTERM+EINTR", EINTR }, { "SIGTERM", 0 },
                   { "SHORT", 0 } };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strcmp(errors[i].kind, fault->kind) == 0)
            return errors[i].error_number;
    fault_die("fault: unknown kind\n");
}

static long disturb(const struct call *call, uint64_t *arguments)
{
    int error_number = error_of_kind();

    note(call, arguments);
    if (strncmp(fault->kind, "SIGTERM", 7) == 0)
        (void)raise(SIGTERM);
    if (strcmp(fault->kind, "SHORT") == 0)
        arguments[2] /= 2;
    if (error_number == 0 || call->flags & CLOSES) {
        long outcome = carry_out(call->number, arguments);

        return error_number == 0 ? outcome : -error_number;
    }
    return -error_number;
}

static long answer(const struct call *call, uint64_t *arguments)
{
    if (can_happen(call, arguments) && fault_is_due(fault))
        return disturb(call, arguments);
    return call->flags & SYNCS ? 0 : carry_out(call->number, arguments);
}

/* --- traps ---------------------------------------------------------------------- */

static const struct call *find_call(long number)
{
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].number == number)
            return &calls[i];
    fault_die("fault: a call was trapped that is not in the table\n");
}

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    int saved = errno;

    (void)signal_number;
#if defined(__x86_64__)
    static const int places[] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8 };
    uint64_t arguments[5];

    for (size_t i = 0; i < 5; i++)
        arguments[i] = (uint64_t)machine->gregs[places[i]];
    machine->gregs[REG_RAX] = answer(find_call(info->si_syscall), arguments);
#elif defined(__aarch64__)
    machine->regs[0] = (uint64_t)answer(find_call(info->si_syscall), machine->regs);
#else
#error "where does this processor pass the arguments of system calls?"
#endif
    errno = saved;
}

/* Marked calls pass; those of the table are trapped; all others pass. */
static void install_filter(void)
{
    enum { HEAD = 3, ALLOW = HEAD + CALLS, TRAP };
    struct sock_filter filter[TRAP + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)MARK, ALLOW - 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        [ALLOW] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        [TRAP] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = { TRAP + 1, filter };

    for (size_t i = 0; i < CALLS; i++)
        filter[HEAD + i] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(CALLS - i), 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        fault_die("fault: the kernel takes no seccomp filter\n");
}

void fault_begin(void)
{
    struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };

    fault = fault_open();
    if (sigaction(SIGSYS, &action, NULL) < 0)
        fault_die("fault: SIGSYS cannot be handled\n");
    install_filter();
}
