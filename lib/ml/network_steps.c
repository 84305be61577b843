#include "ml/network_steps.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>

#include "base/mem.h"
#include "ml/calibrate.h"

#define VARIANCE_FLOOR 1e-5F /* added to variances, as usual */
#define MOMENTUM       0.1F  /* of running means and variances */
#define WIDEST         16    /* embedding */

/* --- OpenBLAS's memory ------------------------------------------------------ */

/* Every product takes a buffer from a table of OpenBLAS's, which its serial build does not guard
 * against several threads. The linker leads its calls here (--wrap in CMakeLists.txt). */
static pthread_mutex_t buffers = PTHREAD_MUTEX_INITIALIZER;

void *__real_blas_memory_alloc(int procpos);
void __real_blas_memory_free(void *buffer);
void *__wrap_blas_memory_alloc(int procpos);
void __wrap_blas_memory_free(void *buffer);

void *__wrap_blas_memory_alloc(int procpos)
{
    pthread_mutex_lock(&buffers);
    void *buffer = __real_blas_memory_alloc(procpos);
    pthread_mutex_unlock(&buffers);
    return buffer;
}

void __wrap_blas_memory_free(void *buffer)
{
    pthread_mutex_lock(&buffers);
    __real_blas_memory_free(buffer);
    pthread_mutex_unlock(&buffers);
}

/* --- products --------------------------------------------------------------- */

/* c (rows x columns) = a b, each of them transposed first where it says so; `inner` is what
 * is summed over. A stride is the distance between lines in memory. */
struct factor {
    const float *values;
    size_t stride;
    bool transposed;
};

static void multiply(size_t rows, size_t columns, size_t inner, struct factor a, struct factor b,
                     float *c, size_t stride)
{
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)inner, 1,
                a.values, (int)a.stride, b.values, (int)b.stride, 0, c, (int)stride);
}

/* --- layout ----------------------------------------------------------------- */

/* How many inputs from `index` on are levels of one category of which there are enough. */
static size_t count_levels(const struct features *features, size_t index)
{
    if (features == NULL)
        return 0;
    const struct feature_source *source = &features->sources[features->items[index].source];
    size_t levels = source->feature_count - (source->shares != NULL ? 1 : 0);
    bool embedded = source->type == VALUE_CATEGORICAL && index == source->first_feature &&
                    levels > NETWORK_ONE_HOT;
    return embedded ? levels : 0;
}

/* Half as many dimensions as levels. */
static size_t embedding_width(size_t levels)
{
    return levels / 2 < WIDEST ? levels / 2 : WIDEST;
}

static void add_segment(struct learner *learner, size_t first, size_t count, size_t width)
{
    struct network_segment *last = &learner->segments[learner->segment_count];
    if (count == width && learner->segment_count > 0 && !last[-1].embedded) {
        last[-1].count += count;
        last[-1].width += width;
    } else {
        *last = (struct network_segment){ .first = first,
                                          .count = count,
                                          .place = learner->width,
                                          .width = width,
                                          .embedded = count != width };
        learner->segment_count++;
    }
    learner->width += width;
}

static void lay_out_segments(struct learner *learner, const struct features *features)
{
    const struct network_inputs *inputs = learner->inputs;
    learner->segments = mem_zero(inputs->count, sizeof(*learner->segments));
    for (size_t i = 0; i < inputs->count;) {
        size_t levels = count_levels(features, i), first = inputs->items[i].first;
        if (levels > 0)
            add_segment(learner, first, levels, embedding_width(levels));
        else
            add_segment(learner, first, inputs->items[i].width, inputs->items[i].width);
        i += levels > 0 ? levels : 1;
    }
}

static size_t place(size_t *end, size_t count)
{
    size_t begin = *end;
    *end += count;
    return begin;
}

