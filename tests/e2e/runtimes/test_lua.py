#!/usr/bin/python3
"""Lua and LuaJIT: coroutines, collections at any moment, hooks, errors, and ends of all kinds.

See test_cells.py for the plain ways to end.
"""

import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import harness  # noqa: E402

COMMANDS = ("lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit")
HEAD = "local e = require('luasql.sqlite3').sqlite3() local function open() local d = e:connect(':memory:') return d end "


class Lua(harness.TestCase):
    def check(self, program, opened, status=0, **closed_by):
        """Who closed what with each Lua there is, and that all are counted."""
        there = [command for command in COMMANDS if shutil.which(command)]
        if not there:
            raise unittest.SkipTest("no Lua")
        for command in there:
            with self.subTest(command):
                run = self.assert_same_behaviour([command, "-e", HEAD + program],
                                                 count=["sqlite3"])
                self.assertEqual(run.status, status, run.err[-2000:])
                self.assertEqual(run.counted("sqlite3.acquire"), opened)
                report = run.report()
                totals = report["totals"]["handle"]
                self.assertEqual(totals["opened"], opened)
                self.assertEqual(totals["opened"] - totals["live"], run.counted("sqlite3.release"))
                self.assertEqual(totals["closed_by"], closed_by)
                site = report["sites"][0]
                self.assertEqual((site["file"], site["line"]), ("(command line)", 1))

    @harness.counted
    def test_coroutines(self):
        """Many states, one after the other, and two that are active at once."""
        self.check("for i = 1, 60 do local f = coroutine.wrap(function() local d = open() "
                   "coroutine.yield() d:close() end) f() f() local d = open() d:close() end",
                   120, code=120)

    @harness.counted
    def test_closed_by_a_function_in_c(self):
        """pcall and table.sort call it, as the collector does."""
        self.check("for i = 1, 30 do local d = open() pcall(d.close, d) end "
                   "table.sort({2, 1}, function(a, b) local d = open() d:close() return a < b end)",
                   31, code=31)

    @harness.counted
    def test_collected_in_the_middle(self):
        """Whatever runs at that moment, also in code that LuaJIT has compiled."""
        self.check("for i = 1, 500 do open() local t = {} for j = 1, 50 do t[j] = {} end end "
                   "collectgarbage() collectgarbage()", 500, collector=500)

    @harness.counted
    def test_finalizer_of_the_code(self):
        self.check("for i = 1, 3 do local d = open() local function f() d:close() end "
                   "if newproxy then getmetatable(newproxy(true)).__gc = f "
                   "else setmetatable({}, {__gc = f}) end end collectgarbage() collectgarbage()",
                   3, collector=3)

    @harness.counted
    def test_error_at_the_top(self):
        self.check("K = open() error('x')", 1, status=1, end_of_runtime=1)

    @harness.counted
    def test_exit_without_an_end(self):
        self.check("K = open() local d = open() d:close() os.exit(0)", 2, code=1)

    @harness.counted
    def test_not_opened(self):
        self.check("for i = 1, 3 do local d = e:connect('/nowhere/x') end", 3, code=3)

    @harness.counted
    def test_a_hook_runs(self):
        """Hooks are off while a finalizer runs, and while a hook does."""
        self.check("debug.sethook(function() end, 'l') local d = open() d:close() open() "
                   "debug.sethook() collectgarbage() collectgarbage()", 2, code=1, collector=1)

    @harness.needs("luajit")
    def test_ffi(self):
        run = self.trace(["luajit", "-e", "local f = require('ffi') f.cdef[["
                          "int sqlite3_open(const char *, void **); int sqlite3_close(void *);]] "
                          "local s = f.load('libsqlite3.so.0') local function open() "
                          "local p = f.new('void *[1]') s.sqlite3_open(':memory:', p) return p[0] end "
                          "for i = 1, 300 do s.sqlite3_close(open()) end "
                          "f.gc(open(), s.sqlite3_close) collectgarbage() collectgarbage() "
                          "K = f.gc(open(), s.sqlite3_close)"])
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(run.report()["totals"]["handle"]["closed_by"],
                         {"code": 300, "collector": 1, "end_of_runtime": 1})


if __name__ == "__main__":
    harness.main()
