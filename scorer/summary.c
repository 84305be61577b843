#include "scorer/summary.h"

#include <math.h>

#include "base/num.h"
#include "base/utf8.h"

#define SCORE_DECIMALS 4

static struct decimal decimal(struct arena *arena, double value, int decimals)
{
    char text[NUM_DOUBLE_TEXT];

    num_format_fixed(value, decimals, text);
    return (struct decimal){ arena_strdup(arena, text), value };
}

static struct output_result *output_of(const struct summary *summary, struct arena *arena)
{
    struct output_result *output = arena_zero(arena, 1, sizeof(*output));

    *output = (struct output_result){
        .uri = summary->places->output,
        .manifest_uri = summary->places->manifest,
        .rejects_uri = summary->tally->rejected ? summary->places->rejects : NULL,
        .bytes = (int64_t)summary->output_bytes,
        .sha256 = arena_strdup(arena, summary->output_sha256),
    };
    return output;
}

static struct model_result *model_of(const struct summary *summary, struct arena *arena)
{
    struct model_result *model = arena_zero(arena, 1, sizeof(*model));

    model->version = arena_strdup(arena, summary->model->version);
    model->uri = summary->job->model->uri;
    return model;
}

static struct rows_result *rows_of(const struct tally *tally, struct arena *arena)
{
    struct rows_result *rows = arena_zero(arena, 1, sizeof(*rows));

    *rows = (struct rows_result){ .read = (int64_t)tally->read,
                                  .scored = (int64_t)tally->scored,
                                  .rejected = (int64_t)tally->rejected };
    return rows;
}

static struct scores_result *scores_of(const struct summary *summary, struct arena *arena)
{
    const struct tally *tally = summary->tally;
    struct scores_result *scores = arena_zero(arena, 1, sizeof(*scores));

    scores->above_threshold = (int64_t)tally->above_threshold;
    scores->threshold = decimal(arena, summary->threshold, SCORE_DECIMALS);
    if (tally->scored == 0)
        return scores;
    scores->mean = decimal(arena, tally_mean(tally), SCORE_DECIMALS);
    scores->p50 = decimal(arena, tally_quantile(tally, 0.5), SCORE_DECIMALS);
    scores->p90 = decimal(arena, tally_quantile(tally, 0.9), SCORE_DECIMALS);
    scores->p99 = decimal(arena, tally_quantile(tally, 0.99), SCORE_DECIMALS);
    return scores;
}

/* Names of columns may hold anything that CSV can; a result is lines of text. */
static const char *one_line(struct arena *arena, const char *text)
{
    char *line = arena_strdup(arena, text);

    utf8_one_line(line, strlen(line));
    return line;
}

static struct drift_result *drift_of(const struct summary *summary, struct arena *arena)
{
    struct drift_figure figures[RESULT_DRIFTS_MAXIMUM];
    size_t count = drift_largest(&summary->model->drift, summary->tally->drift_counts,
                                 RESULT_DRIFTS_MAXIMUM, figures);
    struct drift_result *drift = arena_zero(arena, 1, sizeof(*drift));
    struct drift_item *items = arena_zero(arena, RESULT_DRIFTS_MAXIMUM, sizeof(*items));

    for (size_t i = 0; i < count; i++)
        items[i] = (struct drift_item){ one_line(arena, figures[i].name),
                                        decimal(arena, figures[i].psi, SUMMARY_PSI_DECIMALS) };
    drift->features = (struct list){ items, count };
    if (count > 0) {
        drift->maximum = items[0].psi;
        drift->feature = items[0].name;
    }
    return drift;
}

static void add_warning(struct strings *warnings, const char *text)
{
    if (warnings->count < RESULT_WARNINGS_MAXIMUM)
        warnings->items[warnings->count++] = text;
}

static struct strings warnings_of(const struct summary *summary, const struct drift_result *drift,
                                  struct arena *arena)
{
    const struct drift_item *items = drift->features.items;
    const struct decimal *warn = &summary->job->scoring.drift->warn;
    const char *name = store_name(summary->places->input);
    struct strings warnings = { arena_zero(arena, RESULT_WARNINGS_MAXIMUM, sizeof(char *)), 0 };

    if (summary->tally->rejected > 0)
        add_warning(&warnings, arena_format(arena,
                                            "%s: %" PRIu64 " of %" PRIu64
                                            " rows are bad and not in the output",
                                            name, summary->tally->rejected, summary->tally->read));
    if (summary->tally->unseen > 0)
        add_warning(&warnings,
                    arena_format(arena,
                                 "%s: cells with a category that was never seen in training: "
                                 "%" PRIu64,
                                 name, summary->tally->unseen));
    for (size_t i = 0; i < drift->features.count; i++)
        if (warn->text && items[i].psi.value >= warn->value &&
            summary->tally->scored >= SUMMARY_DRIFT_ROWS)
            add_warning(&warnings,
                        arena_format(arena,
                                     "%s: column %s is distributed otherwise than in training "
                                     "(PSI %s)",
                                     name, items[i].name, items[i].psi.text));
    return warnings;
}

void summary_manifest(const struct summary *summary, struct arena *arena,
                      struct manifest *ret_manifest)
{
    struct drift_result *drift = drift_of(summary, arena);

    *ret_manifest = (struct manifest){
        .version = MANIFEST_VERSION,
        .batch = summary->job->batch,
        .spec_hash = summary->job->spec_hash,
        .input = summary->input,
        .model = model_of(summary, arena),
        .output = output_of(summary, arena),
        .rows = rows_of(summary->tally, arena),
        .scores = scores_of(summary, arena),
        .drift = drift,
        .score_psi = decimal(arena,
                             drift_psi(&summary->model->drift, summary->tally->drift_counts,
                                       drift_score_column(&summary->model->drift)),
                             SUMMARY_PSI_DECIMALS),
        .warnings = warnings_of(summary, drift, arena),
    };
}

struct result summary_result(const struct manifest *manifest, enum outcome outcome)
{
    return (struct result){
        .outcome = (int)outcome,
        .model = manifest->model,
        .input = manifest->input,
        .output = manifest->output,
        .rows = manifest->rows,
        .scores = manifest->scores,
        .drift = manifest->drift,
        .warnings = manifest->warnings,
    };
}
