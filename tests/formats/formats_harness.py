"""What the tests of formats share: real traces, and readers that are not ours. See ../e2e/harness.py."""

import atexit
import csv
import functools
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

# pylint: disable=wrong-import-position,unused-import
from harness import CLI, KINDS, LIBRARY, SOURCES, TestCase, main, needs, program  # noqa: E402,F401

PYTHON = "/usr/bin/python3"

TESTS = '''
import sqlite3, pytest

kept = []

@pytest.fixture(scope="session")
def shared():
    kept.append(sqlite3.connect(":memory:"))
    return kept[-1]

def test_clean(shared):
    sqlite3.connect(":memory:").close()

@pytest.mark.parametrize("name", ["a", "<b>&"])
def test_leaks(shared, name):
    kept.append(sqlite3.connect(":memory:"))

class TestCase:
    def test_two(self):
        kept.extend(sqlite3.connect(":memory:") for _ in range(2))
'''

UNITTEST = '''
import sqlite3, unittest

kept = [sqlite3.connect(":memory:")]

class Case(unittest.TestCase):
    def test_leaks(self):
        kept.append(sqlite3.connect(":memory:"))

    def test_clean(self):
        sqlite3.connect(":memory:").close()

unittest.main()
'''

KILLED = "import os, sqlite3; kept = [sqlite3.connect(':memory:') for _ in range(4)]; os.kill(os.getpid(), 9)"
CLEAN = "import sqlite3\nfor _ in range(70): sqlite3.connect(':memory:').close()"
FORKS = """
import os, sqlite3
kept = [sqlite3.connect(':memory:')]
for _ in range(3):
    if os.fork() == 0:
        kept.append(sqlite3.connect(':memory:'))
        sqlite3.connect(':memory:').close()
        os._exit(0)
for _ in range(3): os.wait()
"""


def source(*names):
    return os.path.join(SOURCES, *names)


def programs(folder):
    """The programs that the ten traces are of, by name: commands, without those that cannot be run."""
    def write(name, text):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    commands = {
        "clean": [PYTHON, "-c", CLEAN],
        "outcomes": [program("outcomes"), "all"],
        "exceptions": [program("exceptions"), "all"],
        "hostile": [PYTHON, source("python", "hostile_text.py"), "0"],
        "killed": [PYTHON, "-c", KILLED],
        "forks": [PYTHON, "-c", FORKS],
        "unittest": [PYTHON, write("test_unit.py", UNITTEST)],
        "dry": [PYTHON, source("python", "dry.py"), os.path.join(folder, "dry.db")],
        "pools": [PYTHON, source("python", "pools.py"), os.path.join(folder, "pools.db")],
        "pytest": [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                   write("test_some.py", TESTS)],
        "perl": ["perl", source("runtimes", "cells.pl"), "kept"],
    }
    return {name: command for name, command in commands.items() if shutil.which(command[0])}


@functools.cache
def trace_all():
    """Runs them all, once. Result: {name: folder with its traces}; removed at the end."""
    traces = {}
    folder = tempfile.mkdtemp(prefix="formats-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, command in programs(folder).items():
        traces[name] = os.path.join(folder, "traces", name)
        work = os.path.join(folder, "work", name)
        os.makedirs(traces[name])
        os.makedirs(work)
        subprocess.run([CLI, "run", "-o", os.path.join(traces[name], "%e.%p.trace"), "--", *command],
                       cwd=work, env={**os.environ, "LANG": "C.UTF-8"}, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
    return traces


def npm_package(test, name):
    """Folder of a package of npm's registry, kept beside the tests' programs. Skips the test if it cannot be had."""
    folder = os.path.join(os.path.dirname(program("x")), "npm")
    path = os.path.join(folder, "node_modules", *name.split("/"))
    if os.path.isdir(path):
        return path
    if not shutil.which("npm"):
        test.skipTest(f"{name} is not here, and there is no npm to get it with")
    os.makedirs(folder, exist_ok=True)
    try:
        got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder,
                              name], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        test.skipTest(f"npm did not get {name} in time")
    if got.returncode != 0 or not os.path.isdir(path):
        test.skipTest(f"npm cannot get {name}: {got.stderr[-300:]}")
    return path


class FormatsTestCase(TestCase):
    """All tests of a class look at the same traces."""

    @classmethod
    def setUpClass(cls):
        cls.traces = trace_all()

    def render(self, form, *arguments, command="report"):
        """What a format is for these traces, as bytes."""
        out = self.path("rendered.db")
        files = ["-o", out] if form in FILES else []
        if files and os.path.exists(out):
            os.remove(out)
        result = subprocess.run([CLI, command, "--format", form, *files, *arguments], cwd=self.folder,
                                env=self.environment(), stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=120, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, b""), (form, arguments))
        if not files:
            return result.stdout
        with open(out, "rb") as file:
            return file.read()


