/* Goal: each verb sends what the API expects, and each answer becomes the failure that callers
 * act on; credentials are renewed once on 401.
 * Method: requests are compared as they arrive at a fake transport. */
#include "fake_transport.h"

#include "base/json.h"

static const struct kube_resource JOBS = { "batch", "v1", "jobs", "Job" };
static const struct kube_resource PODS = { "", "v1", "pods", "Pod" };
static const struct kube_resource NODES = { "", "v1", "nodes", "Node" };
static const struct kube_resource MODELS = { "churnops.io", "v1alpha1", "churnmodels",
                                             "ChurnModel" };

struct answer {
    unsigned calls;
    char name[64];
    struct err failure;
};

static void note(void *context, json_t *object, const struct err *failure)
{
    struct answer *answer = context;
    const char *name = jx_string(object, "metadata", "name", NULL);

    answer->calls++;
    snprintf(answer->name, sizeof(answer->name), "%s", name ? name : "");
    answer->failure = failure ? *failure : (struct err){ 0 };
    assert_int_equal(!object, !!failure);
}

static void test_requests(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };
    auto_json json_t *object = json_pack("{s:{s:s}}", "metadata", "name", "a");
    struct http_call *call;

    (void)state;
    fake_init(&fake);

    kube_get(fake.client, &PODS, "bank", "a b/c", note, &answer);
    call = fake_expect(&fake, "GET", "/api/v1/namespaces/bank/pods/a%20b%2Fc", "");
    assert_int_equal(call->timeout_ms, KUBE_REQUEST_TIMEOUT_MS);
    fake_answer(call, 200, "{\"metadata\":{\"name\":\"a\"}}");
    assert_string_equal(answer.name, "a");

    kube_create(fake.client, &JOBS, "bank", object, NULL, note, &answer);
    call = fake_expect(&fake, "POST", "/apis/batch/v1/namespaces/bank/jobs",
                       "fieldValidation=Strict fieldManager=test");
    assert_string_equal(call->content_type, "application/json");
    assert_string_equal(call->body, "{\"metadata\":{\"name\":\"a\"}}");
    fake_answer(call, 201, "{\"metadata\":{\"name\":\"b\"}}");
    assert_string_equal(answer.name, "b");

    kube_patch(fake.client, &MODELS, "bank", "m", "status", object, note, &answer);
    call = fake_expect(&fake, "PATCH",
                       "/apis/churnops.io/v1alpha1/namespaces/bank/churnmodels/m/status",
                       "fieldManager=test !force");
    assert_string_equal(call->content_type, "application/merge-patch+json");
    fake_answer(call, 200, "{}");

    kube_update(fake.client, &MODELS, "bank", "m", object, note, &answer);
    fake_answer(
        fake_expect(&fake, "PUT", "/apis/churnops.io/v1alpha1/namespaces/bank/churnmodels/m", ""),
        200, "{}");

    kube_list(fake.client, &PODS, NULL, "a=b,c in (d)", NULL, note, &answer);
    fake_answer(fake_expect(&fake, "GET", "/api/v1/pods", "labelSelector=a%3Db%2Cc%20in%20%28d%29"),
                200, "{\"items\":[]}");
    assert_int_equal(answer.calls, 5);
    fake_release(&fake);
}

static void keep(void *context, json_t *object, const struct err *failure)
{
    assert_null(failure);
    *(char **)context = jx_canonical(object);
}

