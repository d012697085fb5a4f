"""A program is as it was: what the kernel tells of it before an attach and after a detach is the same,
but for the library, which stays mapped. And a tool that is killed leaves a process that records."""

import os
import signal
import subprocess
import sys
import time
import unittest

import harness

SERVICE = """
import os, sqlite3, sys
held = open(os.devnull)
os.environ["A_VARIABLE"] = "its value"
print("ready", flush=True)
for line in sys.stdin:
    for i in range(int(line)):
        sqlite3.connect(":memory:").close()
    print(sorted(os.environ.items()), os.getcwd(), os.umask(0o22), flush=True)
"""


def mappings(pid):
    """Bytes by what is mapped and with which rights; anonymous memory of malloc may have grown."""
    sums = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            fields = line.split(maxsplit=5)
            begin, end = (int(word, 16) for word in fields[0].split("-"))
            name = fields[5].strip() if len(fields) > 5 else ""
            key = (name, fields[1])
            sums[key] = sums.get(key, 0) + end - begin
    return sums


def caught(line):
    """Without signals 32 and 33: glibc catches them itself from the first new thread on."""
    name, mask = line.split(":")
    return f"{name}: {int(mask, 16) & ~(3 << 31):x}"


def look(pid):
    """What must be the same."""
    def status(*keys):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return [line.strip() for line in file if line.split(":")[0] in keys]

    def read(name):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()

    def descriptor(number):
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            flags = [line for line in file if line.startswith("flags")]
        return os.readlink(f"/proc/{pid}/fd/{number}"), flags

    return {
        "descriptors": {n: descriptor(n) for n in sorted(os.listdir(f"/proc/{pid}/fd"))},
        "threads": sorted(harness.threads(pid)),
        "signals": [caught(line) for line in
                    status("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd")],
        "rights": status("Uid", "Gid", "Groups", "CapEff", "NoNewPrivs", "Seccomp", "TracerPid",
                         "Umask", "CoreDumping"),
        "environment": read("environ"),
        "command": read("cmdline"),
        "folder": os.readlink(f"/proc/{pid}/cwd"),
        "root": os.readlink(f"/proc/{pid}/root"),
        "limits": read("limits"),
        "personality": read("personality") if os.geteuid() == 0 else b"",
        "children": read(f"task/{pid}/children"),
        "name": read("comm"),
    }


class Unchanged(harness.AttachTest):
    def service(self):
        script = os.path.join(self.folder, "service.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(SERVICE)
        process = self.start("/usr/bin/python3", script, stdin=subprocess.PIPE)
        self.work(process)
        return process

    def work(self, process, number=20):
        """Result: what the program says of itself."""
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        return process.stdout.readline()

    def compare_mappings(self, before, after):
        """What is new must be the recorder's library, what it needs, or plain memory."""
        for key in sorted(set(before) | set(after)):
            name, rights = key
            grown = after.get(key, 0) - before.get(key, 0)
            library = "libunclosed.so" in name or "libunwind" in name or "liblzma" in name
            plain = name in ("", "[heap]") and rights in ("rw-p", "---p")
            if grown != 0 and not library and not plain:
                self.fail(f"{name} {rights}: {grown:+} bytes")

    def test_exactly_as_before(self):
        process = self.service()
        before, mapped, said = look(process.pid), mappings(process.pid), self.work(process)
        for number in range(3):
            self.cli("attach", process.pid, "-o", f"trace.{number}")
            self.assertEqual(said, self.work(process))
            recording = look(process.pid)
            for key in ("environment", "folder", "limits", "command", "rights", "name"):
                self.assertEqual(before[key], recording[key])
            self.cli("detach", process.pid)
            after = look(process.pid)
            self.assertEqual(before, after)
            self.compare_mappings(mapped, mappings(process.pid))
            self.assertEqual(said, self.work(process))
            self.assertEqual(20, self.report(f"trace.{number}")["totals"]["handle"]["opened"])

    def test_nothing_grows(self):
        """Attached and detached again and again: no more memory and no more mappings."""
        process = self.service()
        library = os.environ["E2E_LIBRARY"]
        sizes = []
        for _ in range(3):
            self.inject("loop", process.pid, library, self.folder, harness.times(15))
            maps = mappings(process.pid)
            sizes.append((sum(maps.values()), len(self.maps(process.pid))))
        print(f"bytes and number of mappings after 15, 30, 45 times: {sizes}", file=sys.stderr)
        self.assertLessEqual(sizes[2][0] - sizes[1][0], 1 << 20)
        self.assertLessEqual(sizes[2][1] - sizes[1][1], 2)

    def test_the_check_can_fail(self):
        """A descriptor, a signal's disposition and a thread more are noticed."""
        process = self.start("/bin/sh", "-c", "echo ready; read x; trap : USR1; exec 7</dev/null;"
                             "echo ready; read x", stdin=subprocess.PIPE)
        before = look(process.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        self.await_ready(process)
        after = look(process.pid)
        self.assertNotEqual(before["descriptors"], after["descriptors"])
        self.assertNotEqual(before["signals"], after["signals"])

    def test_tool_killed_in_the_foreground(self):
        """The process goes on recording; a later detach ends that and the trace is whole."""
        process = self.service()
        before = look(process.pid)
        tool = subprocess.Popen([harness.CLI, "attach", str(process.pid), "--duration", "1h", "-o",
                                 "killed"], stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.assertIn("recording process", tool.stdout.readline())
        time.sleep(0.2)
        tool.send_signal(signal.SIGKILL)
        tool.communicate()
        self.work(process, 30)
        self.assertIn("is already being recorded", self.cli("attach", process.pid, status=125).stderr)
        self.assertIn("is no longer recorded", self.cli("detach", process.pid).stdout)
        self.assertEqual(before, look(process.pid))
        report = self.report("killed")
        self.assertEqual(30, report["totals"]["handle"]["opened"])
        self.assertEqual("detached", report["processes"][0]["ended"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
