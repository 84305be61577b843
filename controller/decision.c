#include "base/cron.h"
#include "contract/reasons.h"
#include "decision.h"

static bool same_text(const char *left, const char *right)
{
    return strcmp(left ? left : "", right ? right : "") == 0;
}

static bool is_same_data(const struct data_source *data, const struct training_inputs *inputs)
{
    return data && same_text(data->uri, inputs->data_uri) &&
           same_text(data->generation, inputs->data_generation);
}

const char *training_due(const struct model_spec *spec, const struct model_status *status,
                         const struct training_inputs *inputs)
{
    const struct last_training *last = status->last_training;
    char spec_hash[IDENTITY_KEY];
    if (!last)
        return REASON_First;
    if (model_retrains_on(spec, "ImageDigest") &&
        !same_text(last->image_digest, inputs->image_digest))
        return REASON_ImageDigestChanged;
    identity_training_spec(&spec->training, spec_hash);
    if (model_retrains_on(spec, "Spec") && !same_text(last->spec_hash, spec_hash))
        return REASON_SpecChanged;
    if (inputs->data_uri && !is_same_data(last->data, inputs))
        return REASON_DataChanged;
    if (inputs->scheduled_ms > 0)
        return REASON_Scheduled;
    if (!same_text(last->token, spec->retrain->token))
        return REASON_Token;
    return NULL;
}

void training_use_data(const struct model_spec *spec, const char *uri, const char *generation,
                       struct training_inputs *inputs)
{
    if (!model_retrains_on(spec, "Data"))
        return;
    inputs->data_uri = uri;
    inputs->data_generation = generation;
}

const char *training_schedule(const struct model_spec *spec, struct arena *arena)
{
    if (!model_retrains_on(spec, "Schedule"))
        return NULL;
    return arena_format(arena, "%s %s", spec->retrain->schedule, spec->retrain->time_zone);
}

int64_t training_tick(const struct model_spec *spec, const struct model_status *status,
                      const struct zone *zone, int64_t now_ms)
{
    auto_arena struct arena arena = { 0 };
    const char *schedule = training_schedule(spec, &arena);
    struct cron cron;
    int64_t tick_s;
    if (!schedule || !zone || !same_text(schedule, status->schedule) ||
        cron_parse(spec->retrain->schedule, &cron, NULL) < 0 ||
        !cron_last(&cron, zone, status->last_schedule_ms / 1000, now_ms / 1000, &tick_s))
        return 0;
    if (status->last_training && status->last_training->scheduled_ms == tick_s * 1000)
        return 0; /* the clock was set back after it */
    return tick_s * 1000;
}

const char *trainer_image(const struct model_spec *spec, const char *default_image)
{
    return spec->image ? spec->image : default_image;
}
