/* groups.h - how a model treats groups of customers: the columns that a user calls
 * sensitive (data.sensitive), measured on the held-out customers.
 *
 * A column with at most GROUPS_CATEGORIES values has a group for each. One with more,
 * of which nine in ten are numbers, is cut into GROUPS_RANGES ranges with about the same
 * number of customers of the whole file in each; otherwise the rarest values are
 * put together as "(other)". Missing values are a group too. Groups stand in the order of
 * their values for ranges, else by size.
 *
 * Equal treatment has several meanings that cannot all hold at once (Kleinberg,
 * Mullainathan and Raghavan, ITCS 2017), so all are given: how many are called
 * (demographic parity), of those who left (equal opportunity), of those who stayed
 * (equalised odds), and whether probabilities mean the same (calibration). */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "trainer/training.h"

#define GROUPS_CATEGORIES 12
#define GROUPS_RANGES     4
#define GROUPS_MAXIMUM    (GROUPS_CATEGORIES + 2) /* with "(other)" and "(missing)" */

/* Fewer held-out customers than this in a group, or fewer of one kind for what is
 * asked of that kind, say nothing: the figure is NAN. */
#define GROUP_ROWS_FEW  50
#define GROUP_CLASS_FEW 10

struct group {
    char name[96];               /* "Female", "18 to 32" */
    size_t rows, positives;      /* held-out customers   */
    bool few;                    /* rows < GROUP_ROWS_FEW: all below are NAN         */
    double mean, p10, p50, p90;  /* of the probabilities                         */
    double observed;             /* share that left, to hold against the mean    */
    double ece;                  /* calibration error (metrics.h)                */
    double selected;             /* share that is called a churner               */
    double recall, false_alarms; /* of those who left, of those who stayed      */
    double auc;
};

struct group_column {
    const char *name;
    struct group groups[GROUPS_MAXIMUM];
    size_t count;
};

/* Measures table.groupings[index]. The training has been evaluated. */
void groups_measure(const struct training *training, size_t index, struct group_column *ret_column);

/* All sensitive columns for metrics.json: [{"column", "groups": [{"group", "rows",
 * ...}]}]; what is NAN is left out. New reference. */
json_t *groups_encode(const struct training *training) __attribute__((warn_unused_result));
