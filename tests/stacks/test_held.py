"""Where the holders of sessions are: C programs, refusals, and that nothing is disturbed."""

import os
import shutil
import statistics
import subprocess
import sys
import time
import unittest

import stacks_harness
from stacks_harness import CLI, harness, tool

THREADS = tool("threads")


class Places(stacks_harness.HeldTest):
    """A program whose threads stay where they are."""

    def setUp(self):
        super().setUp()
        self.process = self.traced(THREADS, "places")

    def check_places(self, threads):
        """What is known of tests/stacks/threads.c."""
        expected = {"inside": (True, "inside"), "returned": (False, "leave"),
                    "nested": (True, "deep"), "computing": (True, "computing"),
                    "in_library": (True, "in_library"), "outer": (True, "inlined")}
        for name, (inside, function) in expected.items():
            with self.subTest(name):
                session, = threads[name]
                self.assertEqual(inside, session["now"]["in_function"])
                functions = self.functions(session)
                if inside:
                    self.assertEqual(function, functions[session["now"]["frame"]])
                else:
                    self.assertNotIn(function, functions)
                    self.assertNotIn("frame", session["now"])
                    self.assertEqual(name, functions[session["now"]["caller"]])
                # From where it waits to where threads begin.
                if name != "computing":
                    self.assertIn("stay", functions)
                self.assertIn("run", functions)
                self.assertIn("clone3", functions[-1])
                self.assertLess(functions.index(name), functions.index("run"))

    def test_places(self):
        sessions = self.held(self.process.pid)
        threads = self.by_thread(sessions)
        self.check_places(threads)
        self.assertEqual(9, len(sessions))
        self.assertEqual("has ended", threads["ended"][0]["now"]["problem"])
        self.assertNotIn("in_function", threads["ended"][0]["now"])
        older, younger = threads["again"] # oldest first
        self.assertTrue(older["now"]["in_function"])
        self.assertTrue(older["now"]["again"])
        self.assertTrue(younger["now"]["in_function"])
        self.assertNotIn("again", younger["now"])

    def test_recursion(self):
        """31 calls of one function: each is there."""
        session, = self.by_thread(self.held(self.process.pid))["nested"]
        self.assertEqual(31, self.functions(session).count("deep"))

    def test_text(self):
        text = self.run_held("--stacks", self.process.pid).stdout
        self.assertRegex(text, r"now +still in inside\(\)\n +thread at .*threads\.c:\d+ stay")
        self.assertRegex(text, r"now +leave\(\) has returned; still in returned\(\)\n"
                               r" +thread at .*threads\.c:\d+ stay")
        self.assertRegex(text, r"now +thread ended has ended")
        self.assertRegex(text, r"now +in call_again\(\): that call, or a later one")
        whole = self.run_held("--stacks", "--frames", self.process.pid).stdout
        self.assertIn("clone3", whole)

    def test_without_asking(self):
        """Only --stacks stops anything."""
        command = ["strace", "-f", "-e", "trace=ptrace,process_vm_readv", "-o",
                   os.path.join(self.folder, "calls"), CLI, "held", "--format", "json"]
        for option, expected in (([], 0), (["--stacks"], 1)):
            result = subprocess.run([*command, *option, str(self.process.pid)], check=False,
                                    capture_output=True, text=True, timeout=harness.TIMEOUT)
            self.assertEqual(0, result.returncode, result.stderr)
            with open(os.path.join(self.folder, "calls"), encoding="utf-8") as file:
                self.assertEqual(expected, "PTRACE_SEIZE" in file.read())
            self.assertEqual(expected, '"now"' in result.stdout)

    def test_stopped(self):
        """A process that is stopped can be looked at, and stays stopped."""
        os.kill(self.process.pid, 19)
        state = lambda: harness.status(self.process.pid, "State")[0]  # noqa: E731
        self.assertTrue(harness.wait_until(lambda: state() == "T"))
        self.check_places(self.by_thread(self.held(self.process.pid)))
        time.sleep(0.1)
        self.assertEqual("T", state())
        os.kill(self.process.pid, 18)
        self.assertTrue(harness.wait_until(lambda: state() != "T"))
        self.check_places(self.by_thread(self.held(self.process.pid)))

    def test_traced_by_another(self):
        with subprocess.Popen(["strace", "-f", "-p", str(self.process.pid)],
                              stderr=subprocess.DEVNULL) as strace:
            tracer = lambda: harness.status(self.process.pid, "TracerPid")  # noqa: E731
            self.assertTrue(harness.wait_until(lambda: tracer() != "0"))
            time.sleep(0.3)
            for session in self.held(self.process.pid):
                if session["thread"] != "ended":
                    self.assertEqual(f"is traced by process {strace.pid} (a debugger or strace)",
                                     session["now"]["problem"])
            strace.terminate()
        self.check_places(self.by_thread(self.held(self.process.pid)))

    def test_ended(self):
        """Of what has ended there are no stacks; everything else is told."""
        self.process.kill()
        self.process.wait()
        trace = os.path.join(self.folder, f"threads.{self.process.pid}.trace")
        result = self.run_held("--stacks", trace)
        self.assertIn(f"no current stacks of process {self.process.pid}: it has ended",
                      result.stderr)
        self.assertEqual(self.run_held(trace).stdout, result.stdout)
        self.run_held("--stacks", self.process.pid, status=125)

    @unittest.skipUnless(os.geteuid() == 0, "takes another user")
    def test_no_permission(self):
        """Another user sees the list, and why there is no more."""
        os.chmod(self.folder, 0o755)
        trace = os.path.join(self.folder, f"threads.{self.process.pid}.trace")
        os.chmod(trace, 0o644)
        copy = shutil.copy(CLI, os.path.join(self.folder, "unclosed"))
        result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 copy, "held", "--stacks", trace], capture_output=True, text=True,
                                timeout=harness.TIMEOUT, check=False)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertRegex(result.stderr, "no current stacks: process .* belongs to another user")
        self.assertIn("run this as that user or as root", result.stderr)
        self.assertIn("holds 9 sessions", result.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "takes namespaces")
    def test_deleted(self):
        """A program whose file is gone is unwound from its memory."""
        program = shutil.copy(THREADS, os.path.join(self.folder, "threads"))
        process = self.traced(program, "places")
        os.unlink(program)
        threads = self.by_thread(self.held(process.pid, quiet=False))
        for name in ("inside", "returned", "computing"):
            session, = threads[name]
            self.assertIn("clone3", self.functions(session)[-1])
            self.assertIn("in_function", session["now"])


