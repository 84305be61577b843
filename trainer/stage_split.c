/* Split: who is held out, and the folds of the others. */
#include "trainer/training.h"

#define CLASS_LEFT_MINIMUM 5 /* of each class, to train on */

static size_t positives_of(const struct table *table, const uint32_t *rows, size_t count)
{
    size_t positives = 0;
    for (size_t i = 0; i < count; i++)
        positives += table->labels[rows[i]];
    return positives;
}

int stage_split(struct training *training, struct err *err)
{
    const struct table *table = &training->table;
    const struct validation_spec *validation = training->job.training.validation;
    struct folds *folds = &training->folds;
    folds_init(folds, table, training->job.training.seed, validation->holdout.value,
               (unsigned)validation->folds);
    if (folds->duplicates > 0)
        training_warn(
            training,
            "%s: %zu rows repeat another one but for the id; copies stay in one fold, and "
            "%zu held-out ones that repeat a row to learn from are not measured",
            table->name, folds->duplicates, folds->copies);
    size_t positives = positives_of(table, folds->training, folds->training_count);
    size_t negatives = folds->training_count - positives;
    if (positives < CLASS_LEFT_MINIMUM || negatives < CLASS_LEFT_MINIMUM)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: without the held-out customers %zu churners and %zu others are "
                          "left, at least %d of each are needed: give more rows or a smaller "
                          "validation.holdout",
                          table->name, positives, negatives, CLASS_LEFT_MINIMUM);
    positives = positives_of(table, folds->holdout, folds->holdout_count);
    if (positives == 0 || positives == folds->holdout_count)
        training_warn(training,
                      "%s: the %zu held-out customers are of one class, so there are no "
                      "metrics",
                      table->name, folds->holdout_count);
    return 0;
}
