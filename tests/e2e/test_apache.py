#!/usr/bin/python3
"""Apache httpd with mod_dbd, apr_dbd_sqlite3 and mod_authn_dbd under ab: acquires = requests served
= releases, whatever way it is stopped. The MPM is the first argument.

Each request asks the database for the user's password: one checkout each, as ab and the access log
count them, and as the independent counter sees them in libaprutil.
"""

import base64
import hashlib
import os
import re
import signal
import socket
import sqlite3
import sys
import time

import harness

MPM = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "event"
MODULES = "/usr/lib/apache2/modules"
DBD_MAX = 3
REQUESTS = 600

LIMITS = {
    "event": "StartServers 2\nServerLimit 2\nThreadsPerChild 6\nMaxRequestWorkers 12\n"
             "MinSpareThreads 1\nMaxSpareThreads 12",
    "worker": "StartServers 2\nServerLimit 2\nThreadsPerChild 6\nMaxRequestWorkers 12\n"
              "MinSpareThreads 1\nMaxSpareThreads 12",
    "prefork": "StartServers 4\nServerLimit 6\nMaxRequestWorkers 6\nMinSpareServers 2\n"
               "MaxSpareServers 6",
}

CONFIGURATION = """\
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
Mutex file:{folder} default
DefaultRuntimeDir {folder}
{user}
{modules}
ErrorLog {folder}/error.log
LogLevel warn
LogFormat "%>s %u" short
CustomLog {folder}/access.log short
KeepAlive Off
{limits}
GracefulShutdownTimeout 10
DBDriver sqlite3
DBDParams {folder}/users.db
DBDPersist On
DBDMin 1
DBDKeep 2
DBDMax {dbd_max}
DBDExptime 60
DocumentRoot {folder}/documents
<Directory {folder}/documents>
  AuthType Basic
  AuthName tests
  AuthBasicProvider dbd
  AuthDBDUserPWQuery "SELECT password FROM users WHERE name = %s"
  Require valid-user
</Directory>
"""


@harness.needs("apache2", "ab")
class Apache(harness.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("documents"))
        self.write("documents/page.txt", "a page\n")
        database = sqlite3.connect(self.path("users.db"))
        database.execute("create table users(name text primary key, password text)")
        digest = base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
        database.execute("insert into users values ('ann', ?)", ("{SHA}" + digest,))
        database.commit()
        database.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        names = [f"mpm_{MPM}", "authn_core", "authz_core", "authz_user", "auth_basic", "dbd",
                 "authn_dbd"]
        self.configuration = self.write("apache.conf", CONFIGURATION.format(
            folder=self.folder, port=self.port, limits=LIMITS[MPM], dbd_max=DBD_MAX,
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                              for name in names)))
        os.chmod(self.folder, 0o777)

    def serve(self, **arguments):
        """Starts Apache. Result: Live of `unclosed run`, and the process id of Apache."""
        live = self.start(["/usr/sbin/apache2", "-f", self.configuration, "-DFOREGROUND"],
                          **arguments)
        self.eventually(self.answers, "Apache answers", 30)
        self.eventually(lambda: os.path.exists(self.path("apache.pid")), "its pid file")
        with open(self.path("apache.pid"), encoding="ascii") as file:
            return live, int(file.read())

    def answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def load(self, requests=REQUESTS, user="ann:secret"):
        """Requests by ab. Result: how many were answered with the page."""
        run = self.run_plain(["ab", "-q", "-A", user, "-n", str(requests), "-c", "8",
                              f"http://127.0.0.1:{self.port}/page.txt"])
        self.assertEqual(run.status, 0, run.err)
        numbers = dict(re.findall(r"^(\w[\w -]*):\s+(\d+)", run.out, re.MULTILINE))
        self.assertEqual(numbers["Failed requests"], "0", run.out)
        return int(numbers["Complete requests"]) - int(numbers.get("Non-2xx responses", 0))

    def served(self):
        with open(self.path("access.log"), encoding="ascii") as file:
            return sum(line.startswith("200 ann") for line in file)

    def check(self, run, requests):
        """Checkouts = requests = the counter's; all came back; no pool above its size."""
        self.assertEqual(self.served(), requests)
        report = run.report()
        self.assert_totals(report, "checkout", opened=requests, released=requests, never_closed=0)
        pools = [pool for pool in report["pools"] if pool["kind"] == "apr_reslist"]
        self.assertEqual(sum(pool["acquires"] for pool in pools), requests)
        self.assertGreater(len(pools), 0)
        for pool in pools:
            self.assertLessEqual(pool["high_water"]["count"], DBD_MAX)
            self.assertEqual(pool["out"], 0)
        self.assertEqual(report["misuse"], [])
        if run.counts:
            self.assertEqual(run.counted("apr_reslist.acquire"), requests)
            self.assertEqual(run.counted("apr_reslist.release"), requests)
            self.assert_totals(report, opened=run.counted("sqlite3.acquire"),
                               released=run.counted("sqlite3.release"))
        return report

    def wait_for_end(self, live):
        run = live.wait(40)
        self.eventually(lambda: not self.answers(), "the end of all children")
        return run

    @harness.counted
    def test_graceful_stop(self):
        live, pid = self.serve(count=["apr_reslist", "sqlite3"])
        self.assertEqual(self.load(), REQUESTS)
        self.assertEqual(self.load(50, "ann:wrong"), 0)
        os.kill(pid, signal.SIGWINCH)
        run = self.wait_for_end(live)
        self.assertEqual(run.status, 0, run.err)
        report = self.checked_with_refused(run, 50)
        self.assert_totals(report, never_closed=0)
        self.assertGreater(run.counted("sqlite3.acquire"), 0)
        self.assertEqual(run.counted("sqlite3.acquire"), run.counted("sqlite3.release"))

    def checked_with_refused(self, run, refused):
        """A wrong password asks the database too."""
        with open(self.path("access.log"), encoding="ascii") as file:
            self.assertEqual(sum(line.startswith("401") for line in file), refused)
        report = run.report()
        requests = REQUESTS + refused
        self.assert_totals(report, "checkout", opened=requests, released=requests, never_closed=0)
        self.assertEqual(run.counted("apr_reslist.acquire"), requests)
        self.assertEqual(run.counted("apr_reslist.release"), requests)
        return report

    @harness.counted
    def test_graceful_restart(self):
        live, pid = self.serve(count=["apr_reslist", "sqlite3"])
        done = self.load()
        for _ in range(2):
            os.kill(pid, signal.SIGUSR1)
            time.sleep(0.5)
            done += self.load()
        os.kill(pid, signal.SIGTERM)
        run = self.wait_for_end(live)
        self.assertEqual(done, 3 * REQUESTS)
        self.check(run, done)

    def test_by_hand(self):
        live, pid = self.serve(how="preload")
        done = self.load()
        os.kill(pid, signal.SIGTERM)
        run = self.wait_for_end(live)
        self.assertEqual(run.status, 0)
        self.check(run, done)

    @harness.counted
    def test_killed(self):
        """SIGKILL to every process: what was open is reported, and belongs to the pools."""
        live, _ = self.serve(count=["apr_reslist", "sqlite3"])
        done = self.load()
        os.killpg(live.pid, signal.SIGKILL)
        run = self.wait_for_end(live)
        report = self.check(run, done)
        self.assertGreater(run.counted("sqlite3.acquire"), run.counted("sqlite3.release"))
        totals = report["totals"]["handle"]
        self.assertEqual((totals["never_closed"], totals["pooled"]), (0, totals["opened"]))


if __name__ == "__main__":
    harness.main()
