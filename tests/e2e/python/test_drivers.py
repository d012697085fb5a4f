#!/usr/bin/python3
"""Each driver and pool of driver_cells.py in each cell: how many, at which line, closed by whom.

Counted independently by the program (its sockets and files), and by the server's own list. Debian's
drivers; the newest ones of the package index where E2E_NEWEST names a Python that has them.
"""

import os
import subprocess
import unittest

import driver_cells
import servers
from python_harness import PYTHON, SOURCES, PythonTestCase, line_of, main, source

NEWEST = os.environ.get("E2E_NEWEST")


def ports_of(driver):
    try:
        return {name: servers.start(name) for name in driver.servers}
    except servers.Missing as missing:
        raise unittest.SkipTest(str(missing)) from missing


class Drivers(PythonTestCase):

    def check(self, driver, cell, python):
        if driver_cells.version(driver, python) is None:
            self.skipTest(f"{python} has no {driver.module}")
        ports = ports_of(driver)
        command = driver_cells.command(driver, cell, python, ports, SOURCES)
        run = self.assert_same_behaviour(command, pools=driver.pools)
        report = run.report("-n", "0")
        path = source(driver.program)
        expected = {(driver.program, line_of(path, driver_cells.marker(cell))):
                    driver_cells.COUNT}
        found = driver_cells.places(report, driver.kind)
        found.pop((driver.program, line_of(path, "exhausted")), None)
        self.assertEqual(found, expected)
        self.assertEqual(driver_cells.answer(report, driver.kind),
                         {driver.answers[cell]: driver_cells.COUNT})
        closed = driver.answers[cell] in driver_cells.CLOSED
        self.assert_totals(report, driver.kind, never_closed=0 if closed else driver_cells.COUNT)
        self.assertEqual(driver_cells.other_leaks(report, driver.kind), {})
        if cell == "exception":
            self.assertEqual(driver_cells.exceptions(report, driver.kind), driver_cells.COUNT)
        if cell == "exhausted":
            self.assertEqual(driver_cells.pool_numbers(report, driver),
                             (driver_cells.COUNT, driver_cells.COUNT, 1))
        self.assertEqual(report["misuse"], [])
        self.check_own_count(run, cell, driver)

    def check_own_count(self, run, cell, driver):
        """What the program counts: it has open what was not closed by then."""
        if cell == "killed":
            self.assertEqual(run.status, 128 + 9 if run.status > 0 else -9)
        elif driver.kind == "handle":
            still = cell in ("kept", "closed_at_exit")
            self.assertEqual(run.sum("open") - run.sum("before"), driver_cells.COUNT * still)


def add_tests():
    for driver in driver_cells.DRIVERS:
        for cell in driver.answers:
            for python, suffix in ((PYTHON, ""), (NEWEST, "_newest")):
                if python:
                    setattr(Drivers, f"test_{driver.name}_{cell}{suffix}",
                            lambda self, d=driver, c=cell, p=python: self.check(d, c, p))


class Newest(PythonTestCase):
    @unittest.skipUnless(NEWEST, "no drivers of the package index: E2E_NEWEST names no Python")
    def test_has_drivers(self):
        found = [driver.name for driver in driver_cells.DRIVERS
                 if driver_cells.version(driver, NEWEST) is not None]
        self.assertIn("psycopg", found)


class Refused(PythonTestCase):
    """A server that is not there: nothing was opened."""

    def check(self, module, call):
        if self.run_plain([PYTHON, "-c", f"import {module}"]).status != 0:
            self.skipTest(f"no {module}")
        program = self.write("refused.py", f"import {module}\nfor _ in range(3):\n    try:\n"
                             f"        {call}\n    except Exception:\n        print('refused')\n")
        run = self.trace([PYTHON, program])
        self.assertEqual(run.out.count("refused"), 3)
        report = run.report()
        self.assert_totals(report, opened=0, never_closed=0, failed=3)

    def test_oracledb(self):
        self.check("oracledb", f"oracledb.connect(user='u', password='p', "
                               f"dsn='127.0.0.1:{servers.free_port()}/x')")

    def test_pymysql(self):
        self.check("pymysql", f"pymysql.connect(host='127.0.0.1', port={servers.free_port()})")

    def test_psycopg2(self):
        """libpq gives an object all the same, which the driver frees."""
        self.check("psycopg2", f"psycopg2.connect(host='127.0.0.1', port={servers.free_port()})")

    def test_psycopg(self):
        self.check("psycopg", f"psycopg.connect('host=127.0.0.1 port={servers.free_port()}')")

    def test_mysqldb(self):
        """So does libmariadb."""
        self.check("MySQLdb", f"MySQLdb.connect(host='127.0.0.1', port={servers.free_port()})")

    def test_pg8000(self):
        self.check("pg8000", f"pg8000.connect('u', host='127.0.0.1', port={servers.free_port()})")


class ServersOwnList(PythonTestCase):
    """What is never closed is what the server still lists."""

    def client_count(self, command):
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return int(result.stdout.strip())

    def check(self, name, count):
        driver = next(driver for driver in driver_cells.DRIVERS if driver.name == name)
        if driver_cells.version(driver, PYTHON) is None:
            self.skipTest(f"no {driver.module}")
        ports = ports_of(driver)
        before = count(ports)
        go_on = self.path("go-on")
        command = driver_cells.command(driver, "kept", PYTHON, ports, SOURCES)
        live = self.start([*command, "until=" + go_on])
        self.eventually(lambda: "open=" in live.text("out"), "all are open")
        listed = count(ports) - before
        with open(go_on, "w", encoding="ascii"):
            pass
        report = live.wait().report()
        self.assertEqual(listed, driver_cells.COUNT)
        self.assert_totals(report, driver.kind, opened=listed, never_closed=listed)

    def postgres(self, ports):
        return self.client_count(
            [servers.POSTGRES[-1] + "/psql", "-h", "127.0.0.1", "-p", str(ports["postgres"]), "-U",
             "postgres", "-Atc", "select count(*) from pg_stat_activity "
             "where backend_type = 'client backend' and pid <> pg_backend_pid()"])

    def mysql(self, ports):
        return self.client_count(
            ["mariadb", "-h127.0.0.1", f"-P{ports['mysql']}", "-ut", "-pt", "-BNe",
             "select count(*) from information_schema.processlist "
             "where user = 't' and id <> connection_id()"])

    def test_psycopg2(self):
        self.check("psycopg2", self.postgres)

    def test_pyodbc(self):
        self.check("pyodbc", self.postgres)

    def test_mysqlclient(self):
        self.check("mysqlclient", self.mysql)


add_tests()

if __name__ == "__main__":
    main()
