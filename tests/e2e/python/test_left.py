#!/usr/bin/python3
"""Exceptions that leave a function with its session open are told, whatever becomes of them."""

import unittest

import python_harness
from python_harness import PYTHON, source

# A pool of the program's own, without any driver or library that is known.
DEPOT = """
class Thing:
    pass


class Depot:
    def take(self):
        return Thing()

    def give(self, thing):
        pass
"""
OWN = """
import sys
from depot import Depot

depot = Depot()
kept = []


def fetch(bad):
    thing = depot.take()  # site: fetch
    kept.append(thing)
    if bad:
        raise KeyError(bad)
    depot.give(thing)


for bad in (0, 1, 0, 1):
    try:
        fetch(bad)
    except KeyError:
        pass
"""

# A connection in a cycle with the exception that left its function.
CYCLE = """
import gc
import sqlite3


class Own(sqlite3.Connection):
    pass


def fetch(factory):
    db = sqlite3.connect(":memory:", factory=factory)  # site: fetch
    db.execute("select 1")
    raise KeyError(factory)


gc.disable()
for factory in (sqlite3.Connection, Own) * 2:
    try:
        fetch(factory)
    except KeyError as error:
        error.me = error
gc.collect()
"""


class Left(python_harness.PythonTestCase):
    @unittest.skipUnless(python_harness.has_module("sqlalchemy"), "SQLAlchemy is not installed")
    def test_modes(self):
        for mode in ("plain", "kept", "cycle", "gc"):
            with self.subTest(mode):
                run = self.trace([PYTHON, source("left.py"), self.path("a.db"), mode])
                self.assertEqual(run.status, 0, run.err)
                report = run.report()
                for marker, kind, never_closed, opened in (
                        ("view", "checkout", 3, 6), ("always", "checkout", 3, 3),
                        ("handle", "handle", 3, 6)):
                    site = self.site_at(report, "left.py", marker, kind)
                    # Tracebacks that only the interpreter's end frees are not looked at: everything
                    # of ours is given back before. Sessions of pools are told earlier.
                    told = kind == "checkout" or mode in ("plain", "gc")
                    self.assertEqual(
                        (site["never_closed"], site["opened"], site["exceptions"]),
                        (never_closed, opened, never_closed if told else 0), (mode, marker))
                text = self.unclosed("report", run.folder).stdout
                self.assertIn("some path skips close(), an exception in 3", text)
                self.assertIn("3 of 3 never closed: left by an exception in 3", text)
                self.assertNotIn("no path closes it", text)

    def test_cycles(self):
        """The collector may close the connection before it looks at the traceback."""
        path = self.write("cycle.py", CYCLE)
        for version, python in python_harness.interpreters().items():
            with self.subTest(version):
                if not python_harness.has_module("sqlite3", python):
                    print(f"{python} has no sqlite3: skipped")
                    continue
                run = self.assert_same_behaviour([python, path])
                site, = run.report()["sites"]
                self.assertEqual((site["line"], site["never_closed"], site["exceptions"]),
                                 (python_harness.line_of(path, "fetch"), 4, 4))

    def test_own_pool(self):
        """Also where nothing but the pool that --pool names is imported, and what is left is
        still open at the end."""
        self.write("depot.py", DEPOT)
        program = self.write("own.py", OWN)
        ending = self.write("ending.py", OWN + "import os\nos._exit(0)\n")
        spec = ("kind depot; acquire python:depot:Depot.take(self=pool) -> handle; "
                "release python:depot:Depot.give(self=pool, thing=handle)")
        for path in (program, ending):
            with self.subTest(path):
                (site,) = self.trace([PYTHON, path], pools=[spec]).report()["sites"]
                self.assertEqual((site["opened"], site["never_closed"], site["exceptions"]),
                                 (4, 2, 2))


if __name__ == "__main__":
    python_harness.main()
