/* Goal: a Job ends as the real controller would end it: pods made and replaced, failures judged
 * and counted once, conditions with the real reasons, deletion and suspension.
 * Method: virtual time; a table of pod exit codes per Job and what must come out. */
#include "base/num.h"
#include "bench.h"

#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define PODS "/api/v1/namespaces/default/pods"

#define JOB(spec)                                                                                  \
    "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j'},'spec':{" spec                  \
    "'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'churn','image':'i'}]}}}}"

#define POLICY                                                                                     \
    "'podFailurePolicy':{'rules':["                                                                \
    "{'action':'Ignore','onPodConditions':[{'type':'DisruptionTarget'}]},"                         \
    "{'action':'Ignore','onExitCodes':{'containerName':'churn','operator':'In','values':[143]}},"  \
    "{'action':'FailJob','onExitCodes':{'containerName':'churn','operator':'In','values':[65]}}]}" \
    ","

static struct bench *begin(const char *job)
{
    struct bench *bench = bench_new(0);
    assert_int_equal(bench_ask(bench, "POST", JOBS, job), 201);
    return bench;
}

static void end_pod(struct bench *bench, size_t pod, int code)
{
    bench_report(bench, pod, &(struct pod_report){ .phase = POD_RUNNING });
    bench_report(bench, pod,
                 &(struct pod_report){ .phase = POD_TERMINATED,
                                       .reason = code ? "Error" : "Completed",
                                       .exit_code = code });
}

static const json_t *job_status(struct bench *bench)
{
    assert_int_equal(bench_ask(bench, "GET", JOBS "/j", NULL), 200);
    return jx_get(bench->answer, "status", NULL);
}

static const json_t *condition(struct bench *bench, const char *type)
{
    job_status(bench);
    return object_condition(bench->answer, type);
}

