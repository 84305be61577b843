/* num.h - text to numbers and back: locale-free, whole string, ranged.
 *
 * Nothing else in the project parses or prints a number that is data (strtod,
 * atoi and friends are banned at compile time). A parser succeeds only when
 * it consumed the whole text; surrounding blanks are an error. Outputs are set
 * only on success; errors are ERR_INVALID and quote what was expected. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* Decimal integer with optional '-', within [minimum, maximum]. */
int num_int64(struct span text, int64_t minimum, int64_t maximum, int64_t *ret_value,
              struct err *err) __attribute__((warn_unused_result));

/* Decimal number "12", "-3.5", "1e-3": finite, no hex, no nan, no inf, correctly
 * rounded. Accepts a leading '+', which data files contain. */
int num_double(struct span text, double *ret_value, struct err *err)
    __attribute__((warn_unused_result));

/* The same without an error text, for loops over millions of cells: returns
 * false when the text is not a number. */
bool num_double_quick(struct span text, double *ret_value);

/* The same, faster, for a text that has room (span.h). */
bool num_double_roomy(struct span text, double *ret_value);

/* The shortest decimal text that num_double() reads back as the same value
 * ("0.1", "1e+300"); returns its length. */
#define NUM_DOUBLE_TEXT 32
size_t num_format_double(double value, char text[NUM_DOUBLE_TEXT]);

/* Rounded to `decimals` places (0 to 12), "-0" becomes "0". For reports and
 * measurements in status. */
size_t num_format_fixed(double value, int decimals, char text[NUM_DOUBLE_TEXT]);

/* A Kubernetes quantity ("500m", "1Gi", "1.5", "1e3") in thousandths, exactly;
 * ERR_INVALID when it does not fit or is finer than a thousandth.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
int num_quantity_milli(struct span text, int64_t *ret_milli, struct err *err)
    __attribute__((warn_unused_result));

/* A duration as Go writes it: one or more of "1h", "30m", "1.5s", "100ms";
 * "0" is allowed. In milliseconds, never negative. */
int num_duration_ms(struct span text, int64_t *ret_ms, struct err *err)
    __attribute__((warn_unused_result));

/* The way back, in Go's units but without parts that are zero: "5m", "1h30m",
 * "1.5s", "100ms", "0s". Returns the length; below 0 counts as 0. */
#define NUM_DURATION_TEXT 32
size_t num_format_duration(int64_t duration_ms, char text[NUM_DURATION_TEXT]);

/* RFC 3339 time ("2026-11-23T07:00:00Z", with fraction, with offset) to
 * milliseconds since 1970, and back as UTC with seconds (metav1.Time) or with
 * microseconds (metav1.MicroTime). */
int num_time_ms(struct span text, int64_t *ret_unix_ms, struct err *err)
    __attribute__((warn_unused_result));
#define NUM_TIME_TEXT 40
void num_format_time(int64_t unix_ms, char text[NUM_TIME_TEXT]);
void num_format_micro_time(int64_t unix_ms, char text[NUM_TIME_TEXT]);
/* With nine digits behind the seconds, from nanoseconds: such texts sort as their times do. */
void num_format_nano_time(int64_t unix_ns, char text[NUM_TIME_TEXT]);
