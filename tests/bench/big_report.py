#!/usr/bin/env python3
"""Reports on a trace with many sessions: time and memory of each format.

    big_report.py BUILD [--sites N] [--sessions N] [--check]

Makes a program with N sites that never close N sessions, records it, and reports on it in each format: seconds of
processor time (of a report to a file, so that nobody's terminal counts) and the most memory. --check: exits with 1 if
text takes more than 0.5 s or 200 MB, or another format more than 3 s.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

LIBRARY = "#include <stdint.h>\nstatic uintptr_t last;\nvoid *depot_get(void) { return (void *)(last += 64); }\n"
UNIT = 100  # sites of a source file
TEXT_SECONDS, TEXT_MB, OTHER_SECONDS = 0.5, 200, 3.0


def unit(number, sites):
    """A source file with so many sites: as large as files are, not all of the program's."""
    lines = ["void *depot_get(void);"]
    lines += [f"void *site_{number}_{i}(void)\n{{\n    void *got = depot_get();\n"
              "    __asm__ volatile(\"\" : : \"r\"(got));\n    return got;\n}" for i in range(sites)]
    lines += [f"void *(*const all_{number}[])(void) = {{", ",\n".join(f"site_{number}_{i}" for i in range(sites)), "};"]
    return "\n".join(lines) + "\n"


def program(units, rounds):
    lines = [f"extern void *(*const all_{i}[{UNIT}])(void);" for i in range(units)]
    lines += ["static void *(*const *const all[])(void) = {", ", ".join(f"all_{i}" for i in range(units)), "};",
              "int main(void) {", f"    for (int i = 0; i < {rounds}; i++)", f"        for (int j = 0; j < {units}; j++)",
              f"            for (int k = 0; k < {UNIT}; k++)", "                (void)all[j][k]();", "    return 0;", "}"]
    return "\n".join(lines) + "\n"


def record(cli, folder, sites, sessions):
    (folder / "depot.c").write_text(LIBRARY)
    units = max(1, sites // UNIT)
    sources = [f"unit_{i}.c" for i in range(units)]
    for i, source in enumerate(sources):
        (folder / source).write_text(unit(i, UNIT))
    (folder / "big.c").write_text(program(units, sessions // (units * UNIT)))
    subprocess.run(["gcc", "-g", "-O1", "-shared", "-fPIC", "-o", "libdepot.so", "depot.c"], cwd=folder, check=True)
    subprocess.run(["gcc", "-g", "-O1", "-o", "big", "big.c", *sources, "-L.", "-ldepot", "-Wl,-rpath,$ORIGIN"], cwd=folder,
                   check=True)
    subprocess.run([cli, "run", "-o", "big.trace", "--pool",
                    "kind depot; acquire depot_get() -> handle; release depot_put(handle)", "--", "./big"],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "big.trace"


def measure(cli, folder, form, trace):
    """(seconds of processor time, megabytes at most, bytes written)"""
    out = folder / f"out.{form}"
    pid = os.posix_spawn(cli, [cli, "report", "--format", form, "-o", str(out), str(trace)], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{form}: status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--sites", type=int, default=10000)
    parser.add_argument("--sessions", type=int, default=1000000)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    cli = str((arguments.build / "src" / "cli" / "unclosed").resolve())
    known = subprocess.run([cli, "report", "--format", "none"], capture_output=True, text=True, check=False).stderr
    failed = False
    with tempfile.TemporaryDirectory(prefix="big-") as name:
        folder = pathlib.Path(name)
        trace = record(cli, folder, arguments.sites, arguments.sessions)
        print(f"{arguments.sessions} sessions never closed, {arguments.sites} sites; trace of "
              f"{trace.stat().st_size / 1e6:.0f} MB")
        for form in (word.strip(", \n") for word in known.rpartition("known: ")[2].split()):
            if form == "junit-merge":
                continue
            seconds, most, size = measure(cli, folder, form, trace)
            slow = (seconds > TEXT_SECONDS or most > TEXT_MB) if form == "text" else seconds > OTHER_SECONDS
            failed |= slow
            print(f"{form:12} {seconds:6.2f} s {most:6.0f} MB, {size / 1e6:7.2f} MB written{'  TOO MUCH' if slow else ''}",
                  flush=True)
    sys.exit(arguments.check and failed)


if __name__ == "__main__":
    main()
