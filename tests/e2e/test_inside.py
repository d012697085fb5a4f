"""Functions inside the program: no table leads to them, their entries are patched."""

import os
import subprocess

import harness

POOL = ("acquire inside_get(pool) -> handle; release inside_put(pool, handle) -> 0; "
        "acquire inside_take(pool, _) -> handle")
CXX_POOL = ("acquire _ZN4Pool3getEb(pool, _) -> handle; "
            "release _ZN4Pool3putEPi(pool, handle)")

GCC, CLANG = "gcc", "clang"
WAYS = [
    (GCC, "-O0"), (GCC, "-O1"), (GCC, "-O2"), (GCC, "-O3"), (GCC, "-Os"),
    (GCC, "-O2 -fcf-protection=full"), (GCC, "-O2 -fcf-protection=none"),
    (GCC, "-O2 -no-pie -fno-pie"), (GCC, "-O0 -no-pie -fno-pie"), (GCC, "-O3 -march=native"),
    (GCC, "-O2 -rdynamic"), (GCC, "-O2 -Wl,--build-id=none"), (GCC, "-O2 -fno-omit-frame-pointer"),
    (GCC, "-O2 -ffunction-sections -Wl,--gc-sections"),
    (CLANG, "-O0"), (CLANG, "-O2"), (CLANG, "-O3 -march=native"), (CLANG, "-O2 -no-pie -fno-pie"),
    (CLANG, "-O2 -fcf-protection=full"),
]


class Program(harness.TestCase):
    def build(self, name, compiler, flags, source="inside.c", more=()):
        path = self.path(name)
        subprocess.run([compiler, "-g", *flags.split(), "-I", harness.SOURCES, "-o", path,
                        os.path.join(harness.SOURCES, source), *more, "-lpthread"], check=True,
                       capture_output=True)
        return path

    def check_pool(self, run):
        """The counts of the trace are those of the program."""
        report = run.report()
        kept = run.sum("out")
        self.assert_totals(report, "checkout", opened=run.sum("gets"), released=run.sum("puts"),
                           never_closed=kept)
        return report


class Pool(Program):
    def test_every_way_of_compiling(self):
        for number, (compiler, flags) in enumerate(WAYS):
            if not harness.has_command(compiler):
                continue
            with self.subTest(compiler=compiler, flags=flags):
                program = self.build(f"inside{number}", compiler, flags)
                run = self.assert_same_behaviour([program, "100", "4"], pools=[POOL])
                self.assertGreater(run.sum("gets"), 500)
                report = self.check_pool(run)
                inside = [i["function"] for i in report["unseen_inside"]]
                self.assertNotIn("inside_get", inside)
                self.assertNotIn("inside_put", inside)

    def test_without_patches_nothing_is_seen(self):
        program = self.build("inside", GCC, "-O2")
        run = self.assert_same_behaviour([program], pools=[POOL], options=["--no-patch"])
        self.assertEqual(run.traces, [])
        self.assertIn("inside_get, which --pool names, is not hooked; leave out --no-patch", run.err)
        # Preloaded by hand there is no plan.
        run = self.trace([program], how="preload", pools=[self.write("inside.spec", POOL)])
        self.assertEqual((run.status, run.traces), (0, []))

    def test_stripped(self):
        program = self.build("inside", GCC, "-O2 -s")
        run = self.assert_same_behaviour([program], pools=[POOL])
        self.assertEqual(run.traces, [])
        self.assertRegex(run.err, "inside_get, which --pool names, is nowhere in it; .*stripped")

    def test_separate_symbols(self):
        """Names in .gnu_debuglink's file next to the program are as good."""
        program = self.build("inside", GCC, "-O2")
        debug = self.path("inside.debug")
        subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
        subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", program],
                       check=True)
        self.check_pool(self.assert_same_behaviour([program], pools=[POOL]))

    def test_too_short(self):
        program = self.build("inside", GCC, "-O2")
        run = self.assert_same_behaviour([program],
                                         pools=[POOL, "acquire inside_nothing() -> handle"])
        report = self.check_pool(run)
        self.assertEqual([i["function"] for i in report["unseen_inside"]], ["inside_nothing"])
        self.assertIn("shorter", report["unseen_inside"][0]["reason"])
        self.assertIn("inside_nothing", run.err)

    def test_child_program(self):
        """A program that the command starts, named by --patch-in; unnamed it is not seen."""
        program = self.build("inside", GCC, "-O2")
        command = ["/bin/sh", "-c", f"{program}; exit 3"]
        run = self.assert_same_behaviour(command, pools=[POOL], options=["--patch-in", program])
        self.check_pool(run)
        run = self.assert_same_behaviour(command, pools=[POOL])
        self.assertEqual(run.traces, [])
        wrong = self.unclosed("run", "--patch-in", "/nonexistent", "--", "true")
        self.assertEqual(wrong.returncode, 125)

    def test_other_bytes(self):
        """The bytes decide: what is in memory has to be what the plan was made of."""
        program = self.build("inside", GCC, "-O2 -Wl,--build-id=0x0123456789abcdef")
        other = self.build("other", GCC, "-O2 -Wl,--build-id=0x0123456789abcdef -DOTHER")
        run = self.trace(["/bin/sh", "-c", program], pools=[POOL], options=["--patch-in", other])
        self.assertEqual(run.status, 0, run.err)
        self.assertRegex(run.out, r"gets=101 ")
        self.assertEqual(run.traces, [])

    def test_cxx(self):
        for compiler in ("g++", "clang++"):
            if not harness.has_command(compiler):
                continue
            for flags in ("-O0", "-O2"):
                with self.subTest(compiler=compiler, flags=flags):
                    program = self.build("cxx", compiler, flags, "inside.cc")
                    run = self.assert_same_behaviour([program], pools=[CXX_POOL])
                    self.assertEqual(run.sum("caught"), 3)
                    self.assert_totals(run.report(), "checkout", opened=run.sum("gets"),
                                       released=run.sum("puts"))


