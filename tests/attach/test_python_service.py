"""Attaching to Python programs that hold connections of SQLAlchemy's pools already.

With UNCLOSED_TEST_SQLALCHEMY (source trees of other SQLAlchemy versions, separated by colons) the
same is done with each of them; UNCLOSED_TEST_PYTHON is an interpreter other than Debian's.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import unittest

import harness

CLI = os.environ["E2E_CLI"]
PYTHON = os.environ.get("UNCLOSED_TEST_PYTHON", "/usr/bin/python3")
HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE = os.path.join(HERE, "python_service.py")
POOLS = os.path.join(HERE, "python_pools.py")


def line_of(path, place):
    with open(path, encoding="utf-8") as file:
        lines = [number for number, line in enumerate(file, 1) if line.rstrip().endswith(
            "# site: " + place)]
    assert len(lines) == 1, (path, place, lines)
    return lines[0]


def has_module(name, env=None):
    return subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True, check=False,
                          env=env).returncode == 0


def each_version(test):
    """Runs a test with the installed SQLAlchemy, then with the other versions."""
    def run(self):
        extra = os.environ.get("UNCLOSED_TEST_PYTHONPATH", "")
        others = os.environ.get("UNCLOSED_TEST_SQLALCHEMY", "")
        for tree in [None] + [tree for tree in others.split(":") if tree]:
            with self.subTest(sqlalchemy=tree or "installed"):
                test(self, {"PYTHONPATH": f"{extra}:{tree}/lib"} if tree else {})
    return run


class Load:
    """Clients that ask for /right all the time; the latencies since the last look are kept."""

    def __init__(self, port, clients):
        self.port = port
        self.lock = threading.Lock()
        self.latencies, self.failed, self.answered = [], [], 0
        self.going = True
        self.threads = [threading.Thread(target=self.ask_on, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask_on(self):
        while self.going:
            begin = time.perf_counter()
            try:
                ask(self.port, "/right")
            except Exception as error: # pylint: disable=broad-exception-caught
                with self.lock:
                    self.failed.append(repr(error))
                continue
            with self.lock:
                self.latencies.append(time.perf_counter() - begin)
                self.answered += 1
            time.sleep(0.002)

    def phase(self, name, seconds):
        """Lets a time pass and prints what it was like for the clients and the service."""
        with self.lock:
            self.latencies = []
        time.sleep(seconds)
        with self.lock:
            times = sorted(self.latencies)
        return (f"{name:22} {len(times):5} answers, median {statistics.median(times) * 1e3:6.2f} ms, "
                f"p99 {times[len(times) * 99 // 100] * 1e3:7.2f} ms, longest {times[-1] * 1e3:7.2f} "
                f"ms, RSS {ask(self.port, '/rss') / 1024:.1f} MB")

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join()


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status}")
        return json.loads(body)
    finally:
        connection.close()


@unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
class PythonService(harness.AttachTest):

    def cli(self, *arguments, status=0):
        result = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True,
                                cwd=self.folder, timeout=harness.TIMEOUT, check=False)
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result.stdout

    def attach_to(self, process, name, *options):
        """Attaches and waits until the interpreter has been joined."""
        trace = os.path.join(self.folder, f"{process.pid}.{name}")
        self.cli("attach", process.pid, "-o", trace, *options)
        if "--no-python" not in options:
            self.assertTrue(harness.wait_until(lambda: self.report(trace)["pools"]), "no pools")
            time.sleep(0.1)
        return trace

    def report(self, trace):
        return json.loads(self.cli("report", "--format", "json", "-n", "0", trace))

    def held(self, process):
        return json.loads(self.cli("held", "--format", "json", process.pid))["held"]

    def program(self, mode, env):
        self.count += 1
        database = os.path.join(self.folder, f"{mode}.{self.count}.db")
        return self.start(PYTHON, POOLS, mode, database, stdin=subprocess.PIPE, env=env), database

    def say(self, process, word):
        process.stdin.write(word + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def assert_inherited(self, counts, **expected):
        """What became of those open before; the numbers that are not named are 0."""
        known = {"out": 0, "pooled": 0, "released": 0, "reclaimed": 0, "otherwise": 0, **expected}
        self.assertEqual(known, counts.get("inherited_now", {}), counts)
        self.assertEqual(sum(known.values()), counts["inherited"])

    # The service

    def service(self, env):
        database = os.path.join(self.folder, f"service.{time.monotonic_ns()}.db")
        process = self.start(PYTHON, SERVICE, database, env=env)
        port = int(process.stdout.readline())
        for _ in range(5): # from now on there is an idle connection
            ask(port, "/right")
        return process, port, database

    def check_pool(self, report, database, **inherited):
        """inherited: what became of those that were out; requests that were being answered when
        the recorder came are released soon."""
        self.assertEqual(1, len(report["pools"]), report["pools"])
        pool = report["pools"][0]
        self.assertEqual(("sqlite:///" + database, "QueuePool", 10, 20, 5.0),
                         (pool["name"], pool["class"], pool["size"], pool["overflow"],
                          pool["timeout"]))
        answered = pool["inherited_now"]["released"] - inherited.get("released", 0)
        self.assertIn(answered, range(5))
        inherited["released"] = pool["inherited_now"]["released"]
        self.assert_inherited(pool, **inherited)
        self.assertGreaterEqual(pool["high_water"]["count"], sum(inherited.values()))
        before = [holder for holder in pool["high_water"]["holders"] if "before_attach" in holder]
        self.assertGreaterEqual(sum(holder["count"] for holder in before), 20)
        return pool

    def check_holders(self, process):
        """Three of the twenty are in a variable of a running function; of the rest it is told what
        of SQLAlchemy's they are."""
        before = [session for session in self.held(process) if session.get("before_attach")]
        self.assertEqual(20, len(before))
        waiting = [session for session in before if "holder" in session]
        self.assertEqual([(line_of(SERVICE, "wait"), "wait_with_session", "variable session")] * 3,
                         [(session["holder"]["line"], session["holder"]["function"],
                           session["held_by"]) for session in waiting])
        self.assertEqual({"holder-0", "holder-1", "holder-2"},
                         {session["thread"] for session in waiting})
        self.assertTrue(all(session["tid"] > 0 for session in waiting))
        others = [session.get("held_by") for session in before if "holder" not in session]
        self.assertEqual((14, 3), (others.count("a Session"), others.count(None)))
        for session in before:
            self.assertGreater(session["age_at_most"], session["age"])
            self.assertNotIn("acquired", session)
            self.assertNotIn("frames", session)
        text = self.cli("held", process.pid)
        self.assertIn("(pre-existing: no acquire backtrace)", text)
        self.assertIn("14 sessions", text)

    def check_new_leaks(self, report):
        sites = {(site["function"], site["line"]): site for site in report["sites"]
                 if site["kind"] == "checkout" and site["never_closed"]
                 and site["function"] != "right"} # is being answered
        self.assertEqual({"report": 3, "upload": 2},
                         {function: site["never_closed"] for (function, _), site in sites.items()})
        self.assertIn(("report", line_of(SERVICE, "report")), sites)
        for site in sites.values():
            self.assertEqual("get_db", site["via"]["function"])

    def first_attach(self, process, port, database, load, lines):
        trace = self.attach_to(process, "first")
        self.check_holders(process)
        for _ in range(3):
            ask(port, "/report")
        for _ in range(2):
            ask(port, "/upload")
        lines.append(load.phase("attached", 2))
        report = self.report(trace)
        self.check_pool(report, database, out=20)
        self.check_new_leaks(report)
        self.assertRegex(self.cli("report", trace), "2[0-4] pre-existing: 20 still held")
        self.cli("detach", process.pid)
        lines.append(load.phase("detached", 2))

    def second_attach(self, process, port, database, load, lines):
        """What leaked in between is inherited like the rest, and is given back or reclaimed."""
        trace = self.attach_to(process, "second")
        self.check_pool(self.report(trace), database, out=25)
        ask(port, "/end")
        ask(port, "/collect")
        lines.append(load.phase("attached again", 1))
        pool = self.check_pool(self.report(trace), database, released=3, reclaimed=22)
        self.assertLessEqual(pool["out"], 4)
        self.cli("detach", process.pid)
        lines.append(load.phase("detached again", 1))

    @each_version
    def test_service(self, env):
        process, port, database = self.service(env)
        before = ask(port, "/state")
        load = Load(port, 4)
        lines = [load.phase("before", 2)]
        self.first_attach(process, port, database, load, lines)
        self.second_attach(process, port, database, load, lines)
        load.stop()
        print(*lines, f"answered {load.answered}, failed {len(load.failed)}", sep="\n",
              file=sys.stderr)
        self.assertEqual([], load.failed)
        after = ask(port, "/state")
        self.assertEqual(([], []), (before["changed"], after["changed"]))
        for key in ("weak", "code", "collects", "closes"):
            self.assertEqual(before[key], after[key], key)
        self.assertTrue(ask(port, "/dies"))
        self.assertEqual(0, ask(port, "/out"))
        self.assertIsNone(process.poll())

    def test_references(self):
        """Attaching leaves no reference to what is out, and takes no listener's place."""
        process, port, _ = self.service({})
        before = ask(port, "/state")
        self.assertEqual(20, len(before["fairies"]))
        self.attach_to(process, "references")
        self.assertNotEqual([], ask(port, "/state")["changed"])
        for _ in range(20):
            ask(port, "/right")
        self.assertTrue(ask(port, "/dies"))
        self.cli("detach", process.pid)
        self.assertEqual(before, ask(port, "/state"))
        self.assertTrue(ask(port, "/dies"))

    def test_no_python(self):
        process, port, _ = self.service({})
        before = ask(port, "/state")
        trace = self.attach_to(process, "no-python", "--no-python")
        for _ in range(20):
            ask(port, "/right")
        self.assertEqual(before["changed"], ask(port, "/state")["changed"])
        self.cli("detach", process.pid)
        self.assertEqual([], self.report(trace)["pools"])
        self.assertEqual(before, ask(port, "/state"))

    # Programs that do one thing

    @each_version
    def test_classes(self, env):
        process, database = self.program("classes", env)
        trace = self.attach_to(process, "classes")
        expected = {"NullPool": 3, "StaticPool": 2, "SingletonThreadPool": 1, "AssertionPool": 1,
                    "QueuePool": 4}
        pools = {pool["class"]: pool for pool in self.report(trace)["pools"]}
        self.assertEqual(expected, {name: pool["inherited"] for name, pool in pools.items()})
        for name, pool in pools.items():
            self.assertEqual("sqlite:///" + database, pool["name"])
            self.assertEqual((expected[name], expected[name]),
                             (pool["out"], pool["high_water"]["count"]))
        for word in ("detach", "invalidate", "leak", "close"):
            self.say(process, word)
        self.cli("detach", process.pid)
        report = self.report(trace)
        pools = {pool["class"]: pool for pool in report["pools"]}
        self.assert_inherited(pools.pop("QueuePool"), released=2, otherwise=2)
        for name, pool in pools.items():
            self.assert_inherited(pool, released=expected[name])
        self.assertEqual([0] * 5, [pool["out"] for pool in report["pools"]])
        # The second connection of a SingletonThreadPool is the first.
        self.assertEqual((3, 0), (report["totals"]["checkout"]["released"],
                                  report["totals"]["checkout"]["never_closed"]))
        self.assertEqual([], report["misuse"])

    @unittest.skipUnless(has_module("aiosqlite"), "python3-aiosqlite is not installed")
    @each_version
    def test_tasks(self, env):
        process, database = self.program("tasks", env)
        trace = self.attach_to(process, "tasks")
        before = self.held(process)
        self.assertEqual(20, len(before))
        self.assertEqual({f"job-{i}" for i in range(20)}, {session["task"] for session in before})
        self.assertEqual({(line_of(POOLS, "job"), "variable session")},
                         {(session["holder"]["line"], session["held_by"]) for session in before})
        self.assertEqual("done", self.say(process, "leak"))
        report = self.report(trace)
        pool = next(pool for pool in report["pools"] if pool["kind"] == "sqlalchemy")
        self.assertEqual("sqlite+aiosqlite:///" + database, pool["name"])
        self.assertEqual((23, 23), (pool["out"], pool["high_water"]["count"]))
        site = next(site for site in report["sites"]
                    if site["kind"] == "checkout" and site["never_closed"])
        self.assertEqual((3, line_of(POOLS, "late")), (site["never_closed"], site["line"]))
        self.assertEqual("done", self.say(process, "end"))
        pool = next(pool for pool in self.report(trace)["pools"] if pool["kind"] == "sqlalchemy")
        self.assert_inherited(pool, released=20)
        self.assertEqual(3, pool["out"])
        self.cli("detach", process.pid)
        self.assertIsNone(process.poll())

    @each_version
    def test_old_session(self, env):
        """A session that was created before the attach is named by where it takes a connection."""
        process, _ = self.program("old", env)
        trace = os.path.join(self.folder, f"{process.pid}.old")
        self.cli("attach", process.pid, "-o", trace)
        time.sleep(0.3)
        self.say(process, "take")
        self.say(process, "new")
        sites = {site["line"]: site for site in self.report(trace)["sites"]
                 if site["kind"] == "checkout"}
        self.assertEqual({line_of(POOLS, "early"), line_of(POOLS, "new")}, set(sites))
        self.assertTrue(sites[line_of(POOLS, "early")]["created_before_attach"])
        self.assertNotIn("created_before_attach", sites[line_of(POOLS, "new")])
        self.assertIn("its session was created before the attach", self.cli("report", trace))
        self.cli("detach", process.pid)

    @each_version
    def test_waiting(self, env):
        """Who waits for a connection when the recorder comes is not seen to get it, yet known."""
        process, _ = self.program("waiting", env)
        trace = self.attach_to(process, "waiting")
        self.assertEqual(5, self.report(trace)["pools"][0]["out"])
        self.say(process, "give")
        self.assertEqual("TimeoutError", self.say(process, "touch"))
        pool = self.report(trace)["pools"][0]
        self.assertEqual((5, 5, 1), (pool["out"], pool["high_water"]["count"], pool["timeouts"]))
        self.assert_inherited(pool, out=5, released=3)
        self.say(process, "close")
        pool = self.report(trace)["pools"][0]
        self.assert_inherited(pool, released=8)
        self.assertEqual(0, pool["out"])
        self.cli("detach", process.pid)

    def test_many_objects(self):
        """Two million objects in the process do not make the pause longer: nothing searches them,
        and no collection is begun. On a busy machine the processor time tells, not the pause."""
        process, _ = self.program("many", {})
        self.others(process)
        time.sleep(0.5)
        pauses = [self.others(process)]
        trace = self.attach_to(process, "many")
        pauses.append(self.others(process))
        self.assertEqual(20, self.report(trace)["pools"][0]["inherited"])
        self.cli("detach", process.pid)
        pauses.append(self.others(process))
        for name, (pause, spent) in zip(("before", "attaching", "detaching"), pauses):
            print(f"{name:10} a thread did without the interpreter for {pause:.1f} ms at most; "
                  f"{spent:.1f} ms of processor time were not Python's", file=sys.stderr)
            self.assertLess(spent, 60)

    def others(self, process):
        return [float(word) for word in self.say(process, "others").split()[:2]]

    @unittest.skipUnless(has_module("psycopg2"), "python3-psycopg2 is not installed")
    def test_call_specs(self):
        """Of pools known by call spec, what is given back is known to have been out."""
        process, _ = self.program("psycopg2", {})
        trace = os.path.join(self.folder, "specs")
        self.cli("attach", process.pid, "-o", trace)
        time.sleep(0.3)
        self.say(process, "leak")
        self.say(process, "put")
        self.cli("detach", process.pid)
        report = self.report(trace)
        pool = next(pool for pool in report["pools"] if pool["kind"] == "psycopg2.pool")
        self.assert_inherited(pool, released=3)
        self.assertEqual(0, pool["out"])
        self.assertEqual((1, 1, 0), tuple(report["totals"]["checkout"][key] for key in
                                          ("opened", "released", "never_closed")))


if __name__ == "__main__":
    harness.main()
