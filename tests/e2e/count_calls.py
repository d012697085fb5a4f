#!/usr/bin/python3
"""Counts acquires and releases of a command and its children, independently of unclosed.

    count_calls.py [--how bpf|shim] [--json FILE] GROUP[,GROUP] -- COMMAND...

Two ways, neither of which shares anything with the recorder:

bpf   bpftrace probes on the entry and return of the library's functions. The library and the
      program are left as they are. Needs root and BPF.
shim  a library of the same name in front of the real one (LD_LIBRARY_PATH), which counts and calls
      on. Works anywhere; does not see programs that ignore LD_LIBRARY_PATH.

What counts is what the library said: an acquire counts if it gave a handle, a release if the handle
was not NULL and the call said yes. A call made from within another of its group (a failed open
closes, a pool's close returns to the pool) does not count.
"""

import argparse
import functools
import glob
import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of the kernel's proc_ns.h
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"

# kind: acquire or release. handle: "result", "out N" (what argument N points at after the call) or
# "argument N". status: the call counts if its 32-bit result is this; None: always.
Function = namedtuple("Function", "name kind handle status")


class Group:
    """A library and those of its functions that belong together."""

    def __init__(self, library, functions):
        """library: a name, or a pattern where it differs between releases of Debian."""
        found = sorted(glob.glob(LIBRARIES + library))
        self.library = os.path.basename(found[0]) if found else library
        self.functions = functions

    @property
    def path(self):
        return os.path.realpath(LIBRARIES + self.library)


GROUPS = {
    "sqlite3": Group(
        "libsqlite3.so.0",
        [
            Function("sqlite3_open", "acquire", "out 1", None),
            Function("sqlite3_open_v2", "acquire", "out 1", None),
            Function("sqlite3_open16", "acquire", "out 1", None),
            Function("sqlite3_close", "release", "argument 0", 0),
            Function("sqlite3_close_v2", "release", "argument 0", 0),
        ],
    ),
    "apr_reslist": Group(
        "libaprutil-1.so.0",
        [
            Function("apr_reslist_acquire", "acquire", "out 1", 0),
            Function("apr_reslist_release", "release", "argument 1", 0),
            Function("apr_reslist_invalidate", "release", "argument 1", 0),
        ],
    ),
    "libzdb": Group(
        "libzdb.so.[0-9]*[0-9]",
        [
            Function("ConnectionPool_getConnection", "acquire", "result", None),
            Function("ConnectionPool_returnConnection", "release", "argument 1", None),
            Function("Connection_close", "release", "argument 0", None),
        ],
    ),
}


class Counts:
    """What was counted: by process, and in total."""

    def __init__(self):
        self.by_pid = {}

    def add(self, pid, group, kind, name, number):
        if number == 0:
            return
        counts = self.by_pid.setdefault(pid, {})
        for key in (f"{group}.{kind}", name):
            counts[key] = counts.get(key, 0) + number

    def total(self, key):
        """key: "GROUP.acquire", "GROUP.release" or the name of a function."""
        return sum(counts.get(key, 0) for counts in self.by_pid.values())

    def of(self, pid, key):
        return self.by_pid.get(pid, {}).get(key, 0)

    def pids(self, key):
        return sorted(pid for pid, counts in self.by_pid.items() if counts.get(key))


def _listed(groups):
    """(number, group, function) of each function, numbered as the probes and shims number them."""
    return [
        (number, group, function)
        for number, (group, function) in enumerate(
            (group, function) for group in groups for function in GROUPS[group].functions
        )
    ]


# ---- bpf -----------------------------------------------------------------------------------------

# A call is nested if the outer call's stack is still below: a lower stack pointer. One that left by
# longjmp or an exception is forgotten as soon as the stack is at its place again.
PROBE = """
uprobe:{path}:{name} /@tracked[pid] && (@sp{group}[tid] == 0 || reg("sp") >= @sp{group}[tid])/ {{
  @sp{group}[tid] = reg("sp"); @argument{group}[tid] = (uint64)arg{argument};
}}
uretprobe:{path}:{name}
/@tracked[pid] && @sp{group}[tid] != 0 && reg("sp") == @sp{group}[tid] + 8/ {{
  {condition} {{ @count[{number}, pid] = count(); }}
  delete(@sp{group}[tid]); delete(@argument{group}[tid]);
}}
"""


