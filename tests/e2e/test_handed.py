#!/usr/bin/python3
"""Which line is to blame: helpers, out parameters, constructors and pools that hand on what they
acquire; functions that close themselves and forget it on one path; handlers that a loop calls."""

import os

import harness

# What each marked line of handed.c opened and never closed, by the loops of that program.
LINES = {
    "return_5": (15, 5), "return_3": (15, 3), "out_5": (15, 5), "out_0": (15, 0),
    "store_5": (15, 5), "store_3": (15, 3), "itself_5": (15, 5), "jump_5": (15, 5),
    "pool_5": (15, 5),
    "pool_3": (15, 3), "begin_5": (15, 5), "begin_3": (15, 3),
}


class Handed(harness.TestCase):
    def lines(self, report, name):
        return {(os.path.basename(site["file"]), site["line"]):
                (site["opened"], site["never_closed"])
                for site in report["sites"] if site.get("file") and name in site["file"]}

    def expected(self, source, lines):
        return {(source, harness.line_of(source, marker)): numbers
                for marker, numbers in lines.items()}

    def test_c(self):
        for name in ("handed", "handed_optimized"):
            with self.subTest(name):
                report = self.trace([harness.program(name)]).report()
                self.assertEqual(self.lines(report, "handed.c"),
                                 self.expected("handed.c", LINES))

    def test_cxx(self):
        report = self.trace([harness.program("handed_cxx")]).report()
        self.assertEqual(self.lines(report, "handed.cc"),
                         self.expected("handed.cc", {"scoped": (15, 0), "lost_5": (15, 5)}))

    def test_callers(self):
        """Who called the function that is to blame is told with numbers, in text and JSON."""
        run = self.trace([harness.program("handed")])
        line = harness.line_of("handed.c", "itself_5")
        (site,) = [site for site in run.report()["sites"] if site.get("line") == line]
        self.assertEqual(sorted((caller["function"], caller["opened"], caller["never_closed"])
                                for caller in site["callers"]),
                         [("call_itself", 5, 5), ("call_itself", 10, 0)])
        lines = sorted((caller["line"], caller["never_closed"]) for caller in site["callers"])
        text = self.unclosed("report", run.folder).stdout
        self.assertIn("called by call_itself (", text)
        for line, never_closed in lines:
            self.assertIn(f"handed.c:{line}) {never_closed} of {5 if never_closed else 10}",
                          " ".join(text.split()))


if __name__ == "__main__":
    harness.main()
