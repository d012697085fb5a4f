#!/usr/bin/python3
"""SQLModel, uvloop and gevent, with SQLAlchemy underneath: sites and numbers."""

import unittest

from python_harness import PYTHON, PythonTestCase, has_module, line_of, main, source

PROGRAM = "libraries.py"


@unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
class Libraries(PythonTestCase):

    def check(self, name, leaked, opened):
        plain = self.run_plain([PYTHON, source(PROGRAM), name, self.path("plain.db")])
        run = self.trace([PYTHON, source(PROGRAM), name, self.path("app.db")])
        self.assertEqual(plain.status, 0, plain.err)
        self.assertEqual((run.status, run.out), (0, plain.out), run.err)
        report = run.report("-n", "0")
        self.assert_sites(report, source(PROGRAM), leaked, kind="checkout")
        self.assert_opened(report, PROGRAM, opened)
        self.assert_totals(report, "handle", never_closed=0)
        return report

    @unittest.skipUnless(has_module("sqlmodel"), "python3-sqlmodel is not installed")
    def test_sqlmodel(self):
        self.check("sqlmodel", {"sqlmodel": 3},
                   {"sqlmodel": 3, "sqlmodel right": 4, "sqlmodel dependency": 1})

    @unittest.skipUnless(has_module("uvloop") and has_module("aiosqlite"), "no uvloop, aiosqlite")
    def test_uvloop(self):
        report = self.check("uvloop", {"uvloop": 3}, {"uvloop": 3, "uvloop right": 5})
        site = self.site_at(report, PROGRAM, "uvloop")
        self.assertEqual(sorted(site["tasks"]), ["job-0", "job-1", "job-2"])

    @unittest.skipUnless(has_module("gevent"), "python3-gevent is not installed")
    def test_gevent(self):
        """The pool runs dry among greenlets: the holders are told."""
        report = self.check("gevent", {"gevent": 5}, {"gevent": 5, "gevent right": 50})
        pool = self.pool(report, **{"class": "QueuePool"})
        self.assertEqual((pool["timeouts"], pool["high_water"]["count"]), (1, 5))
        # On a busy machine one of the fifty may have waited long before.
        (holders,) = [s["holders"] for s in report["shortages"] if s["failed"]]
        self.assertEqual({(h.get("line"), h["count"]) for h in holders},
                         {(line_of(source(PROGRAM), "gevent"), 5)})


if __name__ == "__main__":
    main()
