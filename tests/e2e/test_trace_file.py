#!/usr/bin/python3
"""What stands where a trace or a log is to be: it is neither waited for nor replaced nor followed."""

import os
import shutil
import subprocess
import time

import harness

PROGRAM = [harness.program("limits"), "many", "20"]


class TraceFile(harness.TestCase):
    def surprise(self, kind):
        """Puts something of this kind where the trace is to be. Result: its path."""
        path = self.path(kind + ".trace")
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "device":
            try:
                os.mknod(path, 0o020666, os.makedev(1, 3))
            except PermissionError:
                self.skipTest("cannot make a device")
        elif kind == "link":
            self.write("precious", "precious\n")
            os.symlink(self.path("precious"), path)
        elif kind == "dangling":
            os.symlink(self.path("nowhere"), path)
        else:
            self.write(kind + ".trace", "my thesis\n")
        return path

    def assert_untouched(self, path, before):
        self.assertEqual(os.lstat(path)[:7], before[:7])
        self.assertFalse(os.path.lexists(self.path("nowhere")))
        for name in ("precious", "file.trace"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="ascii") as file:
                    self.assertIn(file.read(), ("precious\n", "my thesis\n"))

    def each_surprise(self):
        for kind in ("fifo", "device", "link", "dangling", "file"):
            with self.subTest(kind=kind):
                path = self.surprise(kind)
                yield path
                for name in os.listdir(self.folder):
                    if os.path.lexists(self.path(name)) and not os.path.isdir(self.path(name)):
                        os.unlink(self.path(name))

    def test_run_refuses(self):
        for path in self.each_surprise():
            before = os.lstat(path)
            for force in ([], ["-f"]):
                run = self.unclosed("run", *force, "-o", path, "--", *PROGRAM, timeout=20)
                self.assertEqual((run.returncode, run.stdout), (125, ""), run.stderr)
                self.assertIn(path, run.stderr)
                self.assert_untouched(path, before)

    def test_recorder_takes_another_name(self):
        for path in self.each_surprise():
            before = os.lstat(path)
            for force in ("no", "yes"):
                run = subprocess.run(
                    PROGRAM, timeout=20, capture_output=True, text=True, cwd=self.folder,
                    env=self.environment(LD_PRELOAD=harness.LIBRARY, UNCLOSED_OUTPUT=path,
                                         UNCLOSED_FORCE=force), check=False)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assert_untouched(path, before)
                made = [name for name in os.listdir(self.folder)
                        if name.startswith(os.path.basename(path) + ".")]
                self.assertEqual(len(made), 1)
                self.assertIn(self.path(made[0]), run.stderr)
                self.assert_totals(self.report(self.path(made[0])), opened=20)
                os.unlink(self.path(made[0]))

    def test_old_trace_is_replaced(self):
        path = self.path("old.trace")
        for opened in (3, 4):
            run = self.unclosed("run", "-f", "-o", path, "--", PROGRAM[0], "many", str(opened))
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assert_totals(self.report(path), opened=opened)
        self.assertEqual([name for name in os.listdir(self.folder) if ".trace" in name],
                         ["old.trace"])
        again = self.unclosed("run", "-o", path, "--", *PROGRAM)
        self.assertEqual(again.returncode, 125)

    def live(self):
        process = subprocess.Popen([harness.program("limits"), "slowly", "1000"],
                                   stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.addCleanup(self._end, process)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        return process

    @staticmethod
    def _end(process):
        process.kill()
        process.wait()

    @harness.needs_root
    def test_attach(self):
        """Nothing waits in the process, and the next attach finds it as it was."""
        for path in self.each_surprise():
            before = os.lstat(path)
            process = self.live()
            for force in ([], ["-f"]):
                attach = self.unclosed("attach", *force, "-o", path, str(process.pid), timeout=30)
                self.assertEqual(attach.returncode, 0, attach.stderr)
                self.assertIn(f"({path} exists and was left alone)", attach.stdout)
                detach = self.unclosed("detach", str(process.pid), timeout=30)
                self.assertEqual(detach.returncode, 0, detach.stderr)
                self.assert_untouched(path, before)
            self.eventually(lambda: len(os.listdir(f"/proc/{process.pid}/task")) == 1,
                            "the helper thread ends")

    def test_log(self):
        """A FIFO that nobody reads, a link, a folder: refused before the command starts."""
        os.mkfifo(self.path("fifo"))
        os.symlink(self.path("precious"), self.path("link"))
        os.mkdir(self.path("folder"))
        for name in ("fifo", "link", "folder"):
            with self.subTest(name=name):
                run = self.unclosed("run", "--threshold", "1ms", "--log", self.path(name), "--",
                                    *PROGRAM, timeout=20)
                self.assertEqual((run.returncode, run.stdout), (125, ""))
                self.assertIn(self.path(name), run.stderr)
                begin = time.monotonic()
                run = subprocess.run(
                    PROGRAM, timeout=20, capture_output=True, text=True, cwd=self.folder,
                    env=self.environment(LD_PRELOAD=harness.LIBRARY,
                                         UNCLOSED_LOG=self.path(name)), check=False)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertLess(time.monotonic() - begin, 10)
        self.assertFalse(os.path.exists(self.path("precious")))

    def test_log_to_who_does_not_read(self):
        """A pipe that is open at the other end and full, or whose reader has gone."""
        os.mkfifo(self.path("fifo"))
        end = os.open(self.path("fifo"), os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, end)
        try:
            while True:
                os.write(end, bytes(4096))
        except BlockingIOError:
            pass
        env = self.environment(LD_PRELOAD=harness.LIBRARY, UNCLOSED_LOG=self.path("fifo"))
        run = subprocess.run(PROGRAM, timeout=20, capture_output=True, cwd=self.folder, env=env,
                             check=False)
        self.assertEqual((run.returncode, run.stderr), (0, b""))

    def test_summary_to_a_closed_pipe(self):
        """Without us the program would not write to standard error: no SIGPIPE."""
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        run = subprocess.run(PROGRAM, timeout=20, stdout=subprocess.DEVNULL, stderr=writing,
                             cwd=self.folder, env=self.environment(LD_PRELOAD=harness.LIBRARY),
                             check=False)
        self.assertEqual(run.returncode, 0)

    def test_log_is_told(self):
        """A log that is fine: a file, a device, a pipe that is read."""
        for name in ("log", "/dev/stderr", "/dev/null"):
            run = self.unclosed("run", "--threshold", "1ms", "--log", name, "-o",
                                self.path("%p.trace"), "--", harness.program("limits"), "slowly",
                                "20")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual("still held after" in run.stderr,
                             name == "/dev/stderr", run.stderr)
        with open(self.path("log"), encoding="utf-8") as log:
            self.assertIn("still held after", log.read())


class Damage(harness.TestCase):
    """Somebody does something to the trace of a live process."""

    @staticmethod
    def overwrite(path, beyond):
        """Writes over it, without making it shorter; or cuts it and makes it longer again."""
        size = os.stat(path).st_size
        with open(path, "r+b") as file:
            if beyond:
                file.truncate(0)
            file.write(b"root:x:0:0:" * (size // 11 + beyond * 1000))

    def damages(self):
        """Name, what is done to the path, whether the record is lost."""
        yield "shortened", lambda path: os.truncate(path, 0), True
        yield "cut", lambda path: os.truncate(path, 100000), True
        yield "cut to a page", lambda path: os.truncate(path, 5000), True
        yield "overwritten", lambda path: self.overwrite(path, False), True
        yield "replaced by a longer one", lambda path: self.overwrite(path, True), True
        yield "removed", os.unlink, True
        yield "folder gone", lambda path: shutil.rmtree(os.path.dirname(path)), True
        yield "folder in its place", lambda path: (os.unlink(path), os.mkdir(path)), True
        yield "no permission", lambda path: os.chmod(path, 0), False
        yield "renamed", lambda path: os.rename(path, path + ".elsewhere.trace"), False

    def damaged_run(self, name, damage, how):
        folder = self.path(name.replace(" ", "-") + "-" + how)
        stop = folder + ".stop"
        live = self.start([harness.program("limits"), "until_told", stop], how=how, traces=folder)
        trace = self.eventually(
            lambda: [os.path.join(folder, each) for each in os.listdir(folder)
                     if each.startswith("limits.")], "a trace")[0]
        time.sleep(0.3)
        damage(trace)
        time.sleep(0.3)
        with open(stop, "w", encoding="ascii"):
            pass
        os.makedirs(folder, exist_ok=True)
        run = live.wait(30)
        run.damaged = trace
        return run

    def test_program_lives(self):
        for name, damage, lost in self.damages():
            for how in ("run", "preload"):
                with self.subTest(damage=name, how=how):
                    run = self.damaged_run(name, damage, how)
                    self.assertEqual(run.status, 0, run.err)
                    said = f"removed the trace {run.damaged} while it was written" in run.err
                    self.assertEqual(said, lost, run.err)
                    whole = [trace for trace in run.traces if os.path.isfile(trace)
                             and (trace != run.damaged or not lost or name == "removed")]
                    if name == "folder gone":  # it cannot be made again
                        continue
                    self.assertEqual(len(whole), 1, run.traces)
                    report = self.report(whole[0])
                    counted = report["totals"]["handle"]["opened"]
                    missing = sum(process["lost"] for process in report["processes"])
                    if not lost:
                        self.assertEqual((counted, missing), (run.sum("opened"), 0))
                        continue
                    self.assertTrue(report["processes"][0]["renewed"])
                    self.assertGreater(missing, 0)
                    # About: while threads were inside, what they did may count twice or not at all.
                    self.assertAlmostEqual((counted + missing) / run.sum("opened"), 1, delta=0.02)

    def test_again_and_again(self):
        """A few times another trace is begun; then it is said that there is no more."""
        stop = self.path("stop")
        folder = self.path("again")
        live = self.start([harness.program("limits"), "until_told", stop], traces=folder)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for name in os.listdir(folder):
                os.truncate(os.path.join(folder, name), 0)
            time.sleep(0.02)
        with open(stop, "w", encoding="ascii"):
            pass
        run = live.wait(30)
        self.assertEqual(run.status, 0, run.err)
        self.assertIn("nothing is recorded any more", run.err)
        self.assertLess(run.err.count("while it was written"), 12)

    def test_file_of_another(self):
        """What is written over the trace stays as it was written, but for a moment's records."""
        run = self.damaged_run("longer", lambda path: self.overwrite(path, True), "run")
        with open(run.damaged, "rb") as file:
            text = file.read()
        expected = b"root:x:0:0:" * (len(text) // 11)
        self.assertEqual(text[-4096:], expected[-4096:])


class BusError(harness.TestCase):
    """SIGBUS is the program's: what it sees and what it dies of."""

    def plain_and_traced(self, what):
        command = [harness.program("limits"), "bus", what]
        plain = self.run_plain(command)
        for how in ("run", "preload"):
            traced = self.trace(command, how=how)
            self.assertEqual((traced.status, traced.out.split("pid=")[0]),
                             (plain.status, plain.out.split("pid=")[0]), traced.err)
        return plain

    def test_is_shown_as_default(self):
        self.assertIn("default=1 flags=0", self.plain_and_traced("show").out)
        self.assertIn("before=1 ignored=1", self.plain_and_traced("default").out)

    def test_kills_as_ever(self):
        self.assertEqual(self.plain_and_traced("map").status, -7)
        self.assertEqual(self.plain_and_traced("kill").status, -7)

    def test_handler_of_the_program(self):
        self.assertIn("handler=7 code=2", self.plain_and_traced("map handler").out)


if __name__ == "__main__":
    harness.main()
