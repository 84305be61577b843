/* unit.h - what every unit test begins with: cmocka, and a check for tables. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

/* Fails with the case's name and the condition when it does not hold. */
#define CASE(name, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("case \"%s\": %s", (name), #condition);                                       \
    } while (0)
