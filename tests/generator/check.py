"""Whether a report says what is right of a generated program."""
import os

def places(report, program):
    """What the report says of each line of the program: {line: [opened, never closed]}, sites that others called
    by their callers. And the lines on which it says that something was never closed."""
    name = f"s{program.seed}."
    said = {}
    truth = program.truth()
    for site in report["sites"]:
        if site["kind"] not in kinds(program):
            continue
        mine = os.path.basename(site.get("file") or "").startswith(name)
        line = site.get("line") if mine else None
        callers = site.get("callers", [])
        if line in truth or not any(caller.get("line") in truth for caller in callers):
            add(said, line, site["opened"], site["never_closed"])
            continue
        for caller in callers:
            add(said, caller.get("line"), caller["opened"], caller["never_closed"])
    blamed = {line: numbers for line, numbers in said.items() if numbers[1]}
    return said, blamed


def add(numbers, line, opened, never_closed):
    old = numbers.setdefault(line, [0, 0])
    old[0] += opened
    old[1] += never_closed


def kinds(program):
    return ("checkout",) if program.language == "alchemy" else ("handle",)


def wrong(report, program):
    """What is wrong with a report, a line each; empty: nothing."""
    faults = []
    opened, left = program.totals()
    totals = {"opened": 0, "never_closed": 0, "released": 0}
    for kind in kinds(program):
        for key in totals:
            totals[key] += report["totals"].get(kind, {}).get(key, 0)
    if (totals["opened"], totals["never_closed"], totals["released"]) != (opened, left, opened - left):
        faults.append(f"totals {totals}, right: opened {opened}, never closed {left}")
    said, blamed = places(report, program)
    for line, numbers in program.truth().items():
        # Of a line that closes all it may be another frame that is named.
        if (numbers[1] or line in blamed) and said.get(line) != numbers:
            faults.append(f"line {line}: {said.get(line)}, right: {numbers}")
    for line in blamed:
        if line not in program.truth():
            faults.append(f"line {line} is blamed: {blamed[line]}")
    if report.get("blind"):
        faults.append(f"blind: {report['blind']}")
    return faults
