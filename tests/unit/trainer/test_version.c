/* Goal: a model's version is what the contract with other tools says: the first 16 hex
 * digits of SHA-256 over "model-version" and each file's name and SHA-256, sorted by name,
 * every part preceded by its length. Method: a saved model, hashed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "ml/model.h"

#define SAMPLE "tests/fuzz/corpus/model/regression.json"

static void version_is_a_hash_of_the_files(void **state)
{
    (void)state;
    static const char weights[] = "any bytes";
    struct err err = { 0 };
    auto_model struct model model = { 0 };
    auto_buf struct buf text;
    auto_free char *finished = NULL;
    char document_sha256[SHA256_HEX], weights_sha256[SHA256_HEX], expected[SHA256_HEX];
    struct sha256 hash;

    buf_init(&text, LIMIT_MODEL_DOCUMENT);
    assert_int_equal(file_read(SAMPLE, &text, &err), 0);
    assert_int_equal(model_parse(SAMPLE, (struct span){ text.data, text.length }, &model, &err), 0);
    model.weights = mem_strdup(weights);
    model.weights_size = strlen(weights);
    assert_int_equal(model_finish(&model, &finished, &err), 0);

    auto_json json_t *document = jx_parse(span_of(finished), LIMIT_MODEL_DOCUMENT, "m", &err);
    json_object_del(document, "version");
    auto_free char *canonical = jx_canonical(document);
    sha256_of(span_of(canonical), document_sha256);
    sha256_of(span_of(weights), weights_sha256);
    const char *const parts[] = { "model-version", "model.json", document_sha256, "weights.json",
                                  weights_sha256 };
    sha256_init(&hash);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        sha256_add_part(&hash, span_of(parts[i]));
    sha256_hex(&hash, expected);
    assert_int_equal(strlen(model.version), 16);
    assert_memory_equal(model.version, expected, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_a_hash_of_the_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
