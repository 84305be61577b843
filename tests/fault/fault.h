/* fault.h - which call of a program fails; shared by the libraries that tests preload.
 *
 * $FAULT_FILE names a file that holds one struct fault: the test fills in `kind` and `number` and
 * reads the rest when the program has ended, however it ended. Calls are counted from the start
 * of main() on; a call is counted when the kind can happen to it. The `number`-th fails, once;
 * number 0: none does, which is how a test learns how many there are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fault {
    char kind[16]; /* "ENOSPC", ...: what each library knows */
    uint64_t number;
    uint64_t count; /* _Atomic in effect: counted by several threads */
    char call[16];  /* which call failed: "openat"; "" when none did */
    char file[232]; /* and what file it was about, as far as that is known */
};

/* The mapped file. */
struct fault *fault_open(void) __attribute__((returns_nonnull));
/* Counts one call. True: this is the one that fails. */
int fault_is_due(struct fault *fault);
/* Says why the test cannot go on and ends the process with status 99. */
_Noreturn void fault_die(const char *why);

/* What each library does right before main(). */
void fault_begin(void);
