#include "store/aws_profile.h"

#include <stddef.h>

static const struct setting {
    const char *name; /* in a nested section: "s3.addressing_style" */
    size_t offset;
} settings[] = {
    { "aws_access_key_id", offsetof(struct aws_profile, access_key_id) },
    { "aws_secret_access_key", offsetof(struct aws_profile, secret_access_key) },
    { "aws_session_token", offsetof(struct aws_profile, session_token) },
    { "role_arn", offsetof(struct aws_profile, role_arn) },
    { "role_session_name", offsetof(struct aws_profile, role_session_name) },
    { "web_identity_token_file", offsetof(struct aws_profile, web_identity_token_file) },
    { "region", offsetof(struct aws_profile, region) },
    { "endpoint_url", offsetof(struct aws_profile, endpoint_url) },
    { "ca_bundle", offsetof(struct aws_profile, ca_bundle) },
    { "s3.addressing_style", offsetof(struct aws_profile, addressing_style) },
    { "credential_process", offsetof(struct aws_profile, credential_process) },
    { "source_profile", offsetof(struct aws_profile, source_profile) },
};

struct reading {
    const char *what, *name;
    bool is_config;
    struct arena *arena;
    struct aws_profile section; /* what this file says; a later line wins */
    unsigned line;
    bool in_profile;
    struct span parent; /* of nested settings: "s3" */
};

static int bad_line(const struct reading *reading, const char *expected, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s line %u: expected %s", reading->what, reading->line,
                   expected);
}

/* "[NAME]"; in a config file "[profile NAME]" or "[default]". */
static int read_section(struct reading *reading, struct span line, struct err *err)
{
    const char *end = memchr(line.data, ']', line.length);

    if (!end)
        return bad_line(reading, "\"]\" at the end of the section", err);
    struct span name = span_trim((struct span){ line.data + 1, (size_t)(end - line.data) - 1 });
    bool is_named = name.length > 7 && memcmp(name.data, "profile", 7) == 0 &&
                    (name.data[7] == ' ' || name.data[7] == '\t');

    if (reading->is_config && is_named)
        name = span_trim((struct span){ name.data + 7, name.length - 7 });
    else if (reading->is_config && !span_equals(name, "default"))
        name = (struct span){ 0 }; /* "sso-session ...", "services ..." */
    reading->in_profile = name.length > 0 && span_equals(name, reading->name);
    reading->section.found |= reading->in_profile;
    reading->parent = (struct span){ 0 };
    return 0;
}

/* A blank before '#' or ';' begins a comment, also where there is no value before it. */
static struct span read_value(struct span text)
{
    for (size_t i = 1; i < text.length; i++)
        if ((text.data[i] == '#' || text.data[i] == ';') &&
            (text.data[i - 1] == ' ' || text.data[i - 1] == '\t'))
            text.length = i;
    return span_trim(text);
}

static void keep(struct reading *reading, const char *name, struct span value)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (strcmp(settings[i].name, name) == 0)
            *(const char **)((char *)&reading->section + settings[i].offset) =
                arena_strndup(reading->arena, value.data, value.length);
}

static int read_setting(struct reading *reading, struct span line, bool is_indented,
                        struct err *err)
{
    const char *equals = memchr(line.data, '=', line.length);

    if (is_indented && reading->parent.length == 0)
        return 0; /* a value's further lines: none of ours have some */
    if (!equals)
        return is_indented ? 0 : bad_line(reading, "\"key = value\", a section or a comment", err);
    size_t length = (size_t)(equals - line.data);
    struct span name = span_trim((struct span){ line.data, length });
    struct span value = read_value((struct span){ equals + 1, line.length - length - 1 });

    if (!is_indented)
        reading->parent = value.length == 0 ? name : (struct span){ 0 };
    if (!reading->in_profile || value.length == 0)
        return 0;
    auto_free char *full =
        mem_format("%.*s%s%.*s", is_indented ? (int)reading->parent.length : 0,
                   reading->parent.data, is_indented ? "." : "", (int)name.length, name.data);
    keep(reading, full, value);
    return 0;
}

/* Values go into headers: nothing in them may end a line. */
static bool is_text(struct span line)
{
    for (size_t i = 0; i < line.length; i++)
        if ((unsigned char)line.data[i] < ' ' && line.data[i] != '\t')
            return false;
    return true;
}

static int read_line(struct reading *reading, struct span line, struct err *err)
{
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (!is_text(line))
        return bad_line(reading, "text without control characters", err);
    struct span trimmed = span_trim(line);

    if (trimmed.length == 0 || trimmed.data[0] == '#' || trimmed.data[0] == ';')
        return 0;
    if (line.data[0] == '[')
        return read_section(reading, trimmed, err);
    return read_setting(reading, trimmed, trimmed.data != line.data, err);
}

static void merge(const struct aws_profile *section, struct aws_profile *profile)
{
    profile->found |= section->found;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const char *const *from = (const char *const *)((const char *)section + settings[i].offset);
        const char **to = (const char **)((char *)profile + settings[i].offset);

        if (!*to)
            *to = *from;
    }
}

int aws_profile_read(struct span text, const char *what, const char *name, bool is_config,
                     struct arena *arena, struct aws_profile *profile, struct err *err)
{
    struct reading reading = { .what = what, .name = name, .is_config = is_config, .arena = arena };

    while (text.length > 0) {
        const char *end = memchr(text.data, '\n', text.length);
        struct span line = { text.data, end ? (size_t)(end - text.data) : text.length };

        reading.line++;
        if (read_line(&reading, line, err) < 0)
            return -1;
        text.data += line.length + (end ? 1 : 0);
        text.length -= line.length + (end ? 1 : 0);
    }
    if (profile->access_key_id) /* the parts of a key are never of two files */
        reading.section.access_key_id = reading.section.secret_access_key =
            reading.section.session_token = NULL;
    merge(&reading.section, profile);
    return 0;
}
