/* lister.c - folder_lister.h on the simulated volume: takes the place of the thread that the
 * controller lists folders in, when a program is linked with it. Answers take as long as the test
 * says, and fail when it says so. */
#include "sim/simulation.h"

#include "base/num.h"

#include "folder_lister.h"

struct request {
    struct request *next;
    struct folder_answer answer;
    int64_t due_ms;
};

struct folder_lister {
    struct sim *sim;
    struct request *first;
    struct timer timer; /* only makes time stop where an answer is due */
};

static void tick(void *context)
{
    (void)context;
}

struct folder_lister *folder_lister_new(struct transport *transport,
                                        const struct bucket_access *access, struct err *err)
{
    struct folder_lister *lister = mem_zero(1, sizeof(*lister));
    const struct sim_controller *controller = ((struct fake_network *)transport)->context;

    (void)access, (void)err;
    *lister = (struct folder_lister){ .sim = controller->sim, .timer = { .fire = tick } };
    return lister;
}

void folder_answer_release(struct folder_answer *answer)
{
    free(answer->newest_uri);
    free(answer->generation);
    inbox_files_release(&answer->inbox);
    *answer = (struct folder_answer){ 0 };
}

void folder_lister_free(struct folder_lister *lister)
{
    if (!lister)
        return;
    while (lister->first) {
        struct request *request = lister->first;

        lister->first = request->next;
        folder_answer_release(&request->answer);
        free(request);
    }
    timer_stop(&lister->sim->timers, &lister->timer);
    free(lister);
}

static void put_file(const struct volume *volume, const char *folder_uri, const char *uri,
                     int64_t change, const struct inbox_question *question,
                     struct inbox_files *files)
{
    char time[NUM_TIME_TEXT];
    char *key auto_free = NULL, *manifest auto_free = mem_format("%s.manifest.json", uri);
    const char *name = uri + strlen(folder_uri);

    if (strncmp(uri, folder_uri, strlen(folder_uri)) != 0 || strchr(name, '/') ||
        volume_read(volume, manifest))
        return;
    num_format_nano_time(change, time);
    key = mem_format("%s %s", time, name);
    if (inbox_files_want(files, question, key))
        inbox_files_put(files, question, key, name, volume_generation(volume, uri));
}

static void answer(struct sim *sim, const char *folder_uri, const struct inbox_question *question,
                   struct folder_answer *answer)
{
    const char *newest = volume_newest(&sim->volume, folder_uri), *uri;
    json_t *file;

    if (sim->listing_fails) {
        (void)err_set(&answer->failure, ERR_IO, "%s: Input/output error", folder_uri);
    } else if (question) {
        json_object_foreach(sim->volume.files, uri, file) put_file(
            &sim->volume, folder_uri, uri, jx_int(file, "change", 0), question, &answer->inbox);
    } else if (newest) {
        answer->newest_uri = mem_strdup(newest);
        answer->generation = mem_strdup(volume_generation(&sim->volume, newest));
        answer->bytes = 1000;
    }
}

/* The folder is read when it is asked for: a slow answer is an old one. */
void folder_lister_ask(struct folder_lister *lister, const char *folder_uri,
                       const struct inbox_question *question, struct bucket_keys *take_keys,
                       void *context)
{
    struct sim *sim = lister->sim;
    struct request *request = mem_zero(1, sizeof(*request)), **end = &lister->first;

    bucket_keys_free(take_keys);
    request->answer.context = context;
    request->due_ms = sim->now_ms + sim->listing_ms;
    answer(sim, folder_uri, question, &request->answer);
    while (*end)
        end = &(*end)->next;
    *end = request;
    timer_set(&sim->timers, &lister->timer, sim->listing_ms);
}

bool folder_lister_take(struct folder_lister *lister, struct folder_answer *ret_answer)
{
    struct request *request = lister->first;

    if (!request || request->due_ms > lister->sim->now_ms)
        return false;
    lister->first = request->next;
    *ret_answer = request->answer;
    free(request);
    if (lister->first)
        timer_set(&lister->sim->timers, &lister->timer,
                  lister->first->due_ms - lister->sim->now_ms);
    return true;
}
