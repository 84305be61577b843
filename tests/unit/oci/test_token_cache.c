/* Goal: a token serves exactly those who would get it from the realm, until it
 * expires; the cache does not grow.
 * Method: keys that differ in one member each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "oci/token_cache.h"

static const struct token_key base = { "https://r/t", "s", "c", "u", "p" };

static void test_keys(void **state)
{
    const struct token_key others[] = {
        { "https://r/u", "s", "c", "u", "p" },  { "https://r/t", "S", "c", "u", "p" },
        { "https://r/t", NULL, "c", "u", "p" }, { "https://r/t", "", "c", "u", "p" },
        { "https://r/t", "s", "d", "u", "p" },  { "https://r/t", "s", "c", "v", "p" },
        { "https://r/t", "s", "c", "u", "q" },  { "https://r/t", "s", "c", NULL, NULL },
    };
    struct token_cache cache;

    (void)state;
    token_cache_init(&cache, 4);
    token_cache_put(&cache, &base, "token", 100);
    assert_string_equal(token_cache_get(&cache, &base, 99), "token");
    assert_null(token_cache_get(&cache, &base, 100));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (token_cache_get(&cache, &others[i], 0))
            fail_msg("key %zu", i);
    token_cache_put(&cache, &base, "newer", 200);
    assert_string_equal(token_cache_get(&cache, &base, 100), "newer");
    assert_int_equal(cache.count, 1);
    token_cache_drop(&cache, &base);
    token_cache_drop(&cache, &base);
    assert_null(token_cache_get(&cache, &base, 0));
    token_cache_release(&cache);
}

/* The entry that expires first gives way. */
static void test_full(void **state)
{
    static const char *const scopes[] = { "a", "b", "c", "d" };
    static const int64_t expiry[] = { 300, 100, 200, 400 };
    struct token_cache cache;

    (void)state;
    token_cache_init(&cache, 3);
    for (size_t i = 0; i < 4; i++)
        token_cache_put(&cache, &(struct token_key){ "r", NULL, scopes[i], NULL, NULL }, scopes[i],
                        expiry[i]);
    for (size_t i = 0; i < 4; i++) {
        const char *token =
            token_cache_get(&cache, &(struct token_key){ "r", NULL, scopes[i], NULL, NULL }, 0);

        assert_int_equal(token != NULL, i != 1);
    }
    token_cache_release(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
