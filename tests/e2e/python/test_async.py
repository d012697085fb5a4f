#!/usr/bin/python3
"""Async pools and drivers on real servers, against what the programs and the servers count.

Debian's are always tested. With UNCLOSED_TEST_NEWEST (a Python with the newest of the package index,
see scripts/newest-drivers) the same is done with those.
"""

import functools
import os
import subprocess
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


def backends(port):
    """How many connections a PostgreSQL server has."""
    query = ("select count(*) from pg_stat_activity where backend_type = 'client backend' "
             "and pid <> pg_backend_pid()")
    return int(ask("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-Atc", query))


def threads(port):
    """How many connections a MariaDB server has."""
    query = ("select count(*) from information_schema.processlist where id <> connection_id() "
             "and host <> ''")
    return int(ask("mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(port), "-u", "t",
                   "-pt", "-N", "-B", "-e", query))


def clients(port):
    """How many connections a Redis server has, but for the one that asks."""
    return len(ask("redis-cli", "-p", str(port), "client", "list").strip().splitlines()) - 1


def ask(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


class Drivers(PythonTestCase):
    """What async drivers and their pools leave open, by what the server says that is open."""

    PROGRAM = "async_pools.py"
    LEAKED = {"kept": 1, "early return": 1, "cancelled": 2}

    def go(self, python, name, place, count):
        """Runs the program until it is about to end, and asks the server. Result: the report."""
        go = self.path("go")
        if os.path.exists(go):
            os.unlink(go)
        live = self.start([python, source(self.PROGRAM), name, str(place)])
        self.eventually(lambda: "kept=" in live.text("out") or live.process.poll() is not None,
                        "the end of the program", timeout=50)
        open_now = count(place) if "kept=" in live.text("out") else -1
        self.write("go", "")
        run = live.wait()
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(run.sum("kept"), 4, run.out)
        self.assertEqual(open_now, 4, run.err[-2000:])
        report = run.report("-n", "0")
        self.assertEqual(report["misuse"], [])
        return report, run

    def check_handles(self, python, name, place, count):
        report, _ = self.go(python, name, place, count)
        self.assert_sites(report, source(self.PROGRAM), self.LEAKED, kind="handle")
        self.assert_opened(report, self.PROGRAM, {"right": 3, "kept": 1, "early return": 2,
                                                  "cancelled": 2}, kind="handle")
        self.assert_totals(report, "handle", opened=8, released=4, never_closed=4)
        self.assertEqual(self.site_at(report, self.PROGRAM, "cancelled", "handle")["exceptions"], 2)
        return report

    def check_pool(self, python, name, place, count, **more):
        report, run = self.go(python, name, place, count)
        self.assertIn("TimeoutError", run.out)
        self.assert_sites(report, source(self.PROGRAM), self.LEAKED, kind="checkout")
        self.assert_opened(report, self.PROGRAM,
                           {"right": 6, "with": 3, "kept": 1, "early return": 2, "cancelled": 2,
                            **more}, kind="checkout")
        self.assert_totals(report, "checkout", opened=14 + sum(more.values()), never_closed=4)
        self.assert_totals(report, "handle", never_closed=0)
        self.assertEqual(self.site_at(report, self.PROGRAM, "cancelled")["exceptions"], 2)
        [pool] = [pool for pool in report["pools"] if pool["acquires"]]
        self.assertEqual((pool["size"], pool["high_water"]["count"], pool["timeouts"]), (4, 4, 1))
        starved = self.site_at(report, self.PROGRAM, "starved")
        self.assertEqual((starved["opened"], starved["failed"]), (0, 1))
        return report

    @with_each("asyncpg")
    def test_asyncpg(self, python):
        self.check_handles(python, "asyncpg", needs_server("postgres"), backends)

    @with_each("asyncpg")
    def test_asyncpg_pool(self, python):
        self.check_pool(python, "asyncpg_pool", needs_server("postgres"), backends)

    @with_each("asyncpg", "uvloop")
    def test_asyncpg_pool_uvloop(self, python):
        self.check_pool(python, "asyncpg_pool:uvloop", needs_server("postgres"), backends)

    @with_each("aiomysql")
    def test_aiomysql(self, python):
        self.check_handles(python, "aiomysql", needs_server("mysql"), threads)

    @with_each("aiomysql")
    def test_aiomysql_pool(self, python):
        self.check_pool(python, "aiomysql_pool", needs_server("mysql"), threads)

    @with_each("asyncmy")
    def test_asyncmy(self, python):
        self.check_handles(python, "asyncmy", needs_server("mysql"), threads)

    @with_each("asyncmy")
    def test_asyncmy_pool(self, python):
        self.check_pool(python, "asyncmy_pool", needs_server("mysql"), threads)

    @with_each("aiopg")
    def test_aiopg(self, python):
        self.check_handles(python, "aiopg", needs_server("postgres"), backends)

    @with_each("aiopg")
    def test_aiopg_pool(self, python):
        self.check_pool(python, "aiopg_pool", needs_server("postgres"), backends)

    @with_each("psycopg")
    def test_psycopg(self, python):
        self.check_handles(python, "psycopg", needs_server("postgres"), backends)

    @with_each("psycopg_pool")
    def test_psycopg_pool(self, python):
        self.check_pool(python, "psycopg_pool", needs_server("postgres"), backends)

    @with_each("psycopg_pool")
    def test_psycopg_null_pool(self, python):
        self.check_pool(python, "psycopg_null_pool", needs_server("postgres"), backends)

    @with_each("redis.asyncio")
    def test_redis_pool(self, python):
        self.check_pool(python, "redis_pool", needs_server("redis"), clients, command=3)

    @with_each("aiosqlite")
    def test_aiosqlite(self, python):
        def files(_):
            processes = [pid for pid in os.listdir("/proc") if pid.isdigit()]
            return sum(1 for pid in processes for name in descriptors(pid)
                       if name == self.path("app.db"))
        self.check_handles(python, "aiosqlite", self.path("app.db"), files)


def descriptors(pid):
    """The names of the files that a process has open."""
    names = []
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            names.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    except OSError:
        pass
    return names


if __name__ == "__main__":
    main()
