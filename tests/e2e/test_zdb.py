#!/usr/bin/python3
"""libzdb's pool on SQLite, checked against the real library's own numbers and the counter's."""

import harness

SOURCE = "zdb.c"


class Zdb(harness.TestCase):
    def scenario(self, *names, sites=(), **pool):
        run = self.assert_same_behaviour([harness.program("zdb"), *names])
        report = run.report()
        self.assert_totals(report, "checkout", opened=run.sum("taken"),
                           released=run.sum("returned"), never_closed=run.sum("active"))
        self.assert_sites(report, SOURCE, sites, "checkout")
        found = self.pool(report, kind="libzdb")
        self.assertEqual({key: found[key] for key in pool}, pool)
        self.assertEqual(found["out"], run.sum("active"))
        # The handles are the pool's, not the user's, idle or not.
        self.assert_totals(report, never_closed=0)
        return report

    def test_closed(self):
        report = self.scenario("use_and_close", "return_by_pool", acquires=35, failed=0)
        self.assertEqual(self.pool(report, kind="libzdb")["high_water"]["count"], 1)
        self.assert_totals(report, opened=2, released=2)

    def test_leak(self):
        self.scenario("leak", sites={"zdb leak": 3}, acquires=3)

    def test_exhausted(self):
        report = self.scenario("exhaust", acquires=5, failed=4)
        peak = self.pool(report, kind="libzdb")["high_water"]
        self.assertEqual(peak["count"], 5)
        self.assertEqual([holder["count"] for holder in peak["holders"]], [5])

    def test_exceptions(self):
        self.scenario("exceptions", sites={"zdb exception": 2}, acquires=4)

    @harness.counted
    def test_against_counter(self):
        run = self.trace([harness.program("zdb"), "use_and_close", "return_by_pool", "exceptions",
                          "leak"], count=["libzdb", "sqlite3"])
        report = run.report()
        self.assert_totals(report, "checkout", opened=run.counted("libzdb.acquire"),
                           released=run.counted("libzdb.release"))
        self.assert_totals(report, opened=run.counted("sqlite3.acquire"))
        self.assertEqual(run.counted("libzdb.acquire"), run.sum("taken"))


if __name__ == "__main__":
    harness.main()
