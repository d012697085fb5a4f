#!/usr/bin/python3
"""Debian's own programs and interpreters: handles counted exactly, nothing else changed.

Each counts against the independent counter; python3 and perl are the RTLD_NEXT trap, php the
DEEPBIND trap, ctypes reaches SQLite by dlsym.
"""

import harness

PYTHON = "/usr/bin/python3"


@harness.counted
class Languages(harness.TestCase):
    def check(self, command, opened, never_closed=None, count=("sqlite3",), **arguments):
        """Same behaviour, `opened` handles, and all counts as the independent counter has them."""
        run = self.assert_same_behaviour(command, count=list(count), **arguments)
        self.assertEqual(run.counted("sqlite3.acquire"), opened)
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual(totals["opened"], opened)
        # The counter knows only whether SQLite closed it; that the program did not do so itself,
        # but its interpreter at the end, only we know.
        closed = totals["released"] + totals["reclaimed"] + totals["closed_by"].get("unknown", 0)
        self.assertEqual(closed, run.counted("sqlite3.release"))
        if never_closed is not None:
            self.assertEqual(totals["never_closed"], never_closed)
        self.assertEqual(report["misuse"], [])
        return report

    @harness.needs("sqlite3")
    def test_sqlite3_command(self):
        self.check(["sqlite3", ":memory:", "select 40 + 2"], 1, 0)
        self.check(["sqlite3", "a.db", "create table t(x); insert into t values (1);"
                    "select * from t; drop table t"], 1, 0)

    @harness.needs("sqlite3")
    def test_sqlite3_session(self):
        """An interactive session: other files opened, attached and backed up, and an error."""
        script = (".open one.db\ncreate table if not exists t(x);\n.open two.db\n"
                  "attach 'one.db' as one;\nselect count(*) from one.t;\n"
                  ".backup three.db\nselect * from nowhere;\n.open :memory:\nselect 7;\n.quit\n")
        self.check(["sqlite3"], 4, stdin=script)

    @harness.needs("python3")
    def test_python(self):
        script = self.write("script.py", """\
import sqlite3
for i in range(20):
    connection = sqlite3.connect(":memory:")
    connection.execute("select 1").fetchall()
    connection.close()
leaked = [sqlite3.connect(":memory:") for i in range(5)]  # site: list
def fails():
    connection = sqlite3.connect(":memory:")
    raise ValueError
for i in range(3):
    try:
        fails()
    except ValueError:
        pass
try:
    sqlite3.connect("/nowhere/at/all.db")
except sqlite3.OperationalError as error:
    print(error)
print(sqlite3.connect(":memory:").execute("select sqlite_version() is not null").fetchall())
""")
        self.check([PYTHON, script], 30)

    @harness.needs("python3")
    def test_python_threads_and_forks(self):
        script = self.write("script.py", """\
import os, sqlite3, threading
def work():
    for i in range(50):
        with_it = sqlite3.connect(":memory:", check_same_thread=False)
        with_it.close()
threads = [threading.Thread(target=work) for i in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
for i in range(3):
    if os.fork() == 0:
        kept = sqlite3.connect(":memory:")
        os._exit(0)
    os.wait()
""")
        report = self.check([PYTHON, script], 303)
        self.assertEqual(len(report["processes"]), 4)

    @harness.needs("python3")
    def test_python_multiprocessing(self):
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method=method):
                script = self.write(f"script_{method}.py", f"""\
import multiprocessing, sqlite3
def work(n):
    connection = sqlite3.connect(":memory:")
    result = connection.execute("select ? * 2", (n,)).fetchone()[0]
    connection.close()
    return result
if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, range(20)))
        pool.close()
        pool.join()
""")
                self.check([PYTHON, script], 20, 0)

    @harness.needs("python3")
    def test_python_error_exit(self):
        script = self.write("script.py", """\
import sqlite3, sys
kept = sqlite3.connect(":memory:")
sys.exit(3)
""")
        self.check([PYTHON, script], 1)

    @harness.needs("python3")
    def test_ctypes(self):
        script = self.write("script.py", """\
import ctypes
library = ctypes.CDLL("libsqlite3.so.0")
handles = []
for i in range(12):
    handle = ctypes.c_void_p()
    assert library.sqlite3_open(b":memory:", ctypes.byref(handle)) == 0
    handles.append(handle)
for handle in handles[:9]:
    assert library.sqlite3_close(handle) == 0
print(ctypes.CDLL("libsqlite3.so.0").sqlite3_libversion_number() > 3000000)
""")
        self.check([PYTHON, script], 12, 3)

    @harness.needs("perl")
    def test_perl(self):
        script = self.write("script.pl", """\
use strict; use warnings; use DBI;
for my $i (1 .. 20) {
    my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", "", {RaiseError => 1});
    $db->do("create table t(x)");
    $db->disconnect;
}
our @leaked;
for my $i (1 .. 4) {
    push @leaked, DBI->connect("dbi:SQLite:dbname=leak$i.db", "", "", {RaiseError => 1});
}
my $bad = eval { DBI->connect("dbi:SQLite:dbname=/nowhere/at/all.db", "", "",
                              {RaiseError => 1, PrintError => 0}) };
print defined $bad ? "opened\\n" : "refused\\n";
print scalar(@leaked), "\\n";
""")
        self.check(["perl", script], 25)

    @harness.needs("perl")
    def test_perl_leaves_without_closing(self):
        script = self.write("script.pl", """\
use strict; use warnings; use DBI; use POSIX;
our @leaked = map { DBI->connect("dbi:SQLite:dbname=leak$_.db", "", "") } 1 .. 4;
POSIX::_exit(2);
""")
        report = self.check(["perl", script], 4, 4)
        self.assertEqual({site["database"].rsplit("/", 1)[-1] for site in report["sites"]}
                         - {f"leak{i}.db" for i in range(1, 5)}, set())

    @harness.needs("php")
    def test_php(self):
        script = self.write("script.php", """\
<?php
for ($i = 0; $i < 100; $i++) { $db = new SQLite3(':memory:'); $db->close(); }
for ($i = 0; $i < 100; $i++) { $db = new SQLite3(':memory:'); }
$held = [];
for ($i = 0; $i < 20; $i++) { $held[] = new SQLite3(':memory:'); }
for ($i = 0; $i < 10; $i++) { $pdo = new PDO('sqlite::memory:'); $pdo->query('select 1')->fetch(); }
try { new SQLite3('/nowhere/at/all.db'); } catch (Exception $e) { echo get_class($e), "\\n"; }
echo count($held), "\\n";
""")
        self.check(["php", script], 231)

    @harness.needs("php")
    def test_php_killed(self):
        script = self.write("script.php", """\
<?php
$held = [];
for ($i = 0; $i < 7; $i++) { $held[] = new SQLite3(':memory:'); }
$held[0]->close();
posix_kill(posix_getpid(), 9);
""")
        self.check(["php", script], 7, 6)

    @harness.needs("ruby")
    def test_ruby(self):
        script = self.write("script.rb", """\
require 'sqlite3'
20.times { SQLite3::Database.new(':memory:') { |db| db.execute('select 1') } }
held = (1..5).map { SQLite3::Database.new(':memory:') }
begin
  SQLite3::Database.new('/nowhere/at/all.db')
rescue SQLite3::CantOpenException => error
  puts error.class
end
pid = fork { SQLite3::Database.new(':memory:').close; exit!(0) }
Process.wait(pid)
threads = (1..4).map { Thread.new { 10.times { SQLite3::Database.new(':memory:').close } } }
threads.each(&:join)
puts held.size
""")
        self.check(["ruby", script], 67)


if __name__ == "__main__":
    harness.main()
