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

    def every_stage(self, mode, threads, call, step):
        stage = 1
        victims = []
        while True:
            victim = self.start("victim", mode, threads)
            victims.append(victim)
            if not self.kill_at(victim.pid, call, stage):
                break
            self.assertIsNone(victim.poll(), f"lost at {call} {stage}")
            stage += step
            self.assertLess(stage, STAGES_MOST)
        time.sleep(0.3)
        for victim in victims[:3] + victims[-3:-1]: # and everything is as before
            self.assertTrue(harness.wait_until(
                lambda pid=victim.pid: harness.HELPER not in harness.threads(pid), 30))
            self.inject("detach", victim.pid, check=False)
            self.there_and_back(victim.pid)
        for victim in victims:
            self.end(victim)
        print(f"{mode}, {threads} threads: killed at {len(victims) - 1} calls of {call}, 0 lost",
              file=sys.stderr, flush=True)

    def test_every_stage(self):
        step = 1 if harness.SCALE > 1 else 2
        for mode, number in (("sleep", 1), ("malloc", 8), ("registers", 1)):
            for call in ("ptrace", "pwrite64"):
                with self.subTest(mode, threads=number, call=call):
                    self.every_stage(mode, number, call, step)


if __name__ == "__main__":
    unittest.main(verbosity=2)
