"""Lines about sessions held longer than --threshold: exactly those, at the moment, with the site.

Told by the program itself: what went out when. Told by the tool (`unclosed run`, `unclosed attach`
in the foreground) or by the recorder (preloaded, attached and left alone): the same.
"""

import datetime
import os
import re
import subprocess
import time
import unittest

from harness import CLI, SOURCES, TestCase, line_of, main, program

THRESHOLD = 0.5
PROMPT = 0.5  # seconds between the moment and its line
LINE = re.compile(r"^unclosed: (?P<time>\S+Z) (?P<program>[^ ]+)\[(?P<pid>\d+)\]: (?P<kind>\w+) "
                  r"(?P<what>still held after|returned late, after|was closed by the collector "
                  r"after) (?P<least>more than )?(?P<number>[\d.]+) (?P<unit>ms|s): (?P<place>.*)$")
OUT, BACK, COLLECTED = ("still held after", "returned late, after",
                        "was closed by the collector after")
PYTHON = "/usr/bin/python3"


class Told:
    """One line."""

    def __init__(self, match, seen):
        self.what, self.place, self.kind = match["what"], match["place"], match["kind"]
        self.pid = int(match["pid"])
        self.at = datetime.datetime.fromisoformat(match["time"].replace("Z", "+00:00")).timestamp()
        self.held = float(match["number"]) / (1000 if match["unit"] == "ms" else 1)
        self.seen = seen  # when it was in the file


def told_in(text, seen=None):
    lines = [LINE.match(line) for line in text.splitlines()]
    return [Told(match, seen) for match in lines if match]


