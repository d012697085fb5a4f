"""What the end-to-end tests share: running programs traced, untraced and counted, reading reports.

Told by the environment (see meson.build): E2E_CLI, E2E_LIBRARY, E2E_PROGRAMS (build folder of
tests/programs), E2E_SOURCES (its sources), COUNT_SHIMS, COUNT_HOW (the counter to use: see
count_calls.py; with bpf, only the tests that count are run). Each test has a folder of its own,
which is its working folder too; nothing is written anywhere else.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import count_calls

CLI = os.environ["E2E_CLI"]
LIBRARY = os.environ["E2E_LIBRARY"]
PROGRAMS = os.environ["E2E_PROGRAMS"]
SOURCES = os.environ["E2E_SOURCES"]

SKIPPED = 77  # what meson takes for "skipped"

KINDS = ("handle", "checkout", "session", "statement")
NEVER_CLOSED = ("live", "reclaimed", "refused", "zombie")


def program(name):
    """Path of a program or plugin built from tests/programs."""
    return os.path.join(PROGRAMS, name)


def line_of(source, marker):
    """Number of the line of tests/programs/SOURCE with the comment "site: MARKER"."""
    path = source if os.path.isabs(source) else os.path.join(SOURCES, source)
    with open(path, encoding="utf-8") as file:
        lines = [n for n, text in enumerate(file, 1)
                 if re.search(r"(?://|#|--) site: " + re.escape(marker) + r"$", text)]
    assert len(lines) == 1, f"{len(lines)} lines of {source} are marked {marker}"
    return lines[0]


def has_command(name):
    return shutil.which(name, path=PATH) is not None


def children(pid):
    """Process ids of the children of a process."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Run:
    """One run of a command that has ended: its status, its output and, if traced, its traces."""

    def __init__(self, test, command, process_pid, status, out, err, traces):
        self.test = test
        self.command = command
        self.pid = process_pid  # of the process started; `unclosed` itself with `unclosed run`
        self.status = status  # as subprocess says it: negative for a signal
        self.out = out
        self.err = err
        self.folder = traces
        self.counts = None  # count_calls.Counts, if it was counted

    @property
    def traces(self):
        return sorted(
            os.path.join(self.folder, name)
            for name in os.listdir(self.folder)
            if ".trace" in name
        )

    def values(self):
        """The name=value pairs of each line of output that has any, as numbers where they are."""
        lines = []
        for line in self.out.splitlines():
            pairs = dict(re.findall(r"(\w+)=(\S+)", line))
            if pairs:
                lines.append({k: int(v) if v.lstrip("-").isdigit() else v
                              for k, v in pairs.items()})
        return lines

    def sum(self, name):
        """Sum of all values called `name` in the output."""
        return sum(line.get(name, 0) for line in self.values())

    def report(self, *options):
        """The JSON report of all traces of this run."""
        return self.test.report(self.folder, *options)

    def counted(self, key):
        """What the independent counter says, without the `unclosed` that started the command."""
        return self.counts.total(key) - self.counts.of(self.pid, key)


class Live:
    """A command that is running: like Run once `wait` has returned."""

    def __init__(self, test, command, process, traces, output, counter=None):
        self.test, self.command, self.process = test, command, process
        self.traces_folder, self.output, self.counter = traces, output, counter

    @property
    def pid(self):
        return self.process.pid

    def wait(self, timeout=60):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.test.fail(f"hangs: {self.command}\n{self.text('err')[-2000:]}")
        run = Run(self.test, self.command, self.process.pid, self.process.returncode,
                  self.text("out"), self.text("err"), self.traces_folder)
        if self.counter is not None:
            run.counts = self.counter.counts()
        return run

    def text(self, which):
        with open(self.output + "." + which, "rb") as file:
            return file.read().decode("utf-8", "replace")


