"""Detached while healthy sessions are under way: none of them gets a verdict, and a leak among them does."""
import os
import subprocess
import tempfile
import time

import harness

ROUNDS = 12


class InFlight(harness.AttachTest):
    def start_program(self, hold):
        database = os.path.join(tempfile.mkdtemp(dir=self.folder), "x.db")
        process = self.start("/usr/bin/python3", os.path.join(os.environ["ATTACH_SOURCE"], "in_flight.py"), database, hold,
                             stdin=subprocess.PIPE)
        time.sleep(0.2)
        return process

    def recorded(self, process, seconds, between=lambda: None):
        """The totals of handles and the sites, after an attach of some seconds."""
        self.cli("attach", process.pid, "-f", "-o", "trace")
        between()
        time.sleep(seconds)
        self.cli("detach", process.pid)
        report = self.report("trace")
        return report["totals"]["handle"], report["sites"]

    def healthy(self, hold, seconds, rounds):
        process = self.start_program(hold)
        under_way = 0
        for _ in range(rounds):
            totals, _ = self.recorded(process, seconds)
            self.assertEqual(0, totals["never_closed"], totals)
            under_way += totals["under_way"]
        self.assertGreater(under_way, rounds) # else this test tests nothing
        self.kill(process)

    def test_same(self):
        self.healthy("same", 0.3, ROUNDS)

    def test_random(self):
        self.healthy("random", 0.3, ROUNDS)

    def test_slow(self):
        """None has ended: how long they usually last is not known."""
        self.healthy("slow", 0.5, 3)

    def test_leaks_are_told(self):
        process = self.start_program("same")

        def leak():
            for number in (1, 2, 3):
                process.stdin.write("\n")
                process.stdin.flush()
                self.assertEqual(f"{number}\n", process.stdout.readline())
        totals, sites = self.recorded(process, 1.5, leak)
        self.assertEqual(3, totals["never_closed"], totals)
        self.assertEqual([3], [site["never_closed"] for site in sites if site["never_closed"]])
        self.kill(process)


if __name__ == "__main__":
    harness.main()
