#include "ml/network.h"

#include <math.h>

#include "base/mem.h"

/* Rows, or points on the way of one row, that are computed side by side. Each keeps its own
 * order of additions, so the width of the processor's registers changes nothing. */
#define LANES (NETWORK_STEPS + 1)
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

void network_release(struct network *network)
{
    for (size_t i = 0; i < network->layer_count * network->member_count; i++) {
        free(network->layers[i].weights);
        free(network->layers[i].biases);
        free(network->layers[i].transposed);
    }
    free(network->layers);
    network_inputs_release(&network->inputs);
    *network = (struct network){ 0 };
}

void network_allocate(struct network *network, size_t members, size_t hidden_layers, size_t units)
{
    network->layer_count = hidden_layers + 1;
    network->member_count = members;
    network->layers = mem_zero(members * network->layer_count, sizeof(*network->layers));
    for (size_t i = 0; i < members * network->layer_count; i++) {
        size_t place = i % network->layer_count;
        size_t in = place == 0 ? network->inputs.width : units;
        size_t out = place == hidden_layers ? 1 : units;
        network->layers[i] = (struct network_layer){ in, out, mem_zero(in * out, sizeof(float)),
                                                     mem_zero(out, sizeof(float)), NULL };
    }
}

void network_complete(struct network *network)
{
    for (size_t i = 0; i < network->layer_count * network->member_count; i++) {
        struct network_layer *layer = &network->layers[i];
        layer->transposed = mem_zero(layer->in * layer->out, sizeof(float));
        for (size_t row = 0; row < layer->out; row++)
            for (size_t column = 0; column < layer->in; column++)
                layer->transposed[column * layer->out + row] =
                    layer->weights[row * layer->in + column];
    }
}

/* --- the kernel ----------------------------------------------------------- */

/* outputs = weights x inputs + biases (NULL: none), on all lanes. Four outputs at once share
 * what is loaded of the inputs. */
__attribute__((always_inline)) static inline void multiply_lanes(const float *weights,
                                                                 const float *biases, size_t in,
                                                                 size_t out, const lanes *inputs,
                                                                 lanes *outputs)
{
    size_t j = 0;
    for (; j + 4 <= out; j += 4) {
        const float *w0 = weights + j * in, *w1 = w0 + in, *w2 = w1 + in, *w3 = w2 + in;
        lanes a0 = { 0 }, a1 = { 0 }, a2 = { 0 }, a3 = { 0 };
        for (size_t i = 0; i < in; i++) {
            lanes x = inputs[i];
            a0 += w0[i] * x;
            a1 += w1[i] * x;
            a2 += w2[i] * x;
            a3 += w3[i] * x;
        }
        outputs[j] = a0;
        outputs[j + 1] = a1;
        outputs[j + 2] = a2;
        outputs[j + 3] = a3;
    }
    for (; j < out; j++) {
        lanes sum = { 0 };
        for (size_t i = 0; i < in; i++)
            sum += weights[j * in + i] * inputs[i];
        outputs[j] = sum;
    }
    for (j = 0; biases != NULL && j < out; j++)
        outputs[j] += biases[j];
}

static void multiply_portable(const float *weights, const float *biases, size_t in, size_t out,
                              const lanes *inputs, lanes *outputs)
{
    multiply_lanes(weights, biases, in, out, inputs, outputs);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void multiply_avx2(const float *weights, const float *biases,
                                                          size_t in, size_t out,
                                                          const lanes *inputs, lanes *outputs)
{
    multiply_lanes(weights, biases, in, out, inputs, outputs);
}
#endif

static void multiply(const struct network *network, const float *weights, const float *biases,
                     size_t in, size_t out, const lanes *inputs, lanes *outputs)
{
#ifdef __x86_64__
    if (!network->portable && __builtin_cpu_supports("avx2")) {
        multiply_avx2(weights, biases, in, out, inputs, outputs);
        return;
    }
#endif
    (void)network;
    multiply_portable(weights, biases, in, out, inputs, outputs);
}

static void rectify(const lanes *sums, size_t count, lanes *ret_outputs)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < LANES; k++)
            ret_outputs[i][k] = sums[i][k] > 0 ? sums[i][k] : 0;
}

