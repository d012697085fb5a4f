"""What the tests of attaching share: starting programs, attaching to them, looking at them after.

Told by the environment (see meson.build): ATTACH_BUILD (build folder of tests/attach),
ATTACH_SCALE (how many times as often loops run; 1 in CI), E2E_CLI and E2E_LIBRARY.
"""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["ATTACH_BUILD"]
SCALE = float(os.environ.get("ATTACH_SCALE", "1"))
AGENT = os.path.join(BUILD, "libagent.so")
INJECTOR = os.path.join(BUILD, "injector")
CLI = os.environ["E2E_CLI"]
HELPER = "unclosed-helper"
TIMEOUT = 60


def tool(name):
    return os.path.join(BUILD, name)


def times(count):
    return max(1, int(count * SCALE))


def threads(pid):
    """Names of the threads of a process."""
    names = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
                    names.append(file.read().strip())
    return names


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
    return None


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class AttachTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="attach-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.count = 0

    def need_namespaces(self, *options):
        """Skips where they cannot be made: in a chroot, or in a container with fewer rights."""
        possible = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True,
                                  check=False)
        if possible.returncode != 0:
            self.skipTest(possible.stderr.strip())

    def start(self, *command, env=None, ready=True, stdin=None):
        """Starts a program that says "ready"; it is killed when the test ends."""
        program = command[0] if os.path.isabs(command[0]) else tool(command[0])
        process = subprocess.Popen([program, *map(str, command[1:])], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=stdin, text=True, bufsize=1,
                                   env=dict(os.environ, **(env or {})), start_new_session=True)
        self.addCleanup(self.kill, process)
        if ready:
            self.await_ready(process)
        return process

    def await_ready(self, process):
        readable, _, _ = select.select([process.stdout], [], [], TIMEOUT)
        line = process.stdout.readline() if readable else ""
        if line.startswith("cannot "):
            raise unittest.SkipTest(line.strip())
        self.assertEqual("ready\n", line)

    @staticmethod
    def kill(process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        for end in (process.stdout, process.stdin):
            if end:
                with contextlib.suppress(BrokenPipeError):
                    end.close()

    def trace(self):
        self.count += 1
        return os.path.join(self.folder, f"trace.{self.count}")

    def inject(self, *arguments, prefix=(), check=True, timeout=TIMEOUT):
        result = subprocess.run([*prefix, INJECTOR, *map(str, arguments)], capture_output=True,
                                text=True, timeout=timeout, check=False)
        if check:
            self.assertEqual(0, result.returncode, result.stderr)
        return result

    def attach(self, pid, check=True, options=(), trace=None, prefix=()):
        return self.inject("attach", pid, AGENT, trace or self.trace(), *options, check=check,
                           prefix=prefix)

    def detach(self, pid, check=True):
        return self.inject("detach", pid, check=check)

    def cli(self, *arguments, status=0, **keywords):
        """Runs the command line in the test's folder. A refusal for the moment is tried again."""
        for _ in range(5):
            result = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True,
                                    cwd=self.folder, timeout=TIMEOUT, check=False, **keywords)
            if status != 0 or not result.stderr.endswith("try again\n"):
                break
            time.sleep(0.2)
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result

    def report(self, trace):
        return json.loads(self.cli("report", "--format", "json", trace).stdout)

    def there_and_back(self, pid):
        """Attaches, looks at the proof that the library left, detaches. Result: the reports."""
        trace = self.trace()
        there = self.attach(pid, trace=trace)
        self.assertEqual(1, self.lines(trace))
        back = self.detach(pid)
        self.assertEqual(2, self.lines(trace))
        self.assert_clean(pid)
        return there.stdout + back.stdout

    @staticmethod
    def lines(path):
        with open(path, encoding="utf-8") as file:
            return len(file.readlines())

    def refused(self, pid, expected, prefix=()):
        """Attaching must fail with one line that holds `expected`."""
        result = self.attach(pid, check=False, prefix=prefix)
        self.assertEqual(1, result.returncode, result.stdout)
        self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        self.assertIn(expected, result.stderr)

    def assert_clean(self, pid):
        """Nothing of ours runs in the process, traces it, or is left mapped but the library."""
        self.assertTrue(wait_until(lambda: HELPER not in threads(pid)), "a helper is left")
        if status(pid, "State").startswith("Z"):
            return # its first thread has left; what it maps is not shown
        self.assertEqual("0", status(pid, "TracerPid"))
        self.assertEqual([], [line for line in self.maps(pid) if self.is_ours(line)])

    @staticmethod
    def maps(pid):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            return file.read().splitlines()

    @staticmethod
    def is_ours(line):
        """Anonymous and executable: the helper's code."""
        return re.match(r"\S+ r-xp 00000000 00:00 0\s*$", line) is not None

    def end(self, process):
        """Ends a victim and returns its number of rounds; it must not have seen anything bad."""
        process.terminate()
        output, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(0, process.returncode, output)
        last = (output.splitlines() or [""])[-1]
        self.assertRegex(last, r"^ok \d+$")
        return int(last.split()[1])


def main():
    unittest.main(verbosity=2)
