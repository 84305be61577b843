#include "contract/identity.h"
#include "contract/reasons.h"
#include "decision.h"

static bool same_text(const char *left, const char *right)
{
    return strcmp(left ? left : "", right ? right : "") == 0;
}

const char *training_due(const struct model_spec *spec, const struct model_status *status,
                         const char *image_digest)
{
    const struct last_training *last = status->last_training;
    char spec_hash[IDENTITY_KEY];
    if (!last)
        return REASON_First;
    if (model_retrains_on(spec, "ImageDigest") && !same_text(last->image_digest, image_digest))
        return REASON_ImageDigestChanged;
    identity_training_spec(&spec->training, spec_hash);
    if (model_retrains_on(spec, "Spec") && !same_text(last->spec_hash, spec_hash))
        return REASON_SpecChanged;
    if (!same_text(last->token, spec->retrain->token))
        return REASON_Token;
    return NULL;
}

const char *trainer_image(const struct model_spec *spec, const char *default_image)
{
    return spec->image ? spec->image : default_image;
}