/* The rest of an answer may be anything. */
static void test_what_is_read_of_answers(void **state)
{
    static const char job[] = "{\"kind\":\"Job\",\"metadata\":{\"managedFields\":[tru],\"name\":"
                              "\"b\",\"resourceVersion\":\"7\",\"uid\":\"u\"},\"spec\":{}}";
    static const char identity[] = "{\"kind\":\"Job\",\"metadata\":{\"name\":\"b\","
                                   "\"resourceVersion\":\"7\",\"uid\":\"u\"}}";
    static const char whole[] = "{\"metadata\":{\"managedFields\":[{}]},\"spec\":{}}";
    static const char *const suspension[] = { "items.spec.suspend", NULL };
    auto_free char *created = NULL, *held = NULL, *patched = NULL, *read = NULL, *listed = NULL;
    auto_json json_t *object = json_object();
    struct fake fake;

    (void)state;
    fake_init(&fake);
    kube_create(fake.client, &JOBS, "bank", object, kube_identity, keep, &created);
    fake_answer(fake_expect(&fake, "POST", "/apis/batch/v1/namespaces/bank/jobs", ""), 201, job);
    assert_string_equal(created, identity);
    kube_create(fake.client, &JOBS, "bank", object, NULL, keep, &held);
    fake_answer(fake_expect(&fake, "POST", "/apis/batch/v1/namespaces/bank/jobs", ""), 201, whole);
    assert_string_equal(held, whole);
    kube_patch(fake.client, &JOBS, "bank", "b", "status", object, keep, &patched);
    fake_answer(fake_expect(&fake, "PATCH", "/apis/batch/v1/namespaces/bank/jobs/b/status", ""),
                200, job);
    assert_string_equal(patched, identity);
    kube_get(fake.client, &JOBS, "bank", "b", keep, &read);
    fake_answer(fake_expect(&fake, "GET", "/apis/batch/v1/namespaces/bank/jobs/b", ""), 200, whole);
    assert_string_equal(read, whole);
    kube_list(fake.client, &JOBS, "bank", NULL, suspension, keep, &listed);
    fake_answer(fake_expect(&fake, "GET", "/apis/batch/v1/namespaces/bank/jobs", ""), 200,
                "{\"metadata\":{},\"items\":[{\"spec\":{\"suspend\":true,\"x\":tru}},{\"y\":1}]}");
    assert_string_equal(listed, "{\"items\":[{\"spec\":{\"suspend\":true}},{}]}");
    fake_release(&fake);
}

static void test_delete(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };
    const struct kube_delete_options fenced = { .uid = "u-1",
                                                .resource_version = "7",
                                                .propagation = "Background" };
    const struct kube_delete_options plain = { 0 };
    struct http_call *call;

    (void)state;
    fake_init(&fake);
    kube_delete(fake.client, &JOBS, "bank", "j", &fenced, note, &answer);
    call = fake_expect(&fake, "DELETE", "/apis/batch/v1/namespaces/bank/jobs/j", "");
    assert_string_equal(call->body,
                        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":"
                        "{\"resourceVersion\":\"7\",\"uid\":\"u-1\"},\"propagationPolicy\":"
                        "\"Background\"}");
    fake_answer(call, 200, "{}");
    kube_delete(fake.client, &JOBS, "bank", "j", &plain, note, &answer);
    call = fake_expect(&fake, "DELETE", "/apis/batch/v1/namespaces/bank/jobs/j", "");
    assert_string_equal(call->body, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\"}");
    fake_answer(call, 200, "{}");
    assert_int_equal(answer.calls, 2);
    fake_release(&fake);
}

static void test_failures(void **state)
{
    static const struct {
        int status;
        const char *reason;
        enum err_kind kind;
    } cases[] = {
        { 400, "BadRequest", ERR_INVALID },
        { 401, "Unauthorized", ERR_DENIED },
        { 403, "Forbidden", ERR_DENIED },
        { 404, "NotFound", ERR_NOT_FOUND },
        { 409, "Conflict", ERR_CONFLICT },
        { 409, "AlreadyExists", ERR_EXISTS },
        { 410, "Expired", ERR_GONE },
        { 422, "Invalid", ERR_INVALID },
        { 429, "TooManyRequests", ERR_RETRY },
        { 500, "InternalError", ERR_RETRY },
        { 503, "ServiceUnavailable", ERR_RETRY },
    };
    struct fake fake;

    (void)state;
    fake_init(&fake);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct answer answer = { 0 };

        kube_get(fake.client, &JOBS, "bank", "j", note, &answer);
        fake_refuse(fake_expect(&fake, "GET", "/apis/batch/v1/namespaces/bank/jobs/j", ""),
                    cases[i].status, cases[i].reason);
        CASE(cases[i].reason, answer.calls == 1);
        CASE(cases[i].reason, answer.failure.kind == cases[i].kind);
        CASE(cases[i].reason, answer.failure.http_status == cases[i].status);
        CASE(cases[i].reason, strcmp(answer.failure.reason, cases[i].reason) == 0);
        CASE(cases[i].reason, strncmp(answer.failure.message, "get jobs bank/j: ", 17) == 0);
    }
    fake_release(&fake);
}

