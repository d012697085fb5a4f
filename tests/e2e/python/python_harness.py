"""What the tests of Python programs share. See ../harness.py."""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position,unused-import
from harness import (CLI, LIBRARY, SOURCES, TestCase, line_of, main, needs,  # noqa: E402,F401
                     program)

PYTHON = "/usr/bin/python3"
PROGRAMS = os.path.join(SOURCES, "python")
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


def source(name):
    return os.path.join(PROGRAMS, name)


def all_interpreters():
    """[(version, path)] of the CPythons on this machine, Debian's first."""
    places = ["/usr/bin/python%s", "/usr/local/bin/python%s", "/opt/python%s/bin/python3",
              os.path.expanduser("~/.pyenv/versions/%s.*/bin/python3")]
    return [(version, path) for version in VERSIONS for place in places
            for path in sorted(glob.glob(place % version), reverse=True)]


def interpreters():
    """{version: path}: one for each version."""
    return dict(reversed(all_interpreters()))


def has_module(name, python=PYTHON):
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True,
                          check=False).returncode == 0


class PythonTestCase(TestCase):
    """With checks that know Python programs."""

    def assert_opened(self, report, program, opened, kind="checkout"):
        """These marked lines acquired so often, never closed or not."""
        path = source(program)
        found = {}
        for site in report["sites"]:
            if site["kind"] == kind and os.path.basename(site.get("file") or "") == program:
                found[site["line"]] = found.get(site["line"], 0) + site["opened"]
        self.assertEqual({place: found.get(line_of(path, place), 0) for place in opened}, opened)

    def site_at(self, report, program, marker, kind="checkout"):
        """The one site at a marked line."""
        line = line_of(source(program), marker)
        sites = [site for site in report["sites"]
                 if site["kind"] == kind and site.get("line") == line
                 and os.path.basename(site.get("file") or "") == program]
        self.assertEqual(len(sites), 1, (marker, report["sites"]))
        return sites[0]
