"""The certificates and kubeconfigs of a cluster: one authority, EC keys, all made by openssl."""
import os
import subprocess

CLIENTS = {  # file name: subject
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kubelet": "/O=system:nodes/CN=system:node:{node}",
    "apiserver-to-kubelet": "/O=system:masters/CN=kube-apiserver",
}
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: churn
  cluster: {{server: "{server}", certificate-authority: {folder}/ca.crt}}
users:
- name: {user}
  user: {{client-certificate: {folder}/{user}.crt, client-key: {folder}/{user}.key}}
contexts:
- name: churn
  context: {{cluster: churn, user: {user}}}
current-context: churn
"""


def create(folder, node, address, service_address):
    """Fills the folder: NAME.key, NAME.crt, and NAME.kubeconfig for each of CLIENTS."""
    os.makedirs(folder, mode=0o700)
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=churn-cluster",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    names = ["DNS:localhost", "IP:127.0.0.1", f"IP:{address}"]
    service = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
               "DNS:kubernetes.default.svc.cluster.local", f"IP:{service_address}"]
    issue(folder, "apiserver", "/CN=kube-apiserver", "serverAuth", names + service)
    issue(folder, "kubelet-server", f"/O=system:nodes/CN=system:node:{node}", "serverAuth",
          names + [f"DNS:{node}"])
    for name, subject in CLIENTS.items():
        issue(folder, name, subject.format(node=node), "clientAuth")
        with open(os.path.join(folder, name + ".kubeconfig"), "w") as file:
            file.write(KUBECONFIG.format(server=f"https://{address}", folder=folder, user=name))
    openssl(folder, "genrsa", "-out", "service-accounts.key", "2048")


def issue(folder, name, subject, usage, alternative_names=()):
    extensions = f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
    if alternative_names:
        extensions += "subjectAltName=" + ",".join(alternative_names) + "\n"
    with open(os.path.join(folder, name + ".extensions"), "w") as file:
        file.write(extensions)
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", name + ".key", "-out", name + ".request", "-subj", subject)
    openssl(folder, "x509", "-req", "-in", name + ".request", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "365", "-extfile", name + ".extensions", "-out", name + ".crt")
    for suffix in (".request", ".extensions"):
        os.unlink(os.path.join(folder, name + suffix))


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
