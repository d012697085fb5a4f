#!/usr/bin/python3
"""CPython's own tests of sqlite3 and SQLAlchemy's own tests of its pools: the same with and without.

SQLAlchemy's are run where UNCLOSED_TEST_SQLALCHEMY names source trees (see test_sqlalchemy.py).
"""

import os
import re
import unittest

from python_harness import PythonTestCase, all_interpreters, main


class OwnTests(PythonTestCase):

    def both(self, command, env=None, cwd=None):
        """What a command says untraced and traced, as {"plain": Run, "preload": Run}."""
        return {how: self.trace(command, how=how, env={"UNCLOSED_LOG": "/dev/null", **(env or {})},
                                cwd=cwd, timeout=400)
                for how in ("plain", "preload")}

    def test_cpython(self):
        ran = 0
        for version, python in all_interpreters():
            name = "test_sqlite" if version in ("3.8", "3.9", "3.10") else "test_sqlite3"
            with self.subTest(python=python):
                runs = self.both([python, "-m", "test", "-v", name])
                if "No module named" in runs["plain"].err + runs["plain"].out:
                    print(f"{python} has no test suite here: skipped")
                    continue
                ran += 1
                self.assertEqual(runs["plain"].status, 0, runs["plain"].out[-2000:])
                self.assertEqual(self.outcomes(runs["preload"]), self.outcomes(runs["plain"]))
                self.assertEqual(runs["preload"].status, 0, runs["preload"].out[-2000:])
                self.assertTrue(runs["preload"].traces)
                print(python, "ran", len(self.outcomes(runs["preload"])), "tests")
        if not ran:
            self.skipTest("no CPython with its test suite (Debian: libpython3.11-testsuite)")

    @staticmethod
    def outcomes(run):
        """{test: ok, skipped or FAIL}; a subprocess's tests may come in any order."""
        return dict(re.findall(r"^(\w+ \([\w.]+\)).*\.\.\. (ok|skipped|FAIL|ERROR)",
                               run.out + run.err, re.M))

    @unittest.skipUnless(os.environ.get("UNCLOSED_TEST_SQLALCHEMY"), "no UNCLOSED_TEST_SQLALCHEMY")
    def test_sqlalchemy(self):
        for tree in os.environ["UNCLOSED_TEST_SQLALCHEMY"].split(":"):
            with self.subTest(tree=tree):
                extra = os.environ.get("UNCLOSED_TEST_PYTHONPATH", "")
                command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "-p", "no:xdist", "--db", "sqlite", "test/engine/test_pool.py"]
                runs = self.both(command, {"PYTHONPATH": f"{extra}:{tree}/lib"}, tree)
                said = {how: re.findall(r"(\d+ passed.*?) in ", run.out)
                        for how, run in runs.items()}
                self.assertEqual(len(said["plain"]), 1, runs["plain"].out[-2000:])
                self.assertEqual(said["preload"], said["plain"])
                print(tree, said["preload"][0])


if __name__ == "__main__":
    main()
