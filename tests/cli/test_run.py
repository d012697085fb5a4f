#!/usr/bin/env python3
"""What `unclosed run` is to its command and to its caller, apart from tracing.

    test_run.py CLI
"""
import contextlib
import fcntl
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CLI = os.path.abspath(sys.argv[1])
PYTHON = "/usr/bin/python3"
LEAK = "import sqlite3, os; c = sqlite3.connect(':memory:'); os._exit(0)"

# What a process got from its parent, as JSON.
SURROUNDINGS = """
import json, os, re
status = open('/proc/self/status').read()
masks = dict(re.findall(r'^(Sig(?:Blk|Ign)):\\s*(\\w+)$', status, re.M))
print(json.dumps([masks, sorted(os.listdir('/proc/self/fd')), os.getpgid(0), os.getsid(0), os.getcwd()]))
"""


class TestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o700)

    def unclosed(self, *arguments, **others):
        others.setdefault("cwd", self.folder)
        return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=60, **others)

    def traces(self):
        return sorted(os.listdir(self.folder))


class Words(TestCase):
    def test_help_lists_each_command(self):
        run = self.unclosed("--help")
        self.assertEqual(run.returncode, 0)
        for command in ("run", "report", "held", "top", "attach", "detach", "dump"):
            self.assertIn(f"\n  {command} ", run.stdout)
            help_text = self.unclosed("help", command)
            self.assertEqual(help_text.returncode, 0, help_text.stderr)
            self.assertIn(f"Usage: unclosed {command} ", help_text.stdout)

    def test_version(self):
        self.assertRegex(self.unclosed("--version").stdout, r"^unclosed \d+\.\d+\.\d+\n$")

    def test_unknown_command(self):
        run = self.unclosed("rum")
        self.assertEqual((run.returncode, run.stdout), (125, ""))
        self.assertIn("rum", run.stderr)

    def test_everything_behind_the_command_is_its_own(self):
        for dashes in ([], ["--"]):
            run = self.unclosed("run", *dashes, "echo", "-o", "--help", "--", "-n")
            self.assertEqual(run.stdout, "-o --help -- -n\n")


# Two sessions from a file whose name is not ASCII, one still open, with a statement and a long hold.
OPEN = """
import sqlite3, sys, time
one = sqlite3.connect('grün.db')
one.execute('create table if not exists t (a)')
for _ in range(60):
    sqlite3.connect(':memory:').close()
print('ready', flush=True)
sys.stdin.read()
"""


