/* random.h - seeded, portable pseudo-random numbers.
 *
 * xoshiro256** (Blackman and Vigna, 2018) seeded through splitmix64: the same
 * seed gives the same sequence on every machine, which training depends on. Not
 * for secrets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* unbiased; bound > 0 */
double random_unit(struct random *random);                    /* [0, 1) */
