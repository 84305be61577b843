#include <stdbool.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/span.h"
#include "base/uri.h"
#include "contract/check.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HEX    DIGITS "abcdef"

static bool consists_of(struct span text, const char *characters)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\0' || !strchr(characters, text.data[i]))
            return false;
    return true;
}

static bool is_alphanumeric(char character)
{
    return character != '\0' && strchr(LOWER DIGITS, character) != NULL;
}

static bool is_label(struct span text)
{
    return text.length >= 1 && text.length <= 63 && consists_of(text, LOWER DIGITS "-") &&
           text.data[0] != '-' && text.data[text.length - 1] != '-';
}

int check_label(const char *text, struct err *err)
{
    if (is_label(span_of(text)))
        return 0;
    return err_set(err, ERR_INVALID,
                   "must be a name of at most 63 lower-case letters, digits and '-', "
                   "which begins and ends with a letter or digit");
}

int check_subdomain(const char *text, struct err *err)
{
    size_t length = strlen(text);
    bool valid = length >= 1 && length <= 253 && consists_of(span_of(text), LOWER DIGITS "-.");
    for (size_t i = 0; valid && i < length; i++)
        if (text[i] == '.' || i == 0 || i == length - 1)
            valid = (text[i] == '.' ? i > 0 && i < length - 1 && is_alphanumeric(text[i - 1]) &&
                                          is_alphanumeric(text[i + 1])
                                    : is_alphanumeric(text[i]));
    if (valid)
        return 0;
    return err_set(err, ERR_INVALID,
                   "must be a name of at most 253 lower-case letters, digits, '-' and '.'");
}

int check_object(const char *text, struct err *err)
{
    const char *slash = strchr(text, '/');
    const char *name = slash ? slash + 1 : text;
    if (is_label(span_of(name)) &&
        (!slash || is_label((struct span){ text, (size_t)(slash - text) })))
        return 0;
    return err_set(err, ERR_INVALID,
                   "must be \"<namespace>/<name>\" or \"<name>\", each at most 63 lower-case "
                   "letters, digits and '-'");
}

static int parse_uri(const char *text, struct uri *ret_uri, struct err *err)
{
    static const char *const schemes[] = { "file", "gs", "s3", NULL };
    struct err why;
    if (strncmp(text, "file://", 7) != 0 && strncmp(text, "gs://", 5) != 0 &&
        strncmp(text, "s3://", 5) != 0)
        return err_set(err, ERR_INVALID, "must begin with file://, gs:// or s3://");
    if (uri_parse(text, schemes, ret_uri, &why) < 0)
        return err_set(err, ERR_INVALID, "is no usable URI: %s", why.message);
    return 0;
}

int check_uri(const char *text, struct err *err)
{
    struct uri uri;
    return parse_uri(text, &uri, err);
}

int check_folder_uri(const char *text, struct err *err)
{
    struct uri uri;
    if (parse_uri(text, &uri, err) < 0)
        return -1;
    if (!uri.is_folder)
        return err_set(err, ERR_INVALID, "must name a folder: end in '/'");
    return 0;
}

int check_file_uri(const char *text, struct err *err)
{
    struct uri uri;
    if (parse_uri(text, &uri, err) < 0)
        return -1;
    if (uri.is_folder)
        return err_set(err, ERR_INVALID, "must name a file: not end in '/'");
    return 0;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

int check_column(const char *text, struct err *err)
{
    struct span trimmed = span_trim(span_of(text));
    size_t length = strlen(text);
    if (length >= 1 && length <= LIMIT_CSV_NAME && trimmed.length == length && !has_control(text))
        return 0;
    return err_set(err, ERR_INVALID,
                   "must be a column name of 1 to %d bytes without blanks at its ends",
                   LIMIT_CSV_NAME);
}

int check_threshold(const char *text, struct err *err)
{
    double value;
    if (strcmp(text, "Auto") == 0 ||
        (num_double(span_of(text), &value, NULL) == 0 && value >= 0 && value <= 1))
        return 0;
    return err_set(err, ERR_INVALID, "must be Auto or a decimal number within [0,1]");
}

int check_image(const char *text, struct err *err)
{
    size_t length = strlen(text);
    if (length >= 1 && length <= 512 && consists_of(span_of(text), LOWER UPPER DIGITS "._-/:@[]+"))
        return 0;
    return err_set(err, ERR_INVALID, "must be an image reference such as ghcr.io/acme/trainer:1");
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && consists_of(span_of(text), HEX);
}

int check_digest(const char *text, struct err *err)
{
    if (strncmp(text, "sha256:", 7) == 0 && is_hex(text + 7, 64))
        return 0;
    return err_set(err, ERR_INVALID, "must be sha256: and 64 lower-case hex digits");
}

static int check_hex(const char *text, size_t digits, struct err *err)
{
    if (is_hex(text, digits))
        return 0;
    return err_set(err, ERR_INVALID, "must be %zu lower-case hex digits", digits);
}

int check_sha256(const char *text, struct err *err)
{
    return check_hex(text, 64, err);
}

int check_key(const char *text, struct err *err)
{
    return check_hex(text, 32, err);
}

int check_version(const char *text, struct err *err)
{
    return check_hex(text, 16, err);
}

int check_pin(const char *text, struct err *err)
{
    return text[0] ? check_version(text, err) : 0;
}

int check_metric(const char *text, struct err *err)
{
    size_t length = strlen(text);
    if (length >= 1 && length <= 63 && consists_of(span_of(text), LOWER DIGITS "_"))
        return 0;
    return err_set(err, ERR_INVALID, "must be 1 to 63 lower-case letters, digits and underscores");
}

int check_word(const char *text, struct err *err)
{
    size_t length = strlen(text);
    if (length >= 1 && length <= 63 && consists_of(span_of(text), LOWER UPPER DIGITS) &&
        strchr(UPPER, text[0]))
        return 0;
    return err_set(err, ERR_INVALID, "must be a word of letters and digits such as DataInvalid");
}

int check_line(const char *text, struct err *err)
{
    if (!has_control(text))
        return 0;
    return err_set(err, ERR_INVALID, "must be one line of text without control characters");
}
