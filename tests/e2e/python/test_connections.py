#!/usr/bin/python3
"""sqlite3 without a pool, on every CPython of this machine: who closed what."""

import os

from python_harness import (LIBRARY, PYTHON, PythonTestCase, VERSIONS, interpreters, main, source)

PROGRAM = "connections.py"
OPENED = {"close": 4, "closing": 4, "with": 4, "cycle": 4, "own": 4, "failed": 4, "twice": 4,
          "kept": 3}
LEAKED = {"with": 4, "cycle": 4, "kept": 3}  # `with connection:` closes nothing


class Connections(PythonTestCase):

    def check(self, python, *options):
        run = self.assert_same_behaviour([python, *options, source(PROGRAM)], same_error=False)
        report = run.report("-n", "0")
        self.assert_totals(report, opened=31, never_closed=11, reclaimed=11, released=20, live=0)
        self.assert_opened(report, PROGRAM, OPENED, kind="handle")
        self.assert_sites(report, source(PROGRAM), LEAKED)
        kept = self.site_at(report, PROGRAM, "kept", "handle")
        self.assertEqual(kept["at_shutdown"], 3)
        self.assertEqual(kept["function"], "Cache.fill")
        self.assertEqual(self.site_at(report, PROGRAM, "cycle", "handle")["at_shutdown"], 0)
        self.assertEqual(report["misuse"], [])

    def test_versions(self):
        found = interpreters()
        for version in VERSIONS:
            with self.subTest(version=version):
                if version not in found:
                    print(f"CPython {version} is not on this machine: skipped")
                    continue
                self.check(found[version])

    def test_exceptions(self):
        """Sessions that an exception left behind are marked as such, and no others."""
        leaked = {"here": 4, "below": 4, "with": 8, "generator": 4, "captured": 4, "no cleanup": 8}
        for version, python in interpreters().items():
            with self.subTest(version=version):
                run = self.assert_same_behaviour([python, source("exceptions.py")])
                report = run.report("-n", "0")
                self.assert_totals(report, opened=72, never_closed=32, reclaimed=32)
                self.assert_sites(report, source("exceptions.py"), leaked)
                for place in leaked:
                    site = self.site_at(report, "exceptions.py", place, "handle")
                    self.assertEqual(site["exceptions"], 0 if place == "no cleanup" else 4, place)
                self.assertIn("an exception", run.err)

    def test_isolated(self):
        """-I -S -E: nothing of the environment or of site is used."""
        for options in (["-I"], ["-S"], ["-E"], ["-I", "-S", "-E"], ["-B", "-O"]):
            with self.subTest(options=options):
                self.check(PYTHON, *options)

    def test_virtual_environment(self):
        self.assertEqual(os.system(f"{PYTHON} -m venv --without-pip {self.path('venv')}"), 0)
        self.check(self.path("venv", "bin", "python3"))

    def test_left_by_exit(self):
        """os._exit: nobody closes what is open, and it is seen as open."""
        report = self.trace([PYTHON, source(PROGRAM), "--exit"]).report("-n", "0")
        self.assert_totals(report, opened=31, never_closed=11, live=3, reclaimed=8)

    def test_module(self):
        """python3 -m, from the folder of the module."""
        run = self.trace([PYTHON, "-m", "connections"], cwd=os.path.dirname(source(PROGRAM)))
        self.assert_sites(run.report("-n", "0"), source(PROGRAM), LEAKED)

    def test_preloaded_by_hand(self):
        run = self.trace([PYTHON, source(PROGRAM)], how="preload")
        self.assert_sites(run.report("-n", "0"), source(PROGRAM), LEAKED)
        self.assertTrue(os.path.exists(LIBRARY))

    def test_python_off(self):
        """UNCLOSED_PYTHON=0: handles are counted as ever, without lines of Python."""
        run = self.trace([PYTHON, source(PROGRAM)], env={"UNCLOSED_PYTHON": "0"})
        report = run.report("-n", "0")
        self.assert_totals(report, opened=31)
        self.assertFalse(any(frame.get("language") == "python"
                             for site in report["sites"] for frame in site["frames"]))


if __name__ == "__main__":
    main()
