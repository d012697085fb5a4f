#!/usr/bin/python3
"""A pool in a shared library, described by call specs of the user, in every shape a spec can
have."""

import os

import harness

PROGRAM = harness.program("depots")
SOURCE = "depots.c"
SPECS = """\
kind depot
acquire depot_get(pool) -> handle
acquire depot_take(pool, *handle) -> 0
acquire depot_take_wait(pool, *handle, _) -> 0
acquire depot_get_timed(pool) -> handle
acquire depot_take_long(pool, *handle, ...) -> 0
acquire depot_take_format(pool, *handle, ...) -> 0
acquire depot_take_priced(pool, *handle)
acquire depot_get_pair(pool) -> handle
acquire depot_get_nested(pool) -> handle
acquire depot_take_by_name(name, *handle) -> 0
release depot_put(handle)
release depot_return(pool, handle) -> 0
release depot_return_nested(pool, handle) -> 0
release depot_put_reference(*handle)
discard depot_drop(pool, handle)
"""


class Pools(harness.TestCase):
    def scenario(self, name, sites=(), how="run", options=(), **totals):
        specs = self.write("depot.spec", SPECS)
        run = self.assert_same_behaviour([PROGRAM, name], pools=[specs], how=how, options=options)
        report = run.report()
        self.assert_totals(report, "checkout", opened=run.sum("taken"), **totals)
        self.assert_sites(report, SOURCE, sites, "checkout")
        return report

    def test_handle_as_result(self):
        report = self.scenario("result", ["result kept"], released=10, never_closed=1, live=1)
        pool = self.pool(report, kind="depot")
        self.assertEqual((pool["out"], pool["high_water"]["count"], pool["acquires"]), (1, 2, 11))

    def test_handle_as_out_parameter(self):
        self.scenario("out_parameter", ["out kept"], released=10, never_closed=1)

    def test_release_by_reference(self):
        self.scenario("by_reference", released=6, never_closed=0)

    def test_release_refused(self):
        self.scenario("refused", released=1, never_closed=0)

    def test_exhausted(self):
        report = self.scenario("exhausted", released=4, never_closed=0)
        pool = self.pool(report, kind="depot")
        self.assertEqual((pool["out"], pool["high_water"]["count"], pool["failed"]), (0, 4, 3))
        (holder,) = pool["high_water"]["holders"]
        self.assertEqual(holder["count"], 4)
        site = next(site for site in report["sites"] if site["id"] == holder["site"])
        self.assertEqual(site["line"], harness.line_of(SOURCE, "exhausted holders"))

    def test_waits(self):
        # Above what a busy machine makes of an acquire that does not wait.
        report = self.scenario("waits", options=["--wait-threshold", "80ms"], released=5,
                               never_closed=0)
        pool = self.pool(report, kind="depot")
        self.assertEqual((pool["failed"], pool["waits"]["count"]), (1, 2))
        self.assertGreater(pool["waits"]["longest"], 0.25)
        self.assertLess(pool["waits"]["longest"], 2.5)
        self.assertEqual(pool["high_water"]["count"], 4)

    def test_nested_calls_count_once(self):
        report = self.scenario("nested", ["nested kept"], released=7, never_closed=1)
        self.assertEqual(self.pool(report, kind="depot")["acquires"], 8)

    def test_discard(self):
        report = self.scenario("dropped", never_closed=0)
        self.assertEqual(self.pool(report, kind="depot")["out"], 0)

    def test_registers_and_stack_survive(self):
        self.scenario("registers", released=5, never_closed=0)

    def test_errno_survives(self):
        self.scenario("errno_kept", released=2, never_closed=0)

    def test_pool_by_name(self):
        report = self.scenario("named", ["named kept"], released=3, never_closed=1)
        self.assertEqual(self.pool(report, kind="depot")["name"], "depot")

    def test_released_twice(self):
        report = self.scenario("released_twice", released=1, never_closed=0)
        (misuse,) = report["misuse"]
        self.assertEqual((misuse["count"], misuse["line"]),
                         (1, harness.line_of(SOURCE, "released twice")))

    def test_longjmp(self):
        report = self.scenario("jumps", ["kept after jumps"], released=9, never_closed=1)
        self.assertEqual(self.pool(report, kind="depot")["out"], 1)

    def test_cancellation(self):
        self.scenario("cancelled", ["kept after cancel"], released=4, never_closed=1)

    def test_threads(self):
        specs = self.write("depot.spec", SPECS)
        run = self.trace([PROGRAM, "threads"], pools=[specs])  # how many fail is a matter of chance
        report = run.report()
        self.assert_totals(report, "checkout", opened=run.sum("taken"),
                           released=run.sum("returned"), never_closed=0)
        self.assertEqual(run.sum("taken"), run.sum("returned"))
        self.assertLess(os.path.getsize(run.traces[0]), 2 << 20)  # whatever the number of calls
        pool = self.pool(report, kind="depot")
        self.assertLessEqual(pool["high_water"]["count"], 4)
        self.assertEqual(pool["acquires"] + pool["failed"], 16000)
        self.assertEqual(report["misuse"], [])

    def test_fork_with_threads(self):
        specs = self.write("depot.spec", SPECS)
        run = self.trace([PROGRAM, "forks"], pools=[specs])
        self.assertEqual(run.sum("good"), 40)
        self.assertEqual(len(run.traces), 41)
        self.assert_sites(run.report(), SOURCE, {"kept in the child": 40}, "checkout")

    def test_crowd(self):
        specs = self.write("depot.spec", SPECS)
        run = self.trace([PROGRAM, "crowd"], pools=[specs])
        report = run.report()
        self.assert_totals(report, "checkout", opened=100000, released=99993, never_closed=7)
        self.assert_sites(report, SOURCE, {"crowd": 7}, "checkout")
        self.assertEqual(self.pool(report, kind="depot")["high_water"]["count"], 100000)
        # At most 200 bytes a live session, of which the trace has 64.
        self.assertLess(os.path.getsize(run.traces[0]), 100000 * 100)

    def test_short_threads(self):
        self.scenario("short_threads", released=5000, never_closed=0)

    def test_by_hand(self):
        """The same without `unclosed run`, from UNCLOSED_POOLS."""
        self.scenario("result", ["result kept"], how="preload", released=10, never_closed=1)

    def test_never_called(self):
        run = self.trace([PROGRAM, "result"],
                         pools=["acquire depot_get(pool) -> handle; release depot_put(handle);"
                                "acquire no_such_function(pool) -> handle;"
                                "release depot_drop(pool, handle)"])
        unseen = run.report()["unseen"]
        self.assertIn("no_such_function", unseen)
        self.assertIn("depot_drop", unseen)
        self.assertNotIn("depot_get", unseen)
        self.assertIn("no_such_function", run.err)


if __name__ == "__main__":
    harness.main()
