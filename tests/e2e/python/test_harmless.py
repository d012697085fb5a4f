#!/usr/bin/python3
"""What programs can see of their interpreter, and what shakes it: the same when traced."""

import os
import re
import unittest

from python_harness import PYTHON, PythonTestCase, all_interpreters, has_module, interpreters, main, source

GROWTH = """
import sqlite3
import sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite://", poolclass=QueuePool)


def pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


def work(times):
    for _ in range(times):
        engine.raw_connection().close()
        Session(engine).close()
        if _ % 10 == 0:
            sqlite3.connect(":memory:").close()


work(5000)
before = pages()
work(50000)
print("grown", "not" if pages() - before < 256 else pages() - before)
"""


KEEPING = ("kind keeping; acquire python:keeping:Depot.take(self=pool) -> handle; "
           "release python:keeping:Depot.give(self=pool, item=handle)")


class Harmless(PythonTestCase):

    def files_after(self, command, how, **keywords):
        """What a program leaves behind in a folder of its own, and its run."""
        folder = self.path(f"left-{self.number}")
        self.number += 1
        os.mkdir(folder)
        run = self.trace([*command, os.path.join(folder, "a.db")], how=how, **keywords)
        self.assertEqual(run.status, 0, run.err[-2000:])
        return sorted(os.listdir(folder)), run

    number = 0

    def test_nothing_outlives_its_module(self):
        """Variables of a module die as untraced, though its functions are wrapped: the database that
        they hold is closed, which takes away its -wal."""
        for version, python in all_interpreters():
            with self.subTest(version=version, python=python):
                command = [python, source("keeper.py")]
                before, plain = self.files_after(command, "plain")
                after, traced = self.files_after(command, "run", options=["--pool", KEEPING])
                self.assertEqual(before, ["a.db"])
                self.assertIn("variables are gone", plain.out)
                self.assertEqual((after, traced.out), (before, plain.out))
                report = traced.report()
                self.assert_totals(report, kind="checkout", opened=2, released=2, never_closed=0)
                self.assert_totals(report, opened=1)

    def check_modes(self, options, env):
        """connections.py in every version; its numbers are right too."""
        for version, python in interpreters().items():
            with self.subTest(version=version):
                run = self.assert_same_behaviour([python, *options, source("connections.py")],
                                                 env=env)
                self.assertEqual(run.status, 0, run.err[-2000:])
                self.assert_totals(run.report(), opened=31, never_closed=11, released=20)

    def test_developer_mode(self):
        """-X dev allocates in another way than the interpreter did before it knew of it."""
        self.check_modes(["-X", "dev", "-W", "error::ResourceWarning"], {})

    def test_debug_allocators(self):
        self.check_modes(["-X", "tracemalloc=10"], {"PYTHONMALLOC": "debug"})

    def test_resource_warnings(self):
        """Since 3.13 the collector warns of connections; it still does."""
        for version, python in interpreters().items():
            with self.subTest(version=version):
                command = [python, "-W", "always", source("connections.py")]
                warnings = [re.findall("ResourceWarning: unclosed database",
                                       self.trace(command, how=how).err)
                            for how in ("plain", "run")]
                self.assertEqual(warnings[0], warnings[1])
                self.assertEqual(bool(warnings[0]), int(version.split(".")[1]) >= 13)

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_surroundings(self):
        for what in ("profile", "recursion", "objects", "names", "exit"):
            with self.subTest(what=what):
                runs = []
                for how in ("plain", "run"):
                    database = self.path(f"{what}.db")
                    if os.path.exists(database):
                        os.unlink(database)
                    runs.append(self.trace([PYTHON, source("surroundings.py"), what, database],
                                           how=how))
                self.assertEqual(runs[0].status, 0, runs[0].err)
                self.assertEqual((runs[1].status, runs[1].out), (0, runs[0].out), runs[1].err)

    @unittest.skipUnless(has_module("sqlalchemy") and has_module("coverage"), "no coverage")
    def test_coverage(self):
        """The same lines and branches are covered."""
        said = []
        for how in ("plain", "run"):
            run = self.trace([PYTHON, "-m", "coverage", "run", "--branch", "--include=*/service.py",
                              f"--data-file={self.path(how)}", source("service.py"),
                              self.path(how + ".db")], how=how)
            self.assertEqual(run.status, 0, run.err)
            said.append(self.run_plain([PYTHON, "-m", "coverage", "report", "-m",
                                        f"--data-file={self.path(how)}"]).out)
        self.assertIn("service.py", said[0])
        self.assertEqual(said[1], said[0])

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_memory(self):
        run = self.trace([PYTHON, self.write("growth.py", GROWTH)])
        self.assertEqual(run.out, "grown not\n", run.err)

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_busy_threads(self):
        run = self.trace([PYTHON, source("busy.py"), "threads", self.path("app.db")])
        self.assertEqual(run.status, 0, run.err)
        report = run.report("-n", "0")
        self.assert_totals(report, "checkout", opened=808, released=800, never_closed=8)
        self.assert_sites(report, source("busy.py"), {"leak": 8}, kind="checkout")

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_forks_of_threads(self):
        run = self.trace([PYTHON, source("busy.py"), "forks", self.path("app.db")])
        self.assertEqual(run.out, "children=40 failed=0\n", run.err)
        report = run.report("-n", "0")
        self.assertEqual(len(report["processes"]), 41)
        self.assert_totals(report, "checkout", opened=80, released=80, never_closed=0)
        self.assertEqual(self.site_at(report, "busy.py", "child")["opened"], 40)

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_interrupts(self):
        """KeyboardInterrupt within a checkout: the books stay balanced."""
        run = self.trace([PYTHON, source("busy.py"), "interrupts", self.path("app.db")])
        self.assertEqual(run.out, "caught 200\n", run.err)
        totals = run.report()["totals"]["checkout"]
        self.assertEqual(totals["opened"], totals["released"] + totals["never_closed"]
                         + totals["discarded"])


if __name__ == "__main__":
    main()
