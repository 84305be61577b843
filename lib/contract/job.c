#include "base/json.h"
#include "base/limits.h"
#include "contract/identity.h"
#include "contract/job.h"
#include "contract/reasons.h"

static const char *const train_kind_names[] = { "Train", NULL };
static const char *const score_kind_names[] = { "Score", "Compose", NULL };

#define ARTIFACTS_URI                                                                              \
    FIELD(struct artifacts_spec, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED,                \
          .maximum = 1024, .check = check_folder_uri)
#define KEEP_FIELD(type)                                                                           \
    FIELD(type, keep, "keep", FIELD_INT, .fallback = KEEP_DEFAULT, .minimum = 1,                   \
          .maximum = KEEP_MAXIMUM)

static const struct field artifacts_spec_items[] = { ARTIFACTS_URI };
const struct fields artifacts_spec_fields = FIELDS(struct artifacts_spec, artifacts_spec_items);

static const struct field model_artifacts_items[] = { ARTIFACTS_URI,
                                                      KEEP_FIELD(struct artifacts_spec) };
const struct fields model_artifacts_fields = FIELDS(struct artifacts_spec, model_artifacts_items);

static const struct field model_source_items[] = {
    FIELD(struct model_source, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_folder_uri),
    FIELD(struct model_source, version, "version", FIELD_STRING, .check = check_version),
};
static const struct fields model_source_fields = FIELDS(struct model_source, model_source_items);

static const struct field champion_items[] = {
    FIELD(struct model_source, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct model_source, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_folder_uri),
};
static const struct fields champion_fields = FIELDS(struct model_source, champion_items);

static const struct field train_job_items[] = {
    FIELD(struct train_job, version, "version", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = JOB_VERSION, .maximum = JOB_VERSION),
    FIELD(struct train_job, kind, "kind", FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .names = train_kind_names),
    FIELD(struct train_job, model, "model", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_object),
    FIELD(struct train_job, run_key, "runKey", FIELD_STRING, .check = check_key),
    TRAINING_FIELDS(struct train_job, training, train_data_fields),
    FIELD(struct train_job, artifacts, "artifacts", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &artifacts_spec_fields),
    KEEP_FIELD(struct train_job),
    FIELD(struct train_job, keep_versions, "keepVersions", FIELD_STRINGS,
          .maximum = KEEP_VERSIONS_MAXIMUM, .check = check_version),
    FIELD(struct train_job, champion, "champion", FIELD_OBJECT, .table = &champion_fields),
    FIELD(struct train_job, promotion, "promotion", FIELD_OBJECT, .flags = FIELD_ALWAYS,
          .table = &promotion_metric_fields),
};
const struct fields train_job_fields = FIELDS(struct train_job, train_job_items);

static const struct field input_source_items[] = {
    FIELD(struct input_source, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_uri),
    FIELD(struct input_source, generation, "generation", FIELD_STRING, .flags = FIELD_NONEMPTY,
          .maximum = 256, .check = check_line),
};
static const struct fields input_source_fields = FIELDS(struct input_source, input_source_items);

static const struct field shard_spec_items[] = {
    FIELD(struct shard_spec, count, "count", FIELD_INT, .fallback = "1", .minimum = 1,
          .maximum = SHARDS_MAXIMUM),
};
static const struct fields shard_spec_fields = FIELDS(struct shard_spec, shard_spec_items);

static const struct field score_job_items[] = {
    FIELD(struct score_job, version, "version", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = JOB_VERSION, .maximum = JOB_VERSION),
    FIELD(struct score_job, kind, "kind", FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .names = score_kind_names),
    FIELD(struct score_job, batch, "batch", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_object),
    FIELD(struct score_job, spec_hash, "specHash", FIELD_STRING, .check = check_key),
    FIELD(struct score_job, model, "model", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &model_source_fields),
    FIELD(struct score_job, input, "input", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &input_source_fields),
    FIELD(struct score_job, output, "output", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &output_spec_fields),
    SCORING_FIELDS(struct score_job, scoring),
    FIELD(struct score_job, shard, "shard", FIELD_OBJECT, .flags = FIELD_ALWAYS,
          .table = &shard_spec_fields),
    FIELD(struct score_job, parts, "parts", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_folder_uri),
    FIELD(struct score_job, discard, "discard", FIELD_BOOL, .fallback = "false"),
};
const struct fields score_job_fields = FIELDS(struct score_job, score_job_items);

