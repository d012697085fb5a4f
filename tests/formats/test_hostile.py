#!/usr/bin/python3
"""Texts of a trace are texts in every format: nothing that a program calls itself is markup, a formula,
another field, or something that drives a terminal. Each format is read by a parser that is not ours.
"""

import csv
import json
import os
import re
import subprocess
import unicodedata
import unittest
from xml.etree import ElementTree

import formats_harness as harness

# What means something in some format: quotes, separators, markup, entities, formulas, templates.
EVIL = [
    "</script><script>alert(1)</script>", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\uff1d1",
    'a"b,c;d\'e', "a\nb\r\nc", "\t=1", "x}y{z", "a\\b\\", "`code` ``two`` |cell| \\|", "<!--", "]]>",
    "<![CDATA[", "&amp;&#x0;", "*b* _i_ [l](http://x) @octocat #1", "# EOF", "\x1b[31m\x07\x9b",
    "\u202e\u2028\u2029", "\ufffe\uffff", "%s%n", "' OR 1=1; --", "bad\udcff\udcc0\udc80", "a 5", ";x 7",
]

PROGRAM = """
import os, sqlite3, sys, threading
kept = []
evil = {evil!r}
for i, text in enumerate(evil):
    clean = text.replace(chr(0), "").replace("/", "\u2215")
    name = f"/work{{i}}/{{clean}}".encode("utf-8", "surrogatepass" if i % 2 else "surrogateescape")
    code = compile("def leak(n):\\n    import sqlite3\\n    kept.append(sqlite3.connect(n))\\n", os.fsdecode(name),
                   "exec")
    space = {{"kept": kept}}
    exec(code, space)
    function = space["leak"]
    safe = clean.encode("utf-8", "replace").decode()
    function.__code__ = function.__code__.replace(co_name=safe or "x")
    if hasattr(function.__code__, "co_qualname"):
        function.__code__ = function.__code__.replace(co_qualname=safe or "x")
    os.environ["PYTEST_CURRENT_TEST"] = f"test_{{safe}}.py::Test::test[{{safe}}] (call)"
    thread = threading.Thread(target=function, args=(f"{{safe}}{{i}}.db",), name=safe)
    thread.start()
    thread.join()
os._exit(0)
"""


def faults(data, allowed=""):
    """What in these bytes is not UTF-8, or drives a terminal."""
    text = data.decode("utf-8")  # raises
    return [character for character in text if character not in "\n" + allowed
            and (unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
                 or unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE", "PDF"))]


class Hostile(harness.TestCase):
    def setUp(self):
        super().setUp()
        program = self.write("evil.py", PROGRAM.format(evil=EVIL))
        self.trace([harness.PYTHON, program], traces=self.path("t"))
        self.expected = {"handle": len(EVIL)}

    def render(self, form, command="report"):
        """As it is on standard output, and as it is in a file; both are the same."""
        out = self.path("out")
        if form in harness.FILES:
            self.assertEqual(self.unclosed("report", f"--{form}", out, self.path("t")).returncode, 0)
            with open(out, "rb") as file:
                return file.read()
        result = subprocess.run([harness.CLI, command, "--format", form, self.path("t")], cwd=self.folder,
                                env=self.environment(), capture_output=True, timeout=60, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        if command == "report":
            self.assertEqual(self.unclosed("report", f"--{form}", out, self.path("t")).returncode, 0)
            with open(out, "rb") as file:
                data = file.read()
            self.assertEqual(data, result.stdout)
        return result.stdout

    def test_program_is_hostile(self):
        names = [site["file"] for site in json.loads(self.render("json"))["sites"]]
        self.assertEqual(len(set(names)), len(EVIL))
        for sign in ("<script>", "\n", '"', "`", "\x1b", "\u202e", "=cmd", ";"):
            self.assertTrue([name for name in names if sign in name], sign)

    def test_totals_stay(self):
        for form, read in harness.READERS.items():
            with self.subTest(form=form):
                data = self.render(form)
                if form not in harness.BINARY:
                    self.assertEqual(faults(data), [])
                self.assertEqual(read(data), self.expected)

    @unittest.skipIf(not harness.GO, "not installed: go")
    def test_pprof(self):
        with open(self.path("out.pb.gz"), "wb") as file:
            file.write(self.render("pprof"))
        top = subprocess.run([harness.GO, "tool", "pprof", "-tags", self.path("out.pb.gz")], capture_output=True,
                             timeout=60, check=True, env={**os.environ, "PPROF_TMPDIR": self.folder}).stdout
        self.assertEqual(faults(top), [])
        self.assertIn(b"<script>alert(1)<", top)

    def test_speedscope(self):
        document = json.loads(self.render("speedscope"))
        names = [frame["name"] for frame in document["shared"]["frames"]]
        self.assertTrue([name for name in names if '"b,c;d' in name])
        self.assertTrue([name for name in names if name == "a\\b\\"], names)

    def test_junit(self):
        root = ElementTree.fromstring(self.render("junit"))
        self.assertEqual({element.tag for element in root.iter()},
                         {"testsuites", "testsuite", "properties", "property", "testcase", "failure"})
        self.assertTrue([case for case in root.iter("testcase") if "]]>" in case.get("name")])

    def test_csv(self):
        for command in ("report", "held"):
            rows = list(csv.reader(self.render("csv", command).decode().splitlines(True), strict=True))
            self.assertEqual(len(rows), 1 + len(EVIL))
            for row in rows:
                self.assertEqual(len(row), len(rows[0]))
                for cell in row:
                    self.assertNotRegex(cell, r"^[=+@\t\r\uff1d-]")
            self.assertTrue([cell for row in rows for cell in row if cell.startswith("'=cmd")])

    def test_folded(self):
        for line in self.render("folded").decode().splitlines():
            self.assertRegex(line, r"^handles;.* 1$")

    def test_markdown(self):
        html = harness.markdown_html(self.render("markdown"))
        for tag in re.findall(r"<([a-z!/][^>]*)>", html):
            self.assertRegex(tag, r"^/?(h3|table|thead|tbody|tr|td|th|p|code|br)( align=\"\w+\")?( /)?$")
        (sites,) = re.findall(r"(?s)<th[^>]*>what</th>.*?<tbody>(.*)</tbody>", html)
        rows = re.findall(r"(?s)<tr>.*?</tr>", sites)
        self.assertEqual(len(rows), 10)
        for row in rows:
            self.assertEqual(row.count("<td"), 5, row)
            self.assertRegex(re.sub(r"<code>[^<]*</code>", "", row).replace("<br>", ""),
                             r"^[\s\w<>/=\";-]*$")  # all of it was code
        self.assertIn("@octocat", self.unclosed("report", "--format=markdown", "-n", "0", self.path("t")).stdout)

    def test_openmetrics(self):
        families = harness.metric_families(self.render("openmetrics"))
        sites = families["unclosed_site_never_closed"].samples
        self.assertEqual(len(sites), len(EVIL))
        self.assertTrue([sample for sample in sites if 'a"b' in sample.labels["place"]])
        self.assertTrue([sample for sample in sites if "\\b\\" in sample.labels["place"]])


if __name__ == "__main__":
    harness.main()
