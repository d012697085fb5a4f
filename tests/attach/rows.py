"""What is attached to again and again: a table of targets, for test_loops.py (a few times each) and
scripts/attach-soak (a thousand times). Each target checks itself all the time; see victim.h.

A target is lost if it ends, hangs, finds anything changed, or cannot be attached to or detached
from; but for a refusal that asks to try again (no safe point, a helper that still leaves), after which
it must be as before: those are counted apart. Loops attach to one process again and again, "fresh" ones to a new process each time.
"""

import os
import re
import subprocess
import sys

import harness

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0")
RECORDER = os.environ["E2E_LIBRARY"]
MODES = ("malloc", "dlopen", "registers", "fork", "vfork", "spawn", "system", "signals", "sleep",
         "idle", "compute")
SPARE_SECONDS = 120 # for a loop, besides one second for each time


class Result:
    def __init__(self, times):
        self.times, self.done, self.lost, self.refused = times, 0, 0, 0
        self.pause, self.notes = 0.0, []

    def tried(self):
        return self.done + self.lost + self.refused

    def lose(self, reason):
        self.lost += 1
        self.notes.append(str(reason).strip().split("\n")[-1][:200])
        print(f"LOST: {reason}", file=sys.stderr, flush=True)


class Row:
    """times: how many of a thousand. env: of the program. library: the stand-in or the recorder."""

    def __init__(self, kind, command, times, env=None, library=harness.AGENT):
        self.kind, self.command, self.times, self.env = kind, command, times, env or {}
        self.library = library

    @property
    def name(self):
        words = [f"{self.command[1]}, {self.command[2]} thread{'' if self.command[2] == 1 else 's'}"]
        if "LD_PRELOAD" in self.env:
            words.append(os.path.basename(self.env["LD_PRELOAD"]).split(".")[0])
        if self.library == RECORDER:
            words.append("recorder")
        return ", ".join([*words, self.kind])

    def run(self, test, times):
        """Result: what happened. test: a harness.AttachTest that is set up."""
        result = Result(times)
        while result.tried() < times:
            before = result.done
            try:
                process = test.start(*self.command, env=self.env)
                getattr(self, self.kind)(test, process, result)
            except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as reason:
                if not self.is_refusal(test, process, reason, result):
                    result.lose(f"{self.name}: {reason}")
                if result.lost > 9 and result.done == before:
                    result.notes.append("given up")
                    break
            test.kill(process)
        return result

    @staticmethod
    def is_refusal(test, process, reason, result):
        if "try again" not in str(reason):
            return False
        try:
            test.assert_clean(process.pid)
            test.end(process)
        except (AssertionError, subprocess.SubprocessError, OSError) as harm:
            result.lose(f"{harm} after: {reason}")
            return True
        result.refused += 1
        result.notes.append(str(reason).split("injector: ")[-1].strip()[:200])
        return True

    def loop(self, test, process, result):
        times = result.times - result.tried()
        output = test.inject("loop", process.pid, self.library, test.folder, times, check=False,
                             timeout=SPARE_SECONDS + times)
        done, pause = re.search(r"(\d+) loops.* most ([0-9.]+) ms", output.stdout).groups()
        result.done += int(done)
        result.pause = max(result.pause, float(pause))
        if output.returncode != 0:
            raise AssertionError(output.stderr)
        self.after(test, process)

    def fresh(self, test, process, result):
        trace = test.trace()
        report = test.inject("attach", process.pid, self.library, trace).stdout
        report += test.detach(process.pid).stdout
        result.pause = max([result.pause,
                            *map(float, re.findall(r"pause ([0-9.]+) ms", report))])
        self.after(test, process)
        os.unlink(trace)
        result.done += 1

    def after(self, test, process):
        """Nothing is left in it; a recorder still records; all its rounds were good."""
        test.assert_clean(process.pid)
        if self.library == RECORDER and self.kind == "loop":
            self.check_recording(test, process)
        test.end(process)

    def check_recording(self, test, process):
        trace = test.trace()
        test.inject("attach", process.pid, self.library, trace)
        opened = lambda: test.report(trace)["totals"].get("handle", {}).get("opened", 0)
        recorded = harness.wait_until(lambda: opened() > 3)
        test.detach(process.pid)
        test.assertTrue(recorded, "after so many times nothing is recorded any more")
        report = test.report(trace)
        test.assertFalse(report["processes"][0].get("lost"), report["processes"])
        os.unlink(trace)


def rows():
    """The whole table."""
    result = [Row("loop", ("victim", mode, threads), 1000 if mode == "malloc" else 200)
              for threads in (8, 1) for mode in MODES]
    result += [Row("fresh", ("victim", mode, threads), 1000 if mode == "malloc" else 150)
               for mode in ("malloc", "dlopen", "registers", "fork", "vfork", "spawn", "system",
                            "signals", "sleep") for threads in (1, 4)]
    for name in ALLOCATORS:
        path = os.path.join(LIBRARIES, name)
        if os.path.exists(path):
            result += [Row(kind, ("victim", "malloc", threads), 150, {"LD_PRELOAD": path})
                       for kind in ("loop", "fresh") for threads in (1, 8)]
    result += [Row(kind, ("sessions", mode, threads), 1000 if kind == "loop" else 150,
                   library=RECORDER)
               for kind in ("loop", "fresh") for mode in ("busy", "plugins") for threads in (8, 1)]
    return result
