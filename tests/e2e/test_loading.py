#!/usr/bin/python3
"""The first acquire of a process while another thread loads plugins: nobody waits for anybody for
ever. That the order of locks does not allow it is checked by a debug build, at each take."""

import shutil
import subprocess

import harness

ROUNDS = 200
PLUGINS = 40


class Loading(harness.TestCase):
    def test_first_acquire(self):
        plugins = [self.path(f"plugin{number}.so") for number in range(PLUGINS)]
        for plugin in plugins:
            shutil.copy(harness.program("plugins/plugin_a.so"), plugin)
        command = [harness.program("first_acquire"), *plugins]
        environment = self.environment(
            LD_PRELOAD=harness.LIBRARY, UNCLOSED_OUTPUT=self.path("%p.trace"), UNCLOSED_RUN="1"
        )
        for number in range(ROUNDS):
            try:
                run = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=20, check=False
                )
            except subprocess.TimeoutExpired:
                self.fail(f"hangs in round {number}")
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "done\n", ""))
        report = self.report(self.path())
        self.assert_totals(report, opened=ROUNDS, released=ROUNDS)


if __name__ == "__main__":
    harness.main()
