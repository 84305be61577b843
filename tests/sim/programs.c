#include "sim/programs.h"

#include <inttypes.h>
#include <string.h>

#include "base/sha256.h"
#include "contract/exit_code.h"
#include "contract/job.h"

#define VERSION_LENGTH 16

/* --- the volume -------------------------------------------------------------------- */

void volume_init(struct volume *volume, const int64_t *now_ms)
{
    *volume = (struct volume){ .files = json_object(), .times = json_object(), .now_ms = now_ms };
}

void volume_release(struct volume *volume)
{
    json_decref(volume->files);
    json_decref(volume->times);
    free(volume->offence);
    *volume = (struct volume){ 0 };
}

void volume_write(struct volume *volume, const char *uri, const char *content)
{
    int64_t change = ++volume->changes;
    json_t *file = json_pack("{ss so sI}", "content", content, "generation",
                             json_sprintf("%" PRId64, change), "change", (json_int_t)change);

    json_object_set_new(volume->times, jx_string(file, "generation", NULL),
                        json_integer(*volume->now_ms));
    json_object_set_new(volume->files, uri, file);
}

void volume_remove(struct volume *volume, const char *uri)
{
    json_object_del(volume->files, uri);
}

const char *volume_read(const struct volume *volume, const char *uri)
{
    return jx_string(volume->files, uri, "content", NULL);
}

const char *volume_generation(const struct volume *volume, const char *uri)
{
    return jx_string(volume->files, uri, "generation", NULL);
}

static bool is_in(const char *uri, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(uri, folder, length) == 0 &&
           (folder[length - 1] == '/' ? !strchr(uri + length, '/') : uri[length] == '\0');
}

const char *volume_newest(const struct volume *volume, const char *uri)
{
    const char *at, *newest = NULL;
    json_t *file;
    int64_t newest_change = -1;

    json_object_foreach(volume->files, at, file)
    {
        int64_t change = jx_int(file, "change", 0);

        if (is_in(at, uri) && change > newest_change) {
            newest = at;
            newest_change = change;
        }
    }
    return newest;
}

static void offend(struct volume *volume, const char *what, const char *uri)
{
    if (!volume->offence)
        volume->offence = mem_format("%s: %s", what, uri);
}

/* --- what both programs do ------------------------------------------------------------ */

/* One line on the way out. */
static int fail(int exit_code, const char *reason, const char *message, char **ret_result)
{
    json_t *result auto_json = json_pack("{ss si ss ss}", "outcome", "Failed", "exitCode",
                                         exit_code, "reason", reason, "message", message);

    *ret_result = jx_canonical(result);
    return exit_code;
}

/* The content of a data file; NULL, with an exit code, when it cannot be used. */
static const char *open_data(const struct volume *volume, const json_t *source, int *ret_exit_code,
                             char **ret_result)
{
    const char *uri = jx_string(source, "uri", NULL);
    const char *generation = jx_string(source, "generation", NULL);
    const char *content = volume_read(volume, uri);

    if (!content)
        *ret_exit_code = fail(EXIT_CODE_INPUT, "InputNotFound", uri, ret_result);
    else if (generation && strcmp(generation, volume_generation(volume, uri)) != 0)
        *ret_exit_code = fail(EXIT_CODE_INPUT, "InputChanged", uri, ret_result);
    else if (strncmp(content, "bad", 3) == 0)
        *ret_exit_code = fail(EXIT_CODE_DATA, "DataInvalid", uri, ret_result);
    else
        return content;
    return NULL;
}

/* --- the trainer -------------------------------------------------------------------------- */

/* What decides the bytes of a model: data, fields, and the program. */
static void version_of(const char *image, const json_t *document, const char *content,
                       char ret_version[VERSION_LENGTH + 1])
{
    static const char *const others[] = { "runKey",       "artifacts", "keep",
                                          "keepVersions", "champion",  "promotion" };
    json_t *hashed auto_json = json_deep_copy(document);
    char *text auto_free = NULL;
    char hex[SHA256_HEX];

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        json_object_del(hashed, others[i]);
    json_object_del(json_object_get(hashed, "data"), "uri");
    json_object_del(json_object_get(hashed, "data"), "generation");
    json_object_set_new(hashed, "content", json_string(content));
    json_object_set_new(hashed, "image", json_string(image));
    text = jx_canonical(hashed);
    sha256_of(span_of(text), hex);
    memcpy(ret_version, hex, VERSION_LENGTH);
    ret_version[VERSION_LENGTH] = '\0';
}

