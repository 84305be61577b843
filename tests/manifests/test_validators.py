"""What independent checkers say of the manifests: the schemas of every supported Kubernetes, and
the good practice that kube-score knows."""
import tempfile
import unittest

import parts
from test_overlays import OVERLAYS

VERSIONS = ["1.31", "1.32", "1.33", "1.34", "1.35", "1.36"]
# Asked of every image, and not needed: releases name them by version or digest, which do not move.
IGNORED = "container-image-pull-policy"


class Validators(unittest.TestCase):
    def in_file(self, overlay):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        file.write(parts.kustomize(f"manifests/overlays/{overlay}"))
        file.flush()
        return file.name

    def test_schemas_of_every_supported_version(self):
        validator = parts.validator()
        for overlay in OVERLAYS:
            path = self.in_file(overlay)
            for version in VERSIONS:
                with self.subTest(overlay=overlay, version=version):
                    parts.run(*validator, "-k", version, "--strict", path)

    def test_good_practice(self):
        score = str(parts.go_program("kube-score"))
        for overlay in OVERLAYS:
            with self.subTest(overlay=overlay):
                parts.run(score, "score", "--output-format", "ci",
                          "--ignore-test", IGNORED, self.in_file(overlay))


if __name__ == "__main__":
    unittest.main()
