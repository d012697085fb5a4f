#!/usr/bin/python3
"""What processes of a run that became another user leave for root to take over: only traces of
theirs, as copies, under names that --output can give; and the folder for them goes on every way out.
"""

import glob
import os
import signal
import stat
import subprocess
import sys
import time
import unittest

import harness

PYTHON = "/usr/bin/python3"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LEAK = ("import sqlite3, os, sys, time\nkept = sqlite3.connect(':memory:')\n"
        "print('ready', flush=True)\ntime.sleep(float(sys.argv[1]))\nos._exit(0)\n")

# Becomes a worker that has made a good trace, and plants others: a copy of it under other names and in
# other forms.
PLANT = """
import ctypes, glob, os, re, sqlite3, struct, sys, threading, time
folder = os.environ["UNCLOSED_FALLBACK"]
kept = sqlite3.connect(":memory:")
kinds = sys.argv[1].split(",")
with open("/proc/self/maps", encoding="ascii") as maps:
    own = re.search(r"(/tmp/unclosed-\\S+)", maps.read()).group(1)
data = bytearray(open(own, "rb").read())

def make(name, pid=999999, content=None):
    out = bytearray(content if content is not None else data)
    struct.pack_into("<I", out, 32, pid)
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    os.write(descriptor, out)
    os.close(descriptor)
    return os.path.join(folder, name)

if "names" in kinds:
    for name in ("sitecustomize.py", "conftest.py", "unclosed.x.1.trace", "unclosed.x.999999.trace.py",
                 ".bashrc", "unclosed.999999.trace", "x.unclosed.x.999999.trace"):
        make(name)
if "link" in kinds:
    os.link(make("unclosed.link.999999.trace"), os.path.join(sys.argv[2], "kept-link"))
if "symlink" in kinds:
    os.symlink("/etc/passwd", os.path.join(folder, "unclosed.sym.999999.trace"))
    os.symlink(own, os.path.join(folder, "unclosed.sym2.999999.trace"))
if "fifo" in kinds:
    os.mkfifo(os.path.join(folder, "unclosed.fifo.999999.trace"))
if "folder" in kinds:
    os.makedirs(os.path.join(folder, "deep/er/and/deeper"))
    open(os.path.join(folder, "deep/er/file"), "w").close()
if "sparse" in kinds:
    path = make("unclosed.sparse.999999.trace")
    with open(path, "r+b") as file:
        file.seek(24)
        file.write(struct.pack("<Q", 8 << 40))
        file.truncate(8 << 40)
if "good" in kinds:
    make("unclosed.good.999999.trace")
if "exchange" in kinds:
    # Exchanges a good trace with a file of any content, for as long as the tool may look.
    path = make("unclosed.exchange.999999.trace")
    other = os.path.join(folder, ".other")
    with open(other, "w", encoding="ascii") as file:
        file.write("ANYTHING\\n" * 1000)
    if os.fork() == 0:
        os.setsid()
        libc = ctypes.CDLL(None)
        end = time.monotonic() + 3
        while time.monotonic() < end and os.path.exists(folder):
            for _ in range(100):
                libc.renameat2(-100, path.encode(), -100, other.encode(), 2)
        os._exit(0)
    time.sleep(0.2)
os._exit(0)
"""


def folders():
    return set(glob.glob("/tmp/unclosed-??????"))


