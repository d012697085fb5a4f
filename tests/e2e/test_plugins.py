#!/usr/bin/python3
"""Ways in: plugins opened in every way, pointers got by dlsym, several copies of the library; and
what must stay as it was for the program's own dlopen and dlsym, and in its symbol scope."""

import re
import shutil
import subprocess

import harness

HOST = harness.program("plugin_host")
SQLITE = "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0"


def plugins(*names):
    return [harness.program(f"plugins/{name}.so") for name in names]


ALL = plugins("plugin_a", "plugin_b", "runpath", "next", "throws")


class Plugins(harness.TestCase):
    def host(self, *words, leaks, **arguments):
        run = self.assert_same_behaviour([HOST, *words], same_error=False, **arguments)
        report = run.report()
        self.assert_totals(report, opened=run.sum("opened"), released=run.sum("closed"))
        self.assert_sites(report, "plugins/plugin.c", {"plugin": leaks} if leaks else {})
        return report

    def test_unloaded_before_the_end(self):
        """Names and lines of two plugins that were loaded one after the other."""
        report = self.host(*plugins("plugin_a", "plugin_b"), leaks=2)
        modules = {site["module"].rsplit("/", 1)[-1] for site in self.sites(report).values()}
        self.assertTrue(modules <= {"plugin_a.so", "plugin_b.so"}, modules)
        self.assertNotIn("??", str(report["sites"]))

    def test_kept(self):
        self.host("keep", *ALL, leaks=2)

    def test_all(self):
        self.host(*ALL, leaks=2)

    def test_deepbind(self):
        self.host("deepbind", *ALL, leaks=2)

    def test_deepbind_kept(self):
        self.host("deepbind", "keep", *ALL, leaks=2)

    def test_global(self):
        self.host("global", *ALL, leaks=2)

    def test_lazy(self):
        self.host("lazy", *ALL, leaks=2)

    def test_twice(self):
        self.host("twice", "deepbind", *ALL, leaks=4)

    def test_own_namespace(self):
        """What is traced in another namespace is left open here; nothing may break."""
        self.assert_same_behaviour([HOST, "new", *ALL], how="preload")

    def test_dlopen_keeps_its_caller(self):
        """Found only through the RUNPATH of the calling plugin; and errors are the loader's own."""
        self.assertIn("runpath: 0", self.trace([HOST, *plugins("runpath")]).out)
        self.assertIn("next: 0", self.trace([HOST, *plugins("next")]).out)
        missing = self.assert_same_behaviour([HOST, "/nowhere/at/all.so", "deepbind",
                                              "libnosuchlibrary.so"])
        self.assertIn("cannot open", missing.out)

    @harness.counted
    def test_next_against_counter(self):
        run = self.trace([HOST, *ALL], count=["sqlite3"])
        self.assertEqual(run.counted("sqlite3.acquire"), run.sum("opened"))
        self.assertEqual(run.counted("sqlite3.release"), run.sum("closed"))
        self.assert_totals(run.report(), opened=run.counted("sqlite3.acquire"),
                           released=run.counted("sqlite3.release"))

    @harness.counted
    def test_pointers(self):
        run = self.assert_same_behaviour([harness.program("pointers")], count=["sqlite3"])
        report = run.report()
        self.assertEqual(run.counted("sqlite3.acquire"), run.sum("opened"))
        self.assert_totals(report, opened=6, released=4, never_closed=2)
        self.assert_sites(report, "pointers.c", {"pointer": 2})

    def test_static_and_copies(self):
        """One SQLite in the program, seen only by `unclosed run`, and two shared copies of it."""
        copy = self.path("libanother.so")
        shutil.copy(SQLITE, copy)
        program = harness.program("static_sqlite")
        self.assertEqual(self.assert_same_behaviour([program], how="preload").traces, [])
        report = self.assert_same_behaviour([program, SQLITE, copy]).report()
        self.assert_totals(report, opened=3, released=1, never_closed=2)
        self.assert_sites(report, "static_sqlite.c", {"copy": 2})


    def test_plugin_uses_the_programs_own_copy(self):
        run = self.assert_same_behaviour([harness.program("exported_sqlite"),
                                          *plugins("plugin_a")])
        self.assertEqual(run.sum("in_this_copy"), 1)
        report = run.report()
        self.assert_totals(report, opened=run.sum("opened"), released=run.sum("closed"))
        self.assert_sites(report, "plugins/plugin.c", ["plugin"])


class Scope(harness.TestCase):
    """Nothing of ours in the program's scope."""

    INTENDED = re.compile(r"(sqlite3_(open|open_v2|open16|close|close_v2)|unclosed_\w+)$")
    # Wrappers of functions that the recorder has to see early; each is one more thing to justify.
    LOADER = re.compile(r"$")

    def test_exported_names(self):
        names = subprocess.run(["nm", "-D", "--defined-only", harness.LIBRARY],
                               capture_output=True, text=True, check=True).stdout.split("\n")
        names = [line.split()[-1].split("@")[0] for line in names if line]
        self.assertIn("sqlite3_open_v2", names)
        self.assertEqual([name for name in names
                          if not self.INTENDED.match(name) and not self.LOADER.match(name)], [])

    def test_needed_libraries(self):
        """What would come into the global scope in front of the program's own libraries."""
        dynamic = subprocess.run(["readelf", "-d", harness.LIBRARY],
                                 capture_output=True, text=True, check=True).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertLessEqual(set(needed), {"libc.so.6", "ld-linux-x86-64.so.2"})

    def test_throwing_plugin_in_c_program(self):
        run = self.trace([HOST, "scope", *plugins("throws", "plugin_a")], how="preload")
        plain = self.run_plain([HOST, "scope", *plugins("throws", "plugin_a")])
        # dlsym hands out our wrappers of what it finds; of nothing else.
        ours = [line for line in run.out.splitlines() if "libunclosed" in line]
        self.assertLessEqual({line.split()[1] for line in ours}, {"dlopen", "dlsym", "_exit", "sigaction"})
        self.assertEqual([line for line in run.out.splitlines()[:-1] if line not in ours],
                         [line for line in plain.out.splitlines()[:-1]
                          if line.split()[1] not in {line.split()[1] for line in ours}])
        self.assertIn("origin backtrace libc.so.6", run.out)
        self.assertIn("backtrace good", run.out)
        self.assertIn("throws: 0", run.out)
        self.assertEqual(run.status, 0)

    def test_preloaded_alone(self):
        """Without anything to trace nothing is loaded, mapped or written besides the library."""
        run = self.trace(["/bin/cat", "/proc/self/maps"], how="preload")
        plain = self.run_plain(["/bin/cat", "/proc/self/maps"])

        def libraries(text):
            return {line.split()[-1] for line in text.splitlines() if ".so" in line}

        extra = libraries(run.out) - libraries(plain.out)
        self.assertLessEqual({name.rsplit("/", 1)[-1] for name in extra}, {"libunclosed.so"})


if __name__ == "__main__":
    harness.main()
