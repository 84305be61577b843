"""The Terraform modules: formatted, complete, and made of arguments that the providers really have. The
providers cannot be had here, so nothing is planned; their types stand in for them."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import parts
from terraform_module import Module

FOLDER = parts.ROOT / "manifests" / "terraform"
MODULES = ["aws", "google"]
only_full = unittest.skipUnless(os.environ.get("CHURN_FULL"), "asked for by --full")


def example(name):
    return FOLDER / name / "examples" / "weekly"


class Terraform(unittest.TestCase):
    def compile(self, text, types):
        """What the compiler complains about; "" when it is content."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "node_modules").symlink_to(types / "node_modules")
            pathlib.Path(folder, "module.ts").write_text(text)
            options = {"noEmit": True, "strict": True, "skipLibCheck": True, "preserveSymlinks": True, "types": [],
                       "module": "nodenext", "moduleResolution": "nodenext", "target": "es2022"}
            pathlib.Path(folder, "tsconfig.json").write_text(
                json.dumps({"compilerOptions": options, "files": ["module.ts"]}))
            done = subprocess.run(["node", str(types / "node_modules/typescript/bin/tsc"), "-p", "."], cwd=folder,
                                  capture_output=True, text=True)
        return done.stdout + done.stderr

    def test_format(self):
        if not shutil.which("terraform"):
            self.skipTest("terraform is not on PATH")
        parts.run("terraform", "fmt", "-check", "-diff", "-recursive", str(FOLDER))

    def test_everything_that_is_named_is_there_and_used(self):
        for name in MODULES:
            module = Module.read(FOLDER / name)
            self.assertEqual(module.undeclared(), [], name)
            for variable, body in module.named("variable").items():
                self.assertIn("type", body, f"{name}: {variable}")
                self.assertIn(f"var.{variable}", module.expressions(), f"{name}: nobody uses {variable}")
            for local in module.locals():
                self.assertIn(f"local.{local}", module.expressions(), f"{name}: nobody uses {local}")
            for kind in "variable", "output":
                for item, body in module.named(kind).items():
                    self.assertTrue(body.get("description"), f"{name}: {kind} {item} is not described")

    def test_references_that_lead_nowhere_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "main.tf").write_text(
                'resource "aws_s3_bucket" "a" {\n  bucket = "${var.x}-b"\n  tags = local.y\n}\n'
                'output "z" {\n  value = [aws_s3_bucket.b.id, data.aws_region.c.name]\n}\n')
            self.assertEqual(Module(folder).undeclared(), ["aws_s3_bucket.b", "data.aws_region.c", "local.y", "var.x"])

    def test_examples_give_what_the_module_wants(self):
        for name in MODULES:
            given = set(Module.read(example(name)).named("module")["churn"]) - {"source", "__is_block__"}
            variables = Module.read(FOLDER / name).named("variable")
            self.assertLessEqual(given, set(variables), name)
            wanted = {variable for variable, body in variables.items() if "default" not in body}
            self.assertLessEqual(wanted, given, name)

    def test_folders_are_those_of_the_weekly_flow(self):
        for name in MODULES:
            for folder in "input_folder/", "weekly_folder/", "output_folder/", "models/":
                self.assertIn(f'"{folder}"', Module.read(FOLDER / name).text, name)

    @only_full
    def test_nothing_is_unsafe(self):
        """What is passed over is said, with its reason, in the module."""
        parts.run(*parts.linter(), "--directory", str(FOLDER), "--framework", "terraform", "--skip-download",
                  "--quiet", "--compact")

    @only_full
    def test_arguments_are_those_of_the_providers(self):
        if not shutil.which("npm"):
            self.skipTest("npm is not on PATH")
        types = parts.provider_types()
        for name in MODULES:
            text = Module.read(FOLDER / name).typescript(types)
            self.assertEqual(self.compile(text, types), "", name)
        wrong = {"location: ": "locaton: ", "forceDestroy: false": 'forceDestroy: "often"',
                 "enabled: true": "enable: true"}
        for right, mistake in wrong.items():
            self.assertIn(right, text)
            with self.subTest(mistake=mistake):
                self.assertIn("error TS", self.compile(text.replace(right, mistake, 1), types))
