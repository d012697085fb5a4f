#!/usr/bin/env python3
"""Shows that check_headers.py finds what is wrong: each planted spec must be refused.

    test_check_headers.py COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).with_name("check_headers.py")

GOOD = "acquire sqlite3_open_v2(database, *handle, _, _) -> 0"
PLANTED = {
    "an unknown function": "acquire sqlite3_open_v9(database, *handle) -> 0",
    "an argument too few": "acquire sqlite3_open_v2(database, *handle, _) -> 0",
    "an argument too many": "acquire sqlite3_open_v2(database, *handle, _, _, _) -> 0",
    "nothing behind ...": "acquire sqlite3_open_v2(database, *handle, _, _, ...) -> 0",
    "a handle for its address": "release sqlite3_close(*handle) -> 0",
    "an address for a handle": "acquire sqlite3_open_v2(*handle, database, _, _) -> 0",
    "an integer for a handle": "acquire sqlite3_open_v2(database, _, handle, _) -> 0",
    "a pointer for an integer": "release sqlite3_close(5) -> 0",
    "a result of another width": "release sqlite3_close(handle) -> int16 0",
    "a status for a handle": "acquire sqlite3_open_v2(database, _, _, _) -> handle",
}


def accepts(compiler, text):
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder, "sqlite3.spec")
        spec.write_text(text + "\n")
        answer = subprocess.run([sys.executable, CHECK, compiler, spec], capture_output=True, text=True)
    assert "SKIP" not in answer.stdout, answer.stdout
    assert (answer.returncode == 0) == ("\nok 1" in answer.stdout), answer.stdout + answer.stderr
    return answer.returncode == 0


def main():
    compiler = sys.argv[1]
    failed = False
    print(f"1..{len(PLANTED) + 1}")
    for number, (name, text) in enumerate({"what is right": GOOD, **PLANTED}.items(), 1):
        good = accepts(compiler, text) == (text == GOOD)
        failed |= not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
