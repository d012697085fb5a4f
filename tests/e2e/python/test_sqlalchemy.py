#!/usr/bin/python3
"""SQLAlchemy: sites, outcomes and pools, against what the programs themselves have counted.

With UNCLOSED_TEST_SQLALCHEMY (source trees of other SQLAlchemy versions, separated by colons) the
same is done with each of them.
"""

import os
import unittest

from python_harness import PYTHON, PythonTestCase, has_module, line_of, main, source


def each_version(test):
    """Runs a test with the installed SQLAlchemy, then with the other versions."""
    def run(self):
        extra = os.environ.get("UNCLOSED_TEST_PYTHONPATH", "")
        others = os.environ.get("UNCLOSED_TEST_SQLALCHEMY", "")
        for tree in [None] + [tree for tree in others.split(":") if tree]:
            with self.subTest(sqlalchemy=tree or "installed"):
                test(self, {"PYTHONPATH": f"{extra}:{tree}/lib"} if tree else {})
    return run


@unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
class SQLAlchemy(PythonTestCase):

    def database(self, name="app.db"):
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        return path

    def service(self, env, collector, python=PYTHON):
        run = self.trace([python, source("service.py"), self.database(), "--collector", collector],
                         env=env)
        self.assertEqual(run.status, 0, run.err)
        places = {line["place"].replace("_", " "): line for line in run.values()
                  if "place" in line}
        self.assertEqual(len(places), 15, run.out)
        return run.report("-n", "0"), places

    def check_service(self, report, places):
        leaked = {place: line["leaked"] for place, line in places.items() if line["leaked"]}
        self.assertEqual(len(leaked), 9)
        self.assert_sites(report, source("service.py"), leaked, kind="checkout")
        # The session of "orders" takes a connection twice.
        self.assert_opened(report, "service.py",
                           {place: line["opened"] * (2 if place == "orders" else 1)
                            for place, line in places.items()})
        self.assert_totals(report, "handle", never_closed=0)
        self.assertEqual(report["misuse"], [])
        for place, line in places.items():
            site = self.site_at(report, "service.py", place)
            self.assertEqual(site["exceptions"], line["raised"], place)
        self.assertEqual(self.site_at(report, "service.py", "settings")["function"],
                         "SettingsTab.render")

    @each_version
    def test_service(self, env):
        for collector in ("on", "off", "forced"):
            with self.subTest(collector=collector):
                report, places = self.service(env, collector)
                self.check_service(report, places)
                total = sum(line["leaked"] for line in places.values())
                self.assert_totals(report, "checkout", never_closed=total)
                at_shutdown = sum(site["at_shutdown"] for site in report["sites"])
                live = report["totals"]["checkout"]["live"]
                if collector == "off":
                    self.assertEqual(at_shutdown + live, total)
                if collector == "forced":
                    self.assertEqual(at_shutdown + live, 0)

    def test_thread_names(self):
        report, _ = self.service({}, "on")
        names = self.site_at(report, "service.py", "thread")["threads"]
        self.assertTrue(names and all(name.startswith("worker_") for name in names), names)

    @each_version
    def test_unchanged(self, env):
        self.assert_same_behaviour([PYTHON, source("service.py"), self.database()], env=env)

    @each_version
    def test_pools(self, env):
        run = self.assert_same_behaviour([PYTHON, source("pools.py"), self.database()], env=env)
        report = run.report("-n", "0")
        self.assert_sites(report, source("pools.py"), {"dropped": 5, "kept": 5},
                          kind="checkout")
        # The second connection of a SingletonThreadPool is the first.
        self.assert_opened(report, "pools.py",
                           {"closed": 5, "detached": 5, "invalidated": 5, "dropped": 5,
                            "first": 4, "second": 3, "raw": 5, "kept": 5})
        for place, key in (("detached", "discarded"), ("invalidated", "discarded")):
            self.assertEqual(self.site_at(report, "pools.py", place)[key], 5, place)
        self.assertEqual(self.site_at(report, "pools.py", "kept")["at_shutdown"]
                         + self.site_at(report, "pools.py", "kept")["live"], 5)
        self.assertEqual(self.site_at(report, "pools.py", "dropped")["reclaimed"], 5)
        self.assert_totals(report, "handle", never_closed=0)
        self.assertEqual({pool["class"] for pool in report["pools"]},
                         {"QueuePool", "NullPool", "StaticPool", "SingletonThreadPool",
                          "AssertionPool"})
        pool = self.pool(report, **{"class": "QueuePool"})
        self.assertEqual((pool["size"], pool["overflow"], pool["timeout"]), (5, 10, 30.0))
        self.assertEqual(pool["name"], f"sqlite:///{self.path('app.db')}")
        self.assertEqual(pool["high_water"]["count"], 2)
        self.assertNotIn("waiting", pool)  # the process has ended

    @each_version
    def test_dry(self, env):
        command = [PYTHON, source("dry.py"), self.database()]
        plain = self.run_plain(command, env=env)
        # By hand, so that the report is not on standard error too.
        run = self.trace(command, how="preload",
                         env={"UNCLOSED_LOG": self.path("summary"), **env})
        self.assertEqual((run.status, run.out, run.err), (plain.status, plain.out, plain.err))
        self.assertIn("QueuePool limit of size 3 overflow 2 reached", run.out)
        report = run.report("-n", "0")
        pool = self.pool(report, **{"class": "QueuePool"})
        self.assertEqual((pool["size"], pool["overflow"]), (3, 2))
        self.assertEqual((pool["timeouts"], pool["failed"]), (2, 2))
        self.assertEqual(pool["high_water"]["count"], 5)
        self.check_exhaustion(report["shortages"][0])
        self.check_occupancy(report, pool)

    def check_exhaustion(self, exhaustion):
        """The first one: three hold it from one line, two from another."""
        self.assertTrue(exhaustion["failed"])
        self.assertGreaterEqual(exhaustion["waited"], 0.5)
        lines = {}
        for holder in exhaustion["holders"]:
            line = holder.get("line")
            lines[line] = lines.get(line, 0) + holder.get("count", 1)
        self.assertEqual(lines, {line_of(source("dry.py"), "report"): 3,
                                 line_of(source("dry.py"), "upload"): 2})

    def check_occupancy(self, report, pool):
        """The same over time: when the pool was full, and that two waited in vain."""
        occupancy = pool["occupancy"]
        line = {site["id"]: site["line"] for site in report["sites"]}
        held = {}
        for site, count in occupancy["holders"][occupancy["most_out"].index(5)].items():
            held[line[site]] = held.get(line[site], 0) + count
        self.assertEqual(held, {line_of(source("dry.py"), "report"): 3,
                                line_of(source("dry.py"), "upload"): 2})
        self.assertEqual(sum(occupancy["timeouts"]), 2)
        self.assertGreaterEqual(max(occupancy["waiting"]), 1)
        self.assertEqual(sum(pool["acquire_times"]["count"]), pool["acquires"])
        self.assertEqual(sum(pool["creation_times"]["count"]),
                         report["totals"]["handle"]["opened"])

    @unittest.skipUnless(has_module("aiosqlite"), "python3-aiosqlite is not installed")
    @each_version
    def test_tasks(self, env):
        run = self.assert_same_behaviour([PYTHON, source("tasks.py"), self.database()], env=env)
        report = run.report("-n", "0")
        self.assert_sites(report, source("tasks.py"), {"leak": 3}, kind="checkout")
        self.assert_opened(report, "tasks.py", {"leak": 3, "right": 5})
        self.assertEqual(self.site_at(report, "tasks.py", "leak")["reclaimed"], 3)
        self.assert_totals(report, "handle", never_closed=0)

    @unittest.skipUnless(has_module("aiosqlite"), "python3-aiosqlite is not installed")
    @each_version
    def test_names_of_tasks(self, env):
        run = self.trace([PYTHON, source("tasks.py"), self.database(), "--exit"], env=env)
        site = self.site_at(run.report("-n", "0"), "tasks.py", "leak")
        self.assertEqual(site["live"], 3)
        self.assertEqual(sorted(site["tasks"]), ["job-0", "job-1", "job-2"])

    def test_forty_five_places(self):
        """The case that this was made for: 45 leaks in 12 files, of three patterns, and as many
        places that are right; each is found with its line and its kind, and nothing else is."""
        leaks, right, modules = {}, set(), {}
        for number in range(45):
            name = f"part{number % 12}"
            code = modules.setdefault(name, ["from db import SELECT, get_db"])
            code += LEAKY[number % 3].format(number=number).splitlines()
            leaks[f"{name}.py", len(code) - LEAKY_BELOW[number % 3]] = number % 3
            code += RIGHT[number % 3].format(number=number).splitlines()
            right.add(f"{name}.py")
        for name, code in modules.items():
            self.write(f"app/{name}.py", "\n".join(code) + "\n")
        self.write("app/db.py", DATABASE.format(path=self.database()))
        main_program = self.write("app/app.py", FORTY_FIVE)
        run = self.assert_same_behaviour([PYTHON, main_program])
        self.assertEqual(run.out, "45 places, 12 files\n")
        report = run.report("-n", "0")
        found = self.sites(report, "checkout")
        self.assertEqual(set(found), set(leaks))
        self.assertEqual(len({file for file, _ in found}), 12)
        for place, pattern in leaks.items():
            site = found[place]
            self.assertEqual((site["opened"], site["never_closed"], site["exceptions"]),
                             [(4, 4, 0), (4, 2, 0), (4, 2, 2)][pattern], place)
        self.assert_totals(report, "checkout", opened=45 * 4 * 2, never_closed=15 * 8)
        self.assertIn("SUMMARY: 120 sessions never closed, 45 sites, 12 files", run.err)

    def test_children(self):
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method=method):
                run = self.trace([PYTHON, source("children.py"), method, self.database()])
                self.assertEqual(run.out, "done [0, 0]\n", run.err)
                report = run.report("-n", "0")
                self.assertEqual(len(report["processes"]), 3)
                self.assert_sites(report, source("children.py"), {"leak": 5}, kind="checkout")
                self.assert_opened(report, "children.py", {"leak": 5, "right": 3})

    def test_password(self):
        self.write("secret.py", SECRET)
        run = self.trace([PYTHON, self.path("secret.py"), self.database()])
        self.assertEqual(run.status, 0, run.err)
        report = run.report("-n", "0")
        self.assertEqual(self.pool(report)["name"], "server://joe:***@db.example/app")
        for trace in run.traces:
            with open(trace, "rb") as file:
                self.assertNotIn(b"hunter2", file.read())


