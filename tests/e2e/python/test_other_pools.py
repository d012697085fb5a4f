#!/usr/bin/python3
"""Pools known by call spec: the session that is never closed is found, those that are closed are not
reported, and the program does the same as untraced."""

import os
import unittest

from python_harness import PYTHON, PythonTestCase, has_module, main, source

PROGRAM = "other_pools.py"


class OtherPools(PythonTestCase):

    def check(self, name, kind, leaked, opened, env=None):
        database = self.path("app.db")
        run = self.assert_same_behaviour([PYTHON, source(PROGRAM), name, database],
                                         env=env or {})
        self.assertEqual(run.status, 0, run.err)
        report = run.report("-n", "0")
        found = {place: site["never_closed"] for place, site in self.sites(report, kind).items()}
        self.assert_sites(report, source(PROGRAM), leaked, kind=kind)
        self.assert_opened(report, PROGRAM, opened, kind=kind)
        other = "handle" if kind == "checkout" else "checkout"
        self.assertEqual(self.sites(report, other), {}, found)
        return report

    @unittest.skipUnless(has_module("aiosqlite"), "python3-aiosqlite is not installed")
    def test_aiosqlite(self):
        self.check("aiosqlite", "handle", {"aiosqlite": 1}, {"aiosqlite": 1, "aiosqlite right": 3})

    @unittest.skipUnless(has_module("playhouse.pool"), "python3-peewee is not installed")
    def test_peewee(self):
        report = self.check("peewee", "checkout", {"peewee": 1}, {"peewee": 1, "peewee right": 3})
        self.assertEqual(self.pool(report, kind="peewee")["size"], 4)

    @unittest.skipUnless(has_module("psycopg2"), "python3-psycopg2 is not installed")
    def test_psycopg2(self):
        report = self.check("psycopg2", "checkout", {"psycopg2": 3},
                            {"psycopg2": 3, "psycopg2 right": 3})
        pool = self.pool(report, kind="psycopg2.pool")
        self.assertEqual((pool["size"], pool["failed"], pool["timeouts"]), (3, 1, 1))

    @unittest.skipUnless(has_module("psycopg_pool"), "python3-psycopg-pool is not installed")
    def test_psycopg_pool(self):
        report = self.check("psycopg_pool", "checkout",
                            {"psycopg_pool": 1, "psycopg_pool dropped": 1},
                            {"psycopg_pool right": 1})
        pool = self.pool(report, kind="psycopg_pool")
        self.assertEqual((pool["size"], pool["timeouts"]), (2, 1))
        self.assertEqual(
            self.site_at(report, PROGRAM, "psycopg_pool dropped")["lost_to_pool"], 1)

    @unittest.skipUnless(has_module("psycopg_pool"), "python3-psycopg-pool is not installed")
    def test_psycopg_pool_async(self):
        self.check("psycopg_pool_async", "checkout", {"psycopg_pool_async": 1},
                   {"psycopg_pool_async right": 1})

    def test_dbutils(self):
        """Not a package of Debian's: UNCLOSED_TEST_PYTHONPATH may lead to it."""
        extra = {"PYTHONPATH": os.environ.get("UNCLOSED_TEST_PYTHONPATH", "")}
        if self.run_plain([PYTHON, "-c", "import dbutils"], env=extra).status != 0:
            self.skipTest("no DBUtils")
        report = self.check("dbutils", "checkout", {"dbutils": 3, "dbutils dropped": 2},
                            {"dbutils with": 3, "dbutils right": 3, "dbutils": 3}, env=extra)
        pool = self.pool(report, kind="dbutils")
        self.assertEqual((pool["size"], pool["high_water"]["count"], pool["timeouts"]), (3, 3, 1))
        self.assertEqual(self.site_at(report, PROGRAM, "dbutils dropped")["reclaimed"], 2)

    @unittest.skipUnless(has_module("django"), "python3-django is not installed")
    def test_django(self):
        """The thread that ended leaks; what Django keeps for threads that still run is Django's."""
        self.check("django", "handle", {"django": 1},
                   # Django's handle, and that of SQLite inside, are one connection.
                   {"django": 3, "django daemon": 1, "django main": 1})

    def test_own_spec(self):
        """A method of the program's own, named by the user, keywords and all."""
        program = self.write("own.py", OWN)
        self.write("depot.py", DEPOT)
        spec = ("kind depot; "
                "acquire python:depot:Depot.take(self=pool, name=database) -> handle; "
                "release python:depot:Depot.give(self=pool, thing=handle)")
        run = self.trace([PYTHON, program], pools=[spec])
        self.assertEqual(run.out, "done\n", run.err)
        report = run.report("-n", "0")
        self.assert_sites(report, program, {"kept": 1, "dropped": 1}, kind="checkout")
        self.assertEqual(self.pool(report)["kind"], "depot")
        self.assertTrue(os.path.exists(program))
        self.assertEqual(report["unseen"], [])

    def test_own_spec_not_called(self):
        """Of two methods that were asked for, the one that is never called is told."""
        program = self.write("own.py", "import depot\nkept = depot.Depot().take('a')\n")
        self.write("depot.py", DEPOT)
        spec = ("kind depot; "
                "acquire python:depot:Depot.take(self=pool, name=database) -> handle; "
                "release python:depot:Depot.give(self=pool, thing=handle)")
        report = self.trace([PYTHON, program], pools=[spec]).report()
        self.assertEqual(report["unseen"], ["depot:Depot.give"])


DEPOT = """
class Thing:
    pass


class Depot:
    def take(self, name):
        return Thing()

    def give(self, thing, *, again=False):
        pass
"""
OWN = """
from depot import Depot

depot = Depot()
depot.give(again=True, thing=depot.take(name="a"))  # site: right
kept = depot.take("b")  # site: kept
depot.take("c")  # site: dropped
print("done")
"""

if __name__ == "__main__":
    main()
