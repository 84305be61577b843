/* Goal: a version that is there already, but cannot be looked at now, is not told as another one.
 * Method: a fake cloud that has the version, and refuses to give it. */
#include "unit.h"

#include <string.h>

#include "store/fake_cloud.h"
#include "trainer/artifacts.h"

#define FOLDER   "gs://bank/models/ns.weekly/0123456789abcdef/"
#define DOCUMENT "models%2Fns.weekly%2F0123456789abcdef%2Fmodel.json"

struct server {
    unsigned looks; /* at model.json */
    int status;     /* of all answers after the first */
};

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    struct server *server = context;

    if (!strstr(request->url, DOCUMENT))
        fail_msg("not expected: %s", request->url);
    ret_reply->status = server->looks++ == 0 ? 200 : server->status;
    ret_reply->body = span_of("{\"name\":\"models/ns.weekly/0123456789abcdef/model.json\","
                              "\"size\":\"1\",\"generation\":\"1\","
                              "\"timeCreated\":\"2026-11-22T10:16:08Z\"}");
}

static void a_version_that_cannot_be_read_is_no_other_one(void **state)
{
    static const char *const emulator[] = { "STORAGE_EMULATOR_HOST", "cloud", NULL };
    static const struct {
        const char *name;
        int status;
        enum err_kind kind;
        const char *reason;
    } cases[] = {
        { "busy", 503, ERR_RETRY, "" },
        { "forbidden", 403, ERR_DENIED, "" },
        { "gone", 404, ERR_EXISTS, "OutputExists" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct server server = { .status = cases[i].status };
        struct fake_cloud cloud;
        struct err err = { 0 };

        fake_cloud_init(&cloud, serve, &server);
        cloud.variables = emulator;
        struct stores_options options = fake_cloud_options(&cloud);
        options.patience_ms = options.denied_patience_ms = -1;
        struct stores *stores auto_stores = stores_new(&options);
        struct artifacts_spec artifacts = { .uri = "gs://bank/models/" };
        struct training training = { .stores = stores,
                                     .job = { .model = "ns/weekly", .artifacts = &artifacts } };

        memcpy(training.final.version, "0123456789abcdef", sizeof("0123456789abcdef"));
        assert_int_equal(artifacts_publish(&training, "{}", "{}", &err), -1);
        CASE(cases[i].name, err.kind == cases[i].kind);
        assert_string_equal(err.reason, cases[i].reason);
        assert_non_null(strstr(err.message, FOLDER "model.json"));
        arena_release(&training.arena);
        fake_cloud_release(&cloud);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_that_cannot_be_read_is_no_other_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
