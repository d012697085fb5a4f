"""Known leaks stay known while the program changes; what is new or worse is found among them.

Each case is a program, in Python and in C, of which one version makes the baseline and the next one
is judged by it.
"""
import json
import os
import re
import subprocess

import harness

FAILED = 9

PYTHON = """import sqlite3
KEEP = []


def keep(db):
    KEEP.append(db)

"""

C = """#include <sqlite3.h>
#include <stdio.h>

static sqlite3 *kept[100];
static int count;
static void keep(sqlite3 *db) { kept[count++] = db; }

"""


class Program:
    """One version of a program: writes its files, says how it is run."""

    def __init__(self, test, language, name="app"):
        self.test, self.language, self.name = test, language, name

    def command(self, body, files=None):
        """body: the main file without what it begins with; files: others, likewise."""
        files = files or {}
        if self.language == "python":
            for name, text in {self.name: body, **files}.items():
                self.test.write(name + ".py", PYTHON + text)
            return ["/usr/bin/python3", "-B", self.name + ".py"]
        sources = [self.test.write(name + ".c", C + text)
                   for name, text in {self.name: body, **files}.items()]
        # Other lines are not other addresses here: -O1 keeps the frames apart all the same.
        subprocess.run(["gcc", "-g", "-O1", "-fno-inline", "-Wno-unused", "-o",
                        self.test.path(self.name), *map(os.path.basename, sources), "-lsqlite3"],
                       check=True, cwd=self.test.folder)
        return ["./" + self.name]


class Baselines(harness.TestCase):
    def judge(self, command, update=False, options=()):
        """Runs with the baseline. Result: status, {change: [(function, file, line)]}, report."""
        self._runs_judged = getattr(self, "_runs_judged", 0) + 1
        report = self.path(f"report{self._runs_judged}.json")
        run = self.trace(command, options=(
            "--baseline", "known.json", *(["--update-baseline"] if update else []),
            "--error-exitcode", str(FAILED), "--write", "json=" + report, *options))
        self.last = run
        if not os.path.exists(report):
            return run.status, {}, {}
        with open(report, encoding="utf-8") as file:
            found = json.load(file)
        changes = {}
        for site in found["sites"]:
            if "baseline" in site:
                changes.setdefault(site["baseline"], []).append(
                    (site["function"], os.path.basename(site["file"]), site["line"]))
        if found.get("baseline", {}).get("gone"):
            changes["gone"] = [site["name"] for site in found["baseline"]["gone"]]
        return run.status, changes, found

    def known(self, command):
        status, _, _ = self.judge(command, update=True)
        self.assertEqual(status, 0, self.last.err)
        status, changes, _ = self.judge(command)
        self.assertEqual((status, set(changes) - {"known"}), (0, set()), self.last.err)
        self.assertTrue(changes.get("known"))

    def passes(self, command, known=1):
        status, changes, _ = self.judge(command)
        self.assertEqual(status, 0, self.last.err)
        self.assertEqual({key: len(value) for key, value in changes.items()}, {"known": known})

    def fails(self, command, **expected):
        """expected: new=[(function, file, line)] ..., all of them but known."""
        status, changes, _ = self.judge(command)
        self.assertEqual(status, FAILED, self.last.err)
        changes.pop("known", None)
        self.assertEqual(changes, expected)
        for function, file, line in expected.get("new", ()):
            self.assertRegex(self.last.err, rf"new +{re.escape(file)}:{line} .*{re.escape(function)}")


def line(text, nth=1, head=PYTHON):
    """Number of the nth line that ends with the mark '# here' or '// here'."""
    lines = [number for number, content in enumerate((head + text).splitlines(), 1)
             if content.endswith("here")]
    return lines[nth - 1]


