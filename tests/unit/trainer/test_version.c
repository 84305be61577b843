/* Goal: the version that lib/ml gives a model is the identity that the contract
 * defines. Method: a saved model hashed by both. */
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
#include "contract/identity.h"
#include "ml/model.h"

#define SAMPLE "tests/fuzz/corpus/model/regression.json"

static void version_is_the_contracts(void **state)
{
    (void)state;
    static const char weights[] = "any bytes";
    struct err err = { 0 };
    auto_model struct model model = { 0 };
    auto_buf struct buf text;
    auto_free char *finished = NULL;
    char document_sha256[SHA256_HEX], weights_sha256[SHA256_HEX], expected[IDENTITY_VERSION];

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
    const struct hashed_file files[] = { { "weights.json", weights_sha256 },
                                         { "model.json", document_sha256 } };
    identity_version(files, ARRAY_SIZE(files), expected);
    assert_string_equal(model.version, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_the_contracts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
