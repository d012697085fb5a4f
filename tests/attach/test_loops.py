"""Attaching and detaching again and again: busy programs, fresh ones, every allocator, the recorder
itself. The table is in rows.py; scripts/attach-soak runs it a hundred times as long."""

import sys
import unittest

import harness
import rows


class Loops(harness.AttachTest):
    def run_kind(self, wanted):
        for row in rows.rows():
            if not wanted(row):
                continue
            with self.subTest(row.name):
                result = row.run(self, harness.times(max(2, row.times // 100)))
                self.assertEqual(0, result.lost, result.notes)
                self.assertLess(result.refused, result.times, result.notes)
                print(f"{row.name}: 0 of {result.times} lost, longest pause {result.pause:.1f} ms",
                      file=sys.stderr, flush=True)

    def test_same_process(self):
        self.run_kind(lambda row: row.kind == "loop" and not row.env
                      and row.library == harness.AGENT)

    def test_fresh_processes(self):
        self.run_kind(lambda row: row.kind == "fresh" and not row.env
                      and row.library == harness.AGENT)

    def test_allocators(self):
        self.run_kind(lambda row: row.env)

    def test_recorder(self):
        self.run_kind(lambda row: row.library == rows.RECORDER)

    def test_losses_are_noticed(self):
        """A target that ends by itself, and one that has found something changed, are lost ones."""
        bad = "trap 'echo bad: changed; exit 1' TERM; echo ready; while :; do sleep 0.1; done"
        for script in ("echo ready; sleep 0.01", bad):
            result = rows.Row("fresh", ("/bin/sh", "-c", script), 1).run(self, 2)
            self.assertEqual(2, result.lost)

    def test_pause_when_idle(self):
        row = rows.Row("loop", ("victim", "idle", 8), 5)
        pause = min(row.run(self, 5).pause for _ in range(5))
        print(f"idle, 8 threads: pause {pause:.2f} ms", file=sys.stderr, flush=True)
        self.assertLessEqual(pause, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
