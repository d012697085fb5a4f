#!/usr/bin/env python3
"""Turns call-spec files into one C file that holds their text as `spec_shipped`.

    embed.py OUTPUT.c SPEC...

Comments and blank lines are left out, for the recorder parses this text in every traced process.
A line `#: NAME` stays before the text of each file, by which specs.c finds it again.
"""
import pathlib
import sys

HEAD = """// Generated from src/specs/*.spec by src/specs/embed.py.
#include "shared/specs.h"

const char spec_shipped[] =
"""


def c_string(line):
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'    "{escaped}\\n"\n'


def main():
    output, *inputs = (pathlib.Path(argument) for argument in sys.argv[1:])
    lines = []
    for path in inputs:
        lines.append(f"#: {path.stem}")
        for line in path.read_text(encoding="ascii").splitlines():
            code = " ".join(line.split("#", 1)[0].split())
            if code:
                lines.append(code)
    text = "".join(c_string(line) for line in lines)
    output.write_text(HEAD + text.rstrip("\n") + ";\n", encoding="ascii")


if __name__ == "__main__":
    main()
