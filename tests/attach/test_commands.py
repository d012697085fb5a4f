"""unclosed attach, detach and dump with the real recorder on real programs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import unittest

import harness

CLI = harness.CLI
PYTHON = "/usr/bin/python3"

# Opens and closes all the time on THREADS threads (0: on the main one); leaks one in ten on demand.
# Each line of its standard input is answered with the number of opens and closes so far.
SERVICE = textwrap.dedent("""
    import sqlite3, sys, threading, time
    opened = closed = 0
    lock = threading.Lock()
    leaks = []
    def work(number):
        global opened, closed
        count = 0
        while True:
            connection = sqlite3.connect(":memory:")
            connection.execute("select 1").fetchone()
            count += 1
            with lock:
                opened += 1
            if count % 10 == 0:
                leaks.append(connection)
            else:
                connection.close()
                with lock:
                    closed += 1
            time.sleep(0.002)
    def answer():
        for line in sys.stdin:
            with lock:
                print(opened, closed, flush=True)
    threads = int(sys.argv[1])
    threading.Thread(target=answer, daemon=True).start() if threads else None
    for number in range(threads):
        threading.Thread(target=work, args=(number,), daemon=True).start()
    print("ready", flush=True)
    if threads == 0:
        work(0)
    time.sleep(1000)
