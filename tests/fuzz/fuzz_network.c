/* fuzz_network.c - any bytes as network.bin of a model with two features.
 * Property: what is accepted scores and explains any row without a fault, gives numbers that
 * are finite, and is written as it was. */
#include <math.h>
#include <stdint.h>

#include "base/mem.h"
#include "ml/network.h"

static void check_finite(double value)
{
    if (!isfinite(value))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_network struct network network = { 0 };
    auto_buf struct buf written = { .maximum = size + 1 };
    static const float values[] = { 0.5F, -3, NAN, 1e37F, -1e37F, 0 };
    const struct matrix matrix = { values, 3, 2 };
    double margins[3];
    float contributions[6];

    if (network_decode((struct span){ (const char *)data, size }, 2, &network, NULL) < 0)
        return 0;
    network_margins(&network, matrix, margins);
    network_contributions(&network, matrix, contributions);
    check_finite(network_base(&network));
    for (size_t i = 0; i < 3; i++)
        check_finite(margins[i]);
    network_encode(&network, &written);
    if (written.length != size || memcmp(written.data, data, size) != 0)
        abort();
    return 0;
}
