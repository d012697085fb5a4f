"""Interpreters that run already: what they open and close while attached is counted exactly.

Each program does as many as the line it reads says, and answers. Before the attach it has done some
already (early) or has not loaded SQLite yet (late).
"""

import time
import os
import shutil
import subprocess
import textwrap
import unittest

import harness

PYTHON = "/usr/bin/python3"
LOOP = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    work(int(line))
    print("done", flush=True)
"""
PYTHON_WORK = """
def work(number):
    import sqlite3
    for i in range(number):
        connection = sqlite3.connect(":memory:")
        connection.execute("select 1").fetchone()
        connection.close()
    kept.append(sqlite3.connect(":memory:"))
kept = []
"""
CTYPES_WORK = """
def work(number):
    for i in range(number + 1):
        handle = ctypes.c_void_p()
        assert library().sqlite3_open(b":memory:", ctypes.byref(handle)) == 0
        if i < number:
            assert library().sqlite3_close(handle) == 0
"""
CTYPES_EARLY = """
import ctypes
loaded = ctypes.CDLL("libsqlite3.so.0")
loaded.sqlite3_open, loaded.sqlite3_close
library = lambda: loaded
""" + CTYPES_WORK
CTYPES_LATE = """
import ctypes
library = lambda: ctypes.CDLL("libsqlite3.so.0")
""" + CTYPES_WORK
PERL = """
use DBI; $| = 1; print "ready\\n"; my @kept;
while (my $number = <STDIN>) {
    for (1 .. $number) {
        my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", "", {RaiseError => 1});
        $db->do("select 1");
        $db->disconnect;
    }
    push @kept, DBI->connect("dbi:SQLite:dbname=:memory:", "", "", {RaiseError => 1});
    print "done\\n";
}
"""
PHP = """
<?php
$kept = [];
echo "ready\\n";
while (($line = fgets(STDIN)) !== false) {
    for ($i = 0; $i < (int) $line; $i++) {
        $db = new SQLite3(':memory:');
        $db->querySingle('select 1');
        $db->close();
    }
    $kept[] = new SQLite3(':memory:');
    echo "done\\n";
}
"""
RUBY = """
$stdout.sync = true
require 'sqlite3' if ARGV[0] == 'early'
kept = []
puts 'ready'
while line = $stdin.gets
  require 'sqlite3'
  line.to_i.times do
    db = SQLite3::Database.new(':memory:')
    db.execute('select 1')
    db.close
  end
  kept << SQLite3::Database.new(':memory:')
  puts 'done'
end
"""


class Languages(harness.AttachTest):
    def program(self, interpreter, text, *arguments):
        if not shutil.which(interpreter):
            self.skipTest(f"{interpreter} is not installed")
        path = os.path.join(self.folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text).lstrip())
        return self.start(shutil.which(interpreter), path, *arguments, stdin=subprocess.PIPE)

    def work(self, process, number):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if line != "done\n":
            self.skipTest(f"cannot open databases here: {line}{process.stdout.read()}")

    def recorded(self, process, number, name):
        """What the trace of an attach says of `number` opens and closes, and one open, in it."""
        self.cli("attach", process.pid, "-o", name)
        self.work(process, number)
        time.sleep(1.5) # what is open still is not under way
        self.cli("detach", process.pid)
        self.assert_clean(process.pid)
        report = self.report(name)
        self.assertFalse(report["processes"][0].get("lost"), report["processes"])
        return report

    def check(self, interpreter, text, *arguments, early=True):
        process = self.program(interpreter, text, *arguments)
        if early:
            self.work(process, 3)
        for number in (40, 25): # the second time in what was detached from
            report = self.recorded(process, number, f"trace.{number}")
            totals = report["totals"]["handle"]
            # Of Ruby and Lua it is not known who closes.
            closed = totals["released"] + totals["closed_by"].get("unknown", 0)
            self.assertEqual((number + 1, number, 1), (totals["opened"], closed,
                                                       totals["never_closed"]))
            self.work(process, 5)
        process.stdin.close()
        self.assertEqual(0, process.wait(harness.TIMEOUT))

    def test_python_early(self):
        self.check(PYTHON, "import sqlite3\n" + PYTHON_WORK + LOOP)

    def test_python_late(self):
        """sqlite3 is imported after the attach."""
        self.check(PYTHON, PYTHON_WORK + LOOP, early=False)

    def test_ctypes_after(self):
        self.check(PYTHON, CTYPES_LATE + LOOP, early=False)

    def test_ctypes_before(self):
        """Addresses got before the attach are called as they are: not seen, and said so."""
        process = self.program(PYTHON, CTYPES_EARLY + LOOP)
        self.work(process, 3)
        report = self.recorded(process, 20, "missed")
        self.assertEqual(0, report["totals"].get("handle", {}).get("opened", 0))
        self.assertIn("sqlite3_open", report["unseen"])
        text = " ".join(self.cli("report", "missed").stdout.split())
        self.assertIn("obtained before the attach are not traced", text)
        self.work(process, 5)

    def test_perl(self):
        self.check("perl", PERL)

    def test_perl_late(self):
        self.check("perl", PERL, early=False)

    def test_php(self):
        self.check("php", PHP)

    def test_php_late(self):
        self.check("php", PHP, early=False)

    def test_ruby(self):
        self.check("ruby", RUBY, "early")

    def test_ruby_late(self):
        self.check("ruby", RUBY, "late", early=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
