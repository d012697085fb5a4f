"""What cannot be attached to: one clear message with the remedy, and nothing done to it."""

import os
import shutil
import signal
import subprocess
import time
import unittest

import harness


class Refused(harness.AttachTest):
    def test_no_such_process(self):
        self.refused(4194303, "there is no process 4194303")

    def test_zombie(self):
        process = subprocess.Popen(["/bin/true"])
        self.assertTrue(harness.wait_until(
            lambda: harness.status(process.pid, "State").startswith("Z")))
        self.refused(process.pid, "has ended (a zombie")
        process.wait()

    @unittest.skipUnless(os.path.exists("/proc/2/comm"), "no kernel threads seen here")
    def test_kernel_thread(self):
        self.refused(2, "is a kernel thread")

    def test_static(self):
        for name in ("static", "static-pie"):
            process = self.start(name)
            with self.subTest(name):
                self.refused(process.pid, "is statically linked")

    def test_musl(self):
        if not os.path.exists(harness.tool("musl")):
            self.skipTest("musl-gcc was not installed when this was built")
        self.refused(self.start("musl").pid, "uses the C library musl")

    def test_32_bit(self):
        try:
            process = self.start("thirty-two", ready=False)
        except OSError as error:
            self.skipTest(f"no 32-bit programs here: {error}")
        time.sleep(0.1)
        if process.poll() is not None:
            self.skipTest("no 32-bit programs here")
        self.refused(process.pid, "is a 32-bit x86 program")

    def test_stopped(self):
        process = self.start("victim", "idle", 2)
        process.send_signal(signal.SIGSTOP)
        self.assertTrue(harness.wait_until(
            lambda: harness.status(process.pid, "State").startswith("T")))
        self.refused(process.pid, f"is stopped; resume it (kill -CONT {process.pid})")
        process.send_signal(signal.SIGCONT)
        self.there_and_back(process.pid)
        self.end(process)

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_traced_already(self):
        process = self.start("victim", "idle", 1)
        tracer = subprocess.Popen(["strace", "-o", os.devnull, "-p", str(process.pid)],
                                  stderr=subprocess.DEVNULL)
        self.assertTrue(harness.wait_until(lambda: harness.status(process.pid, "TracerPid") != "0"))
        self.refused(process.pid, f"is already being traced by process {tracer.pid}")
        tracer.terminate()
        tracer.wait()

    def test_thread_id(self):
        process = self.start("victim", "idle", 3)
        self.assertTrue(harness.wait_until(lambda: len(harness.threads(process.pid)) == 4))
        thread = max(int(name) for name in os.listdir(f"/proc/{process.pid}/task"))
        self.refused(thread, f"is a thread of process {process.pid}")

    def test_itself(self):
        result = subprocess.run(["sh", "-c", f'exec {harness.INJECTOR} attach $$ {harness.AGENT} x'],
                                capture_output=True, text=True, check=False)
        self.assertIn("is this program itself", result.stderr)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_another_user(self):
        process = self.start("victim", "idle", 1)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        os.chmod(self.folder, 0o755)
        if subprocess.run([*nobody, harness.INJECTOR], check=False).returncode != 2:
            self.skipTest("that user cannot execute what is built here")
        self.refused(process.pid, "belongs to another user (uid 0)", nobody)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_not_dumpable(self):
        os.chmod(self.folder, 0o755)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        if subprocess.run([*nobody, harness.INJECTOR], check=False).returncode != 2:
            self.skipTest("that user cannot execute what is built here")
        process = self.start(shutil.which("setpriv"), *nobody[1:], harness.tool("confined"),
                             "no-dump")
        self.refused(process.pid, "is not dumpable", nobody)
        self.there_and_back(process.pid) # root may

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_no_permission(self):
        """Root without capabilities, as in a container; and what yama forbids, by a made-up setting."""
        process = self.start("victim", "idle", 1)
        powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        self.refused(process.pid, "in a container add --cap-add=SYS_PTRACE", powerless)
        os.makedirs(os.path.join(self.folder, "kernel", "yama"))
        setting = os.path.join(self.folder, "kernel", "yama", "ptrace_scope")
        for scope, expected in ((1, "kernel.yama.ptrace_scope is 1"), (2, "ptrace_scope is 2"),
                                (3, "which only a reboot changes")):
            with open(setting, "w", encoding="ascii") as file:
                file.write(f"{scope}\n")
            with self.subTest(scope):
                self.need_namespaces("--mount")
                self.refused(process.pid, expected, (
                    "unshare", "--mount", "sh", "-c",
                    f'mount --bind "{self.folder}/kernel" /proc/sys/kernel && exec "$@"', "sh",
                    *powerless))
        self.there_and_back(process.pid)

    def test_not_recording(self):
        process = self.start("victim", "idle", 1)
        for command in ("detach", "dump"):
            result = self.inject(command, process.pid, check=False)
            self.assertEqual(1, result.returncode)
            self.assertIn("is not being recorded", result.stderr)

    def test_recording_already(self):
        process = self.start("victim", "idle", 1)
        self.attach(process.pid)
        self.refused(process.pid, "is already being recorded")
        self.detach(process.pid)

    def test_trace_exists(self):
        process = self.start("victim", "idle", 1)
        trace = self.trace()
        with open(trace, "w", encoding="utf-8"):
            pass
        result = self.attach(process.pid, check=False, trace=trace)
        self.assertIn(f"the trace {trace} already exists", result.stderr)
        self.there_and_back(process.pid)

    def test_no_library(self):
        process = self.start("victim", "idle", 1)
        result = self.inject("attach", process.pid, "/nowhere/lib.so", self.trace(), check=False)
        self.assertIn("cannot open the recorder's library", result.stderr)
        with open(os.path.join(self.folder, "text"), "w", encoding="utf-8") as file:
            file.write("no library")
        result = self.inject("attach", process.pid, file.name, self.trace(), check=False)
        self.assertIn("cannot load the recorder", result.stderr)
        self.assertIn("file too short", result.stderr)
        result = self.inject("attach", process.pid, "/lib/x86_64-linux-gnu/libm.so.6",
                             self.trace(), check=False)
        self.assertIn("is not the recorder's library", result.stderr)
        self.there_and_back(process.pid)
        self.end(process)


if __name__ == "__main__":
    unittest.main(verbosity=2)
