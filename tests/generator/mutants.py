#!/usr/bin/env python3
"""Whether the generated programs find what is wrong with unclosed: plants one fault after the other.

    mutants.py FOLDER [NAME...]      works in FOLDER: a copy of the source, and its build folder

Each fault must be found by one of the programs of some seeds. Takes some minutes; exits 1 if one was not found.
"""
import os
import shutil
import subprocess
import sys

import generated

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SEEDS = 40

# name: (file, what stands there, what is put there)
MUTANTS = {
    "python line": ("src/recorder/runtimes/python/location.c", "line > 0 ? (uint32_t)line : 0",
                    "line > 0 ? (uint32_t)line + 1 : 0"),
    "return address": ("src/report/code/frames.c", "&file, address - 1 - place->bias", "&file, address - place->bias"),
    "collected is released": ("src/recorder/runtimes/joined.c", "return TRACE_COLLECTED;", "return TRACE_RELEASED;"),
    "shutdown is released": ("src/recorder/runtimes/joined.c", "return TRACE_SHUTDOWN;", "return TRACE_RELEASED;"),
    "released is reclaimed": ("src/recorder/runtimes/joined.c", "return TRACE_RELEASED;\n    }\n}",
                              "return TRACE_RECLAIMED;\n    }\n}"),
    "refused is closed": ("src/recorder/hooks/sqlite_close.c", "session_put_back(&call->session, TRACE_SESSION_REFUSED)",
                          "session_end(&call->session, TRACE_RELEASED, call->session.taken_ns)"),
    "a release is dropped": ("src/recorder/books/sessions.c", "&site->ended[end], 1,",
                             "&site->ended[end], record->handle / 16 % 5 != 0,"),
    "reclaimed is no leak": ("src/report/profile/sites.c", "tally->never_closed = tally->reclaimed;",
                             "tally->never_closed = 0;"),
    "live is no leak": ("src/report/profile/sites.c", "    tally->never_closed++;\n", ""),
    "one opened is missed": ("src/report/profile/sites.c", "tally->opened += ended[end];",
                             "tally->opened += ended[end] - (ended[end] == 7);"),
    "first thread is under way": ("src/report/profile/under_way.c", "if (left || session->flags & stuck)",
                                  "if ((left && stuck == 0) || session->flags & stuck)"),
    "factories are sites": ("src/report/code/naming.c", "if (caller == stack->frames->count || verdict == KEPT)",
                            "if (true)"),
    "callers are sites": ("src/report/code/naming.c", "if (function->within > 0 || function->evidence == NAMING_KEPT)\n"
                          "        return KEPT;", "if (function->within > 0)\n        return HANDED_ON;"),
    "generators hand on": ("src/report/code/naming_python.c", "if (evidence == NAMING_HANDED_ON && closes(",
                           "if (false && closes("),
    "sites by function": ("src/report/profile/sites.c", 'return arena_format(arena, "%s|%s|%u|%s", kind, file, name->line,'
                          " function);", 'return arena_format(arena, "%s|%s|%s", kind, file, function);'),
    "callers lost": ("src/report/profile/sites.c", "caller->never_closed += raw->tally.never_closed;", ""),
    "children lose theirs": ("src/recorder/books/sessions.c", "static bool is_counted(const struct entry *entry,"
                             " const struct trace_site *site)\n{\n",
                             "static bool is_counted(const struct entry *entry, const struct trace_site *site)\n{\n"
                             "    if (recorder_trace.header && recorder_trace.header->flags & TRACE_FLAG_FORKED)\n"
                             "        return false;\n"),
}


def build(folder):
    return subprocess.run(["ninja", "-C", os.path.join(folder, "build"), "src/cli/unclosed",
                           "src/recorder/libunclosed.so"], capture_output=True, text=True, check=False)


def prepare(folder):
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("build", "build-*", ".git"), dirs_exist_ok=True)
    if not os.path.exists(os.path.join(folder, "build", "build.ninja")):
        subprocess.run(["meson", "setup", "build"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    assert build(folder).returncode == 0, "the source itself does not build"


def is_found(folder, name):
    """Whether a program tells. Result: True, False, or a text that says why the fault cannot be planted."""
    file, old, new = MUTANTS[name]
    path = os.path.join(folder, file)
    with open(path, encoding="utf-8") as source:
        text = source.read()
    if old not in text:
        return f"{file} does not have it"
    try:
        with open(path, "w", encoding="utf-8") as source:
            source.write(text.replace(old, new, 1))
        done = build(folder)
        if done.returncode != 0:
            return "does not build: " + done.stdout[-300:]
        cli = os.path.join(folder, "build", "src", "cli", "unclosed")
        return any(generated.run_seeds(cli, range(first, first + 4)) for first in range(1, SEEDS, 4))
    finally:
        with open(path, "w", encoding="utf-8") as source:
            source.write(text)


def main():
    folder = os.path.abspath(sys.argv[1])
    prepare(folder)
    results = {name: is_found(folder, name) for name in sys.argv[2:] or MUTANTS}
    for name, found in results.items():
        print(f"{name}: {'found' if found is True else 'NOT FOUND' if found is False else found}")
    return 0 if all(found is True for found in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
