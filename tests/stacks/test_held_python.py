"""Where the holders of sessions are: Python programs."""

import glob
import os
import subprocess
import sys
import unittest

import stacks_harness
from stacks_harness import CLI, harness, tool

PROGRAM = os.path.join(os.environ["E2E_SOURCES"], "python", "holders.py")
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def interpreters():
    """Debian's and those of pyenv."""
    found = ["/usr/bin/python3"]
    for version in VERSIONS:
        found += sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python3")))
    return found


def line_of(text, function):
    """The line with this text in a function of the program."""
    with open(PROGRAM, encoding="utf-8") as file:
        lines = file.read().splitlines()
    begin = next(i for i, line in enumerate(lines) if f"def {function}(" in line)
    return next(i + 1 for i in range(begin, len(lines)) if text in lines[i])


# Thread: whether it is in the function that acquired, its Python frames from the innermost on.
ASLEEP = ("asleep", "time.sleep")
PLACES = {
    "inside": (True, [ASLEEP, ("inside", "asleep()")]),
    "returned": (False, [ASLEEP, ("returned", "asleep()")]),
    "busy": (True, [("busy", "begin immediate")]),
    "suspended": (None, [ASLEEP, ("suspended", "asleep()")]),
    "consumed": (None, [ASLEEP, ("consumed", "asleep()")]),
    "nested": (True, [ASLEEP, ("deep", "asleep()"), ("deep", "return deep(depth - 1)")]),
    "tasks": (None, []),
}


GREENLETS = """
import sqlite3, time
from greenlet import greenlet, getcurrent

def handle():
    connection = sqlite3.connect(":memory:")
    getcurrent().parent.switch()
    connection.close()

def serve():
    connection = sqlite3.connect(":memory:")
    print("ready", flush=True)
    time.sleep(1000)
    connection.close()

first = greenlet(handle)
first.switch()
greenlet(serve).switch()
"""


class Python(stacks_harness.HeldTest):
    def check_places(self, sessions):
        threads = self.by_thread(sessions)
        for name, (inside, frames) in PLACES.items():
            with self.subTest(name):
                session, = threads[name]
                now = session["now"]
                self.assertEqual(inside, now.get("in_function"), now)
                self.assertEqual(inside is None, now.get("suspended", False))
                python = [frame for frame in now["frames"] if frame["language"] == "python"]
                for frame, (function, text) in zip(python, frames):
                    self.assertEqual(function, frame["function"])
                    self.assertEqual(line_of(text, function), frame["line"])
                    self.assertEqual(PROGRAM, frame["file"])
                self.assertEqual("threading.py", os.path.basename(python[-1]["file"]))
                self.assertRegex(self.functions(session)[-1], "clone3?$")
        computing, = threads["computing"]
        self.assertTrue(computing["now"]["in_function"])
        self.assertEqual("computing",
                         self.functions(computing)[computing["now"]["frame"]])
        self.assertEqual("has ended", threads["ended"][0]["now"]["problem"])
        self.assertEqual([True, True, False],
                         [session["now"].get("again", False) for session in threads["again"]])
        busy = self.functions(threads["busy"][0])
        self.assertTrue([name for name in busy if name.startswith("sqlite3_")], busy)
        main, = threads["MainThread"]
        self.assertEqual("<module>", self.functions(main)[main["now"]["frame"]])

    def test_preloaded(self):
        for python in interpreters():
            with self.subTest(python):
                process = self.traced(python, PROGRAM, stdin=subprocess.PIPE)
                self.check_places(self.held(process.pid))
                process.stdin.close()
                self.assertEqual(0, process.wait(harness.TIMEOUT))

    def test_attached(self):
        """The same after an attach; what was held before it has no acquire to be compared with."""
        for python in interpreters():
            with self.subTest(python):
                process = self.start(python, PROGRAM, "wait", stdin=subprocess.PIPE)
                trace = os.path.join(self.folder, f"{process.pid}.trace")
                subprocess.run([CLI, "attach", "-o", trace, str(process.pid)], check=True,
                               capture_output=True, timeout=harness.TIMEOUT)
                process.stdin.write("go\n")
                process.stdin.flush()
                self.await_ready(process)
                self.check_places(self.held(process.pid))
                process.stdin.close()
                self.assertEqual(0, process.wait(harness.TIMEOUT))

    @unittest.skipUnless(os.path.exists("/usr/lib/python3/dist-packages/greenlet"),
                         "python3-greenlet is not installed")
    def test_greenlets(self):
        """A greenlet that is not running has not returned."""
        script = os.path.join(self.folder, "greenlets.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(GREENLETS)
        process = self.traced("/usr/bin/python3", script)
        sessions = {session["function"]: session["now"] for session in self.held(process.pid)}
        self.assertNotIn("in_function", sessions["handle"])
        self.assertNotIn("suspended", sessions["handle"])
        self.assertTrue(sessions["serve"]["in_function"])
        text = self.run_held("--stacks", process.pid).stdout
        self.assertIn("unknown whether handle() has returned", text)

    def test_lines(self):
        """The line of every instruction of some modules is the one that CPython says."""
        dump = """if True:
            import argparse, ast, dis, json.decoder, sys, types, inspect, decimal, textwrap
            import asyncio.base_events, collections, logging, subprocess
            def show(code):
                table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable
                size = len(code.co_code)
                lines = []
                if sys.version_info < (3, 10):
                    starts = dict(dis.findlinestarts(code))
                    line = code.co_firstlineno
                    for at in range(0, size, 2):
                        line = starts.get(at, line)
                        lines.append(line)
                else:
                    lines = [-1] * (size // 2)
                    for begin, end, line in code.co_lines():
                        for at in range(begin, min(end, size), 2):
                            lines[at // 2] = -1 if line is None else line
                print(sys.version_info[1], code.co_firstlineno, size, table.hex() or "-")
                print(*lines, file=sys.stderr)
                for value in code.co_consts:
                    if isinstance(value, types.CodeType):
                        show(value)
            for module in (argparse, ast, inspect, asyncio.base_events, collections, logging,
                           subprocess, textwrap, json.decoder):
                with open(module.__file__) as file:
                    show(compile(file.read(), module.__file__, "exec"))
        """
        for python in interpreters():
            with self.subTest(python):
                said = subprocess.run([python, "-W", "ignore", "-c", dump], capture_output=True,
                                      text=True, timeout=harness.TIMEOUT, check=True)
                seen = subprocess.run([tool("lines")], input=said.stdout, capture_output=True,
                                      text=True, timeout=harness.TIMEOUT, check=True).stdout
                expected = [line.split() for line in said.stderr.splitlines()]
                found = [line.split() for line in seen.splitlines()]
                self.assertGreater(sum(map(len, expected)), 10000)
                self.assertEqual(len(expected), len(found))
                for one, other in zip(expected, found):
                    self.assertEqual(one, other)
                print(f"{python}: {sum(map(len, expected))} instructions", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
