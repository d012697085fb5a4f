#!/usr/bin/python3
"""Async pools and drivers on real servers, against what the programs and the servers count.

Debian's are always tested. With UNCLOSED_TEST_NEWEST (a Python with the newest of the package index,
see scripts/newest-drivers) the same is done with those.
"""

import functools
import os
import unittest

import servers
from python_harness import PYTHON, PythonTestCase, has_module, main, source

NEWEST = os.environ.get("UNCLOSED_TEST_NEWEST", "")


def pythons(*modules):
    """{name: path} of the Pythons that have these modules."""
    found = {"Debian's": PYTHON, "newest": NEWEST}
    return {name: path for name, path in found.items()
            if path and all(has_module(module, path) for module in modules)}


def with_each(*modules):
    """Runs a test with each Python that has the modules."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            there = pythons(*modules)
            if not there:
                self.skipTest(f"no Python has {', '.join(modules)}")
            for name, path in there.items():
                with self.subTest(python=name):
                    test(self, path)
            if "newest" not in there:
                print(f"not tested: the newest {modules[0]}; see scripts/newest-drivers")
        return run
    return decorate


def needs_server(name):
    """The port of a server; the test is skipped if it is not installed."""
    try:
        return servers.start(name)
    except servers.Missing as missing:
        raise unittest.SkipTest(str(missing)) from missing


class SQLAlchemy(PythonTestCase):
    """Checkouts of async engines, whichever driver is below: each is one session."""

    PROGRAM = "async_sqlalchemy.py"

    def check(self, python, url):
        run = self.assert_same_behaviour([python, source(self.PROGRAM), url], same_error=False)
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual((run.sum("kept"), run.sum("after")), (5, 5), run.out)
        report = run.report("-n", "0")
        self.assert_sites(report, source(self.PROGRAM),
                          {"kept": 2, "cancelled": 3, "dropped": 1}, kind="checkout")
        self.assert_opened(report, self.PROGRAM, {
            "right session": 8, "right connection": 8, "kept": 2, "cancelled": 3, "dropped": 1})
        self.assert_totals(report, "checkout", opened=22, never_closed=6)
        self.assert_totals(report, "handle", never_closed=0)
        self.assertEqual(self.site_at(report, self.PROGRAM, "cancelled")["exceptions"], 3)
        self.assertEqual(report["misuse"], [])
        return report

    @with_each("sqlalchemy.ext.asyncio", "greenlet", "asyncpg")
    def test_asyncpg(self, python):
        port = needs_server("postgres")
        report = self.check(python, f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres")
        self.assertEqual(self.pool(report, kind="sqlalchemy")["size"], 4)

    @with_each("sqlalchemy.dialects.postgresql.psycopg", "greenlet", "psycopg")
    def test_psycopg(self, python):
        port = needs_server("postgres")
        self.check(python, f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres")

    @with_each("sqlalchemy.ext.asyncio", "greenlet", "aiomysql")
    def test_aiomysql(self, python):
        port = needs_server("mysql")
        self.check(python, f"mysql+aiomysql://t:t@127.0.0.1:{port}/test")

    @with_each("sqlalchemy.ext.asyncio", "greenlet", "aiosqlite")
    def test_aiosqlite(self, python):
        self.check(python, f"sqlite+aiosqlite:///{self.path('app.db')}")


if __name__ == "__main__":
    main()
