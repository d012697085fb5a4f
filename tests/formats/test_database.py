#!/usr/bin/python3
"""The SQLite database: runs are added, and SQL tells what JSON tells."""

import json
import os
import sqlite3
import subprocess

import formats_harness as harness


class Database(harness.FormatsTestCase):
    def add(self, *arguments, status=0):
        done = self.unclosed("report", "--sqlite", self.path("a.db"), *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def ask(self, sql):
        with sqlite3.connect(self.path("a.db")) as connection:
            rows = connection.execute(sql).fetchall()
        connection.close()
        return rows

    def test_runs_are_added(self):
        for name in self.traces:
            self.add(self.traces[name])
        expected = [harness.read_json(self.render("json", folder)) for folder in self.traces.values()]
        for run, numbers in enumerate(expected, 1):
            found = self.ask(f"select kind, never_closed from totals where run = {run} and never_closed > 0")
            self.assertEqual(dict(found), numbers)
        self.assertEqual(self.ask("select count(*) from runs"), [(len(expected),)])
        # sqlite3(1) reads it, too.
        text = subprocess.run(["sqlite3", self.path("a.db"), "select count(*) from runs"], capture_output=True,
                              text=True, timeout=60, check=True).stdout
        self.assertEqual(int(text), len(expected))
        # The site of one run is found in another by its key.
        self.add(self.traces["killed"])
        same = self.ask("select count(distinct run) from sites group by key having count(distinct run) > 1")
        self.assertIn((2,), same)

    def test_stacks(self):
        self.add(self.traces["pytest"])
        rows = self.ask("select s.id, f.function from sites s join stacks k using (stack) join frames f using (frame)"
                        " order by s.site, k.position")
        found = {}
        for site, function in rows:
            found.setdefault(site, []).append(function)
        for site in json.loads(self.render("json", self.traces["pytest"]))["sites"]:
            self.assertEqual(found[site["id"]], [frame.get("function") for frame in site["frames"]])

    def test_pool_and_events(self):
        self.add(self.traces["dry"])
        (pool,) = json.loads(self.render("json", self.traces["dry"]))["pools"]
        self.assertEqual(self.ask("select size, overflow, high_water, acquires, waits, timeouts from pools"),
                         [(pool["size"], pool["overflow"], pool["high_water"]["count"], pool["acquires"],
                           pool["waits"]["count"], pool["timeouts"])])
        self.assertEqual(self.ask("select sum(count) from holders"), [(5,)])
        shortages = json.loads(self.render("json", self.traces["dry"]))["shortages"]
        self.assertTrue(shortages)
        self.assertEqual(self.ask("select count(*) from events where event = 'shortage' and pool and stack"),
                         [(len(shortages),)])

    def test_tests(self):
        self.add(self.traces["pytest"])
        self.assertEqual(self.ask("select count from names where what = 'test' and name like '%test_two'"), [(2,)])

    def test_somebody_elses_database_stays(self):
        with sqlite3.connect(self.path("a.db")) as connection:
            connection.execute("create table mine (a)")
        connection.close()
        with open(self.path("a.db"), "rb") as file:
            before = file.read()
        done = self.add(self.traces["killed"], status=125)
        self.assertIn("a database of something else", done.stderr)
        with open(self.path("a.db"), "rb") as file:
            self.assertEqual(file.read(), before)
        os.remove(self.path("a.db"))
        self.write("a.db", "this is no database, and it is longer than a header " * 30)
        self.assertIn("not a database", self.add(self.traces["killed"], status=125).stderr)

    def test_at_the_same_time(self):
        processes = [subprocess.Popen([harness.CLI, "report", "--sqlite", self.path("a.db"), self.traces["killed"]],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(6)]
        for process in processes:
            _, error = process.communicate(timeout=60)
            self.assertEqual((process.returncode, error), (0, b""))
        self.assertEqual(self.ask("select count(*), sum(never_closed) from runs"), [(6, 24)])


if __name__ == "__main__":
    harness.main()
