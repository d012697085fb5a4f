#!/usr/bin/python3
"""CPython inside a C program: several lives of the interpreter, interpreters side by side, threads
that it has never seen."""

import glob
import os
import sys
import unittest

from python_harness import PythonTestCase, VERSIONS, has_module, interpreters, main, program, source

CONNECTIONS = source("connections.py")
CODE = f"f = {CONNECTIONS!r}; exec(compile(open(f).read(), f, 'exec'))"
LEAKED = {"with": 4, "cycle": 4, "kept": 3}  # of connections.py, in one run
OPENED = 31

SQLALCHEMY = '''
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite://", poolclass=QueuePool,
                       connect_args={"check_same_thread": False})


def leak():
    session = Session(engine)  # site: leak
    session.execute(text("select 1"))


def right():
    with Session(engine) as session:  # site: right
        session.execute(text("select 1"))


for _ in range(3):
    leak()
    right()
'''


def libraries():
    """{version: (path of libpython, its PYTHONHOME)} of what is on this machine."""
    found = {}
    for version, python in interpreters().items():
        home = os.path.dirname(os.path.dirname(os.path.realpath(python)))
        paths = (glob.glob(f"{home}/lib/libpython{version}.so*")
                 + glob.glob(f"/usr/lib/*/libpython{version}.so.1.0"))
        if paths:
            found[version] = (paths[0], home)
    return found


class Embedded(PythonTestCase):

    def check(self, steps, lives, linked=True, env=None, library="linked", same=True):
        """Runs steps in which connections.py runs so often; everything is seen, and exactly."""
        command = [program("embedded_linked" if linked else "embedded"), library, *steps]
        if self.run_plain(command, env=env or {}).status < 0:
            print(f"{library} crashes by itself: skipped")  # 3.12.1, when it is started again
            return None
        run = self.assert_same_behaviour(command, env=env or {})
        self.assertEqual(run.status, 0, run.err[-2000:])
        report = run.report("-n", "0")
        leaked = sum(LEAKED.values())
        self.assert_totals(report, opened=OPENED * lives, never_closed=leaked * lives,
                           reclaimed=leaked * lives, released=(OPENED - leaked) * lives)
        if same:
            self.assert_sites(report, CONNECTIONS, {k: v * lives for k, v in LEAKED.items()})
        return report

    def linked(self):
        if not os.path.exists(program("embedded_linked")):
            self.skipTest("libpython3-dev was not there when the tests were built")

    def test_lives(self):
        """Py_Initialize and Py_Finalize three times, linked."""
        self.linked()
        report = self.check(["init", "run", CODE, "end"] * 3, 3)
        self.assertEqual(self.site_at(report, "connections.py", "kept", "handle")["at_shutdown"], 9)

    def test_versions(self):
        """The same with each libpython, opened at run time."""
        found = libraries()
        for version in VERSIONS:
            with self.subTest(version=version):
                if version not in found:
                    print(f"no libpython {version} on this machine: skipped")
                    continue
                library, home = found[version]
                self.check(["init", "run", CODE, "end"] * 2, 2, linked=False, library=library,
                           env={"PYTHONHOME": home})

    @unittest.skipUnless(has_module("sqlalchemy"), "python3-sqlalchemy is not installed")
    def test_sqlalchemy(self):
        """Its pools are seen in the second life as in the first."""
        self.linked()
        path = self.write("pools.py", SQLALCHEMY)
        code = f"exec(compile(open({path!r}).read(), {path!r}, 'exec'))"
        run = self.trace([program("embedded_linked"), "linked",
                          *["init", "run", code, "end"] * 2])
        self.assertEqual(run.out, "done\n", run.err)
        report = run.report("-n", "0")
        self.assert_sites(report, path, {"leak": 6}, kind="checkout")
        self.assert_totals(report, "checkout", opened=12, released=6, never_closed=6)
        self.assert_totals(report, "handle", never_closed=0)

    def test_foreign_threads(self):
        """Threads that the program made, which take the GIL, first alone and then all at once."""
        self.linked()
        self.check(["init", "thread", CODE, "together", "8", CODE, "end"], 9)

    def test_native_threads(self):
        """Threads that open databases and have nothing to do with the interpreter."""
        self.linked()
        run = self.assert_same_behaviour([program("embedded_linked"), "linked",
                                          "init", "run", "x = 1", "native", "8", "end"])
        self.assert_sites(run.report("-n", "0"), source("embedded.c"), {"native leak": 8})

    def test_side_by_side(self):
        """Interpreters besides the main one: what they open is counted, and nothing is harmed."""
        self.linked()
        report = self.check(["init", "sub", CODE, "run", CODE, "sub", CODE, "thread", CODE, "end"],
                            4, same=False)
        found = self.site_at(report, "connections.py", "kept", "handle")
        # Before 3.13 lines are known of the main interpreter only.
        self.assertEqual(found["never_closed"], 12 if sys.version_info >= (3, 13) else 6)

    def test_side_by_side_versions(self):
        for version, (library, home) in libraries().items():
            with self.subTest(version=version):
                self.check(["init", "sub", CODE, "run", CODE, "end", "init", "sub", CODE, "end"], 3,
                           linked=False, library=library, env={"PYTHONHOME": home}, same=False)


if __name__ == "__main__":
    main()
