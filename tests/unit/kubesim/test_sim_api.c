/* Goal: writes obey the rules of the Kubernetes API: preconditions, generation, /status,
 * validation, deletion with finalizers, ownership, namespaces, definitions, paging. Method:
 * requests as clients send them; answers by status, reason and message. */
#include "bench.h"

#define CRDS    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WIDGETS "/apis/example.io/v1/namespaces/default/widgets"
#define MAPS    "/api/v1/namespaces/default/configmaps"

#define CRD                                                                                        \
    "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"                   \
    "'metadata':{'name':'widgets.example.io'},'spec':{'group':'example.io','scope':'Namespaced',"  \
    "'names':{'plural':'widgets','kind':'Widget'},'versions':[{'name':'v1','served':true,"         \
    "'storage':true,'subresources':{'status':{}},'schema':{'openAPIV3Schema':{'type':'object',"    \
    "'required':['spec'],'properties':{'spec':{'type':'object','required':['size'],'properties':{" \
    "'size':{'type':'integer','minimum':1},'mode':{'type':'string','default':'A'}}},"              \
    "'status':{'type':'object','properties':{'count':{'type':'integer'}}}}}}}]}}"

#define WIDGET(name, rest)                                                                         \
    "{'apiVersion':'example.io/v1','kind':'Widget','metadata':{'name':'" name "'}," rest "}"
#define MAP(name, metadata)                                                                        \
    "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name "'" metadata "}}"

static struct bench *begin(void)
{
    struct bench *bench = bench_new(0);
    assert_int_equal(bench_ask(bench, "POST", CRDS, CRD), 201);
    return bench;
}

static void definitions_are_established(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_true(object_condition_is(bench->answer, "Established", "True"));
    assert_int_equal(bench_ask(bench, "GET", "/apis/example.io/v1", NULL), 200);
    const json_t *first = json_array_get(jx_get(bench->answer, "resources", NULL), 0);
    assert_string_equal(jx_string(first, "name", NULL), "widgets");
    assert_int_equal(bench_ask(bench, "POST", WIDGETS, WIDGET("a", "'spec':{'size':1}")), 201);
    assert_int_equal(bench_ask(bench, "DELETE", CRDS "/widgets.example.io", NULL), 200);
    assert_int_equal(bench_ask(bench, "GET", WIDGETS "/a", NULL), 404);
    assert_int_equal(bench_ask(bench, "GET", CRDS "/widgets.example.io", NULL), 404);
    bench_free(bench);
}

static void refuses_with_known_words(void **state)
{
    static const struct {
        const char *name, *method, *target, *body;
        int status;
        const char *reason, *message;
    } cases[] = {
        { "required", "POST", WIDGETS, WIDGET("b", "'spec':{}"), 422, "Invalid",
          "Widget.example.io \"b\" is invalid: spec.size: Required value" },
        { "strict", "POST", WIDGETS "?fieldValidation=Strict",
          WIDGET("b", "'spec':{'size':1,'sise':2}"), 400, "BadRequest",
          "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown "
          "field \"spec.sise\"" },
        { "name", "POST", WIDGETS, WIDGET("B_b", "'spec':{'size':1}"), 422, "Invalid",
          "Widget.example.io \"B_b\" is invalid: metadata.name: Invalid value: \"B_b\": a "
          "lowercase "
          "RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
          "must start and end with an alphanumeric character" },
        { "exists", "POST", WIDGETS, WIDGET("a", "'spec':{'size':1}"), 409, "AlreadyExists",
          "widgets.example.io \"a\" already exists" },
        { "namespace", "POST", "/apis/example.io/v1/namespaces/nope/widgets",
          WIDGET("b", "'spec':{'size':1}"), 404, "NotFound", "namespaces \"nope\" not found" },
        { "not found", "GET", WIDGETS "/b", NULL, 404, "NotFound",
          "widgets.example.io \"b\" not found" },
        { "conflict", "PATCH", WIDGETS "/a",
          "{'metadata':{'resourceVersion':'1'},'spec':{'size':9}}", 409, "Conflict",
          "Operation cannot be fulfilled on widgets.example.io \"a\": the object has been "
          "modified; "
          "please apply your changes to the latest version and try again" },
        { "uid", "PATCH", WIDGETS "/a", "{'metadata':{'uid':'x'},'spec':{'size':9}}", 422,
          "Invalid",
          "Widget.example.io \"a\" is invalid: metadata.uid: Invalid value: \"x\": field is "
          "immutable" },
        { "put without version", "PUT", WIDGETS "/a", WIDGET("a", "'spec':{'size':2}"), 422,
          "Invalid",
          "Widget.example.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must "
          "be "
          "specified for an update" },
        { "delete uid", "DELETE", WIDGETS "/a", "{'preconditions':{'uid':'x'}}", 409, "Conflict",
          NULL },
        { "kind", "POST", WIDGETS, MAP("b", ""), 400, "BadRequest", NULL },
        { "broken", "POST", WIDGETS, "{", 400, "BadRequest", NULL },
        { "dry run", "PATCH", WIDGETS "/a?dryRun=All", "{'spec':{'size':9}}", 400, "BadRequest",
          "kubesim has no dry run" },
        { "resource", "GET", "/apis/example.io/v1/namespaces/default/gadgets", NULL, 404,
          "NotFound", "the server could not find the requested resource" },
        { "future", "GET", WIDGETS "?resourceVersion=999999", NULL, 504, "Timeout", NULL },
        { "selector", "GET", WIDGETS "?labelSelector=,,", NULL, 400, "BadRequest", NULL },
        { "continue", "GET", WIDGETS "?continue=77-1", NULL, 410, "Expired", NULL },
    };
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", WIDGETS, WIDGET("a", "'spec':{'size':1}")), 201);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = bench_ask(bench, cases[i].method, cases[i].target, cases[i].body);
        CASE(cases[i].name, status == cases[i].status);
        CASE(cases[i].name, strcmp(BENCH_TEXT(bench, "reason"), cases[i].reason) == 0);
        if (cases[i].message)
            assert_string_equal(BENCH_TEXT(bench, "message"), cases[i].message);
    }
    assert_int_equal(bench_ask(bench, "GET", WIDGETS "/a", NULL), 200);
    assert_int_equal(jx_int(jx_get(bench->answer, "spec", NULL), "size", 0), 1);
    bench_free(bench);
}

