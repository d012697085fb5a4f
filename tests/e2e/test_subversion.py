#!/usr/bin/python3
"""Subversion: real programs with SQLite below, found by their own names, and a server."""

import os
import signal
import socket

import harness


@harness.counted
@harness.needs("svn", "svnadmin", "svnserve")
class Subversion(harness.TestCase):
    def check(self, command, **arguments):
        run = self.trace(command, count=["sqlite3"], **arguments)
        self.assertEqual(run.status, 0, run.err)
        if run.traces or run.counted("sqlite3.acquire"):
            self.check_counts(run)
        return run

    def check_counts(self, run):
        self.assertGreater(run.counted("sqlite3.acquire"), 0)
        self.assert_totals(run.report(), opened=run.counted("sqlite3.acquire"),
                           released=run.counted("sqlite3.release"))

    def test_create_checkout_commit(self):
        repository = "file://" + self.path("repository")
        self.check(["svnadmin", "create", self.path("repository")])
        run = self.check(["svn", "checkout", repository, self.path("copy")])
        self.assertIn("Checked out revision 0.", run.out)
        self.write("copy/file.txt", "text\n")
        self.check(["svn", "add", "file.txt"], cwd=self.path("copy"))
        run = self.check(["svn", "commit", "-m", "text"], cwd=self.path("copy"))
        self.assertIn("Committed revision 1.", run.out)
        self.check(["svn", "status"], cwd=self.path("copy"))

    def serve(self, port, *options, **arguments):
        live = self.start(["svnserve", "--foreground", "-d", "--listen-host", "127.0.0.1",
                           "--listen-port", str(port), "-r", self.folder, *options], **arguments)

        def listening():
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        self.eventually(listening, "svnserve listens")
        return live

    def check_server(self, *options):
        self.run_plain(["svnadmin", "create", self.path("repository")])
        with open(self.path("repository/conf/svnserve.conf"), "a", encoding="ascii") as file:
            file.write("[general]\nanon-access = write\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        live = self.serve(port, *options, count=["sqlite3"])
        url = f"svn://127.0.0.1:{port}/repository"
        self.assertEqual(self.run_plain(["svn", "checkout", url, self.path("copy")]).status, 0)
        self.write("copy/file.txt", "text\n")
        self.run_plain(["svn", "add", "file.txt"], cwd=self.path("copy"))
        commit = self.run_plain(["svn", "commit", "-m", "text"], cwd=self.path("copy"))
        self.assertEqual(commit.status, 0, commit.err)
        log = self.run_plain(["svn", "log", url])
        self.assertIn("r1 |", log.out)
        os.kill(live.pid, signal.SIGTERM)
        run = live.wait()
        self.check_counts(run)

    def test_server_forks(self):
        self.check_server()

    def test_server_threads(self):
        self.check_server("--threads")


if __name__ == "__main__":
    harness.main()
