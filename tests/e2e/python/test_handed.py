#!/usr/bin/python3
"""Which line is to blame where functions hand on what they open: one-line functions, lambdas,
decorators, generators, context managers, class methods, code that was made at run time."""

import os
import re
import unittest

import python_harness
from python_harness import PYTHON, source


def marked():
    """{line: (opened, never closed)} of the marked lines."""
    lines = {}
    with open(source("handed.py"), encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            found = re.search(r"# site: (\d+)_(\d+) ", text)
            if found:
                lines[number] = (int(found[1]), int(found[2]))
    return lines


@unittest.skipUnless(python_harness.has_module("sqlalchemy"), "SQLAlchemy is not installed")
class Handed(python_harness.PythonTestCase):
    def test_lines(self):
        run = self.trace([PYTHON, source("handed.py"), self.path("a.db")])
        self.assertEqual(run.status, 0, run.err)
        found = {}
        for site in run.report()["sites"]:
            # What a pool opens for itself is nobody's.
            if site["kind"] == "checkout" or site["never_closed"] or site["function"] in (
                    "repository", "itself"):
                self.assertEqual(os.path.basename(site["file"]), "handed.py", site)
                self.assertNotIn(site["line"], found)
                found[site["line"]] = (site["opened"], site["never_closed"])
        self.assertEqual(found, marked())

    def test_no_file(self):
        """Code given on the command line keeps its place: there is no other."""
        code = ("import sqlite3\n"
                "def get(): return sqlite3.connect(':memory:')\n"
                "keep = [get()]\n")
        run = self.trace([PYTHON, "-c", code])
        (site,) = [site for site in run.report()["sites"] if site["never_closed"]]
        self.assertEqual(site["file"], "<string>")


if __name__ == "__main__":
    python_harness.main()
