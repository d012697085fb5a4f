#!/usr/bin/python3
"""Real libraries behind the shipped specs: APR's resource list with apr_dbd, libpq, MariaDB's
client, unixODBC with a driver. Exact counts and lines; no password in what is recorded."""

import os
import unittest

import harness

ODBC_DRIVER = "/usr/lib/x86_64-linux-gnu/odbc/libsqlite3odbc.so"


@unittest.skipUnless(os.path.exists(harness.program("aprpool")), "built without apr-util")
class Apr(harness.TestCase):
    PROGRAM = harness.program("aprpool")

    def scenario(self, *names, sites=(), **arguments):
        run = self.assert_same_behaviour([self.PROGRAM, *names], **arguments)
        (did,) = run.values()
        report = run.report()
        self.assert_totals(report, "checkout", opened=did["acquired"], released=did["released"],
                           discarded=did["invalidated"],
                           never_closed=did["acquired"] - did["released"] - did["invalidated"])
        self.assert_sites(report, "aprpool.c", sites, "checkout")
        self.assert_totals(report, opened=did["connections"], never_closed=0)
        return run, report, self.pool(report, kind="apr_reslist")

    def test_balanced(self):
        _, _, pool = self.scenario("balanced")
        self.assertEqual((pool["size"], pool["acquires"], pool["high_water"]["count"]), (3, 60, 2))

    def test_exhausted(self):
        # Above what opening a connection may take on a busy machine, below the list's 50 ms.
        _, report, pool = self.scenario("exhausted", options=["--wait-threshold", "40ms"])
        self.assertEqual((pool["failed"], pool["high_water"]["count"]), (1, 3))
        (holder,) = pool["high_water"]["holders"]
        self.assertEqual(holder["count"], 3)
        site = next(site for site in report["sites"] if site["id"] == holder["site"])
        # Not in take(), which has returned when the sessions are given back.
        self.assertEqual(site["line"], harness.line_of("aprpool.c", "apr held"))
        self.assertEqual(pool["waits"]["count"], 1)
        self.assertGreater(pool["waits"]["longest"], 0.045)

    def test_invalidated(self):
        self.scenario("invalid")

    def test_leaking(self):
        _, _, pool = self.scenario("leaking", sites=["apr leak"])
        self.assertEqual(pool["out"], 1)

    @harness.counted
    def test_against_counter(self):
        run, report, _ = self.scenario("balanced", "exhausted", "invalid", "leaking",
                                       sites=["apr leak"], count=["apr_reslist", "sqlite3"])
        self.assert_totals(report, "checkout", opened=run.counted("apr_reslist.acquire"),
                           released=run.counted("apr_reslist_release"),
                           discarded=run.counted("apr_reslist_invalidate"))
        self.assert_totals(report, opened=run.counted("sqlite3.acquire"),
                           released=run.counted("sqlite3.release"))


@unittest.skipUnless(os.path.exists(harness.program("clients")), "built without the clients")
class Clients(harness.TestCase):
    PROGRAM = harness.program("clients")

    def scenario(self, *words, refused=False, **more):
        run = self.assert_same_behaviour([self.PROGRAM, *words])
        report = run.report()
        opened, closed = run.sum("opened"), run.sum("closed")
        if refused:  # no server is there: what was freed had never been connected
            self.assert_totals(report, opened=opened - closed, released=0, failed=closed,
                               never_closed=1)
        else:
            self.assert_totals(report, opened=opened, released=closed, never_closed=1, **more)
        self.assert_sites(report, "clients.c", [words[0]])
        with open(run.traces[0], "rb") as trace:
            self.assertNotIn(b"secret", trace.read())
        return report

    def test_libpq(self):
        self.scenario("libpq", refused=True)

    def test_mariadb(self):
        self.scenario("mariadb", refused=True)

    @unittest.skipUnless(os.path.exists(ODBC_DRIVER), "no ODBC driver for SQLite")
    def test_odbc(self):
        report = self.scenario("odbc", ODBC_DRIVER, failed=1)
        (site,) = self.sites(report).values()
        self.assertIn("odbc.db", site["database"])


if __name__ == "__main__":
    harness.main()
