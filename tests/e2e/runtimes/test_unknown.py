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


if __name__ == "__main__":
    harness.main()
