/* Properties: a kubeconfig is taken or refused with a message; what is taken has a server with a
 * scheme, a namespace and credentials; client certificate and key come together. */
#include <stdint.h>

#include "kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_kubeconfig struct kubeconfig kubeconfig = { 0 };
    auto_kube_config struct kube_config config = { 0 };
    struct err err = { 0 };

    if (kubeconfig_add(&kubeconfig, (struct span){ (const char *)data, size }, "/k/config", &err) <
            0 ||
        kubeconfig_select(&kubeconfig, NULL, NULL, &config, &err) < 0) {
        if (err.kind == ERR_NONE || !err.message[0] || config.server || config.credentials)
            abort();
        return 0;
    }
    if (strncmp(config.server, "http", 4) != 0 || !config.namespace[0] || !config.credentials)
        abort();
    if (!(config.tls.certificate_file || config.tls.certificate_pem) !=
        !(config.tls.key_file || config.tls.key_pem))
        abort();
    return 0;
}
