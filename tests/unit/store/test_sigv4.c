/* Goal: requests are signed as AWS does it.
 * Method: requests of AWS's own test suite (aws-c-auth, aws-signing-test-suite/v4) and of the
 * documentation of S3 ("Authenticating Requests: Using the Authorization Header"), with the
 * signatures that stand there. */
#include "unit.h"

#include "base/limits.h"
#include "base/sha256.h"
#include "store/sigv4.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEADERS      4
#define PARAMETERS   3

struct vector {
    const char *name, *method, *path;
    struct http_header headers[HEADERS], parameters[PARAMETERS];
    const char *payload;
    const char *signed_headers, *signature;
};

static size_t count_of(const struct http_header *headers, size_t maximum)
{
    size_t count = 0;

    while (count < maximum && headers[count].name)
        count++;
    return count;
}

/* The header of `vector`, with Host and X-Amz-Date added; the caller frees. */
static char *authorize(const struct sigv4_signer *signer, const struct vector *vector,
                       const char *host, const char *time)
{
    struct http_header headers[HEADERS + 2] = { { "X-Amz-Date", time }, { "Host", host } };
    size_t count = count_of(vector->headers, HEADERS);
    auto_buf struct buf query = { .maximum = LIMIT_URL };
    auto_buf struct buf header = { .maximum = LIMIT_HTTP_HEADERS };

    memcpy(headers + 2, vector->headers, count * sizeof(*headers));
    sigv4_query(vector->parameters, count_of(vector->parameters, PARAMETERS), &query);
    struct sigv4_request request = {
        .method = vector->method,
        .path = span_of(vector->path),
        .query = { query.data, query.length },
        .headers = headers,
        .header_count = count + 2,
        .payload = vector->payload ? vector->payload : EMPTY_SHA256,
    };
    sigv4_authorization(signer, &request, &header);
    return buf_take(&header);
}

static void signs_as_aws_test_suite(void **state)
{
    static const struct sigv4_signer signer = { "AKIDEXAMPLE",
                                                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                                "us-east-1", "service" };
    static const char unreserved[] =
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char plain[] = "host;x-amz-date";
    static const struct vector vectors[] = {
        { .name = "get-vanilla",
          .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
        { .name = "post-vanilla",
          .method = "POST",
          .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
        { .name = "get-vanilla-empty-query-key",
          .parameters = { { "Param1", "value1" } },
          .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
        { .name = "get-vanilla-query-order-key-case",
          .parameters = { { "Param2", "value2" }, { "Param1", "value1" } },
          .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
        { .name = "get-vanilla-query-order-encoded",
          .parameters = { { "Param-3", "Value3" },
                          { "Param", "Value2" },
                          { "\xE1\x88\xB4", "Value1" } },
          .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac" },
        { .name = "get-vanilla-query-unreserved",
          .parameters = { { unreserved, unreserved } },
          .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
        { .name = "get-vanilla-utf8-query",
          .parameters = { { "\xE1\x88\xB4", "bar" } },
          .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
        { .name = "get-header-value-trim",
          .headers = { { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" } },
          .signed_headers = "host;my-header1;my-header2;x-amz-date",
          .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
        { .name = "get-vanilla-with-session-token",
          .headers = { { "X-Amz-Security-Token",
                         "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" } },
          .signed_headers = "host;x-amz-date;x-amz-security-token",
          .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
        { .name = "get-slashes-unnormalized",
          .path = "//example//",
          .signature = "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct vector vector = vectors[i];

        vector.method = vector.method ? vector.method : "GET";
        vector.path = vector.path ? vector.path : "/";
        vector.signed_headers = vector.signed_headers ? vector.signed_headers : plain;
        auto_free char *header =
            authorize(&signer, &vector, "example.amazonaws.com", "20150830T123600Z");
        auto_free char *expected = mem_format(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=%s, Signature=%s",
            vector.signed_headers, vector.signature);
        CASE(vector.name, strcmp(header, expected) == 0);
    }
}

static void signs_as_the_documentation_of_s3(void **state)
{
    static const struct sigv4_signer signer = { "AKIAIOSFODNN7EXAMPLE",
                                                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                                "us-east-1", "s3" };
    static const char welcome[] =
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    static const struct vector vectors[] = {
        { .name = "GET Object",
          .method = "GET",
          .path = "/test.txt",
          .headers = { { "Range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY_SHA256 } },
          .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
        { .name = "PUT Object",
          .method = "PUT",
          .path = "/test%24file.text",
          .payload = welcome,
          .headers = { { "Date", "Fri, 24 May 2013 00:00:00 GMT" },
                       { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
                       { "x-amz-content-sha256", welcome } },
          .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
        { .name = "GET Bucket Lifecycle",
          .method = "GET",
          .path = "/",
          .parameters = { { "lifecycle", "" } },
          .headers = { { "x-amz-content-sha256", EMPTY_SHA256 } },
          .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
        { .name = "Get Bucket (List Objects)",
          .method = "GET",
          .path = "/",
          .parameters = { { "prefix", "J" }, { "max-keys", "2" } },
          .headers = { { "x-amz-content-sha256", EMPTY_SHA256 } },
          .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        auto_free char *header =
            authorize(&signer, &vectors[i], "examplebucket.s3.amazonaws.com", "20130524T000000Z");
        CASE(vectors[i].name, strstr(header, vectors[i].signature) != NULL);
    }
}

static void says_times_as_aws_does(void **state)
{
    char text[SIGV4_TIME_TEXT];

    (void)state;
    sigv4_time(1440938160 * INT64_C(1000) + 999, text);
    assert_string_equal(text, "20150830T123600Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_aws_test_suite),
        cmocka_unit_test(signs_as_the_documentation_of_s3),
        cmocka_unit_test(says_times_as_aws_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
