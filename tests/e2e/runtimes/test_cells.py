#!/usr/bin/python3
"""For one language, given as argument: how many, at which line, and closed by whom.

The counts are compared with the independent counter's. See cells.py.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import cells  # noqa: E402
import harness  # noqa: E402

LANGUAGE = cells.LANGUAGES[sys.argv.pop(1)]
PROGRAM = os.path.join(harness.SOURCES, "runtimes", LANGUAGE.program)


@harness.needs(LANGUAGE.command[0])
class Cells(harness.TestCase):
    def check(self, cell):
        run = self.assert_same_behaviour([*LANGUAGE.command, PROGRAM, cell], count=["sqlite3"])
        self.assertEqual(run.counted("sqlite3.acquire"), cells.COUNT, run.err[-2000:])
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual(totals["opened"], cells.COUNT)
        self.assertEqual(totals["opened"] - totals["live"], run.counted("sqlite3.release"))
        self.assertEqual(cells.places(report),
                         {(LANGUAGE.program, harness.line_of(PROGRAM, cell)): cells.COUNT})
        self.assertEqual(cells.answer(report), {LANGUAGE.answers[cell]: cells.COUNT})
        self.assertEqual(totals["never_closed"], LANGUAGE.never_closed(cell))
        self.assertEqual(report["misuse"], [])
        languages = {site["frames"][0]["language"] for site in report["sites"]}
        self.assertEqual(languages, {re.match("Lua|[A-Z]+[a-z]*", LANGUAGE.name)[0].lower()})


for name in LANGUAGE.answers:
    setattr(Cells, "test_" + name, harness.counted(lambda self, cell=name: self.check(cell)))


if __name__ == "__main__":
    harness.main()
