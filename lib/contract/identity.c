#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "contract/identity.h"

#define JOB_NAME_PREFIX 40 /* of the owner's name; "-t" and 10 digits make 52 */
#define JOB_NAME_DIGITS 10

/* With two '-' these make 63. */
#define BATCH_NAME_MODEL  20
#define BATCH_NAME_FILE   31
#define BATCH_NAME_DIGITS 10

static void add_text(struct sha256 *hash, const char *text)
{
    sha256_add_part(hash, span_of(text ? text : ""));
}

static void add_number(struct sha256 *hash, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    add_text(hash, text);
}

static void add_json(struct sha256 *hash, json_t *take_value)
{
    auto_json json_t *value = take_value;
    auto_free char *text = jx_canonical(value);
    add_text(hash, text);
}

/* The first digits of the hash, with NUL: ret_text has size bytes. */
static void finish(struct sha256 *hash, char *ret_text, size_t size)
{
    char hex[SHA256_HEX];
    sha256_hex(hash, hex);
    memcpy(ret_text, hex, size - 1);
    ret_text[size - 1] = '\0';
}

void identity_training_spec(const struct training_spec *spec, char ret_key[IDENTITY_KEY])
{
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "training-spec");
    add_json(&hash, fields_encode(&training_spec_fields, spec));
    finish(&hash, ret_key, IDENTITY_KEY);
}

void identity_training_run(const char *spec_hash, const char *token,
                           const struct training_inputs *inputs, char ret_key[IDENTITY_KEY])
{
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "training-run");
    add_text(&hash, spec_hash);
    add_text(&hash, token);
    add_text(&hash, inputs->image_digest);
    if (inputs->data_uri) { /* what is not used leaves the keys alone that are there */
        add_text(&hash, "data");
        add_text(&hash, inputs->data_uri);
        add_text(&hash, inputs->data_generation);
    }
    if (inputs->scheduled_ms > 0) {
        add_text(&hash, "schedule");
        add_number(&hash, inputs->scheduled_ms);
    }
    finish(&hash, ret_key, IDENTITY_KEY);
}

/* What fields_encode() needs to see scoring options as an object. */
struct scoring_alone {
    struct scoring_options options;
};
static const struct field scoring_items[] = { SCORING_FIELDS(struct scoring_alone, options) };
static const struct fields scoring_fields = FIELDS(struct scoring_alone, scoring_items);

/* Members that came later are named, so that each can be absent. */
static void add_optional(struct sha256 *hash, const char *name, const char *text)
{
    if (!text || !text[0])
        return;
    add_text(hash, name);
    add_text(hash, text);
}

void identity_batch_spec(const struct batch_identity *batch, char ret_key[IDENTITY_KEY])
{
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "batch-spec");
    add_text(&hash, batch->model);
    add_text(&hash, batch->input_uri);
    add_json(&hash, fields_encode(&output_spec_fields, batch->output));
    add_json(&hash, fields_encode(&scoring_fields, batch->scoring));
    add_optional(&hash, "modelVersion", batch->model_version);
    add_optional(&hash, "generation", batch->input_generation);
    finish(&hash, ret_key, IDENTITY_KEY);
}

void identity_batch_run(const char *spec_hash, const char *retry_token, char ret_key[IDENTITY_KEY])
{
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "batch-run");
    add_text(&hash, spec_hash);
    add_text(&hash, retry_token);
    finish(&hash, ret_key, IDENTITY_KEY);
}

void identity_parts(const char *spec_hash, const char *model_version, const char *input_uri,
                    const char *input_generation, int64_t shard_count, char ret_key[IDENTITY_KEY])
{
    char count[24];
    snprintf(count, sizeof(count), "%" PRId64, shard_count);
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "parts");
    add_text(&hash, spec_hash);
    add_text(&hash, model_version);
    add_text(&hash, input_uri);
    add_text(&hash, input_generation);
    add_text(&hash, count);
    finish(&hash, ret_key, IDENTITY_KEY);
}

/* At most `maximum` characters of `text` as part of a Kubernetes name: lower case, everything else
 * a single '-', none at its ends. Returns the length. */
static size_t append_name(char *to, struct span text, size_t maximum)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length && length < maximum; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            to[length++] = c;
        else if (length > 0 && to[length - 1] != '-')
            to[length++] = '-';
    }
    while (length > 0 && to[length - 1] == '-')
        length--;
    return length;
}

void identity_inbox_batch(const char *model_name, const char *file_uri, const char *generation,
                          char ret_name[IDENTITY_NAME])
{
    const char *slash = strrchr(file_uri, '/'), *file = slash ? slash + 1 : file_uri;
    const char *extension = strstr(file, ".csv");
    struct span stem = { file, extension ? (size_t)(extension - file) : strlen(file) };
    char digits[BATCH_NAME_DIGITS + 1];
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "inbox-batch");
    add_text(&hash, model_name);
    add_text(&hash, file_uri);
    add_text(&hash, generation);
    finish(&hash, digits, sizeof(digits));
    size_t length = append_name(ret_name, span_of(model_name), BATCH_NAME_MODEL);
    ret_name[length++] = '-';
    size_t stem_length = append_name(ret_name + length, stem, BATCH_NAME_FILE);
    length += stem_length;
    snprintf(ret_name + length, IDENTITY_NAME - length, "%s%s", stem_length ? "-" : "", digits);
}

void identity_job_name(const char *owner_name, char letter, const char *owner_uid,
                       const char *run_key, int64_t attempt, char ret_name[IDENTITY_NAME])
{
    char digits[JOB_NAME_DIGITS + 1];
    struct sha256 hash;
    sha256_init(&hash);
    add_text(&hash, "job");
    add_text(&hash, owner_uid);
    add_text(&hash, run_key);
    add_number(&hash, attempt);
    finish(&hash, digits, sizeof(digits));
    size_t length = strnlen(owner_name, JOB_NAME_PREFIX);
    while (length > 0 && owner_name[length - 1] == '-')
        length--;
    snprintf(ret_name, IDENTITY_NAME, "%.*s-%c%s", (int)length, owner_name, letter, digits);
}
