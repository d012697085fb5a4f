#!/usr/bin/python3
"""What a traced process says itself: at exit, on the dump signal, to UNCLOSED_LOG or standard
error; and what `unclosed run`, `held` and `report` print."""

import os
import re
import signal
import time

import harness

OUTCOMES = harness.program("outcomes")
STORM = harness.program("storm")
PYTHON = "/usr/bin/python3"


class AtExit(harness.TestCase):
    def test_summary_on_standard_error(self):
        run = self.trace([OUTCOMES, "leaked", "closed"], how="preload")
        self.assertRegex(run.err, r"\b6\b.*\b3\b")
        self.assertNotIn("unclosed", run.out)

    def test_summary_in_log(self):
        log = self.path("log")
        run = self.trace([OUTCOMES, "leaked"], how="preload", env={"UNCLOSED_LOG": log})
        self.assertEqual(run.err, "")
        with open(log, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"\b3\b")

    def test_silent_without_sessions(self):
        run = self.trace(["/bin/echo", "hello"], how="preload")
        self.assertEqual((run.out, run.err), ("hello\n", ""))

    def test_run_prints_the_report_instead(self):
        run = self.trace([OUTCOMES, "leaked", "some_paths"])
        self.assertEqual(run.err.count("SUMMARY:"), 1)
        last = run.err.rstrip().splitlines()[-1]
        self.assertTrue(last.startswith("SUMMARY: 15 sessions never closed"), last)
        line = harness.line_of("outcomes.c", "some paths")
        self.assertIn(f"outcomes.c:{line}", run.err)
        self.assertRegex(run.err, r"\b12 of 40\b")
        # The source line itself, for it can be read.
        self.assertIn('sqlite3_open(":memory:", &db);', run.err)

    def test_report_of_clean_run(self):
        run = self.trace([OUTCOMES, "closed"])
        self.assertIn("SUMMARY: 0", run.err)
        self.assertEqual(run.status, 0)

    def test_log_of_program_that_closed_its_standard_error(self):
        """Whatever has number 2 then is a file of the program's: nothing may be written there."""
        data = self.path("data")
        run = self.trace([PYTHON, "-c",
                          "import os, sqlite3, sys\n"
                          "kept = sqlite3.connect(':memory:')\n"
                          "os.close(2)\n"
                          f"assert os.open({data!r}, os.O_RDWR | os.O_CREAT) == 2\n"
                          "os._exit(0)"], how="preload")
        self.assertEqual(run.status, 0)
        self.assertEqual(os.path.getsize(data), 0)


class Signal(harness.TestCase):
    def storm(self, **arguments):
        live = self.start([STORM, "4", self.path("tally")], how="preload", **arguments)
        self.eventually(lambda: "storming" in live.text("out"), "storm")
        time.sleep(0.1)
        return live

    def test_dump_signal(self):
        live = self.storm()
        for number in (1, 2, 3):
            os.kill(live.pid, signal.SIGUSR2)
            self.eventually(lambda: live.text("err").count("opened") >= number, "a summary")
        self.assertIsNone(live.process.poll())

    def test_other_signal(self):
        live = self.storm(env={"UNCLOSED_SIGNAL": "SIGURG"})
        os.kill(live.pid, signal.SIGURG)
        self.eventually(lambda: "opened" in live.text("err"), "a summary")
        os.kill(live.pid, signal.SIGUSR2)
        self.assertEqual(live.wait().status, -signal.SIGUSR2)

    def test_no_signal(self):
        live = self.storm(env={"UNCLOSED_SIGNAL": "none"})
        os.kill(live.pid, signal.SIGUSR2)
        self.assertEqual(live.wait().status, -signal.SIGUSR2)

    def test_many_signals(self):
        """A hundred dumps while threads open and close: nothing hangs, nothing is lost."""
        live = self.start([STORM, "4", self.path("tally"), "1"], how="preload",
                          env={"UNCLOSED_LOG": self.path("log")})
        self.eventually(lambda: "storming" in live.text("out"), "storm")
        time.sleep(0.1)
        for _ in range(100):
            os.kill(live.pid, signal.SIGUSR2)
            time.sleep(0.002)
        run = live.wait()
        self.assertEqual(run.status, 0)
        report = run.report()
        totals = report["totals"]["handle"]
        self.assertEqual((totals["opened"], totals["never_closed"]), (totals["released"], 0))

    def test_program_with_its_own_handler(self):
        """A program that uses the signal keeps it: its handler runs, ours does not."""
        script = self.write("own.py", """\
import os, signal, sqlite3, sys
kept = sqlite3.connect(":memory:")
signal.signal(signal.SIGUSR2, lambda *_: print("mine", flush=True))
kept2 = sqlite3.connect(":memory:")
os.kill(os.getpid(), signal.SIGUSR2)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL, flush=True)
os._exit(0)
""")
        run = self.trace([PYTHON, script], how="preload")
        self.assertEqual(run.out, "mine\nTrue\n")
        self.assertLessEqual(run.err.count("opened"), 1)

    def test_child_programs_see_the_default(self):
        """A program executed by the traced one finds signals as the shell left them."""
        command = ["/bin/sh", "-c", "grep -E 'Sig(Ign|Cgt|Blk)' /proc/self/status"]
        self.assert_same_behaviour(command, how="preload", same_error=True)