class StaticSqlite(Program):
    LIBRARIES = ("-DWITH_SQLITE", "-l:libsqlite3.a", "-lm", "-ldl")

    def test_every_way_of_compiling(self):
        for flags in ("-O0", "-O2", "-O2 -no-pie -fno-pie", "-O2 -rdynamic"):
            with self.subTest(flags=flags):
                program = self.build("sqlite", GCC, flags, more=self.LIBRARIES)
                run = self.assert_same_behaviour([program], pools=[POOL])
                report = self.check_pool(run)
                self.assert_totals(report, "handle", opened=run.sum("opened"),
                                   released=run.sum("closed"), never_closed=1)
                self.assertEqual(run.sum("opened"), 12)

    def test_in_a_plugin(self):
        """Hidden in a shared library, and that is linked or loaded later."""
        source = self.write("plugin.c", """
            #include <sqlite3.h>
            int plugin(void);
            int plugin(void) {
                sqlite3 *db = 0;
                for (int i = 0; i < 5; i++) {
                    if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 1;
                    if (i != 2 && sqlite3_close(db) != SQLITE_OK) return 1;
                }
                return 0;
            }
            """)
        library = self.path("libplugin.so")
        subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-O2", "-o", library, source,
                        "-l:libsqlite3.a", "-Wl,--exclude-libs,ALL", "-lm"], check=True)
        host = self.write("host.c", """
            #include <dlfcn.h>
            int main(void) {
                void *library = dlopen("./libplugin.so", RTLD_NOW);
                return library ? ((int (*)(void))dlsym(library, "plugin"))() : 1;
            }
            """)
        linked = self.write("linked.c", "int plugin(void); int main(void) { return plugin(); }")
        subprocess.run(["gcc", "-o", self.path("host"), host], check=True)
        subprocess.run(["gcc", "-o", self.path("linked"), linked, library, "-Wl,-rpath,$ORIGIN"],
                       check=True)
        run = self.assert_same_behaviour([self.path("linked")])
        self.assert_totals(run.report(), opened=5, released=4, never_closed=1)
        run = self.assert_same_behaviour([self.path("host")], options=["--patch-in", library])
        self.assert_totals(run.report(), opened=5, released=4, never_closed=1)

    def test_threads_before(self):
        """A library found when several threads run is left alone, and that is said."""
        source = self.write("plugin.c", """
            __attribute__((noinline)) void *late_get(void *pool) { return (char *)pool + 8; }
            static char pool[64];
            __attribute__((visibility("default"))) void *plugin(void) { return late_get(pool); }
            """)
        library = self.path("libplugin.so")
        subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-o",
                        library, source], check=True)
        host = self.write("host.c", """
            #include <dlfcn.h>
            #include <pthread.h>
            #include <unistd.h>
            #include <sqlite3.h>
            static void *sleeper(void *data) { for (;;) pause(); return data; }
            int main(void) {
                pthread_t thread;
                sqlite3 *db;
                sqlite3_open(":memory:", &db); /* so that there is a trace */
                sqlite3_close(db);
                pthread_create(&thread, 0, sleeper, 0);
                void *library = dlopen("./libplugin.so", RTLD_NOW);
                return library && ((void *(*)(void))dlsym(library, "plugin"))() ? 0 : 1;
            }
            """)
        subprocess.run(["gcc", "-o", self.path("host"), host, "-lsqlite3", "-lpthread"],
                       check=True)
        run = self.assert_same_behaviour(
            [self.path("host")], pools=["acquire late_get(pool) -> handle"],
            options=["--patch-in", library])
        inside = run.report()["unseen_inside"]
        self.assertEqual([i["function"] for i in inside], ["late_get"])
        self.assertIn("threads", inside[0]["reason"])


if __name__ == "__main__":
    harness.main()
