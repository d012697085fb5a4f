#!/usr/bin/python3
"""pprof and speedscope: what Go's pprof and speedscope's own schema say."""

import json
import os
import subprocess
import unittest

import formats_harness as harness


class Pprof(harness.FormatsTestCase):
    def pprof(self, folder, *options):
        with open(self.path("p.pb.gz"), "wb") as file:
            file.write(self.render("pprof", folder))
        return subprocess.run([harness.GO, "tool", "pprof", *options, self.path("p.pb.gz")], capture_output=True,
                              text=True, timeout=120, check=True, env={**os.environ, "PPROF_TMPDIR": self.folder}).stdout

    @unittest.skipIf(not harness.GO, "not installed: go")
    def test_values_are_those_of_json(self):
        for name, folder in self.traces.items():
            report = json.loads(self.render("json", folder))
            sums = harness.pprof_sums(self.render("pprof", folder))
            for kind, totals in report["totals"].items():
                found = sums.get(kind, {"opened": 0, "never_closed": 0, "held": 0})
                self.assertEqual(
                    (found["opened"], found["never_closed"], found["held"]),
                    (totals["opened"], totals["never_closed"], totals["live"] + totals["refused"] + totals["zombie"]),
                    (name, kind))
            self.assertEqual(sums.get("", {"waits": 0})["waits"],
                             sum(pool["waits"]["count"] for pool in report["pools"]), name)

    @unittest.skipIf(not harness.GO, "not installed: go")
    def test_top_and_tags(self):
        top = self.pprof(self.traces["pytest"], "-top", "-nodecount=500")
        self.assertIn("Type: never_closed", top)
        self.assertRegex(top, r"\s2\s.*\s(TestCase\.)?test_two")
        self.assertIn("<module>", self.pprof(self.traces["unittest"], "-top", "-nodecount=500"))
        tags = self.pprof(self.traces["pytest"], "-tags")
        for text in ("kind: Total", "test: Total", "test_some.py::TestCase::test_two"):
            self.assertIn(text, tags)
        self.assertIn("thread: Total", self.pprof(self.traces["hostile"], "-tags"))
        self.assertIn("pool: Total", self.pprof(self.traces["dry"], "-sample_index=opened", "-tags"))

    def test_not_for_a_terminal(self):
        done = subprocess.run(["script", "-qec", f"{harness.CLI} report --format pprof {self.traces['killed']}",
                               "/dev/null"], capture_output=True, text=True, timeout=60, check=False)
        self.assertIn("not for a terminal", done.stdout)


class Speedscope(harness.FormatsTestCase):
    def test_own_schema(self):
        folder = harness.npm_package(self, "speedscope")
        import jsonschema  # pylint: disable=import-outside-toplevel
        with open(os.path.join(folder, "dist", "release", "file-format-schema.json"), encoding="utf-8") as file:
            validator = jsonschema.Draft7Validator(json.load(file))
        for traces in self.traces.values():
            document = json.loads(self.render("speedscope", traces))
            self.assertEqual([error.message for error in validator.iter_errors(document)], [])
        self.assertFalse(validator.is_valid({"profiles": [{"type": "sampled"}], "shared": {}}))

    def test_stacks(self):
        document = json.loads(self.render("speedscope", self.traces["pytest"]))
        frames = [frame["name"] for frame in document["shared"]["frames"]]
        (profile,) = [p for p in document["profiles"] if p["name"] == "handles never closed"]
        stacks = {tuple(frames[i] for i in sample): weight
                  for sample, weight in zip(profile["samples"], profile["weights"])}
        self.assertIn(2, [weight for stack, weight in stacks.items() if any("test_two" in name for name in stack)])
        for stack in stacks:
            self.assertNotIn("test_", stack[0])
        self.assertEqual(len(set(map(str, document["shared"]["frames"]))), len(frames))


if __name__ == "__main__":
    harness.main()