@unittest.skipUnless(os.geteuid() == 0 and harness.has_command("setpriv"), "needs root and setpriv")
class Planted(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.home = self.path("home")
        os.mkdir(self.home, 0o755)
        self.open = self.path("open")
        os.mkdir(self.open)
        os.chmod(self.open, 0o777)
        self.before = folders()

    def plant(self, kinds, *options):
        result = self.unclosed("run", *options, "--", *NOBODY, PYTHON, "-c", PLANT, kinds, self.open,
                               cwd=self.home)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def traces(self):
        """Names of what root has got: regular files of its own that nobody else can open or has."""
        for name in os.listdir(self.home):
            status = os.lstat(os.path.join(self.home, name))
            self.assertTrue(stat.S_ISREG(status.st_mode), name)
            self.assertEqual((status.st_uid, status.st_gid, status.st_nlink), (0, 0, 1), name)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600, name)
            with open(os.path.join(self.home, name), "rb") as file:
                self.assertEqual(file.read(8), b"UNCLOSED", name)
        return {name.split(".")[1] for name in os.listdir(self.home)}

    def test_names(self):
        result = self.plant("names,good")
        self.assertEqual(self.traces(), {"python3", "good"})
        self.assertIn("7 files", result.stderr)
        self.assertEqual(folders() - self.before, set())

    def test_links_and_other_kinds(self):
        self.plant("link,symlink,fifo,folder")
        self.assertEqual(self.traces(), {"python3"})
        self.assertEqual(folders() - self.before, set())

    def test_sparse(self):
        """A file of 8 TB in which there is nothing: copied in an instant, as sparse as it was."""
        begin = time.monotonic()
        self.plant("sparse")
        self.assertLess(time.monotonic() - begin, 20)
        for name in os.listdir(self.home):
            self.assertLess(os.stat(os.path.join(self.home, name)).st_blocks * 512, 10 << 20)

    def test_exchange(self):
        """Whatever is put in the place of a trace while root looks: it gets a trace or nothing."""
        for _ in range(3):
            self.plant("exchange")
            self.assertLessEqual(self.traces(), {"python3", "exchange"})

    def test_owner(self):
        """A file that belongs to somebody else, though it knows the run: not taken over."""
        result = self.unclosed(
            "run", "--", "sh", "-c",
            f"{' '.join(NOBODY)} {PYTHON} -c \"$0\" good $1; "
            "chown 12345 $UNCLOSED_FALLBACK/unclosed.good.*", PLANT, self.open, cwd=self.home)
        self.assertEqual(self.traces(), {"python3"}, result.stderr)

    def test_name_that_is_taken(self):
        """Nothing of root's is overwritten; the trace gets another name."""
        result = self.unclosed("run", "-o", "fixed.trace", "--", *NOBODY, PYTHON, "-c",
                               "import os\nopen('/proc/self/comm').read()\n"
                               + LEAK.replace("sys.argv[1]", "'0'"), cwd=self.home)
        self.assertEqual(os.listdir(self.home), ["fixed.trace"], result.stderr)
        self.assertIn("SUMMARY: 1 session", result.stderr)

    def test_folder_goes_when_nothing_is_started(self):
        for command in (["nosuchcommand"], ["/etc/passwd"], ["true"], ["sh", "-c", "kill -9 $$"]):
            self.unclosed("run", "--", *command, cwd=self.home)
            self.assertEqual(folders() - self.before, set(), command)

    def start_run(self, *command):
        process = subprocess.Popen([harness.CLI, "run", "--", *command], cwd=self.home,
                                   env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
        self.addCleanup(self._end, process)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_folder_goes_after_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            process = self.start_run(*NOBODY, PYTHON, "-c", LEAK, "30")
            process.send_signal(number)
            process.wait(30)
            self.assertEqual(folders() - self.before, set(), number)

    def test_folder_after_sigkill(self):
        """Left as long as a process of the run may write there; cleared by a run after that."""
        process = self.start_run(*NOBODY, PYTHON, "-c", LEAK, "30")
        process.kill()
        process.wait()
        left = folders() - self.before
        self.assertEqual(len(left), 1)
        folder, = left
        self.unclosed("run", "--", "true", cwd=self.home)
        self.assertIn(folder, folders())  # its process lives
        # The process that lives has no parent any more.
        for name in glob.glob(f"{folder}/*.trace"):
            os.kill(int(name.split(".")[-2]), signal.SIGKILL)
        self.eventually(lambda: not self.used(folder), "the end of the process")
        os.makedirs(os.path.join(folder, "deep/er"))
        self.unclosed("run", "--", "true", cwd=self.home)
        self.assertNotIn(folder, folders())

    @staticmethod
    def used(folder):
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    if folder.encode() in file.read():
                        return True
            except OSError:
                pass
        return False

    def test_folder_of_a_tool_at_work_stays(self):
        process = self.start_run(*NOBODY, PYTHON, "-c", LEAK, "2")
        self.unclosed("run", "--", "true", cwd=self.home)
        process.wait(30)
        self.assertIn(b"SUMMARY: 1 session", process.stderr.read())

    def test_others_folders_stay(self):
        """A folder of that name which is somebody else's, or another thing, is none of ours."""
        theirs = "/tmp/unclosed-theirs"
        os.mkdir(theirs)
        self.addCleanup(os.rmdir, theirs)
        os.chmod(theirs, 0o1733)
        os.chown(theirs, 65534, 65534)
        link = "/tmp/unclosed-linked"
        os.symlink(self.home, link)
        self.addCleanup(os.unlink, link)
        with open(os.path.join(self.home, "precious"), "w", encoding="ascii"):
            pass
        self.unclosed("run", "--", "true", cwd=self.home)
        self.assertTrue(os.path.isdir(theirs))
        self.assertTrue(os.path.exists(os.path.join(self.home, "precious")))


def with_own_tmp():
    """Runs this file again where nobody else makes folders in /tmp, if that is possible. What is built
    and what it is built of stay where they are, should that be in /tmp (-c: by descriptor, not by the
    path that it leads to)."""
    os.environ["PLANTED_TMP"] = "own"
    here = os.path.realpath(__file__)
    tree = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(harness.CLI))))
    mounts = ('exec 3<"$1" 4<"$2" && mount -t tmpfs -o mode=1777 tmpfs /tmp && '
              'mkdir -p "$1" && mount -c --bind /proc/self/fd/3 "$1" && '
              'mkdir -p "$2" && mount -c --bind /proc/self/fd/4 "$2" && '
              'exec 3<&- 4<&- && shift 2')
    command = ["unshare", "-m", "sh", "-c", mounts + ' && exec "$@"', "sh", tree, build]
    if subprocess.run([*command, "true"], check=False).returncode == 0:
        os.execvp("unshare", [*command, sys.executable, here])


if __name__ == "__main__":
    if os.geteuid() == 0 and "PLANTED_TMP" not in os.environ:
        with_own_tmp()
    harness.main()