class Python(Baselines):
    body = ("class Store:\n    def save(self):\n        db = sqlite3.connect(':memory:')\n"
            "        keep(db)\n")
    call = "Store().save()\n"

    def program(self, body, files=None, name="app"):
        return Program(self, "python", name).command(body, files)

    def test_lines_above_and_another_file(self):
        self.known(self.program(self.body + self.call))
        self.passes(self.program("# a line\n" * 50 + self.body + self.call))
        self.passes(self.program("from store import Store\n" + self.call,
                                 {"store": "# and\n" * 3 + self.body}))
        self.assertIn("(sites: 1 known)", self.last.err)

    def test_second_leak_in_the_same_function(self):
        self.known(self.program(self.body + self.call))
        second = self.body + "        other = sqlite3.connect('')  # here\n        keep(other)\n"
        self.fails(self.program(second + self.call), new=[("Store.save", "app.py", line(second))])

    def test_equal_lines(self):
        def body(first, second):
            return ("def save():\n"
                    "    db = sqlite3.connect(':memory:')  # here\n" + f"    {first}\n"
                    "    db = sqlite3.connect(':memory:')  # here\n" + f"    {second}\n"
                    "save()\n")

        leak, close = "keep(db)", "db.close()"
        self.known(self.program(body(leak, close)))
        self.passes(self.program("\n" * 50 + body(leak, close)))
        self.fails(self.program(body(leak, leak)),
                   new=[("save", "app.py", line(body(leak, leak), 2))])
        self.fails(self.program(body(close, leak)),  # mended one, made another
                   new=[("save", "app.py", line(body(leak, leak), 2))], gone=["save"])
        self.known(self.program(body(leak, leak)))
        self.passes(self.program("\n" + body(leak, leak)), known=2)

    def test_one_more_equal_line(self):
        once = "def save():\n    keep(sqlite3.connect(':memory:'))  # here\n"
        twice = once + "    keep(sqlite3.connect(':memory:'))  # here\n"
        self.known(self.program(once + "save()\n"))
        self.fails(self.program(twice + "save()\n"), new=[("save", "app.py", line(twice, 2))])

    def test_mended_by_another_text_while_its_equal_leaks(self):
        before = ("def save():\n    db = sqlite3.connect(':memory:')\n    keep(db)\n"
                  "    db = sqlite3.connect(':memory:')\n    db.close()\nsave()\n")
        after = ("from contextlib import closing\n"
                 "def save():\n    with closing(sqlite3.connect(':memory:')) as db:\n        pass\n"
                 "    db = sqlite3.connect(':memory:')  # here\n    keep(db)\nsave()\n")
        self.known(self.program(before))
        self.fails(self.program(after), new=[("save", "app.py", line(after))], gone=["save"])

    def test_functions_of_one_name(self):
        """An equal line in a function of that name, in another file, while the known one is closed."""
        def body(leaks):
            return self.body if leaks else self.body.replace("keep(db)", "db.close()")

        def program(one, other):
            return self.program("import one, other\none.Store().save()\nother.Store().save()\n",
                                {"one": body(one), "other": body(other)})

        self.known(program(True, False))
        self.passes(program(True, False))
        place = PYTHON.count("\n") + 3
        self.fails(program(False, True), new=[("Store.save", "other.py", place)],
                   gone=["Store.save"])
        self.fails(program(True, True), new=[("Store.save", "other.py", place)])

    def test_lambda(self):
        body = "make = lambda: sqlite3.connect(':memory:').close\n"
        other = "make2 = lambda: sqlite3.connect('').close  # here\n"
        self.known(self.program(body + "keep(make())\n"))
        self.passes(self.program("\n" * 50 + body + "keep(make())\n"))
        self.fails(self.program(body + other + "keep(make())\nkeep(make2())\n"),
                   new=[("<lambda>", "app.py", line(body + other))])
        # An equal one elsewhere, while the known one is not there any more.
        self.fails(self.program("import other\nkeep(other.make())\n", {"other": body}),
                   new=[("<lambda>", "other.py", PYTHON.count("\n") + 1)], gone=["app.<lambda>"])

    def test_main(self):
        body = "def main():\n    keep(sqlite3.connect(':memory:'))  # here\nmain()\n"
        self.known(self.program(body))
        self.passes(self.program("\n" * 50 + body))
        self.fails(self.program(body, name="tool"), new=[("main", "tool.py", line(body))],
                   gone=["app.main"])

    def test_mended_and_another_made(self):
        two = self.body.replace("keep(db)", "db.close()") + (
            "    def load(self):\n        db = sqlite3.connect(':memory:')  # here\n"
            "        keep(db)\n")
        self.known(self.program(self.body + self.call))
        self.fails(self.program(two + self.call + "Store().load()\n"),
                   new=[("Store.load", "app.py", line(two))], gone=["Store.save"])

    def test_worse_is_a_share_or_an_outcome_and_not_a_number(self):
        def body(calls, leaks, refused=False):
            end = "keep((db, db.execute('select 1')))\n" if refused else "keep(db)\n"
            return ("def save(leak):\n    db = sqlite3.connect(':memory:')\n    if leak:\n"
                    f"        {end}    else:\n        db.close()\n"
                    f"for n in range({calls}):\n    save(n < {leaks})\n")

        self.known(self.program(body(10, 2)))
        self.passes(self.program(body(100, 20)))
        status, changes, _ = self.judge(self.program(body(100, 10)))
        self.assertEqual((status, list(changes)), (0, ["better"]))
        status, changes, _ = self.judge(self.program(body(10, 3)))
        self.assertEqual((status, list(changes)), (FAILED, ["worse"]))
        self.assertIn("30 %), was 20 %", self.last.err)

    def test_the_file(self):
        body = ("def b():\n    keep(sqlite3.connect('file:secret.db', uri=True))\n"
                "def a():\n    keep(sqlite3.connect(':memory:'))\nb()\na()\n")
        command = self.program(body)
        self.known(command)
        with open(self.path("known.json"), encoding="ascii") as file:
            text = file.read()
        lines = [entry for entry in text.splitlines() if '"name"' in entry]
        self.assertEqual([json.loads(entry.rstrip(","))["name"] for entry in lines], ["a", "b"])
        self.assertEqual(len(json.loads(text)["sites"]), 2)
        for unwanted in (self.folder, "secret", "memory", "/"):
            self.assertNotIn(unwanted, text)
        os.chmod(self.path("known.json"), 0o640)
        self.judge(command, update=True)
        with open(self.path("known.json"), encoding="ascii") as file:
            self.assertEqual(file.read(), text)  # the same run, the same file
        self.assertEqual(os.stat(self.path("known.json")).st_mode & 0o777, 0o640)

    def test_never_from_a_blind_run(self):
        self.known(self.program(self.body + self.call))
        with open(self.path("known.json"), encoding="ascii") as file:
            before = file.read()
        self.write("driver.c", """
            #include <stdio.h>
            int main(void) { puts("unable to close due to unfinalized statements or unfinished "
                                  "backups"); return 0; }""")
        subprocess.run(["gcc", "-static", "-o", self.path("driver"), self.path("driver.c")],
                       check=True)
        unseen = ["sh", "-c", " ".join(self.program(self.body + self.call)) + "; ./driver; exit 0"]
        nothing = ["true"]
        for command, words in ((unseen, "did not see everything"), (nothing, "nothing was recorded")):
            status, _, _ = self.judge(command, update=True)
            self.assertEqual(status, 125, self.last.err)
            self.assertIn("known.json: is left as it was, because", self.last.err)
            self.assertIn(words, self.last.err)
        with open(self.path("known.json"), encoding="ascii") as file:
            self.assertEqual(file.read(), before)

    def test_report_judges_traces(self):
        run = self.trace(self.program(self.body + self.call))
        update = self.unclosed("report", "--baseline", "b.json", "--update-baseline", run.folder)
        self.assertEqual(update.returncode, 0, update.stderr)
        self.assertEqual(self.unclosed("report", "--baseline", "b.json", run.folder).returncode, 0)
        def states(*options):
            result = self.unclosed("report", "--format", "sarif", *options, run.folder)
            return [one.get("baselineState") for one in json.loads(result.stdout)["runs"][0]["results"]]

        self.assertEqual(states(), [None])
        self.assertEqual(states("--baseline", "b.json"), ["unchanged"])
        self.write("b.json", '{"sites": []}')
        self.assertEqual(states("--baseline", "b.json"), ["new"])
        judged = self.unclosed("report", "--baseline", "b.json", run.folder)
        self.assertEqual(judged.returncode, 1)  # a baseline fails without --error-exitcode, too
        self.assertIn("1 new", judged.stdout)

    def test_bad_files(self):
        command = ["/usr/bin/touch", self.path("ran")]
        os.mkfifo(self.path("fifo"))
        with open(self.path("huge"), "wb") as file:
            file.truncate((64 << 20) + 1)
        good = {"kind": "handle", "name": "a", "code": "", "file": "a.py", "hash": "0" * 16,
                "ordinal": 1, "equals": 1, "outcomes": ["left open"], "share": 1}
        cases = {
            "missing": None, "fifo": None, "huge": None, ".": None,
            "syntax": "{\n\n]", "array": "[]", "deep": "[" * 100000, "number": '{"sites": 3}',
            "twice": '{"sites": [], "sites": []}', "nul": '{"sites": ["\\u0000"]}',
            "no object": '{"sites": [3]}',
            **{f"{key} {value!r}": json.dumps({"sites": [{**good, key: value}]})
               for key, value in (("hash", "xyz"), ("hash", 3), ("ordinal", 0), ("equals", -1),
                                  ("ordinal", 1 << 62), ("share", 101), ("share", 0.5),
                                  ("outcomes", []), ("outcomes", "left open"), ("name", []))},
        }
        for name, text in cases.items():
            with self.subTest(name):
                if text is not None:
                    self.write(name, text)
                run = self.trace(command, options=("--baseline", name))
                self.assertEqual(run.status, 125, run.err)
                self.assertRegex(run.err, r"^unclosed: --baseline .*: .+; .+\n$")
                self.assertFalse(os.path.exists(self.path("ran")))
        self.write("good", json.dumps({"sites": [good]}))
        run = self.trace(command, options=("--baseline", "good"))
        self.assertEqual(run.status, 0, run.err)


