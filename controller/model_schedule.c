#include "base/cron.h"
#include "decision.h"
#include "model_pass.h"

/* The next tick is a time of the wall clock, which may be set: it is looked at this often. */
#define CLOCK_PATIENCE_MS (10 * 60 * 1000)

static void wait_for_tick(const struct model_pass *pass)
{
    int64_t now_ms = pass->view->object.now_ms, tick_s;
    struct cron cron;
    if (cron_parse(pass->spec.retrain->schedule, &cron, NULL) < 0 ||
        !cron_next(&cron, pass->view->zone, now_ms / 1000, &tick_s))
        return;
    int64_t wait_ms = tick_s * 1000 - now_ms;
    plan_requeue(pass->plan, wait_ms < CLOCK_PATIENCE_MS ? wait_ms : CLOCK_PATIENCE_MS);
}

void model_follow_schedule(struct model_pass *pass)
{
    struct model_status *status = &pass->status;
    int64_t now_ms = pass->view->object.now_ms;
    const char *schedule = training_schedule(&pass->spec, pass->arena);
    bool is_same = schedule && status->schedule && strcmp(schedule, status->schedule) == 0;
    bool was_ahead = status->last_schedule_ms > now_ms; /* the clock, which was set back */
    if (!is_same || was_ahead) {
        status->schedule = schedule;
        status->last_schedule_ms = schedule ? now_ms - now_ms % 1000 : 0; /* as it is written */
    }
    if (schedule)
        wait_for_tick(pass);
}

void model_return_tick(struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    if (training->scheduled_ms > 0)
        pass->status.last_schedule_ms = training->scheduled_ms - 1000;
}
