#!/usr/bin/python3
"""Interpreters that are not known or must be left alone: the program is not disturbed, its handles
are counted as ever, and the report says what is missing and why."""

import os
import unittest

from python_harness import PythonTestCase, has_module, main, program, source

PROGRAM = "connections.py"


def embedded(*script):
    """A command that runs a script in a libpython, in front of which a library can be put."""
    code = f"import sys; sys.argv = {list(script)!r}; f = {script[0]!r}; " \
        "exec(compile(open(f).read(), f, 'exec'))"
    return [program("embedded_linked"), "linked", "init", "run", code, "end"]


# What Py_GetVersion says of builds that are not on the machine.
OLD = "3.7.17 (default, Jun  5 2023, 12:00:00) \n[GCC 12.2.0]"
FREE_3_13 = "3.13.1 experimental free-threading build (main, Dec  3 2024, 12:00:00) [GCC 12.2.0]"
FREE_3_14 = "3.14.0 free-threading build (main, Oct  8 2025, 12:00:00) [GCC 13.3.0]"
NEW = "3.99.0 (main, Oct  8 2025, 12:00:00) [GCC 13.3.0]"


@unittest.skipUnless(os.path.exists(program("embedded_linked")), "built without libpython3-dev")
class Strangers(PythonTestCase):

    def check(self, version):
        """Result: the run, its report and what it notes."""
        env = {"LD_PRELOAD": program("python_version.so"), "PYTHON_VERSION_SAID": version}
        run = self.assert_same_behaviour(embedded(source(PROGRAM)), env=env)
        self.assertEqual(run.out, "done\ndone\n")
        report = run.report("-n", "0")
        self.assert_totals(report, opened=31)
        return run, report, report["processes"][0].get("notes", [])

    def check_left_alone(self, version, words):
        run, report, notes = self.check(version)
        self.assert_totals(report, released=31, never_closed=0)  # nobody tells who closed them
        self.assertFalse(any(frame.get("language") == "python"
                             for site in report["sites"] for frame in site["frames"]))
        self.assertEqual(len(notes), 1)
        self.assertIn(words, notes[0])
        self.assertIn(notes[0][:40], run.err)  # the text says so too

    def test_old(self):
        self.check_left_alone(OLD, "Python 3.7 is older than 3.8")

    def test_free_threaded(self):
        self.check_left_alone(FREE_3_13, "Python 3.13 has no GIL")
        self.check_left_alone(FREE_3_14, "Python 3.14 has no GIL")

    def test_new(self):
        """Not in the table of layouts: handles have no Python frames, but their end is told."""
        _, report, notes = self.check(NEW)
        self.assert_totals(report, released=20, never_closed=11)
        self.assertEqual(len(notes), 1)
        self.assertIn("Python 3.99 is not supported yet", notes[0])

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_new_pools(self):
        """The pools of such a version are seen, with their lines, by what is documented of it."""
        env = {"LD_PRELOAD": program("python_version.so"), "PYTHON_VERSION_SAID": NEW}
        run = self.trace(embedded(source("pools.py"), self.path("app.db")), env=env)
        self.assertEqual(run.out, "done\ndone\n", run.err)
        self.assert_sites(run.report("-n", "0"), source("pools.py"), {"dropped": 5, "kept": 5},
                          kind="checkout")

    def test_known(self):
        """Nothing is said where nothing is missing."""
        run = self.trace(embedded(source(PROGRAM)))
        self.assertNotIn("notes", run.report()["processes"][0])


if __name__ == "__main__":
    main()
