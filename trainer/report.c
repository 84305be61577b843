#include "trainer/report.h"

#include <math.h>

#include "base/limits.h"
#include "trainer/html.h"

static void scores_init(struct report_scores *scores, const struct training *training)
{
    const struct folds *folds = &training->folds;
    const struct calibration none = CALIBRATION_NONE;
    scores->count = folds->holdout_count;
    scores->labels = training_labels(&training->table, folds->holdout, scores->count);
    scores->probabilities = figures_probabilities(training->holdout_margins, scores->count,
                                                  &training->evaluation.calibration);
    scores->raw = figures_probabilities(training->holdout_margins, scores->count, &none);
    ranking_init(&scores->ranking, scores->probabilities, scores->labels, scores->count);
    ranking_init(&scores->raw_ranking, scores->raw, scores->labels, scores->count);
}

static void scores_release(struct report_scores *scores)
{
    free(scores->labels);
    free(scores->probabilities);
    free(scores->raw);
    ranking_release(&scores->ranking);
    ranking_release(&scores->raw_ranking);
}

const char *report_algorithm(enum model_algorithm algorithm)
{
    static const char *const names[MODEL_ALGORITHMS] = { "Gradient boosted trees",
                                                         "Logistic regression", "Neural network" };
    return names[algorithm];
}

static void write_header(const struct training *training, struct buf *out)
{
    const struct folds *folds = &training->folds;
    buf_string(out, "<header><p class=\"eyebrow\">Churn model report</p><h1>");
    html_text(out, training->job.model);
    buf_string(out, "</h1><p>");
    buf_string(out, report_algorithm(training->final.algorithm));
    buf_string(out, ", version <code>");
    html_text(out, training->final.version);
    buf_string(out, "</code>, learned from ");
    html_count(out, training->table.row_count);
    buf_string(out, " customers in ");
    html_text(out, training->history.name);
    buf_string(out, ", of whom ");
    html_percent(out, (double)training->table.positives / (double)training->table.row_count, 1);
    buf_string(out, " left.</p><p>Every figure on this page comes from ");
    html_count(out, folds->holdout_count);
    buf_string(out, " customers that were held out: the model that was measured had not seen them. "
                    "The published model is the same recipe, fitted again on all rows.</p>"
                    "</header>\n");
}

static void write_warning(const char *text, struct buf *out)
{
    buf_string(out, "<li>");
    html_text(out, text);
    buf_string(out, "</li>");
}

static void write_warnings(const struct training *training, struct buf *out)
{
    const char *skipped = training->contest.skipped;
    if (training->warning_count == 0 && skipped == NULL)
        return;
    buf_string(out, "<div class=\"warnings\"><strong>Please note</strong><ul>");
    if (skipped != NULL)
        write_warning(skipped, out);
    for (size_t i = 0; i < training->warning_count; i++)
        write_warning(training->warnings[i], out);
    buf_string(out, "</ul></div>\n");
}

static void write_card(struct buf *out, const char *what, const char *more)
{
    buf_format(out, "</div><div class=\"what\">%s</div><div class=\"more\">%s</div></div>", what,
               more);
}

static void write_cards(const struct training *training, struct buf *out)
{
    const struct figures *figures = &training->figures;
    static const struct {
        const char *figure, *what, *more;
        int decimals;
    } cards[] = {
        { "pr_auc", "PR-AUC", "average precision", 3 },
        { "lift_at_10", "Lift at 10 %", "times chance", 1 },
        { "log_loss", "Log-loss", "lower is better", 3 },
        { "ece", "Calibration error", "0 is perfect", 3 },
        { "ks", "KS", "0 to 1", 3 },
    };
    buf_string(out, "<div class=\"cards\"><div class=\"card\"><div class=\"value\">");
    html_number(out, figures_value(figures, "auc"), 3);
    buf_string(out, "</div><div class=\"what\">AUC</div><div class=\"more\">");
    html_number(out, figures_value(figures, "auc_low"), 3);
    buf_string(out, " to ");
    html_number(out, figures_value(figures, "auc_high"), 3);
    buf_string(out, " (95&nbsp;%)</div></div>");
    for (size_t i = 0; i < ARRAY_SIZE(cards); i++) {
        buf_string(out, "<div class=\"card\"><div class=\"value\">");
        html_number(out, figures_value(figures, cards[i].figure), cards[i].decimals);
        write_card(out, cards[i].what, cards[i].more);
    }
    buf_string(out, "</div>\n");
}

/* The result in one sentence, for people who do not read curves. */
static void write_summary(const struct training *training, const struct report_scores *scores,
                          struct buf *out)
{
    double lift = figures_value(&training->figures, "lift_at_10");
    if (isnan(lift))
        return;
    buf_string(out, "<p class=\"summary\">Contact the ");
    html_count(out, (scores->count + 5) / 10);
    buf_string(out, " customers with the highest scores, one in ten, and you reach <strong>");
    html_percent(out, lift / 10, 0);
    buf_string(out, "</strong> of those who are about to leave: ");
    html_number(out, lift, 1);
    buf_string(out, " times as many as by chance.</p>\n");
}

void report_write(const struct training *training, struct buf *out)
{
    struct report_scores scores;
    scores_init(&scores, training);
    buf_string(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                    "<title>");
    html_text(out, training->job.model);
    buf_string(out, " - churn model report</title><style>");
    buf_string(out, report_style);
    buf_string(out, "</style></head>\n<body><main>\n");
    write_header(training, out);
    write_summary(training, &scores, out);
    write_warnings(training, out);
    write_cards(training, out);
    report_curves(training, &scores, out);
    report_importance(training, out);
    report_decision(training, &scores, out);
    report_champion(training, out);
    report_groups(training, out);
    report_candidates(training, out);
    report_data(training, out);
    report_card(training, out);
    buf_string(out, "<footer>Made by churn-trainer.</footer>\n</main></body></html>\n");
    scores_release(&scores);
}
