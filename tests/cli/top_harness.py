"""What the tests of `unclosed top` share: programs that do what they are told, terminals, and what a
good screen is.

Terminals are tmux's, one server for each, without the user's configuration. The command line gives
CLI PROGRAMS SOURCES: the tool, the build folder of tests/programs, and tests/programs itself.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import unittest

CLI, PROGRAMS, SOURCES = (os.path.abspath(path) for path in sys.argv[1:4])
PYTHON = "/usr/bin/python3"
PATIENCE = 40  # seconds, on a busy machine

SPEC = """\
kind depot
acquire depot_get(pool) -> handle
release depot_put(handle)
"""


def line_of(source, marker):
    with open(os.path.join(SOURCES, source), encoding="utf-8") as file:
        (number,) = [n for n, text in enumerate(file, 1)
                     if re.search(rf"(//|#) site: {marker}$", text)]
    return number


def columns(text):
    """That a terminal needs for a text."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c)
               for c in text)


class Program:
    """What is traced: told on its standard input what to do."""

    def __init__(self, test, *command, options=()):
        self.trace = os.path.join(test.folder, "program.trace")
        self.process = subprocess.Popen(
            [CLI, "run", "-f", "-o", self.trace, *options, "--", *command], cwd=test.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            bufsize=1)
        test.addCleanup(self.end)

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        return self.process.stdout.readline()

    @property
    def pid(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return int(file.read().split()[0])


class Terminal:
    """A window with a shell in it, and a command that the shell was told."""

    count = 0

    def __init__(self, test, width, height, **variables):
        self.test = test
        Terminal.count += 1
        self.server = f"terminal-{Terminal.count}"
        self.environment = {"PATH": os.environ["PATH"], "HOME": test.folder, "LANG": "C.UTF-8",
                            "TERM": "screen-256color", "PS1": "$ ", **variables}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        shell = "env -i " + " ".join(f"'{k}={v}'" for k, v in self.environment.items()) + " sh"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), shell)
        test.addCleanup(self.tmux, "kill-server", check=False)
        self.wait(r"^\$$")

    def tmux(self, *arguments, check=True):
        return subprocess.run(["tmux", "-u", "-L", self.server, *arguments], check=check, text=True,
                              capture_output=True, timeout=PATIENCE, cwd=self.test.folder,
                              env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                                   "HOME": self.test.folder,
                                   "TMUX_TMPDIR": self.test.folder}).stdout

    def type(self, text):
        self.tmux("send-keys", "-l", text)
        self.tmux("send-keys", "Enter")

    def keys(self, *keys):
        for key in keys:
            self.tmux("send-keys", key)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, pattern, *options):
        """The screen, as soon as the pattern is on it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            screen = self.screen(*options)
            if re.search(pattern, screen, re.M):
                return screen
            if time.monotonic() > deadline:
                self.test.fail(f"{pattern} is not on the screen:\n{screen.rstrip()}")
            time.sleep(0.05)

    def wait_for_row(self, words):
        """The screen, as soon as there is a line with these words in this order."""
        return self.wait(r"^.*" + r"\s+".join(words) + r".*$")


@unittest.skipUnless(shutil.which("tmux"), "needs tmux")
class TestCase(unittest.TestCase):
    longMessage = True

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="top-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def copy_of_service(self):
        """In the current folder, so that names of sites are short."""
        shutil.copy(os.path.join(SOURCES, "python", "commanded.py"), self.folder)
        return "commanded.py"

    def service(self):
        program = Program(self, PYTHON, self.copy_of_service())
        self.assertEqual(program.process.stdout.readline(), "ready\n")
        return program

    def depot(self):
        with open(os.path.join(self.folder, "depot.spec"), "w", encoding="ascii") as file:
            file.write(SPEC)
        return Program(self, os.path.join(PROGRAMS, "depots"), "commanded",
                       options=["--pool", os.path.join(self.folder, "depot.spec")])

    def top(self, target, width=80, height=24, options="", **variables):
        """A terminal in which top runs; the shell says "status N" when it has ended."""
        terminal = Terminal(self, width, height, **variables)
        terminal.type(f"clear; {CLI} top {options} {target}; echo status $?")
        terminal.wait(r"^ unclosed top ")
        return terminal

    def assert_well_formed(self, screen, width, height):
        """No line is longer than the window, and numbers stand below their titles."""
        lines = screen.split("\n")[:-1]
        self.assertEqual(len(lines), height, screen)
        for line in lines:
            self.assertLessEqual(columns(line), width, screen)
        found = [i for i, line in enumerate(lines) if line.startswith(" HELD")]
        self.assertEqual(len(found), 1, screen)
        titles = found[0]
        at = {m.group(1): (m.start(), m.end()) for m in re.finditer(r"([A-Z/]+)[▼▲]?", lines[titles])}
        rows = [line for line in lines[titles + 1:] if re.match(r"[> ]  +\d", line)]
        self.assertTrue(rows, screen)
        for row in rows:
            for title in set(at) & {"HELD", "GROWTH", "OPENED", "RECLAIMED", "OLDEST"}:
                end = at[title][1]
                self.assertRegex(row[:end], r"[-0-9smhd]$", f"{title}\n{screen}")
                self.assertRegex(row[end:], r"^ ", f"{title}\n{screen}")
            for title in set(at) & {"KIND", "SITE"}:
                self.assertRegex(row[at[title][0] - 1:], r"^ \S", f"{title}\n{screen}")
        return rows

    def wait_well_formed(self, terminal, width, height):
        """After a change of the window, which tmux shows before top has drawn it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                screen = terminal.screen()
                self.assertRegex(screen, r"\nh Help[^\n]*\n\Z")
                return self.assert_well_formed(screen, width, height)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def names(self, screen):
        """Names of the sites in the order of the rows."""
        return re.findall(r"^[> ] +\d+ .* (?:checkout|handle) +(\S.*?) *$", screen, re.M)
