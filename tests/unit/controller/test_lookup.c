/* Goal: the controller looks only where it was told to, for whom it was told to. */
#include "unit.h"

#include "lookup.h"

static void places_are_those_of_the_options(void **state)
{
    static const char *roots[] = { "/data" };
    static const char *allowed[] = { "s3://bank/weekly/", "gs://teams/a=b/=risk" };
    static const struct settings settings = { .file_roots = { roots, 1 },
                                              .allowed_uris = { allowed, 2 } };
    static const struct {
        const char *namespace, *uri;
        bool visible;
    } cases[] = {
        { "any", "file:///data/in/", true },
        { "any", "file:///database/in/", false },
        { "any", "s3://bank/weekly/", true },
        { "any", "s3://bank/weekly/deep/w.csv", true },
        { "any", "s3://bank/weekly-other/w.csv", false },
        { "any", "gs://bank/weekly/w.csv", false },
        { "risk", "gs://teams/a=b/w.csv", true },
        { "any", "gs://teams/a=b/w.csv", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct object_view view = { .metadata.namespace_ = cases[i].namespace,
                                          .settings = &settings };
        CASE(cases[i].uri, lookup_is_visible(&view, cases[i].uri, NULL) == cases[i].visible);
    }
}

static void allowed_places_are_folders_in_buckets(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        { "s3://bank/", true },          { "gs://bank/weekly/=team-a", true },
        { "s3://bank/weekly", false },   { "s3://bank", false },
        { "file:///data/", false },      { "s3://bank/weekly/=Not_A_Label", false },
        { "s3://bank/weekly/=", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        CASE(cases[i].text, (lookup_check_allowed(cases[i].text, &err) == 0) == cases[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_those_of_the_options),
        cmocka_unit_test(allowed_places_are_folders_in_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
