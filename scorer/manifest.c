#include "scorer/manifest.h"

#include "base/json.h"
#include "base/limits.h"
#include "scorer/checked.h"

static const struct field manifest_items[] = {
    FIELD(struct manifest, version, "version", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = MANIFEST_VERSION, .maximum = MANIFEST_VERSION),
    FIELD(struct manifest, batch, "batch", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct manifest, spec_hash, "specHash", FIELD_STRING),
    FIELD(struct manifest, input, "input", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &input_result_fields),
    FIELD(struct manifest, model, "model", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &model_result_fields),
    FIELD(struct manifest, output, "output", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &output_result_fields),
    FIELD(struct manifest, rows, "rows", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &rows_result_fields),
    FIELD(struct manifest, scores, "scores", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &scores_result_fields),
    FIELD(struct manifest, drift, "drift", FIELD_OBJECT, .table = &drift_result_fields),
    FIELD(struct manifest, score_psi, "scorePSI", FIELD_NUMBER),
    FIELD(struct manifest, warnings, "warnings", FIELD_STRINGS),
};
static const struct fields manifest_fields = FIELDS(struct manifest, manifest_items, .open = true);

char *manifest_text(const struct manifest *manifest)
{
    auto_json json_t *document = fields_encode(&manifest_fields, manifest);
    auto_free char *text = json_dumps(document, JSON_INDENT(2));

    return mem_format("%s\n", text);
}

/* A manifest that cannot be decoded is somebody else's. */
static bool decode(struct span text, struct arena *arena, struct manifest *ret_manifest)
{
    struct err ignored;
    auto_json json_t *document = jx_parse(text, LIMIT_MANIFEST, "manifest", &ignored);

    return document &&
           fields_decode(document, &manifest_fields, "", arena, ret_manifest, &ignored) == 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool is_ours(const struct score_job *job, const struct manifest *manifest)
{
    return same_text(manifest->batch, job->batch) && same_text(manifest->spec_hash, job->spec_hash);
}

static bool same_input(const struct score_job *job, const struct places *places,
                       const struct manifest *manifest)
{
    return same_text(manifest->input->uri, places->input) &&
           (!job->input->generation ||
            same_text(manifest->input->generation, job->input->generation));
}

/* Is the output there with the manifest's sha256? */
static int output_is_whole(const struct manifest *manifest, const struct places *places,
                           struct store *store, bool *ret_whole, struct err *err)
{
    *ret_whole = false;
    if (!places->output_seen.there)
        return 0;
    return checked_verify(store, places->output, manifest->output->bytes, manifest->output->sha256,
                          ret_whole, err);
}

int manifest_judge(const struct score_job *job, const struct places *places, struct store *store,
                   struct arena *arena, enum manifest_verdict *ret_verdict,
                   struct manifest *ret_manifest, struct err *err)
{
    auto_free char *text = NULL;
    size_t length;
    bool whole;

    *ret_verdict = places->output_seen.there ? MANIFEST_OTHERS : MANIFEST_NOTHING;
    if (!places->manifest_seen.there)
        return 0;
    *ret_verdict = MANIFEST_OTHERS;
    if (places->manifest_seen.info.bytes > (int64_t)LIMIT_MANIFEST)
        return 0;
    if (store_get_text(store, places->manifest, LIMIT_MANIFEST, &text, &length, err))
        return -1;
    if (!decode((struct span){ text, length }, arena, ret_manifest) || !is_ours(job, ret_manifest))
        return 0;
    *ret_verdict = MANIFEST_OURS;
    if (!same_input(job, places, ret_manifest))
        return 0;
    if (output_is_whole(ret_manifest, places, store, &whole, err))
        return -1;
    if (whole)
        *ret_verdict = MANIFEST_DONE;
    return 0;
}
