"""The tool is killed at every stage: no target may notice.

strace kills it at its first, second, ... call of ptrace and of pwrite64 (which is how it writes
into the target). The target goes on, and can be attached to again when the helper has gone.
"""

import os
import shutil
import sys
import time
import unittest

import harness

STAGES_MOST = 200


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Killed(harness.AttachTest):
    def kill_at(self, pid, call, number):
        """Result: whether it was killed (else there was no such call any more)."""
        log = os.path.join(self.folder, "strace")
        self.attach(pid, check=False,
                    prefix=("strace", "-f", "-qq", "-o", log, "-e", "trace=" + call, "-e",
                            f"inject={call}:signal=SIGKILL:when={number}"))
        with open(log, encoding="utf-8") as file:
            return "killed by SIGKILL" in file.read()

    def check_after(self, victim):
        """The helper goes away by itself; attaching works again and leaves nothing more behind."""
        self.assertTrue(harness.wait_until(
            lambda: harness.HELPER not in harness.threads(victim.pid), 120)) # it counts its turns
        self.inject("detach", victim.pid, check=False)
        # Killed between its two calls it leaves memory that nobody uses.
        self.left = [line for line in self.maps(victim.pid) if self.is_ours(line)]
        self.there_and_back(victim.pid)

    def assert_clean(self, pid):
        left, self.left = self.left, []
        self.assertLessEqual(len(left), 1)
        ours = self.is_ours
        self.is_ours = lambda line: ours(line) and line not in left
        super().assert_clean(pid)
        self.is_ours = ours

    def every_stage(self, mode, threads, call, step):
        stage = 1
        while True:
            victim = self.start("victim", mode, threads)
            if not self.kill_at(victim.pid, call, stage):
                break
            self.assertIsNone(victim.poll(), f"lost at {call} {stage}")
            time.sleep(0.1)
            if stage % 5 == 1:
                self.check_after(victim)
            self.end(victim)
            self.kill(victim)
            stage += step
            self.assertLess(stage, STAGES_MOST)
        self.end(victim)
        print(f"{mode}, {threads} threads: killed at {(stage - 1) // step} calls of {call}, 0 lost",
              file=sys.stderr, flush=True)

    def test_every_stage(self):
        step = 1 if harness.SCALE > 1 else 8
        for mode, number in (("sleep", 1), ("malloc", 8), ("registers", 1)):
            for call in ("ptrace", "pwrite64"):
                with self.subTest(mode, threads=number, call=call):
                    self.every_stage(mode, number, call, step)


if __name__ == "__main__":
    unittest.main(verbosity=2)
