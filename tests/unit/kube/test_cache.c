/* Goal: the cache says what was put into it, whatever the order of puts and removals, and its
 * index by owner and its byte gauge agree with it.
 * Method: single properties by hand; then a long seeded random run against a plain array. */
#include "unit.h"

#include "base/random.h"
#include "kube/cache.h"

static const struct cache_entry *put(struct cache *cache, const char *name, const char *uid,
                                     const char *version, const char *owner, const char *blob)
{
    const struct cache_object object = { .namespace = "bank",
                                         .name = name,
                                         .uid = uid,
                                         .resource_version = version,
                                         .owner_uid = owner,
                                         .owner_kind = owner ? "ChurnBatch" : NULL,
                                         .owner_name = owner,
                                         .blob = span_of(blob) };
    const struct cache_entry *entry = NULL;
    struct cache_entry *old = NULL;
    struct err err = { 0 };

    if (cache_put(cache, &object, &entry, &old, &err) < 0)
        fail_msg("put %s: %s", name, err.message);
    cache_entry_free(old);
    return entry;
}

static void test_entry(void **state)
{
    struct cache *cache = cache_new();
    const struct cache_entry *entry = put(cache, "week-07", "u-1", "41", "o-1", "blob");

    (void)state;
    assert_ptr_equal(cache_get(cache, "bank", "week-07"), entry);
    assert_null(cache_get(cache, "other", "week-07"));
    assert_null(cache_get(cache, "bankweek", "-07"));
    assert_string_equal(cache_entry_namespace(entry), "bank");
    assert_string_equal(cache_entry_name(entry), "week-07");
    assert_string_equal(cache_entry_uid(entry), "u-1");
    assert_string_equal(cache_entry_resource_version(entry), "41");
    assert_string_equal(cache_entry_owner_uid(entry), "o-1");
    assert_string_equal(cache_entry_owner_kind(entry), "ChurnBatch");
    assert_string_equal(cache_entry_owner_name(entry), "o-1");
    assert_true(span_equals(cache_entry_blob(entry), "blob"));
    assert_int_equal((uintptr_t)cache_entry_blob(entry).data % _Alignof(max_align_t), 0);

    entry = put(cache, "alone", "u-2", "42", NULL, "");
    assert_string_equal(cache_entry_owner_uid(entry), "");
    assert_int_equal(cache_entry_blob(entry).length, 0);
    assert_int_equal(cache_count(cache), 2);
    cache_free(cache);
    cache_free(NULL);
}

