#include "scorer/verdict.h"

#include "base/num.h"
#include "contract/reasons.h"
#include "scorer/summary.h"

static int check_ids(struct run *run, struct err *err)
{
    bool found;
    uint32_t first, second;

    if (ids_find_duplicate(run->ids, &found, &first, &second, err))
        return -1;
    if (!found)
        return 0;
    return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                      "%s line %u, %s: the id is there already, in line %u",
                      store_name(run->places.input), second, run->model.id, first);
}

static int fail_rejected(struct run *run, struct err *err)
{
    const struct row_fault *fault = &run->tally.first_fault;

    if (sink_commit(&run->rejects, err))
        return -1;
    return err_reason(err, ERR_INVALID, REASON_DataInvalid,
                      "%s line %" PRIu64 "%s%s: %s (%" PRIu64 " of %" PRIu64
                      " rows are bad, maxRejected is %s; they are in %s)",
                      store_name(run->places.input), fault->line, fault->column[0] ? ", " : "",
                      fault->column, fault->why, run->tally.rejected, run->tally.read,
                      run->job->scoring.max_rejected.text, run->places.rejects);
}

/* Another kind of customers than the model knows, or a column that was damaged on
 * its way: scores would look like any others. */
static int check_drift(const struct run *run, struct err *err)
{
    const struct decimal *fail = &run->job->scoring.drift->fail;
    struct drift_figure largest;
    char psi[NUM_DOUBLE_TEXT];

    if (!fail->text ||
        drift_largest(&run->model.drift, run->tally.drift_counts, 1, &largest) == 0 ||
        largest.psi < fail->value)
        return 0;
    num_format_fixed(largest.psi, SUMMARY_PSI_DECIMALS, psi);
    return err_reason(err, ERR_INVALID, REASON_DriftExceeded,
                      "%s: column %s is distributed otherwise than in training: PSI %s, drift.fail "
                      "is %s",
                      store_name(run->places.input), largest.name, psi, fail->text);
}

int verdict_check(struct run *run, struct err *err)
{
    const struct tally *tally = &run->tally;

    if (tally->read == 0)
        return err_reason(err, ERR_INVALID, REASON_DataInvalid, "%s has a header but no rows",
                          store_name(run->places.input));
    if ((double)tally->rejected > run->job->scoring.max_rejected.value * (double)tally->read)
        return fail_rejected(run, err);
    if (run->model.id && check_ids(run, err))
        return -1;
    return check_drift(run, err);
}
