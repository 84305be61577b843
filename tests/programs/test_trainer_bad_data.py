"""Goal: churn-trainer refuses data that it cannot learn from and says where and why.

Method: one history spoiled in one way after the other; exit code, message and the absence of output.
"""
import unittest

from trainer_case import HEADER, TrainerTest, history


class BadData(TrainerTest):
    """Exit code, message with file and place, and nothing published."""

    def refused(self, message, expect=65, reason="DataInvalid", arguments=(), **changes):
        result = self.run_program("--job", self.job(**changes), *arguments, expect=expect)
        self.assertEqual(result["outcome"], "Failed")
        self.assertEqual(result["exitCode"], expect)
        self.assertEqual(result["reason"], reason)
        self.assertRegex(result["message"], message)
        self.assertFalse(self.models.exists() and any(self.models.rglob("*")))

    def test_empty_file(self):
        self.data.write_text("")
        self.refused(r"history\.csv")

    def test_header_only(self):
        self.write([HEADER])
        self.refused(r"history\.csv")

    def test_no_useful_column(self):
        self.write(["id,city,left"] + [f"{number},Rome,{number % 2}" for number in range(100)])
        self.refused(r"no column is left that a model could use; history.csv: column city is left "
                     r"out: it has one value only")

    def test_missing_target(self):
        self.write(history())
        self.refused(r"history\.csv.*Exited", data={"target": "Exited"})

    def test_missing_id(self):
        self.write(history())
        self.refused(r"history\.csv.*CustomerId", data={"id": "CustomerId"})

    def test_missing_sensitive_column(self):
        self.write(history())
        self.refused(r"data.sensitive: history\.csv has no column Age \(closest: age\)",
                     data={"sensitive": ["city", "Age"]})

    def test_one_class_only(self):
        lines = history()
        self.write([lines[0]] + [line[:-1] + "0" for line in lines[1:]])
        self.refused(r"history\.csv.*left")

    def test_label_that_never_occurs(self):
        self.write(history())
        self.refused(r"history\.csv.*left", data={"positiveLabel": "yes"})

    def test_too_few_rows(self):
        self.write(history(rows=40))
        self.refused(r"history\.csv: 40 rows.* at least 50")

    def test_too_little_memory(self):
        """Before the kernel ends it; by what the algorithm takes."""
        self.write(history(rows=30000))
        for algorithm in ("Auto", "GradientBoosting", "LogisticRegression", "NeuralNetwork"):
            with self.subTest(algorithm):
                self.refused(rf"^history\.csv: {algorithm} on 30000 rows of 4 columns takes more than [1-9] MiB of "
                             r"memory, and may have 1: raise resources\.limits\.memory of the pod, or give fewer "
                             r"rows$", arguments=["--memory", "1"], algorithm=algorithm)

    def test_ragged_rows(self):
        lines = history()
        for number in range(5, 25):
            lines[number] += ",extra"
        self.write(lines)
        self.refused(r"history\.csv.*line 6.*7 fields, header has 6")

    def test_unclosed_quote(self):
        lines = history()
        lines[10] = 'c9,30,"Rome,1000,yes,0'
        self.write(lines)
        self.refused(r"history\.csv line 11.*quote")

    def test_binary_file(self):
        self.data.write_bytes(bytes(range(256)) * 20)
        self.refused(r"history\.csv")

    def test_wrong_encoding(self):
        lines = history()
        lines[7] = lines[7].replace("Rome", "Köln").replace("Oslo", "Köln").replace("Bonn", "Köln")
        self.data.write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
        self.refused(r"history\.csv line 8.*UTF-8")

    def test_utf16(self):
        self.data.write_bytes(("\n".join(history()) + "\n").encode("utf-16"))
        self.refused(r"history\.csv")

    def test_duplicate_header(self):
        lines = history()
        lines[0] = "id,age,city,age,member,left"
        self.write(lines)
        self.refused(r"history\.csv.*age")

    def test_five_percent_bad_rows(self):
        lines = history(rows=1000)
        for number in range(1, 1001, 20):
            lines[number] = lines[number].rsplit(",", 1)[0]
        self.write(lines)
        self.refused(r"history\.csv line 2: 5 fields, header has 6 \(50 of 1000 rows")

    def test_a_few_bad_rows_are_left_out(self):
        lines = history(rows=1000)
        lines[500] = "c499,44"
        self.write(lines)
        result, _ = self.train()
        self.assertEqual(result["model"]["rows"], 999)
        self.assertRegex(" ".join(result["warnings"]), r"history\.csv.*501")

    def test_number_column_turns_into_text(self):
        lines = history(rows=1000)
        for number in range(940, 1001):
            cells = lines[number].split(",")
            cells[1] = "unknown age"
            lines[number] = ",".join(cells)
        self.write(lines)
        self.refused(r"history\.csv.*line 941.*age")

    def test_id_twice(self):
        lines = history()
        lines[100] = "c5" + lines[100][lines[100].index(","):]
        self.write(lines)
        self.refused(r"history\.csv.*line 101.*c5")

    def test_no_file(self):
        self.refused(r"history\.csv", expect=66, reason="InputNotFound")

    def test_job_document(self):
        self.write(history())
        for changes, message in [({"algorithm": "Magic"}, "algorithm"), ({"colour": "red"}, "colour"),
                                 ({"parameters": {"max_depth": "99"}}, "parameters.max_depth"),
                                 ({"version": 2}, "version")]:
            self.refused(message, expect=64, reason="UsageError", **changes)


if __name__ == "__main__":
    unittest.main()
