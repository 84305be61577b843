/* Curves, importance and decision of report.html. */
#include "trainer/report.h"

#include <math.h>

#include "base/num.h"
#include "trainer/html.h"
#include "trainer/plot.h"

#define CURVE_POINTS    200
#define HISTOGRAM_BINS  25
#define BARS_MAXIMUM    15
#define DIRECTION_CLEAR 0.5 /* correlation of value and contribution */

static const struct curve_point diagonal[] = { { 0, 0 }, { 1, 1 } };

static void draw_roc(const struct report_scores *scores, struct buf *out)
{
    const struct plot plot = { .title = "ROC curve",
                               .x_label = "others called churners",
                               .y_label = "churners found",
                               .x_maximum = 1,
                               .y_maximum = 1,
                               .x_percent = true,
                               .y_percent = true,
                               .description = "ROC curve of the held-out customers" };
    struct curve_point points[CURVE_POINTS];
    size_t count = curve_roc(&scores->ranking, points, CURVE_POINTS);
    plot_begin(out, &plot);
    plot_line(out, &plot, "guide", diagonal, 2);
    plot_area(out, &plot, "model", points, count);
    plot_line(out, &plot, "model", points, count);
    plot_end(out, "Dashed: a random order of customers.");
}

static void draw_pr(const struct report_scores *scores, struct buf *out)
{
    const struct plot plot = { .title = "Precision and recall",
                               .x_label = "churners found (recall)",
                               .y_label = "right calls (precision)",
                               .x_maximum = 1,
                               .y_maximum = 1,
                               .x_percent = true,
                               .y_percent = true,
                               .description = "Precision against recall" };
    struct curve_point points[CURVE_POINTS];
    size_t count = curve_pr(&scores->ranking, points, CURVE_POINTS);
    double rate = (double)scores->ranking.positives / (double)scores->count;
    const struct curve_point base[] = { { 0, rate }, { 1, rate } };
    plot_begin(out, &plot);
    plot_line(out, &plot, "guide", base, 2);
    plot_area(out, &plot, "model", points, count);
    plot_line(out, &plot, "model", points, count);
    plot_end(out, "Dashed: calling everybody a churner.");
}

static void draw_gain(const struct report_scores *scores, struct buf *out)
{
    const struct plot plot = { .title = "Cumulative gain",
                               .x_label = "customers contacted, highest scores first",
                               .y_label = "churners reached",
                               .x_maximum = 1,
                               .y_maximum = 1,
                               .x_percent = true,
                               .y_percent = true,
                               .description = "Share of churners reached" };
    struct curve_point points[CURVE_POINTS];
    size_t count = curve_gain(&scores->ranking, points, CURVE_POINTS);
    double rate = (double)scores->ranking.positives / (double)scores->count;
    const struct curve_point perfect[] = { { 0, 0 }, { rate, 1 }, { 1, 1 } };
    static const struct plot_legend legend[] = { { "model", "this model" },
                                                 { "guide", "perfect, random" } };
    plot_begin(out, &plot);
    plot_legend(out, legend, ARRAY_SIZE(legend));
    plot_line(out, &plot, "guide", diagonal, 2);
    plot_line(out, &plot, "guide", perfect, 3);
    plot_line(out, &plot, "model", points, count);
    char caption[128];
    snprintf(caption, sizeof(caption),
             "The highest tenth holds %.0f %% of the churners, the highest fifth %.0f %%.",
             10 * metric_lift_at(&scores->ranking, 0.1),
             20 * metric_lift_at(&scores->ranking, 0.2));
    plot_end(out, caption);
}

static void draw_lift(const struct report_scores *scores, struct buf *out)
{
    double shares[10], before = 0, greatest = 1;
    for (size_t i = 0; i < 10; i++) {
        double share = (double)(i + 1) / 10;
        double found = metric_lift_at(&scores->ranking, share) * share;
        shares[i] = (found - before) * 10;
        before = found;
        greatest = fmax(greatest, shares[i]);
    }
    const struct plot plot = { .title = "Lift by tenth of customers",
                               .x_label = "tenth of customers, highest scores first",
                               .y_label = "churners, times the average",
                               .x_minimum = 0.5,
                               .x_maximum = 10.5,
                               .x_step = 1,
                               .y_maximum = greatest * 1.08,
                               .description = "Lift of each tenth" };
    const struct curve_point average[] = { { 0.5, 1 }, { 10.5, 1 } };
    plot_begin(out, &plot);
    for (size_t i = 0; i < 10; i++)
        plot_bar(out, &plot, "model", (double)i + 0.62, (double)i + 1.38, shares[i]);
    plot_line(out, &plot, "guide", average, 2);
    plot_end(out, "Dashed: the average of all customers.");
}

