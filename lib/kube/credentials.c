#include "kube/credentials.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/limits.h"

struct kube_credentials {
    char *token_file;           /* or NULL */
    struct exec_plugin *plugin; /* or NULL */
    struct arena arena;         /* of the plugin */

    bool valid; /* what follows may be used */
    unsigned generation;
    char *header;
    struct exec_credential credential;
    int64_t read_ms; /* monotonic: when token file or plugin gave it */
};

int kube_check_token(const char *token, struct err *err)
{
    for (const char *at = token; *at; at++)
        if (*at <= ' ' || *at > '~')
            return err_set(err, ERR_INVALID, "must be one word of printable ASCII");
    return 0;
}

static char *bearer(const char *token)
{
    return mem_format("Bearer %s", token);
}

static char *basic(const char *username, const char *password)
{
    auto_free char *plain = mem_format("%s:%s", username, password ? password : "");
    auto_buf struct buf header = { 0 };

    buf_init(&header, 2 * LIMIT_CREDENTIAL);
    buf_string(&header, "Basic ");
    base64_encode(&header, span_of(plain));
    return buf_take(&header);
}

struct kube_credentials *kube_credentials_new(const struct kube_credentials_options *options)
{
    struct kube_credentials *credentials = mem_zero(1, sizeof(*credentials));

    credentials->valid = true;
    if (options->token) {
        credentials->header = bearer(options->token);
    } else if (options->token_file) {
        credentials->token_file = mem_strdup(options->token_file);
        credentials->valid = false;
    } else if (options->username) {
        credentials->header = basic(options->username, options->password);
    } else if (options->exec) {
        credentials->plugin = exec_plugin_copy(options->exec, &credentials->arena);
        credentials->valid = false;
    }
    return credentials;
}

void kube_credentials_free(struct kube_credentials *credentials)
{
    if (!credentials)
        return;
    exec_credential_release(&credentials->credential);
    arena_release(&credentials->arena);
    free(credentials->token_file);
    free(credentials->header);
    free(credentials);
}

static void replace(struct kube_credentials *credentials, char *take_header)
{
    free(credentials->header);
    credentials->header = take_header;
    credentials->valid = true;
    credentials->generation++;
}

static int read_token(struct kube_credentials *credentials, int64_t now_ms, struct err *err)
{
    auto_buf struct buf token = { 0 };

    buf_init(&token, LIMIT_CREDENTIAL);
    if (file_read(credentials->token_file, &token, err) < 0)
        return err_wrap(err, "the token file");
    while (token.length > 0 && strchr("\r\n \t", token.data[token.length - 1]))
        token.data[--token.length] = '\0';
    if (token.length == 0)
        return err_set(err, ERR_INVALID, "the token file %s is empty", credentials->token_file);
    if (kube_check_token(buf_text(&token), err) < 0)
        return err_wrap(err, "the token file %s", credentials->token_file);
    credentials->read_ms = now_ms;
    replace(credentials, bearer(buf_text(&token)));
    return 0;
}

static int run_plugin(struct kube_credentials *credentials, int64_t now_ms, struct err *err)
{
    struct exec_credential credential;

    if (exec_plugin_run(credentials->plugin, EXEC_PLUGIN_TIMEOUT_MS, &credential, err) < 0)
        return -1;
    if (credential.token && kube_check_token(credential.token, err) < 0) {
        exec_credential_release(&credential);
        return err_wrap(err, "the token of the exec plugin %s", credentials->plugin->command);
    }
    exec_credential_release(&credentials->credential);
    credentials->credential = credential;
    credentials->read_ms = now_ms;
    replace(credentials, credential.token ? bearer(credential.token) : NULL);
    return 0;
}

static bool is_due(const struct kube_credentials *credentials, const struct clock *clock)
{
    int64_t expires_ms = credentials->credential.expires_ms;

    if (!credentials->valid)
        return true;
    if (credentials->token_file)
        return clock_monotonic_ms(clock) - credentials->read_ms >= KUBE_TOKEN_FILE_AGE_MS;
    /* By a clock that is wrong a new credential has expired: the server judges it. */
    return expires_ms != 0 && clock_wall_ms(clock) >= expires_ms &&
           clock_monotonic_ms(clock) - credentials->read_ms >= KUBE_CREDENTIAL_AGE_MS;
}

static int renew(struct kube_credentials *credentials, const struct clock *clock, struct err *err)
{
    struct err failure = { 0 };

    if (!credentials->token_file)
        return run_plugin(credentials, clock_monotonic_ms(clock), err);
    if (read_token(credentials, clock_monotonic_ms(clock), &failure) == 0 || credentials->valid)
        return 0;
    *err = failure;
    return -1;
}

int kube_credentials_get(struct kube_credentials *credentials, const struct clock *clock,
                         struct kube_authorization *ret_authorization, struct err *err)
{
    if (is_due(credentials, clock) && renew(credentials, clock, err) < 0)
        return -1;
    *ret_authorization =
        (struct kube_authorization){ .header = credentials->header,
                                     .certificate_pem = credentials->credential.certificate_pem,
                                     .key_pem = credentials->credential.key_pem,
                                     .generation = credentials->generation };
    return 0;
}

bool kube_credentials_reject(struct kube_credentials *credentials, unsigned generation)
{
    if (!credentials->token_file && !credentials->plugin)
        return false;
    if (generation == credentials->generation)
        credentials->valid = false;
    return true;
}