static void generation_follows_intent(void **state)
{
    static const struct {
        const char *name, *target, *patch;
        int64_t generation;
        bool written; /* a new resourceVersion */
    } cases[] = {
        { "nothing", WIDGETS "/a", "{}", 1, false },
        { "same", WIDGETS "/a", "{'spec':{'size':1}}", 1, false },
        { "label", WIDGETS "/a", "{'metadata':{'labels':{'a':'b'}}}", 1, true },
        { "spec", WIDGETS "/a", "{'spec':{'size':2}}", 2, true },
        { "status through the main end point", WIDGETS "/a", "{'status':{'count':1}}", 2, false },
        { "status", WIDGETS "/a/status", "{'status':{'count':1}}", 2, true },
        { "spec through status", WIDGETS "/a/status", "{'spec':{'size':3}}", 2, false },
        { "own generation", WIDGETS "/a", "{'metadata':{'generation':9}}", 2, false },
        { "removed default", WIDGETS "/a", "{'spec':{'mode':null}}", 2, false },
    };
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", WIDGETS, WIDGET("a", "'spec':{'size':1}")), 201);
    assert_string_equal(BENCH_TEXT(bench, "spec", "mode"), "A");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t before = bench->cluster.store.revision;
        CASE(cases[i].name, bench_ask(bench, "PATCH", cases[i].target, cases[i].patch) == 200);
        CASE(cases[i].name, bench_ask(bench, "GET", WIDGETS "/a", NULL) == 200);
        CASE(cases[i].name, jx_int(jx_get(bench->answer, "metadata", NULL), "generation", 0) ==
                                cases[i].generation);
        CASE(cases[i].name, (bench->cluster.store.revision != before) == cases[i].written);
    }
    assert_int_equal(jx_int(jx_get(bench->answer, "status", NULL), "count", 0), 1);
    bench_free(bench);
}

static void finalizers_hold(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", MAPS, MAP("a", ",'finalizers':['x/y']")), 201);
    assert_int_equal(bench_ask(bench, "DELETE", MAPS "/a", NULL), 200);
    assert_string_not_equal(BENCH_TEXT(bench, "metadata", "deletionTimestamp"), "");
    assert_int_equal(bench_ask(bench, "PATCH", MAPS "/a", "{'metadata':{'finalizers':null}}"), 200);
    assert_int_equal(bench_ask(bench, "GET", MAPS "/a", NULL), 404);
    bench_free(bench);
}

static int make_owned(struct bench *bench, const char *name, const char *owner_uid)
{
    char *body = arena_format(&bench->arena,
                              MAP("%s", ",'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap',"
                                        "'name':'owner','uid':'%s','blockOwnerDeletion':true}]"),
                              name, owner_uid);
    return bench_ask(bench, "POST", MAPS, body);
}

