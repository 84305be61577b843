/* Goal: a neural network that was published once scores and explains the same for ever: its files
 * are read and its figures are those of the day when it was made. Method: the version folder
 * tests/golden/network, made by churn-trainer from the sample history (8 units, two layers, two
 * members, six epochs), and figures that added up when they were written. They may differ by
 * what processors round differently. CHURN_GOLDEN_UPDATE=1 build/dev/unit/test_golden_network
 * (from the root of the repository) writes scores.json anew: old models would then score
 * differently, so that must be meant. */
#include "ml/check.h"
#include "ml/text_source.h"

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ml/model.h"

#define FOLDER    "tests/golden/network/"
#define TOLERANCE 1e-5

static void read_whole(const char *path, struct buf *text)
{
    struct err err;
    buf_init(text, 1 * MIB);
    if (file_read(path, text, &err) < 0)
        fail_msg("%s", err.message);
}

static struct span span_of_buf(const struct buf *text)
{
    return (struct span){ text->data, text->length };
}

static void load(struct model *model)
{
    struct err err;
    auto_buf struct buf document = { 0 }, weights = { 0 };
    read_whole(FOLDER MODEL_FILE, &document);
    read_whole(FOLDER "network.bin", &weights);
    if (model_parse(MODEL_FILE, span_of_buf(&document), model, &err) < 0 ||
        model_attach(model, span_of_buf(&weights), &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(model_weights_file(model), "network.bin");
    assert_int_equal(model->algorithm, MODEL_NEURAL_NETWORK);
}

/* Probability, base and the contribution of each column. */
static json_t *describe(const struct model *model, struct model_session *session,
                        const double *decoded)
{
    const struct features *features = &model->features;
    auto_free float *encoded = mem_zero(features->count, sizeof(*encoded));
    auto_free double *contributions = mem_zero(features->source_count, sizeof(*contributions));
    double probability, base;
    features_encode(features, decoded, encoded);
    model_score(session, encoded, 1, 0, &probability, NULL);
    model_contributions(session, encoded, 1, contributions, &base);
    json_t *row = json_pack("{sf sf}", "probability", probability, "base", base);
    for (size_t i = 0; i < features->source_count; i++)
        assert_int_equal(
            json_object_set_new(row, features->sources[i].name, json_real(contributions[i])), 0);
    return row;
}

/* {customer: figures} */
static json_t *score_rows(const struct model *model)
{
    struct err err = { 0 };
    struct row_fault fault;
    uint64_t unseen = 0;
    auto_buf struct buf file = { 0 };
    read_whole(FOLDER "rows.csv", &file);
    struct text_source text = { span_of_buf(&file), 0 };
    struct byte_source source = text_source(&text);
    auto_csv_reader struct csv_reader *reader = csv_reader_new("rows.csv", &source, &err);
    auto_model_session struct model_session *session = model_session_new(model, &err);
    auto_free size_t *cells = NULL;
    auto_free double *decoded = mem_zero(model->features.source_count, sizeof(*decoded));
    if (reader == NULL || session == NULL ||
        features_match(&model->features, reader, &cells, &err) < 0)
        fail_msg("%s", err.message);
    json_t *rows = json_object();
    for (;;) {
        enum csv_outcome outcome;
        struct csv_record record;
        assert_int_equal(csv_read(reader, &outcome, &record, &fault, &err), 0);
        if (outcome == CSV_END)
            return rows;
        assert_int_equal(outcome, CSV_RECORD);
        assert_true(features_decode(&model->features, cells, &record, decoded, &fault, &unseen));
        auto_free char *name = mem_strndup(record.cells[0].data, record.cells[0].length);
        assert_int_equal(json_object_set_new(rows, name, describe(model, session, decoded)), 0);
    }
}

static void compare(json_t *found, json_t *expected)
{
    const char *customer, *figure;
    json_t *figures, *value;
    assert_int_equal(json_object_size(found), json_object_size(expected));
    json_object_foreach(expected, customer, figures)
    {
        json_t *own = json_object_get(found, customer);
        assert_int_equal(json_object_size(own), json_object_size(figures));
        json_object_foreach(figures, figure, value)
        {
            double difference =
                json_real_value(json_object_get(own, figure)) - json_real_value(value);
            if (!(fabs(difference) <= TOLERANCE))
                fail_msg("%s, %s: %.9g too much", customer, figure, difference);
        }
    }
}

static void a_published_network_scores_the_same(void **state)
{
    (void)state;
    struct err err;
    auto_model struct model model = { 0 };
    load(&model);
    auto_json json_t *found = score_rows(&model);
    if (getenv("CHURN_GOLDEN_UPDATE"))
        assert_int_equal(
            json_dump_file(found, FOLDER "scores.json", JSON_INDENT(2) | JSON_REAL_PRECISION(9)),
            0);
    auto_buf struct buf text = { 0 };
    read_whole(FOLDER "scores.json", &text);
    auto_json json_t *expected = jx_parse(span_of_buf(&text), 1 * MIB, "scores.json", &err);
    assert_non_null(expected);
    compare(found, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_network_scores_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
