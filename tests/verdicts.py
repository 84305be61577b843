"""Runs one file of unittest cases and prints a verdict a line: PASS|FAIL|SKIP name [reason].

Usage: verdicts.py FILE [TEST...]. What a failing test has to say comes before its verdict."""
import importlib.util
import os
import sys
import time
import traceback
import unittest


class Verdicts(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def say(self, verdict, test, reason=""):
        print(f"{verdict} {self.name(test)} {reason}".rstrip(), flush=True)

    @staticmethod
    def name(test):
        return test.id().replace(" ", "_")

    def addSuccess(self, test):
        self.say("PASS", test, f"({time.monotonic() - self.started:.1f} s)")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        traceback.print_exception(*error, file=sys.stdout)
        self.say("FAIL", test)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("SKIP", test, reason)


def main():
    path, *names = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = Verdicts()
    suite.run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