@unittest.skipUnless(os.geteuid() == 0, "takes namespaces")
class Namespaces(Places):
    """The same in pid and mount namespaces of its own, the program out of reach."""

    def setUp(self):
        stacks_harness.HeldTest.setUp(self)
        self.need_namespaces("--mount", "--pid", "--fork", "--mount-proc")
        inside = os.path.join(self.folder, "inside")
        os.mkdir(inside)
        script = os.path.join(self.folder, "begin.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"mount -t tmpfs none {inside} && cp {THREADS} {inside}/threads && "
                       'exec "$@"\n')
        outer = self.traced(os.path.join(inside, "threads"), "places",
                            prefix=["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child",
                                    "--mount-proc", "/bin/sh", script])
        children = f"/proc/{outer.pid}/task/{outer.pid}/children"
        with open(children, encoding="utf-8") as file:
            pid = int(file.read().split()[0])
        self.assertFalse(os.path.exists(os.path.join(inside, "threads")))
        self.assertNotEqual(str(pid), harness.status(pid, "NSpid").split()[-1])
        self.process = type("Inner", (), {"pid": pid})()

    # Of the process itself, not of where it is:
    test_ended = test_no_permission = test_deleted = test_without_asking = None


class Undisturbed(stacks_harness.HeldTest):
    def test_busy(self):
        """Looked at 200 times, a program finds nothing changed: registers, calls, databases."""
        process = self.traced(THREADS, "busy")
        pauses = []
        looked = 0
        for _ in range(harness.times(200)):
            self.assertIsNone(process.poll(), process.stdout.read() if process.poll() else "")
            for session in self.held(process.pid):
                now = session["now"]
                self.assertNotIn("problem", now)
                if now.get("closed"):
                    continue
                self.assertIn("work", self.functions(session))
                looked += 1
                pauses.append(now["paused"] * 1e6)
        rounds = self.end(process)
        self.assertGreater(looked, harness.times(200) * 7)
        pauses.sort()
        print(f"{looked} sessions looked at, {rounds} rounds fine; a thread stood still for "
              f"{statistics.median(pauses):.0f} us in the middle, 99 of 100 less than "
              f"{pauses[len(pauses) * 99 // 100]:.0f} us, {pauses[-1]:.0f} us at most",
              file=sys.stderr)

    def test_closed_is_not_returned(self):
        """A session closed while it is looked at is never said to be left behind."""
        process = self.traced(THREADS, "busy")
        for _ in range(harness.times(30)):
            for session in self.held(process.pid):
                self.assertNotEqual(False, session["now"].get("in_function"), session)
        self.end(process)

    def test_uninterruptible(self):
        """A thread that cannot be stopped is not waited for, and let go."""
        process = self.traced(THREADS, "vfork", 6)
        self.assertTrue(harness.wait_until(
            lambda: harness.status(process.pid, "State").startswith("D")))
        begin = time.monotonic()
        session, = self.held(process.pid)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertIn("uninterruptible sleep", session["now"]["problem"])
        self.assertEqual("0", harness.status(process.pid, "TracerPid"))
        process.wait(20)
        self.assertIn("ok 0\n", process.stdout.read())


if __name__ == "__main__":
    harness.main()
