/* bins.h - columns of numbers as small integers, for histograms.
 *
 * A bin column takes one byte per row. Most stand for one feature: bin b holds the values from
 * thresholds[b - 1] up to, but without, thresholds[b]; cuts lie halfway between neighbouring
 * values, and where there are more values than bins, bins have about the same number of rows.
 * Neighbouring features of zeros and ones of which no row has two (the levels of a category) share
 * one bin column, where bin i + 1 is feature i and bin 0 none of them: as exclusive feature
 * bundling does (Ke and others, LightGBM, NeurIPS 2017, section 4). Missing values have a bin of
 * their own, the last.
 *
 * Rows are read twice, block by block; where there are many, thresholds are placed by an evenly
 * spaced sample. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ml/row_source.h"

#define BINS_MAXIMUM 255 /* of a column, without the one for missing values */

struct bin_column {
    uint32_t feature;       /* of the source; of a bundle the first of them          */
    uint32_t feature_count; /* of a bundle; 0: one feature of any numbers             */
    uint32_t bins;          /* the missing bin comes behind them                      */
    bool has_missing;       /* in these rows: only then is there a missing bin         */
    float *thresholds;      /* bins of them; the last is above all values. NULL: a bundle */
    size_t first;           /* where its bins begin in a histogram of all columns      */
};

struct bins {
    struct bin_column *columns;
    size_t column_count; /* constant features have none           */
    size_t total;        /* bins of all columns, missing ones too */
    uint8_t *values;     /* rows x column_count, row by row       */
    size_t rows;
};

/* `maximum`: bins of a column, 2 .. BINS_MAXIMUM. Thresholds are floats, so that `value <
 * threshold` holds for exactly the rows of the bins up to it. */
void bins_init(struct bins *bins, struct row_source source, size_t maximum);
void bins_release(struct bins *bins); /* safe on a zeroed struct */
#define auto_bins __attribute__((cleanup(bins_release)))
