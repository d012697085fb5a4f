"""What the tests of `held --stacks` share. See ../attach/harness.py.

Told by the environment: STACKS_BUILD (build folder of tests/stacks) and what that harness wants.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "attach"))

import harness  # noqa: E402 pylint: disable=wrong-import-position

CLI = os.environ["E2E_CLI"]
LIBRARY = os.environ["E2E_LIBRARY"]
BUILD = os.environ["STACKS_BUILD"]


def tool(name):
    return os.path.join(BUILD, name)


class HeldTest(harness.AttachTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder) # where programs put their databases

    def traced(self, *command, preload=(), prefix=(), **keywords):
        """Starts a program with the recorder in it."""
        environment = {
            "LD_PRELOAD": ":".join([LIBRARY, *preload]),
            "UNCLOSED_OUTPUT": os.path.join(self.folder, "%e.%p.trace"),
        }
        if prefix: # not into the helpers
            settings = [f"{name}={value}" for name, value in environment.items()]
            return self.start(*prefix, "/usr/bin/env", *settings, *command, **keywords)
        return self.start(*command, env=environment, **keywords)

    def run_held(self, *arguments, status=0, prefix=(), timeout=harness.TIMEOUT):
        result = subprocess.run([*prefix, CLI, "held", *map(str, arguments)], capture_output=True,
                                text=True, cwd=self.folder, timeout=timeout, check=False)
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result

    def held(self, pid, *arguments, quiet=True, **keywords):
        """The sessions that are held, with "now"."""
        result = self.run_held("--stacks", "--format", "json", *arguments, pid, **keywords)
        if quiet:
            self.assertEqual("", result.stderr)
        return json.loads(result.stdout)["held"]

    def by_thread(self, sessions):
        found = {}
        for session in sessions:
            found.setdefault(session["thread"], []).append(session)
        return found

    @staticmethod
    def functions(session):
        return [frame.get("function", "?").split("(")[0] for frame in session["now"]["frames"]]
