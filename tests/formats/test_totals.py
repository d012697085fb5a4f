#!/usr/bin/python3
"""The same traces in every format: the numbers agree, and programs that are not ours can read them."""

import csv
import json
import re

import formats_harness as harness


class Totals(harness.FormatsTestCase):
    def test_there_are_ten_real_traces(self):
        self.assertGreaterEqual(len(self.traces), 10, self.traces.keys())
        never_closed = {name: harness.read_json(self.render("json", folder))
                        for name, folder in self.traces.items()}
        self.assertEqual(never_closed.pop("clean"), {})
        for name, numbers in never_closed.items():
            self.assertTrue(numbers, name)

    def test_never_closed_is_the_same_everywhere(self):
        for name, folder in self.traces.items():
            expected = harness.read_json(self.render("json", folder))
            for form, read in harness.READERS.items():
                with self.subTest(form=form, trace=name):
                    self.assertEqual(read(self.render(form, folder)), expected)

    def test_all_traces_together(self):
        folders = list(self.traces.values())
        expected = harness.read_json(self.render("json", *folders))
        for form, read in harness.READERS.items():
            with self.subTest(form=form):
                self.assertEqual(read(self.render(form, *folders)), expected)

    def test_a_wrong_number_would_be_found(self):
        """What the readers say follows from what they read."""
        folder = self.traces["killed"]
        for form, read in harness.READERS.items():
            data = self.render(form, folder)
            self.assertEqual(read(data), {"handle": 4}, form)

    def test_unknown_formats_are_no_test(self):
        """Each format that --help names has a reader here."""
        known = self.unclosed("report", "--format", "none").stderr.rpartition("known: ")[2].split()
        self.assertEqual({name.strip(",") for name in known}, {"html", "json", "junit-merge", "pprof", "supp", *harness.READERS})


class Csv(harness.FormatsTestCase):
    def test_is_what_json_says(self):
        for folder in self.traces.values():
            rows = list(csv.DictReader(self.render("csv", folder).decode().splitlines(True), strict=True))
            sites = json.loads(self.render("json", folder))["sites"]
            self.assertEqual([row["site"] for row in rows], [site["id"] for site in sites])
            for row, site in zip(rows, sites):
                for name, value in row.items():
                    if isinstance(site.get(name), int) and name != "line":
                        self.assertEqual(int(value), site[name], name)

    def test_held(self):
        folder = self.traces["killed"]
        rows = list(csv.DictReader(self.render("csv", folder, command="held").decode().splitlines(True), strict=True))
        self.assertEqual(len(rows), 4)
        held = json.loads(self.render("json", folder, command="held"))["held"]
        self.assertEqual([row["handle"] for row in rows], [one["handle"] for one in held])


class Folded(harness.FormatsTestCase):
    def test_stacks_are_outermost_first(self):
        text = self.render("folded", self.traces["pytest"]).decode()
        for line in text.splitlines():
            self.assertRegex(line, r"^\w+s(;[^;]+)+ \d+$")
        self.assertRegex(text, r";test_leaks \(test_some\.py:\d+\)[^;]* 2\n")


class OpenMetrics(harness.FormatsTestCase):
    def test_pool_that_ran_dry(self):
        families = harness.metric_families(self.render("openmetrics", self.traces["dry"]))
        labels = {"db_client_connection_pool_name": "QueuePool dry.db"}

        def values(name):
            return {tuple(v for k, v in sample.labels.items() if not k.endswith("pool_name")): sample.value
                    for sample in families[name].samples}
        for sample in families["db_client_connection_max"].samples:
            self.assertRegex(sample.labels["db_client_connection_pool_name"], r"^QueuePool .*dry\.db$", labels)
        self.assertEqual(values("db_client_connection_max"), {(): 5})
        (pool,) = json.loads(self.render("json", self.traces["dry"]))["pools"]
        self.assertGreater(pool["timeouts"], 0)
        self.assertEqual(values("db_client_connection_timeouts"), {(): pool["timeouts"]})
        self.assertEqual(values("unclosed_pool_high_water"), {(): 5})
        self.assertEqual(set(values("db_client_connection_count")), {("used",), ("idle",)})
        histogram = families["db_client_connection_use_time_seconds"]
        self.assertEqual((histogram.type, histogram.unit), ("histogram", "seconds"))
        report = json.loads(self.render("json", self.traces["dry"]))
        ended = sum(site["released"] + site["reclaimed"] for site in report["sites"] if site["kind"] == "checkout")
        count = [s.value for s in histogram.samples if s.name.endswith("_count")]
        self.assertEqual(count, [ended])

    def test_times_of_acquires(self):
        """Each acquire is in the histogram of waits, whatever it took."""
        families = harness.metric_families(self.render("openmetrics", self.traces["dry"]))
        (pool,) = json.loads(self.render("json", self.traces["dry"]))["pools"]
        for name, expected in (("wait", pool["acquires"]),
                               ("create", sum(pool.get("creation_times", {}).get("count", [])))):
            family = families[f"db_client_connection_{name}_time_seconds"]
            self.assertEqual((family.type, family.unit), ("histogram", "seconds"))
            (whole,) = [sample.value for sample in family.samples if sample.labels["le"] == "+Inf"]
            self.assertEqual(whole, expected, name)

    def test_names_of_pools_are_different(self):
        for folder in self.traces.values():
            families = harness.metric_families(self.render("openmetrics", folder))
            pools = json.loads(self.render("json", folder))["pools"]
            names = [sample.labels["db_client_connection_pool_name"]
                     for sample in families["unclosed_pool_high_water"].samples]
            self.assertEqual(len(set(names)), len(pools))

    def test_numbers_of_labels_are_bounded(self):
        """Two hundred sites: fifty are listed, the others counted."""
        code = "import sqlite3, os\nkept = []\n" + "".join(
            f"exec(compile('kept.append(sqlite3.connect(\":memory:\"))', '/{'d' * 200}/{i}.py', 'exec'))\n"
            for i in range(200)) + "os._exit(0)"
        self.trace([harness.PYTHON, "-c", code], traces=self.path("many"))
        families = harness.metric_families(self.render("openmetrics", self.path("many")))
        sites = families["unclosed_site_never_closed"].samples
        self.assertEqual(len(sites), 50)
        self.assertEqual(families["unclosed_sites_left_out"].samples[0].value, 150)
        for sample in sites:
            self.assertLessEqual(max(len(value) for value in sample.labels.values()), 120)


class Markdown(harness.FormatsTestCase):
    def test_tables_are_tables(self):
        html = harness.markdown_html(self.render("markdown", self.traces["pytest"]))
        self.assertRegex(html, r"<h3>unclosed: \d+ sessions never closed, \d+ sites?</h3>")
        self.assertRegex(html, r"<td><code>\S*test_some\.py:\d+</code> <code>test_leaks</code>")
        self.assertEqual(len(re.findall("<table>", html)), 2)

    def test_limit(self):
        data = self.render("markdown", "-n", "1", self.traces["outcomes"]).decode()
        self.assertRegex(data, r"\nand \d+ more sites\.\n")

    def test_nothing_seen_is_not_green(self):
        run = self.unclosed("run", "--pool", "acquire nowhere_at_all() -> handle", "--markdown", "a.md", "--",
                            harness.PYTHON, "-c", "import sqlite3")
        self.assertEqual(run.returncode, 0, run.stderr)
        with open(self.path("a.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("not everything was seen", text.splitlines()[0])
        self.assertIn("nowhere_at_all", text)


if __name__ == "__main__":
    harness.main()
