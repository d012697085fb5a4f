"""Things that happen meanwhile: ends, executions, stops, another attach, a vfork that takes long."""

import os
import random
import signal
import sys
import threading
import time
import unittest

import harness


class Events(harness.AttachTest):
    def outcome(self, result):
        """An attach must end by success or by one line."""
        if result.returncode != 0:
            self.assertEqual(1, result.returncode, result.stderr)
            self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        return result.returncode == 0

    def test_target_ends(self):
        count = harness.times(20)
        attached = 0
        for _ in range(count):
            process = self.start("confined", "exit", random.randrange(0, 12000), ready=False)
            attached += self.outcome(self.attach(process.pid, check=False))
            self.assertEqual(7, process.wait(harness.TIMEOUT))
        print(f"target ended meanwhile: {count} times status 7, {attached} attached",
              file=sys.stderr)

    def test_target_executes(self):
        process = self.start("confined", "exec", ready=False)
        count = harness.times(20)
        attached = 0
        for _ in range(count):
            time.sleep(random.random() * 0.02)
            attached += self.outcome(self.attach(process.pid, check=False))
            self.assertIsNone(process.poll())
        print(f"target executed itself meanwhile: {count} tries, {attached} attached",
              file=sys.stderr)

    def test_two_at_once(self):
        for threads in (1, 8):
            process = self.start("victim", "malloc", threads)
            for _ in range(harness.times(5)):
                results = []
                pair = [threading.Thread(target=lambda: results.append(
                    self.attach(process.pid, check=False))) for _ in range(2)]
                for thread in pair:
                    thread.start()
                for thread in pair:
                    thread.join()
                self.assertEqual(1, sum(self.outcome(result) for result in results),
                                 [result.stderr for result in results])
                self.detach(process.pid)
            self.assert_clean(process.pid)
            self.end(process)

    def test_stopped_meanwhile(self):
        process = self.start("victim", "malloc", 4)
        stop = threading.Event()

        def disturb():
            while not stop.is_set():
                process.send_signal(signal.SIGSTOP)
                time.sleep(random.random() * 0.004)
                process.send_signal(signal.SIGCONT)
                time.sleep(random.random() * 0.06)

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            attached = 0
            count = harness.times(20)
            for _ in range(count):
                if self.outcome(self.attach(process.pid, check=False)):
                    attached += 1
                    while self.detach(process.pid, check=False).returncode != 0:
                        pass
        finally:
            stop.set()
            thread.join()
        process.send_signal(signal.SIGCONT)
        self.assert_clean(process.pid)
        self.end(process)
        print(f"stopped and let go on meanwhile: {count} tries, {attached} attached",
              file=sys.stderr)

    def test_vfork_parent(self):
        """A parent in vfork cannot be stopped until its child executes: refused, and let go."""
        process = self.start("victim", "vfork-slow", 1)
        time.sleep(0.2)
        self.refused(process.pid, "no thread of process")
        self.assert_clean(process.pid)
        self.assertTrue(harness.wait_until(
            lambda: harness.status(process.pid, "State").startswith(("S", "R")), 20))
        process.terminate()

    def test_another_build(self):
        """A library of another build is loaded beside the first; the same one is used again."""
        process = self.start("victim", "malloc", 2)
        self.there_and_back(process.pid)
        self.assertIn("(reused)", self.there_and_back(process.pid))
        other = self.inject("attach", process.pid, harness.tool("libagent2.so"), self.trace())
        self.assertNotIn("(reused)", other.stdout)
        self.detach(process.pid)
        libraries = {line.split()[4] for line in self.maps(process.pid) if "libunclosed.so" in line}
        self.assertEqual(2, len(libraries))
        self.end(process)

    def test_dump(self):
        process = self.start("victim", "idle", 1)
        trace = self.trace()
        self.attach(process.pid, trace=trace)
        self.inject("dump", process.pid)
        self.detach(process.pid)
        with open(trace, encoding="utf-8") as file:
            self.assertEqual(["attached", "dumped", "detached"],
                             [line.split()[2] for line in file])
        self.end(process)

    def test_descriptors(self):
        """As many descriptors before as after."""
        process = self.start("victim", "idle", 1)
        before = sorted(os.listdir(f"/proc/{process.pid}/fd"))
        for _ in range(3):
            self.there_and_back(process.pid)
        self.assertEqual(before, sorted(os.listdir(f"/proc/{process.pid}/fd")))
        self.end(process)


if __name__ == "__main__":
    unittest.main(verbosity=2)
