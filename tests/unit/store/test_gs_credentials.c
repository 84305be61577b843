/* Goal: the right credentials are found, kept as long as they are good, and never shown. Method: a
 * play of questions to token endpoint, metadata server and bucket, under virtual time. */
#include "unit.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json.h"
#include "play.h"
#include "store/gs_key.h"

#define URI "gs://bank/out/w7.csv"

static struct span object(void)
{
    return span_of("{\"name\":\"out/w7.csv\",\"size\":\"3\",\"generation\":\"7\"}");
}

static char key_path[] = "/tmp/churn-gs-key-XXXXXX";

/* A key file as Google Cloud gives it out, but for a passphrase: it gives none. */
static json_t *key_file(const char *passphrase)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;

    PEM_write_bio_PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL,
                             (const unsigned char *)passphrase,
                             passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
    size_t length = (size_t)BIO_get_mem_data(bio, &pem);
    auto_free char *text = mem_strndup(pem, length);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "service_account", "client_email",
                             "churn@bank.iam.gserviceaccount.com", "private_key", text,
                             "private_key_id", "k1", "token_uri", "https://token.example/token");
    BIO_free(bio);
    EVP_PKEY_free(key);
    return json;
}

static int make_key(void **state)
{
    auto_json json_t *json = key_file(NULL);
    int fd = mkstemp(key_path);

    (void)state;
    assert_int_equal(json_dumpfd(json, fd, 0), 0);
    close(fd);
    return 0;
}

static int remove_key(void **state)
{
    (void)state;
    return remove(key_path);
}

#define TOKEN(text)                                                                                \
    {                                                                                              \
        .status = 200, .body = { text, sizeof(text) - 1 }                                          \
    }

static void tokens_are_kept_and_replaced(void **state)
{
    const char *const variables[] = { "GOOGLE_APPLICATION_CREDENTIALS", key_path, NULL };
    const struct scene scenes[] = {
        { .question = "POST https://token.example/token",
          .reply = TOKEN("{\"access_token\":\"t1\",\"expires_in\":3599}") },
        { "GET https://storage.googleapis.com/storage/v1/b/bank/o/",
          "Authorization",
          "Bearer t1",
          { .status = 200, .body = object() } },
        { "GET /o/out", "Authorization", "Bearer t1", { .status = 401 } },
        { .question = "POST https://token.example/token",
          .reply = TOKEN("{\"access_token\":\"t2\",\"expires_in\":3599}") },
        { "GET /o/out", "Authorization", "Bearer t2", { .status = 200, .body = object() } },
        { .question = "POST https://token.example/token",
          .reply = TOKEN("{\"access_token\":\"t3\",\"expires_in\":3599}") },
        { "GET /o/out", "Authorization", "Bearer t3", { .status = 200, .body = object() } },
    };
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), variables);
    for (int i = 0; i < 2; i++)
        if (store_stat(play.store, URI, &info, &err))
            fail_msg("%s", err.message);
    play.cloud.now_ms += 3600 * 1000; /* it has expired */
    assert_int_equal(store_stat(play.store, URI, &info, &err), 0);
    assert_non_null(strstr(buf_text(&play.sent), "assertion=eyJ"));
    play_end();
}

static void identities_may_come_late(void **state)
{
    static const char *const variables[] = { NULL };
    static const struct http_header flavor = { "Metadata-Flavor", "Google" };
    const struct scene scenes[] = {
        { .question = "GET http://metadata.google.internal/", .reply = { .status = 0 } },
        { .question = "GET http://metadata.google.internal/", .reply = { .status = 404 } },
        { .question = "GET http://metadata.google.internal/",
          .reply = { .status = 200,
                     .headers = { flavor },
                     .header_count = 1,
                     .body = span_of("{\"access_token\":\"m1\",\"expires_in\":3599}") } },
        { "GET /o/out", "Authorization", "Bearer m1", { .status = 200, .body = object() } },
    };
    struct store_info info;
    struct err err = { 0 };

    (void)state;
    play_begin(URI, scenes, ARRAY_SIZE(scenes), variables);
    if (store_stat(play.store, URI, &info, &err))
        fail_msg("%s", err.message);
    play_end();
}

static void other_credentials_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
        enum err_kind kind;
    } cases[] = {
        { "{\"type\":\"authorized_user\",\"refresh_token\":\"hidden\"}", "of a person",
          ERR_UNSUPPORTED },
        { "{\"type\":\"external_account\"}", "must be service_account", ERR_UNSUPPORTED },
        { "{\"type\":\"service_account\",\"client_email\":\"a\",\"token_uri\":\"https://t\","
          "\"private_key\":\"hidden\"}",
          "no RSA key", ERR_INVALID },
        { "{\"type\":\"service_account\"}", "client_email", ERR_INVALID },
        { "hidden", "not the JSON", ERR_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char path[] = "/tmp/churn-gs-bad-XXXXXX";
        const char *const variables[] = { "GOOGLE_APPLICATION_CREDENTIALS", path, NULL };
        struct stores_options options;
        struct err err = { 0 };
        int fd = mkstemp(path);

        assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), strlen(cases[i].text));
        close(fd);
        fake_cloud_init(&play.cloud, NULL, NULL);
        play.cloud.variables = variables;
        options = fake_cloud_options(&play.cloud);
        auto_stores struct stores *some = stores_new(&options);
        CASE(cases[i].text, !store_open(some, URI, &err));
        play_check_error(&err, cases[i].kind, cases[i].message);
        CASE(cases[i].text, strstr(err.message, path));
        CASE(cases[i].text, !strstr(err.message, "hidden"));
        fake_cloud_release(&play.cloud);
        remove(path);
    }
}

/* Runs without a terminal, in a process of its own: OpenSSL would ask its input then. */
static int parse_encrypted(const char *text)
{
    auto_arena struct arena arena = { 0 };
    struct gs_key key;
    struct err err = { 0 };
    int ends[2];

    if (setsid() < 0 || pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], "secret\n", 7) != 7 ||
        close(ends[1]) < 0 || dup2(ends[0], STDIN_FILENO) < 0)
        return 2;
    return gs_key_parse(span_of(text), "key", &arena, &key, &err) < 0 && err.kind == ERR_INVALID &&
                   strstr(err.message, "no RSA key in PEM")
               ? 0
               : 1;
}

/* A thread that waits for one has none to ask. */
static void passphrases_are_not_asked_for(void **state)
{
    auto_json json_t *json = key_file("secret");
    auto_free char *text = jx_canonical(json);
    int status = -1;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(parse_encrypted(text));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_are_kept_and_replaced, make_key, remove_key),
        cmocka_unit_test(identities_may_come_late),
        cmocka_unit_test(other_credentials_are_refused),
        cmocka_unit_test(passphrases_are_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
