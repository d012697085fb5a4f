#!/usr/bin/env python3
"""Generated programs: nothing wrong is said of any line of them.

    test_generator.py CLI
"""
import copy
import os
import sys
import unittest

import check
import generated
import program

CLI = os.path.abspath(sys.argv[1])
SEEDS = int(os.environ.get("GENERATOR_SEEDS", "100"))
# They found something, once.
KEPT = (("python", 125), ("python", 158), ("alchemy", 1083))


class Generated(unittest.TestCase):
    def test_seeds(self):
        self.assertEqual({}, generated.run_seeds(CLI, range(1, SEEDS + 1)))

    def test_kept_seeds(self):
        for language, seed in KEPT:
            with self.subTest(language=language, seed=seed):
                self.assertEqual([], generated.faults(CLI, program.Program(seed, language)))


class Checker(unittest.TestCase):
    """Each way to be wrong is found: the checker is not content with anything."""

    @classmethod
    def setUpClass(cls):
        cls.made = program.Program(7, "python", ["factory", "kept", "straight"])
        cls.report = generated.run(CLI, cls.made)

    def blamed(self, report):
        lines = self.made.truth()
        return next(site for site in report["sites"] if lines.get(site.get("line"), [0, 0])[1])

    def planted(self, plant):
        report = copy.deepcopy(self.report)
        plant(report)
        self.assertNotEqual([], check.wrong(report, self.made))

    def test_right(self):
        self.assertEqual([], check.wrong(self.report, self.made))

    def test_line(self):
        def another_line(report):
            self.blamed(report)["line"] += 1
        self.planted(another_line)

    def test_counts(self):
        for key in ("opened", "never_closed"):
            def another_count(report, key=key):
                self.blamed(report)[key] += 1
            self.planted(another_count)

    def test_no_site(self):
        self.planted(lambda report: report["sites"].remove(self.blamed(report)))

    def test_totals(self):
        for key in ("opened", "never_closed", "released"):
            def another_total(report, key=key):
                report["totals"]["handle"][key] -= 1
            self.planted(another_total)

    def test_accusation(self):
        def accuse(report):
            site = copy.deepcopy(self.blamed(report))
            site["line"] = 1
            report["sites"].append(site)
        self.planted(accuse)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
