#!/usr/bin/python3
"""No secret that a program has in its command line, connection strings, URIs, variables or SQL is in
the trace or in anything that is made of it. Looked for in the bytes, and checked to be there without
redaction where there is a way to ask for that."""

import json
import shlex
import subprocess

import harness

PYTHON = "/usr/bin/python3"

CONNECT = [  # to a function that a spec describes: acquire open_it(database) -> handle
    "postgresql://u:{}@h/db", "postgresql://u:{}?x@h/db", "postgresql://u:x#{}@h/db",
    "postgresql://u:x/{}@h/db", "postgresql://h/db?user=u&password={}",
    "postgresql://h/db?pass%77ord={}", "postgresql://h/db?sslpassword={}&sslmode=x",
    "postgresql://u:{} x@h/db", "mysql://u:p@ss@{}@h/db", "mysql://u:x@h1,u2:{}@h2/db",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3D{}%3B", "redis://:{}@h/0",
    "mongodb://u:x@h/?authMechanismProperties=AWS_SESSION_TOKEN:{}",
    "jdbc:oracle:thin:scott/{}@h:1521/x", "jdbc:mysql://h/db?user=u&password={}",
    "sqlserver://h;user=u;password={{a}}}}{}}}", "libsql://h?authToken={}", "scott/{}@h",
    "user:{}@host/db", "//u:{}@h", "http:/\\u:{}@h", "host=h password={} user=u",
    "host=h password='{} x\\' y' user=u", "host=h password='x\\' {}' user=u",
    "host=h password = 'it {}' user=u", "host=h password=x\\ {} user=u",
    "host=h password=''{}", "Driver={{x}};UID=u;PWD={{a}}}};{}=}};Server=h",
    "host=h;access_token={}", "host=h;secret={}", "host=h authtoken={}", "host=h PASSWORD={};x",
    "passphrase={}", "password=a;{} b=c", 'password="a""{}"', "password={{{}",
    "host=h oauth_client_secret={} x=y", "PGPASSWORD={}", "db_password={}", "password:{}",
    "user=u&pass=a&{}=1", "host=u:{}@h",
]
URIS = ["file:x{n}?key={}&mode=memory", "file:x{n}?mode=memory&hexkey={}",
        "file:x{n}?textkey={}&mode=memory", "file:x{n}?mode=memory&cipher=x&hexrekey={}",
        "file:x{n}?mode=memory&passphrase={}"]
SQL = ["select '{}' as a", "select 1 as \"x\", '{}' as password", "select 1 -- {}",
       "select /* {} */ 1", "select 'PRAGMA key = ''{}'''", "select \"{}\" as a, 'b'"]
ARGUMENTS = ["--password {}", "--token={}", "postgres://u:{}@h/d", "--dsn 'host=h password={}'",
             "-u u:{}", "PGPASSWORD={}", "scott/{}@h", "--api-key {}", "--x '{} y'"]

PROGRAM = """
import ctypes, json, os, sqlite3, sys
with open(sys.argv[1], encoding="ascii") as file:
    wanted = json.load(file)
pool = ctypes.CDLL(wanted["library"])
pool.open_it.restype = ctypes.c_void_p
kept = []
for text in wanted["connect"]:
    kept.append(pool.open_it(text.encode()))
for uri in wanted["uris"]:
    kept.append(sqlite3.connect(uri, uri=True))
library = ctypes.CDLL("libsqlite3.so.0")
for sql in wanted["sql"]:
    db, statement = ctypes.c_void_p(), ctypes.c_void_p()
    library.sqlite3_open(b":memory:", ctypes.byref(db))
    assert library.sqlite3_prepare_v2(db, sql.encode(), -1, ctypes.byref(statement), None) == 0, sql
    assert library.sqlite3_close(db) == 5  # SQLITE_BUSY: the statement is written down
os._exit(0)
"""

LIBRARY = """
#include <stdlib.h>
void *open_it(const char *database) { return malloc(*database ? 1 : 2); }
"""


class Secrets(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.secrets = []

    def fill(self, forms):
        """The texts, each with a secret of its own in it."""
        texts = []
        for form in forms:
            self.secrets.append(f"SECRET{len(self.secrets):03d}x")
            texts.append(form.format(self.secrets[-1], n=len(self.secrets)))
        return texts

    def run_it(self, *options):
        source = self.write("pool.c", LIBRARY)
        library = self.path("libpool.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        wanted = {"library": library, "connect": self.fill(CONNECT), "uris": self.fill(URIS),
                  "sql": self.fill(SQL)}
        arguments = shlex.split(" ".join(self.fill(ARGUMENTS)))
        listed = self.write("wanted.json", json.dumps(wanted))
        script = self.write("program.py", PROGRAM)
        run = self.trace([PYTHON, script, listed, *arguments], options=options,
                         pools=["acquire open_it(database) -> handle; release free(handle)"])
        self.assertEqual(run.status, 0, run.err)
        return run

    def found(self, data):
        return {secret for secret in self.secrets if secret.encode() in data}

    def test_nothing_is_written_down(self):
        run = self.run_it()
        self.assertGreaterEqual(len(self.secrets), 60)
        with open(run.traces[0], "rb") as file:
            self.assertEqual(self.found(file.read()), set(), "in the trace")
        self.assertEqual(self.found(run.err.encode()), set(), "in the report of the run")
        for command in (["report"], ["report", "--frames", "-n", "0"], ["report", "--format", "json"],
                        ["held"], ["held", "--format", "json"], ["top", "--once"]):
            result = self.unclosed(*command, run.traces[0])
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.found((result.stdout + result.stderr).encode()), set(), command)
        # They were there to be found: each was opened, and is named by what is left of it.
        report = run.report()
        self.assertEqual(sum(totals["opened"] for totals in report["totals"].values()),
                         len(URIS) + len(SQL) + len(CONNECT))
        text = str(report)
        for left in ("postgresql://u:***@h/db", "host=h password=*** user=u", "?key=***",
                     "select ?", "--token=***"):
            self.assertIn(left, text)

    def test_preloaded_by_hand(self):
        """The recorder's own words: its summary."""
        run = self.run_it()
        env = {"LD_PRELOAD": harness.LIBRARY, "UNCLOSED_OUTPUT": self.path("hand.trace"),
               "UNCLOSED_POOLS": "acquire open_it(database) -> handle; release free(handle)"}
        result = subprocess.run(
            ["/usr/bin/env", *(f"{k}={v}" for k, v in env.items()), PYTHON,
             self.path("program.py"), self.path("wanted.json")],
            env=self.environment(), capture_output=True, check=True, timeout=60)
        self.assertIn(b"SUMMARY", result.stderr)
        self.assertEqual(self.found(result.stderr), set())
        self.assertEqual(run.status, 0)

    def test_checker_finds(self):
        """With --sql=full, what was asked for is there: the test would see what is not redacted."""
        run = self.run_it("--sql=full")
        with open(run.traces[0], "rb") as file:
            self.assertEqual(len(self.found(file.read())), 4)


if __name__ == "__main__":
    harness.main()
