#!/usr/bin/python3
"""C++: exceptions, templates, inlined functions, and exceptions through the traced functions."""

import re

import harness

PROGRAM = harness.program("exceptions")
SOURCE = "exceptions.cc"
POOL = ("kind throwing; acquire throwing_pool_take(pool) -> handle;"
        "release throwing_pool_give(pool, handle)")


class Cxx(harness.TestCase):
    def scenario(self, *names, sites=(), **arguments):
        run = self.assert_same_behaviour([PROGRAM, *names], **arguments)
        report = run.report()
        self.assert_totals(report, opened=run.sum("opened"), released=run.sum("closed"))
        self.assert_sites(report, SOURCE, sites)
        return report

    def test_destructors_close(self):
        self.scenario("guarded", "smart_pointer")

    def test_throwing_constructor(self):
        report = self.scenario("throwing_constructor", sites=["class constructor"])
        (site,) = self.sites(report).values()
        self.assertIn("Database::Database", str(site["frames"]))

    def test_template(self):
        report = self.scenario("templated", sites={"template": 5})
        (site,) = self.sites(report).values()
        self.assertEqual(site["opened"], 10)
        self.assertIn("Repository<", site["function"])
        self.assertIn("::find", site["function"])

    def test_inlined(self):
        report = self.scenario("inlined", sites=["inlined"])
        (site,) = self.sites(report).values()
        functions = [frame.get("function", "") for frame in site["frames"]]
        # In order, innermost first.
        places = [[i for i, name in enumerate(functions) if re.search(rf"\b{part}\b", name)]
                  for part in ("innermost_inline", "outer_inline", "inlined")]
        self.assertEqual([len(place) for place in places], [1, 1, 1], functions)
        self.assertEqual(places, sorted(places))

    def test_lambda(self):
        report = self.scenario("lambda", sites=["lambda"])
        (site,) = self.sites(report).values()
        self.assertIn("lambda", site["function"])

    def test_exceptions_through_wrappers(self):
        run = self.assert_same_behaviour([PROGRAM, "through_wrappers"], pools=[POOL])
        report = run.report()
        self.assert_totals(report, opened=1, released=0, never_closed=1)
        self.assert_sites(report, SOURCE, ["after exceptions"])
        self.assert_totals(report, "checkout", opened=run.sum("taken"),
                           released=run.sum("returned"), never_closed=1, live=1)
        self.assert_sites(report, SOURCE, ["throwing pool"], "checkout")
        pool = self.pool(report, kind="throwing")
        self.assertEqual(pool["high_water"]["count"], 3)
        self.assertEqual(pool["acquires"], run.sum("taken"))

    @harness.counted
    def test_all_against_counter(self):
        # No probes of bpftrace on the functions that throw: an exception cannot pass them.
        run = self.trace([PROGRAM, "all"], count=["sqlite3"], pools=[POOL])
        self.assertEqual(run.counted("sqlite3.acquire"), run.sum("opened"))
        self.assert_totals(run.report(), opened=run.counted("sqlite3.acquire"),
                           released=run.counted("sqlite3.release"))


if __name__ == "__main__":
    harness.main()