/* Weights, which decay, come before gains, shifts and bias, which do not. */
static void lay_out_parameters(struct learner *learner)
{
    size_t units = learner->options->hidden_units, end = 0;
    for (size_t i = 0; i < learner->segment_count; i++) {
        struct network_segment *segment = &learner->segments[i];
        if (segment->embedded)
            segment->weights = place(&end, segment->count * segment->width);
    }
    for (size_t i = 0; i < learner->options->hidden_layers; i++) {
        learner->layers[i].in = i == 0 ? learner->width : units;
        learner->layers[i].weights = place(&end, units * learner->layers[i].in);
    }
    learner->output_weights = place(&end, units);
    learner->decayed = end;
    for (size_t i = 0; i < learner->options->hidden_layers; i++) {
        learner->layers[i].gains = place(&end, units);
        learner->layers[i].shifts = place(&end, units);
    }
    learner->output_bias = place(&end, 1);
    learner->count = end;
}

static void fill_random(float *weights, size_t count, size_t in, struct random *random)
{
    double limit = sqrt(6 / (double)in); /* He and others, ICCV 2015 */
    for (size_t i = 0; i < count; i++)
        weights[i] = (float)(limit * (2 * random_unit(random) - 1));
}

static void fill_parameters(struct learner *learner, double rate, struct random *random)
{
    size_t units = learner->options->hidden_units;
    for (size_t i = 0; i < learner->segment_count; i++) {
        const struct network_segment *segment = &learner->segments[i];
        if (segment->embedded)
            fill_random(learner->parameters + segment->weights, segment->count * segment->width,
                        segment->width, random);
    }
    for (size_t i = 0; i < learner->options->hidden_layers; i++) {
        const struct hidden_layer *layer = &learner->layers[i];
        fill_random(learner->parameters + layer->weights, units * layer->in, layer->in, random);
        for (size_t k = 0; k < units; k++) {
            learner->parameters[layer->gains + k] = 1;
            layer->variances[k] = 1;
        }
    }
    fill_random(learner->parameters + learner->output_weights, units, 4 * units, random);
    learner->parameters[learner->output_bias] = (float)log(rate / (1 - rate));
}

void learner_init(struct learner *learner, const struct network_options *options,
                  const struct network_inputs *inputs, const struct features *features,
                  size_t batch_rows, double rate, struct random *random)
{
    size_t units = options->hidden_units, values = batch_rows * units;
    *learner = (struct learner){ .options = options, .inputs = inputs };
    lay_out_segments(learner, features);
    learner->layers = mem_zero(options->hidden_layers, sizeof(*learner->layers));
    lay_out_parameters(learner);
    learner->parameters = mem_zero(learner->count, sizeof(float));
    learner->gradient = mem_zero(learner->count, sizeof(float));
    for (size_t i = 0; i < options->hidden_layers; i++) {
        struct hidden_layer *layer = &learner->layers[i];
        layer->means = mem_zero(units, sizeof(float));
        layer->variances = mem_zero(units, sizeof(float));
        layer->inverse = mem_zero(units, sizeof(float));
        layer->normal = mem_zero(values, sizeof(float));
        layer->kept = mem_zero(values, sizeof(float));
        layer->outputs = mem_zero(values, sizeof(float));
        layer->gradients = mem_zero(values, sizeof(float));
    }
    learner->prepared = mem_zero(batch_rows * inputs->width, sizeof(float));
    learner->embedded = mem_zero(batch_rows * learner->width, sizeof(float));
    learner->embedded_gradient = mem_zero(batch_rows * learner->width, sizeof(float));
    learner->margins = mem_zero(batch_rows, sizeof(float));
    learner->margin_gradient = mem_zero(batch_rows, sizeof(float));
    fill_parameters(learner, rate, random);
}

void learner_release(struct learner *learner)
{
    for (size_t i = 0; learner->layers != NULL && i < learner->options->hidden_layers; i++) {
        struct hidden_layer *layer = &learner->layers[i];
        float *const memory[] = { layer->means, layer->variances, layer->inverse,  layer->normal,
                                  layer->kept,  layer->outputs,   layer->gradients };
        for (size_t k = 0; k < ARRAY_SIZE(memory); k++)
            free(memory[k]);
    }
    float *const memory[] = { learner->parameters,        learner->gradient,
                              learner->prepared,          learner->embedded,
                              learner->embedded_gradient, learner->margins,
                              learner->margin_gradient };
    for (size_t k = 0; k < ARRAY_SIZE(memory); k++)
        free(memory[k]);
    free(learner->segments);
    free(learner->layers);
    *learner = (struct learner){ 0 };
}