static void test_transport_failures(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };

    (void)state;
    fake_init(&fake);
    kube_get(fake.client, &JOBS, "bank", "j", note, &answer);
    fake_cut(fake.calls[0]);
    assert_int_equal(answer.failure.kind, ERR_RETRY);
    assert_int_equal(answer.failure.http_status, 0);
    kube_get(fake.client, &JOBS, "bank", "j", note, &answer);
    fake_answer(fake.calls[0], 200, "<html>");
    assert_int_equal(answer.failure.kind, ERR_INVALID);
    fake_release(&fake);
}

static void test_cancel(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };
    struct kube_call *call;

    (void)state;
    fake_init(&fake);
    call = kube_get(fake.client, &JOBS, "bank", "j", note, &answer);
    kube_cancel(call);
    kube_cancel(NULL);
    assert_int_equal(fake.canceled, 1);
    kube_get(fake.client, &JOBS, "bank", "k", note, &answer); /* freed with the client */
    fake_release(&fake);
    assert_int_equal(answer.calls, 0);
}

static void write_file(const char *path, const char *text)
{
    auto_fclose FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
}

/* The kubelet replaces the token: it is read again after a minute, and at once after a 401. */
static void test_token_rotation(void **state)
{
    char path[] = "/tmp/churn-test-token-XXXXXX";
    struct fake fake;
    struct answer answer = { 0 };
    struct http_call *call;

    (void)state;
    close(mkstemp(path));
    write_file(path, "first\n");
    fake_init(&fake);
    kube_credentials_free(fake.config.credentials);
    fake.config.credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .token_file = path });

    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    write_file(path, "second\n");
    kube_get(fake.client, &NODES, NULL, "b", note, &answer);
    call = fake_expect(&fake, "GET", "/api/v1/nodes/a", "");
    assert_string_equal(call->authorization, "Bearer first");
    fake_answer(call, 200, "{}");
    call = fake_expect(&fake, "GET", "/api/v1/nodes/b", "");
    assert_string_equal(call->authorization, "Bearer first");
    fake_refuse(call, 401, "Unauthorized");
    assert_int_equal(answer.calls, 1); /* not told: tried again with what the file says now */
    call = fake_expect(&fake, "GET", "/api/v1/nodes/b", "");
    assert_string_equal(call->authorization, "Bearer second");
    fake_refuse(call, 401, "Unauthorized");
    assert_int_equal(answer.calls, 2); /* but only once */
    assert_int_equal(answer.failure.kind, ERR_DENIED);

    kube_get(fake.client, &NODES, NULL, "c", note, &answer);
    fake_answer(fake_expect(&fake, "GET", "/api/v1/nodes/c", ""), 200, "{}");
    write_file(path, "third\n");
    fake_advance(&fake, KUBE_TOKEN_FILE_AGE_MS - 1);
    kube_get(fake.client, &NODES, NULL, "d", note, &answer);
    call = fake_expect(&fake, "GET", "/api/v1/nodes/d", "");
    assert_string_equal(call->authorization, "Bearer second");
    fake_answer(call, 200, "{}");
    fake_advance(&fake, 1);
    kube_get(fake.client, &NODES, NULL, "e", note, &answer);
    call = fake_expect(&fake, "GET", "/api/v1/nodes/e", "");
    assert_string_equal(call->authorization, "Bearer third");
    fake_answer(call, 200, "{}");
    unlink(path);
    fake_release(&fake);
}

/* A token file that is away for a moment is no reason to stop: the old token does, until the
 * server says otherwise. */
