"""Completion in the shells themselves: keys are typed at a terminal, and what the command line became is read.

The shell has a function `unclosed` that prints its arguments, so each case is what the shell would run.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

CLI = os.environ["UNCLOSED_CLI"]
SHELLS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"

# What is typed up to the Tab, and the arguments that are to come of it.
CASES = [
    ("repo", ["report"]),
    ("run --follo", ["run", "--follow="]),
    ("run --follow=no", ["run", "--follow=none"]),
    ("run --follow no", ["run", "--follow", "none"]),
    ("report --format=mark", ["report", "--format=markdown"]),
    ("report --group-by th", ["report", "--group-by", "thread"]),
    ("report uni", ["report", "unique.trace"]),
    ("run --baseline uni", ["run", "--baseline", "unique.trace"]),
    ("run -o x --no-pat", ["run", "-o", "x", "--no-patch"]),
    ("diff --error-e", ["diff", "--error-exitcode="]),
    ("completion fi", ["completion", "fish"]),
    ("attach --durat", ["attach", "--duration="]),
]
# The command of run is completed as if it stood alone: by options of its own.
COMMAND = ("run --follow all -- unclosed repo", ["run", "--follow", "all", "--", "unclosed", "report"])


class Terminal:
    """An interactive shell at a terminal of its own."""

    def __init__(self, shell, folder, script):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin", HOME=folder, TERM="dumb",
                              LANG="C.UTF-8")
            os.execvp(shell, [shell, *SHELLS[shell]])
        for line in script:
            self.type(line + "\n")
        self.type("echo rea''dy\n")
        self.wait(rb"ready\r?\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, pattern, seconds=30):
        give_up = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            left = give_up - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"never seen: {pattern}\n{self.seen.decode(errors='replace')}")
            self.seen += os.read(self.fd, 65536)
        found = re.search(pattern, self.seen)
        self.seen = b""
        return found

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


class Completion(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="completion-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        open(os.path.join(self.folder, "unique.trace"), "w", encoding="ascii").close()

    def script(self, shell):
        result = subprocess.run([CLI, "completion", shell], capture_output=True, check=True)
        self.assertEqual(result.stderr, b"")
        path = os.path.join(self.folder, "script." + shell)
        with open(path, "wb") as file:
            file.write(result.stdout)
        subprocess.run([shell, *([] if shell == "fish" else ["-f"]), "-n", path], check=True)
        return path

    def check(self, shell, prepare, cases):
        terminal = Terminal(shell, self.folder, prepare)
        self.addCleanup(terminal.close)
        for typed, expected in cases:
            with self.subTest(shell=shell, typed=typed):
                terminal.type("unclosed " + typed + "\t")
                time.sleep(0.3)  # a shell throws away what is typed while it completes
                terminal.type("\n")
                found = terminal.wait(rb"\[\[(.*?)\]\]").group(1).decode()
                # A shell may put the "=" there, or wait for it.
                self.assertEqual(found.rstrip("|").rstrip("=").split("|"),
                                 [*expected[:-1], expected[-1].rstrip("=")])

    @unittest.skipUnless(shutil.which("bash"), "no bash")
    def test_bash(self):
        prepare = ["bind 'set bell-style none'", "PS1=", "source " + self.script("bash"),
                   "unclosed() { printf '[''['; printf '%s|' \"$@\"; echo ']'']'; }"]
        self.check("bash", prepare, CASES)
        if os.path.exists(BASH_COMPLETION):
            self.check("bash", ["source " + BASH_COMPLETION] + prepare, [*CASES, COMMAND])

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh(self):
        prepare = ["PS1=; unsetopt zle_bracketed_paste", "autoload -Uz compinit; compinit -u -D",
                   "source " + self.script("zsh"),
                   "unclosed() { printf '[''['; printf '%s|' \"$@\"; echo ']'']' }"]
        self.check("zsh", prepare, [*CASES, COMMAND])

    @unittest.skipUnless(shutil.which("fish"), "no fish")
    def test_fish(self):
        """fish says itself what it would complete."""
        script = self.script("fish")
        for typed, expected in [*CASES, COMMAND]:
            result = subprocess.run(
                ["fish", "--no-config", "-c", f"source {script}; complete -C 'unclosed {typed}'"],
                cwd=self.folder, capture_output=True, text=True, check=True)
            words = [line.split("\t")[0].rstrip("=") for line in result.stdout.splitlines()]
            with self.subTest(typed=typed):
                self.assertEqual(words, [expected[-1].rstrip("=")], result.stdout)

    def test_every_option_is_there(self):
        """What --help lists and what is completed are the same, for each command."""
        with open(self.script("bash"), encoding="ascii") as file:
            script = file.read()
        listed = subprocess.run([CLI, "--help"], capture_output=True, text=True, check=True).stdout
        commands = re.findall(r"^  (\w+)  +\w", listed, re.M)
        self.assertIn("run", commands)
        for command in commands:
            text = subprocess.run([CLI, command, "--help"], capture_output=True, text=True,
                                  check=True).stdout
            part = script.split(f"\n    {command})\n", 1)[1].split(";;\n    ", 1)[0]
            offered = set(re.findall(r"--[\w-]+", part.split("wanting=")[0]))
            flags = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", text, re.M))
            flags |= set(re.findall(r"^ +--[\w=|-]+, (--[\w-]+)", text, re.M))
            self.assertTrue(flags - {"--usage", "--help"} <= offered, (command, flags - offered))
            self.assertIn("--help", offered)

    def test_bad_shell(self):
        result = subprocess.run([CLI, "completion", "tcsh"], capture_output=True, text=True,
                                check=False)
        self.assertEqual((result.returncode, result.stdout), (125, ""))
        self.assertIn("there is bash, zsh and fish", result.stderr)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    sys.exit(not program.result.wasSuccessful())
