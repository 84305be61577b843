/* network.bin: the saved form of network.h. All numbers are little-endian.
 *
 *   "churnnet", then as 32-bit numbers: format 1, features, members, hidden layers, units
 *   each feature: 32-bit knots (0 or 2 and more) and flags (1: has quantiles, 2: has an input
 *     for missing values), then as 64-bit floats the knots, and the quantiles if it has them
 *   as 32-bit floats: centres and scales of all inputs, then of each layer of each member
 *     weights, output by output, and biases
 *
 * and nothing behind it. */
#include "ml/network.h"

#include <math.h>

#include "base/mem.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "network.bin is written as it lies in memory, which must be little-endian"
#endif

#define MAGIC  "churnnet"
#define FORMAT 1
/* Below what a float can hold, with room for adding up a layer. */
#define LARGEST_SUM 1e30

enum { HAS_QUANTILES = 1, HAS_INDICATOR = 2 };

/* --- writing -------------------------------------------------------------- */

static void put_word(struct buf *out, size_t value)
{
    uint32_t word = (uint32_t)value;
    buf_append(out, &word, sizeof(word));
}

void network_encode(const struct network *network, struct buf *out)
{
    const struct network_inputs *inputs = &network->inputs;
    buf_append(out, MAGIC, strlen(MAGIC));
    put_word(out, FORMAT);
    put_word(out, inputs->count);
    put_word(out, network->member_count);
    put_word(out, network->layer_count - 1);
    put_word(out, network->layers[0].out);
    for (size_t i = 0; i < inputs->count; i++) {
        const struct network_input *input = &inputs->items[i];
        bool quantiles = input->map.count > 0 && input->map.quantiles != NULL;
        put_word(out, input->map.count);
        put_word(out, (quantiles ? HAS_QUANTILES : 0) | (input->indicator ? HAS_INDICATOR : 0));
        buf_append(out, input->map.knots, input->map.count * sizeof(double));
        if (quantiles)
            buf_append(out, input->map.quantiles, input->map.count * sizeof(double));
    }
    buf_append(out, inputs->centres, inputs->width * sizeof(float));
    buf_append(out, inputs->scales, inputs->width * sizeof(float));
    for (size_t i = 0; i < network->member_count * network->layer_count; i++) {
        const struct network_layer *layer = &network->layers[i];
        buf_append(out, layer->weights, layer->in * layer->out * sizeof(float));
        buf_append(out, layer->biases, layer->out * sizeof(float));
    }
}

/* --- reading -------------------------------------------------------------- */

static int damaged(struct err *err, const char *why)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", "network.bin: %s", why);
}

/* Copies the next bytes; false when there are not as many. */
static bool take(struct span *rest, void *ret_bytes, size_t size)
{
    if (size > rest->length)
        return false;
    memcpy(ret_bytes, rest->data, size);
    *rest = (struct span){ rest->data + size, rest->length - size };
    return true;
}

/* `count` items in memory of their own; NULL when there are not as many bytes. */
static void *take_array(struct span *rest, size_t count, size_t size)
{
    if (count > rest->length / size)
        return NULL;
    void *items = mem_zero(count, size);
    if (count > 0 && !take(rest, items, count * size))
        free(TAKE(items));
    return items;
}

static bool floats_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static bool ascend(const double *values, size_t count, bool strictly)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]) ||
            (i > 0 && !(strictly ? values[i - 1] < values[i] : values[i - 1] <= values[i])))
            return false;
    }
    return true;
}

static int read_input(struct span *rest, struct network_input *input, struct err *err)
{
    uint32_t words[2]; /* knots, flags */
    if (!take(rest, words, sizeof(words)))
        return damaged(err, "it ends too early");
    if (words[0] == 1 || words[0] > QUANTILE_KNOTS + 2 || words[1] > 3 ||
        (words[0] == 0 && (words[1] & HAS_QUANTILES)))
        return damaged(err, "an input has a wrong number of knots");
    input->indicator = words[1] & HAS_INDICATOR;
    if (words[0] == 0)
        return 0;
    input->map.knots = take_array(rest, words[0], sizeof(double));
    if (input->map.knots == NULL)
        return damaged(err, "it ends too early");
    input->map.count = words[0];
    if (words[1] & HAS_QUANTILES) {
        input->map.quantiles = take_array(rest, words[0], sizeof(double));
        if (input->map.quantiles == NULL)
            return damaged(err, "it ends too early");
    }
    if (!ascend(input->map.knots, input->map.count, true) ||
        (input->map.quantiles != NULL && !ascend(input->map.quantiles, input->map.count, false)))
        return damaged(err, "knots must ascend");
    return 0;
}

