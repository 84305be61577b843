"""Goal: what CONTRIBUTING.md calls checked is checked.
Method: offences on purpose, for the compiler and for a copy of hack/check-style in a small tree."""
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BANNED = ROOT / "lib" / "base" / "banned.h"


class BannedFunctions(unittest.TestCase):
    def compile(self, *statements):
        program = "int main(void)\n{\n" + "".join(f"    {statement};\n" for statement in statements) + "}\n"
        return subprocess.run(["cc", "-fsyntax-only", "-include", BANNED, "-x", "c", "-"], input=program,
                              stderr=subprocess.PIPE, text=True)

    def test_each_stops_the_build(self):
        banned = re.findall(r"^#define (\w+)\((.*)\) BANNED\(\1\)$", BANNED.read_text(), re.M)
        self.assertLessEqual({"strcpy", "sprintf", "strtok", "atoi", "strtod", "sscanf", "gmtime", "setlocale"},
                             {name for name, _ in banned})
        done = self.compile(*(f"{name}({re.sub('[a-z.]+', '0', parameters)})" for name, parameters in banned))
        self.assertNotEqual(done.returncode, 0)
        for name, _ in banned:
            self.assertIn(f"sorry_{name}_is_a_banned_function", done.stderr)

    def test_others_do_not(self):
        done = self.compile('puts("")')
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Style(unittest.TestCase):
    OFFENCES = [
        ("lib/ml/a.c", '#include "net/b.h"\n', '"net/b.h": lib/ml may not include lib/net'),
        ("controller/reconcile_x.c", '#include "net/b.h"\n', "a pure file includes only base"),
        ("controller/c.c", "#include <curl/curl.h>\n", "<curl/curl.h> belongs to lib/net/ alone"),
        ("lib/base/d.h", "#pragma once\n", 'must begin with "/* d.h - "'),
        ("lib/base/e.c", "void e(void)\n{\n" + "    e();\n" * 80 + "}\n", "a function of 82 lines"),
        ("lib/base/f.c", "int f;\n" * 601, "a file of 601 lines"),
        ("tests/f.py", "f = 0\n" * 601, "a file of 601 lines"),
        ("lib/base/g.c", "/* TO" "DO: more */\n", "finish it"),
    ]

    def test_each_offence_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            files = {"lib/net/b.h": "/* b.h - nothing. */\n", **{name: text for name, text, _ in self.OFFENCES}}
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            Path(folder, "hack").mkdir()
            shutil.copy(ROOT / "hack" / "check-style", Path(folder, "hack"))
            done = subprocess.run([Path(folder, "hack", "check-style")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        for name, _, message in self.OFFENCES:
            with self.subTest(name=name):
                self.assertRegex(done.stdout, rf"(?m)^{re.escape(name)}:\d+: .*{re.escape(message)}")


class Reasons(unittest.TestCase):
    """lib/contract/reasons.h is what users read: code emits what it lists, and nothing else."""
    LIST = ROOT / "lib" / "contract" / "reasons.h"

    def setUp(self):
        self.listed = set(re.findall(r"REASON\((\w+), \"", self.LIST.read_text()))
        sources = [path for folder in ("lib", "controller", "trainer", "scorer")
                   for path in ROOT.glob(f"{folder}/**/*.[ch]") if path.stem != "reasons"]
        self.code = "\n".join(path.read_text() for path in sources)

    def test_the_list_is_what_the_code_emits(self):
        names = re.search(r"outcome_names\[\] = \{(.*?)\}", self.code, re.S)[1]
        outcomes = set(re.findall(r'"(\w+)"', names))  # words of programs: some are reasons too
        emitted = re.findall(r"\bREASON_([A-Z]\w*[a-z])\b", self.code)
        self.assertEqual(self.listed - outcomes, set(emitted) - outcomes)

    def test_what_documents_name_is_listed(self):
        for path in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("crds/*.yaml")]:
            for words in re.findall(r"[Rr]easons? (`\w+`(?:(?:, | or )`\w+`)*)", path.read_text()):
                with self.subTest(file=path.name, words=words):
                    self.assertLessEqual(set(re.findall(r"\w+", words)) - {"or"}, self.listed)

    def test_decisions_are_documented(self):
        """Why a training is due, and why it is not, stands in the schema."""
        decisions = re.search(r"decisions about a training \*/(.*?)/\*", self.LIST.read_text(), re.S)[1]
        text = (ROOT / "crds" / "churnmodels.yaml").read_text()
        documented = re.search(r"description: (First, .*)\.", text)[1]
        self.assertEqual(set(re.findall(r"REASON\((\w+)", decisions)),
                         set(re.split(r", | or ", documented)))