/* Whoever learns from good data is better than whoever was there before. */
static const char *auc_of(const char *content)
{
    return strncmp(content, "poor", 4) == 0 ? "0.61" : "0.87";
}

static json_t *comparison_of(const json_t *document, const char *version, const char *content)
{
    const char *champion = jx_string(document, "champion", "version", NULL);
    const char *metric = jx_string(document, "promotion", "metric", NULL);

    if (!champion || strcmp(champion, version) == 0)
        return NULL;
    return json_pack("{ss ss ss si}", "metric", metric ? metric : "auc", "challenger",
                     auc_of(content), "champion", "0.86", "rows", 200);
}

/* Publishing over equal content is success; over other content it is an offence. */
static void publish(struct volume *volume, const char *folder, const char *content)
{
    char *model auto_free = mem_format("%smodel.json", folder);
    char *metrics auto_free = mem_format("%smetrics.json", folder);
    const char *there = volume_read(volume, model);

    if (there && strcmp(there, content) != 0)
        offend(volume, "a version was written with other content", model);
    if (!there) {
        volume_write(volume, metrics, content);
        volume_write(volume, model, content);
        volume->versions_written++;
    }
}

static char *folder_of(const json_t *document)
{
    const char *model = jx_string(document, "model", NULL);
    const char *slash = strchr(model, '/');

    return mem_format("%s%.*s.%s/", jx_string(document, "artifacts", "uri", NULL),
                      (int)(slash - model), model, slash + 1);
}

static bool is_kept(const json_t *document, const char *version)
{
    const char *champion = jx_string(document, "champion", "version", NULL);
    const json_t *kept;
    size_t i;

    json_array_foreach(jx_get(document, "keepVersions", NULL), i, kept)
    {
        if (strcmp(json_string_value(kept), version) == 0)
            return true;
    }
    return champion && strcmp(champion, version) == 0;
}

/* The version that a file is the model.json of, in the folder of all versions. */
static bool is_version(const char *uri, const char *base, char ret_version[VERSION_LENGTH + 1])
{
    size_t length = strlen(base);

    if (strncmp(uri, base, length) != 0 || strlen(uri + length) < VERSION_LENGTH ||
        strcmp(uri + length + VERSION_LENGTH, "/model.json") != 0)
        return false;
    memcpy(ret_version, uri + length, VERSION_LENGTH);
    ret_version[VERSION_LENGTH] = '\0';
    return true;
}

/* The oldest version that nothing protects goes, when there are more than job.keep of them. */
static bool delete_oldest(struct volume *volume, const json_t *document, const char *base,
                          const char *made)
{
    char version[VERSION_LENGTH + 1], oldest[VERSION_LENGTH + 1] = "";
    int64_t count = 0, oldest_change = INT64_MAX;
    char *model auto_free = NULL, *metrics auto_free = NULL;
    const char *uri;
    json_t *file;

    json_object_foreach(volume->files, uri, file)
    {
        int64_t change = jx_int(file, "change", 0);

        if (!is_version(uri, base, version) || strcmp(version, made) == 0 ||
            is_kept(document, version))
            continue;
        count++;
        if (change < oldest_change) {
            oldest_change = change;
            memcpy(oldest, version, sizeof(oldest));
        }
    }
    if (count <= jx_int(document, "keep", 5))
        return false;
    if (volume->on_delete)
        volume->on_delete(volume->context, jx_string(document, "model", NULL), oldest);
    model = mem_format("%s%s/model.json", base, oldest);
    metrics = mem_format("%s%s/metrics.json", base, oldest);
    volume_remove(volume, model);
    volume_remove(volume, metrics);
    return true;
}