class Native(Baselines):
    body = ("void save(void)\n{\n    sqlite3 *db;\n    sqlite3_open(\":memory:\", &db);\n"
            "    keep(db);\n}\n")
    main = "int main(void)\n{\n    save();\n    return 0;\n}\n"

    def program(self, body, files=None, name="app"):
        return Program(self, "c", name).command(body, files)

    def line(self, text, nth=1):
        return line(text, nth, C)

    def test_lines_above_and_another_file(self):
        self.known(self.program(self.body + self.main))
        self.passes(self.program("/* a line */\n" * 50 + self.body + self.main))
        self.passes(self.program("void save(void);\n" + self.main, {"store": "\n\n" + self.body}))

    def test_second_leak_in_the_same_function(self):
        self.known(self.program(self.body + self.main))
        second = self.body.replace("    keep(db);\n", "    keep(db);\n    sqlite3 *other;\n"
                                   "    sqlite3_open(\"\", &other); // here\n    keep(other);\n")
        self.fails(self.program(second + self.main), new=[("save", "app.c", self.line(second))])

    def test_equal_lines(self):
        def body(first, second):
            return ("void save(void)\n{\n    sqlite3 *db;\n"
                    "    sqlite3_open(\":memory:\", &db); // here\n" + f"    {first};\n"
                    "    sqlite3_open(\":memory:\", &db); // here\n" + f"    {second};\n" "}\n" +
                    self.main)

        leak, close = "keep(db)", "sqlite3_close(db)"
        self.known(self.program(body(leak, close)))
        self.passes(self.program("\n" * 50 + body(leak, close)))
        self.fails(self.program(body(leak, leak)),
                   new=[("save", "app.c", self.line(body(leak, leak), 2))])
        self.fails(self.program(body(close, leak)),
                   new=[("save", "app.c", self.line(body(leak, leak), 2))], gone=["save"])

    def test_main(self):
        body = ("int main(void)\n{\n    sqlite3 *db;\n"
                "    sqlite3_open(\":memory:\", &db); // here\n    keep(db);\n    return 0;\n}\n")
        self.known(self.program(body))
        self.passes(self.program("\n" * 50 + body))
        self.fails(self.program(body, name="tool"), new=[("main", "tool.c", self.line(body))],
                   gone=["app.main"])

    def test_mended_and_another_made(self):
        two = self.body.replace("keep(db)", "sqlite3_close(db)") + (
            "void load(void)\n{\n    sqlite3 *db;\n"
            "    sqlite3_open(\":memory:\", &db); // here\n    keep(db);\n}\n")
        self.known(self.program(self.body + self.main))
        self.fails(self.program(two + self.main.replace("save();", "save(); load();")),
                   new=[("load", "app.c", self.line(two))], gone=["save"])

    def test_a_new_outcome_is_worse(self):
        self.known(self.program(self.body + self.main))
        refused = self.body.replace("keep(db);", "sqlite3_stmt *stmt; sqlite3_prepare_v2(db, "
                                    "\"select 1\", -1, &stmt, 0); sqlite3_close(db);")
        status, changes, _ = self.judge(self.program(refused + self.main))
        self.assertEqual((status, list(changes)), (FAILED, ["worse"]), self.last.err)
        self.assertIn("now also close refused", self.last.err)