def _probe(number, group_number, group, function):
    place, _, argument = function.handle.partition(" ")
    saved = f"@argument{group_number}[tid]"
    handle = {"result": "retval", "argument": saved, "out": f"*(uint64*)uptr({saved})"}[place]
    condition = f"if ({handle} != 0)"
    if function.status is not None:
        condition += f" {{ if ((int32)retval == {function.status})"
    text = PROBE.format(
        path=GROUPS[group].path,
        name=function.name,
        group=group_number,
        number=number,
        argument=argument or "0",
        condition=condition,
    )
    if function.status is not None:
        text = text.replace("= count(); }", "= count(); } }")
    return text


def bpf_script(groups):
    """The bpftrace program; its first argument is the process whose descendants count."""
    # Probes are attached last to first, so that "ready" means all of them are.
    text = 'interval:ms:20 /!@ready/ { @ready = 1; printf("ready\\n"); }\n'
    text += "BEGIN { @tracked[(uint64)$1] = (uint64)1; }\n"
    text += (
        "tracepoint:sched:sched_process_fork /@tracked[pid]/"
        " { @tracked[(uint64)args->child_pid] = (uint64)1; }\n"
    )
    for number, group, function in _listed(groups):
        text += _probe(number, groups.index(group), group, function)
    names = ["@tracked", "@ready"]
    names += [f"@{name}{n}" for n in range(len(groups)) for name in ("sp", "argument")]
    return text + "END { " + " ".join(f"clear({name});" for name in names) + " }\n"