/* --- memory --------------------------------------------------------------- */

/* What computing a block of LANES rows needs. */
struct work {
    float *row;       /* one prepared row                        */
    lanes *inputs;    /* width: prepared rows side by side       */
    lanes *slopes;    /* width: of the margin, by input          */
    lanes *first;     /* units: sums of the first layer, by row  */
    lanes *sums;      /* layer x units: on the way, before ReLU  */
    lanes *outputs;   /* layer x units: and after it             */
    lanes *gradients; /* 2 x units                               */
    lanes *means;     /* units: mean slope at the first layer, by row */
    size_t units;     /* of the widest layer                     */
};

static void work_init(struct work *work, const struct network *network)
{
    size_t units = 1, layers = network->layer_count;
    for (size_t i = 0; i < layers; i++)
        units = network->layers[i].out > units ? network->layers[i].out : units;
    *work = (struct work){ .row = mem_zero(network->inputs.width, sizeof(float)),
                           .inputs = mem_zero(network->inputs.width, sizeof(lanes)),
                           .slopes = mem_zero(network->inputs.width, sizeof(lanes)),
                           .first = mem_zero(units, sizeof(lanes)),
                           .sums = mem_zero(layers * units, sizeof(lanes)),
                           .outputs = mem_zero(layers * units, sizeof(lanes)),
                           .gradients = mem_zero(2 * units, sizeof(lanes)),
                           .means = mem_zero(units, sizeof(lanes)),
                           .units = units };
}

static void work_release(struct work *work)
{
    free(work->row);
    free(work->inputs);
    free(work->slopes);
    free(work->first);
    free(work->sums);
    free(work->outputs);
    free(work->gradients);
    free(work->means);
}
#define auto_work __attribute__((cleanup(work_release)))

/* Prepares up to LANES rows from `begin` on; further lanes are left as they are. Returns how
 * many there were. */
static size_t load_rows(const struct network *network, struct matrix matrix, size_t begin,
                        struct work *work)
{
    size_t rows = matrix.rows - begin < LANES ? matrix.rows - begin : LANES;
    for (size_t lane = 0; lane < rows; lane++) {
        network_prepare(&network->inputs, matrix.values + (begin + lane) * matrix.columns,
                        work->row);
        for (size_t i = 0; i < network->inputs.width; i++)
            work->inputs[i][lane] = work->row[i];
    }
    return rows;
}

/* --- margins -------------------------------------------------------------- */

/* From the sums of the first layer (in work->sums) to the margins of all lanes. */
static const lanes *go_up(const struct network *network, const struct network_layer *layers,
                          struct work *work)
{
    for (size_t i = 1; i < network->layer_count; i++) {
        const struct network_layer *layer = &layers[i];
        lanes *below = work->outputs + (i - 1) * work->units;
        rectify(work->sums + (i - 1) * work->units, layer->in, below);
        multiply(network, layer->weights, layer->biases, layer->in, layer->out, below,
                 work->sums + i * work->units);
    }
    return work->sums + (network->layer_count - 1) * work->units;
}

void network_margins(const struct network *network, struct matrix matrix, double *ret_margins)
{
    auto_work struct work work;
    work_init(&work, network);
    for (size_t begin = 0; begin < matrix.rows; begin += LANES) {
        size_t rows = load_rows(network, matrix, begin, &work);
        double totals[LANES] = { 0 };
        for (size_t member = 0; member < network->member_count; member++) {
            const struct network_layer *layers = network->layers + member * network->layer_count;
            multiply(network, layers->weights, layers->biases, layers->in, layers->out, work.inputs,
                     work.sums);
            const lanes *margins = go_up(network, layers, &work);
            for (size_t lane = 0; lane < rows; lane++)
                totals[lane] += (double)(*margins)[lane];
        }
        for (size_t lane = 0; lane < rows; lane++)
            ret_margins[begin + lane] = totals[lane] / (double)network->member_count;
    }
}