/* --- forward ---------------------------------------------------------------- */

void learner_load(struct learner *learner, struct matrix matrix, const uint32_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        network_prepare(learner->inputs, matrix.values + rows[i] * matrix.columns,
                        learner->prepared + i * learner->inputs->width);
}

static void embed(struct learner *learner, size_t count)
{
    size_t from = learner->inputs->width, to = learner->width;
    for (size_t k = 0; k < learner->segment_count; k++) {
        const struct network_segment *segment = &learner->segments[k];
        const float *inputs = learner->prepared + segment->first;
        float *outputs = learner->embedded + segment->place;
        if (segment->embedded)
            multiply(
                count, segment->width, segment->count, (struct factor){ inputs, from, false },
                (struct factor){ learner->parameters + segment->weights, segment->width, false },
                outputs, to);
        else
            for (size_t row = 0; row < count; row++)
                memcpy(outputs + row * to, inputs + row * from, segment->width * sizeof(float));
    }
}

/* layer->normal = weights x what lies below, still to be normalised. */
static void sum_up(struct learner *learner, const struct hidden_layer *layer, const float *below,
                   size_t count)
{
    multiply(count, learner->options->hidden_units, layer->in,
             (struct factor){ below, layer->in, false },
             (struct factor){ learner->parameters + layer->weights, layer->in, true },
             layer->normal, learner->options->hidden_units);
}

/* Means and variances of the batch, which also move the running ones. */
static void measure(const struct hidden_layer *layer, size_t units, size_t count, float *means,
                    float *variances)
{
    memset(means, 0, units * sizeof(*means));
    memset(variances, 0, units * sizeof(*variances));
    for (size_t row = 0; row < count; row++)
        for (size_t k = 0; k < units; k++)
            means[k] += layer->normal[row * units + k];
    for (size_t k = 0; k < units; k++)
        means[k] /= (float)count;
    for (size_t row = 0; row < count; row++) {
        for (size_t k = 0; k < units; k++) {
            float distance = layer->normal[row * units + k] - means[k];
            variances[k] += distance * distance;
        }
    }
    for (size_t k = 0; k < units; k++) {
        variances[k] /= (float)count;
        layer->means[k] += MOMENTUM * (means[k] - layer->means[k]);
        layer->variances[k] += MOMENTUM * (variances[k] - layer->variances[k]);
    }
}

static void normalise(const struct hidden_layer *layer, size_t units, size_t count,
                      const float *means, const float *variances)
{
    for (size_t k = 0; k < units; k++)
        layer->inverse[k] = 1 / sqrtf(variances[k] + VARIANCE_FLOOR);
    for (size_t row = 0; row < count; row++) {
        float *normal = layer->normal + row * units;
        for (size_t k = 0; k < units; k++)
            normal[k] = (normal[k] - means[k]) * layer->inverse[k];
    }
}

/* Gains, shifts and ReLU; what is not kept is 0. kept NULL: all of it. */
static void activate(const struct learner *learner, const struct hidden_layer *layer, size_t count,
                     const float *kept)
{
    size_t units = learner->options->hidden_units;
    const float *gains = learner->parameters + layer->gains;
    const float *shifts = learner->parameters + layer->shifts;
    for (size_t row = 0; row < count; row++) {
        const float *normal = layer->normal + row * units;
        float *outputs = layer->outputs + row * units;
        for (size_t k = 0; k < units; k++) {
            float sum = gains[k] * normal[k] + shifts[k];
            outputs[k] = sum > 0 ? sum : 0;
        }
    }
    for (size_t i = 0; kept != NULL && i < count * units; i++)
        layer->outputs[i] *= kept[i];
}

