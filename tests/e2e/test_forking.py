#!/usr/bin/python3
"""Forks while other threads are inside the loader: no child waits for ever for a lock that nobody
gives back, and no fork for a thread that waits for it."""

import shutil

import harness

PROGRAM = harness.program("forking")


class Forking(harness.TestCase):
    def check(self, what, times, plugin="plugin_a.so", **arguments):
        shutil.copy(harness.program("plugins/" + plugin), self.path(plugin))
        # Not compared: untraced, a fork that meets a dlopen leaves such a child now and then.
        run = self.trace([PROGRAM, what, str(times), self.path(plugin)], how="preload",
                         **arguments)
        self.assertEqual((run.status, run.out), (0, "hung=0\n"))
        return run

    def test_recorder_at_the_list(self):
        """First acquires, dlopen and dlclose in two threads: the child walks the list itself."""
        run = self.check("acquiring", 200)
        # Or it was never met there.
        self.assertGreater(int(run.err.split("walks=")[1].split()[0]), 200)

    def test_program_at_the_list(self):
        """The child's first acquire must not wait for a thread that is not there."""
        self.check("walking", 40)

    def test_no_handler_is_run(self):
        """The same for children made by clone(). Their sessions are recorded all the same."""
        run = self.check("cloned", 40)
        report = run.report()
        self.assert_totals(report, opened=41, released=41)
        self.assertEqual(len(report["processes"]), 41)

    def test_fork_at_the_list(self):
        """A fork in the callback of dl_iterate_phdr, while another thread waits for the list."""
        self.check("within", 10)

    def test_constructor_waits_for_fork(self):
        """The first acquire of another thread waits for the loader meanwhile."""
        self.check("constructor", 1, plugin="forks.so")


if __name__ == "__main__":
    harness.main()
