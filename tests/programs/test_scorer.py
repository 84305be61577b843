"""Goal: churn-scorer keeps the contract of its job document, on good data and bad.

Method: one model trained on generated customers by the real trainer; the scorer is
run on small weekly files. What it publishes is compared with the input and, byte by
byte, between runs; what it refuses by exit code, message and the absence of output.
"""
import csv
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import unittest

from scorer_case import HEADER, ScorerTest, weekly


class GoodData(ScorerTest):
    def test_one_line_per_row_in_order(self):
        lines = weekly(2500)
        self.write(lines)
        code, result = self.score(self.job(output={"columns": ["city", "age"]}, reasons=2))
        self.assertEqual((code, result["outcome"]), (0, "Scored"))
        self.assertEqual(result["rows"], {"read": 2500, "scored": 2500, "rejected": 0})
        rows = self.rows()
        self.assertEqual(list(rows[0]), ["id", "city", "age", "churn_probability",
                                         "churn_prediction", "reason_1", "reason_2"])
        self.assertEqual([row["id"] for row in rows], [line.split(",")[0] for line in lines[1:]])
        self.assertEqual([row["city"] for row in rows], [line.split(",")[2] for line in lines[1:]])
        for row in rows:
            self.assertRegex(row["churn_probability"], r"^[01]\.\d{6}$")
            self.assertRegex(row["reason_1"], r"^(age|city|income|member)=\S+ \([+-]\d+\.\d\d\)$")
            if row["reason_1"].startswith("age="):
                self.assertTrue(row["reason_1"].startswith(f"age={row['age']} ("))
        self.assertFalse(self.rejects.exists())

    def test_figures_agree_with_the_output(self):
        self.write(weekly(1500))
        _, result = self.score(self.job(threshold="0.3"))
        data, rows = self.output.read_bytes(), self.rows()
        probabilities = sorted(float(row["churn_probability"]) for row in rows)
        scores = result["scores"]
        self.assertEqual(float(scores["threshold"]), 0.3)
        self.assertAlmostEqual(float(scores["mean"]), sum(probabilities) / 1500, places=4)
        self.assertAlmostEqual(float(scores["p50"]), probabilities[749], places=4)
        self.assertAlmostEqual(float(scores["p99"]), probabilities[1484], places=4)
        self.assertEqual(scores["aboveThreshold"],
                         sum(row["churn_prediction"] == "1" for row in rows))
        self.assertEqual(scores["aboveThreshold"], sum(value >= 0.3 for value in probabilities))
        self.assertEqual(result["output"]["bytes"], len(data))
        self.assertEqual(result["output"]["sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual(result["input"]["sha256"],
                         hashlib.sha256(self.input.read_bytes()).hexdigest())

    def test_old_customers_of_oslo_are_the_likely_leavers(self):
        self.write(weekly(2000))
        self.score(self.job(output={"columns": ["city", "age"]}))
        rows = self.rows()

        def mean(chosen):
            values = [float(row["churn_probability"]) for row in rows if chosen(row)]
            return sum(values) / len(values)
        old = mean(lambda row: int(row["age"]) > 65 and row["city"] == "Oslo")
        young = mean(lambda row: int(row["age"]) < 55 and row["city"] == "Rome")
        self.assertGreater(old, young + 0.4)

    def test_same_bytes_however_many_threads(self):
        self.write(weekly(5000))
        hashes = set()
        for threads in ["1", "2", "5"]:
            shutil.rmtree(self.out, ignore_errors=True)
            self.assertEqual(self.score(self.job(), "--threads", threads)[0], 0)
            hashes.add(self.output.read_bytes() + self.manifest.read_bytes())
        self.assertEqual(len(hashes), 1)

    def test_forms_of_one_file(self):
        lines = weekly(300)
        self.write(lines)
        self.score(self.job())
        expected = self.output.read_bytes()
        quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines]
        forms = {
            "no newline at the end": "\n".join(lines).encode(),
            "CRLF": "\r\n".join(lines).encode(),
            "byte order mark": b"\xef\xbb\xbf" + "\n".join(lines).encode(),
            "quoted": "\n".join(quoted).encode(),
            "blanks in the header": "\n".join([" id, age ,city,income,member"] + lines[1:]).encode(),
        }
        for name, data in forms.items():
            with self.subTest(name):
                shutil.rmtree(self.out, ignore_errors=True)
                self.input.write_bytes(data)
                self.assertEqual(self.score(self.job())[0], 0)
                self.assertEqual(self.output.read_bytes(), expected)

    def test_compressed_files(self):
        text = "\n".join(weekly(300)).encode()
        self.input.write_bytes(text)
        self.score(self.job())
        expected = self.output.read_bytes()
        for suffix, data in self.archives(text).items():
            with self.subTest(suffix):
                shutil.rmtree(self.out, ignore_errors=True)
                self.input = self.folder / f"weekly.csv{suffix}"
                self.input.write_bytes(data)
                code, result = self.score(self.job())
                self.assertEqual(code, 0, result)
                self.assertEqual(self.output.read_bytes(), expected)
                self.assertEqual(result["input"]["sha256"], hashlib.sha256(data).hexdigest())
                shutil.rmtree(self.out, ignore_errors=True)
                self.input.write_bytes(data[:-20])
                self.assert_refused(65, "DataInvalid", f"weekly.csv{suffix}: the ")

    @staticmethod
    def archives(text):
        found = {".gz": gzip.compress(text)}
        if shutil.which("zstd"):
            found[".zst"] = subprocess.run(["zstd", "-q", "-c"], input=text, check=True,
                                           stdout=subprocess.PIPE).stdout
        return found

    def test_no_reasons(self):
        self.write(weekly(10))
        self.score(self.job(reasons=0))
        self.assertEqual(list(self.rows()[0]), ["id", "churn_probability", "churn_prediction"])

    def test_columns_in_another_order_and_more_of_them(self):
        lines = weekly(50)
        self.write(lines)
        self.score(self.job())
        expected = self.output.read_bytes()
        shutil.rmtree(self.out, ignore_errors=True)
        turned = [",".join(["x", *reversed(line.split(","))]) for line in lines]
        self.write(turned)
        self.score(self.job())
        self.assertEqual(self.output.read_bytes(), expected)

    def test_newest_file_of_a_folder(self):
        inbox = self.folder / "inbox"
        inbox.mkdir()
        for name, seconds in [("a.csv", 2000), ("b.csv", 3000), ("_c.csv", 4000), ("d.txt", 5000)]:
            (inbox / name).write_text("\n".join(weekly(5)))
            os.utime(inbox / name, (seconds, seconds))
        code, result = self.score(self.job(input={"uri": f"file://{inbox}/"}))
        self.assertEqual((code, result["input"]["uri"]), (0, f"file://{inbox}/b.csv"))

    def test_a_category_never_seen_and_drift_are_warned_of(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Paris") for line in lines[1:]])
        code, result = self.score(self.job())
        self.assertEqual(code, 0)
        text = " ".join(result["warnings"])
        self.assertRegex(text, r"weekly.csv: cells with a category that was never seen in training: \d+")
        self.assertIn("column city is distributed otherwise", text)
        drift = json.loads(self.manifest.read_text())["drift"]
        self.assertEqual(drift["feature"], "city")
        self.assertGreater(float(drift["max"]), 0.25)
        self.assertEqual({item["name"] for item in drift["features"]}, set(HEADER.split(",")[1:]))
        self.assertEqual(result["drift"], drift)

    def test_drift_fails_a_run_when_asked(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Oslo") for line in lines[1:]])
        job = self.job(drift={"warn": "", "fail": "0.2"})
        result = self.assert_refused(65, "DriftExceeded", "weekly.csv: column city is distributed "
                                     "otherwise than in training: PSI ", job)
        psi = float(result["message"].split("PSI ")[1].split(",")[0])
        for fail, code in [(str(psi - 0.0001), 65), (str(psi + 0.0001), 0)]:
            shutil.rmtree(self.out, ignore_errors=True)
            found, result = self.score(self.job(drift={"warn": "", "fail": fail}))
            self.assertEqual(found, code, result)
        self.assertEqual(result["drift"]["max"], f"{psi:.4f}")
        self.assertNotIn("warnings", result)  # drift.warn is empty

    def test_drift_is_warned_of_from_the_figure_on_that_was_asked_for(self):
        lines = weekly(500)
        self.write([lines[0]] + [line.replace("Rome", "Oslo") for line in lines[1:]])
        _, result = self.score(self.job())
        psi = float(result["drift"]["max"])
        for warn, warned in [(str(psi - 0.0001), True), (str(psi + 0.0001), False)]:
            shutil.rmtree(self.out, ignore_errors=True)
            _, result = self.score(self.job(drift={"warn": warn}))
            self.assertEqual("column city" in " ".join(result.get("warnings", [])), warned)

    def test_few_rows_are_not_called_drifted(self):
        self.write(weekly(2))
        code, result = self.score(self.job())
        self.assertEqual((code, result.get("warnings", [])), (0, []))

    def test_numbers_beyond_floats(self):
        lines = weekly(3)
        self.write(lines[:1] + [f"x{number},{age},Rome,1000,yes"
                                for number, age in enumerate(["80", "1e300", "-1e300", "18"])])
        code, _ = self.score(self.job(reasons=1))
        self.assertEqual(code, 0)
        rows = self.rows()
        for large, ordinary in [(1, 0), (2, 3)]:
            self.assertEqual(rows[large]["churn_probability"], rows[ordinary]["churn_probability"])
        self.assertIn("age=1e300", rows[1]["reason_1"])


class BadData(ScorerTest):
    def test_files_that_cannot_be_read(self):
        good = weekly(200)
        text = "\n".join(good).encode()
        cases = [
            ("empty file", b"", "weekly.csv is empty"),
            ("header only", HEADER.encode(), "weekly.csv has a header but no rows"),
            ("unclosed quote", text + b'\n"c900,1,Rome,1,yes\n',
             "weekly.csv line 202: a quote is opened here and never closed"),
            ("binary file", b"\x7fELF\x02\x01\x00\x00", "weekly.csv line 1 column 7: a NUL byte"),
            ("binary row", text + b"\nc900,1,Ro\0me,1,yes\n",
             "weekly.csv line 202 column 10: a NUL byte"),
            ("wrong encoding", text + "\nc900,1,M\xfcnchen,1,yes\n".encode("latin-1"),
             "weekly.csv line 202 column 9: byte 0xfc is not UTF-8"),
            ("UTF-16", "\n".join(good).encode("utf-16"), "weekly.csv line 1 column 1: the file is "
             "UTF-16"),
            ("duplicate header", text.replace(b"member", b"age", 1),
             "weekly.csv line 1: column age is in the header twice (fields 2 and 5)"),
            ("empty header name", text.replace(b"member", b" ", 1),
             "weekly.csv line 1: field 5 of the header is empty"),
            ("column missing", text.replace(b"income", b"Income_EUR", 1),
             "weekly.csv has no column income"),
            ("other separator", text.replace(b",", b";"),
             "weekly.csv has no column id (its header: id;age;city;income;member: one column; "
             "fields are separated by commas)"),
            ("old line ends", text.replace(b"\n", b"\r"),
             "weekly.csv line 1: a carriage return in field 5 of the header"),
            ("spreadsheet", b"PK\x03\x04\x14\x00\x06\x00",
             "weekly.csv is a zip archive or a spreadsheet (.xlsx)"),
            ("id missing", text.replace(b"id,", b"customer,", 1), "weekly.csv has no column id"),
            ("id twice", text + b"\nc7,20,Rome,1,yes\n",
             "weekly.csv line 202, id: the id is there already, in line 9"),
        ]
        for name, data, message in cases:
            with self.subTest(name):
                self.input.write_bytes(data)
                self.assert_refused(65, "DataInvalid", message)
                self.assertFalse(self.rejects.exists())

    def bad_rows(self, count):
        lines = weekly(200)
        for number in range(count):
            lines[10 + number] = ["c,1,Rome", "c,old,Rome,1,yes", "c,1,Rome,1,perhaps",
                                  ",1,Rome,1,yes"][number % 4]
        self.write(lines)

    def test_five_percent_bad_rows(self):
        self.bad_rows(10)
        result = self.assert_refused(
            65, "DataInvalid", "weekly.csv line 11: 3 fields, header has 5 (10 of 200 rows are bad, "
            "maxRejected is 0.01")
        self.assertIn(str(self.rejects), result["message"])
        rejects = list(csv.reader(self.rejects.read_text().splitlines()))
        self.assertEqual(rejects[:5], [
            ["line", "column", "why"], ["11", "", "3 fields, header has 5"],
            ["12", "age", '"old" is not a number'], ["13", "member", '"perhaps" is not a boolean'],
            ["14", "id", "the id is blank"]])
        self.assertEqual(len(rejects), 11)

    def test_tolerated_bad_rows(self):
        self.bad_rows(2)
        code, result = self.score(self.job())
        self.assertEqual(code, 0)
        self.assertEqual(result["rows"], {"read": 200, "scored": 198, "rejected": 2})
        self.assertEqual(result["output"]["rejectsURI"], f"file://{self.rejects}")
        self.assertEqual(len(self.rows()), 198)
        self.assertEqual(len(self.rejects.read_text().splitlines()), 3)

    def test_mended_file_has_no_rejects_left(self):
        self.bad_rows(10)
        self.assert_refused(65, "DataInvalid", "10 of 200")
        self.write(weekly(200))
        self.assertEqual(self.score(self.job())[0], 0)
        self.assertFalse(self.rejects.exists())

    def test_an_id_twice_far_apart(self):
        """More ids than are kept in memory at once."""
        lines = weekly(300000)
        lines[299000] = lines[5]
        self.write(lines)
        self.assert_refused(65, "DataInvalid",
                            "weekly.csv line 299001, id: the id is there already, in line 6",
                            self.job(reasons=0))

    def test_column_to_carry_is_missing(self):
        self.write(weekly(5))
        self.assert_refused(65, "DataInvalid", "output.columns: weekly.csv has no column City "
                            "(closest: city)", self.job(output={"columns": ["City"]}))


if __name__ == "__main__":
    unittest.main()