static void ends_as_documented(void **state)
{
    static const struct {
        const char *name, *job;
        int codes[8]; /* of pods, in turn; the last again for ever */
        size_t code_count, pods;
        int64_t failed;
        const char *condition, *reason;
    } cases[] = {
        { "success", JOB(""), { 0 }, 1, 1, 0, "Complete", "CompletionsReached" },
        { "second try", JOB(""), { 1, 0 }, 2, 2, 1, "Complete", "CompletionsReached" },
        { "backoff limit",
          JOB("'backoffLimit':2,"),
          { 1 },
          1,
          3,
          3,
          "Failed",
          "BackoffLimitExceeded" },
        { "fail job", JOB(POLICY), { 65 }, 1, 1, 1, "Failed", "PodFailurePolicy" },
        { "ignored",
          JOB(POLICY "'backoffLimit':0,"),
          { 143, 143, 0 },
          3,
          3,
          0,
          "Complete",
          "CompletionsReached" },
        { "counted",
          JOB(POLICY "'backoffLimit':1,"),
          { 75 },
          1,
          2,
          2,
          "Failed",
          "BackoffLimitExceeded" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *bench = begin(cases[i].job);
        size_t pod = 0;
        for (; pod < bench->started_count; pod++) {
            size_t turn = pod < cases[i].code_count ? pod : cases[i].code_count - 1;
            end_pod(bench, pod, cases[i].codes[turn]);
            bench_advance(bench, 400000);
        }
        CASE(cases[i].name, pod == cases[i].pods);
        CASE(cases[i].name, jx_int(job_status(bench), "failed", 0) == cases[i].failed);
        const json_t *last = condition(bench, cases[i].condition);
        CASE(cases[i].name, last != NULL);
        assert_string_equal(jx_string(last, "reason", NULL), cases[i].reason);
        assert_string_equal(jx_string(last, "status", NULL), "True");
        bool complete = strcmp(cases[i].condition, "Complete") == 0;
        CASE(cases[i].name,
             object_condition(bench->answer, complete ? "SuccessCriteriaMet" : "FailureTarget"));
        CASE(cases[i].name,
             jx_string(bench->answer, "status", "completionTime", NULL) || !complete);
        bench_free(bench);
    }
}

static void replaces_with_doubling_delay(void **state)
{
    struct bench *bench = begin(JOB(""));
    (void)state;
    end_pod(bench, 0, 1);
    bench_advance(bench, 9999);
    assert_int_equal(bench->started_count, 1);
    bench_advance(bench, 1);
    assert_int_equal(bench->started_count, 2);
    end_pod(bench, 1, 1);
    bench_advance(bench, 19999);
    assert_int_equal(bench->started_count, 2);
    bench_advance(bench, 1);
    assert_int_equal(bench->started_count, 3);
    bench_free(bench);
}

static void fails_at_its_deadline(void **state)
{
    struct bench *bench = begin(JOB("'activeDeadlineSeconds':60,"));
    (void)state;
    bench_report(bench, 0, &(struct pod_report){ .phase = POD_RUNNING });
    bench_advance(bench, 59000);
    assert_null(condition(bench, "FailureTarget"));
    bench_advance(bench, 1000);
    assert_string_equal(jx_string(condition(bench, "FailureTarget"), "reason", NULL),
                        "DeadlineExceeded");
    assert_null(condition(bench, "Failed")); /* the pod still runs */
    assert_int_equal(bench->stopped_count, 1);
    assert_int_equal(bench->grace_ms, 30000);
    end_pod(bench, 0, 143);
    assert_string_equal(jx_string(condition(bench, "Failed"), "reason", NULL), "DeadlineExceeded");
    bench_free(bench);
}

static void suspends_and_resumes(void **state)
{
    struct bench *bench = begin(JOB(""));
    (void)state;
    bench_report(bench, 0, &(struct pod_report){ .phase = POD_RUNNING });
    assert_int_equal(bench_ask(bench, "PATCH", JOBS "/j", "{'spec':{'suspend':true}}"), 200);
    assert_int_equal(bench->stopped_count, 1);
    end_pod(bench, 0, 143);
    assert_true(
        object_condition_is((condition(bench, "Suspended"), bench->answer), "Suspended", "True"));
    assert_int_equal(jx_int(job_status(bench), "failed", 0), 0);
    assert_null(jx_string(bench->answer, "status", "startTime", NULL));
    assert_int_equal(bench_ask(bench, "PATCH", JOBS "/j", "{'spec':{'suspend':false}}"), 200);
    assert_int_equal(bench->started_count, 2);
    end_pod(bench, 1, 0);
    assert_non_null(condition(bench, "Complete"));
    bench_free(bench);
}

/* A pod that is deleted while it runs ends first, is counted, and is replaced. */
static void counts_deleted_pods(void **state)
{
    struct bench *bench = begin(JOB(POLICY));
    (void)state;
    bench_report(bench, 0, &(struct pod_report){ .phase = POD_RUNNING });
    assert_int_equal(bench_ask(bench, "GET", PODS, NULL), 200);
    const char *name = jx_string(json_array_get(jx_get(bench->answer, "items", NULL), 0),
                                 "metadata", "name", NULL);
    char *path = arena_format(&bench->arena, PODS "/%s", name);
    assert_int_equal(bench_ask(bench, "DELETE", path, NULL), 200);
    assert_int_equal(bench->started_count, 1); /* podReplacementPolicy Failed */
    bench_report(bench, 0, &(struct pod_report){ .phase = POD_TERMINATED, .exit_code = 1 });
    assert_int_equal(bench_ask(bench, "GET", path, NULL), 404);
    assert_int_equal(jx_int(job_status(bench), "failed", 0), 1);
    bench_advance(bench, 10000);
    assert_int_equal(bench->started_count, 2);
    bench_free(bench);
}

/* --- indexes ----------------------------------------------------------------------- */

#define INDEXED(more)                                                                              \
    JOB("'completionMode':'Indexed','completions':3,'parallelism':2,'backoffLimitPerIndex':1,"     \
        "'podFailurePolicy':{'rules':["                                                            \
        "{'action':'Ignore','onExitCodes':{'operator':'In','values':[143]}},"                      \
        "{'action':'FailIndex','onExitCodes':{'operator':'In','values':[64]}},"                    \
        "{'action':'FailJob','onExitCodes':{'operator':'In','values':[65]}}]}," more)

/* The pod whose uid this is. */
static const json_t *pod_of(struct bench *bench, const char *uid)
{
    const json_t *pod;
    size_t i;
    assert_int_equal(bench_ask(bench, "GET", PODS, NULL), 200);
    json_array_foreach(jx_get(bench->answer, "items", NULL), i, pod)
    {
        if (strcmp(jx_string(pod, "metadata", "uid", NULL), uid) == 0)
            return pod;
    }
    return NULL;
}

static int64_t index_of(struct bench *bench, size_t pod)
{
    const char *text = jx_string(pod_of(bench, bench->started[pod]), "metadata", "annotations",
                                 "batch.kubernetes.io/job-completion-index", NULL);
    int64_t index;
    assert_int_equal(num_int64(span_of(text), 0, 2, &index, NULL), 0);
    return index;
}

static const struct {
    const char *name, *job;
    int codes[3][4]; /* of the pods of an index, in turn */
    size_t pods;
    const char *type, *reason, *completed, *failed;
} index_cases[] = {
    { "all well",
      INDEXED(""),
      { { 0 }, { 0 }, { 0 } },
      3,
      "Complete",
      "CompletionsReached",
      "0-2",
      "" },
    { "one again",
      INDEXED(""),
      { { 0 }, { 75, 0 }, { 0 } },
      4,
      "Complete",
      "CompletionsReached",
      "0-2",
      "" },
    { "one for good",
      INDEXED(""),
      { { 0 }, { 75, 75 }, { 0 } },
      4,
      "Failed",
      "FailedIndexes",
      "0,2",
      "1" },
    { "none may fail",
      INDEXED("'maxFailedIndexes':0,"),
      { { 75, 75 }, { 75, 75 }, { 0 } },
      4,
      "Failed",
      "MaxFailedIndexesExceeded",
      "2",
      "0" },
    { "no second try",
      INDEXED(""),
      { { 64 }, { 0 }, { 0 } },
      3,
      "Failed",
      "FailedIndexes",
      "1,2",
      "0" },
    { "the whole Job",
      INDEXED(""),
      { { 65 }, { 0 }, { 0 } },
      1,
      "Failed",
      "PodFailurePolicy",
      "",
      "" },
};

static void each_index_ends_on_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(index_cases); i++) {
        struct bench *bench = begin(index_cases[i].job);
        size_t pod = 0, turns[3] = { 0 };
        CASE(index_cases[i].name, bench->started_count == 2); /* parallelism */
        for (; pod < bench->started_count && !condition(bench, index_cases[i].type); pod++) {
            int64_t index = index_of(bench, pod);
            end_pod(bench, pod, index_cases[i].codes[index][turns[index]++]);
            for (size_t stopped = 0; stopped < bench->stopped_count; stopped++)
                kubelet_report(&bench->cluster.kubelet, bench->stopped[stopped],
                               &(struct pod_report){ .phase = POD_TERMINATED, .exit_code = 143 });
            bench_advance(bench, 400000);
        }
        CASE(index_cases[i].name, pod == index_cases[i].pods);
        assert_string_equal(jx_string(condition(bench, index_cases[i].type), "reason", NULL),
                            index_cases[i].reason);
        const char *completed = jx_string(job_status(bench), "completedIndexes", NULL);
        assert_string_equal(completed ? completed : "", index_cases[i].completed);
        assert_string_equal(jx_string(job_status(bench), "failedIndexes", NULL),
                            index_cases[i].failed);
        bench_free(bench);
    }
}