""")


class Commands(harness.AttachTest):
    def service(self, threads):
        script = os.path.join(self.folder, "service.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(SERVICE)
        process = self.start(PYTHON, script, threads, stdin=subprocess.PIPE)
        time.sleep(0.2)
        return process

    def counts(self, process):
        process.stdin.write("\n")
        process.stdin.flush()
        return [int(word) for word in process.stdout.readline().split()]

    def trace_of(self, process, pattern="unclosed.{exe}.{pid}.trace"):
        exe = os.path.basename(os.path.realpath(f"/proc/{process.pid}/exe"))
        return os.path.join(self.folder, pattern.format(exe=exe, pid=process.pid))

    def test_running_python(self):
        for threads in (4, 0):
            with self.subTest(threads=threads):
                process = self.service(threads)
                before = self.counts(process) if threads else None
                output = self.cli("attach", process.pid).stdout
                between = self.counts(process) if threads else None
                trace = self.trace_of(process)
                self.assertIn(trace, output)
                time.sleep(1)
                late = self.counts(process) if threads else None
                self.cli("detach", process.pid)
                after = self.counts(process) if threads else None
                totals = self.report(trace)["totals"]["handle"]
                if threads: # what the program itself counted in the meantime
                    self.assertLessEqual(late[0] - between[0], totals["opened"])
                    self.assertLessEqual(totals["opened"], after[0] - before[0] + threads)
                    self.assertGreaterEqual(totals["never_closed"] + totals["under_way"],
                                            (late[0] - late[1]) - (between[0] - between[1]) - threads)
                self.assertGreater(totals["opened"], 50)
                self.assertGreater(totals["never_closed"], 3)
                self.assert_clean(process.pid)
                self.assertIsNone(process.poll())
                print(f"python3, {threads} threads: opened {totals['opened']}, never closed "
                      f"{totals['never_closed']}", file=sys.stderr)

    def test_attach_again(self):
        process = self.service(2)
        for number in range(5):
            trace = os.path.join(self.folder, f"again.{number}")
            self.cli("attach", process.pid, "-o", trace)
            time.sleep(0.1)
            self.cli("detach", process.pid)
            self.assertGreater(self.report(trace)["totals"]["handle"]["opened"], 5)
        libraries = {line.split()[4] for line in self.maps(process.pid) if "libunclosed.so" in line}
        self.assertEqual(1, len(libraries))
        self.assertIsNone(process.poll())

    def test_duration(self):
        process = self.service(2)
        begin = time.monotonic()
        output = self.cli("attach", process.pid, "--duration", "1s").stdout
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertIn("is no longer recorded", output)
        self.assertGreater(self.report(self.trace_of(process))["totals"]["handle"]["opened"], 50)
        self.cli("detach", process.pid, status=125)

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process = self.service(1)
                command = subprocess.Popen([CLI, "attach", str(process.pid), "--duration", "1h"],
                                           stdout=subprocess.PIPE, text=True, cwd=self.folder)
                self.assertIn("recording process", command.stdout.readline())
                time.sleep(0.2)
                command.send_signal(number)
                output, _ = command.communicate(timeout=harness.TIMEOUT)
                self.assertEqual(0, command.returncode)
                self.assertIn("is no longer recorded", output)
                self.cli("detach", process.pid, status=125)
                self.assertIsNone(process.poll())

    def test_process_ends_meanwhile(self):
        process = self.service(1)
        trace = self.trace_of(process)
        command = subprocess.Popen([CLI, "attach", str(process.pid), "--duration", "1h"],
                                   stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.assertIn("recording process", command.stdout.readline())
        time.sleep(0.3)
        process.kill()
        output, _ = command.communicate(timeout=harness.TIMEOUT)
        self.assertEqual(0, command.returncode)
        self.assertIn("has ended", output)
        self.assertGreater(self.report(trace)["totals"]["handle"]["opened"], 5)

    def test_dump(self):
        process = self.service(2)
        log = os.path.join(self.folder, "log")
        self.cli("attach", process.pid, "--log", "log")
        time.sleep(0.3)
        self.cli("dump", process.pid)
        with open(log, encoding="utf-8") as file:
            self.assertIn("SUMMARY:", file.read())
        self.cli("detach", process.pid)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_trace_handed_over(self):
        """A process of a user who may not write here: the trace is created for it, and is its user's, so
        that a report shows nothing that this user may not read."""
        script = os.path.join(self.folder, "service.py")
        os.chmod(self.folder, 0o755)
        with open(script, "w", encoding="utf-8") as file:
            file.write(SERVICE)
        process = self.start(shutil.which("setpriv"), "--reuid=65534", "--regid=65534",
                             "--clear-groups", PYTHON, script, 3, stdin=subprocess.PIPE)
        before = len(os.listdir(f"/proc/{process.pid}/fd"))
        self.cli("attach", process.pid)
        time.sleep(1)
        trace = self.trace_of(process)
        self.assertEqual(65534, os.stat(trace).st_uid)
        self.cli("detach", process.pid)
        self.assertEqual(before, len(os.listdir(f"/proc/{process.pid}/fd")))
        totals = self.report(trace)["totals"]["handle"]
        self.assertGreater(totals["opened"], 100)
        self.assertGreater(totals["never_closed"], 10)
        self.assertIsNone(process.poll())

    def test_perl(self):
        if subprocess.run(["perl", "-MDBD::SQLite", "-e", "1"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("DBD::SQLite is not installed")
        script = ('use DBI; $|=1; print "ready\\n"; my @kept; for (my $i = 0; ; $i++) {'
                  'my $d = DBI->connect("dbi:SQLite:dbname=:memory:"); $d->do("select 1");'
                  'if ($i % 20 == 0) { push @kept, $d } else { $d->disconnect }'
                  'select(undef, undef, undef, 0.002) }')
        process = self.start(shutil.which("perl"), "-e", script)
        self.cli("attach", process.pid)
        time.sleep(1)
        self.cli("detach", process.pid)
        totals = self.report(self.trace_of(process))["totals"]["handle"]
        self.assertGreater(totals["opened"], 50)
        self.assertGreater(totals["never_closed"], 2)
        self.assertLess(totals["never_closed"], totals["opened"] / 10)
        self.assertIsNone(process.poll())

    def test_preloaded(self):
        """detach and dump work on a process that `unclosed run` has started, too."""
        process = subprocess.Popen([CLI, "run", "--", "sh", "-c", "exec sleep 1000"],
                                   cwd=self.folder, stderr=subprocess.DEVNULL)
        self.addCleanup(self.kill, process)
        children = f"/proc/{process.pid}/task/{process.pid}/children"

        def child():
            with open(children, encoding="utf-8") as file:
                return file.read().split()

        def sleeps(): # not what it starts before
            with contextlib.suppress(OSError, IndexError):
                return os.path.basename(os.readlink(f"/proc/{child()[0]}/exe")) == "sleep"
        self.assertTrue(harness.wait_until(sleeps))
        pid = int(child()[0])
        time.sleep(0.2)
        result = self.cli("attach", pid, status=125)
        self.assertIn("is already being recorded", result.stderr)
        self.cli("detach", pid)
        os.kill(pid, signal.SIGTERM)

    def test_bad_arguments(self):
        for arguments, expected in (
                (["attach"], "no process given"),
                (["attach", "x1"], "'x1' is not a process ID"),
                (["attach", "1", "2"], "only one process can be given"),
                (["attach", "1", "--duration", "soon"], "expected a time such as 60s"),
                (["attach", "1", "--duration", "0"], "expected a time such as 60s"),
                (["attach", str(os.getpid()), "--pool", "nosuch"], "unknown call spec 'nosuch'"),
                (["attach", str(os.getpid()), "-o", "%z"], "only %p, %e, %t, %h and %% are known"),
                (["attach", str(os.getpid()), "-o", "/tmp"], "'/tmp' is a folder; name a file"),
                (["detach"], "no process given"),
                (["dump", "-1"], "invalid option")):
            with self.subTest(arguments):
                result = subprocess.run([CLI, *arguments], capture_output=True, text=True,
                                        check=False, cwd=self.folder)
                self.assertNotEqual(0, result.returncode)
                self.assertIn(expected, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
