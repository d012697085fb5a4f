#!/usr/bin/python3
"""No text of a traced program, of a file's name or of an argument drives a terminal or forges a
line: whatever unclosed prints, the recorder's own words included.

The check knows nothing of how texts are cleaned: it looks at the bytes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import unittest

import harness

PYTHON = "/usr/bin/python3"
PROGRAM = os.path.join(harness.SOURCES, "python", "hostile_text.py")
sys.path.insert(0, os.path.dirname(PROGRAM))
EVIL = "\x1b]0;t\x07\x1b[31m\r\nFORGED: line\t\u009b31m\u202e\u2028\x7f"


def faults(data):
    """What is wrong with these bytes: a list of words, empty if they are safe to show."""
    found = []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found.append(f"not UTF-8: {data[max(0, error.start - 30):error.end + 10]!r}")
        text = data.decode("utf-8", "replace")
    for at, character in enumerate(text):
        bad = (unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") and character != "\n") \
            or unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI",
                                                        "RLI", "FSI", "PDI")
        if bad:
            found.append(f"{character!r} in {text[max(0, at - 30):at + 10]!r}")
    found += [f"forged: {line!r}" for line in text.splitlines() if line.startswith("FORGED")]
    return found


class Checker(unittest.TestCase):
    def test_finds_what_is_planted(self):
        for data in (b"\x1b[31m", b"a\rb", b"\xc2\x9b", b"\x9b", "\u202e".encode(), b"\x7f",
                     "\u2028".encode(), b"\xff", b"a\nFORGED: x", b"\xed\xa0\x80", b"\t"):
            self.assertTrue(faults(data), data)
        self.assertEqual(faults("plain · grün\n≥ 3 µs\n".encode()), [])


class HostileText(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.work = self.path(f"work{EVIL}")
        os.mkdir(self.work, 0o755)

    def clean(self, data, what, has=None):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        self.assertEqual(faults(data)[:5], [], what)
        if has:
            self.assertIn(has, data.decode(), what)

    def run_bytes(self, *command, env=None, timeout=60):
        return subprocess.run(command, env=self.environment(**(env or {})), cwd=self.work,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              check=False)

    def say(self, *arguments, status=None, env=None):
        result = self.run_bytes(harness.CLI, *arguments, env=env)
        what = f"{arguments[:3]}"
        self.clean(result.stdout, what + " stdout")
        self.clean(result.stderr, what + " stderr")
        if status is not None:
            self.assertEqual(result.returncode, status, result.stderr)
        return result

    def trace_it(self):
        trace = self.path("one.trace")
        result = self.run_bytes(harness.CLI, "run", "--threshold", "0.1s", "-o", trace, "--",
                                PYTHON, PROGRAM, "0.6", f"arg{EVIL}")
        return trace, result

    def test_run_and_hold_log(self):
        trace, result = self.trace_it()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.clean(result.stderr, "run", has="SUMMARY: ")
        self.assertIn(b"still held after", result.stderr)

    def test_reports(self):
        trace, _ = self.trace_it()
        for group in ("site", "file", "thread", "pool", "test"):
            self.say("report", "--group-by", group, trace, status=0)
        self.say("report", "--frames", "-n", "0", trace, status=0)
        self.say("held", trace, status=0)
        self.say("top", "--once", trace, status=0)
        for command in ("report", "held"):
            result = self.say(command, "--format", "json", trace, status=0)
            document = json.loads(result.stdout)
            self.assertIn("FORGED: line", json.dumps(document))
        # A terminal gets colours and nothing else.
        script = self.run_bytes("script", "-qec", f"{harness.CLI} report {trace}", "/dev/null",
                                env={"TERM": "xterm"})
        self.assertIn(b"\x1b[1m", script.stdout)
        plain = re.sub(rb"\x1b\[[0-9]*m", b"", script.stdout.replace(b"\r\n", b"\n"))
        self.assertNotIn(b"\x1b", plain)
        self.assertNotRegex(script.stdout, rb"\x1b\[31m[?]?\s*FORGED")
        self.clean(plain, "terminal")

    def test_recorder(self):
        """Preloaded by hand: the summary, the hold log, to standard error and to a file."""
        log = self.path("log")
        env = {"LD_PRELOAD": harness.LIBRARY, "UNCLOSED_OUTPUT": self.path("%p.trace"),
               "UNCLOSED_THRESHOLD": "0.1s", "UNCLOSED_FOLLOW": f"x{EVIL}",
               "UNCLOSED_POOLS": f"acquire {EVIL}"}
        for more in ({}, {"UNCLOSED_LOG": log}):
            result = self.run_bytes("/usr/bin/env", *(f"{k}={v}" for k, v in {**env, **more}.items()),
                                    PYTHON, PROGRAM, "0.4")
            self.assertEqual(result.returncode, 0)
            data = result.stderr if not more else open(log, "rb").read()
            self.clean(data, f"recorder {more}", has="SUMMARY: ")
        result = self.run_bytes(
            "/usr/bin/env", f"LD_PRELOAD={harness.LIBRARY}",
            f"UNCLOSED_OUTPUT=/nowhere/{EVIL}/%p.trace", PYTHON, PROGRAM, "0")
        self.clean(result.stderr, "no trace", has="no trace file at")

    def test_live(self):
        """attach, held, top, dump and detach of a process whose folder and program have such names."""
        python = os.path.join(self.work, f"py{EVIL}")
        shutil.copy(PYTHON, python)
        with subprocess.Popen([python, PROGRAM, "60", f"x{EVIL}"], cwd=self.work,
                              env=self.environment(PYTHONHOME="/usr"), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            pid = str(process.pid)
            for command in (("attach", pid), ("held", pid), ("held", "--stacks", pid),
                            ("top", "--once", pid), ("report", pid), ("dump", pid),
                            ("detach", pid)):
                self.say(*command)
            process.kill()
            self.clean(process.stderr.read(), "the process's own standard error")

    def test_messages(self):
        """Names of files, options and commands: what is told of them when they are no good."""
        bad = f"bad{EVIL}.trace"
        with open(os.path.join(self.work, bad), "wb") as file:
            file.write(b"garbage")
        other = os.fsencode(os.path.join(self.work, "raw")) + b"\xff\x9b.trace"
        with open(other, "wb") as file:
            file.write(b"garbage")
        for command in ("report", "held"):
            self.say(command, ".")
            self.say(command, bad)
            self.say(command, "nowhere" + bad)
            self.say(command, other)
        self.say("top", "--once", bad)
        # glibc's message, which quotes an option with the newlines that it has.
        self.say("report", "--" + EVIL.replace("\n", ""), ".")
        self.say("report", "--format", EVIL, ".")
        self.say("report", "--group-by", EVIL, ".")
        self.say("report", "-o", f"/nowhere/{EVIL}", self.trace_it()[0])
        self.say("run", "--pool", f"acquire {EVIL}", "--", "true")
        self.say("run", "--pool", f"./{EVIL}.spec", "--", "true")
        self.say("run", "--", f"nosuch{EVIL}")
        self.say("run", "--", self.work)
        self.say("run", "--threshold", EVIL, "--", "true")
        self.say("run", "--log", f"/nowhere/{EVIL}", "--threshold", "1s", "--", "true")
        self.say("run", "-o", f"/nowhere/{EVIL}", "--", PYTHON, PROGRAM, "0")
        self.say("run", "--", PYTHON, PROGRAM, "0", env={"UNCLOSED_THRESHOLD": EVIL})
        self.say("attach", EVIL)
        self.say(EVIL)


if __name__ == "__main__":
    harness.main()
