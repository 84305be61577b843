/* The model card of report.html: what the model is for, what it was made from, how to make
 * it again (Mitchell and others, Model Cards for Model Reporting, FAT* 2019). */
#include "trainer/report.h"

#include <math.h>

#include "trainer/html.h"

static void write_term(struct buf *out, const char *term, const char *text)
{
    buf_format(out, "<dt>%s</dt><dd><code>", term);
    html_text(out, text);
    buf_string(out, "</code></dd>");
}

static void write_sentence(struct buf *out, const char *term, const char *html)
{
    buf_format(out, "<dt>%s</dt><dd>%s</dd>", term, html);
}

static void write_names(struct buf *out, const char *term, const struct strings *names)
{
    buf_format(out, "<dt>%s</dt><dd>", term);
    if (names->count == 0)
        buf_string(out, "none");
    for (size_t i = 0; i < names->count; i++) {
        buf_string(out, i == 0 ? "<code>" : ", <code>");
        html_text(out, names->items[i]);
        buf_string(out, "</code>");
    }
    buf_string(out, "</dd>");
}

static void write_directions(struct buf *out, const struct data_spec *data)
{
    const struct column_override *columns = data->columns.items;
    size_t count = 0;
    buf_string(out, "<dt>Directions kept</dt><dd>");
    for (size_t i = 0; i < data->columns.count; i++) {
        if (columns[i].monotone == MONOTONE_FREE)
            continue;
        buf_string(out, count++ == 0 ? "<code>" : ", <code>");
        html_text(out, columns[i].name);
        buf_format(out, " = %s</code>", monotone_names[columns[i].monotone]);
    }
    buf_string(out, count == 0 ? "none asked for</dd>" : "</dd>");
}

static void write_parameters(struct buf *out, const struct training_spec *spec)
{
    buf_string(out, "<dt>Parameters</dt><dd>");
    if (spec->parameters.count == 0)
        buf_string(out, "none fixed");
    for (size_t i = 0; i < spec->parameters.count; i++) {
        buf_string(out, i == 0 ? "<code>" : ", <code>");
        html_text(out, spec->parameters.items[i].name);
        buf_string(out, " = ");
        html_text(out, spec->parameters.items[i].value);
        buf_string(out, "</code>");
    }
    buf_string(out, "</dd>");
}

static void write_purpose(const struct training *training, struct buf *out)
{
    buf_string(out, "<div class=\"card\"><h3>Purpose and limits</h3><dl>");
    write_sentence(out, "For",
                   "ranking customers by how likely they are to leave, so that people can offer "
                   "them something in time");
    write_sentence(out, "Not for",
                   "decisions that harm a customer, or customers unlike those of the history");
    write_sentence(out, "Reasons",
                   "say what moved the score of this model; they are no proof of what makes a "
                   "customer leave");
    write_names(out, "Sensitive columns", &training->job.training.data->sensitive);
    write_sentence(out, "Watch",
                   "the drift of weekly files, and the share that left of those who were scored: "
                   "when they move away from this page, train on newer data");
    buf_string(out, "</dl></div>\n");
}

static void write_data(const struct training *training, struct buf *out)
{
    const struct data_spec *data = training->job.training.data;
    const struct folds *folds = &training->folds;
    buf_string(out, "<div class=\"card\"><h3>Made from</h3><dl>");
    write_term(out, "Data", training->history.uri);
    write_term(out, "Data SHA-256", training->history.sha256);
    if (data->generation != NULL)
        write_term(out, "Data generation", data->generation);
    buf_string(out, "<dt>Customers</dt><dd>");
    html_count(out, training->table.row_count);
    buf_string(out, ", of whom ");
    html_count(out, training->table.positives);
    buf_string(out, " left; ");
    html_count(out, folds->holdout_count);
    buf_string(out, " held out");
    if (folds->copies > 0) {
        buf_string(out, ", and ");
        html_count(out, folds->copies);
        buf_string(out, " that repeat another row neither learned from nor measured");
    }
    buf_string(out, "</dd>");
    write_term(out, "Target", data->target);
    write_term(out, "Positive label", data->positive_label);
    write_term(out, "Customer id", data->id);
    write_names(out, "Dropped", &data->drop);
    buf_string(out, "</dl></div>\n");
}

static void write_recipe(const struct training *training, struct buf *out)
{
    const struct training_spec *spec = &training->job.training;
    const struct model_source *champion = training->job.champion;
    buf_string(out, "<div class=\"card\"><h3>To make it again</h3><dl>");
    write_term(out, "Version", training->final.version);
    if (training->job.run_key != NULL)
        write_term(out, "Run key", training->job.run_key);
    write_term(out, "Algorithm", algorithm_names[spec->algorithm]);
    write_parameters(out, spec);
    write_directions(out, spec->data);
    write_term(out, "Threshold by", objective_names[spec->threshold->objective]);
    buf_format(out,
               "<dt>Seed</dt><dd>%" PRId64 "</dd><dt>Hold-out</dt><dd>%s of the customers, "
               "%" PRId64 " folds for the others</dd>",
               spec->seed, spec->validation->holdout.text, spec->validation->folds);
    if (champion != NULL)
        write_term(out, "In use before", champion->version);
    write_term(out, "Trainer", "churn-trainer " CHURN_VERSION);
    buf_string(out, "</dl></div>\n");
}

void report_card(const struct training *training, struct buf *out)
{
    buf_string(out, "<h2>Model card</h2><p>The same data, settings and trainer image give the same "
                    "model, byte for byte. The image's digest is part of the run key; the resource "
                    "that asked for this training names it.</p><div class=\"stack\">\n");
    write_purpose(training, out);
    write_data(training, out);
    write_recipe(training, out);
    buf_string(out, "</div>\n");
}