static void test_token_file_away(void **state)
{
    char path[] = "/tmp/churn-test-token-XXXXXX";
    struct fake fake;
    struct answer answer = { 0 };
    struct http_call *call;

    (void)state;
    close(mkstemp(path));
    write_file(path, "first\n");
    fake_init(&fake);
    kube_credentials_free(fake.config.credentials);
    fake.config.credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .token_file = path });
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    fake_answer(fake_expect(&fake, "GET", "/api/v1/nodes/a", ""), 200, "{}");
    unlink(path);
    fake_advance(&fake, KUBE_TOKEN_FILE_AGE_MS);
    kube_get(fake.client, &NODES, NULL, "b", note, &answer);
    call = fake_expect(&fake, "GET", "/api/v1/nodes/b", "");
    assert_string_equal(call->authorization, "Bearer first");
    fake_refuse(call, 401, "Unauthorized");
    fake_advance(&fake, 0);
    assert_int_equal(answer.failure.kind, ERR_NOT_FOUND);
    assert_int_equal(fake.started, 2);
    fake_release(&fake);
}

/* Several requests get a 401 for one old token: it is renewed once for all of them. */
static void test_rejected_together(void **state)
{
    struct kube_authorization authorization;
    struct fake fake;
    struct err err;
    char path[] = "/tmp/churn-test-token-XXXXXX";

    (void)state;
    close(mkstemp(path));
    write_file(path, "first");
    fake_init(&fake);
    struct kube_credentials *credentials =
        kube_credentials_new(&(struct kube_credentials_options){ .token_file = path });
    assert_int_equal(kube_credentials_get(credentials, &fake.clock, &authorization, &err), 0);
    unsigned old = authorization.generation;

    assert_true(kube_credentials_reject(credentials, old));
    assert_int_equal(kube_credentials_get(credentials, &fake.clock, &authorization, &err), 0);
    assert_int_equal(authorization.generation, old + 1);
    assert_true(kube_credentials_reject(credentials, old));
    assert_int_equal(kube_credentials_get(credentials, &fake.clock, &authorization, &err), 0);
    assert_int_equal(authorization.generation, old + 1);
    kube_credentials_free(credentials);
    unlink(path);
    fake_release(&fake);
}

/* A credential that cannot be had fails the call, but not on the spot. */
static void test_no_credential(void **state)
{
    static const char *const contents[] = { "", "two words", "line\nbreak", NULL };
    char path[] = "/tmp/churn-test-token-XXXXXX";

    (void)state;
    close(mkstemp(path));
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        struct fake fake;
        struct answer answer = { 0 };
        const char *name = contents[i] ? contents[i] : "(no file)";

        if (contents[i])
            write_file(path, contents[i]);
        else
            unlink(path);
        fake_init(&fake);
        kube_credentials_free(fake.config.credentials);
        fake.config.credentials =
            kube_credentials_new(&(struct kube_credentials_options){ .token_file = path });
        kube_get(fake.client, &NODES, NULL, "a", note, &answer);
        CASE(name, answer.calls == 0);
        fake_advance(&fake, 0);
        CASE(name, answer.calls == 1 && fake.started == 0);
        CASE(name, answer.failure.kind == (contents[i] ? ERR_INVALID : ERR_NOT_FOUND));
        CASE(name, strstr(answer.failure.message, path));
        CASE(name, !strstr(answer.failure.message, "words"));
        fake_release(&fake);
    }
}

static void test_fixed_credentials(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };

    (void)state;
    fake_init(&fake);
    kube_credentials_free(fake.config.credentials);
    fake.config.credentials = kube_credentials_new(
        &(struct kube_credentials_options){ .username = "Aladdin", .password = "open sesame" });
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    assert_string_equal(fake.calls[0]->authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    fake_refuse(fake.calls[0], 401, "Unauthorized");
    assert_int_equal(answer.calls, 1); /* nothing to renew: told at once */
    fake_release(&fake);
}

static uint64_t counted(const struct fake *fake, const char *verb, const char *resource, int status)
{
    const struct kube_requests *requests = kube_client_requests(fake->client);

    for (size_t i = 0; i < requests->count; i++)
        if (strcmp(requests->items[i].verb, verb) == 0 &&
            strcmp(requests->items[i].resource, resource) == 0 &&
            requests->items[i].status == status)
            return requests->items[i].count;
    return 0;
}