class Held(harness.TestCase):
    def test_held_by_pid_and_trace(self):
        script = self.write("holds.py", """\
import ctypes, sys, time
library = ctypes.CDLL("libsqlite3.so.0")
handle = ctypes.c_void_p()
for name in (b"first.db", b"second.db"):
    library.sqlite3_open(name, ctypes.byref(handle))
print("holding", flush=True)
time.sleep(60)
""")
        live = self.start([PYTHON, script], how="preload")
        self.eventually(lambda: "holding" in live.text("out"), "holding")
        (trace,) = os.listdir(live.traces_folder)
        for source in (str(live.pid), os.path.join(live.traces_folder, trace)):
            result = self.unclosed("held", source, cwd=live.traces_folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            for name in ("first.db", "second.db"):
                self.assertIn(name, result.stdout)
        os.kill(live.pid, signal.SIGKILL)
        live.wait()
        result = self.unclosed("held", os.path.join(live.traces_folder, trace))
        self.assertIn("first.db", result.stdout)


class Text(harness.TestCase):
    """The text report, the same facts as in JSON."""

    def test_groups_and_limits(self):
        run = self.trace([OUTCOMES, "all"])
        sites = len(self.sites(run.report()))
        self.assertGreater(sites, 10)
        text = self.unclosed("report", run.folder).stdout
        self.assertRegex(text, rf"{sites - 10} more sites")
        self.assertIn("SUMMARY:", text.rstrip().splitlines()[-1])
        everything = self.unclosed("report", "-n", "0", run.folder).stdout
        self.assertNotIn("more sites", everything)
        for place in self.sites(run.report()):
            self.assertIn(f"outcomes.c:{place[1]}", everything)
        three = self.unclosed("report", "-n", "3", run.folder).stdout
        self.assertRegex(three, rf"{sites - 3} more sites")
        for group in ("site", "file", "thread", "pool"):
            result = self.unclosed("report", "--group-by", group, run.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("outcomes", result.stdout)
        self.assertEqual(self.unclosed("report", "--group-by", "moon", run.folder).returncode, 125)

    def test_no_colour_unless_on_a_terminal(self):
        run = self.trace([OUTCOMES, "leaked"])
        self.assertNotIn("\033", self.unclosed("report", run.folder).stdout + run.err)

    def test_threshold(self):
        script = self.write("late.py", """\
import ctypes, time
library = ctypes.CDLL("libsqlite3.so.0")
for seconds in (0, 0.3):
    handle = ctypes.c_void_p()
    library.sqlite3_open(b":memory:", ctypes.byref(handle))
    time.sleep(seconds)
    library.sqlite3_close(handle)
""")
        run = self.trace([PYTHON, script], options=["--threshold", "100ms"])
        self.assertRegex(run.err, r"(?i)late|longer|held")
        report = run.report("--threshold", "100ms")
        self.assertEqual(re.findall(r"'late': (\d+)", str(report["sites"])), ["1"])


if __name__ == "__main__":
    harness.main()
