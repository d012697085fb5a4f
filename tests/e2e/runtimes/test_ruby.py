#!/usr/bin/python3
"""Ruby: threads, fibers, forks, collections at every moment, and code that runs at exit.

Each program prints how many handles it opened and how many it closed itself. See test_cells.py for
the plain ways to end.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import harness  # noqa: E402

OPEN = "SQLite3::Database.new(':memory:')"


@harness.needs("ruby")
class Ruby(harness.TestCase):
    def check(self, program, opened, **closed_by):
        """Who closed what, and that all are counted; returns the report."""
        run = self.assert_same_behaviour(["ruby", "-e", f"require 'sqlite3'; {program}"],
                                         count=["sqlite3"])
        self.assertEqual(run.status, 0, run.err[-2000:])
        self.assertEqual(run.counted("sqlite3.acquire"), opened)
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual(totals["opened"], opened)
        self.assertEqual(totals["opened"] - totals["live"], run.counted("sqlite3.release"))
        self.assertEqual(totals["closed_by"], closed_by)
        self.assertEqual(report["misuse"], [])
        return report

    @harness.counted
    def test_threads(self):
        self.check(f"4.times.map {{ Thread.new {{ 50.times {{ d = {OPEN}; d.close }} }} }}.each(&:join)",
                   200, code=200)

    @harness.counted
    def test_fiber(self):
        """A fiber has a stack of its own: the script's is not below."""
        self.check(f"f = Fiber.new {{ d = {OPEN}; Fiber.yield; d.close }}; f.resume; f.resume",
                   1, code=1)

    @harness.counted
    def test_first_at_exit(self):
        self.check(f"at_exit {{ {OPEN}.close; $kept = {OPEN} }}", 2,
                   code_at_exit=1, end_of_runtime=1)

    @harness.counted
    def test_first_in_a_fiber_then_at_exit(self):
        self.check(f"at_exit {{ $d.close }}; Fiber.new {{ $d = {OPEN} }}.resume", 1, code_at_exit=1)

    @harness.counted
    def test_exit_in_the_middle(self):
        self.check(f"d = {OPEN}; begin; exit; ensure; d.close; end", 1, code=1)

    @harness.counted
    def test_collections_everywhere(self):
        self.check(f"GC.stress = true; 5.times {{ d = {OPEN}; d.close }}", 5, code=5)

    @harness.counted
    def test_objects_are_moved(self):
        self.check(f"def open = {OPEN}; 20.times {{ d = open; GC.compact; d.close }}", 20, code=20)

    @harness.counted
    def test_deep(self):
        self.check("def down(n) = n == 0 ? {}.close : [1].each {{ down(n - 1) }}; down(1000)"
                   .format(OPEN), 1, code=1)

    @harness.counted
    def test_not_opened(self):
        self.check("3.times { begin; SQLite3::Database.new('/nowhere/x'); "
                   "rescue SQLite3::CantOpenException; end }; GC.start", 3, code=3)

    def check_pool(self, library, program):
        """What a pool opened and keeps to the end is no leak; what the code opened besides it is."""
        if subprocess.run(["ruby", "-e", f"require '{library}'"], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest(f"no {library} for Ruby")
        run = self.trace(["ruby", "-e", f"require 'sqlite3'; require '{library}'; {program}; "
                          f"$kept = {OPEN}; {OPEN}.close"])
        self.assertEqual(run.status, 0, run.err)
        totals = run.report()["totals"]["handle"]
        self.assertEqual(totals["closed_by"], {"pool": 3, "code": 1, "end_of_runtime": 1})
        self.assertEqual(totals["never_closed"], 1)

    # Three threads that hold a connection each at the same time.
    WORK = ("q = Queue.new; 3.times.map {{ Thread.new {{ {use} {{ q << 1; "
            "sleep 0.01 while q.size < 3 }} }} }}.each(&:join)")

    def test_active_record(self):
        self.check_pool("active_record", "ActiveRecord::Base.establish_connection("
                        "adapter: 'sqlite3', database: 't.db', pool: 3); " +
                        self.WORK.format(use="ActiveRecord::Base.connection_pool.with_connection"))

    def test_sequel(self):
        self.check_pool("sequel", "DB = Sequel.connect(adapter: 'sqlite', database: 't.db', "
                        "max_connections: 3); " + self.WORK.format(use="DB.synchronize"))

    def test_forked(self):
        """The child's block ends with ruby_stop, below the parent's script."""
        run = self.trace(["ruby", "-e", f"require 'sqlite3'; $a = {OPEN}; "
                          f"Process.wait(fork {{ at_exit {{ $b.close }}; $b = {OPEN}; $c = {OPEN} }}); "
                          "$a.close"])
        self.assertEqual(run.status, 0, run.err)
        by = run.report()["totals"]["handle"]["closed_by"]
        self.assertEqual((by.get("code"), by.get("code_at_exit")), (1, 1))
        self.assertGreaterEqual(by.get("end_of_runtime", 0), 1)

    def test_frames(self):
        """All methods and blocks on the way, innermost first."""
        run = self.trace(["ruby", "-e", f"require 'sqlite3'\ndef inner\n {OPEN}\nend\n"
                          "def outer\n [1].each { $d = inner }\nend\nouter"])
        site = run.report()["sites"][0]
        own = [(f["function"], f["line"]) for f in site["frames"] if f.get("file") == "-e"]
        self.assertEqual([line for _, line in own], [3, 6, 6, 8])
        self.assertEqual((own[0][0], own[-1][0]), ("inner", "<main>"))
        self.assertEqual((site["file"], site["line"], site["function"]), ("-e", 3, "inner"))


if __name__ == "__main__":
    harness.main()