static int train(struct volume *volume, const char *image, const json_t *document,
                 char **ret_result)
{
    char version[VERSION_LENGTH + 1], sha256[SHA256_HEX];
    char *base auto_free = folder_of(document), *folder auto_free = NULL;
    char *record auto_free =
        mem_format("%sruns/%s.json", base, jx_string(document, "runKey", NULL));
    json_t *result auto_json = NULL;
    int exit_code = 0;
    const char *content =
        open_data(volume, json_object_get(document, "data"), &exit_code, ret_result);
    bool known;

    if (!content)
        return exit_code;
    sha256_of(span_of(content), sha256);
    known = volume_read(volume, record) && strcmp(volume_read(volume, record), sha256) == 0;
    version_of(image, document, content, version);
    folder = mem_format("%s%s/", base, version);
    publish(volume, folder, content);
    if (!known)
        volume_write(volume, record, sha256);
    while (delete_oldest(volume, document, base, version))
        ;
    result = json_pack("{ss s{ss ss ss ss ss si ss} s[{ss ss}] so*}", "outcome",
                       known ? "Reused" : "Trained", "model", "version", version, "uri", folder,
                       "sha256", sha256, "dataURI", jx_string(document, "data", "uri", NULL),
                       "dataSHA256", sha256, "rows", 1000, "algorithm", "GradientBoosting",
                       "metrics", "name", "auc", "value", auc_of(content), "comparison",
                       comparison_of(document, version, content));
    *ret_result = jx_canonical(result);
    return 0;
}

/* --- the scorer --------------------------------------------------------------------------- */

static char *manifest_of(const json_t *document)
{
    return mem_format("%s.manifest.json", jx_string(document, "output", "uri", NULL));
}

/* What an output is the output of. */
static char *identity_of(const json_t *document)
{
    json_t *identity auto_json = json_pack(
        "{sO sO sO}", "batch", json_object_get(document, "batch"), "specHash",
        json_object_get(document, "specHash"), "input", json_object_get(document, "input"));

    return jx_canonical(identity);
}

static json_t *score_result(const json_t *document, const char *outcome, const char *version)
{
    const char *output = jx_string(document, "output", "uri", NULL);
    char sha256[SHA256_HEX];

    sha256_of(span_of(output), sha256);
    return json_pack("{ss s{ss} s{ss* ss si} s{ss si ss} s{si si si} s{si ss}}", "outcome", outcome,
                     "model", "version", version, "input", "generation",
                     jx_string(document, "input", "generation", NULL), "sha256", sha256, "bytes",
                     10, "output", "uri", output, "bytes", 20, "sha256", sha256, "rows", "read", 5,
                     "scored", 4, "rejected", 1, "scores", "aboveThreshold", 2, "mean", "0.2");
}

/* The version that scored, when this very output is there; NULL: it is not. */
static const char *find_output(const struct volume *volume, const json_t *document)
{
    char *manifest auto_free = manifest_of(document), *identity auto_free = identity_of(document);
    const char *there = volume_read(volume, manifest);
    const char *output = volume_read(volume, jx_string(document, "output", "uri", NULL));

    return there && output && strcmp(there, identity) == 0 ? output : NULL;
}

/* Whether the input can be scored; else the exit code. */
static int check_input(const struct volume *volume, const json_t *document, char **ret_result)
{
    char *model auto_free = mem_format("%smodel.json", jx_string(document, "model", "uri", NULL));
    int exit_code = 0;

    if (!volume_read(volume, model))
        return fail(EXIT_CODE_INPUT, "InputNotFound", model, ret_result);
    (void)open_data(volume, json_object_get(document, "input"), &exit_code, ret_result);
    return exit_code;
}

/* --- shards --- */

static char *part_of(const struct score_job *job, int64_t index, struct arena *arena)
{
    return mem_format("%spart-%05" PRId64 ".csv",
                      job->parts ? job->parts : score_job_parts(job, arena), index);
}

