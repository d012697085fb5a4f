#!/usr/bin/env python3
"""What tracing costs: ratios against the same program untraced, and against peers, in one run.

    bench.py BUILD [--runs N] [--quick] [--only NAME]...

Each case is run in turn with its comparisons, N times; printed are the median and the spread
(least to most). Times are CPU times that the program itself measured, so that other work on the
machine counts as little as possible; "least / least" is the ratio of the runs that were disturbed
least. Limits are printed beside what was measured: nothing here fails, speed is for people to
judge.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = ("kind bench; acquire bench_pool_get(pool) -> handle; "
        "release bench_pool_put(pool, handle)")


class Bench:
    def __init__(self, build, runs, quick, folder):
        self.library = os.path.join(build, "src/recorder/libunclosed.so")
        self.program = os.path.join(build, "tests/bench/bench")
        self.cli = os.path.join(build, "src/cli/unclosed")
        self.runs, self.quick, self.folder = runs, quick, folder
        self.number = 0

    def environment(self, traced):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("UNCLOSED_")}
        environment.pop("LD_PRELOAD", None)
        if traced:
            self.number += 1
            environment.update(LD_PRELOAD=self.library, UNCLOSED_POOLS=SPEC, UNCLOSED_LOG="/dev/null",
                               UNCLOSED_OUTPUT=f"{self.folder}/{self.number}.%p.trace")
        return environment

    def number_of(self, command, traced):
        """What a command prints, as a number."""
        done = subprocess.run(command, env=self.environment(traced), capture_output=True, text=True,
                              timeout=300, check=True, cwd=self.folder)
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        return first_number(done.stdout)

    def measure(self, variants):
        """Interleaved: variants is {name: (command, traced)}. Result: {name: [number]}."""
        numbers = {name: [] for name in variants}
        for _ in range(self.runs):
            for name, (command, traced) in variants.items():
                numbers[name].append(self.number_of(command, traced))
        return numbers

    def c(self, *arguments):
        return [self.program, *map(str, arguments)]

    def turns(self, number):
        return number // 10 if self.quick else number


def spread(values, unit="ns"):
    middle = statistics.median(values)
    return f"{middle:,.4g} {unit} ({min(values):,.4g} to {max(values):,.4g})"


def row(name, text, limit=""):
    print(f"  {name:<44} {text}{'   limit: ' + limit if limit else ''}", flush=True)


def ratios(above, below):
    return [a / b for a, b in zip(above, below)]


def row_of_ratio(numbers, limit):
    traced, untraced = numbers["traced"], numbers["untraced"]
    row("traced / untraced", spread(ratios(traced, untraced), "x"), limit)
    row("least / least", f"{min(traced) / min(untraced):.4g} x", limit)


def pool(bench):
    print("acquire + release of a mutex-guarded C pool, 20 frames deep")
    one, eight = bench.turns(1_000_000), bench.turns(200_000)
    numbers = bench.measure({
        "untraced": (bench.c("pool", 1, one), False),
        "traced": (bench.c("pool", 1, one), True),
        "bare unw_backtrace": (bench.c("unwind", 1, one), False),
        "untraced, 8 threads": (bench.c("pool", 8, eight), False),
        "traced, 8 threads": (bench.c("pool", 8, eight), True),
    })
    for name, values in numbers.items():
        row(name, spread(values))
    added = [t - u for t, u in zip(numbers["traced"], numbers["untraced"])]
    added8 = [t - u for t, u in zip(numbers["traced, 8 threads"], numbers["untraced, 8 threads"])]
    row("added, 1 thread", spread(added), "300 ns")
    row("added, 8 threads", spread(added8))
    row("8 threads / 1 thread", spread(ratios(added8, added), "x"), "1.25 x")
    row("added / bare unw_backtrace", spread(ratios(added, numbers["bare unw_backtrace"]), "x"))


def sqlite(bench):
    print('sqlite3_open(":memory:") + sqlite3_close, 20 frames deep')
    turns = bench.turns(30_000)
    numbers = bench.measure({
        "untraced": (bench.c("sqlite", 1, turns), False),
        "traced": (bench.c("sqlite", 1, turns), True),
    })
    for name, values in numbers.items():
        row(name, spread(values))
    row_of_ratio(numbers, "1.04 x")


def first_number(text):
    """heaptrack and valgrind add lines of their own to what the program prints."""
    for line in text.split("\n"):
        try:
            return float(line)
        except ValueError:
            continue
    raise ValueError(f"no number in {text!r}")


def peers(bench):
    print("the same under other tools (they watch more than sessions)")
    base = bench.c("sqlite", 1, bench.turns(3_000))
    tools = {
        "heaptrack": ["heaptrack"],
        "valgrind --track-fds": ["valgrind", "-q", "--tool=none", "--track-fds=yes"],
    }
    variants = {"untraced": (base, False), "unclosed": (base, True)}
    for name, command in tools.items():
        if shutil.which(command[0]):
            variants[name] = ([*command, *base], False)
        else:
            row(name, "not installed")
    numbers = bench.measure(variants)
    for name, values in numbers.items():
        row(name, f"{spread(values)}  {spread(ratios(values, numbers['untraced']), 'x')}")


def time_of(code):
    return ["/usr/bin/python3", "-c", f"{code}; import time; print(time.process_time() * 1e3)"]


def python(bench):
    print("Python, 20 frames deep (/usr/bin/python3)")
    script = os.path.join(HERE, "bench_python.py")
    cases = {"sqlite": ('sqlite3.connect(":memory:") + close', 40_000, "1.15 x"),
             "checkout": ("engine.raw_connection() + close", 60_000, "1.6 x"),
             "session": ("a Session with one select", 10_000, "1.05 x")}
    for case, (name, turns, limit) in cases.items():
        command = ["/usr/bin/python3", script, case, str(bench.turns(turns))]
        numbers = bench.measure({"untraced": (command, False), "traced": (command, True)})
        row(f"{name}: untraced", spread(numbers["untraced"]))
        row(f"{name}: traced", spread(numbers["traced"]))
        row_of_ratio(numbers, limit)
    started = time_of("import sqlalchemy.orm")
    numbers = bench.measure({"untraced": (started, False), "traced": (started, True)})
    row("import sqlalchemy.orm: untraced", spread(numbers["untraced"], "ms"))
    row("import sqlalchemy.orm: traced", spread(numbers["traced"], "ms"))
    row_of_ratio(numbers, "")


def start(bench):
    print("/bin/true, wall clock of 200 starts")
    script = ("import os,time,sys\nbefore=time.monotonic()\n"
              "for _ in range(int(sys.argv[1])):\n"
              "    os.waitpid(os.posix_spawn('/bin/true',['/bin/true'],os.environ),0)\n"
              "print((time.monotonic()-before)*1e6/int(sys.argv[1]))\n")
    count = str(bench.turns(200))
    # The interpreter itself is not traced: only what it starts is.
    inner = ["/usr/bin/python3", "-c", script, count]
    preload = ["/usr/bin/python3", "-c",
               f"import os\nos.environ['LD_PRELOAD']={bench.library!r}\n" + script, count]
    numbers = bench.measure({"untraced": (inner, False), "traced": (preload, False)})
    for name, values in numbers.items():
        row(name, spread(values, "us"))
    added = [t - u for t, u in zip(numbers["traced"], numbers["untraced"])]
    row("added", spread(added, "us"), "1000 us")


def memory(bench):
    print("memory")
    numbers = bench.measure({"live": (bench.c("live", 1, bench.turns(200_000)), True)})
    row("a live session", spread(numbers["live"], "bytes"), "200 bytes")
    few = trace_bytes(bench, bench.turns(20_000))
    many = trace_bytes(bench, bench.turns(2_000_000))
    row("trace after few and 100 times as many calls", f"{few:,} and {many:,} bytes", "equal")


def trace_bytes(bench, turns):
    environment = bench.environment(True)
    subprocess.run(bench.c("pool", 1, turns), env=environment, capture_output=True, check=True)
    (name,) = [n for n in os.listdir(bench.folder) if n.endswith(".trace")]
    size = os.path.getsize(os.path.join(bench.folder, name))
    os.unlink(os.path.join(bench.folder, name))
    return size


class Pauses:
    """A program whose threads measure how long they stand still."""

    def __init__(self, bench, mode, threads):
        self.bench = bench
        program = os.path.join(os.path.dirname(bench.program), "pauses")
        self.process = subprocess.Popen([program, mode, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.process.stdout.readline()

    def longest(self, during):
        """The longest gap in ms while `during` runs, and a little around it; and its result."""
        self.process.stdin.write("\n")
        self.process.stdout.readline()
        time.sleep(0.1)
        result = during()
        time.sleep(0.1)
        self.process.stdin.write("\n")
        return float(self.process.stdout.readline()) / 1000, result

    def tool(self, *arguments):
        """Runs attach or detach; result: the pause that it says, in ms."""
        done = subprocess.run([self.bench.cli, *arguments[:1], str(self.process.pid),
                               *arguments[1:]], capture_output=True, text=True, check=True,
                              env=self.bench.environment(False), cwd=self.bench.folder)
        return float(re.search(r"paused for ([0-9.]+) ms", done.stdout).group(1))

    def end(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def attach(bench):
    """The longest gap that any of the threads saw, with nothing going on and while attached to."""
    print("attach: how long threads stand still, as they see it (8 threads)")
    for mode in ("idle", "busy"):
        pauses = Pauses(bench, mode, 8)
        numbers = {name: [] for name in ("nothing", "attach", "detach", "attach, it says",
                                         "detach, it says")}
        for number in range(bench.runs):
            numbers["nothing"].append(pauses.longest(lambda: time.sleep(0.1))[0])
            for name, options in (("attach", ("-o", f"{number}.trace")), ("detach", ())):
                gap, said = pauses.longest(lambda n=name, o=options: pauses.tool(n, *o))
                numbers[name].append(gap)
                numbers[name + ", it says"].append(said)
        pauses.end()
        for name, values in numbers.items():
            limit = "10 ms" if mode == "idle" and "says" not in name and name != "nothing" else ""
            row(f"{mode}: {name}", spread(values, "ms"), limit)
        for name in ("attach", "detach"):
            beyond = [max(0, a - b) for a, b in zip(numbers[name], numbers["nothing"])]
            row(f"{mode}: {name}, beyond nothing", spread(beyond, "ms"))


CASES = {"attach": attach, "pool": pool, "sqlite": sqlite, "python": python, "start": start,
         "memory": memory, "peers": peers}


def main():
    parser = argparse.ArgumentParser(description="what tracing costs")
    parser.add_argument("build", help="a meson build folder")
    parser.add_argument("--runs", type=int, default=7, help="of each variant (7)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--only", action="append", choices=sorted(CASES), help="this case only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(arguments.build), arguments.runs, arguments.quick, folder)
        for name, case in CASES.items():
            if not arguments.only or name in arguments.only:
                case(bench)


if __name__ == "__main__":
    sys.exit(main())
