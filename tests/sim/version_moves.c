/* version_moves.c - which version is in use, and when the next one is trained: pins and schedules.
 */
#include "sim/play.h"

#define UNKNOWN_VERSION "0123456789abcdef"

static const struct subject *any_model(struct random *random)
{
    const struct subject *subject;

    do
        subject = any_subject(random);
    while (!subject_is_model(subject));
    return subject;
}

/* One of the model's history; NULL: it has none. Chance goes on as far in any case. */
static const char *any_version(struct play *play, struct random *random, const char *model)
{
    const json_t *history =
        jx_get(sim_object(play->sim, "churnmodels", model), "status", "history", NULL);
    size_t count = json_array_size(history);
    uint64_t choice = random_next(random) >> 8;

    return count == 0 ? NULL : jx_string(json_array_get(history, choice % count), "version", NULL);
}

/* Models are pinned and unpinned, and batches name a version. */
void move_pin(struct play *play, struct random *random)
{
    const struct subject *subject = any_subject(random);
    const char *model = subject->name, *version = NULL;
    char *patch auto_free = NULL;
    uint64_t choice = random_below(random, 10);

    if (!subject_is_model(subject))
        model = jx_string(sim_object(play->sim, subject->plural, subject->name), "spec", "modelRef",
                          "name", NULL);
    if (choice == 0)
        version = UNKNOWN_VERSION;
    else if (choice < 7 && model)
        version = any_version(play, random, model);
    patch = mem_format("{'spec':{'%s':'%s'}}",
                       subject_is_model(subject) ? "pinnedVersion" : "modelVersion",
                       version ? version : "");
    subject_edit(play, subject, patch);
}

/* A batch of the model that is not finished: it names a version and does not begin, or it began
 * and was suspended. */
static void hold_version(struct play *play, struct random *random, const char *model)
{
    const struct subject *subject;
    const char *version = any_version(play, random, model);
    bool begins = random_below(random, 2) == 0;
    char *path auto_free = NULL, *patch auto_free = NULL;

    do
        subject = any_subject(random);
    while (subject_is_model(subject));
    path = subject_path(subject);
    (void)sim_ask(play->sim, "DELETE", path, NULL);
    subject_create(play, subject);
    patch = mem_format("{'spec':{'modelRef':{'name':'%s'},'modelVersion':'%s','suspend':%s}}",
                       model, begins || !version ? "" : version, begins ? "false" : "true");
    subject_edit(play, subject, patch);
    sim_run(play->sim, 3 * SECOND);
    subject_edit(play, subject, "{'spec':{'suspend':true}}");
}

static void pin_version(struct play *play, struct random *random, const struct subject *subject)
{
    const char *version = any_version(play, random, subject->name);
    char *patch auto_free = mem_format("{'spec':{'pinnedVersion':'%s'}}", version ? version : "");

    subject_edit(play, subject, patch);
}

static void train(struct play *play, struct random *random, const struct subject *subject, int keep)
{
    static const char *const promotions[] = { "null", "null", "{'minimum':'0.99'}",
                                              "{'minImprovement':'0.5'}" };
    const char *promotion = promotions[random_below(random, ARRAY_SIZE(promotions))];
    uint64_t seed = random_below(random, 100000);
    char *patch auto_free =
        mem_format("{'spec':{'suspend':false,'artifacts':{'keep':%d},"
                   "'promotion':%s,'seed':%" PRIu64 ",'retrain':{'token':'%" PRIu64 "'}}}",
                   keep, promotion, seed, seed);

    subject_edit(play, subject, patch);
}

/* One after the other, so that versions get old and are deleted; some are still needed, or are
 * pinned while a training is at work that may delete them. */
void move_trainings(struct play *play, struct random *random)
{
    const struct subject *subject = any_model(random);
    uint64_t holds = random_below(random, 4), count = 2 + random_below(random, 2);
    int keep = holds == 2 ? 2 : 1;

    subject_create(play, subject);
    for (uint64_t i = 0; i <= count; i++) {
        train(play, random, subject, keep);
        sim_run(play->sim, 3 * SECOND);
        if (holds == 2 && i == count)
            pin_version(play, random, subject);
        sim_run(play->sim, 37 * SECOND);
        if (holds < 2 && i == 0)
            hold_version(play, random, subject->name);
    }
}

/* --- schedules -------------------------------------------------------------------------------- */

static const struct {
    const char *schedule;
    int minutes;
} schedules[] = {
    { "*/7 * * * *", 7 },
    { "*/12 * * * *", 12 },
    { "30 2 * * *", 0 }, /* comes twice, or not at all, when clocks are changed */
};

int user_schedule_minutes(const char *schedule)
{
    for (size_t i = 0; i < ARRAY_SIZE(schedules); i++)
        if (schedule && strcmp(schedules[i].schedule, schedule) == 0)
            return schedules[i].minutes;
    return -1;
}

void move_schedule(struct play *play, struct random *random)
{
    static const char *const zones[] = { "Europe/Berlin", "Asia/Kolkata", "Etc/UTC" };
    const struct subject *subject = any_model(random);
    const char *schedule = schedules[random_below(random, ARRAY_SIZE(schedules))].schedule;
    const char *zone = zones[random_below(random, ARRAY_SIZE(zones))];
    char *patch auto_free =
        mem_format("{'spec':{'retrain':{'on':['ImageDigest','Spec','Schedule'],'schedule':'%s',"
                   "'timeZone':'%s'}}}",
                   schedule, zone);

    subject_edit(play, subject, random_below(random, 4) > 0 ? patch : "{'spec':{'retrain':null}}");
}
