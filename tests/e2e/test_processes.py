#!/usr/bin/python3
"""Forks of every kind, exec, daemons, dropped privileges, and the ways a process ends."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios

import harness

PROGRAM = harness.program("processes")
SOURCE = "processes.c"


class Processes(harness.TestCase):
    def check_each(self, run):
        """Each process that printed its counts has a report of its own with just these."""
        expected = {}
        for line in run.values():  # a process that counts twice means its last word
            if "opened" in line:
                expected[line["pid"]] = (line["opened"], line["closed"])
        found = {}
        for trace in run.traces:
            report = self.report(trace)
            (process,) = report["processes"]
            totals = report["totals"]["handle"]
            found[process["pid"]] = (totals["opened"], totals["released"])
        self.assertEqual(found, expected)
        merged = run.report()
        self.assert_totals(merged, opened=sum(opened for opened, _ in expected.values()))
        return merged

    def scenario(self, *words, **arguments):
        return self.assert_same_behaviour([PROGRAM, *words], **arguments)

    def test_no_database_no_file(self):
        self.assertEqual(self.scenario("none").traces, [])

    def test_fork(self):
        report = self.check_each(self.scenario("fork_own"))
        self.assertEqual(len(report["processes"]), 2)
        # open_one opens for others: the site is its caller, and it is named beside it.
        self.assert_sites(report, SOURCE, {"leak": 3})
        (site,) = self.sites(report).values()
        self.assertEqual(site["via"]["line"], harness.line_of(SOURCE, "open one"))

    def test_fork_idle_child_leaves_no_file(self):
        self.assertEqual(len(self.scenario("fork_idle").traces), 1)

    def test_fork_child_does_not_use_it(self):
        """The parent closes what the child inherited: that is nobody's leak."""
        run = self.scenario("fork_unused")
        report = run.report()
        self.assertEqual(len(report["processes"]), 2)
        self.assert_totals(report, never_closed=1, live=1)
        self.assertEqual(report["misuse"], [])

    def test_fork_child_uses_it(self):
        run = self.scenario("fork_used")
        report = run.report()
        self.assert_totals(report, opened=1, released=1, never_closed=0)
        lines = {misuse["line"] for misuse in report["misuse"]}
        self.assertEqual(lines, {harness.line_of(SOURCE, "use in the child"),
                                 harness.line_of(SOURCE, "close in the child")})

    def test_fork_chain(self):
        report = self.check_each(self.scenario("fork_chain"))
        self.assertEqual(len(report["processes"]), 4)

    def test_vfork_and_exec(self):
        report = self.check_each(self.scenario("vfork_exec"))
        self.assertEqual(len(report["processes"]), 2)

    def test_clone(self):
        self.check_each(self.scenario("raw_clone"))
        self.check_each(self.scenario("libc_clone"))

    def test_exec(self):
        """Two programs, one after the other, with the same process id: two traces."""
        run = self.scenario("exec_self")
        self.assertEqual(len(run.traces), 2)
        self.assert_totals(run.report(), opened=4, released=2, never_closed=2)

    def test_follow(self):
        for follow, processes in (("all", 2), ("fork", 1), ("none", 1)):
            run = self.trace([PROGRAM, "vfork_exec"], options=["--follow", follow])
            self.assertEqual(len(run.traces), processes, follow)
        for follow, processes in (("all", 2), ("fork", 2), ("none", 1)):
            run = self.trace([PROGRAM, "fork_own"], options=["--follow", follow])
            self.assertEqual(len(run.traces), processes, follow)

    def test_daemon(self):
        run = self.trace([PROGRAM, "daemonized"])
        self.eventually(lambda: os.path.exists(self.path("daemon.done")), "the daemon is done")
        self.eventually(lambda: run.traces, "the daemon's trace")
        with open(self.path("daemon.out"), encoding="ascii") as file:
            run.out = file.read()
        pid = run.values()[0]["pid"]
        self.eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the daemon's end")
        report = self.check_each(run)
        self.assert_totals(report, opened=3, never_closed=2)

    @harness.needs_root
    def test_dropped_privileges(self):
        report = self.check_each(self.scenario("drop_privileges"))
        self.assert_totals(report, never_closed=2)
        self.check_each(self.scenario("drop_privileges", how="preload"))

    @harness.needs_root
    def test_privileges_dropped_late(self):
        """The trace is root's, the process is not: all is recorded, or it is said what is lost."""
        run = self.scenario("drop_late")
        report = run.report()
        lost = sum(process.get("lost") or 0 for process in report["processes"])
        self.assertEqual(report["totals"]["handle"]["opened"] + lost, 3002)
        self.assertGreater(report["totals"]["handle"]["opened"], 20)

    def test_sessions_in_exit_handlers(self):
        report = self.check_each(self.scenario("at_exit"))
        self.assert_totals(report, opened=2, released=1, live=1)

    def test_ways_to_end(self):
        ways = {"exit": "exit 4", "_exit": "exit 5", "exit_group": "exit 8", "quick_exit": "exit 7",
                "return": "exit 9", "thread_exit": "exit 1", "pthread_exit": "exit 6",
                "abort": "signal 6", "sigterm": "signal 15", "sigkill": "signal 9",
                "segv": "signal 11"}
        for way, ended in ways.items():
            with self.subTest(way=way):
                run = self.scenario("leave", way)
                report = self.check_each(run)
                self.assertEqual(report["processes"][0]["ended"], ended)
                number = int(ended.split()[1])
                self.assertEqual(run.status, number if ended.startswith("exit") else -number)

    def test_ways_to_end_by_hand(self):
        """Without `unclosed run` nobody sees a signal that kills; the counts are there anyway."""
        for way in ("return", "exit", "quick_exit", "_exit", "sigkill", "abort"):
            with self.subTest(way=way):
                self.check_each(self.scenario("leave", way, how="preload"))

    @harness.counted
    def test_against_counter(self):
        for words in (["fork_own"], ["vfork_exec"], ["raw_clone"], ["fork_chain"]):
            run = self.trace([PROGRAM, *words], count=["sqlite3"])
            for trace in run.traces:
                report = self.report(trace)
                pid = report["processes"][0]["pid"]
                self.assert_totals(report, opened=run.counts.of(pid, "sqlite3.acquire"),
                                   released=run.counts.of(pid, "sqlite3.release"))
            self.assertEqual(len(run.traces), len(run.counts.pids("sqlite3.acquire")))

    def test_signal_to_run(self):
        """A signal sent to `unclosed run` reaches the command, whose death it then shares."""
        live = self.start([harness.program("storm"), "2", self.path("tally")])
        self.eventually(lambda: "storming" in live.text("out") and os.listdir(live.traces_folder),
                        "storm")
        live.process.send_signal(signal.SIGTERM)
        self.assertEqual(live.wait().status, -signal.SIGTERM)
        self.assertIn("SUMMARY", live.text("err"))

    def on_terminal(self, *command):
        """Starts a command with a terminal of its own. Result: process, the other end."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=self.environment(),
            start_new_session=True, cwd=self.folder,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.addCleanup(self._end, process)
        return process, master

    def read_until(self, terminal, word):
        text = b""
        while word not in text:
            ready, _, _ = select.select([terminal], [], [], 20)
            self.assertTrue(ready, text)
            text += os.read(terminal, 1000)
        return text

    def test_terminal(self):
        """The command has the terminal: reads it, and is interrupted from it."""
        run = [harness.CLI, "run", "-o", self.path("%p.trace"), "--", "sh", "-c"]
        process, terminal = self.on_terminal(*run, "echo ready; read x < /dev/tty; echo got $x;"
                                             "exit 7")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"words\n")
        self.read_until(terminal, b"got words")
        self.assertEqual(process.wait(20), 7)

        process, terminal = self.on_terminal(*run, f"echo ready; exec {PROGRAM} sleeps")
        self.read_until(terminal, b"opened")
        os.write(terminal, b"\x03")
        self.read_until(terminal, b"SUMMARY: 1")
        self.assertEqual(process.wait(20), -signal.SIGINT)


if __name__ == "__main__":
    harness.main()