/* A name longer than Kubernetes allows comes from a broken server: nothing changes. */
static void test_too_long(void **state)
{
    struct cache *cache = cache_new();
    char name[300];
    const struct cache_object object = {
        .namespace = "bank", .name = name, .uid = "u", .resource_version = "1"
    };
    const struct cache_entry *entry = NULL;
    struct cache_entry *old = NULL;
    struct err err = { 0 };

    (void)state;
    memset(name, 'a', sizeof(name));
    name[254] = '\0';
    assert_int_equal(cache_put(cache, &object, &entry, &old, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_non_null(strstr(err.message, "metadata.name"));
    assert_null(entry);
    assert_int_equal(cache_count(cache), 0);
    name[253] = '\0';
    assert_int_equal(cache_put(cache, &object, &entry, &old, &err), 0);
    cache_free(cache);
}

static size_t count_owned(const struct cache *cache, const char *owner)
{
    size_t count = 0;

    for (const struct cache_entry *entry = cache_first_owned(cache, owner); entry;
         entry = cache_next_owned(entry)) {
        assert_string_equal(cache_entry_owner_uid(entry), owner);
        count++;
    }
    return count;
}

static void test_owners(void **state)
{
    struct cache *cache = cache_new();

    (void)state;
    put(cache, "a", "u-a", "1", "o-1", "");
    put(cache, "b", "u-b", "2", "o-1", "");
    put(cache, "c", "u-c", "3", "o-2", "");
    put(cache, "d", "u-d", "4", NULL, "");
    assert_int_equal(count_owned(cache, "o-1"), 2);
    assert_int_equal(count_owned(cache, "o-2"), 1);
    assert_int_equal(count_owned(cache, "o-3"), 0);
    put(cache, "b", "u-b", "5", "o-2", ""); /* another owner now */
    assert_int_equal(count_owned(cache, "o-1"), 1);
    assert_int_equal(count_owned(cache, "o-2"), 2);
    cache_entry_free(cache_remove(cache, "bank", "c"));
    assert_int_equal(count_owned(cache, "o-2"), 1);
    cache_entry_free(cache_remove(cache, "bank", "b"));
    assert_int_equal(count_owned(cache, "o-2"), 0);
    assert_null(cache_remove(cache, "bank", "b"));
    cache_free(cache);
}

static void test_mark_and_sweep(void **state)
{
    struct cache *cache = cache_new();
    const struct cache_entry *entry;
    size_t cursor = 0, removed = 0;
    char name[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n-%d", i);
        put(cache, name, name, "1", NULL, "");
    }
    cache_begin(cache);
    for (int i = 0; i < 1000; i += 3) {
        snprintf(name, sizeof(name), "n-%d", i);
        if (i % 2)
            put(cache, name, name, "2", NULL, "");
        else
            cache_touch(cache, cache_get(cache, "bank", name));
    }
    while ((entry = cache_next_stale(cache, &cursor))) {
        auto_free char *stale = mem_strdup(cache_entry_name(entry));

        cache_entry_free(cache_remove(cache, "bank", stale));
        removed++;
    }
    assert_int_equal(removed, 666);
    assert_int_equal(cache_count(cache), 334);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n-%d", i);
        CASE(name, !cache_get(cache, "bank", name) == (i % 3 != 0));
    }
    cache_free(cache);
}

static void test_versions(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        { "9", "10", -1 },
        { "10", "10", 0 },
        { "11", "10", 1 },
        { "", "1", -1 },
        { "18446744073709551616", "9", 1 },
        { "18446744073709551616", "18446744073709551617", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int order = resource_version_compare(cases[i].a, cases[i].b);

        CASE(cases[i].b, (order > 0) - (order < 0) == cases[i].order);
    }
}

static void test_read_your_writes(void **state)
{
    struct cache *cache = cache_new();

    (void)state;
    assert_false(cache_is_at_least(cache, "bank", "a", "5"));
    put(cache, "a", "u-a", "9", NULL, "");
    assert_true(cache_is_at_least(cache, "bank", "a", "9"));
    assert_false(cache_is_at_least(cache, "bank", "a", "10"));
    cache_set_position(cache, "10"); /* a bookmark */
    assert_true(cache_is_at_least(cache, "bank", "a", "10"));
    assert_true(cache_is_at_least(cache, "bank", "deleted since", "10"));
    assert_false(cache_is_at_least(cache, "bank", "a", "11"));
    cache_free(cache);
}

/* 40 keys and 5 owners collide and reuse slots often. */
static void test_random_run(void **state)
{
    struct cache *cache = cache_new();
    int versions[40] = { 0 }, owners[40] = { 0 }; /* 0: not there */
    struct random random;
    char name[16], version[16], owner[16];

    (void)state;
    random_seed(&random, 7);
    for (int step = 1; step < 20000; step++) {
        size_t key = (size_t)random_below(&random, 40);

        snprintf(name, sizeof(name), "k-%zu", key);
        if (random_below(&random, 3) == 0) {
            struct cache_entry *entry = cache_remove(cache, "bank", name);

            assert_int_equal(!!entry, versions[key] != 0);
            cache_entry_free(entry);
            versions[key] = owners[key] = 0;
            continue;
        }
        versions[key] = step;
        owners[key] = (int)random_below(&random, 6);
        snprintf(version, sizeof(version), "%d", step);
        snprintf(owner, sizeof(owner), "o-%d", owners[key]);
        put(cache, name, name, version, owners[key] ? owner : NULL, version);
    }
    for (int i = 1; i < 6; i++) {
        size_t expected = 0;

        for (size_t key = 0; key < 40; key++)
            expected += versions[key] != 0 && owners[key] == i;
        snprintf(owner, sizeof(owner), "o-%d", i);
        assert_int_equal(count_owned(cache, owner), expected);
    }
    for (size_t key = 0; key < 40; key++) {
        snprintf(name, sizeof(name), "k-%zu", key);
        snprintf(version, sizeof(version), "%d", versions[key]);

        const struct cache_entry *entry = cache_get(cache, "bank", name);
        CASE(name, !!entry == (versions[key] != 0));
        CASE(name, !entry || strcmp(cache_entry_resource_version(entry), version) == 0);
    }
    cache_free(cache);
}

/* What the design promises for 20,000 objects: the gauge is below 600 bytes for each beside its
 * blob, and falls back when they are gone. */
static void test_bytes(void **state)
{
    struct cache *cache = cache_new();
    size_t empty = cache_bytes(cache), cursor = 0;
    const struct cache_entry *entry;
    char name[64], uid[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "retail-bank-week-%05d-s1a2b3c4d5", i);
        snprintf(uid, sizeof(uid), "7d0f3b1e-5a52-4c8b-9a44-%012d", i);
        put(cache, name, uid, "123456789", uid, "");
    }
    assert_true((cache_bytes(cache) - empty) / 20000 < 600);
    cache_begin(cache);
    while ((entry = cache_next_stale(cache, &cursor))) {
        snprintf(name, sizeof(name), "%s", cache_entry_name(entry));
        cache_entry_free(cache_remove(cache, "bank", name));
    }
    assert_int_equal(cache_count(cache), 0);
    assert_true(cache_bytes(cache) < empty + 20000 * 2 * 2 * sizeof(void *) * 2);
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry),      cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_owners),     cmocka_unit_test(test_mark_and_sweep),
        cmocka_unit_test(test_versions),   cmocka_unit_test(test_read_your_writes),
        cmocka_unit_test(test_random_run), cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
