#!/usr/bin/python3
"""A trace is hostile input: whatever it says, reading it ends in time and in bounded memory."""

import os
import resource
import struct
import subprocess
import time
import unittest

import harness

OUTCOMES = harness.program("outcomes")
HEADER_BYTES, CHUNK_HEADER = 4096, 64
SECONDS, MEMORY = 20, 400 << 20
STRINGS, STACKS, SESSIONS = 1, 2, 8


class HostileTraces(harness.TestCase):
    def setUp(self):
        super().setUp()
        run = self.trace([OUTCOMES, "leaked"])
        with open(run.traces[0], "rb") as file:
            self.good = bytearray(file.read())

    def file(self, name, parts, size):
        """A file with these (offset, bytes), which says that it is `size` bytes long, as it is."""
        path = self.path(name)
        with open(path, "wb") as file:
            for offset, data in parts:
                file.seek(offset)
                file.write(data)
            file.seek(24)
            file.write(struct.pack("<Q", size))
            file.truncate(size)
        self.assertLess(os.stat(path).st_blocks * 512, 64 << 20)
        return path

    def chunk(self, kind, record_bytes, size, first, count):
        return struct.pack("<IHHQIII", self.magic(), kind, record_bytes, size, first, count,
                           count).ljust(CHUNK_HEADER, b"\0")

    def magic(self):
        return struct.unpack_from("<I", self.good, HEADER_BYTES)[0]

    def record_bytes(self, wanted):
        """What the recorder wrote into a chunk of that type."""
        offset = HEADER_BYTES
        while offset + CHUNK_HEADER <= len(self.good):
            _, kind, record_bytes, size = struct.unpack_from("<IHHQ", self.good, offset)
            if kind == wanted:
                return record_bytes
            offset += size
        self.fail(f"no chunk of type {wanted}")

    def check(self, path):
        """All that read traces come back, with an answer or a refusal."""
        for command in (("report",), ("report", "--format", "json"), ("held",), ("top", "--once")):
            begin = time.monotonic()
            process = subprocess.Popen(
                [harness.CLI, *command, path], env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)))
            try:
                _, error = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.fail(f"{command} does not come back")
            self.assertIn(process.returncode, (0, 125), (command, error))
            self.assertNotIn(b"memory", error, command)
            self.assertLess(time.monotonic() - begin, SECONDS)

    def test_hole_behind_a_trace(self):
        self.check(self.file("sparse.trace", [(0, self.good)], 8 << 40))

    def test_only_a_header(self):
        self.check(self.file("header.trace", [(0, self.good[:HEADER_BYTES])], 8 << 40))

    def test_data_far_apart(self):
        """Something every gigabyte, which is no chunk."""
        parts = [(0, self.good)] + [(at << 30, b"x" * 100) for at in range(1, 2000)]
        self.check(self.file("apart.trace", parts, 8 << 40))

    def test_claims_of_billions(self):
        """Chunks that lie in holes and are full of records."""
        sizes = {STRINGS: 1, STACKS: 8, SESSIONS: self.record_bytes(SESSIONS)}
        for kind, record_bytes in sizes.items():
            with self.subTest(kind=kind):
                count = 3 << 30
                size = (CHUNK_HEADER + count * record_bytes + 4095) // 4096 * 4096
                path = self.file(f"claims{kind}.trace", [
                    (0, self.good[:HEADER_BYTES]),
                    (HEADER_BYTES, self.chunk(kind, record_bytes, size, 4 if kind == STRINGS else 1,
                                              count))], HEADER_BYTES + size)
                self.check(path)

    def test_many_small_chunks(self):
        """Thousands of chunks of one kind: no work that grows with their square."""
        record_bytes = self.record_bytes(SESSIONS)
        each = (4096 - CHUNK_HEADER) // record_bytes
        data = bytearray(self.good[:HEADER_BYTES])
        for number in range(8000):
            data += self.chunk(SESSIONS, record_bytes, 4096, 1 + number * each, each).ljust(
                4096, b"\0")
        self.check(self.file("many.trace", [(0, data)], len(data)))


NAMES = """
import os, sqlite3, sys
kept = []
for path in sys.argv[1:]:
    exec(compile("import sqlite3\\nkept.append(sqlite3.connect(':memory:'))", path, "exec"))
os._exit(0)
"""


@unittest.skipUnless(os.geteuid() == 0 and harness.has_command("setpriv"), "needs root and setpriv")
class SourcesOfOthers(harness.TestCase):
    """Root reports on a trace that names files as its sources."""

    def source(self, name, mode, group=0):
        path = self.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"first\nCONTENTS OF {name}\n")
        os.chown(path, 0, group)
        os.chmod(path, mode)
        return path

    def shown(self, text, paths):
        names = [os.path.relpath(path, self.folder) for path in paths]
        return {name for name in names if f"CONTENTS OF {name}" in text}

    def run_as(self, uid, groups, paths):
        os.chmod(self.folder, 0o777)
        return self.unclosed("run", "-o", self.path(f"{uid}.%p.trace"), "--", "setpriv",
                             f"--reuid={uid}", "--regid=65534", *groups, "/usr/bin/python3", "-c",
                             NAMES, *paths)

    def test_only_what_the_owner_may_read(self):
        os.mkdir(self.path("private"), 0o700)
        paths = [self.source("public.py", 0o644), self.source("secret.py", 0o600),
                 self.source("grouped.py", 0o640, 65534), self.source("other.py", 0o640, 42),
                 self.source("private/inside.py", 0o644)]
        os.symlink(paths[1], self.path("link.py"))
        fifo = self.path("fifo.py")
        os.mkfifo(fifo, 0o666)
        result = self.run_as(65534, ["--clear-groups"], [*paths, self.path("link.py"), fifo,
                                                         "/dev/zero", "/proc/self/environ"])
        self.assertIn("SUMMARY: 9 sessions", result.stderr)
        self.assertEqual(self.shown(result.stderr, paths), {"public.py", "grouped.py"})
        trace, = [self.path(name) for name in os.listdir(self.folder) if name.endswith(".trace")]
        again = self.unclosed("report", "-n", "0", trace)
        self.assertEqual(self.shown(again.stdout, paths), {"public.py", "grouped.py"})
        # In root's own trace, root's own sources are shown.
        own = self.unclosed("run", "-o", self.path("own.trace"), "--", "/usr/bin/python3", "-c",
                            NAMES, *paths)
        self.assertEqual(len(self.shown(own.stderr, paths)), 5)

    def test_header_that_lies(self):
        """The owner of a file counts, whatever user its header names."""
        secret = self.source("secret.py", 0o600)
        self.run_as(65534, ["--clear-groups"], [secret])
        trace, = [self.path(name) for name in os.listdir(self.folder) if name.endswith(".trace")]
        with open(trace, "r+b") as file:
            file.seek(40)  # trace_header.uid
            self.assertEqual(struct.unpack("<I", file.read(4))[0], 65534)
            file.seek(40)
            file.write(struct.pack("<I", 0))
        os.chown(trace, 65534, 65534)
        result = self.unclosed("report", trace)
        self.assertIn("SUMMARY: 1 session", result.stdout)
        self.assertEqual(self.shown(result.stdout, [secret]), set())
        os.chown(trace, 0, 0)  # the check can fail
        self.assertEqual(self.shown(self.unclosed("report", trace).stdout, [secret]), {"secret.py"})


if __name__ == "__main__":
    harness.main()
