"""Calls of every shape in an attached program, and threads inside of wrapped calls while it is
attached to and detached from: exceptions, exact counts, and slots that somebody else has changed.
The program is host.cc.
"""

import os
import random
import subprocess
import sys
import time
import unittest

import harness

PLUGINS = os.path.join(os.path.dirname(harness.BUILD), "programs", "plugins")
POOL = ("kind shapes; acquire shapes_get_many(pool) -> handle;"
        "acquire shapes_get_struct(pool) -> handle; acquire shapes_get_or_throw(pool) -> handle;"
        "acquire shapes_get_slowly(pool) -> handle; release shapes_put(pool, handle)")
RESULTS_UNTRACED = 1 # per round: shapes_get_result gives its handle inside a struct


class Host(harness.AttachTest):
    def host(self, *plugins):
        process = subprocess.Popen(
            [harness.tool("host"), *(os.path.join(PLUGINS, name + ".so") for name in plugins)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            bufsize=1, cwd=self.folder)
        self.addCleanup(self.kill, process)
        self.await_ready(process)
        return process

    def ask(self, process, order):
        process.stdin.write(order + "\n")
        line = process.stdout.readline().strip()
        self.assertTrue(line, f"died of {order}: {process.poll()}")
        return line

    def counts(self, process, order):
        """What the program counted while it did that; nothing may have been bad."""
        counts = {name: int(value) for name, value in
                  (word.split("=") for word in self.ask(process, order).split())}
        self.assertEqual(0, counts["bad"])
        return counts

    def begin(self, process, name):
        self.cli("attach", process.pid, "-o", name, "--pool", POOL)

    def finish(self, process, name):
        """Detaches. Result: totals of the trace, nothing of which may be lost."""
        self.cli("detach", process.pid)
        self.assert_clean(process.pid)
        report = self.report(name)
        self.assertFalse(report["processes"][0].get("lost"), report["processes"])
        return report["totals"]

    def farewell(self, process):
        process.stdin.close()
        self.assertEqual(0, process.wait(harness.TIMEOUT))


class Inside(Host):
    def assert_totals(self, totals, kind, **expected):
        found = {key: totals.get(kind, {}).get(key, 0) for key in expected}
        self.assertEqual(expected, found, totals)

    def test_shapes(self):
        """As before and after: many arguments, structs, exceptions, RUNPATH, RTLD_NEXT; all counted."""
        process = self.host("runpath", "next", "throws", "plugin_a")
        before = self.counts(process, "round 20")
        for number in range(3):
            self.begin(process, f"shapes.{number}")
            during = self.counts(process, "round 20")
            totals = self.finish(process, f"shapes.{number}")
            self.assertEqual(before, during)
            self.assert_totals(totals, "handle", opened=during["opened"],
                               released=during["closed"])
            self.assert_totals(totals, "checkout", opened=during["taken"] - 20 * RESULTS_UNTRACED,
                               never_closed=0)
            self.assertEqual(before, self.counts(process, "round 20"))
        self.farewell(process)

    def test_inside_at_detach(self):
        """They come out after the detach; nothing of it is in the trace, and all is well."""
        process = self.host("next")
        self.begin(process, "one")
        self.ask(process, "enter 9")
        totals = self.finish(process, "one")
        self.assert_totals(totals, "handle", opened=0)
        self.assertEqual(3, self.counts(process, "leave")["caught"])
        self.counts(process, "put")
        self.counts(process, "round 5")
        self.farewell(process)

    def test_inside_at_detach_and_out_in_the_next_recording(self):
        process = self.host("next")
        for number in range(harness.times(3)):
            self.begin(process, f"first.{number}")
            self.ask(process, "enter 9")
            self.cli("detach", process.pid)
            self.begin(process, f"second.{number}")
            self.assertEqual(3, self.counts(process, "leave")["caught"])
            during = self.counts(process, "round 5")
            self.counts(process, "put") # acquired before: inherited, not counted as opened
            totals = self.finish(process, f"second.{number}")
            self.assert_totals(totals, "handle", opened=during["opened"])
            self.assert_totals(totals, "checkout",
                               opened=during["taken"] - 5 * RESULTS_UNTRACED)
        print(f"threads inside: {harness.times(3)} times 9, 0 lost", file=sys.stderr)
        self.farewell(process)

    def test_inside_at_attach(self):
        """What began before it is not known; it ends well, and later calls are counted."""
        process = self.host("next")
        self.ask(process, "enter 9")
        self.begin(process, "late")
        self.counts(process, "leave")
        self.counts(process, "put")
        during = self.counts(process, "round 5")
        totals = self.finish(process, "late")
        self.assert_totals(totals, "handle", opened=during["opened"], released=during["closed"])
        self.farewell(process)

    def test_slot_changed_by_someone_else(self):
        """It is left alone at detach; ours behind it goes on to the real function."""
        process = self.host()
        self.begin(process, "stolen")
        self.assertEqual("stolen", self.ask(process, "steal"))
        during = self.counts(process, "round 4")
        self.assertEqual("mine, 4 calls", self.ask(process, "whose"))
        totals = self.finish(process, "stolen")
        self.assert_totals(totals, "handle", opened=during["opened"], released=during["closed"])
        self.assertEqual("mine, 4 calls", self.ask(process, "whose"))
        self.counts(process, "round 2")
        self.assertEqual("mine, 6 calls", self.ask(process, "whose"))
        self.begin(process, "again")
        during = self.counts(process, "round 3")
        totals = self.finish(process, "again")
        self.assertEqual("mine, 9 calls", self.ask(process, "whose"))
        self.assert_totals(totals, "handle", opened=during["opened"], released=during["closed"])
        self.farewell(process)


if __name__ == "__main__":
    unittest.main(verbosity=2)
