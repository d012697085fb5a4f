#!/usr/bin/python3
"""Qt: what QSqlDatabase still has when the application ends was not closed by the code."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import harness  # noqa: E402

PROGRAM = harness.program("qt_connections")
COUNT = 3


@unittest.skipUnless(os.path.exists(PROGRAM), "no Qt 5")
class Qt(harness.TestCase):
    def check(self, way, never_closed, **closed_by):
        run = self.assert_same_behaviour([PROGRAM, way], count=["sqlite3"])
        self.assertEqual(run.status, 0, run.err[-2000:])
        self.assertEqual(run.counted("sqlite3.acquire"), COUNT)
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual(totals["opened"], COUNT)
        self.assertEqual(totals["opened"] - totals["live"], run.counted("sqlite3.release"))
        self.assertEqual((totals["closed_by"], totals["never_closed"]), (closed_by, never_closed))
        site, = report["sites"]
        self.assertEqual((os.path.basename(site["file"]), site["line"], site["function"]),
                         ("qt_connections.cc", harness.line_of("qt_connections.cc", "open"),
                          "open_one"))

    @harness.counted
    def test_removed(self):
        self.check("removed", 0, code=COUNT)

    @harness.counted
    def test_closed(self):
        self.check("closed", 0, code=COUNT)

    @harness.counted
    def test_removed_at_exit(self):
        self.check("at_exit", 0, code_at_exit=COUNT)

    @harness.counted
    def test_kept(self):
        """Closed by a destructor of Qt's."""
        self.check("kept", COUNT, end_of_runtime=COUNT)

    @harness.counted
    def test_application_deleted(self):
        self.check("application", COUNT, end_of_runtime=COUNT)

    @harness.counted
    def test_left_without_an_end(self):
        self.check("_exit", COUNT)


if __name__ == "__main__":
    harness.main()