class TestCase(unittest.TestCase):
    """With a folder of its own, and checks of reports."""

    maxDiff = None
    longMessage = True

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="e2e-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._runs = 0

    def environment(self, **more):
        """A small environment that is the same everywhere."""
        env = {"PATH": PATH, "HOME": self.folder, "LANG": "C.UTF-8", "TMPDIR": self.folder}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(more)
        return env

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    # -- running --

    def start(self, command, how="run", options=(), pools=(), env=None, count=None, cwd=None,
              stdin=None, traces=None):
        """Starts a command. how: "run" (unclosed run), "preload" (by hand) or "plain" (untraced).

        count: groups of count_calls to be counted as well, in a test marked @counted. Result: Live.
        """
        self._runs += 1
        traces = traces or self.path(f"traces{self._runs}")
        os.makedirs(traces, exist_ok=True)
        os.chmod(traces, 0o777)
        pattern = os.path.join(traces, "%e.%p.trace")
        env = self.environment(**(env or {}))
        if how == "run":
            command = [CLI, "run", "-o", pattern, *options,
                       *(word for pool in pools for word in ("--pool", pool)), "--", *command]
        elif how == "preload":
            env = {"LD_PRELOAD": LIBRARY, "UNCLOSED_OUTPUT": pattern,
                   "UNCLOSED_POOLS": ",".join(pools), **env}
            # The counter's own shell in front must not be preloaded.
            command = ["/usr/bin/env", *(f"{k}={env.pop(k)}" for k in list(env)
                                         if k.startswith(("LD_PRELOAD", "UNCLOSED_")))] + list(
                                             command)
        output = self.path(f"output{self._runs}")
        with open(output + ".out", "wb") as out, open(output + ".err", "wb") as err:
            popen = {"stdin": subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                     "stdout": out, "stderr": err, "cwd": cwd or self.folder,
                     "start_new_session": True}
            counter = None
            if count:
                self._must_be_marked()
                counter = count_calls.CountedCommand(command, list(count), env=env, **popen)
                self.addCleanup(counter.discard)
                process = counter.process
            else:
                process = subprocess.Popen(command, env=env, **popen)
        if stdin is not None:
            process.stdin.write(stdin.encode())
            process.stdin.close()
        live = Live(self, command, process, traces, output, counter)
        self.addCleanup(self._end, process)
        return live

    def _must_be_marked(self):
        self.assertTrue(is_counted(type(self), self._testMethodName),
                        "a test that counts is marked @harness.counted: it runs with each counter")

    @staticmethod
    def _end(process):
        if process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def trace(self, command, timeout=60, **arguments):
        """Runs a command to its end; see start. Result: Run."""
        return self.start(command, **arguments).wait(timeout)

    def run_plain(self, command, **arguments):
        return self.trace(command, how="plain", **arguments)

    def unclosed(self, *arguments, timeout=60, env=None, cwd=None):
        """Runs the command line itself. Result: subprocess.CompletedProcess with text."""
        return subprocess.run([CLI, *arguments], env=self.environment(**(env or {})),
                              cwd=cwd or self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=timeout,
                              check=False)

    def report(self, *arguments):
        """The JSON report of traces or folders."""
        result = self.unclosed("report", "--format", "json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.check_report(report)
        return report

    # -- checks --

    def check_report(self, report):
        """What has to hold in any report: see the design's description of the totals."""
        self.assertEqual(report["schema"], 1)
        for kind, totals in report["totals"].items():
            self.assertIn(kind, KINDS)
            self.assertEqual(totals["never_closed"],
                             sum(totals.get(name, 0) for name in NEVER_CLOSED), (kind, totals))
            sites = [site for site in report["sites"] if site["kind"] == kind]
            if sites:
                self.assertLessEqual(sum(site["opened"] for site in sites), totals["opened"])

    def assert_totals(self, report, kind="handle", **expected):
        totals = report["totals"].get(kind, {})
        self.assertEqual({name: totals.get(name, 0) for name in expected}, expected,
                         f"totals of {kind}: {totals}")

    def sites(self, report, kind="handle"):
        """Sites with something never closed, as {(file without folders, line): site}."""
        return {(os.path.basename(site.get("file") or ""), site.get("line")): site
                for site in report["sites"]
                if site["kind"] == kind and site["never_closed"] > 0}

    def assert_sites(self, report, source, markers, kind="handle"):
        """Exactly the lines marked so in SOURCE leak. markers: {marker: never closed} or names."""
        if not isinstance(markers, dict):
            markers = dict.fromkeys(markers, 1)
        expected = {(os.path.basename(source), line_of(source, marker)): number
                    for marker, number in markers.items()}
        found = {place: site["never_closed"] for place, site in self.sites(report, kind).items()}
        self.assertEqual(found, expected)

    def assert_same_behaviour(self, command, same_error=False, **arguments):
        """Runs a command untraced and traced: exit status and output must be equal.

        Numbers after pid= and child= may differ. Result: the traced Run.
        """
        plain = self.run_plain(command, **{k: v for k, v in arguments.items()
                                           if k in ("env", "cwd", "stdin", "timeout")})
        traced = self.trace(command, **arguments)
        self.assertEqual(traced.status, plain.status, traced.err[-2000:])
        self.assertEqual(_without_pids(traced.out), _without_pids(plain.out))
        if same_error:
            self.assertEqual(traced.err, plain.err)
        return traced

    def pool(self, report, **wanted):
        """The one pool of the report with these values."""
        pools = [pool for pool in report["pools"]
                 if all(pool.get(key) == value for key, value in wanted.items())]
        self.assertEqual(len(pools), 1, f"pools with {wanted}: {report['pools']}")
        return pools[0]

    def eventually(self, condition, what, timeout=20):
        """Waits until condition() is true and gives its value."""
        give_up = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > give_up:
                self.fail("never: " + what)
            time.sleep(0.02)


def _without_pids(text):
    return re.sub(r"\b(pid|child)=\d+", r"\1=N", text)


def needs(*commands):
    """Skips a test where a command is not installed."""
    missing = [command for command in commands if not has_command(command)]
    return unittest.skipIf(missing, f"not installed: {' '.join(missing)}")


def counted(item):
    """Marks a test, or a class of tests, that compares with an independent counter."""
    item.is_counted = True
    return item


def is_counted(case, name):
    return getattr(case, "is_counted", False) or getattr(getattr(case, name), "is_counted", False)


class CountedTests(unittest.TestLoader):
    def getTestCaseNames(self, testCaseClass):
        return [name for name in super().getTestCaseNames(testCaseClass)
                if is_counted(testCaseClass, name)]


needs_root = unittest.skipIf(os.geteuid() != 0, "needs root")


def main():
    """Runs the tests of the calling file; 77 if all were skipped."""
    loader = unittest.defaultTestLoader
    if os.environ.get("COUNT_HOW") == "bpf":
        loader = CountedTests()
        if not count_calls.bpf_usable():
            print("skipped: bpftrace cannot probe here (it needs root, tracefs and BPF)")
            sys.exit(SKIPPED)
    program_ = unittest.main(module="__main__", exit=False, verbosity=2, testLoader=loader)
    result = program_.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == 0:
        sys.exit("no test was run")
    if result.testsRun == len(result.skipped):
        for _, reason in result.skipped:
            print("skipped:", reason)
        sys.exit(SKIPPED)
    sys.exit(0)
