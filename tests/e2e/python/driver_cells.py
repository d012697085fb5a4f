"""What becomes of three sessions of a Python driver or pool, and who closed them: the right answers.

A driver's program (tests/programs/python) opens COUNT sessions at the line that is marked with the
cell's name, in the way that the name says, and prints what it counts itself. A cell's answer is
`closed_by` of the report, with "open" for what was still out when the process ended.
Read by test_drivers.py and by scripts/driver-matrix.
"""

import collections
import json
import os
import subprocess

COUNT = 3

CELLS = {
    "kept": "kept in a global until the end",
    "dropped": "dropped",
    "cycle": "dropped in a cycle, then a collection",
    "closed": "closed or given back",
    "closed_at_exit": "closed by code that runs at exit",
    "exception": "an exception before close()",
    "thread": "in a thread that ended",
    "killed": "kill -9",
    "exhausted": "one more than the pool has",
}

CLOSED = ("code", "code_at_exit")  # by the code

HANDLE = {"kept": "end_of_runtime", "dropped": "reclaimed", "cycle": "reclaimed", "closed": "code",
          "closed_at_exit": "code", "exception": "reclaimed", "thread": "reclaimed",
          "killed": "open"}

# Checkouts of a pool, by what becomes of one that is dropped: the pool refers to it, so that it
# stays out until the end; its place is lost; it comes back.
POOL = {"closed": "code", "closed_at_exit": "code", "kept": "end_of_runtime", "killed": "open",
        "exhausted": "code"}
DROPS = ("dropped", "cycle", "exception", "thread")
REFERRING = {**POOL, **dict.fromkeys(DROPS, "end_of_runtime")}
LOSING = {**POOL, **dict.fromkeys(DROPS, "lost")}
RETURNING = {**POOL, **dict.fromkeys(DROPS, "reclaimed")}

# module: what has to be there for it. servers: of servers.py. answers: {cell: who}. pool: its kind
# in the report. pools: values of --pool.
Driver = collections.namedtuple(
    "Driver", "name module servers kind answers pool program pools",
    defaults=(None, "drivers.py", ()))


def driver(name, module, *servers):
    return Driver(name, module, servers, "handle", HANDLE)


def pool(name, module, server, answers, kind):
    return Driver(name, module, (server,), "checkout", answers, kind)


DRIVERS = [
    driver("psycopg2", "psycopg2", "postgres"),
    driver("psycopg", "psycopg", "postgres"),
    driver("pg8000", "pg8000", "postgres"),
    driver("pyodbc", "pyodbc", "postgres"),
    driver("mysqlclient", "MySQLdb", "mysql"),
    driver("pymysql", "pymysql", "mysql"),
    driver("mysql_connector", "mysql.connector", "mysql"),
    driver("apsw", "apsw"),
    driver("sqlite3", "sqlite3"),
    driver("duckdb", "duckdb"),
    driver("undescribed", "os"),  # notedb.py beside the program
    driver("undescribed_class", "os"),
    pool("psycopg2_pool", "psycopg2.pool", "postgres", REFERRING, "psycopg2.pool"),
    pool("psycopg_pool", "psycopg_pool", "postgres", LOSING, "psycopg_pool"),
    pool("psycopg_null_pool", "psycopg_pool", "postgres", LOSING, "psycopg_pool"),
    pool("mysql_connector_pool", "mysql.connector.pooling", "mysql", LOSING,
         "mysql.connector.pooling"),
    pool("dbutils", "dbutils.pooled_db", "mysql", RETURNING, "dbutils"),
    pool("peewee_pool", "playhouse.pool", "mysql", REFERRING, "peewee"),
    pool("redis_pool", "redis", "redis", REFERRING, "redis"),
    Driver("guessed_pool", "os", (), "checkout", REFERRING, "notedb+guessed",
           pools=("guess:notedb",)),
]


def marker(cell):
    """The mark of the line where the cell's sessions are opened."""
    return "kept" if cell in ("exhausted", "killed") else cell


def command(driver, cell, python, ports, sources):
    return [python, os.path.join(sources, "python", driver.program), driver.name, cell,
            *(f"{name}={ports[name]}" for name in driver.servers)]


def version(driver, python):
    """The driver's version there, "" if that does not say, or None if it is not there."""
    code = (f"import importlib, importlib.metadata as d; name = {driver.module!r}; "
            "importlib.import_module(name); "
            "found = getattr(d, 'packages_distributions', dict)().get(name.split('.')[0], ()); "
            "print(d.version(found[0]) if found else '')")
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False,
                            timeout=60)
    return result.stdout.strip() if result.returncode == 0 else None


def answer(report, kind):
    """{who: count} of the sessions of a kind in a report."""
    totals = report["totals"][kind]
    who = {name: number for name, number in totals["closed_by"].items() if number}
    lost = totals.get("lost_to_pool", 0)
    for name, number in (("lost", lost), ("open", totals["live"] - lost)):
        if number:
            who[name] = number
    return who


def places(report, kind):
    """Where they were opened: {(file, line): opened}."""
    return {(os.path.basename(site.get("file") or site.get("module") or ""), site.get("line")):
            site["opened"] for site in report["sites"] if site["kind"] == kind}


def other_leaks(report, kind):
    """What leaked besides, as something else: there must be nothing."""
    return {name: totals["never_closed"] for name, totals in report["totals"].items()
            if name not in (kind, "statement") and totals["never_closed"] > 0}


def pool_numbers(report, driver):
    """Size, high-water mark and refused acquires of the driver's pool. A guess knows no size."""
    for pool in report["pools"]:
        if pool["kind"] == driver.pool:
            size = COUNT if driver.pools else pool.get("size")
            return size, pool["high_water"]["count"], pool["failed"]
    return None


def exceptions(report, kind):
    """Sessions of which the report says that an exception left them."""
    return sum(site.get("exceptions", 0) for site in report["sites"] if site["kind"] == kind)


def read_report(cli, folder):
    result = subprocess.run([cli, "report", "--format", "json", "-n", "0", folder],
                            capture_output=True, text=True, check=True, timeout=60)
    return json.loads(result.stdout)