class Limits(Baselines):
    def setUp(self):
        super().setUp()
        self.write("test_app.py", "import sqlite3, time\nKEEP = []\n"
                   "def test_two():\n"
                   "    KEEP.extend((sqlite3.connect(':memory:'), sqlite3.connect(':memory:')))\n"
                   "def test_one():\n    KEEP.append(sqlite3.connect(':memory:'))\n"
                   "def test_slow():\n    db = sqlite3.connect(':memory:')\n"
                   "    time.sleep(0.3)\n    db.close()\n")
        self.write("run.py", "import os, test_app\nfor name in ('two', 'one', 'slow'):\n"
                   "    os.environ['PYTEST_CURRENT_TEST'] = f'test_app.py::test_{name} (call)'\n"
                   "    getattr(test_app, 'test_' + name)()\n")
        self.run_ = self.trace(["/usr/bin/python3", "-B", "run.py"])
        self.assertEqual(self.run_.status, 0, self.run_.err)

    def judged(self, *options):
        """Exit status, and what was exceeded as (of, name, value, most)."""
        text = self.unclosed("report", *options, self.run_.folder)
        result = self.unclosed("report", "--format", "json", *options, self.run_.folder)
        self.assertEqual(text.returncode, result.returncode)
        report = json.loads(result.stdout)
        self.assertEqual(text.stdout.count("limit: "), len(report["excesses"]), text.stdout)
        self.text = text.stdout
        return result.returncode, [(one.get("of", ""), one.get("name", ""), one["value"],
                                    one["most"]) for one in report["excesses"]]

    def test_sessions(self):
        self.assertEqual(self.judged("--max-sessions", "3"), (0, []))
        self.assertEqual(self.judged("--max-sessions", "2"), (1, [("", "", 3, 2)]))
        self.assertIn("limit: 3 sessions never closed, at most 2 allowed", self.text)
        self.assertEqual(self.judged("--max-sessions", "0", "--error-exitcode", "9"),
                         (9, [("", "", 3, 0)]))
        self.assertEqual(self.judged("--max-sessions", "test:*=2"), (0, []))
        two = ("test", "test_app.py::test_two", 2, 1)
        self.assertEqual(self.judged("--max-sessions", "test:*=1"), (1, [two]))
        self.assertEqual(self.judged("--max-sessions", "test:_one=0"),
                         (1, [("test", "test_app.py::test_one", 1, 0)]))
        self.assertEqual(self.judged("--max-sessions", "pool:*=0"), (0, []))  # there is none

    def test_held(self):
        status, found = self.judged("--max-held", "200ms")
        self.assertEqual((status, len(found)), (1, 1))
        self.assertGreaterEqual(found[0][2], 0.3)
        self.assertEqual(self.judged("--max-held", "1h"), (1, []))  # leaks still fail ...
        self.assertEqual(self.judged("--max-held", "1h", "--max-sessions", "3"), (0, []))

    def test_with_a_baseline(self):
        """What is known may not become too much; what is new fails whatever is allowed."""
        self.unclosed("report", "--baseline", "b", "--update-baseline", self.run_.folder)
        self.assertEqual(self.judged("--baseline", "b", "--max-sessions", "3")[0], 0)
        self.assertEqual(self.judged("--baseline", "b", "--max-sessions", "2")[0], 1)
        self.write("b", '{"sites": []}')
        self.assertEqual(self.judged("--baseline", "b", "--max-sessions", "3")[0], 1)

    def test_pools(self):
        self.write("pool.py", "import sqlalchemy as s\n"
                   "e = s.create_engine('sqlite:///a.db', poolclass=s.pool.QueuePool)\n"
                   "kept = [e.connect() for _ in range(3)]\n")
        run = self.trace(["/usr/bin/python3", "-B", "pool.py"])
        self.assertEqual(run.status, 0, run.err)
        self.run_ = run
        status, found = self.judged("--max-sessions", "pool:Queue*=2")
        self.assertEqual((status, [(one[0], *one[2:]) for one in found]), (1, [("pool", 3, 2)]))
        self.assertEqual(self.judged("--max-sessions", "pool:Queue*=3")[0], 0)
        self.assertEqual(self.judged("--max-sessions", "pool:Null*=1")[0], 0)

    def test_bad_limits(self):
        for option, value in (("sessions", "x"), ("sessions", "-1"), ("sessions", "pool:a"),
                              ("sessions", "test:=1"), ("sessions", "test:a=1s"),
                              ("sessions", "9" * 30), ("held", "3"), ("held", "0"),
                              ("held", "pool:a=3")):
            result = self.unclosed("report", f"--max-{option}", value, self.run_.folder)
            self.assertEqual(result.returncode, 125, (option, value))
            self.assertRegex(result.stderr, rf"^unclosed: --max-{option} '.*': expected ")


