#!/usr/bin/env python3
"""Do the rooms of the source tree use only those below them, and are there no circles among files?

    layers.py SOURCES BUILD

Reads the order of the rooms in SOURCES/src/rooms, each object that BUILD has compiled for them
(gcc-nm, for they may be objects of link-time optimization) and the #includes of their files. Each
thing that is wrong is a line on standard output, with both sides named; then the exit status is 1.
"""
import collections
import json
import os
import re
import subprocess
import sys

DEFINED = set("TDBVWRCGSui")
TOOL = "gcc-nm"


class Rooms:
    """The order of the rooms, as src/rooms tells it."""

    def __init__(self, text):
        self.allowed = set()  # pairs (user, used)
        self.names = set()
        self.one_way = {}  # chain: its rooms
        self.only = {}  # function: the one file of its chain that calls it
        for line in text.splitlines():
            line = line.split("#")[0].strip()
            if not line:
                continue
            head, chain = line.split(":")
            chain = chain.split()
            if head.startswith("only "):
                self.only.update((name, head.split()[1]) for name in chain)
                continue
            self.names.update(chain)
            for at, user in enumerate(chain):
                self.allowed.update((user, used) for used in chain[: at + 1])
            if "[one-way]" in head:
                self.one_way[head.split()[0]] = [room for room in chain if room.startswith(head.split()[0])]

    def room_of(self, path):
        """The room of a path below src, or None."""
        parts = path.split("/")
        for length in range(len(parts) - 1, 0, -1):
            if "/".join(parts[:length]) in self.names:
                return "/".join(parts[:length])
        return None


class Object:
    """A compiled file: where it belongs, what it defines and what it wants."""

    def __init__(self, source, room, symbols):
        self.source, self.room = source, room
        self.defined, self.functions, self.wanted = symbols


def place_of(entry, sources, build):
    """Path below src of what a compile command compiles; None: it is not of src (a test)."""
    output = os.path.relpath(os.path.join(entry["directory"], entry["output"]), build)
    if not output.startswith("src/"):
        return None
    path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), os.path.join(sources, "src"))
    if path.startswith(".."):  # generated: it belongs to whom it is compiled for
        path = os.path.join(os.path.dirname(os.path.dirname(output))[len("src/") :], os.path.basename(path))
    return path


def read_object(path):
    """Names that an object defines for others, the functions among them, and those that it wants."""
    listing = subprocess.run([TOOL, path], capture_output=True, text=True, check=False)
    defined, functions, wanted = set(), set(), set()
    for line in listing.stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind in DEFINED:
            defined.add(name)
            if kind in "TW":
                functions.add(name)
        elif kind in "Uw":
            wanted.add(name)
    return defined, functions, wanted - defined


def read_objects(rooms, sources, build, wrong):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    objects, compiled = [], 0
    for entry in commands:
        place = place_of(entry, sources, build)
        room = place and rooms.room_of(place)
        if not room:
            continue
        compiled += 1
        symbols = read_object(os.path.join(entry["directory"], entry["output"]))
        if symbols[0]:
            objects.append(Object(place, room, symbols))
        else:
            wrong.append(f"{entry['output']}: compiled, but {TOOL} sees nothing that it defines")
    seen = {each.room for each in objects}
    wrong += [f"{room}: a room without any object" for room in sorted(rooms.names - seen)]
    return objects, compiled


def definers(objects):
    result = collections.defaultdict(list)
    for each in objects:
        for name in each.defined:
            result[name].append(each)
    return result


def check_calls(rooms, objects, wrong):
    """Names in the recorder's assembly stand in front of a library's functions (sqlite3_open): a
    tool that is linked with that library means those."""
    defined = definers(objects)
    for each in objects:
        for name in sorted(each.wanted):
            by = [other for other in defined.get(name, [])
                  if each.source.startswith("recorder/") or not other.source.endswith(".S")]
            if by and not any((each.room, other.room) in rooms.allowed for other in by):
                wrong.append(f"src/{each.source} needs {name}, which is above it: src/{by[0].source}")


def check_includes(rooms, sources, wrong):
    top = os.path.join(sources, "src")
    for folder, _, files in os.walk(top):
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name), top)
            room = rooms.room_of(path)
            if not room or not name.endswith((".c", ".h", ".S", ".inc")):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for used in re.findall(r'^#include "([^"]+)"', file.read(), re.MULTILINE):
                    other = rooms.room_of(used)
                    if other and (room, other) not in rooms.allowed:
                        wrong.append(f"src/{path} includes {used}, which is above it")


def check_only(rooms, objects, sources, wrong):
    """Functions that only one file may call, by name or by a pointer of that name."""
    for each in objects:
        path = os.path.join(sources, "src", each.source)
        text = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text = file.read()
        called = each.wanted | set(re.findall(r"(?:\.|->)(\w+)\(", text))
        for name, place in sorted(rooms.only.items()):
            same_chain = each.room.split("/")[0] == place.split("/")[0]
            if name in called and same_chain and each.source != place:
                wrong.append(f"src/{each.source} calls {name}, which only src/{place} may")


def unit_names(objects):
    """An assembly file and the C file that it enters count as one."""
    names = {each.source: each.source for each in objects}
    defined = definers(objects)
    for each in objects:
        if each.source.endswith(".S"):
            for name in sorted(each.wanted):
                for other in defined.get(name, []):
                    if name in other.functions:
                        names[each.source] = other.source
    return names


def uses(objects):
    """Which file needs which others, and for what."""
    names, defined = unit_names(objects), definers(objects)
    graph = collections.defaultdict(dict)
    for each in objects:
        graph[names[each.source]].update({})
        for name in sorted(each.wanted):
            for other in defined.get(name, [])[:1]:
                if names[other.source] != names[each.source]:
                    graph[names[each.source]].setdefault(names[other.source], name)
    return graph


def find_circle(graph):
    """A shortest circle as a list of files, the first one again at the end; None: there is none."""
    best = None
    for start in sorted(graph):
        before, queue = {start: None}, collections.deque([start])
        while queue:
            at = queue.popleft()
            for after in sorted(graph[at]):
                if after == start:
                    circle = [start]
                    while at:
                        circle.append(at)
                        at = before[at]
                    if not best or len(circle) < len(best):
                        best = circle[::-1]
                    queue.clear()
                    break
                if after not in before:
                    before[after] = at
                    queue.append(after)
    return best


def check_circles(rooms, objects, wrong):
    for chain in rooms.one_way.values():
        graph = uses([each for each in objects if each.room in chain])
        while circle := find_circle(graph):
            steps = [f"src/{a} needs {graph[a][b]} of src/{b}" for a, b in zip(circle, circle[1:])]
            wrong.append("a circle: " + ", ".join(steps))
            del graph[circle[0]][circle[1]]


def check(sources, build):
    wrong = []
    with open(os.path.join(sources, "src/rooms"), encoding="utf-8") as file:
        rooms = Rooms(file.read())
    objects, compiled = read_objects(rooms, sources, build, wrong)
    check_calls(rooms, objects, wrong)
    check_includes(rooms, sources, wrong)
    check_only(rooms, objects, sources, wrong)
    check_circles(rooms, objects, wrong)
    if len(objects) < compiled or not objects:
        wrong.append(f"{len(objects)} objects seen of {compiled} that are compiled")
    return wrong, len(objects)


def main():
    wrong, seen = check(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    for line in wrong:
        print(line)
    print(f"{seen} objects, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
