#!/usr/bin/python3
"""pytest, Flask, Django and gunicorn from Debian, with SQLAlchemy or Django's own ORM underneath."""

import os
import re
import signal
import threading
import unittest
import urllib.request

from python_harness import PYTHON, PythonTestCase, has_module, main, needs

TESTS = '''
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite:///app.db", poolclass=QueuePool)


@pytest.mark.parametrize("number", [1, 2])
def test_leaks(number):
    session = Session(engine)  # site: leaks
    session.execute(text("select 1"))


def test_leaks_too():
    session = Session(engine)  # site: leaks too
    session.execute(text("select 1"))


def test_right():
    with Session(engine) as session:  # site: right
        session.execute(text("select 1"))
'''

FLASK = '''
import sys
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

app = Flask(__name__)
engine = create_engine(f"sqlite:///app.db", poolclass=QueuePool, pool_size=20, max_overflow=40,
                       connect_args={"check_same_thread": False})
kept = []


@app.route("/right")
def right():
    with Session(engine) as session:  # site: right
        return str(session.execute(text("select 1")).scalar())


@app.route("/leak")
def leak():
    session = Session(engine)  # site: leak
    kept.append(session)
    return str(session.execute(text("select 1")).scalar())


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
'''

DJANGO = '''
import sys
import threading
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x",
                   DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                                          "NAME": "app.db"}})


def right(request):
    from django.db import connection
    with connection.cursor() as cursor:  # site: right
        return HttpResponse(str(cursor.execute("select 1").fetchone()[0]))


def in_thread():
    from django.db import connection
    with connection.cursor() as cursor:  # site: leak
        cursor.execute("select 1")


def leak(request):
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    return HttpResponse("1")


urlpatterns = [path("right", right), path("leak", leak)]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
'''


ASKED = 1  # requests by which wait_for found that the server answers


def free_port():
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Frameworks(PythonTestCase):

    def get(self, port, path):
        url = f"http://127.0.0.1:{port}/{path}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read().decode()

    def wait_for(self, live, port):
        def answers():
            self.assertIsNone(live.process.poll(), live.text("err"))
            try:
                return self.get(port, "right") == "1"
            except OSError:
                return False
        self.eventually(answers, "the server answers", timeout=40)

    def ask(self, port, path, times):
        """Concurrent requests, in four threads."""
        answers = []

        def some():
            for _ in range(times // 4):
                answers.append(self.get(port, path))
        threads = [threading.Thread(target=some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, ["1"] * times)

    def sites_of(self, report, kind, path):
        """{function: (opened, never closed)} of the lines of one file."""
        return {site["function"]: (site["opened"], site["never_closed"])
                for site in report["sites"]
                if site["kind"] == kind and os.path.basename(site.get("file") or "") == path}

    @unittest.skipUnless(has_module("pytest") and has_module("sqlalchemy"), "no pytest, SQLAlchemy")
    def test_pytest(self):
        path = self.write("test_app.py", TESTS)
        for options in ([], ["-n", "2"]):
            if options and not has_module("xdist"):
                continue
            with self.subTest(options=options):
                run = self.trace([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options,
                                  path], timeout=120)
                self.assertEqual(run.status, 0, run.out + run.err)
                self.assertIn("4 passed", run.out)
                report = run.report("-n", "0")
                self.assert_sites(report, path, {"leaks": 2, "leaks too": 1}, kind="checkout")
                tests = {site["function"]: sorted(site["tests"]) for site in report["sites"]
                         if site["kind"] == "checkout" and site["never_closed"]}
                self.assertEqual(tests, {
                    "test_leaks": ["test_app.py::test_leaks[1]", "test_app.py::test_leaks[2]"],
                    "test_leaks_too": ["test_app.py::test_leaks_too"]})

    @unittest.skipUnless(has_module("flask") and has_module("sqlalchemy"), "no Flask, SQLAlchemy")
    def test_flask(self):
        self.write("app.py", FLASK)
        port = free_port()
        live = self.start([PYTHON, self.path("app.py"), str(port)])
        self.wait_for(live, port)
        self.ask(port, "right", 40)
        self.ask(port, "leak", 12)
        live.process.send_signal(signal.SIGINT)  # passed on; a second one would cut the end short
        report = live.wait().report("-n", "0")
        sites = self.sites_of(report, "checkout", "app.py")
        self.assertEqual(sites["leak"], (12, 12))
        # Each request took one; the first ones asked whether the server was there.
        self.assertEqual(sites["right"], (40 + ASKED, 0))
        self.assertGreaterEqual(self.pool(report)["high_water"]["count"], 12)

    @needs("gunicorn")
    @unittest.skipUnless(has_module("flask") and has_module("sqlalchemy"), "no Flask, SQLAlchemy")
    def test_gunicorn(self):
        """Prefork: each worker has a trace of its own, the master none."""
        self.write("app.py", FLASK)
        port = free_port()
        live = self.start(["gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "app:app"])
        self.wait_for(live, port)
        self.ask(port, "right", 40)
        self.ask(port, "leak", 12)
        workers = set(re.findall(r"Booting worker with pid: (\d+)", live.text("err")))
        self.assertEqual(len(workers), 2)
        live.process.send_signal(signal.SIGTERM)
        report = live.wait().report("-n", "0")
        sites = self.sites_of(report, "checkout", "app.py")
        self.assertEqual(sites["leak"], (12, 12))
        self.assertEqual(sites["right"], (40 + ASKED, 0))
        self.assertLessEqual({str(process["pid"]) for process in report["processes"]}, workers)

    @unittest.skipUnless(has_module("django"), "python3-django is not installed")
    def test_django(self):
        """The development server: it closes each request's connection, and no other thread's."""
        self.write("site.py", DJANGO)
        port = free_port()
        live = self.start([PYTHON, self.path("site.py"), "runserver", "--noreload", str(port)],
                          env={"PYTHONUNBUFFERED": "1"})
        self.wait_for(live, port)
        self.ask(port, "right", 40)
        self.ask(port, "leak", 12)
        live.process.send_signal(signal.SIGINT)  # passed on; a second one would cut the end short
        report = live.wait().report("-n", "0")
        sites = self.sites_of(report, "handle", "site.py")
        # Django's handle, and that of SQLite inside, are one connection.
        self.assertEqual(sites["in_thread"], (12, 12))
        self.assertEqual(sites["right"], (40 + ASKED, 0))


if __name__ == "__main__":
    main()
