"""Attaching and detaching again and again: busy programs, fresh ones, every allocator.

Each victim checks itself all the time; see victim.c.
"""

import os
import re
import sys
import unittest

import harness

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0")
MODES = ("malloc", "dlopen", "registers", "fork", "vfork", "spawn", "signals", "sleep", "idle",
         "compute")


class Loops(harness.AttachTest):
    def loop(self, process, count):
        """Result: longest pause in ms."""
        result = self.inject("loop", process.pid, harness.AGENT, self.folder, count,
                             timeout=60 + count)
        self.assert_clean(process.pid)
        return float(re.search(r"most ([0-9.]+) ms", result.stdout).group(1))

    def one(self, mode, number, count, env=None):
        victim = self.start("victim", mode, number, env=env)
        pause = self.loop(victim, count)
        rounds = self.end(victim)
        print(f"{mode}, {number} threads{' ' + str(env) if env else ''}: 0 of {count} lost, "
              f"{rounds} rounds, longest pause {pause:.1f} ms", file=sys.stderr, flush=True)

    def fresh(self, mode, number, count, env=None):
        longest = 0.0
        for _ in range(count):
            victim = self.start("victim", mode, number, env=env)
            report = self.there_and_back(victim.pid)
            longest = max([longest, *map(float, re.findall(r"pause ([0-9.]+) ms", report))])
            self.end(victim)
            self.kill(victim)
        print(f"{mode}, {number} threads, fresh{' ' + str(env) if env else ''}: 0 of {count} "
              f"lost, longest pause {longest:.1f} ms", file=sys.stderr, flush=True)

    def test_one_thread(self):
        for mode in MODES:
            with self.subTest(mode):
                self.one(mode, 1, harness.times(10))

    def test_eight_threads(self):
        for mode in MODES:
            with self.subTest(mode):
                self.one(mode, 8, harness.times(10))

    def test_fresh_processes(self):
        for mode in ("malloc", "dlopen", "registers", "fork", "sleep"):
            for number in (1, 4):
                with self.subTest(mode, number=number):
                    self.fresh(mode, number, harness.times(5))

    def test_allocators(self):
        for name in ALLOCATORS:
            path = os.path.join(LIBRARIES, name)
            if not os.path.exists(path):
                continue
            for number in (1, 8):
                with self.subTest(name, number=number):
                    self.fresh("malloc", number, harness.times(3), {"LD_PRELOAD": path})
                    self.one("malloc", number, harness.times(10), {"LD_PRELOAD": path})

    def test_pause_when_idle(self):
        victim = self.start("victim", "idle", 8)
        pause = min(self.loop(victim, 5) for _ in range(5))
        self.end(victim)
        print(f"idle, 8 threads: pause {pause:.2f} ms", file=sys.stderr, flush=True)
        self.assertLessEqual(pause, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
