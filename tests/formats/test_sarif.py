#!/usr/bin/python3
"""SARIF: what code hosts need of it, and what their validator says."""

import json
import os
import re
import stat
import subprocess
import urllib.parse

import formats_harness as harness

OUTSIDE = """
import sqlite3, sys
sys.path.insert(0, {folder!r})
import outside
kept = []
def inside():
    kept.append(outside.get())
inside()
kept.append(sqlite3.connect(":memory:"))  # here
"""


class Sarif(harness.FormatsTestCase):
    def run_of(self, *arguments):
        return harness.sarif_run(self.render("sarif", *arguments))

    def test_validator_of_code_hosts(self):
        folder = harness.npm_package(self, "@microsoft/sarif-multitool-linux")
        tool = os.path.join(folder, "Sarif.Multitool")
        os.chmod(tool, os.stat(tool).st_mode | stat.S_IXUSR)
        for name, traces in self.traces.items():
            with open(self.path(f"{name}.sarif"), "wb") as file:
                file.write(self.render("sarif", "--source-root", harness.SOURCES, traces))

        def complaints(*files):
            done = subprocess.run([tool, "validate", *files, "--rule-kind", "Sarif;Ghas", "--output",
                                   self.path("out.sarif"), "--log", "ForceOverwrite"], capture_output=True,
                                  text=True, timeout=120, check=False, cwd=self.folder)
            self.assertIn("Done.", done.stdout, done.stderr)
            return re.findall(r"(?:error|warning) (?!SARIF2005)[A-Z]+\d+: .*", done.stdout)
        self.assertEqual(complaints(*(self.path(f"{name}.sarif") for name in self.traces)), [])
        # It is not blind: a result without a message, a rule that is not there.
        with open(self.path("killed.sarif"), encoding="utf-8") as file:
            broken = json.load(file)
        broken["runs"][0]["results"] = [{"ruleId": "none", "ruleIndex": 99}]
        with open(self.path("broken.sarif"), "w", encoding="utf-8") as file:
            json.dump(broken, file)
        self.assertNotEqual(complaints(self.path("broken.sarif")), [])

    def test_result(self):
        test = self.path("work")
        os.makedirs(test)
        program = self.write("work/a b.py", "import sqlite3\ndef leak():\n    return sqlite3.connect('x')\n"
                             "kept = [leak() for _ in range(3)]\nimport os; os._exit(0)\n")
        self.trace([harness.PYTHON, program], traces=self.path("t"))
        run = self.run_of("--source-root", self.path("work"), self.path("t"))
        (result,) = run["results"]
        self.assertEqual(result["ruleId"], "left-open")
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        self.assertEqual((rule["id"], rule["defaultConfiguration"]["level"], result["level"]),
                         ("left-open", "error", "error"))
        self.assertTrue(rule["help"]["text"])
        where = result["locations"][0]["physicalLocation"]
        self.assertEqual(where["artifactLocation"], {"uri": "a%20b.py", "uriBaseId": "%SRCROOT%"})
        self.assertIn(where["region"]["startLine"], (3, 4))
        self.assertEqual(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], f"file://{os.path.realpath(test)}/")
        self.assertEqual(len(result["stacks"]), 1)
        (flow,) = result["codeFlows"]
        (thread,) = flow["threadFlows"]
        lines = [location["location"]["physicalLocation"]["region"]["startLine"] for location in thread["locations"]]
        self.assertEqual((lines[0], lines[-1]), (4, 3))  # calls come before what they call
        frames = [f["location"]["physicalLocation"]["region"]["startLine"] for f in result["stacks"][0]["frames"]]
        self.assertEqual(frames, lines[::-1])
        self.assertTrue(result["partialFingerprints"]["primaryLocationLineHash"])
        self.assertEqual(run["automationDetails"]["id"].split("/")[0], "unclosed")
        self.assertTrue(run["invocations"][0]["executionSuccessful"])

    def test_fingerprint_stays_when_lines_move(self):
        code = "import sqlite3\n{}\ndef leak():\n    kept.append(sqlite3.connect('x'))\nkept = []\nleak()\n"
        found = []
        for name, before in (("a", ""), ("b", "# more\n" * 50)):
            program = self.write(f"{name}/app.py", code.format(before))
            self.trace([harness.PYTHON, program], traces=self.path(f"t{name}"))
            (result,) = self.run_of("--source-root", self.path(name), self.path(f"t{name}"))["results"]
            found.append((result["partialFingerprints"], result["locations"][0]["physicalLocation"]["region"]))
        self.assertEqual(found[0][0], found[1][0])
        self.assertNotEqual(found[0][1]["startLine"], found[1][1]["startLine"])

    def test_outside_of_the_root(self):
        """At the first frame inside, or left out and counted."""
        self.write("lib/outside.py", "import sqlite3\ndef get():\n    c = sqlite3.connect('x')\n"
                   "    c.execute('select 1').fetchall()\n    return c\nkept = sqlite3.connect('y')\n")
        program = self.write("app/app.py", OUTSIDE.format(folder=self.path("lib")))
        self.trace([harness.PYTHON, program], traces=self.path("t"))
        run = self.run_of("--source-root", self.path("app"), self.path("t"))
        self.assertEqual({result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                          for result in run["results"]}, {"app.py"})
        self.assertEqual(run["properties"]["leftOut"]["places"], 0)
        run = self.run_of("--source-root", self.path("lib"), self.path("t"))
        left = run["properties"]["leftOut"]
        self.assertEqual((left["places"], left["never_closed"]["handle"]), (1, 1))
        (note,) = [note for note in run["invocations"][0]["toolExecutionNotifications"]
                   if note["descriptor"]["id"] == "outside"]
        self.assertIn("1 place", note["message"]["text"])

    def test_baseline_and_suppressions(self):
        """Known leaks are unchanged, a new one is new, a suppressed one is suppressed."""
        code = ("import sqlite3\nkept = []\ndef old():\n    kept.append(sqlite3.connect('x'))\n"
                "def quiet():\n    kept.append(sqlite3.connect('y'))\nold()\nquiet()\n{}")
        more = "def more():\n    kept.append(sqlite3.connect('z'))\nmore()\n"
        for name, text in (("a", code.format("")), ("b", code.format(more))):
            self.trace([harness.PYTHON, self.write(f"{name}/app.py", text)], traces=self.path(f"t{name}"))
        base = self.path("base.json")
        done = self.unclosed("report", "--baseline", base, "--update-baseline", self.path("ta"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write("quiet.supp", "leak:quiet\n")
        done = self.unclosed("report", "--format=sarif", "--baseline", base, "--suppressions", self.path("quiet.supp"),
                             "--source-root", self.path("b"), self.path("tb"))
        results = {result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: result
                   for result in harness.sarif_run(done.stdout)["results"]}
        self.assertEqual({name: result.get("baselineState") for name, result in results.items()},
                         {"old": "unchanged", "more": "new", "quiet": results["quiet"].get("baselineState")})
        self.assertEqual({name for name, result in results.items() if result.get("suppressions")}, {"quiet"})

    def test_git_root_is_the_default(self):
        self.write("repo/.git/HEAD", "x")
        program = self.write("repo/sub/app.py", "import sqlite3\nkept = sqlite3.connect('x')\n")
        self.trace([harness.PYTHON, program], traces=self.path("t"))
        done = self.unclosed("report", "--format=sarif", self.path("t"), cwd=self.path("repo", "sub"))
        (result,) = harness.sarif_run(done.stdout)["results"]
        self.assertEqual(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "sub/app.py")

    def test_not_seen_is_no_success(self):
        run = self.unclosed("run", "--pool", "acquire nowhere_at_all() -> handle", "--sarif", "a.sarif", "--",
                            harness.PYTHON, "-c", "import sqlite3")
        self.assertEqual(run.returncode, 0, run.stderr)
        with open(self.path("a.sarif"), encoding="utf-8") as file:
            (invocation,) = harness.sarif_run(file.read())["invocations"]
        self.assertFalse(invocation["executionSuccessful"])
        (note,) = invocation["toolExecutionNotifications"]
        self.assertEqual((note["descriptor"]["id"], note["level"]), ("not-seen", "error"))
        self.assertIn("nowhere_at_all", note["message"]["text"])

    def test_hostile(self):
        """Paths are URIs, messages have no placeholders and no links."""
        run = self.run_of("--source-root", "/", self.traces["hostile"])
        self.assertTrue(run["results"])
        for result in run["results"]:
            self.assertNotRegex(result["message"]["text"].replace("{{", "").replace("}}", ""), r"[{}]|\]\(")
            for location in result["locations"]:
                uri = location["physicalLocation"]["artifactLocation"]["uri"]
                self.assertRegex(uri, r"^[A-Za-z0-9._~/%-]+$")
                self.assertTrue(urllib.parse.unquote_to_bytes(uri))

    def test_five_thousand_results(self):
        code = "import sqlite3, os\nkept = []\n" + (
            "for i in range(5100):\n"
            "    exec(compile('kept.append(sqlite3.connect(\":memory:\"))', f'/app/{i}.py', 'exec'))\n"
            "os._exit(0)")
        self.trace([harness.PYTHON, "-c", code], traces=self.path("many"))
        data = self.render("sarif", "--source-root", "/", self.path("many"))
        run = harness.sarif_run(data)
        total = harness.read_json(self.render("json", self.path("many")))["handle"]
        self.assertEqual(len(run["results"]) + run["properties"]["leftOut"]["places"], total)
        self.assertEqual(len(run["results"]), min(5000, total))


if __name__ == "__main__":
    harness.main()