# -- readers: {kind: number never closed}, without those of which there are none --

def _without_zeros(numbers):
    return {kind: number for kind, number in numbers.items() if number}


def _add(numbers, kind, number):
    numbers[kind] = numbers.get(kind, 0) + number


def read_json(data):
    return _without_zeros({kind: totals["never_closed"]
                           for kind, totals in json.loads(data)["totals"].items()})


def read_text(data):
    numbers = {}
    text = re.sub(r"\n {14}", " ", data.decode())  # lines that were broken
    for kind, rest in re.findall(r"(?m)^  (\w+)s +opened \d+(.*)$", text):
        found = re.search(r"(?:never closed|not closed) (\d+)", rest)
        numbers[kind] = int(found.group(1)) if found else 0
    return _without_zeros(numbers)


def read_csv(data):
    numbers = {}
    for row in csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True):
        assert None not in row and None not in row.values(), row
        _add(numbers, row["kind"], int(row["never_closed"]))
    return _without_zeros(numbers)


def read_folded(data):
    numbers = {}
    for line in data.decode().splitlines():
        stack, count = line.rsplit(" ", 1)
        _add(numbers, stack.split(";")[0][:-1], int(count))
    return _without_zeros(numbers)


def read_markdown(data):
    """By way of the HTML that GitHub's own renderer makes of it."""
    html = markdown_html(data)
    rows = re.findall(r"<tr>\s*<td>(\w+)s</td>\s*<td[^>]*>\d+</td>\s*<td[^>]*>\d+</td>\s*"
                      r"<td[^>]*>(\d+)</td>\s*</tr>", html)
    return _without_zeros({kind: int(number) for kind, number in rows})


