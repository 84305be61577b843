/* Goal: a pod's program gets the environment, files and signals a container would get, and its end
 * is reported as a kubelet reports it. Method: shell scripts as programs, run for real; one table
 * of script, container and outcome. The loop waits for SIGCHLD, never for time. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "bench.h"

#include "base/file.h"
#include "kubesim/runner/folder.h"
#include "kubesim/runner/runner.h"

#define PODS "/api/v1/namespaces/default/pods"

struct stage {
    char folder[32], bin[48], data[48];
    struct timers timers;
    struct cluster cluster;
    struct images images;
    struct runner runner;
};

static void put_script(const struct stage *stage, const char *text)
{
    auto_free char *path = mem_format("%s/program", stage->bin);
    auto_free char *script = mem_format("#!/bin/sh\n%s\n", text);
    assert_int_equal(file_write(path, 0600, span_of(script), NULL), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static struct stage *stage_new(void)
{
    struct stage *stage = mem_zero(1, sizeof(*stage));
    const struct image *image;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/test-runner-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->bin, sizeof(stage->bin), "%s/bin", stage->folder);
    snprintf(stage->data, sizeof(stage->data), "%s/pods", stage->folder);
    assert_int_equal(folder_make(stage->bin, NULL), 0);
    timers_init(&stage->timers, &clock_system);
    stage->runner = (struct runner){
        .bin = stage->bin, .data = stage->data, .images = &stage->images, .cluster = &stage->cluster
    };
    cluster_init(&stage->cluster, &(struct cluster_options){ .timers = &stage->timers,
                                                             .seed = 1,
                                                             .pods = &runner_port,
                                                             .pods_context = &stage->runner });
    assert_int_equal(images_set(&stage->images, "r/i:1", "program", NULL, &image, NULL), 0);
    return stage;
}

static void stage_free(struct stage *stage)
{
    runner_release(&stage->runner);
    cluster_release(&stage->cluster);
    images_release(&stage->images);
    timers_release(&stage->timers);
    folder_remove(stage->folder);
    free(stage);
}

static struct api_call call_for(struct stage *stage, const char *plural, const char *name)
{
    return (struct api_call){ .cluster = &stage->cluster,
                              .resource =
                                  resource_find(&stage->cluster.resources, "", "v1", plural),
                              .namespace = "default",
                              .name = name };
}

static void create(struct stage *stage, const char *plural, const char *text)
{
    auto_free char *json = mem_strdup(text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    auto_json json_t *body = jx_parse(span_of(json), 65536, plural, NULL);
    auto_snapshot struct snapshot *created = NULL;
    struct api_call call = call_for(stage, plural, NULL);
    assert_non_null(body);
    assert_int_equal(api_create(&call, body, &created, NULL), 0);
    api_call_release(&call);
}

/* Runs the loop until the pod's container is in the state; the state, borrowed, or NULL when the
 * pod is gone. */
static const json_t *wait_for(struct stage *stage, const char *state)
{
    const struct api_call call = call_for(stage, "pods", "p");
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        int64_t wait_ms = timers_run(&stage->timers);
        const struct object *pod = store_find(call.resource, "default", "p");
        const json_t *status =
            pod ? json_array_get(jx_get(pod->snapshot->json, "status", "containerStatuses", NULL),
                                 0)
                : NULL;
        if (!pod || jx_get(status, "state", state, NULL))
            return jx_get(status, "state", state, NULL);
        wait_ms = wait_ms < 0 || wait_ms > 10000 ? 10000 : wait_ms;
        const struct timespec timeout = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
        if (wait_ms > 0 && sigtimedwait(&child, NULL, &timeout) < 0 && wait_ms == 10000)
            fail_msg("the pod was not %s within 10 s", state);
        runner_reap(&stage->runner);
    }
}

#define POD(container, spec)                                                                       \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','annotations':{'churnops.io/job':"     \
    "'document'}},'spec':{'restartPolicy':'Never','containers':[{'name':'churn','image':'r/"       \
    "i:1'" container "}]" spec "}}"

