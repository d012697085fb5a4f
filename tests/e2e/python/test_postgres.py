#!/usr/bin/python3
"""psycopg, psycopg2, their pools, peewee's and SQLAlchemy's on a real PostgreSQL server, which is
started in a folder of the test on a socket there."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

from python_harness import PYTHON, PythonTestCase, has_module, main, source

PROGRAM = "postgres.py"
BINARIES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


def unprivileged():
    """The server refuses to be run by root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@unittest.skipUnless(BINARIES, "postgresql is not installed")
class Postgres(PythonTestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = tempfile.mkdtemp(prefix="e2e-pg-")
        cls.addClassCleanup(shutil.rmtree, cls.server, ignore_errors=True)
        who = unprivileged()
        if who:
            os.chown(cls.server, who["user"], who["group"])
        tool = {"env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, "cwd": cls.server,
                "stdout": subprocess.DEVNULL, **who}
        data = os.path.join(cls.server, "data")
        subprocess.run([BINARIES[-1] + "/initdb", "-D", data, "-U", "postgres", "-A", "trust",
                        "--no-sync"], check=True, timeout=120, **tool)
        control = [BINARIES[-1] + "/pg_ctl", "-D", data, "-w", "-t", "60"]
        cls.addClassCleanup(subprocess.run, [*control, "-m", "immediate", "stop"], check=False,
                            timeout=60, **tool)
        subprocess.run([*control, "-l", os.path.join(cls.server, "log"), "-o",
                        f"-F -c listen_addresses='' -c unix_socket_directories='{cls.server}'",
                        "start"], check=True, timeout=90, **tool)

    def check(self, name, kind, leaked, opened):
        """These lines leak in this way; the other kind of session has no leak at all."""
        run = self.assert_same_behaviour([PYTHON, source(PROGRAM), name, self.server])
        self.assertEqual(run.status, 0, run.err)
        report = run.report("-n", "0")
        self.assert_sites(report, source(PROGRAM), leaked, kind=kind)
        self.assert_opened(report, PROGRAM, opened, kind=kind)
        other = "handle" if kind == "checkout" else "checkout"
        self.assertEqual(self.sites(report, other), {})
        self.assertEqual(report["misuse"], [])
        return report

    @unittest.skipUnless(has_module("psycopg2"), "python3-psycopg2 is not installed")
    def test_psycopg2(self):
        self.check("psycopg2", "handle", {"psycopg2 kept": 2},
                   {"psycopg2 right": 3, "psycopg2 kept": 2})

    @unittest.skipUnless(has_module("psycopg2"), "python3-psycopg2 is not installed")
    def test_psycopg2_pool(self):
        report = self.check("psycopg2_pool", "checkout", {"psycopg2_pool": 3},
                            {"psycopg2_pool right": 5, "psycopg2_pool": 3})
        pool = self.pool(report, kind="psycopg2.pool")
        self.assertEqual((pool["size"], pool["high_water"]["count"], pool["timeouts"]), (3, 3, 1))

    @unittest.skipUnless(has_module("psycopg"), "python3-psycopg is not installed")
    def test_psycopg(self):
        self.check("psycopg", "handle", {"psycopg kept": 2},
                   {"psycopg right": 3, "psycopg kept": 2})

    @unittest.skipUnless(has_module("psycopg_pool"), "python3-psycopg-pool is not installed")
    def test_psycopg_pool(self):
        report = self.check("psycopg_pool", "checkout", {"psycopg_pool": 4},
                            {"psycopg_pool right": 20, "psycopg_pool": 4})
        pool = self.pool(report, kind="psycopg_pool")
        self.assertEqual((pool["size"], pool["high_water"]["count"], pool["timeouts"]), (4, 4, 1))

    @unittest.skipUnless(has_module("psycopg_pool"), "python3-psycopg-pool is not installed")
    def test_psycopg_pool_async(self):
        self.check("psycopg_pool_async", "checkout", {"psycopg_pool_async": 2},
                   {"psycopg_pool_async right": 10, "psycopg_pool_async": 2})

    @unittest.skipUnless(has_module("playhouse.pool") and has_module("psycopg2"), "no peewee")
    def test_peewee(self):
        self.check("peewee", "checkout", {"peewee": 1}, {"peewee right": 3, "peewee": 1})

    @unittest.skipUnless(has_module("sqlalchemy") and has_module("psycopg2"), "no SQLAlchemy")
    def test_sqlalchemy(self):
        report = self.check("sqlalchemy", "checkout", {"sqlalchemy": 3},
                            {"sqlalchemy right": 5, "sqlalchemy": 3})
        pool = self.pool(report, **{"class": "QueuePool"})
        self.assertEqual((pool["size"], pool["overflow"], pool["high_water"]["count"]), (3, 2, 3))
        self.assertEqual(self.site_at(report, PROGRAM, "sqlalchemy")["reclaimed"], 3)


if __name__ == "__main__":
    main()
