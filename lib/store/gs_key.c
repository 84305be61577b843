#include "store/gs_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

#define TOKEN_SECONDS 3600
#define JWT_MAXIMUM   (16 * KIB)

/* --- the key file ------------------------------------------------------------ */

static void release_private_key(void *private_key)
{
    EVP_PKEY_free(private_key);
}

/* OpenSSL's own way is to ask whoever sits at the terminal, and to wait. */
static int refuse_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static void *read_private_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL) : NULL;

    BIO_free(bio);
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static int check_type(const char *type, const char *what, struct err *err)
{
    if (type && strcmp(type, "service_account") == 0)
        return 0;
    if (type && strcmp(type, "authorized_user") == 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s holds the credentials of a person (authorized_user); give the key of a "
                       "service account, or none at all to use the workload identity",
                       what);
    return err_set(err, ERR_UNSUPPORTED,
                   "%s: type must be service_account, not \"%.64s\"; without a key the workload "
                   "identity is used",
                   what, type ? type : "");
}

int gs_key_parse(struct span text, const char *what, struct arena *arena, struct gs_key *ret_key,
                 struct err *err)
{
    struct err ignored;
    auto_json json_t *json = jx_parse(text, LIMIT_CREDENTIAL, what, &ignored);
    const char *email = jx_string(json, "client_email", NULL);
    const char *id = jx_string(json, "private_key_id", NULL);
    const char *pem = jx_string(json, "private_key", NULL);
    const char *token_uri = jx_string(json, "token_uri", NULL);
    struct gs_key key = { 0 };

    if (!json)
        return err_set(err, ERR_INVALID, "%s is not the JSON of a service account's key", what);
    if (check_type(jx_string(json, "type", NULL), what, err))
        return -1;
    if (!email || !*email || !pem || !token_uri || !*token_uri)
        return err_set(err, ERR_INVALID,
                       "%s must have client_email, private_key and token_uri, each a string", what);
    key.private_key = read_private_key(pem);
    if (!key.private_key)
        return err_set(err, ERR_INVALID,
                       "%s: private_key is no RSA key in PEM without a passphrase", what);
    arena_defer(arena, release_private_key, key.private_key);
    key.email = arena_strdup(arena, email);
    key.id = id && *id ? arena_strdup(arena, id) : NULL;
    key.token_uri = arena_strdup(arena, token_uri);
    *ret_key = key;
    return 0;
}

/* --- signing ------------------------------------------------------------------- */

/* Appends base64url without padding (RFC 7515, section 2). */
static void append_url_safe(struct buf *out, struct span bytes)
{
    size_t begin = out->length;

    base64_encode(out, bytes);
    if (out->overflow)
        return;
    for (size_t i = begin; i < out->length; i++) {
        char *c = &out->data[i];

        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        if (*c == '=') {
            out->data[out->length = i] = '\0';
            return;
        }
    }
}

static void append_json(struct buf *out, json_t *take_json)
{
    auto_free char *text = jx_canonical(take_json);

    append_url_safe(out, span_of(text));
    json_decref(take_json);
}

static int append_signature(struct buf *out, EVP_PKEY *key, struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[1024]; /* of an RSA key with 8192 bits */
    size_t length = sizeof(signature);
    bool is_signed =
        context && EVP_PKEY_get_size(key) <= (int)sizeof(signature) &&
        EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(context, signature, &length, (unsigned char *)out->data, out->length) == 1;

    EVP_MD_CTX_free(context);
    if (!is_signed)
        return err_set(err, ERR_INVALID, "the service account's private key cannot sign");
    buf_char(out, '.');
    append_url_safe(out, (struct span){ (char *)signature, length });
    return 0;
}

char *gs_key_sign(const struct gs_key *key, const char *scope, int64_t now_s, struct err *err)
{
    auto_buf struct buf token = { .maximum = JWT_MAXIMUM };
    json_t *header = json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT");

    if (key->id)
        json_object_set_new(header, "kid", json_string(key->id));
    append_json(&token, header);
    buf_char(&token, '.');
    append_json(&token, json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", key->email, "scope", scope,
                                  "aud", key->token_uri, "iat", (json_int_t)now_s, "exp",
                                  (json_int_t)(now_s + TOKEN_SECONDS)));
    if (buf_check(&token, "a token request", err) ||
        append_signature(&token, key->private_key, err) ||
        buf_check(&token, "a token request", err))
        return NULL;
    return buf_take(&token);
}
