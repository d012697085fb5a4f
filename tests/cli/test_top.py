#!/usr/bin/env python3
"""`unclosed top` as a person sees it: in windows of several sizes, with keys, and without a terminal.

    test_top.py CLI PROGRAMS SOURCES
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from top_harness import CLI, PATIENCE, PYTHON, Terminal, TestCase, line_of

SETTINGS = f"commanded.py:{line_of('python/commanded.py', 'settings')} SettingsTab.render"
ORDERS = f"commanded.py:{line_of('python/commanded.py', 'orders')} 注文一覧"


class Windows(TestCase):
    def test_80_by_24(self):
        service = self.service()
        service.tell("settings 3")
        service.tell("orders 2")
        terminal = self.top(service.pid)
        screen = terminal.wait(r"^> +3 +0 +3 .* SettingsTab\.render")
        rows = self.assert_well_formed(screen, 80, 24)
        self.assertIn("注文一覧", rows[1])
        self.assertRegex(screen, rf"^ unclosed top  python3\.\d+\[{service.pid}\]  traced for .* "
                                 r"every 1\.0 s  \d\d:\d\d:\d\d")
        self.assertRegex(screen, r"(?m)^ held 5 checkouts · opened 6 · released 1$")
        self.assertRegex(screen, r"(?m)^ QueuePool \S+ +4\+6 \[\|+ +5/10\] +5 +0 +\S+$")
        self.assertRegex(screen.split("\n")[-2], r"^h Help q Quit .* / Filter$")

    def test_160_by_50(self):
        service = self.service()
        service.tell("settings 3")
        terminal = self.top(service.pid, 160, 50)
        screen = terminal.wait(r"^> +3 +0 ")
        self.assert_well_formed(screen, 160, 50)
        for title in ("SINCE THE START", "ACQ/S", "RECLAIMED", "FAILED", "HELD SINCE THE START"):
            self.assertIn(title, screen)
        self.assertRegex(screen, r"(?m)^> .*[▂-█]+ ")
        self.assertRegex(screen, r"(?m)^ QueuePool .*[▂-█]+$")

    def test_resized_in_the_middle(self):
        service = self.service()
        service.tell("settings 3")
        service.tell("orders 1")
        terminal = self.top(service.pid, 160, 50)
        terminal.wait(r"RECLAIMED")
        for width, height in ((80, 24), (120, 30), (40, 12), (200, 60), (60, 10)):
            terminal.resize(width, height)
            self.wait_well_formed(terminal, width, height)
        terminal.resize(20, 4)
        terminal.wait(r"^window too small")
        terminal.resize(80, 24)
        self.wait_well_formed(terminal, 80, 24)
        terminal.keys("q")
        terminal.wait(r"^status 0$")

    def test_more_sites_than_rows(self):
        """The selection stays in sight, whatever the window does."""
        terminal = self.top(self.many_sites(40))
        screen = terminal.wait(r" 1-\d+ of 40$")
        fitting = len(self.assert_well_formed(screen, 80, 24))
        terminal.keys(*["Down"] * (fitting + 2))
        screen = terminal.wait(rf" 4-{fitting + 3} of 40$")
        name = re.search(r"^> .* (\S+\.py:\d+ site_\d+)", screen, re.M).group(1)
        terminal.resize(80, 14)
        screen = terminal.wait(rf"\A([^\n]*\n){{13}}h Help")
        self.assertRegex(screen, rf"(?m)^> .*{name}")
        terminal.resize(80, 30)
        self.assertRegex(terminal.wait(r"\A([^\n]*\n){29}h Help"), rf"(?m)^> .*{name}")
        terminal.keys("End")
        self.assertRegex(terminal.wait(r"-40 of 40$"), r"(?m)^> .* site_0\S*\nh Help")
        terminal.keys("PgUp", "Home")
        self.assertRegex(terminal.wait(r" 1-\d+ of 40$"), r"(?m)SITE.*\n> ")

    def many_sites(self, count):
        code = ["import sqlite3, os"]
        code += [f"def site_{i}():\n    return [sqlite3.connect(':memory:') for _ in range({i + 1})]"
                 for i in range(count)]
        code += [f"kept_{i} = site_{i}()" for i in range(count)] + ["os._exit(0)"]
        with open(os.path.join(self.folder, "many.py"), "w", encoding="ascii") as file:
            file.write("\n".join(code))
        subprocess.run([CLI, "run", "-o", "many.trace", "--", PYTHON, "many.py"], cwd=self.folder,
                       capture_output=True, check=True, timeout=60)
        return "many.trace"


class Keys(TestCase):
    def setUp(self):
        super().setUp()
        self.program = self.service()
        self.program.tell("settings 3")
        self.program.tell("orders 2")

    def test_sorting(self):
        terminal = self.top(self.program.pid)
        self.assertEqual(self.names(terminal.wait(r"HELD▼.*\n>.*render"))[:2],
                         [SETTINGS, ORDERS])
        terminal.keys("r")
        screen = terminal.wait(r"HELD▲")
        self.assertLess(screen.index("注文一覧"), screen.index("SettingsTab.render"))
        terminal.keys("S")
        names = self.names(terminal.wait(r"SITE▲"))
        self.assertEqual(names, sorted(names, key=lambda name: int(name.split(":")[1].split()[0])))
        terminal.keys("r")
        self.assertEqual(self.names(terminal.wait(r"SITE▼")), names[::-1])
        for key, title in (("r", "SITE▲"), ("O", "OPENED▼"), ("G", "GROWTH▼"), (">", "OPENED▼"),
                           ("s", "OLDEST▼"), ("Left", "OPENED▼"), ("<", "GROWTH▼"),
                           ("<", "HELD▼"), ("T", "OLDEST▼")):
            terminal.keys(key)
            terminal.wait(title)

    def test_stack_pane_names_frames_as_the_report_does(self):
        terminal = self.top(self.program.pid, 160, 40)
        terminal.wait(r"^> .*render")
        terminal.keys("Tab")
        screen = terminal.wait(r"^── ")
        pane = screen[screen.index("── "):]
        self.assertRegex(pane, r"\A── \S*" + re.escape(SETTINGS) + " ─")
        self.assertIn("session = get_db()", pane)
        report = subprocess.run([CLI, "report", "--format", "json", str(self.program.pid)],
                                capture_output=True, text=True, check=True, timeout=60)
        (site,) = [site for site in json.loads(report.stdout)["sites"]
                   if site["function"] == "SettingsTab.render"]
        for frame in site["frames"]:
            if "commanded.py" in frame.get("file", ""):
                name = f"commanded.py:{frame['line']} {frame['function']}"
                self.assertRegex(pane, rf"(?m)^[> ] #\d+ +{re.escape(name)}$")
        self.assertNotIn("sqlalchemy", pane)
        terminal.keys("a")
        terminal.wait(r"^  #\d+ .*sqlalchemy/")
        terminal.keys("Down")
        terminal.wait(r"^── .*注文一覧 ─")
        terminal.keys("Tab")
        terminal.wait(r"\A(?!(.*\n)*── )")

    def test_page_of_a_site(self):
        terminal = self.top(self.program.pid)
        terminal.keys("Enter")
        screen = terminal.wait(r"^  3 checkouts held")
        self.assertRegex(screen, r"(?m)^  opened 3 · released 0 · reclaimed 0 · longest ")
        self.assertRegex(screen, r"(?m)^  from QueuePool ")
        terminal.keys("End")
        screen = terminal.wait(r"^  held for$")
        self.assertEqual(len(re.findall(r"(?m)^ +[0-9.smh ]+ +tid \d+", screen)), 3, screen)
        terminal.keys("Escape")
        terminal.wait(r"^h Help")

    def test_help(self):
        terminal = self.top(self.program.pid)
        for enter, leave in (("h", "q"), ("?", "h"), ("F1", "Escape")):
            terminal.keys(enter)
            screen = terminal.wait(r"^  Tab +show or hide")
            self.assertIn("its trace is read from outside", screen) # all of it fits
            terminal.keys(leave)
            terminal.wait(r"^h Help")

    def test_filter(self):
        terminal = self.top(self.program.pid)
        terminal.wait(r"注文一覧")
        terminal.keys("/")
        terminal.keys("R", "E", "N", "x", "BSpace")
        screen = terminal.wait(r"^Show sites with: REN ")
        self.assertEqual(len(self.names(screen)), 1, screen)
        terminal.keys("Enter")
        terminal.wait(r"1-1 of 1 found$")
        terminal.keys("/", "q")
        terminal.wait(r"no site's name contains \"RENq\"")
        terminal.keys("Escape")
        terminal.wait(r"注文一覧")
        terminal.keys("/", "注", "Enter")
        self.assertEqual(len(self.names(terminal.wait(r"1-1 of 1 found$"))), 1)
        terminal.keys("Escape")
        terminal.wait(r"SettingsTab")

    def test_freeze(self):
        terminal = self.top(self.program.pid)
        terminal.wait(r"^ held 5 checkouts")
        terminal.keys("Space")
        terminal.wait(r"FROZEN at \d\d:\d\d:\d\d$")
        self.program.tell("settings 2")
        time.sleep(2.5)
        screen = terminal.screen()
        self.assertIn(" held 5 checkouts", screen)
        terminal.keys("j", "Tab") # keys work all the same
        terminal.wait(r"^── .*注文一覧")
        terminal.keys("f")
        terminal.wait(r"^ held 7 checkouts")
        self.assertNotIn("FROZEN", terminal.screen())

    def test_interval(self):
        terminal = self.top(self.program.pid, options="-d 0.5")
        terminal.wait(r"every 500 ms ")
        terminal.keys("+")
        terminal.wait(r"every 1\.0 s ")
        terminal.keys("-", "-", "-", "-")
        terminal.wait(r"every 250 ms ")


class Changes(TestCase):
    def test_growth_and_selection(self):
        service = self.service()
        service.tell("settings 1")
        service.tell("orders 2")
        terminal = self.top(service.pid, options="-d 250ms")
        terminal.wait_for_row(["2", "0", "2", ".*注文一覧"])
        terminal.keys("Down") # the settings
        terminal.wait(r"^> +1 .*render")
        service.tell("settings 4")
        # It has overtaken the other one, and the selection went with it.
        screen = terminal.wait(r"^> +5 +\+4 +5 .*render")
        self.assertRegex(screen, r"SITE *\n>")
        service.tell("close 1")
        terminal.wait(r"^> +4 +\+3 +5 .*render")

    def test_pool_runs_dry(self):
        service = self.service()
        service.tell("orders 10")
        service.tell("wait")
        service.tell("wait")
        terminal = self.top(service.pid, options="-d 250ms")
        terminal.wait(r"^ QueuePool .* \[\|+10/10\] +10 +2 ")
        service.tell("close 2")
        terminal.wait(r"^ QueuePool .* \[\|+ *8/10\] +10 +0 ")

    def test_c_program(self):
        program = self.depot()
        self.assertEqual([program.tell("take") for _ in range(2)], ["held=1\n", "held=2\n"])
        place = f"depots.c:{line_of('depots.c', 'commanded')} commanded"
        terminal = self.top(program.pid, 120, 30, options="-d 250ms")
        terminal.wait(r"^> +2 .* checkout +\S*" + re.escape(place))
        program.tell("take")
        terminal.wait(r"^> +3 +\+1 .* checkout +\S*" + re.escape(place))
        terminal.keys("Tab")
        terminal.wait(r"^> #\d+ +\S*" + re.escape(place))
        self.assertRegex(terminal.screen(), r"(?m)^  #\d+ +\S*depots\.c:\d+ main")
        program.tell("put")
        terminal.wait(r"^> +2 +0 ")

    def test_process_is_killed(self):
        service = self.service()
        service.tell("settings 3")
        terminal = self.top(service.pid, options="-d 250ms")
        terminal.wait(r"^> +3 ")
        os.kill(service.pid, signal.SIGKILL)
        screen = terminal.wait(r"ENDED \(.*\) after ")
        self.assertRegex(screen, r"(?m)^ held at the end 3 checkouts")
        self.assertRegex(screen, r"(?m)^> +3 .*render")
        time.sleep(1)
        self.assertRegex(terminal.screen(), r"(?m)^> +3 .*render")
        terminal.keys("q")
        terminal.wait(r"^status 0$")

    def test_process_exits(self):
        """The interpreter closes everything at its end; what was held up to then stays to be seen."""
        service = self.service()
        service.tell("settings 3")
        terminal = self.top(service.pid, options="-d 250ms")
        terminal.wait(r"^> +3 ")
        service.tell("exit")
        screen = terminal.wait(r"ENDED \(exit 0\) after ")
        self.assertRegex(screen, r"(?m)^ held at the end 3 checkouts")
        self.assertRegex(screen, r"(?m)^> +3 .*render")
        terminal.keys("q")
        terminal.wait(r"^status 0$")

    def test_detached_and_attached_again(self):
        process = subprocess.Popen([PYTHON, self.copy_of_service()], cwd=self.folder, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

        def end():
            process.stdin.close()
            process.wait(PATIENCE)
            process.stdout.close()
        self.addCleanup(end)

        def tell(command):
            process.stdin.write(command + "\n")
            process.stdout.readline()

        def unclosed(*arguments):
            run = subprocess.run([CLI, *arguments], cwd=self.folder, capture_output=True, text=True,
                                 timeout=60)
            if run.returncode == 125 and "ptrace" in run.stderr:
                self.skipTest(run.stderr)
            self.assertEqual(run.returncode, 0, run.stderr)

        process.stdout.readline()
        unclosed("attach", str(process.pid), "-o", "first.trace")
        tell("settings 2")
        terminal = self.top(process.pid, options="-d 250ms")
        terminal.wait(r"^> +2 .*render")
        unclosed("detach", str(process.pid))
        terminal.wait(r"DETACHED after ")
        self.assertRegex(terminal.screen(), r"(?m)^> +2 .*render")
        unclosed("attach", str(process.pid), "-o", "second.trace")
        tell("settings 1")
        terminal.wait(r"traced for (.*\n)*.*> +2 +0 +- .* \(open before the trace began\)\n"
                      r" +1 +\+?[01] +1 .*render")
        unclosed("detach", str(process.pid))


class Ways(TestCase):
    """In and out of the terminal."""

    def setUp(self):
        super().setUp()
        self.program = self.service()
        self.program.tell("settings 3")

    def terminal(self):
        terminal = Terminal(self, 80, 24)
        terminal.type("stty -a > before; clear")
        terminal.wait(r"\A\$\n")
        return terminal

    def run_top(self, terminal):
        terminal.type(f"{CLI} top {self.program.pid}; echo status $?")
        terminal.wait(r"^h Help")

    def pid_of_top(self):
        found = subprocess.run(["pgrep", "-f", f"^{CLI} top {self.program.pid}"], check=True,
                               capture_output=True, text=True)
        return int(found.stdout.split()[0])

    def assert_restored(self, terminal):
        """Nothing of the screen is left, and the terminal's settings are as before."""
        self.assertNotIn("unclosed top  ", terminal.screen())
        terminal.type("stty -a | diff before - && echo restored")
        terminal.wait(r"^restored$")
        self.assertEqual(terminal.tmux("display", "-p", "#{cursor_flag} #{alternate_on}"), "1 0\n")
        terminal.type("clear")
        terminal.wait(r"\A\$\n")

    def test_quit(self):
        terminal = self.terminal()
        for key, status in (("q", 0), ("C-c", 0), ("F10", 0)):
            self.run_top(terminal)
            terminal.keys(key)
            terminal.wait(rf"^status {status}$")
            self.assert_restored(terminal)

    def test_signals(self):
        terminal = self.terminal()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self.run_top(terminal)
            os.kill(self.pid_of_top(), number)
            status = 0 if number == signal.SIGINT else 128 + number
            terminal.wait(rf"^status {status}$")
            self.assert_restored(terminal)

    def test_stopped_and_continued(self):
        terminal = Terminal(self, 80, 24)
        terminal.type("set -m; PS1='$ '; stty -a > before; clear")
        terminal.wait(r"\A\$\n")
        self.run_top(terminal)
        terminal.keys("C-z")
        terminal.wait(r"Stopped|status 148")
        self.assert_restored(terminal)
        terminal.resize(100, 30) # while it is stopped
        terminal.type("fg")
        terminal.wait(r"\A unclosed top (.*\n){29}h Help .*Interval")
        terminal.keys("Tab")
        terminal.wait(r"^── .*render")
        terminal.keys("q")
        terminal.wait(r"\$$")
        self.assertEqual(terminal.tmux("display", "-p", "#{cursor_flag} #{alternate_on}"), "1 0\n")

    def test_terminal_goes_away(self):
        terminal = self.terminal()
        self.run_top(terminal)
        pid = self.pid_of_top()
        terminal.tmux("kill-server")
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_colours(self):
        colour = r"\x1b\[[0-9;]*(3|4|9|10)[0-7][;m]"
        terminal = self.top(self.program.pid)
        self.assertRegex(terminal.wait(r"^h Help") and terminal.screen("-e"), colour)
        terminal.tmux("kill-server")
        for variables in ({"NO_COLOR": "1"}, {"TERM": "vt100"}, {"TERM": "xterm-mono"}):
            terminal = self.top(self.program.pid, **variables)
            terminal.wait(r"^> +3 ")
            screen = terminal.screen("-e")
            self.assertNotRegex(screen, colour, variables)
            self.assertIn("\x1b[7m", screen, variables) # reverse
            terminal.tmux("kill-server")

    def test_ascii(self):
        terminal = self.top(self.program.pid, LANG="C", LC_ALL="C")
        screen = terminal.wait(r"HELDv")
        self.assertTrue(screen.replace("─", "").isascii(), screen)

    def test_process_is_never_stopped(self):
        self.top(self.program.pid, options="-d 100ms")
        states = set()
        for _ in range(2000):
            with open(f"/proc/{self.program.pid}/status", encoding="utf-8") as file:
                text = file.read()
            states.add(re.search(r"^State:\s+(\w)", text, re.M).group(1))
            self.assertIn("\nTracerPid:\t0\n", text)
        self.assertLessEqual(states, {"R", "S", "D"})


