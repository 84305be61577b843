#include "folder_lister.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/uri.h"
#include "store/store.h"

#define BUCKET_THREADS 2
#define SECRET_THREADS 4
#define THREADS        (1 + BUCKET_THREADS + SECRET_THREADS)

#define STALL_MS   10000  /* of a bucket that sends nothing */
#define ATTEMPT_MS 60000  /* one page of a listing, from one that sends a little */
#define WALK_MS    600000 /* all pages: a million objects come in that time */

struct request {
    struct request *next;
    char *uri;
    struct inbox_question *question; /* NULL: none */
    struct bucket_keys *keys;        /* NULL: none */
    struct folder_answer answer;
};

struct line {
    struct request *first, *last;
};

enum { FILES, BUCKETS, SECRET_BUCKETS, KINDS };
static const unsigned thread_counts[KINDS] = { 1, BUCKET_THREADS, SECRET_THREADS };

struct worker {
    struct folder_lister *lister;
    int kind;
    pthread_t thread;
    bool is_busy;          /* it touches a volume or bucket, and may hang */
    const char *namespace; /* whose keys it uses then; NULL: nobody's */
};

struct folder_lister {
    struct transport *transport;
    struct bucket_access access;
    struct stores *stores; /* opened by the environment */
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed[KINDS];
    struct line asked[KINDS], answered;
    struct worker workers[THREADS];
    unsigned started, threads; /* threads: those that run */
    bool closing;              /* the threads end */
    bool abandoned;            /* nobody waits for them: the last one frees this */
};

static void append(struct line *line, struct request *request)
{
    request->next = NULL;
    *(line->first ? &line->last->next : &line->first) = request;
    line->last = request;
}

static struct request *take_first(struct line *line)
{
    struct request *request = line->first;

    if (request)
        line->first = request->next;
    return request;
}

/* Takes `wanted` out of a line, which has it. */
static void take_out(struct line *line, struct request *wanted)
{
    struct request *before = NULL;

    for (struct request *request = line->first; request != wanted; request = request->next)
        before = request;
    *(before ? &before->next : &line->first) = wanted->next;
    if (line->last == wanted)
        line->last = before;
}

void folder_answer_release(struct folder_answer *answer)
{
    free(answer->newest_uri);
    free(answer->generation);
    inbox_files_release(&answer->inbox);
    *answer = (struct folder_answer){ 0 };
}

static void free_request(struct request *request)
{
    folder_answer_release(&request->answer);
    inbox_question_free(request->question);
    bucket_keys_free(request->keys);
    free(request->uri);
    free(request);
}

static void free_lister(struct folder_lister *lister)
{
    struct request *request;

    for (int kind = 0; kind < KINDS; kind++) {
        while ((request = take_first(&lister->asked[kind])))
            free_request(request);
        pthread_cond_destroy(&lister->changed[kind]);
    }
    while ((request = take_first(&lister->answered)))
        free_request(request);
    stores_free(lister->stores);
    pthread_mutex_destroy(&lister->mutex);
    free(lister);
}

static void found(struct folder_answer *answer, char *take_uri, const struct store_info *info)
{
    answer->newest_uri = take_uri;
    answer->generation = mem_strdup(info->generation);
    answer->bytes = info->bytes;
}

static int list_folder(struct store *store, const char *uri, struct folder_answer *answer,
                       struct err *err)
{
    struct store_info info;
    char *newest_uri;

    if (store_newest(store, uri, &newest_uri, &info, err) < 0)
        return -1;
    if (newest_uri)
        found(answer, newest_uri, &info);
    return 0;
}

static int look_at_file(struct store *store, const char *uri, struct folder_answer *answer,
                        struct err *err)
{
    struct store_info info;
    struct err why;

    if (store_stat(store, uri, &info, &why) == 0)
        found(answer, mem_strdup(uri), &info);
    else if (why.kind != ERR_NOT_FOUND)
        return *err = why, -1;
    return 0;
}

static int answer(struct stores *stores, struct request *request, struct err *err)
{
    struct store *store auto_store = store_open(stores, request->uri, err);

    if (!store)
        return -1;
    if (request->question)
        return inbox_files_find(store, request->uri, request->question, &request->answer.inbox,
                                err);
    return uri_is_folder(request->uri) ? list_folder(store, request->uri, &request->answer, err)
                                       : look_at_file(store, request->uri, &request->answer, err);
}

/* Once: facts.c asks again, later and later. */
static struct stores_options options_of_buckets(const struct bucket_access *access)
{
    return (struct stores_options){
        .patience_ms = -1,
        .denied_patience_ms = -1,
        .stall_ms = STALL_MS,
        .attempt_ms = ATTEMPT_MS,
        .walk_ms = WALK_MS,
        .proxies = access->proxies,
        .private_peers = access->private_peers,
        .transport_new = access->transport_new,
        .transport_free = access->transport_free,
    };
}

static int answer_with_keys(const struct folder_lister *lister, struct request *request,
                            struct err *err)
{
    struct stores_options options = options_of_buckets(&lister->access);

    bucket_keys_options(request->keys, &options);
    struct stores *stores auto_stores = stores_new(&options);
    return answer(stores, request, err);
}

/* Called with the mutex held. The first request of a namespace that has not its share of the
 * threads already; NULL: there is none. */
static struct request *take_next(struct folder_lister *lister, int kind)
{
    struct line *line = &lister->asked[kind];

