"""Apache httpd (event) with mod_dbd under ab, attached and detached in the middle of the load: no
failed request; while nothing else runs, the counts are those of the access log.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import unittest

import harness

CLI = os.environ["E2E_CLI"]
APACHE = "/usr/sbin/apache2"
MODULES = "/usr/lib/apache2/modules"
CONFIGURATION = """\
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
Mutex file:{folder} default
DefaultRuntimeDir {folder}
{user}
{modules}
ErrorLog {folder}/error.log
LogFormat "%>s %u" short
CustomLog {folder}/access.log short
KeepAlive Off
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
DBDriver sqlite3
DBDParams {folder}/users.db
DBDPersist On
DBDMin 1
DBDKeep 2
DBDMax 3
DocumentRoot {folder}/documents
<Directory {folder}/documents>
  AuthType Basic
  AuthName tests
  AuthBasicProvider dbd
  AuthDBDUserPWQuery "SELECT password FROM users WHERE name = %s"
  Require valid-user
</Directory>
"""
AT_ONCE = 6 # requests under way
NAMES = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_basic", "dbd", "authn_dbd")


@unittest.skipUnless(os.path.exists(APACHE) and shutil.which("ab"), "Apache is not installed")
class Apache(harness.AttachTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o777)
        self.path = lambda name: os.path.join(self.folder, name)
        os.mkdir(self.path("documents"))
        with open(self.path("documents/page.txt"), "w", encoding="ascii") as file:
            file.write("a page\n")
        database = sqlite3.connect(self.path("users.db"))
        database.execute("create table users(name text primary key, password text)")
        digest = base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
        database.execute("insert into users values ('ann', ?)", ("{SHA}" + digest,))
        database.commit()
        database.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(self.path("apache.conf"), "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(
                folder=self.folder, port=self.port,
                user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                                  for name in NAMES)))
        self.server = self.start(APACHE, "-f", self.path("apache.conf"), "-DFOREGROUND",
                                 ready=False)
        self.assertTrue(harness.wait_until(self.answers, 30))
        self.assertTrue(harness.wait_until(self.children, 30))
        self.child = self.children()[0]
        self.addCleanup(self.server.terminate)

    def answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def children(self):
        path = f"/proc/{self.server.pid}/task/{self.server.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def start_load(self, requests):
        return subprocess.Popen(["ab", "-q", "-A", "ann:secret", "-n", str(requests), "-c",
                                 str(AT_ONCE),
                                 f"http://127.0.0.1:{self.port}/page.txt"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish_load(self, load, requests):
        output, _ = load.communicate(timeout=120)
        numbers = dict(re.findall(r"^(\w[\w -]*):\s+(\d+)", output, re.MULTILINE))
        self.assertEqual(str(requests), numbers.get("Complete requests"), output)
        self.assertEqual("0", numbers["Failed requests"], output)
        self.assertNotIn("Non-2xx responses", numbers, output)

    def served(self):
        with open(self.path("access.log"), encoding="ascii") as file:
            return sum(line.startswith("200 ann") for line in file)

    def cli(self, *arguments):
        result = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True,
                                cwd=self.folder, timeout=harness.TIMEOUT, check=False)
        self.assertEqual(0, result.returncode, result.stderr)
        return result.stdout

    def checkouts(self, trace):
        report = json.loads(self.cli("report", "--format", "json", trace))
        return report["totals"]["checkout"]

    def test_counts(self):
        """Attached and detached while it is quiet: as many checkouts as requests served."""
        for number in range(3):
            self.finish_load(self.start_load(200), 200) # not recorded
            before = self.served()
            self.cli("attach", self.child, "-o", f"quiet.{number}", "--pool", "apr_reslist")
            self.finish_load(self.start_load(300), 300)
            self.assertTrue(harness.wait_until(lambda b=before: self.served() == b + 300))
            self.cli("detach", self.child)
            totals = self.checkouts(f"quiet.{number}")
            self.assertEqual(300, totals["opened"])
            self.assertEqual(0, totals["never_closed"])
            self.assert_clean(self.child)

    def test_under_load(self):
        """In the middle of the load: no request fails, and the counts are those of the access log,
        but for requests under way when it was attached or detached: the server writes them down at
        their end."""
        rounds = harness.times(5)
        requests = 1000 * rounds
        load = self.start_load(requests)
        recorded = done = 0
        for number in range(rounds):
            if load.poll() is not None:
                break
            time.sleep(0.1)
            before = self.served()
            self.cli("attach", self.child, "-o", f"busy.{number}", "--pool", "apr_reslist")
            begin = self.served()
            time.sleep(0.2)
            end = self.served()
            self.cli("detach", self.child)
            opened = self.checkouts(f"busy.{number}")["opened"]
            self.assertGreaterEqual(opened, end - begin - AT_ONCE)
            self.assertLessEqual(opened, self.served() - before + AT_ONCE)
            recorded += opened
            done += 1
        self.finish_load(load, requests)
        self.assertGreater(recorded, 0)
        self.assertLessEqual(recorded, self.served())
        with open(self.path("error.log"), encoding="utf-8") as file:
            self.assertNotIn("exit signal", file.read())
        print(f"Apache under ab: attached {done} times, {recorded} checkouts of {requests} "
              "requests recorded, 0 failed", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
