/* state.h - the state of a training in a folder, between stages run one by one.
 *
 *   job.json       the job document
 *   history.csv... the history file as stored, under its own name
 *   training.json  everything else that is small: folds, candidates, margins
 *   final, evaluation   booster or weights of the two models
 *
 * Doubles are written so that they read back as the same value: stages run one by
 * one give the bytes of a run in memory. Each `out` folder holds all that the next
 * stage needs; it may be the `in` folder. Files appear whole or not at all, training.json
 * last, so a stage that was interrupted can be run again. */
#pragma once

#include "trainer/training.h"

/* Reads the job and what the first `stages_done` stages made. */
int state_load(struct training *training, const char *folder, size_t stages_done, struct err *err)
    __attribute__((warn_unused_result));

/* Copies the history into a folder for later stages. */
int state_fetch_history(struct training *training, const char *folder, struct err *err)
    __attribute__((warn_unused_result));

/* Writes what the first `stages_done` stages made; job and history are taken from
 * folder `in` when `out` does not have them. */
int state_save(const struct training *training, const char *in, const char *out, size_t stages_done,
               struct err *err) __attribute__((warn_unused_result));
