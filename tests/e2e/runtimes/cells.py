"""What becomes of a handle that a script opened, and who closed it: the right answers.

Each program of tests/programs/runtimes opens COUNT handles at the line that is marked with the
cell's name, in the way that the name says. A cell's answer is `closed_by` of the report, with
"open" for what was still open when the process ended and "pool" for what a pool keeps.
"""

import os

COUNT = 3

CELLS = {
    "kept": "kept in a global until the end",
    "collected": "dropped in a cycle, then a collection",
    "scope_end": "dropped at the end of a function",
    "closed": "closed by the code",
    "closed_at_exit": "closed by code that runs at exit",
    "early_return": "a return before close()",
    "exception": "an exception before close()",
    "ensured": "an exception, and ensure closes",
    "runtime_end": "dropped in a cycle, no collection",
    "killed": "kill -9",
    "persistent": "kept by the runtime for the next one",
}

# Of these the code did close it.
BY_CODE = ("code", "scope_end", "code_at_exit", "pool")


class Language:
    """A language: its command, its program, and the right answer for each cell."""

    def __init__(self, name, command, program, **answers):
        self.name, self.command, self.program, self.answers = name, command, program, answers

    def never_closed(self, cell):
        return 0 if self.answers[cell] in BY_CODE else COUNT


LANGUAGES = {
    "php": Language(
        "PHP", ["php"], "cells.php",
        kept="end_of_runtime", collected="collector", scope_end="scope_end", closed="code",
        closed_at_exit="code_at_exit", early_return="scope_end", exception="scope_end",
        runtime_end="end_of_runtime", killed="open", persistent="pool"),
    "perl": Language(
        "Perl", ["perl"], "cells.pl",
        kept="end_of_runtime", scope_end="scope_end", closed="code",
        closed_at_exit="code_at_exit", early_return="scope_end", exception="scope_end",
        runtime_end="end_of_runtime", killed="open", persistent="pool"),
    # Nothing is dropped before a collection, and the programs let none run but where it is asked for.
    "ruby": Language(
        "Ruby", ["ruby"], "cells.rb",
        kept="end_of_runtime", collected="collector", closed="code",
        closed_at_exit="code_at_exit", early_return="end_of_runtime", exception="end_of_runtime",
        ensured="code", runtime_end="end_of_runtime", killed="open"),
    **{command: Language(
        name, [command], "cells.lua",
        kept="end_of_runtime", collected="collector", closed="code",
        closed_at_exit="code_at_exit", early_return="end_of_runtime", exception="end_of_runtime",
        runtime_end="end_of_runtime", killed="open", **more)
       for command, name, more in (("lua5.1", "Lua 5.1", {}), ("lua5.2", "Lua 5.2", {}),
                                   ("lua5.3", "Lua 5.3", {}),
                                   ("lua5.4", "Lua 5.4", {"scope_end": "scope_end"}),
                                   ("luajit", "LuaJIT", {}))},
}


def answer(report):
    """Who closed the handles of a report, as a cell's answer: {who: count}."""
    who = {}
    totals = report["totals"]["handle"]
    for name, number in totals["closed_by"].items():
        who[name] = who.get(name, 0) + number
    if totals["live"]:
        who["open"] = totals["live"]
    return who


def places(report):
    """Where the handles of a report were opened: {(file, line): opened}."""
    return {(os.path.basename(site.get("file") or site.get("module") or ""), site.get("line")):
            site["opened"] for site in report["sites"] if site["kind"] == "handle"}
