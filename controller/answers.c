#include "answers.h"

#include "base/json.h"
#include "objects.h"
#include "project.h"

static const struct kube_resource PODS = { "", "v1", "pods", "Pod" };

struct question {
    struct answers *answers;
    struct kube_call *call; /* NULL: not under way */
    char *job, *uid;        /* the Job that is asked about; uid: whose pods count, or NULL */
    bool answered;
    struct arena arena; /* owns the answer */
};

/* Of those who ask: of thousands at rest each would have an empty one. */
struct answers {
    const struct asker *asker;
    unsigned kind;
    const char *key;
    struct question job, pods;
    struct job_fact job_fact;
    struct pods_fact pods_fact;
};

static void clear(struct question *question)
{
    free(question->job);
    free(question->uid);
    arena_release(&question->arena);
    question->job = question->uid = NULL;
    question->answered = false;
}

static void release(struct question *question)
{
    kube_cancel(question->call);
    question->call = NULL;
    clear(question);
}

void answers_free(struct answers *answers)
{
    if (!answers)
        return;
    release(&answers->job);
    release(&answers->pods);
    free(answers);
}

static void wake(const struct answers *answers)
{
    answers->asker->wake(answers->asker->context, answers->kind, answers->key);
}

static void give_up(struct question *question, const struct err *failure)
{
    const struct answers *answers = question->answers;

    clear(question);
    answers->asker->failed(answers->asker->context, answers->kind, answers->key, failure);
}

static void job_answered(void *context, json_t *object, const struct err *failure)
{
    struct question *question = context;
    struct answers *answers = question->answers;

    question->call = NULL;
    if (failure && failure->kind != ERR_NOT_FOUND) {
        give_up(question, failure);
        return;
    }
    question->answered = true;
    answers->job_fact = (struct job_fact){ .name = question->job, .exists = object != NULL };
    if (object)
        job_view_decode(object, &question->arena, &answers->job_fact.job);
    wake(answers);
}

static bool is_owned(const json_t *pod, const char *uid)
{
    const json_t *owners = jx_get(pod, "metadata", "ownerReferences", NULL);

    for (size_t i = 0; i < json_array_size(owners); i++) {
        const char *owner = jx_string(json_array_get(owners, i), "uid", NULL);

        if (owner && strcmp(owner, uid) == 0)
            return true;
    }
    return false;
}

/* New reference: the pods that the Job of this uid owns. */
static json_t *pods_of(const json_t *items, const char *uid)
{
    json_t *owned = json_array();

    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *pod = json_array_get(items, i);

        if (!uid || is_owned(pod, uid))
            json_array_append(owned, pod);
    }
    return owned;
}

static void pods_answered(void *context, json_t *object, const struct err *failure)
{
    struct question *question = context;
    struct answers *answers = question->answers;
    json_t *pods auto_json = NULL;

    question->call = NULL;
    if (failure && failure->kind != ERR_TOO_BIG) { /* too many: nothing is known of them */
        give_up(question, failure);
        return;
    }
    question->answered = true;
    if (object)
        pods = pods_of(jx_get(object, "items", NULL), question->uid);
    pods_fact_decode(question->job, pods, &question->arena, &answers->pods_fact);
    wake(answers);
}

/* Begins to ask about another Job, or again; false when the same is under way. */
static bool begin(struct answers *answers, struct question *question, const char *job,
                  const char *uid)
{
    if (question->call && strcmp(question->job, job) == 0)
        return false;
    release(question);
    question->answers = answers;
    question->job = mem_strdup(job);
    question->uid = uid ? mem_strdup(uid) : NULL;
    return true;
}

static void ask_job(struct answers *answers, const char *namespace, const char *job)
{
    if (!begin(answers, &answers->job, job, NULL))
        return;
    answers->job_fact = (struct job_fact){ .name = answers->job.job, .pending = true };
    answers->job.call = kube_get(answers->asker->client, &object_resources[OBJECT_JOB], namespace,
                                 job, job_answered, &answers->job);
}

static void ask_pods(struct answers *answers, const char *namespace, const char *job,
                     const char *uid)
{
    char *selector auto_free = mem_format("job-name=%s", job);

    if (!begin(answers, &answers->pods, job, uid))
        return;
    answers->pods_fact = (struct pods_fact){ .job = answers->pods.job, .pending = true };
    answers->pods.call = kube_list(answers->asker->client, &PODS, namespace, selector,
                                   project_pods_reads, pods_answered, &answers->pods);
}

void answers_ask(struct answers **answers, const struct asker *asker, unsigned kind,
                 const char *key, const struct fact_request *request, const char *job_uid)
{
    char *namespace auto_free = mem_strndup(key, (size_t)(strchr(key, '/') - key));

    if (!*answers)
        *answers = mem_zero(1, sizeof(**answers));
    (*answers)->asker = asker;
    (*answers)->kind = kind;
    (*answers)->key = key;
    if (request->kind == FACT_JOB)
        ask_job(*answers, namespace, request->argument);
    else
        ask_pods(*answers, namespace, request->argument, job_uid);
}

void answers_view(const struct answers *answers, struct facts *facts)
{
    if (answers && answers->job.job)
        facts->job = &answers->job_fact;
    if (answers && answers->pods.job)
        facts->pods = &answers->pods_fact;
}

void answers_end_pass(struct answers **answers, bool asks_on)
{
    struct answers *ended = *answers;

    if (!ended || asks_on)
        return;
    if (ended->job.answered)
        clear(&ended->job);
    if (ended->pods.answered)
        clear(&ended->pods);
    if (ended->job.job || ended->pods.job)
        return;
    free(ended);
    *answers = NULL;
}
