#!/usr/bin/python3
"""kill -9 in the middle of 8 threads opening and closing: the trace reads, and adds up."""

import os
import signal
import struct
import time

import harness

PROGRAM = harness.program("storm")
THREADS = 8


class Storm(harness.TestCase):
    def tally(self, name="tally"):
        with open(self.path(name), "rb") as file:
            data = file.read()
        pairs = [struct.unpack_from("qq", data, 64 * thread) for thread in range(THREADS)]
        return sum(opened for opened, _ in pairs), sum(closed for _, closed in pairs)

    @staticmethod
    def held(totals):
        """Sessions that were open at the end: judged, too young to be, or about to be closed."""
        return totals["live"] + totals["under_way"] + totals["being_released"]

    def check_killed(self, run):
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual(self.held(totals), totals["opened"] - totals["released"])
        opened, closed = self.tally()
        # Each thread may have been killed between the library's doing and our or its own counting.
        self.assertLessEqual(abs(totals["opened"] - opened), THREADS)
        self.assertLessEqual(abs(totals["released"] - closed), THREADS)
        self.assertLessEqual(self.held(totals), THREADS * 16)
        self.assertGreater(self.held(totals), 0)
        self.assertGreater(opened, 1000)
        # Healthy threads were killed in the middle of their work: hardly any session is accused.
        self.assert_sites(report, "storm.c", {"storm": totals["live"]} if totals["live"] else {})
        return report

    def test_killed_by_itself(self):
        """SIGKILL to the program only: `unclosed run` reports, and dies of the same signal."""
        for _ in range(3):
            live = self.start([PROGRAM, str(THREADS), self.path("tally")])
            self.eventually(lambda: "storming" in live.text("out"), "storm")
            time.sleep(0.4)
            (child,) = harness.children(live.pid)
            os.kill(child, signal.SIGKILL)
            run = live.wait()
            self.assertEqual(run.status, -signal.SIGKILL)
            self.assertIn("SUMMARY", run.err)
            report = self.check_killed(run)
            self.assertEqual(report["processes"][0]["ended"], "signal 9")
            os.unlink(self.path("tally"))

    def test_killed_with_everything(self):
        """SIGKILL to all at once: only the trace is left."""
        live = self.start([PROGRAM, str(THREADS), self.path("tally")])
        self.eventually(lambda: "storming" in live.text("out"), "storm")
        time.sleep(0.4)
        os.killpg(live.pid, signal.SIGKILL)
        run = live.wait()
        self.check_killed(run)

    def test_read_while_it_runs(self):
        """Reports of a live process: each adds up, and later ones say more."""
        live = self.start([PROGRAM, str(THREADS), self.path("tally"), self.path("enough")],
                          how="preload",
                          env={"UNCLOSED_LOG": self.path("log")})
        self.eventually(lambda: "storming" in live.text("out"), "storm")
        seen = []
        for _ in range(4):
            report = self.report(live.traces_folder)
            totals = report["totals"]["handle"]
            self.assertEqual(report["processes"][0]["ended"], "running")
            self.assertLessEqual(self.held(totals), THREADS * 17)
            self.assertEqual(totals["opened"], totals["released"] + self.held(totals))
            seen.append(totals["opened"])
        self.write("enough", "")
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(seen[-1], seen[0])
        run = live.wait()
        report = run.report()
        opened, closed = self.tally()
        self.assertEqual(opened, closed)
        self.assert_totals(report, opened=opened, released=closed, never_closed=0)
        self.assertEqual(report["misuse"], [])

    @harness.counted
    def test_against_counter(self):
        run = self.trace([PROGRAM, str(THREADS), self.path("tally"), "0.3"], count=["sqlite3"])
        opened, closed = self.tally()
        self.assertEqual(run.counted("sqlite3.acquire"), opened)
        self.assertEqual(run.counted("sqlite3.release"), closed)
        self.assert_totals(run.report(), opened=opened, released=closed, never_closed=0)


if __name__ == "__main__":
    harness.main()
