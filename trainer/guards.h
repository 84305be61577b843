/* guards.h - what in training data a reader of metrics would fall into, or the trainer itself. */
#pragma once

#include "trainer/training.h"

/* A column that alone ranks churners this well most likely knows the answer. */
#define GUARD_LEAK_AUC 0.99

/* DataInvalid for too few rows or too few of one kind; a warning for few. */
int guard_size(struct training *training, struct err *err) __attribute__((warn_unused_result));

/* DataInvalid when the table and `bytes` more are more than training->memory, so that the user
 * hears it before the kernel ends the process. Callers count what they surely have at once: never
 * is refused what would fit. */
int guard_memory(const struct training *training, size_t bytes, struct err *err)
    __attribute__((warn_unused_result));

/* The same for what later stages have of all rows at once. */
int guard_rows(const struct training *training, struct err *err)
    __attribute__((warn_unused_result));

/* A warning for each column that alone has an AUC above GUARD_LEAK_AUC. */
void guard_leaks(struct training *training);
