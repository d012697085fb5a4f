"""Sums: at whatever instant a trace is read, its totals are those of its sites, and the text says what JSON says.

SUMS_ROUNDS: how often the trace of a process under load is read (40).
"""

import json
import os
import re
import subprocess
import time
import unittest

import harness

ROUNDS = int(os.environ.get("SUMS_ROUNDS", "40"))
# Eight threads that open, close, forget and keep; the process ends after some seconds, while they go on.
PROGRAM = """
import os, random, sqlite3, sys, threading, time
kept = []
def close(n):
    c = sqlite3.connect(':memory:', check_same_thread=False)
    time.sleep(random.random() / 500)
    c.close()
def forget(n):
    c = sqlite3.connect(':memory:', check_same_thread=False)
    if n % 3:
        c.close()
def keep(n):
    c = sqlite3.connect(':memory:', check_same_thread=False)
    (kept.append if n % 40 == 0 and len(kept) < 300 else sqlite3.Connection.close)(c)
def work(seed):
    n = seed
    while True:
        n += 1
        (close, forget, keep)[n % 3](n // 3)
for seed in range(8):
    threading.Thread(target=work, args=(seed * 7,), daemon=True).start()
print('ready', flush=True)
time.sleep(float(sys.argv[1]))
os._exit(0)
"""
# All that a session can have become; see struct profile_tally.
ENDS = ("released", "discarded", "release_unseen", "never_closed", "pooled", "below_threshold", "being_released",
        "under_way", "closer_unknown")


class Sums(harness.TestCase):
    def check_json(self, report):
        for kind, totals in report["totals"].items():
            sites = [site for site in report["sites"] if site["kind"] == kind]
            for key in ("opened", "live", "reclaimed", *ENDS):
                self.assertEqual(totals.get(key, 0), sum(site.get(key, 0) for site in sites), (kind, key))
            for tally in (totals, *sites):
                self.assertEqual(tally["opened"], sum(tally.get(key, 0) for key in ENDS), tally)
                self.assertEqual(tally["never_closed"],
                                 sum(tally.get(key, 0) for key in harness.NEVER_CLOSED), tally)
        for key in ("opened", "never_closed"):
            self.assertEqual(sum(process[key] for process in report["processes"]),
                             sum(report["totals"][kind][key] for kind in ("handle", "checkout", "session")), key)

    def check_text(self, text):
        """The numbers of the head, of the sites and of the summary are the same."""
        text = " ".join(text.split())
        head = re.search(r" handles opened (\d+) .*?(?:never|not) closed (\d+)", text)
        self.assertIsNotNone(head, text)
        sites = [(int(a), int(b)) for a, b in re.findall(r"\b(\d+) of (\d+) (?:never closed|held now|not closed)", text)]
        self.assertEqual(int(head[2]), sum(number for number, _ in sites), text)
        self.assertGreaterEqual(int(head[1]), sum(opened for _, opened in sites), text)
        self.assertTrue(all(number > 0 for number, _ in sites), text)
        summary = re.search(r" SUMMARY: (\d+) sessions? (?:never|not) closed", text)
        self.assertEqual(int(head[2]), int(summary[1]) if summary else 0, text)

    def read(self, trace):
        done = self.unclosed("report", "--format=json", trace)
        self.assertEqual(0, done.returncode, done.stderr)
        self.check_json(json.loads(done.stdout))
        for group in ("thread", "file"):
            done = self.unclosed("report", "--format=json", "--group-by", group, trace)
            report = json.loads(done.stdout)
            self.assertEqual(sum(one["never_closed"] for one in report["groups"]),
                             report["totals"]["handle"]["never_closed"], group)
        self.check_text(self.unclosed("report", "-n", "0", trace).stdout)

    def test_live(self):
        live = self.start(["/usr/bin/python3", "-c", PROGRAM, "3000"], how="preload")
        self.eventually(lambda: os.listdir(live.traces_folder), "a trace")
        time.sleep(0.3)
        trace = os.path.join(live.traces_folder, os.listdir(live.traces_folder)[0])
        for _ in range(ROUNDS):
            self.read(trace)
        self.assertIsNone(live.process.poll())

    def test_exit_with_threads(self):
        """The report of `run`, and what a later one says."""
        for _ in range(max(3, ROUNDS // 8)):
            run = self.trace(["/usr/bin/python3", "-c", PROGRAM, "0.3"])
            self.assertEqual(0, run.status, run.err)
            self.check_text(run.err[run.err.index("unclosed: "):])
            self.read(run.traces[0])


if __name__ == "__main__":
    harness.main()
