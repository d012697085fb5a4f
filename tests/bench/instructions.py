#!/usr/bin/env python3
"""Instructions that tracing adds to a call: fails if they have grown by more than 3 percent.

    instructions.py BUILD COMPILER [--update]
        BUILD: the build folder. COMPILER: name, version and type of the build, such as
        "gcc 12.2.0 debugoptimized". --update writes what was measured into instructions.json.

Speed cannot be tested on a machine that does other things; the number of instructions that a
simulated processor executes (valgrind's callgrind) is the same every time, to a few per thousand.
It is what the usual path costs, not what it takes: caches and locks are scripts/bench's business.

instructions.json has one set of numbers for each compiler: another one makes other code. Where it
has none for this compiler (its major version and the type of the build), the numbers are printed
and the test is skipped (77).
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBERS = os.path.join(HERE, "instructions.json")
SKIPPED = 77
GROWTH = 0.03
SPEC = ("kind bench; acquire bench_pool_get(pool) -> handle; "
        "release bench_pool_put(pool, handle)")
# What is called how many times more in the second run than in the first: tables have their size and
# stacks are known by then.
CASES = {"pool": ("acquire + release of a C pool", 2000, 4000),
         "sqlite": ("sqlite3_open + sqlite3_close", 300, 300)}


def instructions(build, folder, case, turns, traced):
    """How many instructions the whole program takes."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("UNCLOSED_", "LD_", "MALLOC_", "GLIBC_TUNABLES"))}
    if traced:
        environment.update(LD_PRELOAD=os.path.join(build, "src/recorder/libunclosed.so"),
                           UNCLOSED_POOLS=SPEC, UNCLOSED_LOG="/dev/null",
                           UNCLOSED_OUTPUT=os.path.join(folder, "%p.trace"))
    # Without a randomized layout, which decides where in hash tables addresses go.
    run = subprocess.run(["setarch", "--addr-no-randomize", "valgrind", "--tool=callgrind",
                          "--callgrind-out-file=/dev/null",
                          os.path.join(build, "tests/bench/bench"), case, "1", str(turns)],
                         env=environment, cwd=folder, capture_output=True, text=True, timeout=300,
                         check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"valgrind could not run {case}:\n{run.stderr[-2000:]}")
    traces = [name for name in os.listdir(folder) if name.endswith(".trace")]
    if bool(traces) != traced:
        sys.exit(f"{case} was {'not ' if traced else ''}traced")
    for name in traces:
        os.unlink(os.path.join(folder, name))
    return int(found[1])


def measure(build):
    """Instructions that tracing adds to a turn of each case."""
    result = {}
    with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
        for case, (_, warm, turns) in CASES.items():
            added = 0
            for traced in (True, False):
                first, second = (instructions(build, folder, case, number, traced)
                                 for number in (warm, warm + turns))
                # bench turns a hundredth of it to get warm.
                each = (second - first) / (turns * 1.01)
                added += each if traced else -each
            result[case] = round(added)
    return result


def main():
    build, compiler = sys.argv[1:3]
    key = re.sub(r"^(\S+) (\d+)\.\S*", r"\1 \2", compiler)
    if not shutil.which("valgrind"):
        print("skipped: there is no valgrind; scripts/setup --tests installs it")
        return SKIPPED
    with open(NUMBERS, encoding="ascii") as file:
        numbers = json.load(file)
    measured = measure(os.path.abspath(build))
    if sys.argv[3:] == ["--update"]:
        numbers[key] = measured
        with open(NUMBERS, "w", encoding="ascii") as file:
            file.write(json.dumps(numbers, indent=2, sort_keys=True) + "\n")
    known = numbers.get(key)
    grown = False
    for case, (what, _, _) in CASES.items():
        text = f"{what}: {measured[case]} instructions"
        if known:
            growth = measured[case] / known[case] - 1
            grown |= growth > GROWTH
            text += f", {growth:+.1%} against {known[case]}"
        print(text)
    if not known:
        print(f"skipped: NO NUMBERS for {key} in {NUMBERS}: nothing was compared")
        return SKIPPED
    if grown:
        print(f"more than {GROWTH:.0%}: find out why, or if it is worth it, write the new numbers:\n"
              f"    tests/bench/instructions.py BUILD '{compiler}' --update")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
