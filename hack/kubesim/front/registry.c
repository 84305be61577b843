/* registry.c - the registry protocol: manifests by tag or digest, Basic and Bearer.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/limits.h"
#include "kubesim/front/request.h"

#define TOKEN "kubesim-pull-token" /* proves only that the client asked the token end point */

static const char *const kinds[] = { "up", "down", "missing", "slow", "basic", "bearer", NULL };

static const struct field mode_items[] = {
    FIELD(struct registry_mode, kind, "mode", FIELD_ENUM, .names = kinds, .flags = FIELD_REQUIRED),
    FIELD(struct registry_mode, username, "username", FIELD_STRING, .fallback = ""),
    FIELD(struct registry_mode, password, "password", FIELD_STRING, .fallback = ""),
    FIELD(struct registry_mode, delay_ms, "delay", FIELD_DURATION, .fallback = "2s",
          .maximum = 600000),
};
const struct fields registry_fields = FIELDS(struct registry_mode, mode_items);

void front_set_registry(struct front *front, const struct registry_mode *mode)
{
    free(front->registry_credentials);
    front->registry_credentials = mem_format("%s:%s", mode->username, mode->password);
    front->registry = (struct registry_mode){ .kind = mode->kind, .delay_ms = mode->delay_ms };
}

/* Behind "/v2/". */
static const char *registry_path(const struct request *request)
{
    return request->exchange.path + strlen("/v2/");
}

static void reply_error(const struct request *request, int status, const char *code,
                        const struct http_header *headers, size_t header_count)
{
    const struct exchange *exchange = &request->exchange;
    auto_free char *text =
        mem_format("{\"errors\":[{\"code\":\"%s\",\"message\":\"kubesim\"}]}", code);
    exchange->port->reply(exchange->handle, status, "application/json", span_of(text), headers,
                          header_count);
}

static bool has_basic(const struct request *request)
{
    const char *sent = exchange_header(&request->exchange, "Authorization");
    const char *wanted = request->front->registry_credentials;
    auto_buf struct buf encoded;
    buf_init(&encoded, LIMIT_CREDENTIAL);
    base64_encode(&encoded, span_of(wanted));
    return sent && strncasecmp(sent, "Basic ", 6) == 0 && strcmp(sent + 6, buf_text(&encoded)) == 0;
}

static bool is_allowed(const struct request *request)
{
    const char *sent = exchange_header(&request->exchange, "Authorization");
    switch (request->front->registry.kind) {
    case REGISTRY_BASIC:
        return has_basic(request);
    case REGISTRY_BEARER:
        return sent && strcmp(sent, "Bearer " TOKEN) == 0;
    default:
        return true;
    }
}

static void challenge(const struct request *request, const char *repository)
{
    const char *host = exchange_header(&request->exchange, "Host");
    bool bearer = request->front->registry.kind == REGISTRY_BEARER;
    auto_free char *value =
        bearer ? mem_format("Bearer realm=\"http://%s/v2/token\",service=\"kubesim\","
                            "scope=\"repository:%s:pull\"",
                            host ? host : "", repository)
               : mem_strdup("Basic realm=\"kubesim\"");
    const struct http_header headers[] = { { "WWW-Authenticate", value } };
    reply_error(request, 401, "UNAUTHORIZED", headers, 1);
}

static void handle_token(const struct request *request)
{
    if (request->front->registry.kind == REGISTRY_BEARER && !has_basic(request))
        reply_error(request, 401, "UNAUTHORIZED", NULL, 0);
    else
        request_reply(request, 200, json_pack("{ss si}", "token", TOKEN, "expires_in", 300));
}

static void reply_manifest(const struct request *request, const struct image *image)
{
    const struct exchange *exchange = &request->exchange;
    const struct http_header headers[] = { { "Docker-Content-Digest", image->digest },
                                           { "Docker-Distribution-Api-Version", "registry/2.0" } };
    exchange->port->reply(exchange->handle, 200, "application/vnd.oci.image.manifest.v1+json",
                          span_of(image->manifest), headers, ARRAY_SIZE(headers));
}

static void answer(struct request *request)
{
    const char *path = registry_path(request);
    static const char middle[] = "/manifests/";
    const char *split = strstr(path, middle);
    size_t length = split ? (size_t)(split - path) : 0;
    auto_free char *repository = mem_strndup(path, length);
    if (strcmp(path, "token") == 0) {
        handle_token(request);
        return;
    }
    if (!is_allowed(request)) {
        challenge(request, repository);
        return;
    }
    if (!*path) {
        request_reply(request, 200, json_object());
        return;
    }
    const char *reference = split ? split + strlen(middle) : "";
    auto_free char *key =
        mem_format("%s%s%s", repository, strncmp(reference, "sha256:", 7) ? ":" : "@", reference);
    /* Keys have no host; a path has none either, whatever its first segment looks like. */
    const struct image *image = split ? index_get(&request->front->images.references, key) : NULL;
    if (image && image->manifest)
        reply_manifest(request, image);
    else
        reply_error(request, 404, "MANIFEST_UNKNOWN", NULL, 0);
}

void handle_registry(struct request *request)
{
    const struct exchange *exchange = &request->exchange;
    switch (request->front->registry.kind) {
    case REGISTRY_DOWN:
        exchange->port->abort(exchange->handle);
        return;
    case REGISTRY_MISSING:
        reply_error(request, 404, "MANIFEST_UNKNOWN", NULL, 0);
        return;
    case REGISTRY_SLOW:
        request_later(request, request->front->registry.delay_ms, answer);
        return;
    default:
        answer(request);
    }
}
