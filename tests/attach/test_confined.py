"""Programs that are confined: seccomp, limits, policies, other users, roots and namespaces."""

import os
import shutil
import subprocess
import unittest

import harness

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
SYSTEM_CALLS = {"mmap": 9, "mprotect": 10, "clone": 56, "clone3": 435, "memfd_create": 319,
                "openat": 257, "rseq": 334}


def is_root():
    return os.geteuid() == 0


class Confined(harness.AttachTest):
    def confined(self, *arguments, **keywords):
        return self.start("confined", *arguments, **keywords)

    def alive(self, process):
        self.assertIsNone(process.poll())
        self.assert_clean(process.pid)

    @unittest.skipUnless(is_root(), "only root may read filters")
    def test_seccomp(self):
        for action in ("seccomp-errno", "seccomp-kill"):
            for name, number in SYSTEM_CALLS.items():
                with self.subTest(action, call=name):
                    process = self.confined(action, number)
                    self.refused(process.pid, f"blocks these system calls: {name};")
                    self.alive(process)

    @unittest.skipUnless(is_root(), "only root may read filters")
    def test_seccomp_that_does_not_matter(self):
        for action in ("seccomp-errno", "seccomp-kill"):
            process = self.confined(action, 90) # chmod
            self.there_and_back(process.pid)
            self.alive(process)

    def test_seccomp_strict(self):
        process = self.confined("seccomp-strict", stdin=subprocess.PIPE)
        self.assertTrue(harness.wait_until(lambda: harness.status(process.pid, "Seccomp") == "1"))
        self.refused(process.pid, "is in seccomp strict mode")
        self.alive(process)
        process.stdin.close()

    def test_policies_and_habits(self):
        modes = ["no-exec-gain", "trap-ignored", "leader-gone", "locked-memory"]
        if is_root():
            modes.append("no-dump")
        for mode in modes:
            with self.subTest(mode):
                try:
                    process = self.confined(mode)
                except unittest.SkipTest as reason:
                    print(f"{mode}: {reason}")
                    continue
                self.there_and_back(process.pid)
                self.alive(process)

    def test_always_in_a_handler(self):
        process = self.confined("handler")
        self.refused(process.pid, "reached no safe point")
        self.alive(process)

    def test_limits(self):
        for mode, argument, expected in (
                ("no-descriptors", 0, "has no free file descriptor"),
                ("memory", 200000, "cannot map memory for the helper thread"),
                ("memory", 1000000, "cannot create a thread")):
            with self.subTest(mode, argument=argument):
                process = self.confined(mode, argument)
                self.refused(process.pid, expected)
                self.alive(process)
        process = self.confined("memory", 10000000) # the thread's stack and little more
        self.there_and_back(process.pid)

    def passed(self, pid):
        """The trace must have been created here and handed over."""
        self.assertIn("(passed)", self.there_and_back(pid))

    @unittest.skipUnless(is_root(), "needs root")
    def test_another_user(self):
        process = self.confined("user", 65534)
        self.passed(process.pid)
        self.alive(process)

    def unshared(self, *options, command=None):
        """A program in new namespaces; result: the process and the program's own pid."""
        self.need_namespaces(*options)
        process = self.start(shutil.which("unshare"), *options, "--fork", "--kill-child", "--",
                             *(command or (harness.tool("confined"), "plain")))
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        with open(children, encoding="utf-8") as file:
            return process, int(file.read().split()[0])

    @unittest.skipUnless(is_root(), "needs root")
    def test_namespaces(self):
        for options in (["--mount"], ["--pid"], ["--pid", "--mount-proc"], ["--user"],
                        ["--user", "--map-root-user", "--mount", "--pid", "--mount-proc", "--net",
                         "--ipc", "--uts"]):
            with self.subTest(options):
                process, pid = self.unshared(*options)
                report = self.there_and_back(pid)
                if "--mount" in options:
                    self.assertIn("(passed)", report)
                self.assertIsNone(process.poll())

    @unittest.skipUnless(is_root(), "needs root")
    def test_read_only_root(self):
        script = (f'mount --bind / "{self.folder}" && mount -t proc proc "{self.folder}/proc" && '
                  f'mount -o remount,ro,bind "{self.folder}" && '
                  f'exec chroot "{self.folder}" {harness.tool("confined")} plain')
        _, pid = self.unshared("--mount", command=("sh", "-c", script))
        self.passed(pid)

    def small_root(self):
        """A folder with the confined program, its C library and an empty /tmp; no /proc."""
        root = os.path.join(self.folder, "root")
        for path in (LOADER, LIBC):
            os.makedirs(root + os.path.dirname(path), exist_ok=True)
            shutil.copy(path, root + path)
        os.makedirs(root + "/tmp")
        return root

    @unittest.skipUnless(is_root(), "needs root")
    def test_chroot_without_proc(self):
        root = self.small_root()
        process = self.confined("chroot", root)
        self.passed(process.pid)
        self.assertEqual([], os.listdir(root + "/tmp"), "nothing is left there")
        self.alive(process)

    @unittest.skipUnless(is_root(), "needs root")
    def test_nowhere_to_load_from(self):
        """No /proc and nothing that can be written to: refused, and no harm done."""
        root = self.small_root()
        script = (f'mount --bind "{root}" "{root}" && mount -o remount,ro,bind "{root}" && '
                  f'exec {harness.tool("confined")} chroot "{root}"')
        process, pid = self.unshared("--mount", command=("sh", "-c", script))
        self.refused(pid, "sees neither /proc nor a folder that it can write")
        self.assertIsNone(process.poll())

    @unittest.skipUnless(is_root(), "needs root")
    def test_links_do_not_lead_out(self):
        """A target cannot have us write outside of its root by a symbolic link."""
        root = self.small_root()
        outside = os.path.join(self.folder, "outside")
        os.makedirs(outside)
        os.rmdir(root + "/tmp")
        os.symlink(outside, root + "/tmp")
        process = self.confined("chroot", root)
        self.passed(process.pid)
        self.assertEqual([], os.listdir(outside))
        self.alive(process)


if __name__ == "__main__":
    unittest.main(verbosity=2)