double network_base(const struct network *network)
{
    double total = 0;
    auto_work struct work work;
    work_init(&work, network);
    for (size_t member = 0; member < network->member_count; member++) {
        const struct network_layer *layers = network->layers + member * network->layer_count;
        for (size_t i = 0; i < layers->out; i++)
            work.sums[i] = (lanes){ 0 } + layers->biases[i];
        total += (double)(*go_up(network, layers, &work))[0];
    }
    return total / (double)network->member_count;
}

/* --- reasons -------------------------------------------------------------- */

/* Sums of the first layer at all points of one row's way: it is straight there. */
static void lay_way(const struct network_layer *first, size_t lane, struct work *work)
{
    for (size_t i = 0; i < first->out; i++) {
        float begin = first->biases[i], distance = work->first[i][lane] - begin;
        for (size_t k = 0; k < LANES; k++)
            work->sums[i][k] = begin + distance * (float)k / NETWORK_STEPS;
    }
}

/* gradients x slopes of the secants of a layer's ReLUs, part by part of the way. The last lane
 * is no begin of a part. */
static void through_relu(const lanes *sums, const lanes *outputs, size_t count, lanes *gradients)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < NETWORK_STEPS; k++) {
            float begin = sums[i][k], end = sums[i][k + 1];
            float slope = begin > 0 ? 1 : 0;
            if ((begin > 0) != (end > 0))
                slope = (outputs[i][k + 1] - outputs[i][k]) / (end - begin);
            gradients[i][k] *= slope;
        }
        gradients[i][NETWORK_STEPS] = 0;
    }
}

/* The mean slope of one member's margin along the way, at the first layer's sums. */
static void go_down(const struct network *network, const struct network_layer *layers, size_t lane,
                    struct work *work)
{
    lanes *here = work->gradients, *below = work->gradients + work->units;
    const struct network_layer *last = &layers[network->layer_count - 1];
    for (size_t i = 0; i < last->in; i++)
        here[i] = (lanes){ 0 } + last->weights[i];
    for (size_t i = network->layer_count - 1; i-- > 0;) {
        size_t place = i * work->units;
        through_relu(work->sums + place, work->outputs + place, layers[i].out, here);
        if (i == 0)
            break;
        multiply(network, layers[i].transposed, NULL, layers[i].out, layers[i].in, here, below);
        lanes *swap = here;
        here = below;
        below = swap;
    }
    for (size_t i = 0; i < layers[0].out; i++) {
        float sum = 0;
        for (size_t k = 0; k < NETWORK_STEPS; k++)
            sum += here[i][k];
        work->means[i][lane] = sum / NETWORK_STEPS;
    }
}

/* One member's slopes of up to LANES rows, by prepared input, in work->slopes. */
static void find_slopes(const struct network *network, const struct network_layer *layers,
                        size_t rows, struct work *work)
{
    multiply(network, layers->weights, layers->biases, layers->in, layers->out, work->inputs,
             work->first);
    for (size_t lane = 0; lane < rows; lane++) {
        lay_way(layers, lane, work);
        (void)go_up(network, layers, work);
        go_down(network, layers, lane, work);
    }
    multiply(network, layers->transposed, NULL, layers->out, layers->in, work->means, work->slopes);
}

void network_contributions(const struct network *network, struct matrix matrix,
                           float *ret_contributions)
{
    const struct network_inputs *inputs = &network->inputs;
    auto_work struct work work;
    work_init(&work, network);
    memset(ret_contributions, 0, matrix.rows * inputs->count * sizeof(*ret_contributions));
    for (size_t begin = 0; begin < matrix.rows; begin += LANES) {
        size_t rows = load_rows(network, matrix, begin, &work);
        for (size_t member = 0; member < network->member_count; member++) {
            find_slopes(network, network->layers + member * network->layer_count, rows, &work);
            for (size_t lane = 0; lane < rows; lane++) {
                float *line = ret_contributions + (begin + lane) * inputs->count;
                for (size_t k = 0; k < inputs->count; k++) {
                    const struct network_input *input = &inputs->items[k];
                    float sum = 0;
                    for (size_t i = input->first; i < input->first + input->width; i++)
                        sum += work.inputs[i][lane] * work.slopes[i][lane];
                    line[k] += sum / (float)network->member_count;
                }
            }
        }
    }
}
