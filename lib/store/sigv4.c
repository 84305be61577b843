#include "store/sigv4.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sha256.h"
#include "base/uri.h"

/* Of one of the texts that are hashed: a URL and all headers. */
#define TEXT_MAXIMUM (LIMIT_URL + LIMIT_HTTP_HEADERS)

/* --- query ---------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *encoded(const struct http_header *parameter)
{
    auto_buf struct buf text = { .maximum = LIMIT_URL };

    uri_encode(&text, span_of(parameter->name), false);
    /* What sorts below every character of a name, so that "a" comes before "a-b": '=' does not. */
    buf_char(&text, '\1');
    uri_encode(&text, span_of(parameter->value), false);
    return buf_take(&text);
}

void sigv4_query(const struct http_header *parameters, size_t count, struct buf *out)
{
    char *texts[SIGV4_HEADERS_MAXIMUM];

    for (size_t i = 0; i < count; i++)
        texts[i] = encoded(&parameters[i]);
    qsort(texts, count, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < count; i++) {
        *strchr(texts[i], '\1') = '=';
        buf_format(out, "%s%s", i > 0 ? "&" : "", texts[i]);
        free(texts[i]);
    }
}

/* --- headers -------------------------------------------------------------- */

static char *lower_case(const char *name)
{
    char *lower = mem_strdup(name);

    for (char *at = lower; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at += 'a' - 'A';
    return lower;
}

/* Trimmed, with runs of blanks as one. */
static void append_value(struct buf *out, struct span value)
{
    value = span_trim(value);
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] != ' ' || value.data[i - 1] != ' ')
            buf_char(out, value.data[i]);
}

static void append_headers(const struct sigv4_request *request, struct buf *out, struct buf *names)
{
    struct line {
        char *name;
        const char *value;
    } lines[SIGV4_HEADERS_MAXIMUM];
    size_t count = request->header_count;

    for (size_t i = 0; i < count; i++)
        lines[i] = (struct line){ lower_case(request->headers[i].name), request->headers[i].value };
    qsort(lines, count, sizeof(*lines), compare_texts); /* by the first member */
    for (size_t i = 0; i < count; i++) {
        buf_format(out, "%s:", lines[i].name);
        append_value(out, span_of(lines[i].value));
        buf_char(out, '\n');
        buf_format(names, "%s%s", i > 0 ? ";" : "", lines[i].name);
        free(lines[i].name);
    }
}

static const char *value_of(const struct sigv4_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return "";
}

/* --- signature ------------------------------------------------------------ */

/* H(request as text), the request's part of what is signed; appends the names of its headers. */
static void hash_request(const struct sigv4_request *request, struct buf *names,
                         char ret_hex[SHA256_HEX])
{
    auto_buf struct buf text = { .maximum = TEXT_MAXIMUM };

    buf_format(&text, "%s\n", request->method);
    buf_append(&text, request->path.data, request->path.length);
    buf_char(&text, '\n');
    buf_append(&text, request->query.data, request->query.length);
    buf_char(&text, '\n');
    append_headers(request, &text, names);
    buf_format(&text, "\n%s\n%s", buf_text(names), request->payload);
    sha256_of((struct span){ text.data, text.length }, ret_hex);
}

static void sign(const struct sigv4_signer *signer, const char *day, struct span text,
                 char ret_hex[SHA256_HEX])
{
    const char *const parts[] = { day, signer->region, signer->service, "aws4_request" };
    auto_free char *secret = mem_format("AWS4%s", signer->secret_access_key);
    unsigned char code[SHA256_BYTES];
    struct span key = span_of(secret);

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        sha256_hmac(key, span_of(parts[i]), code);
        key = (struct span){ (const char *)code, sizeof(code) };
    }
    sha256_hmac(key, text, code);
    sha256_hex_of_bytes(code, ret_hex);
}

void sigv4_authorization(const struct sigv4_signer *signer, const struct sigv4_request *request,
                         struct buf *out)
{
    auto_buf struct buf names = { .maximum = LIMIT_HTTP_HEADERS };
    const char *time = value_of(request, "X-Amz-Date");
    auto_free char *day = mem_strndup(time, strcspn(time, "T"));
    auto_free char *scope =
        mem_format("%s/%s/%s/aws4_request", day, signer->region, signer->service);
    char hash[SHA256_HEX], signature[SHA256_HEX];

    hash_request(request, &names, hash);
    auto_free char *text = mem_format("AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope, hash);
    sign(signer, day, span_of(text), signature);
    buf_format(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
               signer->access_key_id, scope, buf_text(&names), signature);
}

void sigv4_time(int64_t unix_ms, char ret_text[SIGV4_TIME_TEXT])
{
    char text[NUM_TIME_TEXT];
    size_t length = 0;

    num_format_time(unix_ms, text);
    for (const char *at = text; *at && length < SIGV4_TIME_TEXT - 1; at++)
        if (*at != '-' && *at != ':')
            ret_text[length++] = *at;
    ret_text[length] = '\0';
}
