#!/usr/bin/python3
"""Hostile surroundings: the program runs on as without us, and what is not recorded is counted."""

import os
import subprocess
import unittest

import harness

PROGRAM = harness.program("limits")


class Limits(harness.TestCase):
    def scenario(self, *words, lost_allowed=True, **arguments):
        """Opened + lost = what the program opened; no loss unless it is allowed."""
        run = self.assert_same_behaviour([PROGRAM, *words], **arguments)
        if not run.traces:
            self.assertTrue(lost_allowed)
            return run, None
        report = run.report()
        lost = sum(process.get("lost") or 0 for process in report["processes"])
        totals = report["totals"].get("handle", {"opened": 0})
        if lost_allowed:
            self.assertLessEqual(totals["opened"], run.sum("opened"))
            self.assertGreaterEqual(totals["opened"] + lost, run.sum("opened"))
        else:
            self.assertEqual((totals["opened"], lost), (run.sum("opened"), 0))
        return run, report

    def test_all_descriptors_closed(self):
        self.scenario("close_all", lost_allowed=False)

    def test_no_descriptor_left(self):
        self.scenario("no_descriptors")

    def test_file_size_limit(self):
        for limit in ("0", "4096", "70000", "400000"):
            with self.subTest(limit=limit):
                self.scenario("file_size", limit)

    def test_address_space(self):
        for mebibytes in ("1", "8", "64"):
            with self.subTest(mebibytes=mebibytes):
                run, _ = self.scenario_loosely("address_space", mebibytes)
                self.assertEqual(run.status, 0)

    def scenario_loosely(self, *words):
        """Where our own use of memory changes how far the program gets."""
        run = self.trace([PROGRAM, *words])
        report = run.report() if run.traces else None
        if report:
            lost = sum(process.get("lost") or 0 for process in report["processes"])
            self.assertGreaterEqual(report["totals"]["handle"]["opened"] + lost, run.sum("opened"))
            self.assertLessEqual(report["totals"]["handle"]["opened"], run.sum("opened"))
        return run, report

    def test_interrupted_by_signals(self):
        self.scenario("interrupted", lost_allowed=False)

    def test_small_stacks(self):
        for kibibytes in ("16", "24", "64"):
            with self.subTest(kibibytes=kibibytes):
                self.scenario("small_stack", kibibytes, lost_allowed=False)

    def test_long_names(self):
        """A name of any length neither harms the program nor makes the trace large."""
        for argument, most in (("70000 alike", 2 << 20), ("70000 unlike", 16 << 20),
                               ("5000 alike", 2 << 20), ("3000000 alike", 2 << 20)):
            with self.subTest(argument=argument):
                run, _ = self.scenario("long_names", argument, lost_allowed=False)
                size = sum(os.path.getsize(trace) for trace in run.traces)
                self.assertTrue(0 < size < most, size)
                for trace in run.traces:
                    os.unlink(trace)

    def test_filter_added_later(self):
        """A seccomp filter that kills: what fits into what was reserved is recorded, the rest
        counted, and the program is not killed for it."""
        for how in ("prctl", "syscall"):
            with self.subTest(how=how):
                run, report = self.scenario("filter", f"{how} 100 3000", lost_allowed=False)
                self.assert_totals(report, never_closed=100 + 750)
        run, report = self.scenario("filter", "syscall 0 200000", env={"UNCLOSED_SIGNAL": "none"})
        (process,) = report["processes"]
        self.assertGreater(report["totals"]["handle"]["opened"], 10000)
        self.assertIn("the process added a seccomp filter, which may forbid to make the trace larger",
                      process["lost_reasons"])

    @harness.needs_root
    def test_changed_root(self):
        os.mkdir(self.path("root"))
        run, report = self.scenario("changed_root", self.path("root"))
        self.assertIsNotNone(report)
        self.assertGreater(report["totals"]["handle"]["opened"], 0)
        self.scenario("changed_root_first", self.path("root"))
        self.assertEqual(run.status, 0)

    @harness.needs_root
    def test_full_disk(self):
        """The disk fills up while the program is traced, by us and by others."""
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", disk],
                                 check=False).returncode
        if mounted != 0:
            raise unittest.SkipTest("cannot mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        run, report = self.scenario("many", "5000", traces=os.path.join(disk, "traces"))
        self.assertEqual(run.status, 0)
        if report:
            self.assertGreater(sum(process["lost"] for process in report["processes"]), 0)
        with open(os.path.join(disk, "filler"), "wb") as filler:
            try:
                filler.write(bytes(200000))
                filler.flush()
            except OSError:
                pass
        for trace in run.traces:
            os.unlink(trace)
        self.scenario("many", "100", traces=os.path.join(disk, "more"))


if __name__ == "__main__":
    harness.main()