DATABASE = """
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

SELECT = text("select 1")
engine = create_engine("sqlite:///{path}", poolclass=QueuePool, pool_size=20, max_overflow=40)
SessionLocal = sessionmaker(engine)


def get_db():
    return SessionLocal()
"""
LEAKY = ["""
def leak{number}(turn):
    session = get_db()
    return session.execute(SELECT).scalar()
""", """
def leak{number}(turn):
    session = get_db()
    if session.execute(SELECT).scalar() == turn % 2:
        return None
    session.close()
""", """
def leak{number}(turn):
    session = get_db()
    if session.execute(SELECT).scalar() == turn % 2:
        raise ValueError(turn)
    session.close()
"""]
LEAKY_BELOW = [1, 3, 3]  # lines below the one that opens
RIGHT = ["""
def right{number}(turn):
    with get_db() as session:
        return session.execute(SELECT).scalar()
""", """
def right{number}(turn):
    session = get_db()
    try:
        if session.execute(SELECT).scalar() == turn % 2:
            raise ValueError(turn)
    finally:
        session.close()
""", """
def right{number}(turn):
    from concurrent.futures import ThreadPoolExecutor
    session = get_db()
    try:
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(lambda: 1).result() + session.execute(SELECT).scalar()
    finally:
        session.close()
"""]
FORTY_FIVE = """
import gc
import importlib

modules = [importlib.import_module(f"part{number}") for number in range(12)]
places = 0
for module in modules:
    for name, function in sorted(vars(module).items()):
        if not name.startswith(("leak", "right")):
            continue
        places += name.startswith("leak")
        for turn in range(4):
            try:
                function(turn)
            except ValueError:
                pass
        gc.collect()
print(places, "places,", len(modules), "files")
"""
SECRET = """
import sys
from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
class Server(SQLiteDialect_pysqlite):
    def create_connect_args(self, url):
        return [sys.argv[1]], {}
registry.register("server", "__main__", "Server")
engine = create_engine("server://joe:hunter2@db.example/app")
engine.pool.connect().close() if "pool" in sys.argv else engine.raw_connection().close()
"""

if __name__ == "__main__":
    main()