static int read_inputs(struct span *rest, struct network_inputs *inputs, struct err *err)
{
    for (size_t i = 0; i < inputs->count; i++)
        if (read_input(rest, &inputs->items[i], err) < 0)
            return -1;
    if (!network_inputs_lay_out(inputs))
        return damaged(err, "it has too many inputs");
    inputs->centres = take_array(rest, inputs->width, sizeof(float));
    inputs->scales = take_array(rest, inputs->width, sizeof(float));
    if (inputs->centres == NULL || inputs->scales == NULL)
        return damaged(err, "it ends too early");
    if (!floats_finite(inputs->centres, inputs->width) ||
        !floats_finite(inputs->scales, inputs->width))
        return damaged(err, "centres and scales must be finite");
    return 0;
}

/* No sum of a layer may leave the range of floats, whatever the row. `bound`: of its inputs. */
static bool stays_finite(const struct network_layer *layer, double *bound)
{
    double largest = 0;
    for (size_t j = 0; j < layer->out; j++) {
        double sum = fabs((double)layer->biases[j]);
        for (size_t i = 0; i < layer->in; i++)
            sum += fabs((double)layer->weights[j * layer->in + i]) * *bound;
        if (!(sum < LARGEST_SUM))
            return false;
        largest = fmax(largest, sum);
    }
    *bound = largest;
    return true;
}

static int read_layers(struct span *rest, struct network *network, size_t members, size_t hidden,
                       size_t units, struct err *err)
{
    size_t numbers =
        network->inputs.width * units + units + (hidden - 1) * (units * units + units) + units + 1;
    if (rest->length != members * numbers * sizeof(float))
        return damaged(err, "its size does not fit its layers");
    network_allocate(network, members, hidden, units);
    double bound = 0;
    for (size_t i = 0; i < members * network->layer_count; i++) {
        struct network_layer *layer = &network->layers[i];
        if (!take(rest, layer->weights, layer->in * layer->out * sizeof(float)) ||
            !take(rest, layer->biases, layer->out * sizeof(float)))
            return damaged(err, "it ends too early");
        if (i % network->layer_count == 0)
            bound = (double)NETWORK_INPUT_LARGEST;
        if (!stays_finite(layer, &bound))
            return damaged(err, "weights must be finite and small enough");
    }
    network_complete(network);
    return 0;
}

int network_decode(struct span bytes, size_t columns, struct network *ret_network, struct err *err)
{
    struct {
        char magic[8];
        uint32_t format, features, members, hidden, units;
    } head;
    auto_network struct network network = { 0 };
    struct span rest = bytes;
    if (!take(&rest, &head, 28) || memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 ||
        head.format != FORMAT)
        return damaged(err, "it is no network of format 1");
    if (head.features != columns || columns > NETWORK_FEATURES)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "network.bin: %" PRIu32 " features, but the model has %zu", head.features,
                          columns);
    if (head.members < 1 || head.members > NETWORK_MEMBERS_MAXIMUM || head.hidden < 1 ||
        head.hidden > NETWORK_LAYERS_MAXIMUM || head.units < 1 ||
        head.units > NETWORK_UNITS_MAXIMUM)
        return damaged(err, "its numbers of members, layers or units are out of range");
    network.inputs.items = mem_zero(columns, sizeof(*network.inputs.items));
    network.inputs.count = columns;
    if (read_inputs(&rest, &network.inputs, err) < 0 ||
        read_layers(&rest, &network, head.members, head.hidden, head.units, err) < 0)
        return -1;
    *ret_network = network;
    network = (struct network){ 0 };
    return 0;
}
