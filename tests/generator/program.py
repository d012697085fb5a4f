#!/usr/bin/env python3
"""Generated programs that know what is right to say of them.

A program is a random mixture of pieces, each run by a random runner. A piece is a function of a call's number; it
opens sessions on lines that are marked, and leaves some open if the call is a faulty one. So what has to be said of
each line follows from how the program was made, and not from running it. No piece is taken from the programs that
other tests trace.

    program.py SEED FOLDER      writes a program, and says what is right
"""
import functools
import json
import os
import random
import re
import subprocess
import sys

import cells_alchemy
import cells_c
import cells_python

LANGUAGES = ("python", "alchemy", "c", "cxx")


PYTHON = os.environ.get("GENERATOR_PYTHON", "/usr/bin/python3")


@functools.cache
def has_sqlalchemy():
    return subprocess.run([PYTHON, "-c", "import sqlalchemy"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def faulty(count, m, r):
    return sum(1 for i in range(count) if i % m == r)


class Program:
    def __init__(self, seed, language=None, only=None):
        self.seed = seed
        self.random = random.Random(seed)
        chosen = self.random.choice(LANGUAGES) # in any case: the seed gives the same pieces of a language
        self.language = language or chosen
        if self.language == "alchemy" and not has_sqlalchemy():
            self.language = "python"
        self.only = only
        self.elsewhere = [0, 0] # opened, never closed: on lines that are not marked
        self.marks = {}         # the same by mark
        self.text = self._make()

    # -- making it --

    def _tables(self):
        if self.language == "python":
            return cells_python.IMPORTS, cells_python.PIECES, cells_python.RUNNERS
        if self.language == "alchemy":
            return (cells_python.IMPORTS + cells_alchemy.IMPORTS, cells_alchemy.PIECES, cells_python.RUNNERS)
        if self.language == "c":
            return cells_c.C_IMPORTS, cells_c.C_PIECES, cells_c.C_RUNNERS
        return (cells_c.CXX_IMPORTS, {**cells_c.C_PIECES, **cells_c.CXX_PIECES},
                {**cells_c.C_RUNNERS, **cells_c.CXX_RUNNERS})

    def _make(self):
        imports, pieces, runners = self._tables()
        defined, runs = [], []
        chosen = self.random.choices(sorted(pieces), k=self.random.randint(3, 8))
        if self.only:
            chosen = self.only
        for number, kind in enumerate(chosen):
            runner = self.random.choice(sorted(runners))
            if self.language == "alchemy" and runner == "child":
                runner = "loop" # an engine is not to be used on both sides of a fork
            count = self.random.randint(3, 12)
            m = self.random.choice((1, 2, 3, 5, 100))
            r = self.random.randrange(min(m, count)) if m < 100 else 99
            name = f"p{number}_{kind}"
            text, truth = pieces[kind]
            defined.append(self._fill(text, name, m, r, count))
            runs.append((name, self._fill(runners[runner], name, m, r, count)))
            self._note(name, truth, count, faulty(count, m, r))
        self.description = [name for name, _ in runs]
        self.random.shuffle(runs)
        return self._assemble(imports, defined, runs)

    @staticmethod
    def _fill(text, name, m, r, count):
        text = re.sub(r"(#|//)@ (\w+)$", rf"\1@ {name}.\2", text, flags=re.M)
        for old, new in (("$", name), (r"\bM\b", str(m)), (r"\bR\b", str(r)), (r"\bN\b", str(count))):
            text = text.replace(old, new) if old == "$" else re.sub(old, new, text)
        return text

    def _note(self, name, truth, count, bad):
        for mark, (opened, left) in truth.items():
            total = {"faulty": bad, "sound": count - bad}.get(opened)
            if total is None:
                total = opened * count
            numbers = [total, left * bad]
            if mark is None:
                self.elsewhere = [a + b for a, b in zip(self.elsewhere, numbers)]
            else:
                self.marks[f"{name}.{mark}"] = numbers

    def _assemble(self, imports, defined, runs):
        if self.language in ("python", "alchemy"):
            body = "".join(text for _, text in runs)
            body = "".join("    " + line + "\n" for line in body.splitlines())
            return imports + "".join(defined) + "\ndef main():\n" + body + "\nmain()\n"
        calls = "".join(f"    {name}_run();\n" for name, _ in runs)
        return (imports + "".join(defined) + "".join(text for _, text in runs) +
                "int main(int argc, char **argv)\n{\n    DB = argv[1];\n    (void)argc;\n    (void)keep;\n" + calls +
                "    return 0;\n}\n")

    # -- what is right --

    def truth(self):
        """{line: [opened, never closed]} of the lines that are marked."""
        found = {}
        for number, line in enumerate(self.text.splitlines(), 1):
            match = re.search(r"(?:#|//)@ ([\w.]+)$", line)
            if match and match[1] in self.marks:
                found[number] = self.marks[match[1]]
        return found

    def totals(self):
        numbers = [*self.marks.values(), self.elsewhere]
        return sum(a for a, _ in numbers), sum(b for _, b in numbers)

    # -- making it run --

    def build(self, folder):
        """Writes the program to a folder, compiled if need be. Result: the command that runs it."""
        suffix = {"c": ".c", "cxx": ".cc"}.get(self.language, ".py")
        source = os.path.join(folder, f"s{self.seed}{suffix}")
        with open(source, "w", encoding="utf-8") as file:
            file.write(self.text)
        database = os.path.join(folder, "data.db")
        if suffix == ".py":
            return [PYTHON, source, database]
        level = random.Random(self.seed + 1).choice(("-O0", "-O1", "-O2"))
        program = source.rsplit(".", 1)[0]
        compiler = ["gcc", "-std=gnu17"] if suffix == ".c" else ["g++", "-std=c++17"]
        subprocess.run([*compiler, level, "-g", "-w", "-fno-ipa-icf", source, "-o", program, "-lsqlite3", "-lpthread"], check=True)
        return [program, database]


if __name__ == "__main__":
    made = Program(int(sys.argv[1]), *sys.argv[3:4])
    print(" ".join(made.build(sys.argv[2])))
    print(json.dumps({"lines": made.truth(), "totals": made.totals(), "pieces": made.description}))