class BpfCounter:
    def __init__(self, groups):
        self.groups = groups
        self.folder = tempfile.mkdtemp(prefix="count-")
        self.tracer = None

    def environment(self):
        return {}

    def watch(self, pid):
        """Begins to count for `pid` and its future children; raises RuntimeError if it cannot."""
        script = os.path.join(self.folder, "probes.bt")
        output = os.path.join(self.folder, "output")
        with open(script, "w", encoding="ascii") as file:
            file.write(bpf_script(self.groups))
        with open(output, "wb") as out, open(output + ".err", "wb") as err:
            self.tracer = subprocess.Popen(
                # It must not outlive the test: each call that is probed costs every process time.
                ["setpriv", "--pdeathsig", "INT", "bpftrace", "-f", "json", script, str(pid)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(os.environ, BPFTRACE_MAP_KEYS_MAX="65536", # up to 0.20
                         BPFTRACE_MAX_MAP_KEYS="65536"),
                start_new_session=True,
            )
        give_up = time.monotonic() + 60
        while b"ready" not in _content(output):
            if self.tracer.poll() is not None or time.monotonic() > give_up:
                self.tracer.kill()
                raise RuntimeError("bpftrace: " + _content(output + ".err").decode())
            time.sleep(0.02)

    def stop(self):
        self._end()
        counts = Counts()
        functions = _listed(self.groups)
        for line in _content(os.path.join(self.folder, "output")).splitlines():
            event = json.loads(line) if line.strip() else {}
            if event.get("type") != "map":
                continue
            for key, number in event["data"].get("@count", {}).items():
                index, pid = (int(part) for part in key.split(","))
                _, group, function = functions[index]
                counts.add(pid, group, function.kind, function.name, number)
        self.discard()
        return counts

    def _end(self):
        # bpftrace 0.17 sometimes overlooks the first signal.
        for _ in range(10):
            if self.tracer.poll() is None:
                self.tracer.send_signal(signal.SIGINT)
            try:
                return self.tracer.wait(6)
            except subprocess.TimeoutExpired:
                continue
        self.tracer.kill()
        raise RuntimeError("bpftrace does not end")

    def discard(self):
        """Ends without a result; may be called again."""
        if self.tracer is not None and self.tracer.poll() is None:
            self._end()
        shutil.rmtree(self.folder, ignore_errors=True)


def _content(path):
    with open(path, "rb") as file:
        return file.read()


# ---- shim ----------------------------------------------------------------------------------------

# The counting file, see count_shim.c: SLOTS slots of SLOT_WORDS 64-bit words, first the pid, then a
# count for each function of the shim.
SLOTS, SLOT_WORDS = 4096, 16


class ShimCounter:
    def __init__(self, groups):
        self.groups = groups
        self.folder = tempfile.mkdtemp(prefix="count-")
        os.chmod(self.folder, 0o755)
        shims = os.environ.get("COUNT_SHIMS")
        if not shims:
            raise RuntimeError("COUNT_SHIMS does not name the folder with the shims")
        for group in groups:
            library = GROUPS[group].library
            os.symlink(os.path.join(shims, "count_" + group + ".so"),
                       os.path.join(self.folder, library))
            os.symlink(GROUPS[group].path, os.path.join(self.folder, group + "-real.so"))
            counting = os.path.join(self.folder, group + ".counts")
            with open(counting, "wb") as file:
                file.truncate(SLOTS * SLOT_WORDS * 8)
            os.chmod(counting, 0o666)

    def environment(self):
        path = self.folder
        if os.environ.get("LD_LIBRARY_PATH"):
            path += ":" + os.environ["LD_LIBRARY_PATH"]
        return {"LD_LIBRARY_PATH": path, "COUNT_FOLDER": self.folder}

    def watch(self, pid):
        pass

    def stop(self):
        counts = Counts()
        for group in self.groups:
            with open(os.path.join(self.folder, group + ".counts"), "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                for slot in range(SLOTS):
                    words = struct.unpack_from(f"{SLOT_WORDS}Q", data, slot * SLOT_WORDS * 8)
                    for index, function in enumerate(GROUPS[group].functions):
                        if words[0]:
                            counts.add(words[0], group, function.kind, function.name,
                                       words[1 + index])
        self.discard()
        return counts

    def discard(self):
        """Ends without a result; may be called again."""
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- both ----------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def bpf_usable():
    """Whether bpftrace can probe here: root, BPF in the kernel and not fenced off."""
    if shutil.which("bpftrace") is None or os.geteuid() != 0:
        return False
    # The kernel counts by its own process ids, which those of a container are not.
    if os.stat("/proc/self/ns/pid").st_ino != FIRST_PID_NAMESPACE:
        return False
    script = "interval:ms:1 { exit(); } tracepoint:sched:sched_process_fork { @x = 1; }"
    try:
        run = subprocess.run(["bpftrace", "-e", script], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0 and b"Attaching" in run.stdout


class CountedCommand:
    """A command started with a counter watching it from its first instruction.

    how: "bpf", "shim", or None: $COUNT_HOW, else shim. Other arguments as for subprocess.Popen. `process` is the Popen; `counts()` ends counting and gives the Counts.
    """

    def __init__(self, command, groups, how=None, env=None, **popen):
        how = how or os.environ.get("COUNT_HOW", "shim")
        self.how = how
        self._counter = BpfCounter(groups) if how == "bpf" else ShimCounter(groups)
        env = dict(os.environ if env is None else env, **self._counter.environment())
        # Stopped before it becomes the command, until the counter is in place.
        gate = ["/bin/sh", "-c", 'kill -STOP $$; exec "$@"', "sh"]
        self.process = subprocess.Popen(gate + list(command), env=env, **popen)
        os.waitpid(self.process.pid, os.WUNTRACED)
        try:
            self._counter.watch(self.process.pid)
        except RuntimeError:
            self.process.kill()
            self.process.wait()
            self._counter.discard()
            raise
        os.kill(self.process.pid, signal.SIGCONT)

    def counts(self):
        return self._counter.stop()

    def discard(self):
        self._counter.discard()


def main():
    parser = argparse.ArgumentParser(description="count acquires and releases of a command")
    parser.add_argument("--how", choices=["bpf", "shim"])
    parser.add_argument("--json")
    parser.add_argument("groups", help="of: " + ", ".join(GROUPS))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    counted = CountedCommand(command, options.groups.split(","), how=options.how)
    status = counted.process.wait()
    text = json.dumps(counted.counts().by_pid, indent=1)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            file.write(text + "\n")
    else:
        print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
