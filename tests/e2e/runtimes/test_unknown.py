#!/usr/bin/python3
"""Runtimes that are not known, or not what they seem: nothing breaks, and nothing is believed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import harness  # noqa: E402


class Unknown(harness.TestCase):
    def check(self, kind, note):
        """Three opened, two closed by what may be the runtime: why is not known."""
        run = self.assert_same_behaviour([harness.program("php_pretender"), kind])
        self.assertEqual(run.status, 0)
        report = run.report()
        self.assert_totals(report, opened=3, released=0, never_closed=1, live=1)
        self.assertEqual(report["totals"]["handle"]["closed_by"], {"unknown": 2})
        self.assertEqual([p.get("notes") for p in report["processes"]],
                         [[note] if note else None])
        text = self.unclosed("report", run.folder).stdout
        self.assertIn("closed by a runtime, not known why 2", text)

    def test_new_version(self):
        self.check("new", "PHP 8.9 is not supported yet: its lines are not seen, nor whether the code "
                          "closed a handle")

    def test_no_frames_where_they_should_be(self):
        self.check("strange", "PHP 8.2 has an unusual build: its lines are not seen, nor whether "
                              "the code closed a handle")

    def test_frames_that_do_not_agree(self):
        self.check("liar", "PHP 8.2 has an unusual build: its lines are not seen, nor whether the "
                           "code closed a handle")


class NotLookedInto(harness.TestCase):
    """Lua: what leaks is never said to be released, and the report says what is not seen."""

    def check(self, language, command):
        run = self.trace(command)
        self.assertEqual(run.status, 0, run.err)
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual((totals["opened"], totals["released"]), (5, 0))
        self.assertEqual(totals["closed_by"], {"unknown": 5})
        self.assertRegex(report["blind"][0]["reason"], f"{language} [0-9.]+ is not looked into")
        self.assertIn("is not looked into", run.err)
        failed = self.unclosed("run", "--error-exitcode=9", "--", *command)
        self.assertEqual(failed.returncode, 9, failed.stderr)

    @harness.needs("lua5.4")
    def test_lua(self):
        self.check("Lua", ["lua5.4", "-e", "local e = require('luasql.sqlite3').sqlite3() x = {} "
                           "for i = 1, 5 do x[i] = e:connect(':memory:') end"])


if __name__ == "__main__":
    harness.main()