/* Sixteen bits decide about one unit of one row. */
static void draw_kept(const struct hidden_layer *layer, size_t count, double dropout,
                      struct random *random)
{
    uint64_t bits = 0, limit = (uint64_t)(dropout * 65536);
    float scale = (float)(1 / (1 - dropout));
    for (size_t i = 0; i < count; i++, bits >>= 16) {
        if (i % 4 == 0)
            bits = random_next(random);
        layer->kept[i] = (bits & 0xFFFF) < limit ? 0 : scale;
    }
}

static void finish(struct learner *learner, const float *below, size_t count)
{
    size_t units = learner->options->hidden_units;
    multiply(count, 1, units, (struct factor){ below, units, false },
             (struct factor){ learner->parameters + learner->output_weights, units, true },
             learner->margins, 1);
    for (size_t row = 0; row < count; row++)
        learner->margins[row] += learner->parameters[learner->output_bias];
}

void learner_margins(struct learner *learner, size_t count)
{
    const float *below = learner->embedded;
    embed(learner, count);
    for (size_t i = 0; i < learner->options->hidden_layers; i++) {
        const struct hidden_layer *layer = &learner->layers[i];
        sum_up(learner, layer, below, count);
        normalise(layer, learner->options->hidden_units, count, layer->means, layer->variances);
        activate(learner, layer, count, NULL);
        below = layer->outputs;
    }
    finish(learner, below, count);
}

static void go_forward(struct learner *learner, size_t count, struct random *random)
{
    size_t units = learner->options->hidden_units;
    double dropout = learner->options->dropout;
    auto_free float *memory = mem_zero(2 * units, sizeof(*memory));
    const float *below = learner->embedded;
    embed(learner, count);
    for (size_t i = 0; i < learner->options->hidden_layers; i++) {
        const struct hidden_layer *layer = &learner->layers[i];
        sum_up(learner, layer, below, count);
        measure(layer, units, count, memory, memory + units);
        normalise(layer, units, count, memory, memory + units);
        if (dropout > 0)
            draw_kept(layer, count * units, dropout, random);
        activate(learner, layer, count, dropout > 0 ? layer->kept : NULL);
        below = layer->outputs;
    }
    finish(learner, below, count);
}

/* --- backward --------------------------------------------------------------- */

static double start_back(struct learner *learner, const uint8_t *labels, size_t count)
{
    double sum = 0;
    float *bias = learner->gradient + learner->output_bias;
    *bias = 0;
    for (size_t row = 0; row < count; row++) {
        double margin = (double)learner->margins[row];
        sum += log1p(exp(-fabs(margin))) + fmax(margin, 0) - (labels[row] ? margin : 0);
        learner->margin_gradient[row] =
            (float)((probability_of(margin) - (labels[row] ? 1 : 0)) / (double)count);
        *bias += learner->margin_gradient[row];
    }
    return sum / (double)count;
}

/* From the gradient by a layer's outputs to that by its sums (both in layer->gradients), by
 * its gains and by its shifts. */
static void back_through(struct learner *learner, const struct hidden_layer *layer, size_t count)
{
    size_t units = learner->options->hidden_units;
    const float *gains = learner->parameters + layer->gains;
    float *by_gains = learner->gradient + layer->gains;
    float *by_shifts = learner->gradient + layer->shifts;
    memset(by_gains, 0, units * sizeof(float));
    memset(by_shifts, 0, units * sizeof(float));
    for (size_t i = 0; learner->options->dropout > 0 && i < count * units; i++)
        layer->gradients[i] *= layer->kept[i];
    for (size_t row = 0; row < count; row++) {
        const float *outputs = layer->outputs + row * units, *normal = layer->normal + row * units;
        float *gradients = layer->gradients + row * units;
        for (size_t k = 0; k < units; k++) {
            gradients[k] = outputs[k] > 0 ? gradients[k] : 0;
            by_shifts[k] += gradients[k];
            by_gains[k] += gradients[k] * normal[k];
        }
    }
    for (size_t row = 0; row < count; row++) {
        const float *normal = layer->normal + row * units;
        float *gradients = layer->gradients + row * units;
        for (size_t k = 0; k < units; k++)
            gradients[k] = gains[k] * layer->inverse[k] *
                           (gradients[k] - (by_shifts[k] + normal[k] * by_gains[k]) / (float)count);
    }
}

