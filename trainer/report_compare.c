/* The version in use, and groups of customers, in report.html. */
#include "trainer/report.h"

#include <math.h>

#include "trainer/groups.h"
#include "trainer/html.h"

/* --- the version in use ---------------------------------------------------- */

static const struct compared {
    const char *figure, *what;
    int decimals;
    bool lower; /* is better */
} compared[] = {
    { "auc", "AUC", 4, false },
    { "pr_auc", "PR-AUC", 4, false },
    { "log_loss", "Log-loss", 4, true },
    { "brier", "Brier score", 4, true },
    { "ece", "Calibration error", 4, true },
    { "ks", "KS", 4, false },
    { "lift_at_10", "Lift at 10&nbsp;%", 2, false },
    { "f1", "F1 at its own threshold", 4, false },
    { "emp", "Expected maximum profit (EMPC)", 3, false },
};

static void write_figure(double value, int decimals, bool better, struct buf *out)
{
    buf_format(out, "<td class=\"number%s\">", better ? " better" : "");
    html_number(out, value, decimals);
    buf_string(out, "</td>");
}

static void write_compared(const struct contest *contest, const struct compared *row, bool decides,
                           struct buf *out)
{
    double challenger = figures_value(&contest->challenger, row->figure);
    double champion = figures_value(&contest->champion, row->figure);
    double gain = row->lower ? champion - challenger : challenger - champion;
    buf_format(out, "<tr%s><td>%s%s</td>", decides ? " class=\"chosen\"" : "", row->what,
               decides ? " (decides)" : "");
    write_figure(challenger, row->decimals, gain > 0, out);
    write_figure(champion, row->decimals, gain < 0, out);
    buf_string(out, "</tr>");
}

void report_champion(const struct training *training, struct buf *out)
{
    const struct contest *contest = &training->contest;
    const char *metric = promotion_metric_names[training->job.promotion->metric];
    if (contest->champion.count == 0)
        return;
    buf_string(out, "<h2>Against the version in use</h2><p>Both versions, as fitted without the "
                    "held-out customers, on the same ");
    html_count(out, contest->rows);
    buf_string(out,
               " of them. Which of them is used is decided by the rules of promotion, not here.</p>"
               "<div class=\"card scroll\"><table><tr><th></th><th class=\"number\">this "
               "version</th><th class=\"number\">in use: <code>");
    html_text(out, training->job.champion->version);
    buf_string(out, "</code></th></tr>");
    for (size_t i = 0; i < ARRAY_SIZE(compared); i++)
        write_compared(contest, &compared[i], strcmp(compared[i].figure, metric) == 0, out);
    buf_string(out, "</table></div>\n");
}

/* --- groups ---------------------------------------------------------------- */

#define STRIP_WIDTH 150.0

/* Where the scores of a group lie: a bar from the 10th to the 90th percentile with a
 * dot at the median, on a scale from 0 to 100 %, and the threshold. */
static void write_strip(const struct group *group, double threshold, struct buf *out)
{
    buf_format(out,
               "<svg class=\"strip\" viewBox=\"0 0 %.0f 18\" role=\"img\" aria-label=\"scores\">"
               "<line class=\"axis\" x1=\"0\" x2=\"%.0f\" y1=\"9\" y2=\"9\"/>"
               "<rect class=\"range\" x=\"%.1f\" y=\"5\" width=\"%.1f\" height=\"8\" rx=\"3\"/>"
               "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"18\"/>"
               "<circle class=\"dot model\" cx=\"%.1f\" cy=\"9\" r=\"4\"/></svg>",
               STRIP_WIDTH, STRIP_WIDTH, STRIP_WIDTH * group->p10,
               fmax(STRIP_WIDTH * (group->p90 - group->p10), 1), STRIP_WIDTH * threshold,
               STRIP_WIDTH * threshold, STRIP_WIDTH * group->p50);
}

