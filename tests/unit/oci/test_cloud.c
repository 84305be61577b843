/* Goal: registries of clouds are known by their hosts, and nobody else passes for one: Google's get
 * a credential. */
#include "unit.h"

#include "oci/cloud.h"

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        enum cloud cloud;
    } cases[] = {
        { "gcr.io", CLOUD_GOOGLE },
        { "eu.gcr.io", CLOUD_GOOGLE },
        { "US-Docker.pkg.dev", CLOUD_GOOGLE },
        { "us-central1-docker.pkg.dev", CLOUD_GOOGLE },
        { "1234.dkr.ecr.eu-west-1.amazonaws.com", CLOUD_AMAZON },
        { "1234.dkr.ecr-fips.us-gov-west-1.amazonaws.com", CLOUD_AMAZON },
        { "1234.dkr.ecr.cn-north-1.amazonaws.com.cn", CLOUD_AMAZON },
        { "1234.dkr-ecr.eu-west-1.on.aws", CLOUD_AMAZON },
        { "bank.azurecr.io", CLOUD_AZURE },
        { "bank.azurecr.cn", CLOUD_AZURE },
        { "gcr.io.evil.example", CLOUD_NONE },
        { "evilgcr.io", CLOUD_NONE },
        { "docker.pkg.dev", CLOUD_NONE },
        { "-docker.pkg.dev", CLOUD_NONE },
        { "pkg.dev", CLOUD_NONE },
        { ".gcr.io", CLOUD_NONE },
        { "gcr.io:443", CLOUD_NONE },
        { "s3.amazonaws.com", CLOUD_NONE },
        { "a.dkr.ecr.evil.example", CLOUD_NONE },
        { "ghcr.io", CLOUD_NONE },
        { "docker.io", CLOUD_NONE },
        { "", CLOUD_NONE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (cloud_of_host(cases[i].host) != cases[i].cloud)
            fail_msg("%s: %d", cases[i].host, (int)cloud_of_host(cases[i].host));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hosts) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
