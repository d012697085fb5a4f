#!/usr/bin/env python3
"""Traces layers.c and compares what is reported with what that program does by construction.

    test_layers.py CLI PROGRAM SOURCE SPEC
"""
import json
import subprocess
import sys
import tempfile
import unittest

CLI, PROGRAM, SOURCE, SPEC = sys.argv[1:5]


def traced():
    with tempfile.TemporaryDirectory() as folder:
        command = [CLI, "run", "-o", f"{folder}/%p.trace", "--pool", SPEC, "--", PROGRAM]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run
        command = [CLI, "report", "--format", "json", folder]
        report = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return run.stdout, json.loads(report.stdout)


class Layers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output, cls.report = traced()

    def sites(self, kind):
        """Line, number never closed and database of the sites that opened something."""
        return sorted((s["line"], s["never_closed"], s.get("database")) for s in self.report["sites"]
                      if s["kind"] == kind and s["never_closed"])

    def line(self, text):
        with open(SOURCE, encoding="utf-8") as file:
            (line,) = [number for number, code in enumerate(file, 1) if text in code]
        return line

    def test_output_is_the_programs(self):
        self.assertEqual(self.output, "the same handle\n" * 2)

    def test_handles_out_several_times_are_counted(self):
        """The handle is out three times, from its first acquire to its last release."""
        totals = self.report["totals"]["checkout"]
        self.assertEqual((totals["opened"], totals["released"], totals["live"]), (3, 2, 1))
        line = self.line("counted_get_ex(&first, 1);")
        self.assertEqual(self.sites("checkout"), [(line, 1, None)])
        (pool,) = self.report["pools"]
        self.assertEqual((pool["kind"], pool["out"], pool["high_water"]["count"]), ("layered", 1, 1))

    def test_one_connection_in_two_layers_is_one(self):
        """The sqlite3* inside is the connection; a failed open leaves one too, which must be closed; one is the pool's."""
        totals = self.report["totals"]["handle"]
        self.assertEqual((totals["opened"], totals["never_closed"]), (6, 3))

    def test_narrow_results(self):
        totals = self.report["totals"]["handle"]
        self.assertEqual((totals["refused"], totals["failed"]), (0, 1))

    def test_no_misuse(self):
        self.assertEqual(self.report["misuse"], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