class Diffs(Baselines):
    def two(self):
        """Traces and JSON reports of two versions: one site new, gone, worse, better, known each."""
        def body(share, better, last):
            return (f"def worse(n):\n    db = sqlite3.connect('w')\n    keep(db) if n < {share} "
                    "else db.close()\n"
                    f"def better(n):\n    db = sqlite3.connect('b')\n    keep(db) if n < {better} "
                    "else db.close()\n"
                    f"def {last}(n):\n    keep(sqlite3.connect(':memory:'))\n"
                    "def known(n):\n    keep(sqlite3.connect(':memory:'))\n"
                    f"for n in range(4):\n    worse(n); better(n); {last}(n); known(n)\n")

        sides = []
        for name, text in (("old", body(1, 2, "gone")), ("new", body(2, 1, "fresh"))):
            run = self.trace(Program(self, "python").command(text))
            path = self.path(name + ".json")
            result = self.unclosed("report", "--format", "json", "-o", path, run.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            sides.append((run.folder, run.traces[0], path))
        return sides

    def test_each_kind_of_side(self):
        old, new = self.two()
        self.unclosed("report", "--baseline", "known.json", "--update-baseline", old[0])
        expected = {"new": 1, "worse": 1, "better": 1, "known": 1, "gone": 1}
        for before in (*old, "known.json"):
            for after in new:
                with self.subTest(before=before, after=after):
                    result = self.unclosed("diff", "--format", "json", "--error-exitcode", "7",
                                           before, after)
                    self.assertEqual(result.returncode, 7, result.stderr)
                    found = json.loads(result.stdout)
                    self.assertEqual(found["counts"], expected)
                    self.assertEqual({change["change"]: change["name"]
                                      for change in found["changes"]},
                                     {"new": "fresh", "worse": "worse", "better": "better",
                                      "known": "known", "gone": "gone"})
        text = self.unclosed("diff", old[0], new[2])
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("SUMMARY: 1 new, 1 worse, 1 better, 1 known, 1 gone\n", text.stdout)
        self.assertIn("2 of 4 never closed (50 %), was 25 %", text.stdout)
        self.assertNotIn("known(n)", text.stdout)
        same = self.unclosed("diff", "--error-exitcode", "7", new[0], new[2])
        self.assertEqual(same.returncode, 0)
        self.assertIn("SUMMARY: 0 new, 0 worse, 0 better, 4 known, 0 gone\n", same.stdout)

    def test_bad_sides(self):
        self.write("bad.json", "{")
        self.write("not", "neither")
        for sides in (["bad.json", "bad.json"], ["not", "not"], ["missing", "missing"], ["one"],
                      ["a", "b", "c"]):
            result = self.unclosed("diff", *sides)
            self.assertEqual(result.returncode, 125, sides)
            self.assertEqual(result.stdout, "")
            self.assertRegex(result.stderr, r"^unclosed: ")


if __name__ == "__main__":
    harness.main()
