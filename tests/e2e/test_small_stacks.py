#!/usr/bin/python3
"""Acquires where there is little room: on stacks of coroutines and threads, and on signal stacks.

How much a program needs is measured by itself: what it has not touched is still as it was.
"""

import platform
import unittest

import harness

PROGRAM = harness.program("small_stacks")
SLOTS = "kind slots; acquire slots_get(pool) -> handle; release slots_put(pool, handle)"

MORE_BYTES = 1024  # than without us
THREAD_BYTES = 1024  # variables of the recorder for each thread, which glibc puts on its stack


class SmallStacks(harness.TestCase):
    def run_it(self, how, *words):
        run = self.trace([PROGRAM, *map(str, words)], how=how, pools=[SLOTS])
        self.assertEqual(run.status, 0, run.err)
        return run

    def check_room(self, where, more=MORE_BYTES):
        for before in (0, 1, 50):  # the first acquire of the process, of the stack, a usual one
            with self.subTest(where=where, before=before):
                plain = self.run_it("plain", where, before).sum("used")
                traced = self.run_it("preload", where, before)
                self.assertLessEqual(traced.sum("used"), plain + more, f"plain: {plain}")
                self.assert_totals(traced.report(), "checkout", opened=before + 1,
                                   released=before + 1)

    def test_coroutine(self):
        self.check_room("coroutine")

    def test_thread(self):
        self.check_room("thread", MORE_BYTES + THREAD_BYTES)

    def test_signal_stack(self):
        self.check_room("signal")

    @unittest.skipIf(platform.machine() != "x86_64", "no trap flag")
    def test_handler_at_each_instruction(self):
        """It uses 100 KiB of whatever stack it meets, also where that is one of ours."""
        for where in ("stepping", "stepping_signal"):
            with self.subTest(where=where):
                run = self.run_it("preload", where)
                plain = self.run_it("plain", where)
                steps, without = (int(text.err.split("steps=")[1].split()[0])
                                  for text in (run, plain))
                self.assertGreater(steps, 10 * without)  # it did go through the recorder
                self.assert_totals(run.report(), "checkout", opened=70, released=70)


if __name__ == "__main__":
    harness.main()
