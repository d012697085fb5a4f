#!/usr/bin/python3
"""Test runners: --group-by test says which test leaked, by its name or, where each test is a process
of its own, by that process."""

import os
import re
import unittest

from python_harness import PYTHON, PythonTestCase, main, needs

PROGRAM = r'''
#include <sqlite3.h>
#include <string.h>

int main(int argc, char **argv)
{
    sqlite3 *database;
    sqlite3_open(":memory:", &database);
    if (argc > 1 && strcmp(argv[1], "leak") == 0)
        return 0;
    sqlite3_close(database);
    return 0;
}
'''
MESON = '''
project('orders', 'c')
e = executable('orders', 'orders.c', dependencies: dependency('sqlite3'))
test('saves orders', e, args: 'leak')
test('lists orders', e, args: 'right')
test('exports', e, args: ['leak', 'twice'])
'''
CMAKE = '''
cmake_minimum_required(VERSION 3.10)
project(orders C)
add_executable(orders orders.c)
target_link_libraries(orders sqlite3)
enable_testing()
add_test(NAME saves_orders COMMAND orders leak)
add_test(NAME lists_orders COMMAND orders right)
add_test(NAME exports COMMAND orders leak twice)
'''
UNITTEST = '''
import sqlite3
import unittest


class Orders(unittest.TestCase):
    def setUp(self):
        if self.id().endswith("listed"):
            self.log = sqlite3.connect(":memory:")  # site: setUp

    def test_saved(self):
        self.connection = sqlite3.connect(":memory:")  # site: saved

    def test_listed(self):
        sqlite3.connect(":memory:").close()

    def test_exported(self):
        with self.subTest(number=1):
            self.connection = connect()


def connect():
    return sqlite3.connect(":memory:")
'''


class Runners(PythonTestCase):

    def groups(self, run):
        """{name: never closed} of the text report."""
        result = self.unclosed("report", "--group-by", "test", "-n", "0", run.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {name: int(count) for name, count in re.findall(
            r"^\d+\. (.+)\n +(\d+)(?: of \d+)? never closed", result.stdout, re.M)}

    @needs("meson", "ninja", "gcc")
    def test_meson(self):
        self.write("orders.c", PROGRAM)
        self.write("meson.build", MESON)
        self.assertEqual(self.run_plain(["meson", "setup", "build"]).status, 0)
        self.assertEqual(self.run_plain(["ninja", "-C", "build"]).status, 0)
        run = self.trace(["meson", "test", "-C", "build"], timeout=120)
        self.assertEqual(run.status, 0, run.out + run.err)
        self.assertEqual(self.groups(run), {"orders leak": 1, "orders leak twice": 1})

    @needs("cmake", "ctest", "make", "gcc")
    def test_ctest(self):
        self.write("orders.c", PROGRAM)
        self.write("CMakeLists.txt", CMAKE)
        self.assertEqual(self.run_plain(["cmake", "-S", ".", "-B", "build"]).status, 0)
        self.assertEqual(self.run_plain(["make", "-C", "build"]).status, 0)
        run = self.trace(["ctest"], cwd=self.path("build"), timeout=120)
        self.assertEqual(run.status, 0, run.out + run.err)
        self.assertEqual(self.groups(run), {"orders leak": 1, "orders leak twice": 1})

    def test_unittest(self):
        self.write("test_orders.py", UNITTEST)
        run = self.trace([PYTHON, "-m", "unittest", "test_orders"])
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(self.groups(run), {"test_orders.Orders.setUp": 1,
                                            "test_orders.Orders.test_saved": 1,
                                            "test_orders.Orders.test_exported": 1})

    def test_error_exitcode(self):
        """A leak fails the run that would have been good."""
        self.write("test_orders.py", UNITTEST)
        run = self.trace([PYTHON, "-m", "unittest", "test_orders"],
                         options=["--error-exitcode", "9"])
        self.assertEqual(run.status, 9)
        self.assertTrue(os.path.exists(self.path("test_orders.py")))


if __name__ == "__main__":
    main()
