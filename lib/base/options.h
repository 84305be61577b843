/* options.h - command line and environment by table, read once in main.
 *
 * "--name value", "--name=value", "--flag", "--no-flag"; "--" ends options;
 * what is left are operands. A flag wins over its environment variable, which
 * wins over the default. --help and --version are made from the table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/mem.h"

enum option_kind {
    OPTION_FLAG,     /* bool                                            */
    OPTION_TEXT,     /* const char *                                    */
    OPTION_INT,      /* int64_t, range in minimum, maximum              */
    OPTION_DURATION, /* int64_t milliseconds                            */
    OPTION_ENUM,     /* int: index into names                           */
    OPTION_TEXTS,    /* struct strings: may be given several times      */
};

struct option {
    const char *name; /* without "--" */
    enum option_kind kind;
    size_t offset;
    const char *environment;  /* variable, or NULL */
    const char *fallback;     /* default as text, or NULL */
    int64_t minimum, maximum; /* INT, DURATION in ms; both 0: any */
    const char *const *names; /* ENUM: NULL-terminated */
    const char *argument;     /* how help calls the value: "FILE" */
    const char *help;         /* one sentence */
};

struct program {
    const char *name;
    const char *synopsis;    /* "[options]"                             */
    const char *description; /* paragraphs, before the options          */
    const char *epilogue;    /* after them: exit codes, files; or NULL  */
    const struct option *options;
    size_t option_count;
    size_t maximum_operands;
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* Fills *ret_values (the struct that the offsets speak of) and *ret_operands;
 * strings are borrowed from argv and the environment or live in the arena. HELP
 * and VERSION: nothing is filled, the caller prints and exits 0. ERR_INVALID
 * names the option and what was expected. */
int options_parse(const struct program *program, int argc, char *const *argv, struct arena *arena,
                  void *ret_values, struct strings *ret_operands, enum options_outcome *ret_outcome,
                  struct err *err) __attribute__((warn_unused_result));

/* What a main does with its command line: parses it, prints what was asked for on
 * stdout or what is wrong on stderr. True: go on; false: exit with *ret_code, which
 * is 0 or 64 (EX_USAGE of sysexits(3)). */
bool options_begin(const struct program *program, int argc, char *const *argv, struct arena *arena,
                   void *ret_values, struct strings *ret_operands, int *ret_code)
    __attribute__((warn_unused_result));

/* Prints help, or "<name> <version>", on stdout. */
void options_print_help(const struct program *program);
void options_print_version(const struct program *program);