class WithoutTerminal(TestCase):
    def run_top(self, *arguments, **others):
        return subprocess.run([CLI, "top", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, cwd=self.folder, **others)

    def test_piped(self):
        service = self.service()
        service.tell("settings 3")
        run = self.run_top(service.pid)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertNotIn("\x1b", run.stdout)
        self.assertRegex(run.stdout, rf"\Aunclosed top: python3\S+\[{service.pid}\] traced for ")
        self.assertRegex(run.stdout, r"(?m)^held 3 checkouts · opened 4 · released 1$")
        self.assertRegex(run.stdout, r"(?m)^ +3 +- +3 .* checkout  \S*" + re.escape(SETTINGS) + "$")
        self.assertRegex(run.stdout, r"(?m)^QueuePool .*3/10\]")

    def test_trace_of_an_ended_process(self):
        service = self.service()
        service.tell("settings 3")
        service.tell("exit")
        service.process.wait(PATIENCE)
        run = self.run_top(service.trace)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn(" ENDED (exit 0) after ", run.stdout)
        self.assertRegex(run.stdout, r"(?m)^ +3 .* " + re.escape(SETTINGS) + "$")

    def test_once(self):
        service = self.service()
        terminal = Terminal(self, 80, 24)
        terminal.type(f"{CLI} top --once {service.pid}; echo status $?")
        self.assertIn("unclosed top: python3", terminal.wait(r"^status 0$"))

    def test_dumb_terminals(self):
        service = self.service()
        for name in ("dumb", "no-such-terminal"):
            terminal = Terminal(self, 80, 24, TERM=name)
            terminal.type(f"clear; {CLI} top {service.pid} | tee out; {CLI} top {service.pid}; "
                          "echo status $?")
            self.assertIn("unclosed top: python3", terminal.wait(r"^status 0$"))
            terminal.tmux("kill-server")

    def test_not_traced(self):
        other = subprocess.Popen(["sleep", "60"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        run = self.run_top(other.pid)
        self.assertEqual((run.returncode, run.stdout), (125, ""))
        self.assertRegex(run.stderr, rf"\Aunclosed: .*not traced.*`unclosed attach {other.pid}`.*\n\Z")

    def test_refused(self):
        with open(os.path.join(self.folder, "text"), "w", encoding="ascii") as file:
            file.write("no trace at all")
        for arguments, words in (((), "no process or trace given"), (("text",), "not a trace"),
                                 (("no-such",), "No such file"), (("-d", "0", "1"), "--interval"),
                                 (("--threshold=x", "1"), "--threshold"),
                                 (("99999999",), "no such process")):
            run = self.run_top(*arguments)
            self.assertEqual((run.returncode, run.stdout), (125, ""), arguments)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
            self.assertIn(words, run.stderr)

    def test_disk_full(self):
        service = self.service()
        with open("/dev/full", "w", encoding="ascii") as full:
            run = subprocess.run([CLI, "top", str(service.pid)], stdout=full, timeout=60,
                                 stderr=subprocess.PIPE, text=True, cwd=self.folder)
        self.assertEqual(run.returncode, 125)
        self.assertIn("No space left", run.stderr)

    def test_threshold(self):
        service = self.service()
        service.tell("settings 3")
        run = self.run_top("--threshold=1h", service.pid)
        self.assertIn("held nothing", run.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