static void write_share(double share, struct buf *out)
{
    buf_string(out, "<td class=\"number\">");
    html_percent(out, share, 1);
    buf_string(out, "</td>");
}

static void write_group(const struct group *group, double threshold, struct buf *out)
{
    buf_string(out, "<tr><td>");
    html_text(out, group->name);
    buf_string(out, "</td><td class=\"number\">");
    html_count(out, group->rows);
    if (group->few) {
        buf_format(out,
                   "</td><td colspan=\"8\" class=\"few\">fewer than %d held-out customers: too "
                   "few to say anything</td></tr>",
                   GROUP_ROWS_FEW);
        return;
    }
    buf_string(out, "</td><td>");
    write_strip(group, threshold, out);
    buf_string(out, "</td>");
    write_share(group->mean, out);
    write_share(group->observed, out);
    write_figure(group->ece, 3, false, out);
    write_share(group->selected, out);
    write_share(group->recall, out);
    write_share(group->false_alarms, out);
    write_figure(group->auc, 3, false, out);
    buf_string(out, "</tr>");
}

/* How far apart the groups that can be judged are. */
static void write_spread(const struct group_column *column, struct buf *out)
{
    double least = INFINITY, most = -INFINITY, least_found = INFINITY, most_found = -INFINITY;
    size_t judged = 0;
    for (size_t i = 0; i < column->count; i++) {
        const struct group *group = &column->groups[i];
        if (group->few)
            continue;
        judged++;
        least = fmin(least, group->selected);
        most = fmax(most, group->selected);
        least_found = fmin(least_found, group->recall); /* fmin ignores NAN */
        most_found = fmax(most_found, group->recall);
    }
    if (judged < 2 || most <= 0)
        return;
    buf_string(out, "<p class=\"more\">The group that is called least is called ");
    html_number(out, least / most, 2);
    buf_string(out, " times as often as the one that is called most");
    if (most_found > least_found) {
        buf_string(out, "; the share of leavers that is found differs by ");
        html_number(out, 100 * (most_found - least_found), 1);
        buf_string(out, " percentage points");
    }
    buf_string(out, ".</p>");
}

static void write_groups(const struct training *training, size_t index, struct buf *out)
{
    struct group_column column;
    groups_measure(training, index, &column);
    buf_string(out, "<div class=\"card scroll\"><h3>");
    html_text(out, column.name);
    buf_string(out, "</h3><table class=\"groups\"><tr><th>Group</th><th class=\"number\">Rows</th>"
                    "<th>Scores, 0 to 100&nbsp;%</th><th class=\"number\">Mean score</th>"
                    "<th class=\"number\">Left</th><th class=\"number\">Calibration error</th>"
                    "<th class=\"number\">Called of all</th><th class=\"number\">Called of "
                    "leavers</th><th class=\"number\">Called of stayers</th><th "
                    "class=\"number\">AUC</th></tr>");
    for (size_t i = 0; i < column.count; i++)
        write_group(&column.groups[i], training->evaluation.threshold, out);
    buf_string(out, "</table>");
    write_spread(&column, out);
    buf_string(out, "</div>\n");
}

void report_groups(const struct training *training, struct buf *out)
{
    size_t count = training->table.grouping_count;
    if (count == 0 || training->folds.holdout_count == 0)
        return;
    buf_format(
        out,
        "<h2>Groups of customers</h2><p>Held-out customers by each sensitive column. Scores: "
        "from the tenth to the ninetieth percentile, the dot is the median, the dotted line "
        "the threshold. A calibrated group has a mean score close to the share that left. "
        "Figures from fewer than %d customers who left, or who stayed, are not given. "
        "Ages and other numbers are cut into %d ranges.</p><div class=\"stack\">\n",
        GROUP_CLASS_FEW, GROUPS_RANGES);
    for (size_t i = 0; i < count; i++)
        write_groups(training, i, out);
    buf_string(out, "</div>\n");
}
