#!/usr/bin/python3
"""Bad input: a clear message with the remedy, the exit status of the design; the program runs."""

import os
import shutil
import stat

import harness

DEPOTS = harness.program("depots")
OUTCOMES = harness.program("outcomes")
FAILURE, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127


class BadInput(harness.TestCase):
    def refused(self, *arguments, status=FAILURE, says=(), env=None):
        """The command line fails with this status and one message that has all of `says`."""
        result = self.unclosed(*arguments, env=env)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn("unclosed", result.stderr)
        for words in says:
            self.assertIn(words, result.stderr)
        self.assertEqual(result.stdout, "")
        return result

    # -- specs --

    def test_malformed_spec(self):
        """Names the column, shows the expected form, and starts nothing."""
        started = self.path("started")
        for spec, column in (("acquire depot_get(pool -> handle", "24"),
                             ("acquire depot_get(pool) => handle", "25"),
                             ("acquire 9(pool) -> handle", "9"),
                             ("fetch depot_get(pool) -> handle", "1"),
                             ("acquire depot_get(pool) -> handle extra", "35")):
            with self.subTest(spec=spec):
                result = self.refused("run", "--pool", spec, "--", "touch", started)
                self.assertIn(f":{column}:", result.stderr)
                self.assertIn("expected", result.stderr)
                self.assertFalse(os.path.exists(started))
                self.refused("run", "--", "touch", started, env={"UNCLOSED_POOLS": spec})
                self.assertFalse(os.path.exists(started))

    def test_malformed_spec_file(self):
        path = self.write("bad.spec", "# first\nkind x\nacquire f(pool -> handle\n")
        self.refused("run", "--pool", path, "--", "true", says=["bad.spec:3:16:"])

    def test_wrong_spec(self):
        """Well-formed, but not what the function is: the program runs on, and gives its results."""
        for arguments in ("_, *handle", "_, _, *handle", "_, _, _, _, _, *handle", "*handle",
                          "_, name, *handle", "_, _, database, *handle", "*pool, *handle"):
            with self.subTest(arguments=arguments):
                self.assert_same_behaviour(
                    [DEPOTS, "result"],
                    pools=[f"acquire depot_get({arguments}); release depot_put(_, *handle)"])
        for text in ("acquire depot_get(name) -> handle", "acquire depot_get(_, name) -> handle",
                     "acquire depot_get(_, _, *pool) -> handle", "acquire depot_get(7) -> handle",
                     "acquire depot_put(handle); release depot_get(handle)",
                     "acquire malloc(_) -> handle; release free(handle)",
                     "acquire dlopen(database, _) -> handle; release dlclose(handle) -> 0",
                     "acquire _exit(handle)"):
            with self.subTest(text=text):
                self.assert_same_behaviour([DEPOTS, "result"], pools=[text])

    def test_too_many_arguments_in_spec(self):
        self.refused("run", "--pool", "acquire f(_, _, _, _, _, _, handle)", "--", "true")

    def test_unknown_spec_name(self):
        self.refused("run", "--pool", "nosuchpool", "--", "true", says=["nosuchpool", "libzdb"])
        self.refused("run", "--pool", "./nowhere.spec", "--", "true", says=["nowhere.spec"])

    def test_malformed_spec_by_hand(self):
        """Preloaded by hand nobody can refuse: it is said, and all else is traced as usual."""
        run = self.trace([OUTCOMES, "leaked"], how="preload",
                         env={"UNCLOSED_POOLS": "acquire f(pool -> handle"})
        self.assertEqual(run.status, 0)
        self.assertIn("UNCLOSED_POOLS", run.err)
        self.assert_totals(run.report(), opened=3)

    def test_bad_variables_by_hand(self):
        """Bad values of any option: the program runs, and is traced."""
        for name, value in (("UNCLOSED_SIGNAL", "SIGNOSUCH"), ("UNCLOSED_THRESHOLD", "soon"),
                            ("UNCLOSED_DEPTH", "0"), ("UNCLOSED_FOLLOW", "perhaps")):
            with self.subTest(name=name):
                run = self.trace([OUTCOMES, "leaked"], how="preload", env={name: value})
                self.assertEqual(run.status, 0)
                self.assert_totals(run.report(), opened=3)

    def test_bad_options(self):
        for option in (["--threshold", "soon"], ["--signal", "SIGNOSUCH"], ["--depth", "0"],
                       ["--follow", "perhaps"], ["--error-exitcode", "0"],
                       ["--error-exitcode", "300"], ["--no-such-option"]):
            with self.subTest(option=option):
                self.refused("run", *option, "--", "true")
        self.refused("run")
        self.refused("nosuchcommand", says=["nosuchcommand"])

    # -- commands --

    def test_missing_command(self):
        self.refused("run", "--", "/nowhere/at/all", status=NOT_FOUND, says=["/nowhere/at/all"])
        self.refused("run", "--", "nosuchcommand", status=NOT_FOUND, says=["nosuchcommand"])

    def test_not_executable(self):
        path = self.write("plain", "text")
        self.refused("run", "--", path, status=NOT_EXECUTABLE, says=[path])
        self.refused("run", "--", self.folder, status=NOT_EXECUTABLE)
        script = self.write("script", "#!/nowhere/interpreter\n", 0o755)
        result = self.unclosed("run", "--", script)
        self.assertIn(result.returncode, (NOT_EXECUTABLE, NOT_FOUND))

    def test_own_status(self):
        for status in (0, 1, 42, 125, 255):
            result = self.unclosed("run", "--", "sh", "-c", f"exit {status}")
            self.assertEqual(result.returncode, status)

    def test_error_exitcode(self):
        def status(*words):
            return self.unclosed("run", "--error-exitcode", "66", "--", *words).returncode

        self.assertEqual(status(OUTCOMES, "leaked"), 66)
        self.assertEqual(status(OUTCOMES, "closed"), 0)
        self.assertEqual(status(OUTCOMES, "leaked", "nosuch"), 66)
        self.assertEqual(status("sh", "-c", f"{OUTCOMES} leaked; exit 3"), 3)

    # -- programs that cannot be traced --

    def untraceable(self, path, word):
        result = self.unclosed("run", "--", path)
        self.assertIn(word, result.stderr)
        return result

    def test_static_program(self):
        self.assertEqual(self.untraceable(harness.program("static_true"), "static").returncode, 0)

    def test_32_bit_program(self):
        """A 64-bit program with its class changed: enough for what is said about it."""
        with open("/bin/true", "rb") as file:
            data = bytearray(file.read())
        data[4] = 1  # EI_CLASS: ELFCLASS32
        data[18] = 3  # e_machine: EM_386
        path = self.path("true32")
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o755)
        self.untraceable(path, "32-bit")

    @harness.needs_root
    def test_setuid_program(self):
        path = self.path("setuid")
        shutil.copy("/bin/true", path)
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o755 | stat.S_ISUID)
        self.assertEqual(self.untraceable(path, "setuid").returncode, 0)

    def test_script_of_untraceable_program(self):
        script = self.write("script", f"#!{harness.program('static_true')}\n", 0o755)
        self.assertEqual(self.untraceable(script, "static").returncode, 0)

    # -- folders --

    def test_folder_that_is_not_there(self):
        """The program runs on regardless, with its own status, and the remedy is named."""
        result = self.unclosed("run", "-o", "/nowhere/at/all/%p.trace", "--", "sh", "-c", "exit 5")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("/nowhere/at/all", result.stderr)

    def test_folder_that_cannot_be_written(self):
        pattern = "/proc/%p.trace"
        result = self.unclosed("run", "-o", pattern, "--", OUTCOMES, "leaked")
        self.assertEqual(result.returncode, 0)
        self.assertIn("/proc", result.stderr)
        run = self.trace([OUTCOMES, "leaked"], how="preload",
                         env={"UNCLOSED_OUTPUT": "/proc/%p.trace"})
        self.assertEqual(run.status, 0)
        self.assertIn("/proc", run.err)
        # In memory it is known all the same.
        self.assertRegex(run.err, r"\b3\b")

    @harness.needs_root
    def test_folder_of_another_user(self):
        os.mkdir(self.path("closed"), 0o700)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        # Copies: that user may not be let into the build folder.
        copies = {harness.CLI: "cli", harness.LIBRARY: "recorder", OUTCOMES: "programs"}
        for source, folder in copies.items():
            os.mkdir(self.path(folder), 0o755)
            shutil.copy(source, self.path(folder))
        run = self.run_plain([*command, self.path("cli/unclosed"), "run", "-o",
                              self.path("closed/%p.trace"), "--", self.path("programs/outcomes"),
                              "leaked"], cwd="/")
        self.assertIn("closed", run.err)
        self.assertNotEqual(run.status, FAILURE)

    def test_nothing_is_overwritten(self):
        fixed = self.path("fixed.trace")
        first = self.unclosed("run", "-o", fixed, "--", OUTCOMES, "leaked")
        self.assertEqual(first.returncode, 0, first.stderr)
        size = os.stat(fixed)
        second = self.unclosed("run", "-o", fixed, "--", OUTCOMES, "closed")
        self.assertIn("fixed.trace", second.stderr)
        self.assertEqual(os.stat(fixed).st_mtime_ns, size.st_mtime_ns)
        self.assert_totals(self.report(fixed), opened=3, released=0)
        third = self.unclosed("run", "-f", "-o", fixed, "--", OUTCOMES, "closed")
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assert_totals(self.report(fixed), opened=3, released=3)

    def test_symbolic_link_is_not_followed(self):
        victim = self.write("victim", "precious")
        os.symlink(victim, self.path("link.trace"))
        for options in ([], ["-f"]):
            self.unclosed("run", *options, "-o", self.path("link.trace"), "--", OUTCOMES, "leaked")
            with open(victim, encoding="ascii") as file:
                self.assertEqual(file.read(), "precious")

    # -- traces --

    def trace_bytes(self):
        run = self.trace([OUTCOMES, "all"])
        with open(run.traces[0], "rb") as file:
            return bytearray(file.read())

    def test_foreign_file(self):
        for content in ("", "text\n", "SQLite format 3\0" + "x" * 5000):
            path = self.write("foreign.trace", content)
            self.refused("report", path, says=["foreign.trace"])
            self.refused("held", path, says=["foreign.trace"])
        self.refused("report", self.path("nowhere.trace"), says=["nowhere.trace"])
        self.refused("report", OUTCOMES)
        empty = self.path("empty")
        os.mkdir(empty)
        self.refused("report", empty, says=["empty"])

    def test_damaged_trace(self):
        """Cut anywhere, or with bytes changed: a report of what is left or a refusal, no crash."""
        data = self.trace_bytes()
        path = self.path("damaged.trace")
        for size in (10, 4096, 4100, 5000, len(data) // 2, len(data) - 1):
            with open(path, "wb") as file:
                file.write(data[:size])
            result = self.unclosed("report", path)
            self.assertIn(result.returncode, (0, FAILURE), (size, result.stderr))
            if size < len(data) - 1:
                self.assertIn("damaged.trace", result.stderr, size)
        for step in range(0, len(data), max(1, len(data) // 60)):
            changed = bytearray(data)
            changed[step : step + 8] = b"\xff" * len(changed[step : step + 8])
            with open(path, "wb") as file:
                file.write(changed)
            result = self.unclosed("report", "--format", "json", path)
            self.assertIn(result.returncode, (0, FAILURE), (step, result.stderr))

    def test_another_version(self):
        data = self.trace_bytes()
        data[8] = 99
        path = self.path("later.trace")
        with open(path, "wb") as file:
            file.write(data)
        self.refused("report", path, says=["later.trace", "version"])

    def test_good_and_bad_traces_together(self):
        run = self.trace([OUTCOMES, "leaked"])
        self.write(os.path.relpath(os.path.join(run.folder, "bad.trace"), self.folder), "text")
        result = self.unclosed("report", run.folder)
        self.assertIn("bad.trace", result.stderr)
        self.assertIn("SUMMARY: 3", result.stdout)


if __name__ == "__main__":
    harness.main()