static void test_requests_are_counted(void **state)
{
    struct fake fake;
    struct answer answer = { 0 };

    (void)state;
    fake_init(&fake);
    for (int i = 0; i < 3; i++) {
        kube_get(fake.client, &JOBS, "bank", "j", note, &answer);
        fake_answer(fake.calls[0], i == 0 ? 404 : 200, "{}");
    }
    kube_list(fake.client, &JOBS, NULL, NULL, NULL, note, &answer);
    fake_answer(fake.calls[0], 200, "{}");
    kube_get(fake.client, &PODS, "bank", "p", note, &answer);
    fake_cut(fake.calls[0]);
    kube_cancel(kube_get(fake.client, &PODS, "bank", "p", note, &answer));
    assert_int_equal(counted(&fake, "get", "jobs", 200), 2);
    assert_int_equal(counted(&fake, "get", "jobs", 404), 1);
    assert_int_equal(counted(&fake, "list", "jobs", 200), 1);
    assert_int_equal(counted(&fake, "get", "pods", 0), 2);
    assert_int_equal(kube_client_requests(fake.client)->count, 4);

    for (int status = 200; status < 200 + KUBE_REQUESTS; status++) {
        kube_get(fake.client, &NODES, NULL, "a", note, &answer);
        fake_answer(fake.calls[0], status, "{}");
    }
    assert_int_equal(kube_client_requests(fake.client)->count, KUBE_REQUESTS);
    assert_int_equal(counted(&fake, "get", "nodes", 200 + KUBE_REQUESTS - 6), 1);
    assert_int_equal(counted(&fake, "other", "other", 0), 5);
    fake_release(&fake);
}

static void keep_warning(void *context, const char *text)
{
    buf_format(context, "[%s]", text);
}

static void test_warnings(void **state)
{
    const struct http_header headers[] = { { "Warning", "299 - \"v1beta1 is deprecated\"" },
                                           { "warning", "299 - \"unknown field \\\"a\\\"\"" },
                                           { "Warning", "110 - \"stale\"" },
                                           { "Warning", "299 - broken" } };
    auto_buf struct buf heard;
    struct fake fake;
    struct answer answer = { 0 };

    (void)state;
    buf_init(&heard, 1000);
    fake_init(&fake);
    kube_client_free(fake.client);
    fake.client = kube_client_new(&(struct kube_client_options){ .transport = &fake.transport,
                                                                 .timers = &fake.timers,
                                                                 .config = &fake.config,
                                                                 .on_warning = keep_warning,
                                                                 .context = &heard });
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    fake_answer_with(fake.calls[0], 200, "{}", headers, ARRAY_SIZE(headers));
    assert_string_equal(buf_text(&heard), "[v1beta1 is deprecated][unknown field \"a\"]");
    fake_release(&fake);
}

/* The Date of a watch is as old as the watch. */
static void test_clock_skew(void **state)
{
    const struct http_header date = { "Date", "Sun, 06 Nov 1994 08:49:37 GMT" };
    const struct http_header later = { "Date", "Sun, 06 Nov 1994 09:49:37 GMT" };
    struct fake fake;
    struct answer answer = { 0 };

    (void)state;
    fake_init(&fake);
    fake.now_ms = 784111777000 + 3 * 3600 * 1000;
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    fake_answer(fake.calls[0], 404, "{}");
    assert_int_equal(kube_client_skew_ms(fake.client), 0);
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    fake_answer_with(fake.calls[0], 404, "{}", &date, 1);
    assert_int_equal(kube_client_skew_ms(fake.client), 3 * 3600 * 1000);
    kube_get(fake.client, &NODES, NULL, "a", note, &answer);
    fake_answer_with(fake.calls[0], 200, "{}", &later, 1);
    assert_int_equal(kube_client_skew_ms(fake.client), 2 * 3600 * 1000);
    fake_release(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_what_is_read_of_answers),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_transport_failures),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_token_rotation),
        cmocka_unit_test(test_token_file_away),
        cmocka_unit_test(test_rejected_together),
        cmocka_unit_test(test_no_credential),
        cmocka_unit_test(test_fixed_credentials),
        cmocka_unit_test(test_clock_skew),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_requests_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
