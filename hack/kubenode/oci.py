"""OCI images, made from files and pushed to a registry over plain HTTP."""
import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """A manifest and the blobs that it names."""

    def __init__(self, config, layers):
        """The config as a dict without rootfs; layers as pairs (digest of the tar, gzip of it)."""
        rootfs = {"type": "layers", "diff_ids": [plain for plain, _ in layers]}
        self.config = {**config, "rootfs": rootfs}
        self.layers = layers
        blob = json.dumps(self.config, sort_keys=True).encode()
        self.blobs = {digest_of(data): data for data in (blob, *(data for _, data in layers))}
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(blob), "size": len(blob)},
            "layers": [{"mediaType": LAYER, "digest": digest_of(data), "size": len(data)}
                       for _, data in layers]}).encode()
        self.digest = digest_of(self.manifest)


def layer(files):
    """A layer of programs, {path: bytes}."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return digest_of(tar.getvalue()), gzip.compress(tar.getvalue(), mtime=0)


def read_archive(path):
    """The Image in an OCI archive of one image, as hack/images makes them."""
    with tarfile.open(path) as archive:
        def blob(descriptor):
            return archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()

        [entry] = json.load(archive.extractfile("index.json"))["manifests"]
        manifest = json.loads(blob(entry))
        config = json.loads(blob(manifest["config"]))
        layers = zip(config["rootfs"]["diff_ids"], map(blob, manifest["layers"]))
        return Image(config, list(layers))


def push(image, registry, name, tag):
    """Returns the reference by digest; the tag moves."""
    base = f"http://{registry}/v2/{name}"
    for digest, data in image.blobs.items():
        if not exists(f"{base}/blobs/{digest}"):
            with urllib.request.urlopen(urllib.request.Request(f"{base}/blobs/uploads/", method="POST")) as answer:
                place = answer.headers["Location"]
            mark = "&" if "?" in place else "?"
            put(f"{place}{mark}digest={digest}", data, "application/octet-stream")
    put(f"{base}/manifests/{tag}", image.manifest, MANIFEST)
    return f"{registry}/{name}@{image.digest}"


def exists(url):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise


def put(url, data, content_type):
    request = urllib.request.Request(url, data=data, method="PUT", headers={"Content-Type": content_type})
    with urllib.request.urlopen(request):
        pass
