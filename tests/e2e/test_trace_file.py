#!/usr/bin/python3
"""What stands where a trace or a log is to be: it is neither waited for nor replaced nor followed."""

import os
import subprocess
import time
import unittest

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
            self.assertEqual("still out after" in run.stderr,
                             name == "/dev/stderr", run.stderr)
        with open(self.path("log"), encoding="utf-8") as log:
            self.assertIn("still out after", log.read())


if __name__ == "__main__":
    harness.main()
