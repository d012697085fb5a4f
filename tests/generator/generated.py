#!/usr/bin/env python3
"""Runs generated programs traced, and compares each report with what is right of it.

    generated.py CLI FIRST COUNT [LANGUAGE]      seeds FIRST, FIRST+1 ...; exits 1 if a report was wrong

GENERATOR_JOBS programs run at once (2). A seed always gives the same program; `program.py SEED FOLDER` writes it.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import check
import program


def run(cli, made):
    """Runs a program. Result: its JSON report, or a text that says why there is none."""
    with tempfile.TemporaryDirectory(prefix="generated-") as folder:
        command = made.build(folder)
        done = subprocess.run([cli, "run", "-o", "%e.%p.trace", "--", *command], cwd=folder, capture_output=True,
                              text=True, timeout=120, errors="replace", check=False)
        if done.returncode != 0:
            return f"status {done.returncode}: {done.stderr[-500:]}"
        traces = [name for name in os.listdir(folder) if name.endswith(".trace")]
        if not traces:
            return f"no trace: {done.stderr[-500:]}"
        report = subprocess.run([cli, "report", "--format=json", *traces], cwd=folder, capture_output=True, text=True,
                                timeout=120, check=True)
        return json.loads(report.stdout)


def faults(cli, made):
    """What was wrong with the report of a program, a line each."""
    report = run(cli, made)
    return [report] if isinstance(report, str) else check.wrong(report, made)


def run_seeds(cli, seeds, language=None):
    """Result: {seed: faults} of those with any; what is wrong is printed as it is found."""
    wrong = {}
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("GENERATOR_JOBS", "2"))) as pool:
        programs = {seed: program.Program(seed, language) for seed in seeds}
        futures = {pool.submit(faults, cli, made): seed for seed, made in programs.items()}
        for future in concurrent.futures.as_completed(futures):
            seed = futures[future]
            if future.result():
                wrong[seed] = future.result()
                made = programs[seed]
                print(f"seed {seed} ({made.language}: {' '.join(made.description)})", *wrong[seed], sep="\n    ",
                      flush=True)
    return wrong


def main():
    first, count = int(sys.argv[2]), int(sys.argv[3])
    wrong = run_seeds(os.path.abspath(sys.argv[1]), range(first, first + count), *sys.argv[4:5])
    print(f"{count} programs, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
