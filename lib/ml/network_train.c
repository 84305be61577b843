#include "ml/network_train.h"

#include <math.h>

#include "base/mem.h"
#include "ml/calibrate.h"
#include "ml/metrics.h"
#include "ml/network_steps.h"

/* AdamW's usual decay of its two averages, and what keeps a step finite. */
#define FIRST_DECAY  0.9
#define SECOND_DECAY 0.999
#define STEP_FLOOR   1e-8F

#define BATCHES_FEWEST 16 /* of an epoch, unless batches were too small for statistics */
#define BATCH_SMALLEST 32

/* --- one step ------------------------------------------------------------- */

struct optimiser {
    float *first, *second; /* running means of the gradient and its square */
    double first_left, second_left;
    double steps, step; /* of the schedule; done */
};

static void optimiser_init(struct optimiser *optimiser, size_t parameters, double steps)
{
    *optimiser = (struct optimiser){ .first = mem_zero(parameters, sizeof(float)),
                                     .second = mem_zero(parameters, sizeof(float)),
                                     .first_left = 1,
                                     .second_left = 1,
                                     .steps = steps };
}

static void optimiser_release(struct optimiser *optimiser)
{
    free(optimiser->first);
    free(optimiser->second);
}
#define auto_optimiser __attribute__((cleanup(optimiser_release)))

/* The part of the highest rate: up to 1, then down to 0. */
static double rate_at(double share)
{
    if (share < NETWORK_WARM_UP)
        return share / NETWORK_WARM_UP;
    return (1 + cos(M_PI * (share - NETWORK_WARM_UP) / (1 - NETWORK_WARM_UP))) / 2;
}

static void take_step(struct optimiser *optimiser, struct learner *learner)
{
    const struct network_options *options = learner->options;
    double rate = options->learning_rate * rate_at((optimiser->step + 1) / optimiser->steps);
    optimiser->step++;
    optimiser->first_left *= FIRST_DECAY;
    optimiser->second_left *= SECOND_DECAY;
    float size = (float)(rate / (1 - optimiser->first_left));
    float second_scale = (float)(1 / (1 - optimiser->second_left));
    float keep = (float)(1 - rate * options->weight_decay);
    float *parameters = learner->parameters;
    for (size_t i = 0; i < learner->decayed; i++)
        parameters[i] *= keep;
    for (size_t i = 0; i < learner->count; i++) {
        float slope = learner->gradient[i];
        float first =
            optimiser->first[i] + (float)(1 - FIRST_DECAY) * (slope - optimiser->first[i]);
        float second = optimiser->second[i] +
                       (float)(1 - SECOND_DECAY) * (slope * slope - optimiser->second[i]);
        optimiser->first[i] = first;
        optimiser->second[i] = second;
        parameters[i] -= size * first / (sqrtf(second * second_scale) + STEP_FLOOR);
    }
}

/* --- epochs --------------------------------------------------------------- */

/* One fit of one member under way. */
struct fit {
    struct matrix train;
    const uint8_t *labels;
    struct learner learner;
    struct optimiser optimiser;
    struct random random;
    uint32_t *order;       /* of the rows in this epoch */
    uint8_t *batch_labels; /* of batch_rows */
    size_t batches, batch_rows;
};

static void fit_release(struct fit *fit)
{
    learner_release(&fit->learner);
    optimiser_release(&fit->optimiser);
    free(fit->order);
    free(fit->batch_labels);
}
#define auto_fit __attribute__((cleanup(fit_release)))

static double share_of_positives(const uint8_t *labels, size_t rows)
{
    size_t positives = 0;
    for (size_t i = 0; i < rows; i++)
        positives += labels[i];
    return ((double)positives + 0.5) / ((double)rows + 1);
}

size_t network_steps(size_t rows)
{
    size_t batch = rows / BATCHES_FEWEST;
    batch = batch < BATCH_SMALLEST ? BATCH_SMALLEST : batch > NETWORK_BATCH ? NETWORK_BATCH : batch;
    return rows / batch > 0 ? rows / batch : 1;
}

/* Batches are cut evenly, so that none is too small for statistics of its own. */
static void fit_init(struct fit *fit, const struct network_options *options,
                     const struct network_inputs *inputs, const struct features *features,
                     struct matrix train, const uint8_t *labels)
{
    *fit = (struct fit){ .train = train, .labels = labels };
    fit->batches = network_steps(train.rows);
    fit->batch_rows = train.rows / fit->batches + 1;
    fit->order = mem_zero(train.rows, sizeof(*fit->order));
    fit->batch_labels = mem_zero(fit->batch_rows, 1);
    for (uint32_t i = 0; i < train.rows; i++)
        fit->order[i] = i;
    random_seed(&fit->random, options->seed);
    learner_init(&fit->learner, options, inputs, features, fit->batch_rows,
                 share_of_positives(labels, train.rows), &fit->random);
    optimiser_init(&fit->optimiser, fit->learner.count,
                   (double)options->schedule * (double)fit->batches);
}