#define VOLUMES                                                                                    \
    ",'volumes':[{'name':'job','downwardAPI':{'items':[{'path':'job.json','fieldRef':{"            \
    "'fieldPath':'metadata.annotations[\\u0027churnops.io/job\\u0027]'}}]}},"                      \
    "{'name':'scratch','emptyDir':{}}]"
#define MOUNTS                                                                                     \
    ",'volumeMounts':[{'name':'job','mountPath':'/etc/churn'},"                                    \
    "{'name':'scratch','mountPath':'/tmp'}]"

static void programs_run_as_in_a_container(void **state)
{
    static const struct {
        const char *name, *script, *pod;
        int code, signal;
        const char *reason, *message; /* NULL: none */
    } cases[] = {
        { "success", "exit 0", POD("", ""), 0, 0, "Completed", NULL },
        { "result", "echo done >$CHURN_RESULT", POD("", ""), 0, 0, "Completed", "done\n" },
        { "failure", "echo why >&2; exit 65", POD("", ""), 65, 0, "Error", NULL },
        { "log instead", "echo why >&2; exit 65",
          POD(",'terminationMessagePolicy':'FallbackToLogsOnError'", ""), 65, 0, "Error", "why\n" },
        { "no log after success", "echo why",
          POD(",'terminationMessagePolicy':'FallbackToLogsOnError'", ""), 0, 0, "Completed", NULL },
        { "job document", "cat $CHURN_JOB >$CHURN_RESULT", POD(MOUNTS, VOLUMES), 0, 0, "Completed",
          "document" },
        { "scratch", "cd $TMPDIR && touch x && ls >$CHURN_RESULT", POD(MOUNTS, VOLUMES), 0, 0,
          "Completed", "x\n" },
        { "variables", "echo $A $B $C >$CHURN_RESULT",
          POD(",'env':[{'name':'A','value':'1'},{'name':'B','valueFrom':{'fieldRef':{'fieldPath':"
              "'metadata.name'}}},{'name':'C','valueFrom':{'secretKeyRef':{'name':'s','key':'k'}}}"
              "]",
              ""),
          0, 0, "Completed", "1 p hidden\n" },
        { "mounted Secret", "cat $FILE >$CHURN_RESULT; echo $OTHER >>$CHURN_RESULT",
          POD(",'env':[{'name':'FILE','value':'/var/keys/k'},{'name':'OTHER','value':'/var/keysx'}]"
              ",'volumeMounts':[{'name':'v','mountPath':'/var/keys'}]",
              ",'volumes':[{'name':'v','secret':{'secretName':'s'}}]"),
          0, 0, "Completed", "hidden/var/keysx\n" },
        { "nothing inherited", "echo $OUTER$KUBECONFIG >$CHURN_RESULT", POD("", ""), 0, 0,
          "Completed", "\n" },
        { "arguments", "echo $0 $@ >$CHURN_RESULT",
          POD(",'command':['/usr/bin/program','a'],'args':['b c']", ""), 0, 0, "Completed", NULL },
        { "standard input", "cat && echo end >$CHURN_RESULT", POD("", ""), 0, 0, "Completed",
          "end\n" },
        { "killed", "kill -KILL $$", POD("", ""), 137, SIGKILL, "OOMKilled", NULL },
        { "terminated", "kill -TERM $$", POD("", ""), 143, SIGTERM, "Error", NULL },
        { "not UTF-8", "printf 'a\\377b' >$CHURN_RESULT", POD("", ""), 0, 0, "Completed", "a?b" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stage *stage = stage_new();
        put_script(stage, cases[i].script);
        create(stage, "secrets",
               "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'},"
               "'stringData':{'k':'hidden'}}");
        create(stage, "pods", cases[i].pod);
        const json_t *ended = wait_for(stage, "terminated");
        const char *message = jx_string(ended, "message", NULL);
        CASE(cases[i].name, jx_int(ended, "exitCode", -1) == cases[i].code);
        CASE(cases[i].name, jx_int(ended, "signal", 0) == cases[i].signal);
        CASE(cases[i].name, strcmp(jx_string(ended, "reason", NULL), cases[i].reason) == 0);
        if (cases[i].message)
            assert_string_equal(message ? message : "", cases[i].message);
        stage_free(stage);
    }
}

static void what_cannot_run_says_why(void **state)
{
    static const struct {
        const char *name, *pod, *reason, *word;
    } cases[] = {
        { "image",
          "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'containers':[{"
          "'name':'c','image':'r/none:1'}]}}",
          "ErrImagePull", "r/none:1" },
        { "host path",
          POD(",'volumeMounts':[{'name':'v','mountPath':'/data'}]",
              ",'volumes':[{'name':'v','hostPath':{'path':'/tmp'}}]"),
          "CreateContainerConfigError", "same path" },
        { "no such folder",
          POD(",'volumeMounts':[{'name':'v','mountPath':'/no/such'}]",
              ",'volumes':[{'name':'v','hostPath':{'path':'/no/such'}}]"),
          "CreateContainerConfigError", "does not exist" },
        { "volume kind",
          POD(",'volumeMounts':[{'name':'v','mountPath':'/x'}]",
              ",'volumes':[{'name':'v','configMap':{'name':'s'}}]"),
          "CreateContainerConfigError", "volume v" },
        { "no such Secret",
          POD(",'volumeMounts':[{'name':'v','mountPath':'/x'}]",
              ",'volumes':[{'name':'v','secret':{'secretName':'s'}}]"),
          "CreateContainerConfigError", "secret s" },
        { "no volume", POD(",'volumeMounts':[{'name':'v','mountPath':'/x'}]", ""),
          "CreateContainerConfigError", "no volume v" },
        { "secret",
          POD(",'env':[{'name':'A','valueFrom':{'secretKeyRef':{'name':'n','key':'k'}}}]", ""),
          "CreateContainerConfigError", "key k" },
        { "containers", POD("", ",'initContainers':[{'name':'i','image':'r/i:1'}]"),
          "CreateContainerConfigError", "one container" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stage *stage = stage_new();
        put_script(stage, "exit 0");
        create(stage, "pods", cases[i].pod);
        const json_t *waiting = wait_for(stage, "waiting");
        CASE(cases[i].name, strcmp(jx_string(waiting, "reason", NULL), cases[i].reason) == 0);
        CASE(cases[i].name, strstr(jx_string(waiting, "message", NULL), cases[i].word) != NULL);
        struct api_call call = call_for(stage, "pods", "p");
        api_discard(&stage->cluster, store_find(call.resource, "default", "p"), -1);
        assert_null(wait_for(stage, "terminated"));
        stage_free(stage);
    }
}

/* Deleting asks first and kills after the grace period, children of the program included. */
static void deletion_stops_the_group(void **state)
{
    static const struct {
        const char *name, *script;
        int64_t grace_seconds;
    } cases[] = {
        { "asked", "trap 'exit 143' TERM; echo up; while :; do wait; done", 30 },
        { "deaf", "trap '' TERM; echo up; while :; do read line <$0; done", 1 },
        { "at once", "trap '' TERM; (while :; do read line <$0; done) & echo up; wait", 0 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stage *stage = stage_new();
        struct api_call call = call_for(stage, "pods", "p");
        put_script(stage, cases[i].script);
        create(stage, "pods", POD("", ""));
        assert_non_null(wait_for(stage, "running"));
        api_discard(&stage->cluster, store_find(call.resource, "default", "p"),
                    cases[i].grace_seconds);
        CASE(cases[i].name, wait_for(stage, "terminated") == NULL);
        CASE(cases[i].name, stage->runner.pods.count == 0);
        stage_free(stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_run_as_in_a_container),
        cmocka_unit_test(what_cannot_run_says_why),
        cmocka_unit_test(deletion_stops_the_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