static void dependents_follow_their_owner(void **state)
{
    static const struct {
        const char *name, *options;
        int child, owner; /* status of a GET afterwards */
    } cases[] = {
        { "background", "{'propagationPolicy':'Background'}", 404, 404 },
        { "default", "", 404, 404 },
        { "foreground", "{'propagationPolicy':'Foreground'}", 404, 404 },
        { "orphan", "{'propagationPolicy':'Orphan'}", 200, 404 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *bench = begin();
        assert_int_equal(bench_ask(bench, "POST", MAPS, MAP("owner", "")), 201);
        char *uid = arena_strdup(&bench->arena, BENCH_TEXT(bench, "metadata", "uid"));
        CASE(cases[i].name, make_owned(bench, "child", uid) == 201);
        CASE(cases[i].name, bench_ask(bench, "GET", MAPS "/child", NULL) == 200);
        CASE(cases[i].name, bench_ask(bench, "DELETE", MAPS "/owner", cases[i].options) == 200);
        CASE(cases[i].name, bench_ask(bench, "GET", MAPS "/owner", NULL) == cases[i].owner);
        CASE(cases[i].name, bench_ask(bench, "GET", MAPS "/child", NULL) == cases[i].child);
        CASE(cases[i].name, make_owned(bench, "late", uid) == 201);
        CASE(cases[i].name, bench_ask(bench, "GET", MAPS "/late", NULL) == 404);
        bench_free(bench);
    }
}

static void namespaces_take_their_contents(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", "/api/v1/namespaces",
                               "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n'}}"),
                     201);
    assert_int_equal(bench_ask(bench, "POST", "/api/v1/namespaces/n/configmaps",
                               MAP("held", ",'finalizers':['x/y']")),
                     201);
    assert_int_equal(bench_ask(bench, "DELETE", "/api/v1/namespaces/n", NULL), 200);
    assert_int_equal(bench_ask(bench, "GET", "/api/v1/namespaces/n", NULL), 200);
    assert_string_equal(BENCH_TEXT(bench, "status", "phase"), "Terminating");
    assert_int_equal(bench_ask(bench, "POST", "/api/v1/namespaces/n/configmaps", MAP("b", "")),
                     403);
    assert_int_equal(bench_ask(bench, "PATCH", "/api/v1/namespaces/n/configmaps/held",
                               "{'metadata':{'finalizers':null}}"),
                     200);
    assert_int_equal(bench_ask(bench, "GET", "/api/v1/namespaces/n", NULL), 404);
    bench_free(bench);
}

static size_t items(const struct bench *bench)
{
    return json_array_size(jx_get(bench->answer, "items", NULL));
}

static void pages_show_one_moment(void **state)
{
    struct bench *bench = begin();
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            bench_ask(bench, "POST", MAPS, arena_format(&bench->arena, MAP("m%d", ""), i)), 201);
    assert_int_equal(bench_ask(bench, "GET", MAPS "?limit=2", NULL), 200);
    assert_int_equal(items(bench), 2);
    char *revision = arena_strdup(&bench->arena, BENCH_TEXT(bench, "metadata", "resourceVersion"));
    char *next = arena_format(&bench->arena, MAPS "?limit=3&continue=%s",
                              BENCH_TEXT(bench, "metadata", "continue"));
    assert_int_equal(bench_ask(bench, "DELETE", MAPS "/m4", NULL), 200);
    assert_int_equal(bench_ask(bench, "POST", MAPS, MAP("m5", "")), 201);
    assert_int_equal(bench_ask(bench, "GET", next, NULL), 200);
    assert_int_equal(items(bench), 3);
    assert_string_equal(BENCH_TEXT(bench, "metadata", "resourceVersion"), revision);
    assert_string_equal(BENCH_TEXT(bench, "metadata", "continue"), "");
    const json_t *last = json_array_get(jx_get(bench->answer, "items", NULL), 2);
    assert_string_equal(jx_string(last, "metadata", "name", NULL), "m4");
    bench_free(bench);
}

static void events_have_two_spellings(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(
        bench_ask(bench, "POST", "/apis/events.k8s.io/v1/namespaces/default/events",
                  "{'apiVersion':'events.k8s.io/v1','kind':'Event','metadata':{'name':'e'},"
                  "'reason':'R','note':'text','regarding':{'kind':'Widget','name':'a'}}"),
        201);
    assert_string_equal(BENCH_TEXT(bench, "note"), "text");
    assert_int_equal(bench_ask(bench, "GET", "/api/v1/namespaces/default/events/e", NULL), 200);
    assert_string_equal(BENCH_TEXT(bench, "message"), "text");
    assert_string_equal(BENCH_TEXT(bench, "involvedObject", "name"), "a");
    assert_int_equal(bench_ask(bench, "PATCH", "/apis/events.k8s.io/v1/namespaces/default/events/e",
                               "{'series':{'count':2}}"),
                     200);
    assert_string_equal(BENCH_TEXT(bench, "note"), "text");
    assert_string_equal(BENCH_TEXT(bench, "apiVersion"), "events.k8s.io/v1");
    bench_free(bench);
}

