"""The lines of docs/ci.md, as they are there, in small projects: one test leaks, and all pass without us."""
import json
import os
import re
import subprocess

import harness

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/ci.md")
LEAKING = 3  # --error-exitcode of the recipes


def recipe(name):
    """The block of docs/ci.md behind <!-- try: NAME -->."""
    with open(DOCS, encoding="utf-8") as file:
        blocks = re.findall(rf"<!-- (?:try: )?{re.escape(name)} -->\n```\w*\n(.*?)```", file.read(),
                            re.S)
    assert len(blocks) == 1, name
    return blocks[0]


PYTHON = """import sqlite3
KEPT = []
def save():
    KEPT.append(sqlite3.connect(":memory:"))
def load():
    sqlite3.connect(":memory:").close()
"""
C = """#include <sqlite3.h>
#include <string.h>
int main(int argc, char **argv)
{
    sqlite3 *db;
    int leak = argc > 1 ? strcmp(argv[1], "leak") == 0 : strstr(argv[0], "leak") != NULL;
    return sqlite3_open(":memory:", &db) || (!leak && sqlite3_close(db));
}
"""


class Recipes(harness.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        os.symlink(harness.CLI, self.path("bin", "unclosed"))
        os.mkdir(self.path("project"))

    def sh(self, script, **env):
        more = {"PATH": self.path("bin") + ":" + harness.PATH, "PYTHONDONTWRITEBYTECODE": "1", **env}
        return subprocess.run(["sh", "-c", script], cwd=self.path("project"),
                              env=self.environment(**more), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=170, check=False)

    def project(self, prepare="", **files):
        for name, text in files.items():
            self.write("project/" + name.replace("__", "/").replace("_dot_", "."), text)
        if prepare:
            result = self.sh(prepare)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def leaks(self, script, site, status=LEAKING, plain=None):
        """The tests pass without us, and with us the status tells of the one leak at `site`."""
        if plain:
            result = self.sh(plain)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        result = self.sh(script)
        text = result.stdout + result.stderr
        self.assertEqual(result.returncode, status, text)
        found = subprocess.run(["find", self.path("project"), "-name", "unclosed.*.trace"],
                               capture_output=True, text=True, check=True).stdout.split()
        report = self.report(*found)
        self.assert_totals(report, opened=2, never_closed=1)
        self.assertEqual([os.path.basename(place[0]) for place in self.sites(report)], [site])
        return text

    def python(self):
        self.project(store_dot_py=PYTHON, test_store_dot_py=(
            "import store, unittest\n"
            "class Store(unittest.TestCase):\n"
            "    def test_save(self):\n        store.save()\n"
            "    def test_load(self):\n        store.load()\n"))

    def test_pytest(self):
        self.python()
        self.leaks(recipe("pytest"), "store.py", plain="python3 -m pytest")

    def test_unittest(self):
        self.python()
        self.leaks(recipe("unittest"), "store.py", plain="python3 -m unittest")

    @harness.needs("cmake")
    def test_ctest(self):
        self.project("cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug && cmake --build build",
                     test_store_dot_c=C, CMakeLists_dot_txt=(
                         "cmake_minimum_required(VERSION 3.18)\nproject(store C)\n"
                         "add_executable(test_store test_store.c)\n"
                         "target_link_libraries(test_store sqlite3)\nenable_testing()\n"
                         "add_test(NAME good COMMAND test_store good)\n"
                         "add_test(NAME leak COMMAND test_store leak)\n"))
        self.leaks(recipe("ctest"), "test_store.c", plain="ctest --test-dir build")
        result = self.sh("unclosed report --group-by test build")
        self.assertIn("1. test_store leak\n", result.stdout)

    def meson(self, more=""):
        self.project("meson setup build", test_store_dot_c=C, meson_dot_build=(
            "project('store', 'c')\n"
            "exe = executable('test_store', 'test_store.c', dependencies: dependency('sqlite3'))\n"
            "test('good', exe, args: ['good'])\ntest('leak', exe, args: ['leak'])\n" + more))

    @harness.needs("meson", "ninja")
    def test_meson(self):
        self.meson()
        text = self.leaks(recipe("meson"), "test_store.c", status=1, plain="meson test -C build")
        self.assertRegex(text, r"good +OK")
        self.assertRegex(text, r"leak +FAIL .*exit status 3")

    @harness.needs("meson", "ninja")
    def test_meson_set_up(self):
        self.meson(recipe("meson.build"))
        text = self.leaks("meson test -C build --setup unclosed", "test_store.c", status=1,
                          plain="meson test -C build")
        self.assertRegex(text, r"leak +FAIL .*exit status 3")

    @harness.needs("make", "gcc")
    def test_make(self):
        self.project(test_store_dot_c=C, Makefile=(
            "CFLAGS = -g\nLDLIBS = -lsqlite3\n"
            "check: test_store\n\t./test_store good\n\t./test_store leak\n"))
        self.leaks(recipe("make"), "test_store.c", plain="make check")

    @harness.needs("automake", "autoconf", "make", "gcc")
    def test_automake(self):
        self.project("autoreconf -i && ./configure CFLAGS=-g && make", store_dot_c=C,
                     configure_dot_ac=("AC_INIT([store], [1])\nAM_INIT_AUTOMAKE([foreign])\n"
                                       "AC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n"),
                     Makefile_dot_am=("check_PROGRAMS = good leak\ngood_SOURCES = store.c\n"
                                      "leak_SOURCES = store.c\nLDADD = -lsqlite3\n"
                                      "TESTS = good leak\n"))
        text = self.leaks(recipe("automake"), "store.c", status=2, plain="make check")
        self.assertIn("PASS: good", text)
        self.assertIn("FAIL: leak", text)

    @harness.needs("prove")
    def test_prove(self):
        self.project(t__store_dot_t=(
            "use Test::More tests => 2;\nuse DBI;\nour @kept;\n"
            "sub start { return DBI->connect('dbi:SQLite:dbname=:memory:') }\n"
            "ok(push @kept, start(), 'save');\n"
            "my $db = start();\nok($db->disconnect, 'load');\n"))
        if self.sh("perl -MDBD::SQLite -e1").returncode:
            self.skipTest("no DBD::SQLite")
        self.leaks(recipe("prove"), "store.t", plain="prove t")

    @harness.needs("rspec")
    def test_rspec(self):
        self.project(spec__store_spec_dot_rb=(
            "require 'sqlite3'\nKEPT = []\nRSpec.describe 'store' do\n"
            "  it('saves') { KEPT << SQLite3::Database.new(':memory:') }\n"
            "  it('loads') { SQLite3::Database.new(':memory:').close }\nend\n"))
        self.leaks(recipe("rspec"), "store_spec.rb", plain="rspec")

    @harness.needs("phpunit")
    def test_phpunit(self):
        self.project(tests__StoreTest_dot_php=(
            "<?php\nfinal class StoreTest extends PHPUnit\\Framework\\TestCase\n{\n"
            "    private static array $kept = [];\n"
            "    public function testSave(): void\n    {\n"
            "        self::$kept[] = new SQLite3(':memory:');\n"
            "        $this->assertNotEmpty(self::$kept);\n    }\n"
            "    public function testLoad(): void\n    {\n"
            "        $db = new SQLite3(':memory:');\n"
            "        $this->assertTrue($db->close());\n    }\n}\n"))
        self.leaks(recipe("phpunit"), "StoreTest.php", plain="phpunit tests")

    def steps(self, name):
        """What a recipe in YAML would run, joined as the code host does."""
        try:
            import yaml
        except ImportError:
            self.skipTest("no python3-yaml")
        return yaml.safe_load(recipe(name))

    def test_actions(self):
        self.python()
        steps = self.steps("actions")["jobs"]["leaks"]["steps"]
        tests = next(step["run"] for step in steps if step.get("name") == "Tests")
        result = self.sh(tests, RUNNER_TEMP=self.path("project"),
                         GITHUB_STEP_SUMMARY=self.path("summary.md"))
        self.assertEqual(result.returncode, LEAKING, result.stderr)
        with open(self.path("project", "unclosed.sarif"), encoding="utf-8") as file:
            results = json.load(file)["runs"][0]["results"]
        self.assertEqual([one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                          for one in results], ["store.py"])
        with open(self.path("summary.md"), encoding="utf-8") as file:
            self.assertIn("store.py:4", file.read())
        uploaded = [step["with"].get("sarif_file") for step in steps if "with" in step]
        self.assertIn("unclosed.sarif", uploaded)

    @harness.needs("jq")
    def test_gitlab(self):
        self.python()
        job = self.steps("gitlab")["leaks"]
        if "junit" not in self.unclosed("report", "--help").stdout:
            self.skipTest("no JUnit yet")
        result = self.sh(job["script"][0])
        self.assertEqual(result.returncode, LEAKING, result.stderr)
        self.assertEqual(self.sh(job["after_script"][0]).returncode, 0)
        with open(self.path("project", "gl-code-quality-report.json"), encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["location"], {"path": "store.py", "lines": {"begin": 4}})
        self.assertEqual(found[0]["description"], "save: 1 of 1 handles never closed")
        self.assertIn(found[0]["severity"], ("info", "minor", "major", "critical", "blocker"))
        self.assertTrue(found[0]["fingerprint"] and found[0]["check_name"])
        reports = job["artifacts"]["reports"]
        self.assertTrue(os.path.exists(self.path("project", reports["junit"])))
        self.assertEqual(reports["codequality"], "gl-code-quality-report.json")

    def test_baseline(self):
        self.python()
        command = "unclosed run --baseline b.json {} -- python3 -m pytest"
        self.assertEqual(self.sh(command.format("--update-baseline")).returncode, 0)
        self.assertEqual(self.sh(command.format("")).returncode, 0)


if __name__ == "__main__":
    harness.main()
