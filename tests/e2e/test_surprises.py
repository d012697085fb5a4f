#!/usr/bin/python3
"""What real programs do now and then: sessions before main and after thread destructors, generated
code, deep recursion, thousands of stacks, names that are no text, forbidden system calls, and other
interposers."""

import os
import re
import shutil
import subprocess

import harness

PROGRAM = harness.program("surprises")
SOURCE = "surprises.c"
NEXT = harness.program("plugins/next.so")


class Surprises(harness.TestCase):
    def scenario(self, name, sites=(), **arguments):
        run = self.assert_same_behaviour([PROGRAM, name], **arguments)
        report = run.report()
        self.assert_totals(report, opened=run.sum("opened"), released=run.sum("closed"))
        self.assert_sites(report, SOURCE, dict(sites))
        return run, report

    def test_before_main_and_after(self):
        run = self.assert_same_behaviour([harness.program("early")])
        report = run.report()
        self.assert_totals(report, opened=4)
        # One is closed after everything else: a tracer may have written its last word by then.
        self.assertIn(report["totals"]["handle"]["released"], (1, 2))
        for place in (("early.c", harness.line_of("plugins/early.c", "early")),
                      ("early.c", harness.line_of("early.c", "in main"))):
            self.assertIn(place, self.sites(report))

    def test_thread_destructors(self):
        self.scenario("thread_destructors", {"thread destructor": 5})

    def test_generated_code(self):
        """Its caller cannot be known; it is counted, and nothing bad happens."""
        run = self.assert_same_behaviour([PROGRAM, "generated_code"])
        self.assert_totals(run.report(), opened=3)

    def test_deep_recursion(self):
        _, report = self.scenario("deep", {"deep": 1})
        (site,) = self.sites(report).values()
        self.assertGreaterEqual(len(site["frames"]), 64)

    def test_many_stacks(self):
        run, _ = self.scenario("many_stacks")
        self.assertEqual(run.sum("opened"), 8192)
        # For each a site and two stacks: of its acquire and of its release.
        self.assertLess(os.path.getsize(run.traces[0]), 8192 * 2048)

    def test_odd_names(self):
        run = self.assert_same_behaviour([PROGRAM, "odd_names"])
        report = run.report()  # valid JSON, valid UTF-8
        self.assert_totals(report, opened=4, refused=1)
        for text in (run.err, self.unclosed("report", "-n", "0", run.folder).stdout):
            self.assertEqual(re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", text), [])

    def test_confined(self):
        """Calls forbidden after the start: counted as ever, with lines."""
        self.scenario("confined", {"confined": 1})
        self.scenario("confined", {"confined": 1}, how="preload")


class Interposers(harness.TestCase):
    """Other preloaded libraries that wrap the same functions, and settings of the linker."""

    OUTCOMES = harness.program("outcomes")

    def check(self, run):
        self.assertEqual(run.status, 0, run.err)
        self.assert_totals(run.report(), opened=run.sum("opened"), released=run.sum("closed"))

    def test_another_interposer(self):
        for preload in (f"{harness.LIBRARY}:{NEXT}", f"{NEXT}:{harness.LIBRARY}"):
            with self.subTest(preload=preload):
                self.check(self.trace([self.OUTCOMES, "closed", "leaked", "some_paths"],
                                      how="preload", env={"LD_PRELOAD": preload}))
        self.check(self.trace([self.OUTCOMES, "closed", "leaked", "some_paths"],
                              env={"LD_PRELOAD": NEXT}))

    def test_preloaded_twice(self):
        self.check(self.trace([self.OUTCOMES, "closed", "leaked"], how="preload",
                              env={"LD_PRELOAD": f"{harness.LIBRARY}:{harness.LIBRARY}"}))
        # A copy of it, as `unclosed run` itself makes one if others cannot read the library.
        copy = shutil.copy(harness.LIBRARY, self.path("libunclosed.so"))
        for preload in (harness.LIBRARY, f"{copy}:{NEXT}", f"{NEXT} {copy}"):
            with self.subTest(preload=preload):
                self.check(self.trace([self.OUTCOMES, "closed", "leaked"],
                                      env={"LD_PRELOAD": preload}))

    def test_nested_run(self):
        """`unclosed run` of a command that uses `unclosed run` itself."""
        inner = self.path("inner")
        os.mkdir(inner)
        run = self.trace([harness.CLI, "run", "-o", os.path.join(inner, "%p.trace"), "--",
                          self.OUTCOMES, "leaked"])
        self.assertEqual(run.status, 0)
        self.assert_totals(self.report(inner), opened=3)

    def test_linker_settings(self):
        for name in ("LD_BIND_NOW", "LD_BIND_NOT", "LD_DYNAMIC_WEAK"):
            with self.subTest(name=name):
                self.check(self.trace([self.OUTCOMES, "closed", "leaked"], env={name: "1"}))
        host = harness.program("plugin_host")
        plugins = [harness.program(f"plugins/{name}.so")
                   for name in ("plugin_a", "next", "runpath")]
        self.check(self.trace([host, *plugins], env={"LD_BIND_NOW": "1"}))

    def test_trace_folder_vanishes(self):
        """The folder is removed while the program runs: it does not notice."""
        folder = self.path("gone")
        live = self.start([harness.program("storm"), "4", self.path("tally"), "1"], how="preload",
                          traces=folder)
        self.eventually(lambda: os.listdir(folder), "a trace")
        subprocess.run(["rm", "-r", folder], check=True)
        self.assertEqual(live.wait().status, 0)


if __name__ == "__main__":
    harness.main()
