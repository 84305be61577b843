/* check.h - the cmocka headers, and comparing of doubles with a case name. */
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
