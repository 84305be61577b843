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

/* One of the model's history; NULL: it has none. */
static const char *any_version(struct play *play, struct random *random, const char *model)
{
    const json_t *history =
        jx_get(sim_object(play->sim, "churnmodels", model), "status", "history", NULL);
    size_t count = json_array_size(history);

    return count == 0
               ? NULL
               : jx_string(json_array_get(history, random_below(random, count)), "version", NULL);
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
