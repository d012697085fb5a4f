"""Leaks that a suppression fits do not count, and are said; all other numbers stay as they are."""
import json
import os
import re

import harness

APP = """import gc, sqlite3
KEEP = []

class Cell:
    def __init__(self, db):
        self.db, self.me = db, self

def cache():
    KEEP.append(sqlite3.connect(':memory:'))

def save():
    KEEP.append(sqlite3.connect(':memory:'))

def drop():
    Cell(sqlite3.connect(':memory:'))

def good():
    sqlite3.connect(':memory:').close()

for n in range(3):
    cache()
    drop()
    good()
save()
gc.collect()
"""


class Suppressions(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.write("app.py", APP)
        os.mkdir(self.path("home"))
        self.run_ = self.trace(["/usr/bin/python3", "-B", "app.py"])
        self.assertEqual(self.run_.status, 0)

    def judged(self, *options, cwd=None, status=0):
        """The JSON report with suppressions, and its text. Both fail alike."""
        texts = []
        for more in (["--format", "json"], []):
            result = self.unclosed("report", "--error-exitcode", "7", *more, *options,
                                   self.run_.folder, env={"HOME": self.path("home")}, cwd=cwd)
            self.assertEqual(result.returncode, status, result.stdout + result.stderr)
            texts.append(result.stdout)
            self.warned = result.stderr
        report = json.loads(texts[0])
        self.check_report(report)
        totals = report["totals"]["handle"]
        self.assertEqual(totals["opened"], 10)
        self.assertEqual(totals["released"] + totals["never_closed"] + totals["suppressed"], 10)
        used = {f"{one['kind']}:{one['pattern']}": one["used"] for one in report["suppressions"]}
        self.assertEqual(sum(used.values()), totals["suppressed"])
        return totals, used, texts[1]

    def test_named_files(self):
        self.write("a.supp", "# kept to the end\nleak:^cache$\nleak:nobody\n")
        self.write("b.supp", "handle:^drop\ncheckout:save\n")
        totals, used, text = self.judged("--suppressions", "a.supp", status=7)
        self.assertEqual((totals["never_closed"], totals["suppressed"]), (4, 3))
        self.assertEqual(used, {"leak:^cache$": 3, "leak:nobody": 0})
        self.assertIn("suppressed: 3 sessions\n", text)
        self.assertRegex(text, r"\n +3  leak:\^cache\$  a\.supp:2  kept to the end\n")
        self.assertRegex(text, r"not used: 1 suppression\n +0  leak:nobody  a\.supp:3\n")
        self.assertRegex(text, r"SUMMARY: 4 sessions never closed, 2 sites, 1 file; 3 suppressed")
        totals, used, _ = self.judged("--suppressions", "a.supp", "--suppressions", "b.supp",
                                      status=7)
        self.assertEqual((totals["never_closed"], totals["suppressed"]), (1, 6))
        self.assertEqual(used, {"leak:^cache$": 3, "leak:nobody": 0, "handle:^drop": 3,
                                "checkout:save": 0})  # it is no checkout
        self.write("b.supp", "leak:app.py\n")  # a file, of any frame
        totals, used, text = self.judged("--suppressions", "b.supp")
        self.assertEqual(used, {"leak:app.py": 7})
        self.assertIn("SUMMARY: 0 sessions never closed; 7 suppressed", text)

    def test_found_files(self):
        os.makedirs(self.path("tree", ".git"))
        os.makedirs(self.path("tree", "a", "b"))
        deep = self.path("tree", "a", "b")
        self.write(".unclosed.supp", "leak:app.py\n")  # above the repository: not looked at
        self.assertEqual(self.judged(cwd=deep, status=7)[1], {})
        self.write("tree/.unclosed.supp", "leak:cache\n")
        self.write("home/.unclosed.supp", "leak:drop\n")
        self.assertEqual(self.judged(cwd=deep, status=7)[1], {"leak:cache": 3, "leak:drop": 3})
        self.write("tree/a/.unclosed.supp", "leak:save\n")  # the nearest one
        self.assertEqual(self.judged(cwd=deep, status=7)[1], {"leak:save": 1, "leak:drop": 3})
        self.assertEqual(self.judged("--no-suppressions", cwd=deep, status=7)[1], {})
        if os.geteuid() == 0:
            os.chown(self.path("tree/a/.unclosed.supp"), 12345, 12345)
            self.assertEqual(self.judged(cwd=deep, status=7)[1], {"leak:drop": 3})
            self.assertIn("belongs to another user", self.warned)

    def test_generated_ones_fit(self):
        result = self.unclosed("report", "--gen-suppressions", "-o", "all.supp", self.run_.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path("all.supp"), encoding="ascii") as file:
            lines = file.read().splitlines()
        self.assertEqual(sorted(line for line in lines if not line.startswith("#")),
                         ["leak:^cache$", "leak:^drop$", "leak:^save$"])
        self.assertTrue(any(re.fullmatch(r"# cache \(.*app\.py:9\): 3 of 3 never closed", line)
                            for line in lines), lines)
        totals, used, _ = self.judged("--suppressions", "all.supp")
        self.assertEqual((totals["never_closed"], min(used.values())), (0, 1))

    def test_one_that_would_fit_everything_is_a_comment(self):
        self.write("flat.py", "import sqlite3\ndb = sqlite3.connect(':memory:')\n")
        run = self.trace(["/usr/bin/python3", "-B", "flat.py"])
        result = self.unclosed("report", "--format", "supp", run.folder)
        self.assertIn("\n# leak:^<module>$  (would fit", result.stdout)

    def test_run(self):
        self.write("all.supp", "leak:app.py\n")
        command = ["/usr/bin/python3", "-B", "app.py"]
        run = self.trace(command, options=("--error-exitcode", "7", "--suppressions", "all.supp"))
        self.assertEqual(run.status, 0, run.err)
        self.assertIn("7 suppressed", run.err)
        self.write("all.supp", "leak:a\nleak\n")
        run = self.trace(["/usr/bin/touch", self.path("ran")],
                         options=("--suppressions", "all.supp"))
        self.assertEqual(run.status, 125)
        self.assertRegex(run.err, r"^unclosed: --suppressions: all\.supp:2: expected leak:PATTERN")
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_baseline_has_no_suppressed_sites(self):
        self.write("a.supp", "leak:cache\n")
        self.unclosed("report", "--suppressions", "a.supp", "--baseline", "b.json",
                      "--update-baseline", self.run_.folder)
        with open(self.path("b.json"), encoding="ascii") as file:
            self.assertEqual({site["name"] for site in json.load(file)["sites"]}, {"save", "drop"})


class EndedThreads(harness.TestCase):
    def test_of_ended_threads(self):
        """What is of the live ones only is in no number either."""
        self.write("s.supp", "leak:work\n")
        run = self.trace([harness.program("ended")])
        result = self.unclosed("report", "--suppressions", self.path("s.supp"), "--format", "json",
                               run.folder)
        totals = json.loads(result.stdout)["totals"]["handle"]
        self.assertEqual({name: totals[name] for name in (
            "suppressed", "never_closed", "live", "held_now", "thread_ended", "lost_to_pool")}, {
                "suppressed": 8, "never_closed": 0, "live": 0, "held_now": 0, "thread_ended": 0,
                "lost_to_pool": 0})


if __name__ == "__main__":
    harness.main()
