"""Looking at a thread that waits in a system call must not end the wait."""

import subprocess
import sys
import time
import unittest

import stacks_harness
from stacks_harness import harness, tool


class Calls(stacks_harness.HeldTest):
    def test_no_early_return(self):
        """Each call three times; see also test_the_check_can_fail in ../attach/test_blocked.py."""
        names = subprocess.run([harness.tool("blocked"), "--list"], capture_output=True, text=True,
                               check=True).stdout.split()
        self.assertGreater(len(names), 45)
        programs = {name: self.traced(harness.tool("blocked"), name,
                                      preload=[tool("libholding.so")]) for name in names}
        for name, process in programs.items():
            with self.subTest(name):
                self.assertTrue(harness.wait_until(lambda pid=process.pid:
                                                   harness.status(pid, "State").startswith("S")))
        time.sleep(0.3)
        for name, process in programs.items():
            for _ in range(3):
                with self.subTest(name):
                    session, = self.held(process.pid)
                    self.assertIn("main", self.functions(session))
                    self.assertNotEqual(True, session["now"].get("in_function"))
        time.sleep(0.3)
        for name, process in programs.items():
            with self.subTest(name):
                self.assertIsNone(process.poll(), process.stdout.read() if process.poll() else "")
        print(f"{len(names)} system calls, looked at three times each: no early return",
              file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
