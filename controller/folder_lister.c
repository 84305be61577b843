#include "folder_lister.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/uri.h"
#include "store/store.h"

/* Facts are looked up again by themselves: meanwhile other folders have their turn. */
#define PATIENCE_MS 5000

struct request {
    struct request *next;
    char *uri;
    struct inbox_question *question; /* NULL: none */
    struct folder_answer answer;
};

struct line {
    struct request *first, *last;
};

struct folder_lister {
    struct transport *transport;
    struct stores *stores; /* of the thread */
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    struct line asked, answered;
    bool busy;    /* the thread is in a listing */
    bool closing; /* the loop is gone: the thread ends and frees this */
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
    free(request->uri);
    free(request);
}

static void free_lister(struct folder_lister *lister)
{
    struct request *request;

    while ((request = take_first(&lister->asked)) || (request = take_first(&lister->answered)))
        free_request(request);
    stores_free(lister->stores);
    pthread_cond_destroy(&lister->changed);
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
    struct store_listing listing auto_store_listing = { 0 };
    const struct store_entry *newest;

    if (store_list(store, uri, &listing, err) < 0)
        return -1;
    newest = store_newest(&listing);
    if (newest)
        found(answer, mem_format("%s%s", uri, newest->name), &newest->info);
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

static int look_up(struct stores *stores, const char *uri, struct folder_answer *answer,
                   struct err *err)
{
    struct store *store auto_store = store_open(stores, uri, err);

    if (!store)
        return -1;
    return uri_is_folder(uri) ? list_folder(store, uri, answer, err)
                              : look_at_file(store, uri, answer, err);
}

static int answer(struct folder_lister *lister, struct request *request, struct err *err)
{
    if (request->question)
        return inbox_files_find(lister->stores, request->uri, request->question,
                                &request->answer.inbox, err);
    return look_up(lister->stores, request->uri, &request->answer, err);
}

/* Called with the mutex held, which is given up while the volume is touched. */
static void answer_first(struct folder_lister *lister)
{
    struct request *request = take_first(&lister->asked);
    struct err failure;

    lister->busy = true;
    pthread_mutex_unlock(&lister->mutex);
    if (answer(lister, request, &failure) < 0)
        request->answer.failure = failure;
    pthread_mutex_lock(&lister->mutex);
    lister->busy = false;
    append(&lister->answered, request);
    if (!lister->closing)
        transport_wake(lister->transport);
}

static void *run(void *context)
{
    struct folder_lister *lister = context;

    pthread_mutex_lock(&lister->mutex);
    while (!lister->closing) {
        if (lister->asked.first)
            answer_first(lister);
        else
            pthread_cond_wait(&lister->changed, &lister->mutex);
    }
    pthread_mutex_unlock(&lister->mutex);
    free_lister(lister);
    return NULL;
}

static const char *variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

struct folder_lister *folder_lister_new(struct transport *transport, struct err *err)
{
    struct folder_lister *lister = mem_zero(1, sizeof(*lister));
    pthread_t thread;
    int outcome;

    lister->transport = transport;
    lister->stores = stores_new(&(struct stores_options){ .variable = variable,
                                                          .patience_ms = PATIENCE_MS,
                                                          .denied_patience_ms = -1,
                                                          .stall_ms = PATIENCE_MS });
    pthread_mutex_init(&lister->mutex, NULL);
    pthread_cond_init(&lister->changed, NULL);
    outcome = pthread_create(&thread, NULL, run, lister);
    if (outcome != 0) {
        free_lister(lister);
        (void)err_errno(err, outcome, "cannot start a thread");
        return NULL;
    }
    pthread_detach(thread); /* it frees the lister: see folder_lister_free() */
    return lister;
}

void folder_lister_free(struct folder_lister *lister)
{
    if (!lister)
        return;
    pthread_mutex_lock(&lister->mutex);
    lister->closing = true;
    pthread_cond_signal(&lister->changed);
    pthread_mutex_unlock(&lister->mutex);
}

static void ask(struct folder_lister *lister, const char *uri, struct inbox_question *take_question,
                void *context)
{
    struct request *request = mem_zero(1, sizeof(*request));

    request->uri = mem_strdup(uri);
    request->question = take_question;
    request->answer.context = context;
    pthread_mutex_lock(&lister->mutex);
    append(&lister->asked, request);
    pthread_cond_signal(&lister->changed);
    pthread_mutex_unlock(&lister->mutex);
}

void folder_lister_ask(struct folder_lister *lister, const char *uri, void *context)
{
    ask(lister, uri, NULL, context);
}

void folder_lister_ask_inbox(struct folder_lister *lister, const char *folder_uri,
                             const struct inbox_question *question, void *context)
{
    ask(lister, folder_uri, inbox_question_copy(question), context);
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
