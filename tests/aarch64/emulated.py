#!/usr/bin/python3
"""End-to-end tests on aarch64 programs that qemu-aarch64 runs, their traces read by the command line
tool of this machine: those of tests/e2e that need neither ptrace nor an independent counter, and
Debian's sqlite3, python3 and perl.

    emulated.py CROSS_BUILD SYSROOT NATIVE_CLI [PART OF A TEST'S NAME...]

LD_* variables of an emulated program are given with -E, for in the environment they would be the
emulator's own; others are not, because -E takes commas for the end of a value.
"""

import os
import subprocess
import sys
import unittest

BUILD, SYSROOT, CLI = (os.path.abspath(path) for path in sys.argv[1:4])
HERE = os.path.dirname(os.path.abspath(__file__))
E2E = os.path.join(os.path.dirname(HERE), "e2e")
os.environ.update({
    "E2E_CLI": CLI,
    "E2E_LIBRARY": os.path.join(BUILD, "src", "recorder", "libunclosed.so"),
    "E2E_PROGRAMS": os.path.join(BUILD, "tests", "programs"),
    "E2E_SOURCES": os.path.join(os.path.dirname(HERE), "programs"),
    "COUNT_SHIMS": "",
})
sys.path.insert(0, E2E)
import harness  # noqa: E402

QEMU = "qemu-aarch64"

# What cannot be so here, and why.
LEFT_OUT = {
    "Cxx.test_inlined": "wants functions of libc, which is not where the program saw it",
    "Outcomes.test_threads_that_ended_in_a_process_that_runs":
        "the executable of the process is the emulator",
    "Plugins.test_static_and_copies": "needs `unclosed run` to say that nothing was seen",
    "Pools.test_never_called": "likewise",
    "Surprises.test_confined": "likewise; and the emulator makes system calls of its own",
    "Surprises.test_generated_code": "the program generates code of x86-64",
    "Interrupts.test_signal_handlers": "signals come faster than emulated handlers are done",
    "Interrupts.test_asynchronous_cancellation": "hangs in the emulator; whether that is its doing or "
                                                 "ours is not known",
    "Interposers.test_nested_run": "`unclosed run` would have to start emulated programs",
    "Storm.test_killed_by_itself": "likewise",
    "Storm.test_killed_with_everything": "wants a thousand sessions in a moment",
    "Storm.test_read_while_it_runs": "the executable of the process is the emulator",
}
PATCHES = {"unclosed_patches"}  # entries of functions are patched on x86-64 only
OPTIONS = {"--log": "UNCLOSED_LOG", "--depth": "UNCLOSED_DEPTH"}


def emulated(self, command, how="run", options=(), pools=(), env=None, cwd=None, traces=None,
             **arguments):
    """As harness.TestCase.start, but the command is a program of aarch64."""
    unknown = [name for name in options[::2] if name not in OPTIONS]
    if unknown or any(value is not None for value in arguments.values()):
        raise unittest.SkipTest(f"not emulated: {unknown or arguments}")
    traces = traces or self.path(f"traces{self._runs + 1}")
    inside = dict(env or {})
    if how != "plain":
        inside.update({
            "LD_PRELOAD": harness.LIBRARY,
            "UNCLOSED_OUTPUT": os.path.join(traces, "%e.%p.trace"),
            "UNCLOSED_POOLS": ",".join(pools),
            "UNCLOSED_LOG": self.path("log"),
        })
        inside.update(zip((OPTIONS[name] for name in options[::2]), options[1::2]))
    words = [word for name in list(inside) if name.startswith("LD_")
             for word in ("-E", f"{name}={inside.pop(name)}")]
    return start(self, [QEMU, "-L", SYSROOT, *words, *command], how="plain", env=inside, cwd=cwd,
                 traces=traces)


start = harness.TestCase.start
harness.TestCase.start = emulated
harness.PATH += ":" + os.environ["PATH"]


class Debian(harness.TestCase):
    """Programs as Debian ships them."""

    def run_debian(self, name, *arguments, pools=()):
        return self.assert_same_behaviour(
            [os.path.join(SYSROOT, "usr", "bin", name), *arguments], pools=pools)

    def test_shell(self):
        report = self.run_debian("sqlite3", "a.db", "select 1;").report()
        self.assert_totals(report, opened=1, released=1, never_closed=0)

    def test_python(self):
        script = self.write("leak.py", (
            "import sqlite3\n"
            "kept = [sqlite3.connect(':memory:') for _ in range(3)]\n"
            "def good():\n"
            "    connection = sqlite3.connect(':memory:')\n"
            "    connection.close()\n"
            "for _ in range(5): good()\n"))
        report = self.run_debian("python3", script).report()
        self.assert_totals(report, opened=8, released=5, never_closed=3)
        (site,) = [site for site in report["sites"] if site["never_closed"]]
        self.assertEqual((os.path.basename(site["file"]), site["line"], site["never_closed"]),
                         ("leak.py", 2, 3))

    def test_sqlalchemy(self):
        script = self.write("pool.py", (
            "from sqlalchemy import create_engine\n"
            "from sqlalchemy.pool import QueuePool\n"
            "engine = create_engine('sqlite:///a.db', poolclass=QueuePool)\n"
            "def leaky():\n"
            "    return engine.connect()\n"
            "kept = [leaky() for _ in range(4)]\n"
            "for _ in range(6):\n"
            "    with engine.connect() as connection:\n"
            "        pass\n"))
        report = self.run_debian("python3", script).report()
        self.assert_totals(report, "checkout", opened=10, released=6, never_closed=4)
        self.assertIn(("pool.py", 5),
                      {(os.path.basename(frame.get("file", "")), frame.get("line"))
                       for site in report["sites"] for frame in site["frames"]})

    def test_perl(self):
        report = self.run_debian("perl", "-MDBI", "-e", (
            "our $kept = DBI->connect('dbi:SQLite:dbname=a.db'); "
            "{ my $db = DBI->connect('dbi:SQLite:dbname=b.db'); $db->disconnect } "
            "require POSIX; POSIX::_exit(3)")).report()
        self.assert_totals(report, opened=2, released=1, never_closed=1)


class Scope(unittest.TestCase):
    def test_same_names_as_natively(self):
        native = os.path.join(os.path.dirname(os.path.dirname(CLI)), "recorder", "libunclosed.so")
        names = [{line.split()[-1].split("@")[0] for line in subprocess.run(
            ["nm", "-D", "--defined-only", library], capture_output=True, text=True,
            check=True).stdout.splitlines()} for library in (native, harness.LIBRARY)]
        self.assertEqual(names[0] - PATCHES, names[1])
        self.assertIn("sqlite3_open_v2", names[1])

    def test_no_text_relocations_nor_writable_code(self):
        dynamic = subprocess.run(["readelf", "-dlW", harness.LIBRARY], capture_output=True,
                                 text=True, check=True).stdout
        self.assertNotIn("TEXTREL", dynamic)
        self.assertNotIn("RWE", dynamic)


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def tests():
    """All that can be run here."""
    loader = unittest.defaultTestLoader
    yield from flat(loader.loadTestsFromModule(sys.modules["__main__"]))
    for name in ("outcomes", "cxx", "pools", "plugins", "announced", "storm", "surprises"):
        for test in flat(loader.loadTestsFromName("test_" + name)):
            if ".".join(test.id().split(".")[-2:]) not in LEFT_OUT:
                yield test


def main():
    suite = unittest.TestSuite(test for test in tests() if not sys.argv[4:] or
                               any(word in test.id() for word in sys.argv[4:]))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