def markdown_html(data):
    return subprocess.run(["cmark-gfm", "--extension", "table", "--extension", "autolink",
                           "--unsafe"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout.decode()


def metric_families(data):
    from prometheus_client.openmetrics import parser  # pylint: disable=import-outside-toplevel
    return {family.name: family
            for family in parser.text_string_to_metric_families(data.decode())}


def read_openmetrics(data):
    numbers = {}
    for sample in metric_families(data)["unclosed_never_closed"].samples:
        _add(numbers, sample.labels["kind"], int(sample.value))
    return _without_zeros(numbers)


def sarif_run(data):
    document = json.loads(data)
    assert document["version"] == "2.1.0" and len(document["runs"]) == 1
    return document["runs"][0]


def read_sarif(data):
    run = sarif_run(data)
    numbers = dict(run["properties"]["leftOut"]["never_closed"])
    for result in run["results"]:
        properties = result.get("properties", {})
        if "site" in properties:
            _add(numbers, properties["kind"], properties.get("never_closed", 0))
    return _without_zeros(numbers)


def junit_failures(data):
    """{(classname, name): [texts of failures]} of a JUnit file."""
    root = ElementTree.fromstring(data)
    return {(test.get("classname"), test.get("name")): [failure.text for failure in test.findall("failure")]
            for test in root.iter("testcase")}


def read_junit(data):
    numbers = {}
    for texts in junit_failures(data).values():
        for text in texts:
            for number, kind in re.findall(r"(?m)^(\d+) (\w+?)s? never closed \(", text):
                _add(numbers, kind, int(number))
    return _without_zeros(numbers)


def pprof_sums(data):
    """{kind: {type: sum of values}} of a profile, as go's pprof tells them. "": samples without a kind."""
    with tempfile.NamedTemporaryFile(suffix=".pb.gz") as file:
        file.write(data)
        file.flush()
        raw = subprocess.run([GO, "tool", "pprof", "-raw", file.name], capture_output=True, text=True, timeout=120,
                             check=True, env={**os.environ, "PPROF_TMPDIR": "/tmp"}).stdout
    types = re.search(r"Samples:\n(.*)\n", raw).group(1).split()
    types = [name.split("/")[0] for name in types]
    sums = {}
    samples = raw.split("Samples:\n", 1)[1].split("\nLocations\n", 1)[0].splitlines()[1:]
    for values, labels in zip(samples, samples[1:] + [""]):
        if not re.match(r"^ +\d", values):
            continue
        kind = re.search(r"kind:\[(\w+)\]", labels if re.match(r"^ +\w+:\[", labels) else "")
        into = sums.setdefault(kind.group(1) if kind else "", dict.fromkeys(types, 0))
        for name, value in zip(types, values.split(":")[0].split()):
            into[name] += int(value)
    return sums


def read_pprof(data):
    return _without_zeros({kind: sums["never_closed"] for kind, sums in pprof_sums(data).items()})


def read_speedscope(data):
    document = json.loads(data)
    numbers = {}
    for one in document["profiles"]:
        kind, _, metric = one["name"].partition("s ")
        if metric == "never closed":
            numbers[kind] = sum(one["weights"])
            assert one["endValue"] == numbers[kind] and len(one["samples"]) == len(one["weights"])
    return _without_zeros(numbers)


def database(data):
    """A connection to a database of these bytes."""
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(data)
        file.flush()
        disk, connection = sqlite3.connect(file.name), sqlite3.connect(":memory:")
        disk.backup(connection)
        disk.close()
    return connection


def read_html(data):
    """The data that the page shows."""
    text = re.search(rb'<script type="application/json" id="data">(.*?)</script>', data, re.S).group(1)
    document = json.loads(text)
    numbers = {}
    for site in document["sites"]:
        _add(numbers, site["kind"], site.get("never_closed", 0))
    totals = {kind: total["never_closed"] for kind, total in document["totals"].items()}
    assert _without_zeros(numbers) == _without_zeros(totals), (numbers, totals)
    return _without_zeros(totals)


def read_sqlite(data):
    connection = database(data)
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    totals = connection.execute("select kind, sum(never_closed) from totals group by kind").fetchall()
    sites = connection.execute("select kind, sum(never_closed) from sites group by kind").fetchall()
    connection.close()
    assert _without_zeros(dict(totals)) == _without_zeros(dict(sites)), (totals, sites)
    return _without_zeros(dict(totals))


READERS = {
    "sqlite": read_sqlite,
    "speedscope": read_speedscope,
    "junit": read_junit,
    "sarif": read_sarif,
    "text": read_text,
    "csv": read_csv,
    "folded": read_folded,
    "markdown": read_markdown,
    "openmetrics": read_openmetrics,
}
BINARY = ("pprof", "sqlite")
FILES = ("sqlite",)  # no streams
if "built without" in subprocess.run([CLI, "report", "--format=html", "/nowhere"], capture_output=True, text=True,
                                     check=False).stderr:
    print("skipped: the totals of the page: THIS BUILD HAS NO PAGE, for it had no npm")
else:
    READERS["html"] = read_html
GO = shutil.which("go")
if GO:
    READERS["pprof"] = read_pprof