static int write_part(struct volume *volume, const json_t *document, const struct score_job *job,
                      int64_t index, char **ret_result)
{
    struct arena arena auto_arena = { 0 };
    char *part auto_free = part_of(job, index, &arena);
    int exit_code = check_input(volume, document, ret_result);

    if (exit_code != 0)
        return exit_code;
    if (!volume_read(volume, part))
        volume_write(volume, part, job->model->version);
    *ret_result = mem_format("{\"outcome\": \"Part\", \"rows\": {\"read\": 2, \"scored\": 2, "
                             "\"rejected\": 0}, \"shard\": {\"index\": %" PRId64 "}}",
                             index);
    return 0;
}

static int discard(struct volume *volume, const struct score_job *job, char **ret_result)
{
    for (int64_t i = 0; i < job->shard->count; i++) {
        struct arena arena auto_arena = { 0 };
        char *part auto_free = part_of(job, i, &arena);

        volume_remove(volume, part);
    }
    *ret_result = mem_strdup("{\"outcome\": \"Discarded\"}");
    return 0;
}

/* NULL: they are all there; else the one that is missing, new text. */
static char *missing_part(const struct volume *volume, const struct score_job *job)
{
    struct arena arena auto_arena = { 0 };

    for (int64_t i = 0; job->parts && i < job->shard->count; i++) {
        char *part = part_of(job, i, &arena);

        if (!volume_read(volume, part))
            return part;
        free(part);
    }
    return NULL;
}

/* --- whole outputs --- */

static bool has_drifted(const struct volume *volume, const struct score_job *job)
{
    const char *content = volume_read(volume, job->input->uri);

    return job->scoring.drift->fail.text && job->scoring.drift->fail.value < 0.5 && content &&
           strncmp(content, "drifted", 7) == 0;
}

static int write_output(struct volume *volume, const json_t *document, const struct score_job *job,
                        char **ret_result)
{
    const char *output = job->output->uri;
    char *manifest auto_free = manifest_of(document), *identity auto_free = identity_of(document);
    char *missing auto_free = missing_part(volume, job);
    int exit_code = job->parts ? 0 : check_input(volume, document, ret_result);

    if (volume_read(volume, output) && !job->output->overwrite) {
        free(TAKE(*ret_result));
        return fail(EXIT_CODE_OUTPUT, "OutputExists", output, ret_result);
    }
    if (missing)
        return fail(EXIT_CODE_INPUT, "InputNotFound", missing, ret_result);
    if (exit_code != 0)
        return exit_code;
    if (has_drifted(volume, job))
        return fail(EXIT_CODE_DATA, "DriftExceeded", job->input->uri, ret_result);
    volume_write(volume, manifest, identity);
    volume_write(volume, output, job->model->version);
    volume->outputs_written++;
    return 0;
}

static int score(struct volume *volume, const json_t *document, int64_t index, char **ret_result)
{
    struct arena arena auto_arena = { 0 };
    struct score_job job;
    struct err err;
    const char *made_with = find_output(volume, document);
    json_t *result auto_json = NULL;
    char *ignored auto_free = NULL;
    int exit_code;

    if (score_job_decode(document, &arena, &job, &err) < 0)
        return fail(EXIT_CODE_USAGE, "UsageError", err.message, ret_result);
    if (job.discard)
        return discard(volume, &job, ret_result);
    if (job.shard->count > 1 && !job.parts && !made_with)
        return write_part(volume, document, &job, index, ret_result);
    if (!made_with && (exit_code = write_output(volume, document, &job, ret_result)) != 0)
        return exit_code;
    result = score_result(document, made_with ? "Reused" : "Scored",
                          made_with ? made_with : job.model->version);
    *ret_result = jx_canonical(result);
    if (job.parts)
        (void)discard(volume, &job, &ignored);
    return 0;
}

int program_run(struct volume *volume, const char *image, const json_t *document, int64_t index,
                char **ret_result)
{
    const char *kind = jx_string(document, "kind", NULL);

    *ret_result = NULL;
    return strcmp(kind ? kind : "", "Train") == 0 ? train(volume, image, document, ret_result)
                                                  : score(volume, document, index, ret_result);
}
