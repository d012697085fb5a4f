#!/usr/bin/python3
"""The public API, unclosed.h: a pool that announces itself, in C and in C++; and acquires in signal
handlers and coroutines."""

import harness

SLOTS = ("kind slots; acquire slots_get(pool) -> handle; release slots_put(pool, handle);"
         "acquire slots_get_with(pool) -> handle")


class Announced(harness.TestCase):
    def check(self, name):
        run = self.assert_same_behaviour([harness.program(name)])
        (counts,) = run.values()
        self.assertEqual(counts["errno"], 4711)
        report = run.report()
        self.assert_totals(report, "checkout", opened=counts["acquired"],
                           released=counts["released"],
                           discarded=counts["discarded"], never_closed=3)
        pool = self.pool(report, name="orders")
        self.assertEqual((pool["size"], pool["overflow"], pool["out"], pool["failed"]),
                         (3, 0, 3, 1))
        self.assertEqual(pool["high_water"]["count"], 3)
        self.assertEqual(sum(holder["count"] for holder in pool["high_water"]["holders"]), 3)
        sites = [site for site in report["sites"] if site["never_closed"]]
        self.assertEqual(sum(site["never_closed"] for site in sites), 3)
        # Where the pool was asked, or the pool's own line; nothing of the recorder or the header.
        for site in sites:
            self.assertIn(site["line"],
                          range(harness.line_of("announced.inc", "inside the pool"),
                                harness.line_of("announced.inc", "leaking") + 5))
        tests = {name for site in sites for name in site.get("tests") or []}
        self.assertEqual(tests, {"tests/test_leak.c::leaking"})

    def test_c(self):
        self.check("announced_c")

    def test_cxx(self):
        self.check("announced_cxx")


class Interrupts(harness.TestCase):
    def test_signal_handlers(self):
        """Whatever is interrupted, nothing hangs, and what is out at the end is out in truth."""
        for _ in range(3):
            run = self.assert_same_behaviour([harness.program("interrupts"), "handlers"],
                                             pools=[SLOTS])
            report = run.report()
            lost = sum(process.get("lost") or 0 for process in report["processes"])
            taken = int(run.err.split("taken=")[1].split()[0])
            opened = report["totals"]["checkout"]["opened"]
            self.assertLessEqual(opened, taken)
            self.assertGreaterEqual(opened + lost, taken)
            self.assert_totals(report, "checkout", never_closed=0)
            self.assertEqual(report["misuse"], [])

    def check_left(self, how, times):
        """A thread leaves the recorder for good, `times` times: it and the others go on."""
        for _ in range(3):
            run = self.trace([harness.program("interrupts"), how, str(times)], pools=[SLOTS],
                             timeout=60)
            self.assertEqual(run.status, 0, run.err)
            report = run.report()
            taken = int(run.err.split("taken=")[1].split()[0])
            opened = report["totals"]["checkout"]["opened"]
            lost = sum(process.get("lost") or 0 for process in report["processes"])
            self.assertEqual(lost, 0)
            self.assertAlmostEqual(opened, taken, delta=2 * times)
            kept = [site for site in report["sites"]
                    if site["line"] == harness.line_of("interrupts.c", "kept")]
            self.assertEqual([site["opened"] for site in kept], [4], kept)

    def test_handlers_that_jump(self):
        self.check_left("jumping", 400)

    def test_asynchronous_cancellation(self):
        self.check_left("cancelling", 400)

    def test_coroutines(self):
        run = self.assert_same_behaviour([harness.program("interrupts"), "coroutines"],
                                         pools=[SLOTS])
        report = run.report()
        self.assert_totals(report, "checkout", opened=run.sum("taken"),
                           released=run.sum("returned"), never_closed=4)
        self.assert_sites(report, "interrupts.c", {"coroutine": 4}, "checkout")
        self.assertEqual(report["misuse"], [])


if __name__ == "__main__":
    harness.main()