/* Points of a reliability table; ends of both axes grow with them. */
static size_t reliability_points(const struct ranking *ranking, struct curve_point *points,
                                 double *end)
{
    struct reliability_bin bins[METRIC_ECE_BINS];
    size_t used = 0;
    metric_reliability(ranking, bins, METRIC_ECE_BINS);
    for (size_t i = 0; i < METRIC_ECE_BINS; i++) {
        if (bins[i].rows <= 0)
            continue;
        points[used++] = (struct curve_point){ bins[i].predicted, bins[i].observed };
        *end = fmax(*end, fmax(bins[i].predicted, bins[i].observed));
    }
    return used;
}

static void draw_calibration(const struct report_scores *scores, struct buf *out)
{
    struct curve_point after[METRIC_ECE_BINS], before[METRIC_ECE_BINS];
    double end = 0.1;
    size_t after_count = reliability_points(&scores->ranking, after, &end);
    size_t before_count = reliability_points(&scores->raw_ranking, before, &end);
    end = fmin(1, end * 1.06);
    const struct plot plot = { .title = "Calibration",
                               .x_label = "predicted probability",
                               .y_label = "observed churn",
                               .x_maximum = end,
                               .y_maximum = end,
                               .x_percent = true,
                               .y_percent = true,
                               .description = "Predicted against observed churn" };
    const struct curve_point ideal[] = { { 0, 0 }, { end, end } };
    static const struct plot_legend legend[] = { { "model", "calibrated" },
                                                 { "muted", "before calibration" } };
    plot_begin(out, &plot);
    plot_legend(out, legend, ARRAY_SIZE(legend));
    plot_line(out, &plot, "guide", ideal, 2);
    plot_dots(out, &plot, "muted", before, before_count);
    plot_line(out, &plot, "model", after, after_count);
    plot_dots(out, &plot, "model", after, after_count);
    char caption[160], calibrated[NUM_DOUBLE_TEXT], raw[NUM_DOUBLE_TEXT];
    num_format_fixed(metric_ece(&scores->ranking), 4, calibrated);
    num_format_fixed(metric_ece(&scores->raw_ranking), 4, raw);
    snprintf(caption, sizeof(caption),
             "Ten groups of equal size. Calibration error %s, before calibration %s.", calibrated,
             raw);
    plot_end(out, caption);
}

static void draw_histogram(const struct report_scores *scores, double threshold, struct buf *out)
{
    double counts[2][HISTOGRAM_BINS] = { { 0 } }, greatest = 0;
    for (size_t i = 0; i < scores->count; i++) {
        size_t bin = (size_t)(scores->probabilities[i] * HISTOGRAM_BINS);
        counts[scores->labels[i]][bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1]++;
    }
    for (size_t i = 0; i < HISTOGRAM_BINS; i++)
        greatest = fmax(greatest, counts[0][i] + counts[1][i]);
    const struct plot plot = { .title = "Scores",
                               .x_label = "churn probability",
                               .y_label = "customers",
                               .x_maximum = 1,
                               .y_maximum = fmax(greatest * 1.05, 1),
                               .x_percent = true,
                               .description = "Histogram of scores" };
    static const struct plot_legend legend[] = { { "churn", "left" }, { "stay", "stayed" } };
    plot_begin(out, &plot);
    plot_legend(out, legend, ARRAY_SIZE(legend));
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        double from = ((double)i + 0.06) / HISTOGRAM_BINS, to = ((double)i + 0.94) / HISTOGRAM_BINS;
        plot_bar(out, &plot, "stay", from, to, counts[0][i] + counts[1][i]);
        plot_bar(out, &plot, "churn", from, to, counts[1][i]);
    }
    plot_mark(out, &plot, threshold, "threshold");
    plot_end(out, "Bars are stacked: those who left at the bottom.");
}

void report_curves(const struct training *training, const struct report_scores *scores,
                   struct buf *out)
{
    if (scores->ranking.positives == 0 || scores->ranking.negatives == 0)
        return;
    buf_string(out, "<h2>How well it ranks and how honest its probabilities are</h2>"
                    "<p>Curves of the held-out customers.</p><div class=\"plots\">\n");
    draw_roc(scores, out);
    draw_pr(scores, out);
    draw_gain(scores, out);
    draw_lift(scores, out);
    draw_calibration(scores, out);
    draw_histogram(scores, training->evaluation.threshold, out);
    buf_string(out, "</div>\n");
}

/* --- importance ------------------------------------------------------------ */