    for (struct request *request = line->first; request; request = request->next) {
        const char *namespace = request->keys ? bucket_keys_namespace(request->keys) : NULL;
        unsigned share = 0;

        for (size_t i = 0; namespace && i < lister->started; i++)
            share += lister->workers[i].namespace &&
                     strcmp(lister->workers[i].namespace, namespace) == 0;
        if (share == FOLDER_LISTER_SHARE)
            continue;
        take_out(line, request);
        return request;
    }
    return NULL;
}

/* Called with the mutex held, which is given up while the volume or bucket is touched. */
static void answer_request(struct worker *worker, struct request *take_request)
{
    struct folder_lister *lister = worker->lister;
    struct err failure;
    int outcome;

    worker->namespace = take_request->keys ? bucket_keys_namespace(take_request->keys) : NULL;
    pthread_mutex_unlock(&lister->mutex);
    outcome = take_request->keys ? answer_with_keys(lister, take_request, &failure)
                                 : answer(lister->stores, take_request, &failure);
    if (outcome < 0)
        take_request->answer.failure = failure;
    pthread_mutex_lock(&lister->mutex);
    worker->namespace = NULL;
    bucket_keys_free(TAKE(take_request->keys));
    append(&lister->answered, take_request);
    if (!lister->closing)
        transport_wake(lister->transport);
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct folder_lister *lister = worker->lister;
    struct request *request;
    bool is_last;

    pthread_mutex_lock(&lister->mutex);
    while (!lister->closing) {
        request = take_next(lister, worker->kind);
        worker->is_busy = request != NULL;
        if (request)
            answer_request(worker, request);
        else
            pthread_cond_wait(&lister->changed[worker->kind], &lister->mutex);
    }
    is_last = --lister->threads == 0 && lister->abandoned;
    pthread_mutex_unlock(&lister->mutex);
    if (is_last)
        free_lister(lister);
    return NULL;
}

/* Called with the mutex held. */
static int start_thread(struct folder_lister *lister, int kind, struct err *err)
{
    struct worker *worker = &lister->workers[lister->started];
    int outcome;

    *worker = (struct worker){ .lister = lister, .kind = kind };
    outcome = pthread_create(&worker->thread, NULL, run, worker);
    if (outcome != 0)
        return err_errno(err, outcome, "cannot start a thread");
    lister->started++;
    lister->threads++;
    return 0;
}

static int start_threads(struct folder_lister *lister, struct err *err)
{
    int outcome = 0;

    pthread_mutex_lock(&lister->mutex);
    for (int kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < thread_counts[kind] && outcome == 0; i++)
            outcome = start_thread(lister, kind, err);
    pthread_mutex_unlock(&lister->mutex);
    return outcome;
}

struct folder_lister *folder_lister_new(struct transport *transport,
                                        const struct bucket_access *access, struct err *err)
{
    struct folder_lister *lister = mem_zero(1, sizeof(*lister));
    struct stores_options options = options_of_buckets(access);

    options.variable = access->variable;
    lister->transport = transport;
    lister->access = *access;
    lister->stores = stores_new(&options);
    pthread_mutex_init(&lister->mutex, NULL);
    for (int kind = 0; kind < KINDS; kind++)
        pthread_cond_init(&lister->changed[kind], NULL);
    if (start_threads(lister, err) == 0)
        return lister;
    folder_lister_free(lister);
    return NULL;
}

/* Those that are idle end at once, and what libraries keep for them goes with them. */
static void end_threads(struct folder_lister *lister)
{
    bool is_busy[ARRAY_SIZE(lister->workers)];

    pthread_mutex_lock(&lister->mutex);
    lister->closing = true;
    for (int kind = 0; kind < KINDS; kind++)
        pthread_cond_broadcast(&lister->changed[kind]);
    for (unsigned i = 0; i < lister->started; i++)
        is_busy[i] = lister->workers[i].is_busy;
    pthread_mutex_unlock(&lister->mutex);
    for (unsigned i = 0; i < lister->started; i++)
        if (is_busy[i])
            pthread_detach(lister->workers[i].thread);
        else
            pthread_join(lister->workers[i].thread, NULL);
}

void folder_lister_free(struct folder_lister *lister)
{
    bool is_alone;

    if (!lister)
        return;
    end_threads(lister);
    pthread_mutex_lock(&lister->mutex);
    lister->abandoned = true;
    is_alone = lister->threads == 0;
    pthread_mutex_unlock(&lister->mutex);
    if (is_alone)
        free_lister(lister);
}

void folder_lister_ask(struct folder_lister *lister, const char *uri,
                       const struct inbox_question *question, struct bucket_keys *take_keys,
                       void *context)
{
    int kind = strncmp(uri, "file://", strlen("file://")) == 0 ? FILES
               : take_keys                                     ? SECRET_BUCKETS
                                                               : BUCKETS;
    struct request *request = mem_zero(1, sizeof(*request));

    request->uri = mem_strdup(uri);
    request->question = question ? inbox_question_copy(question) : NULL;
    request->keys = take_keys;
    request->answer.context = context;
    pthread_mutex_lock(&lister->mutex);
    append(&lister->asked[kind], request);
    pthread_cond_signal(&lister->changed[kind]);
    pthread_mutex_unlock(&lister->mutex);
}

bool folder_lister_take(struct folder_lister *lister, struct folder_answer *ret_answer)
{
    struct request *request;

    pthread_mutex_lock(&lister->mutex);
    request = take_first(&lister->answered);
    pthread_mutex_unlock(&lister->mutex);
    if (!request)
        return false;
    *ret_answer = request->answer;
    request->answer = (struct folder_answer){ 0 };
    free_request(request);
    return true;
}
