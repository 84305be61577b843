/* check.h - the cmocka headers, and comparing of doubles and texts with a case name. */
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define check_near(actual, expected, tolerance, name)                                              \
    do {                                                                                           \
        double actual_ = (actual), expected_ = (expected);                                         \
        if (!(fabs(actual_ - expected_) <= (tolerance)))                                           \
            fail_msg("%s: %s is %.12g, expected %.12g", (name), #actual, actual_, expected_);      \
    } while (0)

#define check_text(actual, expected, name)                                                         \
    do {                                                                                           \
        const char *actual_ = (actual), *expected_ = (expected);                                   \
        if (!actual_ || strcmp(actual_, expected_) != 0)                                           \
            fail_msg("%s: %s is \"%s\", expected \"%s\"", (name), #actual,                         \
                     actual_ ? actual_ : "(none)", expected_);                                     \
    } while (0)
