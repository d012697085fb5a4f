#!/usr/bin/python3
"""Servers that have CPython inside: Apache's mod_wsgi in the main interpreter and in others, uWSGI
with workers and threads. SQLAlchemy under concurrent requests, against what was asked for."""

import os
import re
import signal
import socket
import unittest

from python_harness import PythonTestCase, has_module, main, needs

MODULES = "/usr/lib/apache2/modules"
LEAKS, REQUESTS = 24, 200

APPLICATION = '''
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite:///{folder}/app.db", poolclass=QueuePool, pool_size=20,
                       max_overflow=40, connect_args={{"check_same_thread": False}})
kept = []


def right():
    with Session(engine) as session:  # site: right
        return session.execute(text("select 1")).scalar()


def leak():
    session = Session(engine)  # site: leak
    kept.append(session)
    return session.execute(text("select 1")).scalar()


def plain():
    import sqlite3
    connection = sqlite3.connect(":memory:")  # site: plain
    return connection.execute("select 1").fetchone()[0]


def application(environ, start_response):
    places = {{"/leak": leak, "/plain": plain}}
    body = str(places.get(environ["PATH_INFO"], right)()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
'''

APACHE = """\
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
Mutex file:{folder} default
DefaultRuntimeDir {folder}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
ErrorLog {folder}/error.log
StartServers 2
ServerLimit 2
ThreadsPerChild 6
MaxRequestWorkers 12
MinSpareThreads 1
MaxSpareThreads 12
WSGISocketPrefix {folder}/wsgi
{more}
WSGIScriptAlias / {folder}/app.wsgi
<Directory {folder}>
  Require all granted
</Directory>
"""


@unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
class Servers(PythonTestCase):

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o777)
        self.application = self.write("app.wsgi", APPLICATION.format(folder=self.folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def load(self, path, requests):
        run = self.run_plain(["ab", "-q", "-n", str(requests), "-c", "8",
                              f"http://127.0.0.1:{self.port}/{path}"])
        self.assertEqual(run.status, 0, run.err)
        numbers = dict(re.findall(r"^(\w[\w -]*):\s+(\d+)", run.out, re.MULTILINE))
        self.assertEqual(
            (numbers["Complete requests"], numbers["Failed requests"],
             numbers.get("Non-2xx responses", "0")), (str(requests), "0", "0"), run.out)

    def load_all(self):
        self.load("right", REQUESTS)
        self.load("leak", LEAKS)
        self.load("plain", LEAKS)

    def check_all(self, report):
        """Every request is there, and what leaked is found at its line."""
        self.assert_sites(report, self.application, {"leak": LEAKS}, kind="checkout")
        self.assert_totals(report, "checkout", opened=REQUESTS + LEAKS, released=REQUESTS,
                           never_closed=LEAKS)
        self.assert_sites(report, self.application, {"plain": LEAKS})

    def apache(self, more):
        configuration = self.write("apache.conf", APACHE.format(
            folder=self.folder, port=self.port, modules=MODULES, more=more,
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else ""))
        live = self.start(["/usr/sbin/apache2", "-f", configuration, "-DFOREGROUND"])
        self.eventually(self.answers, "Apache answers", 30)
        self.eventually(lambda: os.path.exists(self.path("apache.pid")), "its pid file")
        self.load_all()
        with open(self.path("apache.pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGTERM)
        run = live.wait()
        self.assertEqual(run.status, 0, run.err[-2000:])
        with open(self.path("error.log"), encoding="utf-8") as file:
            log = file.read()
        self.assertNotRegex(log, "exit signal|Traceback|Segmentation")
        return run.report("-n", "0")

    @needs("apache2", "ab")
    @unittest.skipUnless(os.path.exists(MODULES + "/mod_wsgi.so"), "no libapache2-mod-wsgi-py3")
    def test_mod_wsgi(self):
        """In the main interpreter: WSGIApplicationGroup %{GLOBAL}."""
        self.check_all(self.apache("WSGIApplicationGroup %{GLOBAL}"))

    @needs("apache2", "ab")
    @unittest.skipUnless(os.path.exists(MODULES + "/mod_wsgi.so"), "no libapache2-mod-wsgi-py3")
    def test_mod_wsgi_daemon(self):
        """In a process of its own with eight threads."""
        self.check_all(self.apache("WSGIDaemonProcess app processes=1 threads=8\n"
                                   "WSGIProcessGroup app\nWSGIApplicationGroup %{GLOBAL}"))

    @needs("apache2", "ab")
    @unittest.skipUnless(os.path.exists(MODULES + "/mod_wsgi.so"), "no libapache2-mod-wsgi-py3")
    def test_mod_wsgi_subinterpreter(self):
        """As mod_wsgi does by default, in an interpreter of its own: handles are counted."""
        report = self.apache("")
        self.assertGreaterEqual(report["totals"]["handle"]["opened"], LEAKS + 1)
        # Where a thread was in another interpreter before, there are native frames only.
        named = {site["function"]: site["opened"] for site in report["sites"]
                 if os.path.basename(site.get("file") or "") == "app.wsgi"}
        self.assertLessEqual(set(named), {"right", "leak", "plain"})
        self.assertTrue(0 < named["plain"] <= LEAKS, named)
        notes = [note for process in report["processes"] for note in process.get("notes", [])]
        self.assertTrue(notes and all("WSGIApplicationGroup" in note for note in notes), notes)

    @needs("uwsgi_python3", "ab")
    def test_uwsgi(self):
        """Two workers with four threads each."""
        live = self.start(["uwsgi_python3", "--http-socket", f"127.0.0.1:{self.port}", "--master",
                           "--processes", "2", "--threads", "4", "--need-app",
                           "--wsgi-file", self.application])
        self.eventually(self.answers, "uWSGI answers", 30)
        self.load_all()
        live.process.send_signal(signal.SIGINT)
        run = live.wait()
        self.check_all(run.report("-n", "0"))


if __name__ == "__main__":
    main()
