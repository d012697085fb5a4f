"""What could have had sessions and was not hooked: said first, and a failure where one was asked for.

Truth is what the programs do: each opens a known number of sessions and leaves some open.
"""

import os
import shutil
import subprocess

import harness

PYTHON = "/usr/bin/python3"
LEAK = "import sqlite3; sqlite3.connect(':memory:'); print('opened')"
FAILED = 9


class Blind(harness.TestCase):

    def build(self, source, *flags):
        path = self.path(os.path.splitext(source)[0])
        subprocess.run(["gcc", "-g", "-O2", "-o", path, os.path.join(harness.SOURCES, source),
                        *flags], check=True, capture_output=True)
        return path

    def run_blind(self, command, *options, status=FAILED):
        """Standard error of a run that must end with this status."""
        run = self.unclosed("run", f"--error-exitcode={FAILED}", *options, "--", *command,
                            cwd=self.folder)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr

    def assert_blind(self, command, words, *options):
        """It is said, it fails, and --allow-blind lets it pass without hiding it."""
        said = self.run_blind(command, *options)
        self.assertRegex(said, "unclosed: not seen: .*" + words)
        self.assertNotIn("called none of the traced functions", said)
        self.assertRegex(self.run_blind(command, *options, "--allow-blind", status=0), words)

    def test_nothing_to_see(self):
        """Hooked and never called is seen."""
        for command in ["true"], ["sh", "-c", "true; true"], [PYTHON, "-c", "import sqlite3"]:
            said = self.run_blind(command, status=0)
            self.assertNotIn("not seen", said)
            self.assertIn("called none of the traced functions", said)

    def test_trace_is_removed(self):
        self.assert_blind(["sh", "-c", f"{PYTHON} -c \"{LEAK}\"; rm -f a.trace*"],
                          "its trace was removed or overwritten", "-o", "a.trace")

    def test_no_trace_can_be_written(self):
        code = "import resource, sqlite3, os; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); "
        self.assert_blind([PYTHON, "-c", code + "sqlite3.connect(':memory:'); os._exit(0)"],
                          "no trace could be written: Too many open files; allow more open files")

    def test_own_status_wins(self):
        self.run_blind(["sh", "-c", f"{PYTHON} -c \"{LEAK}\"; rm -f a.trace*; exit 3"], "-o", "a.trace",
                       status=3)

    def test_inlined_pool(self):
        """By DWARF it is known into what."""
        program = self.build("blind.c")
        spec = "acquire blind_get() -> handle; release blind_put(handle)"
        self.assert_blind([program], "blind_get, which --pool names, is inlined in work; mark it",
                          "--pool", spec)
        subprocess.run(["strip", program], check=True)
        self.assert_blind([program], "blind_get, which --pool names, is nowhere", "--pool", spec)

    def test_misspelt_pool(self):
        self.assert_blind(["true"], "pool_gte, which --pool names, is nowhere in it; is the name right",
                          "--pool", "acquire pool_gte() -> handle")

    def test_sqlite_inside(self):
        """A plugin with a hidden SQLite, with and without symbols."""
        plugin = self.path("plugin.so")
        source = self.write("plugin.c", """
            __attribute__((noinline, noipa)) static int sqlite3_open_v2(const char *name)
            { return name[0]; }
            const char *const text =
                "unable to close due to unfinalized statements or unfinished backups";
            int plugged(const char *name) { return sqlite3_open_v2(name); }""")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, source], check=True)
        load = [PYTHON, "-c", f"import ctypes; ctypes.CDLL({plugin!r})"]
        self.assert_blind(load, f"SQLite is inside {plugin}, where no table.*--patch-in {plugin}")
        subprocess.run(["strip", plugin], check=True)
        self.assert_blind(load, f"SQLite is inside {plugin}, which has no symbols")

    def test_static_program(self):
        """One that is executed by the command: blind only if a driver is inside."""
        self.run_blind(["sh", "-c", harness.program("static_true")], status=0)
        source = self.write("driver.c", """
            #include <stdio.h>
            int main(void) { puts("unable to close due to unfinalized statements or unfinished "
                                  "backups"); return 0; }""")
        program = self.path("driver")
        subprocess.run(["gcc", "-O2", "-static", "-o", program, source], check=True)
        words = f"{program}: SQLite is inside it, and it is statically linked"
        self.assert_blind(["sh", "-c", f"{program}; exit 0"], words)
        self.assert_blind([PYTHON, "-c", f"import subprocess; subprocess.run(['{program}'])"], words)
        self.assert_blind(["sh", "-c", "cd /; ./" + os.path.relpath(program, "/") + "; exit 0"], words)

    def test_many_processes_are_one_line(self):
        said = self.run_blind(["sh", "-c", f"for i in 1 2 3 4 5; do {PYTHON} -c \"{LEAK}\"; done;"
                                           " rm -f *.trace"])
        self.assertRegex(said, r"its trace was removed .*\(5 processes\)|\(5 processes\)")
        self.assertEqual(said.count("not seen"), 1, said)

    def test_journal_leaves_nothing(self):
        before = set(os.listdir("/tmp"))
        self.run_blind(["true"], status=0)
        left = [name for name in set(os.listdir("/tmp")) - before if "unclosed-journal" in name]
        self.assertEqual(left, [])

    def test_driver_that_is_not_traced(self):
        """Loaded is a warning only."""
        library = self.path("libclntsh.so.21.1")
        source = self.write("empty.c", "int empty;")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
        said = self.run_blind([PYTHON, "-c", f"import ctypes; ctypes.CDLL({library!r})"], status=0)
        self.assertRegex(said, "warning: .*libclntsh.so.21.1 is loaded, a driver of Oracle that is not")


if __name__ == "__main__":
    assert shutil.which("gcc")
    harness.main()
