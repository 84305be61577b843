/* Goal: a token is believed when one of the issuer's keys signed it, it is for us and of now, and
 * in no other case.
 * Method: a key made here; tokens changed at every place that counts; key sets with keys that must
 * not be used. */
#include "unit.h"

#include "net/jwt.h"

#include "token_maker.h"

#define NOW_S  1800000000
#define ISSUER "https://accounts.google.com"
#define URL    "https://churn.bank.example/v1/hooks/storage"
#define PUSHER "push@bank.iam.gserviceaccount.com"
#define CLAIMS                                                                                     \
    "{\"iss\":\"" ISSUER "\",\"aud\":\"" URL "\",\"email\":\"" PUSHER                              \
    "\",\"email_verified\":true,\"iat\":1799999000,\"exp\":1800002600,\"azp\":\"1\"}"

static struct token_maker maker, other;

static int begin(void **state)
{
    (void)state;
    token_maker_init(&maker, "key-1", 2048);
    token_maker_init(&other, "key-1", 2048);
    return 0;
}

static int end(void **state)
{
    (void)state;
    token_maker_release(&maker);
    token_maker_release(&other);
    return 0;
}

static struct jwt_keys *keys_of(const struct token_maker *issuer, const char *extra,
                                struct err *err)
{
    char *text auto_free = token_maker_keys(issuer, extra);

    return jwt_keys_parse(span_of(text), err);
}

/* The kind of what is wrong with a token. */
static enum err_kind verdict(const char *text, const struct jwt_keys *keys)
{
    auto_arena struct arena arena = { 0 };
    struct jwt token;
    struct err err = { 0 };

    if (jwt_parse(text, &arena, &token, &err) < 0 || jwt_verify(&token, keys, &err) < 0)
        return err.kind;
    return ERR_NONE;
}

static void test_signature(void **state)
{
    struct err err = { 0 };
    struct jwt_keys *keys = keys_of(&maker, ",\"use\":\"sig\",\"alg\":\"RS256\"", &err);
    char *token auto_free = token_maker_sign(&maker, CLAIMS);
    char *forged auto_free = token_maker_sign(&other, CLAIMS);
    char *newer auto_free = token_of(&maker, "{\"alg\":\"RS256\",\"kid\":\"key-2\"}", CLAIMS);

    (void)state;
    assert_non_null(keys);
    assert_true(jwt_keys_have(keys, "key-1"));
    assert_false(jwt_keys_have(keys, "key-2"));
    assert_int_equal(verdict(token, keys), ERR_NONE);
    assert_int_equal(verdict(forged, keys), ERR_DENIED);
    assert_int_equal(verdict(newer, keys), ERR_NOT_FOUND);
    for (size_t i = 0; token[i]; i += 7) { /* every piece of it counts */
        char *changed auto_free = mem_strdup(token);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verdict(changed, keys), ERR_NONE);
    }
    jwt_keys_free(keys);
}

static void test_refused_tokens(void **state)
{
    static const struct {
        const char *name, *header, *claims;
    } cases[] = {
        { "no algorithm", "{\"kid\":\"key-1\"}", CLAIMS },
        { "none", "{\"alg\":\"none\",\"kid\":\"key-1\"}", CLAIMS },
        { "the key as a secret", "{\"alg\":\"HS256\",\"kid\":\"key-1\"}", CLAIMS },
        { "other algorithm", "{\"alg\":\"RS512\",\"kid\":\"key-1\"}", CLAIMS },
        { "no key id", "{\"alg\":\"RS256\"}", CLAIMS },
        { "extension", "{\"alg\":\"RS256\",\"kid\":\"key-1\",\"crit\":[\"b64\"],\"b64\":false}",
          CLAIMS },
        { "header is no object", "[]", CLAIMS },
        { "claims are no JSON", "{\"alg\":\"RS256\",\"kid\":\"key-1\"}", "hello" },
        { "no expiry", "{\"alg\":\"RS256\",\"kid\":\"key-1\"}", "{\"iss\":\"a\",\"aud\":\"b\"}" },
        { "no issuer", "{\"alg\":\"RS256\",\"kid\":\"key-1\"}", "{\"exp\":1,\"aud\":\"b\"}" },
        { "expiry as text", "{\"alg\":\"RS256\",\"kid\":\"key-1\"}",
          "{\"iss\":\"a\",\"aud\":\"b\",\"exp\":\"1800002600\"}" },
        { "claims twice", "{\"alg\":\"RS256\",\"kid\":\"key-1\"}",
          "{\"iss\":\"a\",\"iss\":\"b\",\"aud\":\"b\",\"exp\":1}" },
    };
    static const char *const texts[] = {
        "", ".", "..", "...", "e30.e30", "e30.e30.", "e30..e30", "e30.e30.e30.e30", "e30=.e30.e30"
    };
    struct err err = { 0 };
    struct jwt_keys *keys = keys_of(&maker, "", &err);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *token auto_free = token_of(&maker, cases[i].header, cases[i].claims);

        CASE(cases[i].name, verdict(token, keys) == ERR_INVALID);
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        CASE(texts[i], verdict(texts[i], keys) == ERR_INVALID);
    char *long_text auto_free = mem_zero(LIMIT_TOKEN + 2, 1);
    memset(long_text, 'a', LIMIT_TOKEN + 1);
    assert_int_equal(verdict(long_text, keys), ERR_TOO_BIG);
    jwt_keys_free(keys);
}