static int by_value(const void *left, const void *right)
{
    double a = ((const struct bar *)left)->value, b = ((const struct bar *)right)->value;
    if (a != b)
        return (a < b) - (a > b);
    return strcmp(((const struct bar *)left)->name, ((const struct bar *)right)->name);
}

/* What a high value does, where most of the column's effect goes one way. */
static const char *describe_direction(double correlation)
{
    if (correlation >= DIRECTION_CLEAR)
        return "\u25b2";
    return correlation <= -DIRECTION_CLEAR ? "\u25bc" : NULL;
}

void report_importance(const struct training *training, struct buf *out)
{
    const struct features *features = &training->final.features;
    auto_free struct bar *bars = mem_zero(features->source_count, sizeof(*bars));
    for (size_t i = 0; i < features->source_count; i++)
        bars[i] = (struct bar){ features->sources[i].name, training->importance[i],
                                describe_direction(training->direction[i]) };
    qsort(bars, features->source_count, sizeof(*bars), by_value);
    static const char *const methods[MODEL_ALGORITHMS] = {
        "exact SHAP values", "coefficient times distance from the mean",
        "integrated gradients on the way from the average customer to this one"
    };
    buf_format(out,
               "<h2>What moves the score</h2><p>Mean absolute contribution of each column to the "
               "log-odds of churn (%s), over held-out customers. Reasons in scored files are the "
               "same contributions, customer by customer; with their base they add up to the "
               "log-odds, with an error of at most %.1g among these customers. \u25b2: high "
               "values speak for churn; \u25bc: against it; neither: a category, or it depends."
               "</p><div class=\"card\">",
               methods[training->final.algorithm], training->additivity_error);
    size_t shown = features->source_count < BARS_MAXIMUM ? features->source_count : BARS_MAXIMUM;
    plot_ranked_bars(out, "Importance of columns", bars, shown, 3);
    if (shown < features->source_count)
        buf_format(out, "<div class=\"more\">and %zu more columns below these</div>",
                   features->source_count - shown);
    buf_string(out, "</div>\n");
}

/* --- decision -------------------------------------------------------------- */

static void write_cell(struct buf *out, size_t count, const char *what, bool good)
{
    buf_format(out, "<td class=\"cell%s\">", good ? " good" : "");
    html_count(out, count);
    buf_format(out, "<small>%s</small></td>", what);
}

static void write_confusion(struct confusion confusion, struct buf *out)
{
    buf_string(
        out,
        "<div class=\"card\"><h3>Held-out customers at this threshold</h3>"
        "<table class=\"matrix\"><tr><th></th><th>called a churner</th><th>not called</th></tr>"
        "<tr><th>left</th>");
    write_cell(out, confusion.true_positives, "found", true);
    write_cell(out, confusion.false_negatives, "missed", false);
    buf_string(out, "</tr><tr><th>stayed</th>");
    write_cell(out, confusion.false_positives, "false alarm", false);
    write_cell(out, confusion.true_negatives, "left alone", true);
    buf_string(out, "</tr></table></div>");
}

void report_decision(const struct training *training, const struct report_scores *scores,
                     struct buf *out)
{
    static const struct {
        const char *figure, *what;
        bool percent;
        int decimals;
    } rows[] = {
        { "precision", "Right calls (precision)", true, 1 },
        { "recall", "Churners found (recall)", true, 1 },
        { "f1", "F1", false, 3 },
        { "precision_at_10", "Churners among the highest 10 %", true, 1 },
        { "profit", "Expected profit per customer", false, 2 },
        { "emp", "Expected maximum profit per customer (EMPC)", false, 2 },
        { "emp_share", "Share to contact for it", true, 1 },
    };
    buf_string(out, "<h2>Whom to call a churner</h2><p>A customer with a probability of at least ");
    html_percent(out, training->evaluation.threshold, 1);
    bool profit = training->job.training.threshold->objective == OBJECTIVE_PROFIT;
    buf_format(out,
               " counts as a churner: the threshold of greatest %s, chosen inside the training "
               "part. Profit assumes a customer worth 200, a contact of 1 and an offer of 10 that "
               "three churners in ten accept, more or less: Beta(6, 14).</p><div class=\"split\">",
               profit ? "expected profit" : "F1");
    write_confusion(metric_confusion(&scores->ranking, training->evaluation.threshold), out);
    buf_string(out, "<div class=\"card\"><table>");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        double value = figures_value(&training->figures, rows[i].figure);
        buf_format(out, "<tr><td>%s</td><td class=\"number\">", rows[i].what);
        if (rows[i].percent)
            html_percent(out, value, rows[i].decimals);
        else
            html_number(out, value, rows[i].decimals);
        buf_string(out, "</td></tr>");
    }
    buf_string(out, "</table></div></div>\n");
}
