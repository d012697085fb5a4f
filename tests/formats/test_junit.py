#!/usr/bin/python3
"""JUnit: names as pytest writes them, the runner's own file, and Jenkins' schema."""

import json
import os
import subprocess
import tarfile
from xml.etree import ElementTree

import formats_harness as harness


def jenkins_schema(test):
    """Path of junit-10.xsd, which pytest's source archive has for tests of its own. Skips the test without it."""
    folder = os.path.join(os.path.dirname(harness.program("x")), "pip")
    path = os.path.join(folder, "junit-10.xsd")
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    try:
        got = subprocess.run(["pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder,
                              "pytest==7.2.1"], capture_output=True, text=True, timeout=240, check=False)
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        test.skipTest(f"pip did not get the source of pytest, which has the schema: {error}")
    if got.returncode != 0:
        test.skipTest(f"pip cannot get the source of pytest, which has the schema: {got.stderr[-300:]}")
    with tarfile.open(os.path.join(folder, "pytest-7.2.1.tar.gz")) as archive:
        (member,) = [member for member in archive if member.name.endswith("/junit-10.xsd")]
        with archive.extractfile(member) as file, open(path, "wb") as out:
            out.write(file.read())
    return path


class Junit(harness.FormatsTestCase):
    def failures(self, *arguments):
        return harness.junit_failures(self.render("junit", *arguments))

    @harness.needs("xmllint")
    def test_schema_of_jenkins(self):
        schema = jenkins_schema(self)

        def status(data):
            return subprocess.run(["xmllint", "--noout", "--schema", schema, "-"], input=data, capture_output=True,
                                  timeout=60, check=False).returncode
        for name, folder in self.traces.items():
            self.assertEqual(status(self.render("junit", folder)), 0, name)
        self.assertNotEqual(status(b"<testsuites><testsuite><case/></testsuite></testsuites>"), 0)

    def test_names_are_those_of_pytest(self):
        """A real pytest writes its own file; every case of ours but the fixture's and the module's is in it."""
        work = self.path("work")
        os.makedirs(os.path.join(work, "sub"))
        with open(os.path.join(work, "sub", "test_some.py"), "w", encoding="utf-8") as file:
            file.write(harness.TESTS + "\nat_import = sqlite3.connect(':memory:')\n"
                       "@pytest.mark.parametrize('x', ['a::b.c/d', 'e]f'])\n"
                       "def test_odd(x):\n    kept.append(sqlite3.connect(':memory:'))\n")
        run = self.unclosed("run", "-o", self.path("t.trace"), "--", harness.PYTHON, "-m", "pytest", "-q", "-p",
                            "no:cacheprovider", "--junitxml", self.path("own.xml"), "sub", cwd=work)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        with open(self.path("own.xml"), "rb") as file:
            own = set(harness.junit_failures(file.read()))
        ours = self.failures(self.path("t.trace"))
        self.assertEqual({case for case in ours if case not in own},
                         {("sub.test_some", "fixture shared"), ("unclosed", "outside-tests")})
        leaking = {case: sum(int(text.split()[0]) for text in texts[0].split("\n") if "never closed" in text)
                   for case, texts in ours.items()}
        self.assertEqual(leaking, {
            ("sub.test_some", "test_leaks[a]"): 1, ("sub.test_some", "test_leaks[<b>&]"): 1,
            ("sub.test_some", "test_odd[a::b.c/d]"): 1, ("sub.test_some", "test_odd[e]f]"): 1,
            ("sub.test_some.TestCase", "test_two"): 2, ("sub.test_some", "fixture shared"): 1,
            ("unclosed", "outside-tests"): 1})

    def test_merge(self):
        """Failures come to the runner's cases, and the numbers of its suites with them."""
        with open(self.path("test_some.py"), "w", encoding="utf-8") as file:
            file.write(harness.TESTS + "\ndef test_fails():\n    kept.append(sqlite3.connect(':memory:'))\n"
                       "    assert 0, '<&>'\n")
        run = self.unclosed("run", "-o", self.path("t.trace"), "--junit-merge", "own.xml", "--", harness.PYTHON,
                            "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "own.xml", "test_some.py")
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        with open(self.path("own.xml"), "rb") as file:
            data = file.read()
        failures = harness.junit_failures(data)
        self.assertEqual({case: len(texts) for case, texts in failures.items()}, {
            ("test_some", "test_clean"): 0, ("test_some", "test_leaks[a]"): 1, ("test_some", "test_leaks[<b>&]"): 1,
            ("test_some.TestCase", "test_two"): 1, ("test_some", "test_fails"): 2,
            ("test_some", "fixture shared"): 1})
        suites = {suite.get("name"): suite for suite in ElementTree.fromstring(data).iter("testsuite")}
        self.assertEqual({name: (suite.get("tests"), suite.get("failures")) for name, suite in suites.items()},
                         {"pytest": ("5", "4"), "unclosed": ("1", "1")})
        self.assertEqual(harness.read_junit(data), {"handle": 6})
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".unclosed")], [])

    def test_merge_refuses_what_is_no_junit(self):
        self.write("not.xml", "no xml")
        self.write("other.xml", "<html/>")
        self.write("entity.xml", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><testsuites>&e;</testsuites>")
        for name, message in (("not.xml", "no XML file"), ("other.xml", "not JUnit's"), ("none.xml", "no XML file")):
            done = self.unclosed("report", "--junit-merge", self.path(name), self.traces["killed"])
            self.assertEqual(done.returncode, 125)
            self.assertIn(message, done.stderr)
        self.unclosed("report", "--junit-merge", self.path("entity.xml"), self.traces["killed"])
        with open(self.path("entity.xml"), encoding="utf-8") as file:
            self.assertNotIn("root:", file.read())

    def test_unittest_and_processes(self):
        ours = self.failures(self.traces["unittest"])
        self.assertEqual(set(ours), {("test_unit.Case", "test_leaks"), ("unclosed", "outside-tests")})
        ((case, texts),) = self.failures(self.traces["killed"]).items()
        self.assertRegex(case[0], "^python3")
        self.assertEqual(len(texts), 1)

    def test_clean_and_not_seen(self):
        self.assertEqual(self.failures(self.traces["clean"]), {("unclosed", "sessions"): []})
        run = self.unclosed("run", "--pool", "acquire nowhere_at_all() -> handle", "--junit", "a.xml", "--",
                            harness.PYTHON, "-c", "import sqlite3")
        self.assertEqual(run.returncode, 0, run.stderr)
        root = ElementTree.parse(self.path("a.xml")).getroot()
        (error,) = root.iter("error")
        self.assertIn("nowhere_at_all", error.text)
        self.assertEqual(root.find("testsuite").get("errors"), "1")

    def test_totals_are_properties(self):
        report = json.loads(self.render("json", self.traces["dry"]))
        root = ElementTree.fromstring(self.render("junit", self.traces["dry"]))
        found = {p.get("name"): int(p.get("value")) for p in root.iter("property")}
        for kind, totals in report["totals"].items():
            self.assertEqual(found[f"unclosed.{kind}s.opened"], totals["opened"])


if __name__ == "__main__":
    harness.main()