static void shuffle(uint32_t *order, size_t count, struct random *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, i);
        uint32_t row = order[i - 1];
        order[i - 1] = order[other];
        order[other] = row;
    }
}

/* Mean log-loss of its batches. */
static double run_epoch(struct fit *fit)
{
    double sum = 0;
    shuffle(fit->order, fit->train.rows, &fit->random);
    for (size_t i = 0; i < fit->batches; i++) {
        size_t begin = i * fit->train.rows / fit->batches;
        size_t count = (i + 1) * fit->train.rows / fit->batches - begin;
        learner_load(&fit->learner, fit->train, fit->order + begin, count);
        for (size_t k = 0; k < count; k++)
            fit->batch_labels[k] = fit->labels[fit->order[begin + k]];
        sum += learner_differentiate(&fit->learner, fit->batch_labels, count, &fit->random);
        take_step(&fit->optimiser, &fit->learner);
    }
    return sum / (double)fit->batches;
}

/* --- ensembles ------------------------------------------------------------ */

int network_fit(const struct network_options *options, const struct features *features,
                struct matrix train, const uint8_t *labels, unsigned epochs,
                struct network *ret_network, struct err *err)
{
    auto_network struct network network = { 0 };
    if (network_inputs_fit(train, features, options->encoding, &network.inputs, err) < 0)
        return -1;
    network_allocate(&network, options->members, options->hidden_layers, options->hidden_units);
    for (unsigned member = 0; member < options->members; member++) {
        struct network_options own = *options;
        own.seed += member;
        auto_fit struct fit fit;
        fit_init(&fit, &own, &network.inputs, features, train, labels);
        for (unsigned epoch = 0; epoch < epochs; epoch++) {
            if (!isfinite(run_epoch(&fit)))
                return err_reason(err, ERR_INVALID, "DataInvalid",
                                  "the network did not converge: a smaller learning_rate than %g "
                                  "is needed",
                                  options->learning_rate);
        }
        learner_fold(&fit.learner, network.layers + member * network.layer_count);
    }
    network_complete(&network);
    *ret_network = network;
    network = (struct network){ 0 };
    return 0;
}

/* --- early stopping ------------------------------------------------------- */

void network_curve_release(struct network_curve *curve)
{
    free(curve->losses);
    *curve = (struct network_curve){ 0 };
}

static double validate(struct fit *fit, struct matrix validation, const uint8_t *labels,
                       const uint32_t *rows, double *probabilities)
{
    for (size_t begin = 0; begin < validation.rows; begin += fit->batch_rows) {
        size_t left = validation.rows - begin;
        size_t count = left < fit->batch_rows ? left : fit->batch_rows;
        learner_load(&fit->learner, validation, rows + begin, count);
        learner_margins(&fit->learner, count);
        for (size_t i = 0; i < count; i++)
            probabilities[begin + i] = probability_of((double)fit->learner.margins[i]);
    }
    double loss = metric_log_loss(probabilities, labels, validation.rows);
    return isfinite(loss) ? loss : INFINITY;
}

int network_search(const struct network_options *options, const struct features *features,
                   struct matrix train, const uint8_t *labels, struct matrix validation,
                   const uint8_t *validation_labels, unsigned patience,
                   struct network_curve *ret_curve, struct err *err)
{
    auto_network struct network network = { 0 };
    if (network_inputs_fit(train, features, options->encoding, &network.inputs, err) < 0)
        return -1;
    auto_fit struct fit fit;
    fit_init(&fit, options, &network.inputs, features, train, labels);
    auto_free double *probabilities = mem_zero(validation.rows, sizeof(*probabilities));
    auto_free uint32_t *rows = mem_zero(validation.rows, sizeof(*rows));
    for (uint32_t i = 0; i < validation.rows; i++)
        rows[i] = i;
    struct network_curve curve = { .losses = mem_zero(options->schedule, sizeof(double)) };
    size_t best = 0;
    while (curve.count < options->schedule && curve.count - best <= patience) {
        double trained = run_epoch(&fit);
        double loss = validate(&fit, validation, validation_labels, rows, probabilities);
        curve.losses[curve.count] = isfinite(trained) ? loss : INFINITY;
        if (curve.losses[curve.count] < curve.losses[best])
            best = curve.count;
        curve.count++;
    }
    *ret_curve = curve;
    return 0;
}
