/* Goal: packed numbers come back exactly, and narrow ones take little. Method: columns of many
 * kinds beside a plain array of doubles. */
#include "check.h"

#include <float.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "ml/packed.h"

#define NUMBERS (3 * PACKED_BLOCK + 17)

static double age(struct random *random)
{
    return 18 + (double)random_below(random, 80);
}

static double cents(struct random *random)
{
    char text[32];
    double number;
    snprintf(text, sizeof(text), "%u.%02u", (unsigned)random_below(random, 250000),
             (unsigned)random_below(random, 100));
    assert_int_equal(num_double(span_of(text), &number, NULL), 0);
    return number;
}

static double balance_or_missing(struct random *random)
{
    return random_below(random, 3) == 0 ? NAN : -cents(random);
}

static double line(struct random *random)
{
    static double now;
    return now += 1 + (double)random_below(random, 3);
}

static double missing(struct random *random)
{
    (void)random;
    return NAN;
}

static double zeros(struct random *random)
{
    return random_below(random, 2) == 0 ? -0.0 : 0.0;
}

static double halves(struct random *random)
{
    return ldexp((double)random_below(random, 1000), -12);
}

static double fraction(struct random *random)
{
    return random_unit(random);
}

static double anything(struct random *random)
{
    static const double all[] = { 0,       -0.0,       1,          NAN,    DBL_MAX,    -DBL_MAX,
                                  DBL_MIN, 4294967294, 4294967295, 0x1p53, 0x1p53 + 2, 0.1,
                                  1e-300,  1e22,       255,        65535,  INFINITY,   -INFINITY };
    return all[random_below(random, ARRAY_SIZE(all))];
}

/* The edges of the widths: 254 and 255 above the least, with and without missing ones. */
static double up_to_254(struct random *random)
{
    return 7 + (double)random_below(random, 255);
}

static double up_to_255(struct random *random)
{
    return random_below(random, 2) == 0 ? NAN : 7 + 255 * (double)random_below(random, 2);
}

static double up_to_65535(struct random *random)
{
    return random_below(random, 2) == 0 ? NAN : 65535 * (double)random_below(random, 2);
}

static double up_to_4294967295(struct random *random)
{
    return random_below(random, 2) == 0 ? NAN : 4294967295 * (double)random_below(random, 2);
}

static const struct {
    const char *name;
    double (*next)(struct random *random);
    int kind; /* of each block; -1: any */
} columns[] = {
    { "age", age, PACKED_1 },
    { "cents", cents, PACKED_4 },
    { "balance or missing", balance_or_missing, PACKED_4 },
    { "line", line, PACKED_2 },
    { "missing", missing, PACKED_1 },
    { "zeros", zeros, PACKED_FLOAT },
    { "binary fractions", halves, PACKED_FLOAT },
    { "fractions", fraction, PACKED_DOUBLE },
    { "anything", anything, -1 },
    { "up to 254", up_to_254, PACKED_1 },
    { "up to 255", up_to_255, PACKED_2 },
    { "up to 65535", up_to_65535, PACKED_4 },
    { "up to 4294967295", up_to_4294967295, PACKED_DOUBLE },
};

static bool is_same(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static void numbers_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        struct random random;
        struct packed packed = { 0 };
        auto_free double *plain = mem_zero(NUMBERS, sizeof(*plain));
        random_seed(&random, 11 + i);
        for (size_t j = 0; j < NUMBERS; j++) {
            plain[j] = columns[i].next(&random);
            packed_add(&packed, plain[j]);
            assert_true(is_same(packed_get(&packed, j / 2), plain[j / 2]));
        }
        for (size_t j = 0; j < NUMBERS; j++)
            if (!is_same(packed_get(&packed, j), plain[j]))
                fail_msg("%s: %.17g became %.17g", columns[i].name, plain[j],
                         packed_get(&packed, j));
        for (size_t j = 0; j < packed.block_count && columns[i].kind >= 0; j++)
            if ((int)packed.blocks[j].kind != columns[i].kind)
                fail_msg("%s is packed as kind %d", columns[i].name, (int)packed.blocks[j].kind);
        packed_release(&packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numbers_come_back) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