class Characters(TestCase):
    """Text has the characters of the locale; where that is not UTF-8, only ASCII."""

    def texts(self, locale):
        """What the commands and the recorder write about one process, by name."""
        environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "1"}
        pathlib.Path(self.folder, "grün.py").write_text(OPEN)
        texts = {}
        with subprocess.Popen([CLI, "run", "-f", "-o", "t.trace", "--", PYTHON, "grün.py"], cwd=self.folder,
                              env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as run:
            self.assertEqual(run.stdout.readline(), b"ready\n")
            for name, *options in (("held",), ("top", "--once"), ("report",), ("report", "--format=json")):
                done = subprocess.run([CLI, name, *options, "t.trace"], cwd=self.folder, env=environment,
                                      capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                texts[" ".join([name, *options])] = done.stdout + done.stderr
            pid = json.loads(texts["report --format=json"])["processes"][0]["pid"]
            os.kill(pid, signal.SIGUSR2)  # noticed at the next traced call or at the end
            _, texts["run"] = run.communicate(b"", timeout=60)
        return texts

    def test_ascii(self):
        for locale in ("C", "POSIX"):
            for name, text in self.texts(locale).items():
                if "json" not in name:  # is UTF-8, whatever the locale is
                    self.assertTrue(text.isascii(), (name, text))
                    self.assertIn(b"gr?n", text, name)
                self.assertTrue(name != "run" or b"held over time" not in text or b"_" in text)

    def test_utf8(self):
        texts = self.texts("C.UTF-8")
        for name in ("run", "held", "top --once", "report"):
            self.assertIn("grün".encode(), texts[name], name)
            self.assertIn("·".encode(), texts[name], name)

    def test_recorder_alone(self):
        """Its own summary is ASCII anyway, and counts one as one."""
        environment = {**os.environ, "LC_ALL": "C", "LD_PRELOAD": self.recorder()}
        run = subprocess.run([PYTHON, "-c", LEAK.replace("os._exit(0)", "exit()")], cwd=self.folder,
                             env=environment, capture_output=True, timeout=60)
        self.assertTrue(run.stderr.isascii(), run.stderr)
        self.assertIn(b"handles: opened 1, released 0, never closed 1\n", run.stderr)
        self.assertIn(b"SUMMARY: 1 session never closed, 1 site\n", run.stderr)

    def recorder(self):
        return str(next(path for path in (pathlib.Path(CLI).parents[1] / "recorder" / "libunclosed.so",
                                          pathlib.Path(CLI).parents[1] / "lib" / "libunclosed.so")
                        if path.exists()))

    def test_no_pattern_reaches_the_reader(self):
        """A trace that cannot be made is named by its file."""
        environment = {**os.environ, "LD_PRELOAD": self.recorder(), "UNCLOSED_OUTPUT": "/proc/none/%e.%p.trace"}
        run = subprocess.run([PYTHON, "-c", LEAK], cwd=self.folder, env=environment, capture_output=True,
                             text=True, timeout=60)
        self.assertRegex(run.stderr, r"no trace file at /proc/none/python3\S*\.\d+\.trace: ")
        self.assertNotIn("%", run.stderr)


class Verbose(TestCase):
    """--verbose tells what the recorder does in each process."""

    def lines(self, *options, code=LEAK, **environment):
        run = self.unclosed("run", *options, "--", PYTHON, "-c", code, env={**os.environ, **environment})
        self.assertEqual(run.returncode, 0, run.stderr)
        path = pathlib.Path(self.folder, "log")
        text = path.read_text() if "--log=log" in options else run.stderr
        return [line for line in text.splitlines() if line.startswith("unclosed[")]

    def check(self, lines):
        text = "\n".join(lines)
        self.assertRegex(text, r"(?m)^unclosed\[\d+\]: traced from now on$")
        self.assertRegex(text, r"hooked sqlite3_open_v2 in /\S*_sqlite3\S*, found in /\S*libsqlite3\.so\.0")
        self.assertRegex(text, r"Python 3\.\d+ is recognized")
        self.assertRegex(text, r"Python 3\.\d+ has the layout of frames that its version says")
        self.assertRegex(text, r"(?m): trace /\S+\.trace$")

    def test_ways_to_ask(self):
        self.check(self.lines("--verbose"))
        self.check(self.lines(UNCLOSED_VERBOSE="yes"))
        self.check(self.lines("--verbose", "--log=log"))

    def test_off(self):
        self.assertEqual(self.lines(), [])

    def test_children(self):
        """A fork, and a program that is not followed."""
        code = ("import os, sqlite3\nif os.fork() == 0:\n sqlite3.connect(':memory:'); os._exit(0)\n"
                "os.wait(); os.system('true')")
        text = "\n".join(self.lines("--verbose", "--follow=fork", code=code))
        self.assertRegex(text, r"a fork of a traced process, traced as well")
        self.assertRegex(text, r"not traced: another program than the command's")

    def test_no_python(self):
        text = "\n".join(self.lines("--verbose", "--no-python"))
        self.assertIn("hooked sqlite3_open_v2", text)
        self.assertNotIn("is recognized", text)

    def test_lost(self):
        """A file size limit that the trace meets: what does not fit is said at the end."""
        code = ("import resource, sqlite3\nkept = []\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18,) * 2)\n"
                "for i in range(5000):\n"
                "    exec(compile(f'kept.append(sqlite3.connect(chr(58) + \"memory\" + chr(58)))', f'/f{i}.py', 'exec'))")
        text = "\n".join(self.lines("--verbose", code=code))
        self.assertRegex(text, r"lost \d+ records: no room for the trace")


class Surroundings(TestCase):
    def seen(self, *command, **others):
        return json.loads(subprocess.run([*command, PYTHON, "-c", SURROUNDINGS], text=True, timeout=60,
                                         cwd=self.folder, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, **others).stdout)

    def test_same_with_and_without(self):
        def odd_signals():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])

        for before in (None, odd_signals):
            self.assertEqual(self.seen(CLI, "run", "--", preexec_fn=before),
                             self.seen(preexec_fn=before))

    def test_preloaded_libraries_stay(self):
        """The recorder comes first, what was there stays behind it."""
        show = ["sh", "-c", "echo $LD_PRELOAD"]
        run = self.unclosed("run", "--", *show, env={**os.environ, "LD_PRELOAD": "libm.so.6"})
        self.assertRegex(run.stdout, r"^/.*/libunclosed\.so:libm\.so\.6\n$")
        run = self.unclosed("run", "--", CLI, "run", "--", *show)
        self.assertRegex(run.stdout, r"^/[^:]*/libunclosed\.so\n$")