static void test_key_sets(void **state)
{
    static const char *const unusable[] = {
        "",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[1,null,{}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"!\",\"e\":\"AQAB\"}]}",
    };
    struct token_maker small;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unusable); i++) {
        err = (struct err){ 0 };
        CASE(unusable[i], !jwt_keys_parse(span_of(unusable[i]), &err));
        CASE(unusable[i], err.kind == ERR_INVALID);
    }
    assert_null(keys_of(&maker, ",\"use\":\"enc\"", &err));
    assert_null(keys_of(&maker, ",\"alg\":\"RS512\"", &err));
    token_maker_init(&small, "small", 1024);
    assert_null(keys_of(&small, "", &err));
    token_maker_release(&small);
}

static void test_rules(void **state)
{
    static const char *const pushers[] = { "somebody@else.example", PUSHER };
    static const struct {
        const char *name, *claims;
        int64_t now_s;
        size_t emails;
        enum err_kind kind;
    } cases[] = {
        { "fine", CLAIMS, NOW_S, 2, ERR_NONE },
        { "any email", CLAIMS, NOW_S, 0, ERR_NONE },
        { "email that may not", CLAIMS, NOW_S, 1, ERR_DENIED },
        { "at the end of its skew", CLAIMS, 1800002600 + JWT_SKEW_S - 1, 2, ERR_NONE },
        { "expired", CLAIMS, 1800002600 + JWT_SKEW_S, 2, ERR_INVALID },
        { "issued a little later", CLAIMS, 1799999000 - JWT_SKEW_S, 2, ERR_NONE },
        { "issued later", CLAIMS, 1799999000 - JWT_SKEW_S - 1, 2, ERR_INVALID },
        { "not before",
          "{\"iss\":\"" ISSUER "\",\"aud\":\"" URL "\",\"exp\":1800002600,"
          "\"nbf\":1800000061}",
          NOW_S, 0, ERR_INVALID },
        { "audiences", "{\"iss\":\"" ISSUER "\",\"aud\":[\"a\",\"" URL "\"],\"exp\":1800002600}",
          NOW_S, 0, ERR_NONE },
        { "other audience", "{\"iss\":\"" ISSUER "\",\"aud\":\"" URL "/\",\"exp\":1800002600}",
          NOW_S, 0, ERR_DENIED },
        { "no audience", "{\"iss\":\"" ISSUER "\",\"aud\":[],\"exp\":1800002600}", NOW_S, 0,
          ERR_DENIED },
        { "other issuer", "{\"iss\":\"" ISSUER ".evil\",\"aud\":\"" URL "\",\"exp\":1800002600}",
          NOW_S, 0, ERR_INVALID },
        { "email not verified",
          "{\"iss\":\"" ISSUER "\",\"aud\":\"" URL "\",\"exp\":1800002600,\"email\":\"" PUSHER
          "\"}",
          NOW_S, 2, ERR_DENIED },
        { "no email",
          "{\"iss\":\"" ISSUER "\",\"aud\":\"" URL "\",\"exp\":1800002600,\"email_verified\":true}",
          NOW_S, 2, ERR_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text auto_free = token_maker_sign(&maker, cases[i].claims);
        struct jwt_rules rules = { ISSUER, URL, { (const char **)pushers, cases[i].emails } };
        auto_arena struct arena arena = { 0 };
        struct jwt token;
        struct err err = { 0 };
        int outcome;

        CASE(cases[i].name, jwt_parse(text, &arena, &token, &err) == 0);
        outcome = jwt_check(&token.claims, &rules, cases[i].now_s, &err);
        CASE(cases[i].name, err.kind == cases[i].kind);
        CASE(cases[i].name, outcome == (cases[i].kind == ERR_NONE ? 0 : -1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_refused_tokens),
        cmocka_unit_test(test_key_sets),
        cmocka_unit_test(test_rules),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
