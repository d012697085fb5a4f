"""Attaching to a thread that waits in a system call must not end the wait."""

import subprocess
import sys
import time
import unittest

import harness


class Blocked(harness.AttachTest):
    def test_no_early_return(self):
        names = subprocess.run([harness.tool("blocked"), "--list"], capture_output=True, text=True,
                               check=True).stdout.split()
        self.assertGreater(len(names), 45)
        programs = {name: self.start("blocked", name) for name in names}
        for name, process in programs.items():
            with self.subTest(name):
                self.assertTrue(harness.wait_until(lambda pid=process.pid:
                                                   harness.status(pid, "State").startswith("S")))
        time.sleep(0.3)
        for name, process in programs.items():
            with self.subTest(name):
                self.there_and_back(process.pid)
        time.sleep(0.3)
        for name, process in programs.items():
            with self.subTest(name):
                self.assertIsNone(process.poll(), process.stdout.read() if process.poll() else "")
        print(f"{len(names)} system calls, attached and detached: no early return",
              file=sys.stderr)

    def test_the_check_can_fail(self):
        """A signal with a handler does end these waits: the test would notice."""
        for name in ("epoll_wait", "recv-timed", "semop"):
            process = self.start("blocked", name)
            time.sleep(0.1)
            subprocess.run(["kill", "-STOP", str(process.pid)], check=True)
            subprocess.run(["kill", "-CONT", str(process.pid)], check=True)
            with self.subTest(name):
                self.assertEqual(1, process.wait(10))
                self.assertIn("returned -1 Interrupted", process.stdout.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
