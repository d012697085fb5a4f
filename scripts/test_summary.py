#!/usr/bin/env python3
"""Adds up test results: meson's JUnit file, and lines "ok ..." and "not ok ..." on standard input.

    test_summary.py JUNIT STATUS      STATUS: of `meson test`

Prints "N passed, N failed, N skipped" and exits with 1 if one failed. A failing status with no failed
case in the file (a crash, a timeout) counts as one failure.
"""
import sys
import xml.etree.ElementTree


def main():
    junit, status = sys.argv[1], int(sys.argv[2])
    passed = failed = skipped = 0
    for line in sys.stdin:
        passed += line.startswith("ok ")
        failed += line.startswith("not ok ")
    failed_before = failed
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    if status != 0 and failed == failed_before:
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