class Overdue(TestCase):
    def follow(self, live, read):
        """Waits for a command and notes when each of its lines turned up. Result: Run, lines."""
        told = []
        last = time.monotonic()

        def note():
            nonlocal last
            told.extend(told_in(read(), time.time())[len(told):])
            # On a busy machine everybody waits for a processor: so may the tool, several times.
            self.tolerance = max(self.tolerance, PROMPT + 4 * (time.monotonic() - last - 0.02))
            last = time.monotonic()
            return live.process.poll() is not None

        self.eventually(note, "the end of the command", 60)
        run = live.wait()
        note()
        return run, told

    def setUp(self):
        super().setUp()
        self.tolerance = PROMPT

    def check(self, told, values, place, late="late", held=1.1):
        """Each session that the program held too long has its line, and no other has one."""
        tolerance = self.tolerance
        expected = {}
        for what, key, after in ((OUT, "leak", THRESHOLD), (OUT, late, THRESHOLD),
                                 (BACK, "back", 0)):
            for value in values:
                if key in value:
                    expected.setdefault((what, place(late if key == "back" else key)), []).append(
                        value[key] / 1000 + after)
        found = {}
        for line in told:
            found.setdefault((line.what, line.place), []).append(line)
        self.assertEqual({key: len(lines) for key, lines in found.items()},
                         {key: len(times) for key, times in expected.items()})
        for key, times in expected.items():
            for line, when in zip(sorted(found[key], key=lambda one: one.at), sorted(times)):
                self.assertAlmostEqual(line.at, when, delta=tolerance, msg=str(key))
                if line.seen:
                    self.assertAlmostEqual(line.seen, when, delta=tolerance, msg=str(key))
                self.assertAlmostEqual(line.held, THRESHOLD if key[0] == OUT else held,
                                       delta=tolerance, msg=str(key))

    def c_place(self, marker):
        return f"{os.path.join(SOURCES, 'overdue.c')}:{line_of('overdue.c', marker)} {marker}"

    def assert_counts(self, report, processes=1):
        totals = report["totals"]["handle"]
        self.assertEqual((totals["late"], totals["overdue"], totals["never_closed"]),
                         (2 * processes, 3 * processes, 3 * processes))
        by_line = {site["line"]: (site["late"], site["overdue"]) for site in report["sites"]
                   if site["kind"] == "handle"}
        self.assertEqual(by_line[line_of("overdue.c", "leak")], (0, 3 * processes))
        self.assertEqual(by_line[line_of("overdue.c", "late")], (2 * processes, 0))
        self.assertEqual(by_line[line_of("overdue.c", "moment")], (0, 0))

    def run_and_check(self, how, processes=1):
        plain = self.run_plain([program("overdue"), how])
        live = self.start([program("overdue"), how], options=["--threshold", "500ms"])
        run, told = self.follow(live, lambda: live.text("err"))
        self.assertEqual(run.status, plain.status)
        # In which order two processes write is chance.
        self.assertEqual(*(sorted(re.sub(r"\d+", "N", one.out).splitlines())
                           for one in (run, plain)))
        self.check(told, run.values(), lambda marker: self.near(self.c_place(marker), told))
        self.assertEqual({line.kind for line in told}, {"handle"})
        self.assertEqual(len({line.pid for line in told}), processes)
        self.assert_counts(run.report(), processes)
        return run

    @staticmethod
    def near(place, told):
        """The form in which a place stands in the lines: its path may be relative."""
        for line in told:
            if place.endswith(line.place.split(" (")[0]):
                return line.place
        return place

    def test_run(self):
        """The program makes no call at the moment: the tool sees it from outside."""
        self.run_and_check("quiet")

    def test_run_busy(self):
        self.run_and_check("busy")

    def test_run_child(self):
        self.run_and_check("child", processes=2)

    def test_no_threshold_no_line(self):
        plain = self.run_plain([program("overdue"), "quiet"])
        for how in ("run", "preload"):
            run = self.trace([program("overdue"), "quiet"], how=how)
            self.assertEqual(run.status, plain.status)
            self.assertEqual(told_in(run.err), [])
            self.assertEqual({site["late"] + site["overdue"] for site in run.report()["sites"]},
                             {0})

    def test_in_time_no_line(self):
        for how in ("run", "preload"):
            run = self.trace([program("overdue"), "busy"], how=how, options=["--threshold", "20s"],
                             env={"UNCLOSED_THRESHOLD": "20s"})
            self.assertNotIn("Z ", run.err.split("unclosed report")[0])
            self.assertEqual(told_in(run.err), [])

    def test_preload(self):
        """Nobody looks from outside: the recorder tells, whenever a traced call comes by."""
        live = self.start([program("overdue"), "busy"], how="preload",
                          env={"UNCLOSED_THRESHOLD": "500ms"})
        run, told = self.follow(live, lambda: live.text("err"))
        self.assertEqual(run.status, 3)
        for line in told:
            self.assertRegex(line.place, r"^\(overdue\+0x[0-9a-f]+\) \(thread overdue, db :memory:\)$")
        # Sites have no names here: the three of one place, the two of the other.
        counts = {}
        for line in told:
            counts.setdefault(line.place, []).append(line.what)
        self.assertEqual(sorted(map(sorted, counts.values())),
                         sorted([[OUT] * 3, sorted([OUT] * 2 + [BACK] * 2)]))
        leaks = [place for place, what in counts.items() if BACK not in what][0]
        late = [place for place, what in counts.items() if BACK in what][0]
        self.check(told, run.values(), {"leak": leaks, "late": late}.get)
        self.assert_counts(run.report())

    def test_preload_quiet(self):
        """Without calls a line comes late, but it comes, and only once."""
        run = self.trace([program("overdue"), "quiet"], how="preload",
                         env={"UNCLOSED_THRESHOLD": "500ms"})
        told = told_in(run.err)
        self.assertEqual(len([line for line in told if line.what == BACK]), 2)
        self.assertEqual(len([line for line in told if line.what == OUT]), 3, run.err)
        self.assert_counts(run.report())

    def test_log(self):
        """With --log all lines go there, and standard error is as without us."""
        log = self.path("log")
        run = self.trace([program("overdue"), "quiet"], options=["--threshold", "500ms",
                                                                 "--log", log])
        self.assertEqual(told_in(run.err), [])
        with open(log, encoding="utf-8") as file:
            self.assertEqual(len(told_in(file.read())), 7)

    def test_tool_killed(self):
        """When the tool dies, the program does not notice; the recorder waits ten seconds more."""
        log = self.path("log")
        live = self.start([program("overdue"), "busy"], options=["--threshold", "500ms",
                                                                 "--log", log])
        self.eventually(lambda: "leak=" in live.text("out"), "a leak")
        os.kill(live.pid, 9)
        live.process.wait()
        self.eventually(lambda: "in_time=" in live.text("out"), "the end of the program")
        lines = len(re.findall(r"^unclosed: ", live.text("err"), re.M))
        self.assertEqual(lines, 0, live.text("err"))

    def test_broken_log(self):
        """A log that nobody reads any more harms nobody: no SIGPIPE, no waiting."""
        read, write = os.pipe()
        os.close(read)
        with subprocess.Popen([program("overdue"), "busy"], stderr=write, stdout=subprocess.PIPE,
                              cwd=self.folder, text=True,
                              env=self.environment(LD_PRELOAD=os.environ["E2E_LIBRARY"],
                                                   UNCLOSED_RUN="1",  # no summary at the end
                                                   UNCLOSED_THRESHOLD="500ms")) as process:
            os.close(write)
            out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3)
        self.assertIn("in_time=", out)

    def test_full_pipe(self):
        """Nor does one that somebody has stopped reading."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(write, True)
        with subprocess.Popen([program("overdue"), "busy"], stderr=write, stdout=subprocess.PIPE,
                              cwd=self.folder, text=True,
                              env=self.environment(LD_PRELOAD=os.environ["E2E_LIBRARY"],
                                                   UNCLOSED_RUN="1",
                                                   UNCLOSED_THRESHOLD="500ms")) as process:
            out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3)
        os.close(read)
        os.close(write)
        self.assertIn("in_time=", out)

    def attached(self, *options):
        """Attaches to a program that then begins. Result: the tool, the program."""
        process = subprocess.Popen([program("overdue"), "waits"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder, env=self.environment())
        self.addCleanup(process.kill)
        out = open(self.path("tool.out"), "w+", encoding="utf-8")
        err = open(self.path("tool.err"), "w+", encoding="utf-8")
        self.addCleanup(out.close)
        self.addCleanup(err.close)
        tool = subprocess.Popen([CLI, "attach", "-o", self.path("a.trace"), "--threshold", "500ms",
                                 *options, str(process.pid)], stdout=out, stderr=err,
                                cwd=self.folder, env=self.environment())
        self.addCleanup(tool.kill)
        self.eventually(lambda: "who holds" in self.read("tool.out") or tool.poll() is not None,
                        "attached")
        if tool.poll():
            error = self.read("tool.err")
            if "ptrace" in error or "permitted" in error:
                self.skipTest(error)
            self.fail(error)
        process.stdin.write("go\n")
        process.stdin.flush()
        return tool, process

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def until_done(self, process):
        lines = []
        while not lines or "in_time=" not in lines[-1]:
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], lines)
        return [{key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}
                for line in lines]

    def test_attach_in_the_foreground(self):
        tool, process = self.attached("--duration", "60s")
        values = self.until_done(process)
        self.eventually(lambda: len(told_in(self.read("tool.err"))) >= 7, "seven lines")
        told = told_in(self.read("tool.err"))
        tool.send_signal(2)
        self.assertEqual(tool.wait(60), 0)
        _, err = process.communicate("end\n", timeout=60)
        self.assertEqual((process.returncode, err), (3, ""))
        self.check(told, values, lambda marker: self.near(self.c_place(marker), told))
        self.assertEqual(told_in(self.read("tool.err"))[len(told):], [])
        self.assert_counts(self.report(self.path("a.trace")))

    def test_attach_and_leave_alone(self):
        log = self.path("log")
        tool, process = self.attached("--log", log)
        self.assertEqual(tool.wait(60), 0)
        self.until_done(process)
        told = told_in(self.read("log"))
        self.assertEqual([line.what for line in told].count(BACK), 2)
        self.assertEqual([line.what for line in told].count(OUT), 3)
        _, err = process.communicate("end\n", timeout=60)
        self.assertEqual((process.returncode, err), (3, ""))

    def python_counts(self, report):
        return {line: (sum(site["late"] for site in report["sites"] if site.get("line") == line),
                       sum(site["never_closed"] for site in report["sites"]
                           if site.get("line") == line))
                for line in (line_of("python/overdue.py", marker)
                             for marker in ("leak", "late", "lost", "moment"))}

    def check_python(self, told, run):
        source = os.path.join(SOURCES, "python", "overdue.py")

        def place(marker):
            want = f"{source}:{line_of('python/overdue.py', marker)} {marker}"
            return self.near(want, told)

        lost = [line for line in told if line.place == place("lost")]
        self.assertEqual([line.what for line in lost], [OUT, COLLECTED])
        when = {key: value / 1000 for pairs in run.values() for key, value in pairs.items()}
        self.assertAlmostEqual(lost[0].at, when["lost"] + THRESHOLD, delta=self.tolerance)
        self.assertAlmostEqual(lost[1].at, when["collected"], delta=self.tolerance)
        self.check([line for line in told if line not in lost],
                   [v for v in run.values() if "lost" not in v], place)
        lines = [line_of("python/overdue.py", name) for name in ("leak", "late", "lost", "moment")]
        self.assertEqual(self.python_counts(run.report()),
                         dict(zip(lines, ((0, 3), (1, 0), (0, 1), (0, 0)))))

    def test_python_run(self):
        source = os.path.join(SOURCES, "python", "overdue.py")
        live = self.start([PYTHON, source], options=["--threshold", "500ms"])
        run, told = self.follow(live, lambda: live.text("err"))
        self.assertEqual(run.status, 3)
        self.check_python(told, run)

    def test_python_preload(self):
        """By itself the recorder names lines of Python as well; here calls come by all the time."""
        source = os.path.join(SOURCES, "python", "overdue.py")
        live = self.start([PYTHON, source], how="preload", env={"UNCLOSED_THRESHOLD": "500ms"})
        run, told = self.follow(live, lambda: live.text("err"))
        self.assertEqual(run.status, 3)
        # While `late` sleeps no call comes by: its line, and the last leaks', are late themselves.
        late = [line for line in told if line.what == OUT and " late " in line.place + " "]
        self.assertEqual(late, [])
        self.assertEqual(sorted(line.what for line in told),
                         sorted([OUT] * 4 + [BACK, COLLECTED]), run.err)


if __name__ == "__main__":
    main()
