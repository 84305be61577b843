/* guards.h - traps in training data that a reader of metrics would fall into. */
#pragma once

#include "trainer/training.h"

/* A column that alone ranks churners this well most likely knows the answer. */
#define GUARD_LEAK_AUC 0.99

/* DataInvalid for too few rows or too few of one kind; a warning for few. */
int guard_size(struct training *training, struct err *err) __attribute__((warn_unused_result));

/* A warning for each column that alone has an AUC above GUARD_LEAK_AUC. */
void guard_leaks(struct training *training);
