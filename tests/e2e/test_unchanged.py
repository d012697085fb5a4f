#!/usr/bin/python3
"""Programs behave as without us: output, errors, exit status, environment, descriptors, signals.

Preloaded by hand with the summary sent to a file, so that standard error can be compared as well.
"""

import os
import re
import shutil
import signal
import subprocess
import unittest

import harness


class Unchanged(harness.TestCase):
    def same(self, command, prepare=None, **arguments):
        """Runs the command in two fresh folders, untraced and traced: all that shows is equal.

        prepare(folder) fills the folder. Result: the traced Run.
        """
        runs = []
        for how in ("plain", "preload"):
            folder = self.path("work")
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            if prepare:
                prepare(folder)
            env = dict(arguments.get("env", {}))
            if how == "preload":
                env["UNCLOSED_LOG"] = self.path("log")
            run = self.trace(command, how=how, cwd=folder,
                             **{**arguments, "env": env})
            files = sorted(os.path.relpath(os.path.join(where, name), folder)
                           for where, _, names in os.walk(folder) for name in names)
            runs.append((run, files))
        (plain, plain_files), (traced, traced_files) = runs
        self.assertEqual(traced.status, plain.status, traced.err)
        # sigaction says that SIGBUS is at its default; the kernel knows better.
        caught = f"SigCgt:\t{1 << (signal.SIGBUS - 1):016x}\n"
        self.assertEqual(traced.out.replace(caught, f"SigCgt:\t{0:016x}\n"), plain.out)
        self.assertEqual(traced.err, plain.err)
        self.assertEqual(traced_files, plain_files)
        return traced

    def test_surroundings(self):
        run = self.same([harness.program("surroundings"), "one", "two words", ""],
                        env={"SOME": "thing", "UNCLOSED_SIGNAL": "none"})
        self.assertEqual(run.status, 23)
        self.assertIn("SOME=thing", run.out)
        # And under `unclosed run`, which must not leave descriptors or signals behind either; but
        # for the dump signal, SIGUSR2, and SIGBUS, which are caught once there is a trace.
        plain = self.run_plain([harness.program("surroundings")])
        traced = self.trace([harness.program("surroundings")])
        caught = f"SigCgt:\t{1 << (signal.SIGUSR2 - 1) | 1 << (signal.SIGBUS - 1):016x}\n"
        self.assertEqual(traced.out.count(caught), 2)
        self.assertEqual(traced.out.replace(caught, f"SigCgt:\t{0:016x}\n"), plain.out)
        self.assertEqual(traced.status, 23)

    def test_environment_reaches_children(self):
        """A child's environment differs in nothing but what the tracer is told with."""
        run = self.trace(["env"], how="preload", env={"A": "1"})
        plain = self.run_plain(["env"], env={"A": "1"})
        # What meson sets for sanitizers in the tests that it runs differs by our own part.
        kept, wanted = (sorted(line for line in one.out.splitlines()
                               if not re.match(r"LD_PRELOAD=|UNCLOSED_|ASAN_OPTIONS=", line))
                        for one in (run, plain))
        self.assertEqual(kept, wanted)
        run = self.trace(["env"], env={"LD_PRELOAD": "libm.so.6"})
        self.assertRegex(run.out, r"LD_PRELOAD=\S*libm\.so\.6")

    def test_shell_scripts(self):
        script = self.write("script.sh", """\
#!/bin/sh
set -u
trap 'echo trapped' USR1
trap 'echo leaving' EXIT
for i in 1 2 3; do (echo "sub $i"; exit $i); echo "$?"; done
kill -USR1 $$
echo one two | tr a-z A-Z | sed 's/O/0/g' | sort
ls -l /proc/self/fd | wc -l
x=$(printf '%s' "$0" | wc -c)
[ "$x" -gt 3 ] && echo long
sleep 60 &
kill $!
wait $!
echo "waited $?"
ulimit -n; umask; exec false
""", 0o755)
        self.same([script])
        if shutil.which("bash"):
            self.same(["bash", "-c", "coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]};"
                       "echo $x; kill $COPROC_PID; wait; cat <(echo a) <(echo b); exit 7"])

    @harness.needs("make", "gcc")
    def test_parallel_make(self):
        def prepare(folder):
            with open(os.path.join(folder, "Makefile"), "w", encoding="ascii") as file:
                file.write("all: " + " ".join(f"p{i}" for i in range(6)) + "\n"
                           "p%: p%.c\n\t@gcc -O1 -o $@ $<\n\t@./$@ > $@.out\n"
                           "fail:\n\tfalse\n")
            for i in range(6):
                with open(os.path.join(folder, f"p{i}.c"), "w", encoding="ascii") as file:
                    file.write(f"#include <stdio.h>\nint main(void){{puts(\"{i}\");return 0;}}\n")

        self.same(["make", "-s", "-j4", "all"], prepare)
        self.assertEqual(self.same(["make", "-j2", "fail"], prepare).status, 2)

    @harness.needs("git")
    def test_git(self):
        environment = {name: value for who in ("AUTHOR", "COMMITTER") for name, value in (
            (f"GIT_{who}_NAME", "A"), (f"GIT_{who}_EMAIL", "a@example.org"),
            (f"GIT_{who}_DATE", "2020-01-01T00:00:00Z"))}
        self.same(["sh", "-ec", "git init -q . && echo a > a && git add a && git commit -qm a &&"
                   "git branch b && echo c >> a && git commit -qam c && git checkout -q b &&"
                   "git log --oneline --all && git gc -q && git fsck && git archive HEAD | tar t"],
                  env=environment)

    @harness.needs("vim")
    def test_vim(self):
        self.same(["vim", "-es", "-u", "NONE", "-c", "normal ihello", "-c", "wq! out"])

    @harness.needs("strace")
    def test_strace(self):
        run = self.same(["sh", "-c", "strace -f -o /dev/null sh -c 'sqlite3 x.db \"select 5\"'"])
        self.assertEqual(run.out, "5\n")

    @harness.needs("valgrind", "sqlite3")
    def test_valgrind(self):
        """No error of ours under memcheck, and the program's own result."""
        # A copy: BPF probes of other tests are breakpoints in the library's file, and valgrind
        # stumbles over them.
        shutil.copy("/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", self.path("libsqlite3.so.0"))
        run = self.trace(["valgrind", "-q", "--error-exitcode=77", "--child-silent-after-fork=yes",
                          harness.program("outcomes"), "closed", "busy_then_closed", "leaked"],
                         how="preload", timeout=100,
                         env={"UNCLOSED_LOG": self.path("log"), "LD_LIBRARY_PATH": self.folder})
        self.assertEqual((run.status, run.err), (0, ""))
        self.assertEqual(run.sum("opened"), 7)

    @harness.needs("gdb")
    def test_gdb(self):
        run = self.trace(["gdb", "-q", "-batch", "-nx", "-ex", "set startup-with-shell off", "-ex",
                          f"set environment LD_PRELOAD {harness.LIBRARY}", "-ex",
                          "break sqlite3_libversion_number", "-ex", "run", "-ex", "info threads",
                          "--args", harness.program("outcomes"), "closed"], how="plain")
        self.assertIn("opened=3", run.out)
        self.assertIn("exited normally", run.out)

    @harness.needs("nodejs")
    def test_node(self):
        self.same(["nodejs", "-e", "const c=require('child_process');"
                   "console.log(c.execSync('echo x').toString());"
                   "new (require('worker_threads').Worker)('console.log(1)',{eval:true})"
                   ".on('exit',x=>{console.log('w',x);process.exitCode=4})"])

    @harness.needs("setpriv")
    @harness.needs_root
    def test_other_user(self):
        self.same(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "id", "-u"])

    @harness.needs("script")
    def test_terminal(self):
        run = self.same(["script", "-qec", "sh -c 'tty >/dev/null && stty size; exit 3'",
                         "/dev/null"])
        self.assertEqual(run.status, 3)

    @harness.needs("python3")
    def test_python_itself(self):
        """KeyboardInterrupt, atexit, threads, subprocesses, faulthandler."""
        self.same(["python3", "-c", """
import atexit, faulthandler, os, signal, subprocess, sys, threading
faulthandler.enable()
atexit.register(print, "at exit")
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
print([signal.getsignal(s).__class__.__name__ for s in (signal.SIGUSR1, signal.SIGUSR2)])
print(subprocess.run(["sh", "-c", "echo child; exit 4"], capture_output=True))
threading.Thread(target=lambda: print(threading.current_thread().name)).start()
print(sorted(os.listdir("/proc/self/fd")))
sys.exit(5)
"""])

    @harness.needs("perl")
    def test_perl_itself(self):
        self.same(["perl", "-e", "$SIG{USR2}=sub{print \"usr2\\n\"}; kill 'USR2',$$;"
                   "my $p=fork; if(!$p){exec 'false'} waitpid $p,0; print $?>>8,\"\\n\";"
                   "print `echo sub`; die \"dead\\n\""])

    @harness.needs("gunicorn")
    def test_gunicorn_check(self):
        def prepare(folder):
            with open(os.path.join(folder, "app.py"), "w", encoding="ascii") as file:
                file.write("def application(environ, start):\n    return []\n")

        self.same(["gunicorn", "--check-config", "app"], prepare)

    def test_compiled_with_sanitizer(self):
        """AddressSanitizer wants to be first in the program, and finds errors as without us."""
        if shutil.which("gcc") is None:
            raise unittest.SkipTest("no compiler")
        source = self.write("a.c", "#include <sqlite3.h>\nint main(void){sqlite3*d;"
                            "sqlite3_open(\":memory:\",&d);sqlite3_close(d);return 6;}\n")
        built = subprocess.run(["gcc", "-fsanitize=address", source, "-o", self.path("a"),
                                "-lsqlite3"], capture_output=True, check=False)
        if built.returncode != 0:
            raise unittest.SkipTest("cannot compile with AddressSanitizer")
        for options in ("", "detect_leaks=0"):
            run = self.trace([self.path("a")], how="run", env={"ASAN_OPTIONS": options})
            self.assertEqual(run.status, 6, run.err)
            self.assert_totals(run.report(), opened=1)

    def test_with_another_allocator(self):
        for name in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4"):
            path = "/usr/lib/x86_64-linux-gnu/" + name
            if not os.path.exists(path):
                continue
            with self.subTest(allocator=name):
                run = self.trace([harness.program("outcomes"), "all"],
                                 env={"LD_PRELOAD": path})
                self.assertEqual(run.status, 0)
                self.assert_totals(run.report(), opened=run.sum("opened"))


if __name__ == "__main__":
    harness.main()