static void faults_act_as_often_as_told(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/faults",
                               "{'verb':'get','resource':'widgets','action':'status','code':429,"
                               "'retryAfterSeconds':3,'count':2,'skip':1}"),
                     200);
    int expected[] = { 404, 429, 429, 404 };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_int_equal(bench_ask(bench, "GET", WIDGETS "/a", NULL), expected[i]);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/faults",
                               "{'verb':'list','action':'stale','revisions':1}"),
                     200);
    assert_int_equal(bench_ask(bench, "POST", MAPS, MAP("m", "")), 201);
    assert_int_equal(bench_ask(bench, "GET", MAPS, NULL), 200);
    assert_int_equal(items(bench), 0);
    assert_int_equal(bench_ask(bench, "GET", MAPS, NULL), 200);
    assert_int_equal(items(bench), 1);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/faults", "{'action':'drop'}"), 200);
    assert_int_equal(bench_ask(bench, "GET", MAPS, NULL), -1);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/faults", "{'action':'slow','delay':'5s'}"),
                     200);
    assert_int_equal(bench_ask(bench, "GET", MAPS, NULL), 0);
    bench_advance(bench, 5000);
    assert_int_equal(bench->status, 200);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/faults", "{'action':'explode'}"), 400);
    assert_int_equal(bench_ask(bench, "GET", "/kubesim/stats", NULL), 200);
    assert_int_equal(jx_int(jx_get(bench->answer, "requests", NULL), "get widgets bench/1", 0), 4);
    bench_free(bench);
}

static void the_registry_serves_digests(void **state)
{
    struct bench *bench = begin();
    (void)state;
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/images",
                               "{'reference':'127.0.0.1:1/acme/t:v1','program':'t'}"),
                     200);
    char *first = arena_strdup(&bench->arena, BENCH_TEXT(bench, "digest"));
    assert_int_equal(bench_ask(bench, "GET", "/v2/acme/t/manifests/v1", NULL), 200);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/images",
                               "{'reference':'acme/t:v1','program':'t','revision':'2'}"),
                     200);
    assert_string_not_equal(BENCH_TEXT(bench, "digest"), first);
    char *by_digest = arena_format(&bench->arena, "/v2/acme/t/manifests/%s", first);
    assert_int_equal(bench_ask(bench, "GET", by_digest, NULL), 200);
    assert_int_equal(bench_ask(bench, "GET", "/v2/acme/t/manifests/v2", NULL), 404);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/registry",
                               "{'mode':'basic','username':'a','password':'b'}"),
                     200);
    assert_int_equal(bench_ask(bench, "GET", "/v2/acme/t/manifests/v1", NULL), 401);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/registry", "{'mode':'down'}"), 200);
    assert_int_equal(bench_ask(bench, "GET", "/v2/acme/t/manifests/v1", NULL), -1);
    assert_int_equal(bench_ask(bench, "POST", "/kubesim/registry", "{'mode':'sideways'}"), 400);
    bench_free(bench);
}

static void nobody_gets_in_without_the_secret(void **state)
{
    static const struct {
        const char *path;
        int status;
    } cases[] = { { "/s3cret/api/v1/namespaces", 200 },
                  { "/s3cret/kubesim/stats", 200 },
                  { "/s3cret/api", 200 },
                  { "/api/v1/namespaces", 404 },
                  { "/kubesim/stats", 404 },
                  { "/s3cre/api", 404 },
                  { "/s3cretx/api", 404 },
                  { "/s3cret", 404 },
                  { "/v2/token", 200 } };
    struct bench *bench = bench_new(0);
    (void)state;
    bench->front.options.secret = "s3cret";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        CASE(cases[i].path, bench_ask(bench, "GET", cases[i].path, NULL) == cases[i].status);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_established),
        cmocka_unit_test(refuses_with_known_words),
        cmocka_unit_test(generation_follows_intent),
        cmocka_unit_test(finalizers_hold),
        cmocka_unit_test(dependents_follow_their_owner),
        cmocka_unit_test(namespaces_take_their_contents),
        cmocka_unit_test(pages_show_one_moment),
        cmocka_unit_test(events_have_two_spellings),
        cmocka_unit_test(faults_act_as_often_as_told),
        cmocka_unit_test(the_registry_serves_digests),
        cmocka_unit_test(nobody_gets_in_without_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
