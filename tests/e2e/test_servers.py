#!/usr/bin/python3
"""Servers of interpreters: gunicorn with its kinds of workers, and PHP's own; reloads, killed
workers."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request

import harness

APPLICATION = """\
import os, sqlite3
kept = []
def application(environ, start):
    connection = sqlite3.connect("shop.db", timeout=10, check_same_thread=False)
    connection.execute("create table if not exists t(x)")
    if environ["PATH_INFO"] == "/leak":
        kept.append(connection)  # site: leak
    elif environ["PATH_INFO"] == "/fork":
        if os.fork() == 0:
            other = sqlite3.connect(":memory:")
            os._exit(0)
        os.wait()
        connection.close()
    else:
        connection.close()
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Servers(harness.TestCase):
    def setUp(self):
        super().setUp()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def get(self, path="/"):
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read()

    def answers(self):
        try:
            self.get("/ready")
            return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def check(self, run, never_closed_at_least=0):
        report = run.report()
        opened, closed = run.counted("sqlite3.acquire"), run.counted("sqlite3.release")
        self.assert_totals(report, opened=opened)
        totals = report["totals"]["handle"]
        # What a runtime keeps for whoever asks next is closed at its end, and no leak.
        self.assertEqual(totals["released"] + totals["reclaimed"] + totals["pooled"], closed)
        self.assertGreaterEqual(totals["never_closed"], never_closed_at_least)
        self.assertEqual(report["misuse"], [])
        for trace in run.traces:
            single = self.report(trace)
            pid = single["processes"][0]["pid"]
            self.assert_totals(single, opened=run.counts.of(pid, "sqlite3.acquire"))
        return report

    def gunicorn(self, *options):
        self.write("app.py", APPLICATION)
        live = self.start(["gunicorn", "-b", f"127.0.0.1:{self.port}", "-w", "2",
                           "--pid", self.path("pid"), "--graceful-timeout", "5", *options, "app"],
                          count=["sqlite3"])
        self.eventually(self.answers, "gunicorn answers")
        with open(self.path("pid"), encoding="ascii") as file:
            return live, int(file.read())

    def check_gunicorn(self, *options):
        live, pid = self.gunicorn(*options)
        for path in ["/"] * 20 + ["/leak"] * 5 + ["/fork"] * 2:
            self.get(path)
        time.sleep(2)  # as below
        os.kill(pid, signal.SIGHUP)  # new workers
        time.sleep(1)
        # Leaks first: a worker may be killed, and gets no verdict on what is not four times as old as
        # what was closed, which a busy machine makes long.
        for path in ["/leak"] * 3 + ["/"] * 10:
            self.get(path)
        time.sleep(3)
        os.kill(pid, signal.SIGTERM)
        run = live.wait()
        self.assertEqual(run.status, 0, run.err[-2000:])
        self.check(run, 8 + 2)

    @harness.counted
    @harness.needs("gunicorn")
    def test_gunicorn(self):
        self.check_gunicorn()

    @harness.counted
    @harness.needs("gunicorn")
    def test_gunicorn_threads(self):
        self.check_gunicorn("-k", "gthread", "--threads", "4")

    @harness.counted
    @harness.needs("gunicorn")
    def test_gunicorn_preloaded_application(self):
        self.check_gunicorn("--preload")

    @harness.counted
    @harness.needs("gunicorn")
    def test_gunicorn_worker_killed(self):
        live, pid = self.gunicorn()
        leaks = {}
        for _ in range(6):
            worker = int(self.get("/leak"))
            leaks[worker] = leaks.get(worker, 0) + 1
        victim = max(leaks, key=leaks.get)
        os.kill(victim, signal.SIGKILL)
        self.eventually(lambda: self.answers() and int(self.get()) != victim, "another worker")
        os.kill(pid, signal.SIGTERM)
        run = live.wait()
        self.check(run, 6)
        (trace,) = [trace for trace in run.traces if f".{victim}." in trace]
        self.assert_totals(self.report(trace), live=leaks[victim])

    @harness.counted
    @harness.needs("php")
    def test_php_server(self):
        self.write("index.php", """\
<?php
$db = new SQLite3('shop.db');
$db->busyTimeout(5000);
$db->exec('create table if not exists t(x)');
$pdo = new PDO('sqlite:shop.db', null, null, [PDO::ATTR_PERSISTENT => true]);
echo $pdo->query('select count(*) from t')->fetchColumn();
if ($_SERVER['REQUEST_URI'] !== '/leak') $db->close();
""")
        live = self.start(["php", "-S", f"127.0.0.1:{self.port}", "index.php"], count=["sqlite3"])
        self.eventually(self.answers, "php answers")
        for path in ["/"] * 20 + ["/leak"] * 5:
            self.assertEqual(self.get(path), b"0")
        (child,) = harness.children(live.pid)
        os.kill(child, signal.SIGINT)
        run = live.wait()
        self.check(run)


if __name__ == "__main__":
    harness.main()
