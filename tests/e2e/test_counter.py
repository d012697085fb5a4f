#!/usr/bin/python3
"""The independent counters: they agree with programs that count themselves, and with each other,
and they notice what is not so."""

import os
import unittest
import unittest.mock

import count_calls
import harness


class Counter(harness.TestCase):
    def count(self, how, command, groups=("sqlite3",)):
        with open(self.path("out"), "wb") as out:
            counted = count_calls.CountedCommand(command, list(groups), how=how,
                                                 env=self.environment(), cwd=self.folder,
                                                 stdout=out)
            self.assertEqual(counted.process.wait(60), 0)
        counts = counted.counts()
        with open(self.path("out"), encoding="utf-8") as out:
            run = harness.Run(self, command, counted.process.pid, 0, out.read(), "", self.folder)
        return counts, run

    def check(self, how):
        counts, run = self.count(how, [harness.program("outcomes"), "all"])
        self.assertGreater(run.sum("opened"), 2000)
        self.assertEqual(counts.total("sqlite3.acquire"), run.sum("opened"))
        self.assertEqual(counts.total("sqlite3.release"), run.sum("closed"))
        counts, run = self.count(how, [harness.program("exceptions"), "all"])
        self.assertEqual(counts.total("sqlite3.acquire"), run.sum("opened"))
        self.assertEqual(counts.total("sqlite3.release"), run.sum("closed"))

    def check_processes(self, how):
        counts, run = self.count(how, [harness.program("processes"), "fork_own"])
        for line in run.values():
            if "opened" in line:
                self.assertEqual(counts.of(line["pid"], "sqlite3.acquire"), line["opened"])
                self.assertEqual(counts.of(line["pid"], "sqlite3.release"), line["closed"])
        self.assertEqual(len(counts.pids("sqlite3.acquire")), 2)

    def check_nested(self, how):
        counts, run = self.count(how, [harness.program("zdb"), "use_and_close", "return_by_pool",
                                       "exhaust", "exceptions"], ["libzdb", "sqlite3"])
        self.assertEqual(counts.total("libzdb.acquire"), run.sum("taken"))
        self.assertEqual(counts.total("libzdb.release"), run.sum("returned"))
        self.assertEqual(counts.total("sqlite3.acquire"), 5)

    def check_planted(self, how):
        """One close more or less than the program claims is noticed."""
        counts, run = self.count(how, [harness.program("outcomes"), "closed", "leaked"])
        self.assertEqual((run.sum("opened"), run.sum("closed")), (6, 3))
        self.assertNotEqual(counts.total("sqlite3.release"), run.sum("opened"))
        counts, _ = self.count(how, [harness.program("outcomes"), "close_null", "unknown_handle"])
        self.assertEqual(counts.by_pid, {})
        whole = count_calls.GROUPS["sqlite3"]
        blind = count_calls.Group(whole.library,
                                  [f for f in whole.functions if f.name != "sqlite3_open_v2"])
        with unittest.mock.patch.dict(count_calls.GROUPS, {"sqlite3": blind}):
            counts, run = self.count(how, [harness.program("outcomes"), "all"])
        self.assertGreater(counts.total("sqlite3.acquire"), 0)
        self.assertLess(counts.total("sqlite3.acquire"), run.sum("opened"))

    @unittest.skipUnless(os.environ["COUNT_HOW"] == "bpf", "the other lane's")
    @harness.counted
    def test_bpf(self):
        self.check("bpf")
        self.check_processes("bpf")
        self.check_nested("bpf")
        self.check_planted("bpf")

    def test_shim(self):
        self.check("shim")
        self.check_processes("shim")
        self.check_nested("shim")
        self.check_planted("shim")


class Harness(harness.TestCase):
    """The checks of the harness can fail."""

    TOTALS = {"opened": 3, "released": 2, "never_closed": 1, "live": 1, "reclaimed": 0,
              "refused": 0, "zombie": 0}
    SITE = {"kind": "handle", "file": "/x/outcomes.c", "line": 1, "opened": 3, "never_closed": 1}

    def test_totals(self):
        report = {"schema": 1, "totals": {"handle": dict(self.TOTALS)}, "sites": []}
        self.check_report(report)
        self.assert_totals(report, opened=3, released=2)
        with self.assertRaises(AssertionError):
            self.assert_totals(report, opened=3, released=3)
        report["totals"]["handle"]["live"] = 2
        with self.assertRaises(AssertionError):
            self.check_report(report)

    def test_sites(self):
        report = {"sites": [dict(self.SITE, line=harness.line_of("outcomes.c", "leaked open"))]}
        self.assert_sites(report, "outcomes.c", ["leaked open"])
        for wrong in (["leaked v2"], [], {"leaked open": 2}, ["leaked open", "leaked v2"]):
            with self.assertRaises(AssertionError):
                self.assert_sites(report, "outcomes.c", wrong)

    @harness.counted
    def test_recorder_that_misses_calls_is_noticed(self):
        """A recorder that does not look into children, against the counter that does."""
        for follow, same in (("all", True), ("none", False)):
            run = self.trace([harness.program("processes"), "fork_own"], count=["sqlite3"],
                             env={"UNCLOSED_FOLLOW": follow})
            opened = run.report()["totals"]["handle"]["opened"]
            self.assertEqual(opened == run.counted("sqlite3.acquire"), same, (follow, opened))

    def test_all_that_count_run_with_each_counter(self):
        """meson.build lists the files that have such tests."""
        folder = os.path.dirname(os.path.abspath(__file__))
        files = set()
        for name in os.listdir(folder):
            if name.startswith("test_"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    if "\n@harness.counted\n" in file.read().replace("    @", "@"):
                        files.add(name[len("test_"):-len(".py")])
        self.assertEqual(files, set(os.environ["E2E_COUNTED"].split(",")))

    def test_count_without_mark_is_noticed(self):
        with self.assertRaisesRegex(AssertionError, "marked @harness.counted"):
            self.trace(["true"], count=["sqlite3"])

    def test_hang_is_noticed(self):
        with self.assertRaises(AssertionError):
            self.run_plain(["sleep", "60"], timeout=0.2)


if __name__ == "__main__":
    harness.main()