static int usage_error(const struct err *why, struct err *err)
{
    return err_reason(err, ERR_INVALID, REASON_UsageError, "%s", why->message);
}

/* Kind and version come first: without them the other members mean nothing. */
static int check_head(const json_t *document, const char *const *kinds, struct err *err)
{
    const char *found = jx_string(document, "kind", NULL);
    bool known = false;
    for (size_t i = 0; found && kinds[i]; i++)
        known |= strcmp(found, kinds[i]) == 0;
    if (!known)
        return err_reason(err, ERR_INVALID, REASON_UsageError,
                          "kind: must be \"%s\"%s%s%s for this program, not \"%s\"", kinds[0],
                          kinds[1] ? " or \"" : "", kinds[1] ? kinds[1] : "", kinds[1] ? "\"" : "",
                          found ? found : "");
    int64_t version = jx_int(document, "version", 0);
    if (version != JOB_VERSION)
        return err_reason(err, ERR_INVALID, REASON_UsageError,
                          "version: must be %d, the only one this program knows", JOB_VERSION);
    return 0;
}

int train_job_decode(const json_t *document, struct arena *arena, struct train_job *ret_job,
                     struct err *err)
{
    struct train_job job;
    struct err why;
    if (check_head(document, train_kind_names, err) < 0)
        return -1;
    if (fields_decode(document, &train_job_fields, "", arena, &job, &why) < 0 ||
        training_spec_check(&job.training, "", &why) < 0)
        return usage_error(&why, err);
    *ret_job = job;
    return 0;
}

/* The rules between members that the table cannot say. */
static int check_score_job(const struct score_job *job, struct err *err)
{
    if (job->kind == SCORE_COMPOSE && !job->parts)
        return err_set(err, ERR_INVALID, "parts: is required with kind Compose");
    if (job->kind != SCORE_COMPOSE && job->parts)
        return err_set(err, ERR_INVALID, "parts: only with kind Compose");
    if (job->kind != SCORE_COMPOSE && job->discard)
        return err_set(err, ERR_INVALID, "discard: only with kind Compose");
    if ((job->kind == SCORE_COMPOSE || job->shard->count > 1) &&
        check_file_uri(job->input->uri, NULL))
        return err_set(err, ERR_INVALID,
                       "input.uri: must name a file, not a folder, for a sharded run");
    return 0;
}

int score_job_decode(const json_t *document, struct arena *arena, struct score_job *ret_job,
                     struct err *err)
{
    struct score_job job;
    struct err why;
    if (check_head(document, score_kind_names, err) < 0)
        return -1;
    if (fields_decode(document, &score_job_fields, "", arena, &job, &why) < 0 ||
        check_score_job(&job, &why) < 0)
        return usage_error(&why, err);
    *ret_job = job;
    return 0;
}

/* A document that is not there is a usage error too: exit code 64, not 66. Trouble with
 * reading it is not: another attempt may have none. */
static json_t *read_document(const char *path, struct err *err)
{
    struct err why;
    json_t *document = jx_parse_file(path, LIMIT_JOB_DOCUMENT, &why);
    if (document)
        return document;
    if (why.kind == ERR_NOT_FOUND || why.kind == ERR_INVALID || why.kind == ERR_TOO_BIG)
        usage_error(&why, err);
    else
        *err = why;
    return NULL;
}

int train_job_read(const char *path, struct arena *arena, struct train_job *ret_job,
                   struct err *err)
{
    auto_json json_t *document = read_document(path, err);
    if (!document)
        return -1;
    if (train_job_decode(document, arena, ret_job, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

int score_job_read(const char *path, struct arena *arena, struct score_job *ret_job,
                   struct err *err)
{
    auto_json json_t *document = read_document(path, err);
    if (!document)
        return -1;
    if (score_job_decode(document, arena, ret_job, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

const char *score_job_parts(const struct score_job *job, struct arena *arena)
{
    char key[IDENTITY_KEY];
    identity_parts(job->spec_hash, job->model->version, job->input->uri, job->input->generation,
                   job->shard->count, key);
    return arena_format(arena, "%s.parts/%s/", job->output->uri, key);
}

json_t *train_job_encode(const struct train_job *job)
{
    struct train_job document = *job;
    document.version = JOB_VERSION;
    document.kind = 0;
    return fields_encode(&train_job_fields, &document);
}

json_t *score_job_encode(const struct score_job *job)
{
    struct score_job document = *job;
    document.version = JOB_VERSION;
    return fields_encode(&score_job_fields, &document);
}