class Signals(TestCase):
    def start(self, code, *options):
        command = [CLI, "run", *options, "--", PYTHON, "-uc", code]
        process = subprocess.Popen(command, cwd=self.folder, text=True, start_new_session=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_passed_on(self):
        code = """
import signal, sys
seen = []
for name in sys.argv[1:] or ('HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2'):
    signal.signal(getattr(signal, 'SIG' + name), lambda number, frame: seen.append(number))
print('ready')
while len(seen) < 6: signal.pause()
print(*sorted(seen))
"""
        process = self.start(code)
        numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
                   signal.SIGUSR2]
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.05)
        out, err = process.communicate(timeout=30)
        self.assertEqual(out, " ".join(str(int(number)) for number in sorted(numbers)) + "\n", err)
        self.assertEqual(process.returncode, 0)

    def test_kill_of_the_own_group_comes_once(self):
        code = '''
import os, signal, time
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
print('ready')
os.kill(os.getppid(), signal.SIGSTOP) # else two that come at once may be one
os.kill(0, signal.SIGUSR1)
os.kill(os.getppid(), signal.SIGCONT)
time.sleep(0.5)
print(len(seen))
'''
        out, err = self.start(code).communicate(timeout=30)
        self.assertEqual(out, "1\n", err)

    def test_dies_as_the_command_does(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE):
            run = self.unclosed("run", "--error-exitcode=3", "--", "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(run.returncode, -number)
            self.assertEqual(glob.glob(self.folder + "/core*"), [])

    def test_signal_is_in_the_trace(self):
        code = "import sqlite3, os; c = sqlite3.connect(':memory:'); os.kill(os.getpid(), 9)"
        run = self.unclosed("run", "-o", "%p.trace", "--", PYTHON, "-c", code)
        self.assertEqual(run.returncode, -9)
        (trace,) = self.traces()
        report = json.loads(self.unclosed("report", "--format=json", trace).stdout)
        self.assertEqual(report["processes"][0]["ended"], "signal 9")


class Killed(TestCase):
    """A run that is stopped has a report, and a process that was killed has an end."""

    def blocked_report(self):
        """A run whose command was killed, with its report waiting for room in a pipe. Result: the run, and a
        function that reads the rest."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"." * 512)
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
        code = LEAK.replace("os._exit(0)", "os.kill(os.getpid(), 15)")
        run = subprocess.Popen([CLI, "run", "--", PYTHON, "-c", code], cwd=self.folder, stderr=writer)
        self.addCleanup(run.kill)
        os.close(writer)
        for _ in range(1000):
            if "pipe_write" in pathlib.Path(f"/proc/{run.pid}/wchan").read_text():
                break
            time.sleep(0.01)

        def rest():
            with open(reader, encoding="utf-8", errors="replace") as file:
                return file.read().strip(".")
        return run, rest

    def test_second_signal_costs_no_report(self):
        run, rest = self.blocked_report()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            run.send_signal(number)
            time.sleep(0.02)
        self.assertIn("SUMMARY: 1 session never closed", rest())
        self.assertEqual(run.wait(timeout=30), -signal.SIGTERM)

    def test_a_report_can_be_stopped(self):
        run, rest = self.blocked_report()
        time.sleep(5.2)
        run.send_signal(signal.SIGHUP)
        self.assertEqual(run.wait(timeout=30), -signal.SIGHUP)
        self.assertNotIn("SUMMARY", rest())

    def test_by_timeout(self):
        """timeout signals its child and then the group."""
        code = "import sqlite3, time; c = sqlite3.connect(':memory:'); print(1, flush=True); time.sleep(60)"
        for _ in range(10):
            run = subprocess.run(["timeout", "-s", "TERM", "1", CLI, "run", "-f", "--", PYTHON, "-c", code],
                                 cwd=self.folder, capture_output=True, text=True, timeout=60)
            self.assertEqual((run.returncode, run.stdout), (124, "1\n"))
            self.assertIn("SUMMARY: 1 session never closed", run.stderr)

    def killed(self, number):
        """A grandchild that is killed after a while, by a command that goes on. Result: the JSON report, and how
        long the session was open: at least, at most."""
        code = f"""
import os, subprocess, sys, time
child = subprocess.Popen([{PYTHON!r}, "-c", "import sqlite3; c = sqlite3.connect(':memory:'); print(1, flush=True);"
                          "import time; time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
opened = time.monotonic()
time.sleep(0.7)
print(time.monotonic() - opened)
child.send_signal({number})
child.wait()
time.sleep(0.7)
"""
        begin = time.monotonic()
        run = self.unclosed("run", "-o", "%p.trace", "--", PYTHON, "-c", code)
        most = time.monotonic() - begin - 0.7
        report = json.loads(self.unclosed("report", "--format=json", *self.traces()).stdout)
        return report, float(run.stdout), most

    def test_a_killed_process_lived_until_then(self):
        for number in (9, 15):
            report, least, most = self.killed(number)
            (site,) = report["sites"]
            self.assertTrue(least <= site["longest"] <= most, (least, site["longest"], most))
            self.assertNotIn("longest_at_least", site)
            self.assertNotIn("seconds_at_least", report["processes"][0])
            for trace in self.traces():
                os.remove(os.path.join(self.folder, trace))

    def test_unknown_end(self):
        """Without `unclosed run` nobody sees a killed process end: what it left open was held at least so long."""
        code = "import sqlite3, os; c = sqlite3.connect(':memory:'); os.kill(os.getpid(), 9)"
        library = subprocess.run([CLI, "run", "--", "sh", "-c", "echo $LD_PRELOAD"], cwd=self.folder,
                                 capture_output=True, text=True, timeout=60).stdout.strip()
        subprocess.run([PYTHON, "-c", code], cwd=self.folder, timeout=60,
                       env={**os.environ, "LD_PRELOAD": library, "UNCLOSED_OUTPUT": self.folder + "/%p.trace"})
        (trace,) = self.traces()
        report = json.loads(self.unclosed("report", "--format=json", trace).stdout)
        self.assertTrue(report["sites"][0]["longest_at_least"])
        self.assertTrue(report["processes"][0]["seconds_at_least"])
        self.assertRegex(self.unclosed("report", trace, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout,
                         r"longest ≥ [\d.]+ .s ")


class Outputs(TestCase):
    def test_patterns(self):
        self.unclosed("run", "-o", "a-%e-%p-%%.x", "--", PYTHON, "-c", LEAK)
        (trace,) = self.traces()
        self.assertRegex(trace, r"^a-python3\.\d+-\d+-%\.x$")

    def test_default_name(self):
        self.unclosed("run", "--", PYTHON, "-c", LEAK)
        (trace,) = self.traces()
        self.assertRegex(trace, r"^unclosed\.python3\.\d+\.\d+\.trace$")

    def test_folder_with_a_percent_sign(self):
        folder = os.path.join(self.folder, "100%p")
        os.mkdir(folder)
        self.unclosed("run", "-o", "x.trace", "--", PYTHON, "-c", LEAK, cwd=folder)
        self.assertEqual(os.listdir(folder), ["x.trace"])

    def test_no_overwriting(self):
        for options, status in (([], 0), ([], 125), (["-f"], 0)):
            run = self.unclosed("run", *options, "-o", "x.trace", "--", PYTHON, "-c", LEAK)
            self.assertEqual(run.returncode, status, run.stderr)
            self.assertEqual(self.traces(), ["x.trace"])

    def test_two_processes_with_one_name(self):
        """Neither overwrites the other's trace; both are reported."""
        script = f'{PYTHON} -c "$0"; {PYTHON} -c "$0"'
        run = self.unclosed("run", "-o", "x.trace", "--", "sh", "-c", script, LEAK)
        self.assertEqual(len(self.traces()), 2)
        self.assertIn("SUMMARY: 2 sessions never closed", run.stderr)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_traces_of_other_users_come_home(self):
        run = self.unclosed("run", "--", "setpriv", "--reuid=65534", "--clear-groups", PYTHON, "-c", LEAK)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len(self.traces()), 1, run.stderr)
        self.assertIn("SUMMARY: 1 session never closed", run.stderr)
        self.assertEqual(glob.glob(f"/tmp/unclosed-??????/{self.traces()[0]}"), [])


    def test_folder_that_was_removed(self):
        gone = os.path.join(self.folder, "gone")
        os.mkdir(gone)
        run = subprocess.run(["sh", "-c", f"cd {gone}; rmdir {gone}; exec {CLI} run -- /bin/sh -c 'echo hi; exit 4'"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout), (4, "hi\n"))
        self.assertIn("The command runs untraced", run.stderr)

    def test_nobody_reads_the_report(self):
        """The status is that of the command, and not of a report that meets a closed pipe."""
        run = subprocess.Popen([CLI, "run", "--", PYTHON, "-c", LEAK.replace("_exit(0)", "_exit(7)")],
                               cwd=self.folder, stderr=subprocess.PIPE)
        run.stderr.close()
        self.assertEqual(run.wait(timeout=60), 7)


class Files(TestCase):
    """--write FORMAT=FILE, and --FORMAT FILE: the report besides the one that is printed."""

    def json(self, name):
        return json.loads(pathlib.Path(self.folder, name).read_text())

    def test_run_writes_what_report_prints(self):
        run = self.unclosed("run", "-o", "x.trace", "--write", "json=a.json", "--text", "b.txt", "--json=c.json",
                            "--", PYTHON, "-c", LEAK)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("SUMMARY: 1 session never closed", run.stderr)
        printed = json.loads(self.unclosed("report", "--format=json", "x.trace").stdout)
        written = self.json("a.json")
        for report in (printed, written):
            report["processes"][0].pop("trace")  # relative, absolute
        self.assertEqual(written, printed)
        self.assertEqual(self.json("c.json"), self.json("a.json"))
        self.assertIn("SUMMARY: 1 session never closed", pathlib.Path(self.folder, "b.txt").read_text())

    def test_report_writes_and_prints(self):
        self.unclosed("run", "-o", "x.trace", "--", PYTHON, "-c", LEAK)
        report = self.unclosed("report", "x.trace", "--json", "a.json", "--format=json")
        self.assertEqual(json.loads(report.stdout), self.json("a.json"))
        report = self.unclosed("report", "x.trace", "-o", "b.json", "--format=json", "--text=c")
        self.assertEqual((report.stdout, report.stderr), ("", ""))
        self.assertEqual(self.json("b.json"), self.json("a.json"))

    def test_no_sessions_is_a_report_too(self):
        run = self.unclosed("run", "--json", "a.json", "--", "true")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.json("a.json")["sites"], [])

    def test_what_run_did_not_see_is_in_the_files(self):
        run = self.unclosed("run", "--pool", "acquire nowhere_at_all() -> handle", "--json", "a.json",
                            "--text", "b.txt", "--error-exitcode=9", "--", PYTHON, "-c", "import sqlite3")
        self.assertEqual(run.returncode, 9, run.stderr)
        self.assertEqual(run.stderr.count("not seen: "), 1, run.stderr)
        (blind,) = self.json("a.json")["blind"]
        self.assertIn("nowhere_at_all", blind["reason"])
        self.assertRegex(pathlib.Path(self.folder, "b.txt").read_text(), r"not seen: \S+: nowhere_at_all")

    def test_refused_before_the_command_starts(self):
        for options, message in ((["--write", "json"], "expected FORMAT=FILE"),
                                 (["--write", "jsn=x"], "unknown format; known: text, json"),
                                 (["--json", "none/x"], "No such file or directory"),
                                 (["--json", "."], "it is a folder"),
                                 (["--json", ""], "the name is empty"),
                                 (["--json", "x", "--text", "x"], "two reports")):
            for command in (["run", *options, "--", "touch", "started"], ["report", *options]):
                run = self.unclosed(*command)
                self.assertEqual(run.returncode, 125)
                self.assertIn(message, run.stderr)
        self.assertEqual(self.traces(), [])

    def test_unwritten(self):
        """The command's status stays, unless it is 0; the other files are written."""
        for status in (0, 3):
            run = self.unclosed("run", "--json", "/dev/full", "--text", "b.txt", "--", "sh", "-c", f"exit {status}")
            self.assertEqual(run.returncode, status or 125)
            self.assertIn("cannot write json to /dev/full: No space left on device", run.stderr)
            self.assertIn("SUMMARY", pathlib.Path(self.folder, "b.txt").read_text())


class Pools(TestCase):
    def never_seen(self, *options, **environment):
        run = self.unclosed("run", *options, "--", "true", env={**os.environ, **environment})
        self.assertEqual(run.returncode, 0, run.stderr)
        return re.findall(r"not seen: true: (\w+), which --pool names, is nowhere", run.stderr)

    def test_several(self):
        """The kind of one text does not reach into the next; names, files and texts mix."""
        path = pathlib.Path(self.folder, "mine.spec")
        path.write_text("kind mine\nacquire c() -> handle\n")
        seen = self.never_seen("--pool", "acquire a() -> handle; acquire b() -> handle",
                               "--pool", str(path), UNCLOSED_POOLS="acquire z() -> handle")
        self.assertEqual(seen, ["z", "a", "b", "c"])

    def test_error_shows_the_place(self):
        path = pathlib.Path(self.folder, "mine.spec")
        path.write_text("kind mine\n\n  use c(handel)\n")
        run = self.unclosed("run", "--pool", str(path), "--", "touch", "started")
        self.assertEqual(run.returncode, 125)
        self.assertIn(f"{path}:3:9: expected", run.stderr)
        self.assertIn("\n      use c(handel)\n            ^\n", run.stderr)
        self.assertNotIn("started", self.traces())


class Installed(TestCase):
    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_where_only_root_can_read_it(self):
        """Another user loads a copy, and sees no complaint of the loader."""
        environment = {**os.environ, "DESTDIR": self.folder}
        subprocess.run(["meson", "install", "-C", str(pathlib.Path(CLI).parents[2]), "--no-rebuild",
                        "--quiet"], check=True, env=environment, stdout=subprocess.DEVNULL, timeout=120)
        (cli,) = pathlib.Path(self.folder).glob("**/bin/unclosed")
        run = subprocess.run([cli, "run", "--", "setpriv", "--reuid=65534", "--clear-groups", PYTHON, "-c",
                              LEAK], cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertNotIn("ld.so", run.stderr)
        self.assertIn("SUMMARY: 1 session never closed", run.stderr)

    def test_moved_somewhere_else(self):
        """bin/unclosed finds lib/.../libunclosed.so wherever the two are."""
        os.chmod(self.folder, 0o755)
        build = pathlib.Path(CLI).parents[2]
        environment = {**os.environ, "DESTDIR": self.folder}
        subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet"], check=True,
                       env=environment, stdout=subprocess.DEVNULL, timeout=120)
        (cli,) = pathlib.Path(self.folder).glob("**/bin/unclosed")
        (library,) = pathlib.Path(self.folder).glob("**/libunclosed.so")
        run = subprocess.run([cli, "run", "--", "sh", "-c", "echo $LD_PRELOAD"], cwd=self.folder,
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.stdout.strip(), str(library.resolve()), run.stderr)
        for name in ("unclosed.h", "unclosed.pc", "sqlite3.spec", "unclosed-run.1"):
            self.assertEqual(len(list(pathlib.Path(self.folder).glob(f"**/{name}"))), 1, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
