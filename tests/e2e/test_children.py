#!/usr/bin/python3
"""What keeps a SQLite connection alive after it was closed, and whether a transaction is open.

The independent check is SQLite's own: what memory it has left when the program ends."""

import os
import subprocess

import harness

PROGRAM = harness.program("children")
SOURCE = "children.c"


class Children(harness.TestCase):
    def gone(self, *scenarios):
        """All connections are gone in the end, as SQLite says itself."""
        run = self.assert_same_behaviour([PROGRAM, *scenarios])
        self.assertEqual(run.sum("left"), 0)
        self.assertEqual(run.sum("closed"), run.sum("opened"))
        report = run.report()
        self.assert_totals(report, opened=run.sum("opened"), released=run.sum("opened"),
                           never_closed=0, zombie=0)
        self.assertEqual(report["misuse"], [])
        return report

    def test_statements(self):
        self.gone("statements")

    def test_statements_first(self):
        self.gone("statements_first")

    def test_blobs(self):
        self.gone("blobs")

    def test_backups(self):
        self.gone("backups")

    def test_virtual_tables(self):
        self.gone("virtual_tables")

    def test_races(self):
        self.gone("race_close")
        self.gone("race_finalize")

    def test_left_alive(self):
        for scenario, marker, released, detail in (("mixed", "mixed", 1, ["(backup)"]),
                                                   ("callback", "callback", 1, ["select ?"])):
            run = self.assert_same_behaviour([PROGRAM, scenario])
            self.assertGreater(run.sum("left"), 0)
            report = run.report()
            self.assert_totals(report, opened=2, released=released, zombie=1, never_closed=1)
            site = self.sites(report)[(SOURCE, harness.line_of(SOURCE, marker))]
            self.assertEqual(site["zombie"], 1)
            if scenario == "callback":
                self.assertEqual(site["statements"], detail)

    def test_transactions(self):
        run = self.assert_same_behaviour([PROGRAM, "transactions"])
        report = run.report()
        self.assert_totals(report, opened=5, never_closed=5)
        found = {marker: self.sites(report)[(SOURCE, harness.line_of(SOURCE, marker))]
                 ["in_transaction"]
                 for marker in ("never begun", "begun by exec", "begun by statement",
                                "ended by statement", "rolled back by itself")}
        self.assertEqual(found, {"never begun": 0, "begun by exec": 1, "begun by statement": 1,
                                 "ended by statement": 0, "rolled back by itself": 0})

    def test_nothing_is_called_at_exit(self):
        """The mutexes of a connection that is still out are not what SQLite takes them for."""
        run = self.assert_same_behaviour([PROGRAM, "other_mutexes"])
        report = run.report()
        self.assert_totals(report, opened=2, released=1, never_closed=1)
        site = self.sites(report)[(SOURCE, harness.line_of(SOURCE, "other mutexes"))]
        self.assertEqual(site["in_transaction"], 1)

    def test_older_than_the_attach(self):
        """Three of four are gone in the end; the statement of the fourth was never seen prepared."""
        trace = os.path.join(self.folder, "older.trace")
        with subprocess.Popen([PROGRAM, "older"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, cwd=self.folder) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            attached = subprocess.run([harness.CLI, "attach", "-o", trace, str(process.pid)],
                                      capture_output=True, text=True, check=False, timeout=60)
            out, _ = process.communicate("go\n", timeout=60)
        if attached.returncode != 0 and "ermi" in attached.stderr:
            self.skipTest(attached.stderr)
        self.assertEqual(attached.returncode, 0, attached.stderr)
        self.assertIn("closed=4", out)
        report = subprocess.run([harness.CLI, "report", trace], capture_output=True, text=True,
                                check=True, timeout=60).stdout
        self.assertIn("4 pre-existing: 1 still held, 3 released since", report)


if __name__ == "__main__":
    harness.main()