static void back_through_embeddings(struct learner *learner, size_t count)
{
    for (size_t i = 0; i < learner->segment_count; i++) {
        const struct network_segment *segment = &learner->segments[i];
        if (segment->embedded)
            multiply(
                segment->count, segment->width, count,
                (struct factor){ learner->prepared + segment->first, learner->inputs->width, true },
                (struct factor){ learner->embedded_gradient + segment->place, learner->width,
                                 false },
                learner->gradient + segment->weights, segment->width);
    }
}

static void go_back(struct learner *learner, size_t count)
{
    size_t units = learner->options->hidden_units, layers = learner->options->hidden_layers;
    struct factor margins = { learner->margin_gradient, 1, false };
    const struct hidden_layer *last = &learner->layers[layers - 1];
    multiply(1, units, count, (struct factor){ learner->margin_gradient, 1, true },
             (struct factor){ last->outputs, units, false },
             learner->gradient + learner->output_weights, units);
    multiply(count, units, 1, margins,
             (struct factor){ learner->parameters + learner->output_weights, units, false },
             last->gradients, units);
    for (size_t i = layers; i-- > 0;) {
        const struct hidden_layer *layer = &learner->layers[i];
        const float *below = i == 0 ? learner->embedded : learner->layers[i - 1].outputs;
        back_through(learner, layer, count);
        multiply(units, layer->in, count, (struct factor){ layer->gradients, units, true },
                 (struct factor){ below, layer->in, false }, learner->gradient + layer->weights,
                 layer->in);
        multiply(count, layer->in, units, (struct factor){ layer->gradients, units, false },
                 (struct factor){ learner->parameters + layer->weights, layer->in, false },
                 i == 0 ? learner->embedded_gradient : learner->layers[i - 1].gradients, layer->in);
    }
    back_through_embeddings(learner, count);
}

double learner_differentiate(struct learner *learner, const uint8_t *labels, size_t count,
                             struct random *random)
{
    go_forward(learner, count, random);
    double loss = start_back(learner, labels, count);
    go_back(learner, count);
    return loss;
}

/* --- folding ---------------------------------------------------------------- */

/* units x inputs->width from units x embedded width. */
static void fold_embeddings(const struct learner *learner, const float *weights, float *ret_weights)
{
    size_t units = learner->options->hidden_units, to = learner->inputs->width;
    for (size_t i = 0; i < learner->segment_count; i++) {
        const struct network_segment *segment = &learner->segments[i];
        const float *from = weights + segment->place;
        if (segment->embedded)
            multiply(
                units, segment->count, segment->width,
                (struct factor){ from, learner->width, false },
                (struct factor){ learner->parameters + segment->weights, segment->width, true },
                ret_weights + segment->first, to);
        else
            for (size_t row = 0; row < units; row++)
                memcpy(ret_weights + row * to + segment->first, from + row * learner->width,
                       segment->width * sizeof(float));
    }
}

void learner_fold(const struct learner *learner, struct network_layer *layers)
{
    size_t units = learner->options->hidden_units, hidden = learner->options->hidden_layers;
    for (size_t i = 0; i < hidden; i++) {
        const struct hidden_layer *layer = &learner->layers[i];
        const float *weights = learner->parameters + layer->weights;
        if (i == 0)
            fold_embeddings(learner, weights, layers[0].weights);
        else
            memcpy(layers[i].weights, weights, units * units * sizeof(float));
        for (size_t k = 0; k < units; k++) {
            float gain =
                learner->parameters[layer->gains + k] / sqrtf(layer->variances[k] + VARIANCE_FLOOR);
            layers[i].biases[k] = learner->parameters[layer->shifts + k] - layer->means[k] * gain;
            for (size_t j = 0; j < layers[i].in; j++)
                layers[i].weights[k * layers[i].in + j] *= gain;
        }
    }
    memcpy(layers[hidden].weights, learner->parameters + learner->output_weights,
           units * sizeof(float));
    layers[hidden].biases[0] = learner->parameters[learner->output_bias];
}
