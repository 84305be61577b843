#include "oci/cloud.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && strcasecmp(text + length - end_length, end) == 0;
}

static bool is_google(const char *host)
{
    return strcasecmp(host, "gcr.io") == 0 || ends_in(host, ".gcr.io") ||
           ends_in(host, "-docker.pkg.dev");
}

static bool is_amazon(const char *host)
{
    static const char *const marks[] = { ".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.",
                                         ".dkr-ecr-fips." };
    static const char *const ends[] = { ".amazonaws.com", ".amazonaws.com.cn", ".on.aws" };
    bool marked = false, ended = false;

    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        marked = marked || strcasestr(host, marks[i]);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        ended = ended || ends_in(host, ends[i]);
    return marked && ended;
}

static bool is_azure(const char *host)
{
    return ends_in(host, ".azurecr.io") || ends_in(host, ".azurecr.cn") ||
           ends_in(host, ".azurecr.us");
}

enum cloud cloud_of_host(const char *host)
{
    if (is_google(host))
        return CLOUD_GOOGLE;
    if (is_amazon(host))
        return CLOUD_AMAZON;
    return is_azure(host) ? CLOUD_AZURE : CLOUD_NONE;
}