static void tells_pods_their_index(void **state)
{
    struct bench *bench = begin(INDEXED(""));
    (void)state;
    const json_t *pod = pod_of(bench, bench->started[1]);
    const json_t *env =
        jx_get(json_array_get(jx_get(pod, "spec", "containers", NULL), 0), "env", NULL);
    assert_string_equal(jx_string(json_array_get(env, 0), "name", NULL), "JOB_COMPLETION_INDEX");
    assert_string_equal(
        jx_string(json_array_get(env, 0), "valueFrom", "fieldRef", "fieldPath", NULL),
        "metadata.labels['batch.kubernetes.io/job-completion-index']");
    assert_string_equal(
        jx_string(pod, "metadata", "labels", "batch.kubernetes.io/job-completion-index", NULL),
        "1");
    assert_string_equal(jx_string(pod, "spec", "hostname", NULL), "j-1");
    assert_int_equal(strncmp(jx_string(pod, "metadata", "name", NULL), "j-1-", 4), 0);
    bench_free(bench);
}

static size_t count_pods(struct bench *bench)
{
    assert_int_equal(bench_ask(bench, "GET", PODS, NULL), 200);
    return json_array_size(jx_get(bench->answer, "items", NULL));
}

static void takes_its_pods_along(void **state)
{
    static const struct {
        const char *name, *options;
        bool waits;  /* the Job is there until its pod ended */
        size_t left; /* pods in the end */
    } cases[] = {
        { "background", "{'propagationPolicy':'Background'}", false, 0 },
        { "foreground", "{'propagationPolicy':'Foreground'}", true, 0 },
        { "batch/v1's own default", NULL, false, 1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *bench = begin(JOB(""));
        bench_report(bench, 0, &(struct pod_report){ .phase = POD_RUNNING });
        CASE(cases[i].name, bench_ask(bench, "DELETE", JOBS "/j", cases[i].options) == 200);
        CASE(cases[i].name,
             bench_ask(bench, "GET", JOBS "/j", NULL) == (cases[i].waits ? 200 : 404));
        CASE(cases[i].name, bench->stopped_count == (cases[i].left ? 0 : 1));
        bench_report(bench, 0, &(struct pod_report){ .phase = POD_TERMINATED, .exit_code = 143 });
        CASE(cases[i].name, bench_ask(bench, "GET", JOBS "/j", NULL) == 404);
        CASE(cases[i].name, count_pods(bench) == cases[i].left);
        bench_free(bench);
    }
}

/* Its finalizer would hold an orphaned pod for ever. */
static void lets_go_of_orphans(void **state)
{
    struct bench *bench = begin(JOB(""));
    (void)state;
    assert_int_equal(bench_ask(bench, "DELETE", JOBS "/j", NULL), 200);
    assert_int_equal(count_pods(bench), 1);
    const json_t *pod = json_array_get(jx_get(bench->answer, "items", NULL), 0);
    assert_null(jx_get(pod, "metadata", "finalizers", NULL));
    bench_free(bench);
}

/* A client that reads only Complete and Failed sees the Job undecided for one write more. */
static void decides_before_it_concludes(void **state)
{
    struct bench *bench = begin(JOB(""));
    (void)state;
    assert_int_equal(bench_ask(bench, "GET", JOBS "?watch=1&resourceVersion=0", NULL), 200);
    end_pod(bench, 0, 0);
    char *text = bench->streams[0].text, *decided = strstr(text, "SuccessCriteriaMet");
    assert_non_null(decided);
    *strchr(decided, '\n') = '\0';
    assert_null(strstr(text, "\"Complete\""));
    assert_non_null(condition(bench, "Complete"));
    bench_free(bench);
}

static void expires(void **state)
{
    struct bench *bench = begin(JOB("'ttlSecondsAfterFinished':5,"));
    (void)state;
    end_pod(bench, 0, 0);
    bench_advance(bench, 4000);
    assert_int_equal(bench_ask(bench, "GET", JOBS "/j", NULL), 200);
    bench_advance(bench, 1000);
    assert_int_equal(bench_ask(bench, "GET", JOBS "/j", NULL), 404);
    bench_free(bench);
}

static void refuses_what_it_cannot_do(void **state)
{
    static const struct {
        const char *name, *method, *path, *body;
        int status;
    } cases[] = {
        { "restart policy", "POST", JOBS,
          "{'apiVersion':'batch/"
          "v1','kind':'Job','metadata':{'name':'k'},'spec':{'template':{'spec':"
          "{'containers':[{'name':'c','image':'i'}]}}}}",
          422 },
        { "no container", "POST", JOBS,
          "{'apiVersion':'batch/"
          "v1','kind':'Job','metadata':{'name':'k'},'spec':{'template':{'spec':"
          "{'restartPolicy':'Never'}}}}",
          422 },
        { "indexed, no completions", "POST", JOBS,
          "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'k'},'spec':{"
          "'completionMode':'Indexed','backoffLimitPerIndex':1,'template':{'spec':{"
          "'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}",
          422 },
        { "limit per index, not indexed", "POST", JOBS,
          "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'k'},'spec':{"
          "'backoffLimitPerIndex':1,'template':{'spec':{"
          "'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}",
          422 },
        { "template", "PATCH", JOBS "/j",
          "{'spec':{'template':{'spec':{'containers':[{'name':'churn','image':'other'}]}}}}", 422 },
        { "policy", "PATCH", JOBS "/j", "{'spec':{'podFailurePolicy':{'rules':[]}}}", 422 },
        { "deadline may change", "PATCH", JOBS "/j", "{'spec':{'activeDeadlineSeconds':9}}", 200 },
    };
    struct bench *bench = begin(JOB(""));
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        CASE(cases[i].name,
             bench_ask(bench, cases[i].method, cases[i].path, cases[i].body) == cases[i].status);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_as_documented),
        cmocka_unit_test(replaces_with_doubling_delay),
        cmocka_unit_test(fails_at_its_deadline),
        cmocka_unit_test(suspends_and_resumes),
        cmocka_unit_test(counts_deleted_pods),
        cmocka_unit_test(each_index_ends_on_its_own),
        cmocka_unit_test(tells_pods_their_index),
        cmocka_unit_test(takes_its_pods_along),
        cmocka_unit_test(lets_go_of_orphans),
        cmocka_unit_test(decides_before_it_concludes),
        cmocka_unit_test(expires),
        cmocka_unit_test(refuses_what_it_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
