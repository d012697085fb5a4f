"""unclosed attach --patch: functions inside a live program, patched and restored."""

import os
import re
import subprocess

import harness

SOURCE = os.path.join(os.environ["ATTACH_SOURCE"], "patched.c")
POOL = "acquire patched_get(pool) -> handle; release patched_put(pool, handle) -> 0"


class Patch(harness.AttachTest):
    def service(self, flags="-O2", threads=8):
        program = os.path.join(self.folder, "service")
        subprocess.run(["gcc", "-g", *flags.split(), "-o", program, SOURCE, "-l:libsqlite3.a",
                        "-lm", "-ldl", "-lpthread"], check=True)
        return self.start(program, threads, stdin=subprocess.PIPE)

    def ask(self, process, question):
        """Its own counts: opened, closed, got, put. b(egin) and e(nd) let it work and rest."""
        process.stdin.write(question + "\n")
        process.stdin.flush()
        return dict((name, int(value)) for name, value in
                    re.findall(r"(\w+)=(-?\d+)", process.stdout.readline()))

    def attach(self, pid, *options, trace=None):
        return self.cli("attach", "-o", trace or self.trace(), "--pool", POOL, *options, pid).stdout

    def detach(self, pid):
        return self.cli("detach", pid).stdout

    def text_of(self, pid):
        """The executable's code as it is in memory."""
        program = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            line = next(line for line in maps if line.rstrip().endswith(program) and " r-xp " in line)
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        with open(f"/proc/{pid}/mem", "rb") as memory:
            memory.seek(start)
            return memory.read(end - start)

    def check_interval(self, process):
        """Attaches while it rests, lets it work, detaches while it rests: all is counted."""
        before = self.ask(process, "e")
        path = self.trace()
        answer = self.attach(process.pid, "--patch", trace=path)
        self.assertRegex(answer, r"patched +\d+ functions, all threads paused for")
        self.ask(process, "b")
        after = self.ask(process, "e")
        self.detach(process.pid)
        report = self.report(path)
        did = {name: after[name] - before[name] for name in after}
        self.assertGreater(did["got"], 0)
        handles, checkouts = report["totals"]["handle"], report["totals"]["checkout"]
        self.assertEqual((handles["opened"], handles["released"]), (did["opened"], did["closed"]))
        self.assertEqual((checkouts["opened"], checkouts["released"]), (did["got"], did["put"]))
        return answer

    def test_counts(self):
        for flags in ("-O0", "-O2", "-O2 -no-pie -fno-pie", "-O2 -fcf-protection=full"):
            with self.subTest(flags=flags):
                process = self.service(flags)
                text = self.text_of(process.pid)
                self.check_interval(process)
                self.check_interval(process)
                self.assertEqual(self.text_of(process.pid), text)
                self.end_service(process)

    def test_often(self):
        """Patched and restored again and again under full load, and nothing is lost."""
        process = self.service()
        text = self.text_of(process.pid)
        self.ask(process, "b")
        pauses = []
        for _ in range(harness.times(10)):
            answer = self.attach(process.pid, "--patch")
            pauses.append(float(re.search(r"all threads paused for ([\d.]+) ms",
                                          answer).group(1)))
            self.detach(process.pid)
            self.assertEqual(self.text_of(process.pid), text)
        print(f"{len(pauses)} times, all threads paused for {max(pauses)} ms at most, "
              f"{sum(pauses) / len(pauses):.1f} on average")
        self.ask(process, "e")
        self.check_interval(process)
        self.end_service(process)

    def test_not_asked(self):
        process = self.service()
        path = self.trace()
        text = self.text_of(process.pid)
        answer = self.attach(process.pid, trace=path)
        self.assertRegex(answer, r"not traced +calls of patched_get, patched_put")
        self.assertIn("--patch", answer)
        self.assertEqual(self.text_of(process.pid), text)
        self.ask(process, "b")
        self.ask(process, "e")
        self.detach(process.pid)
        report = self.report(path)
        self.assertEqual(report["totals"].get("checkout", {}).get("opened", 0), 0)
        reasons = {i["function"]: i["reason"] for i in report["unseen_inside"]}
        self.assertIn("--patch", reasons["patched_get"])
        self.end_service(process)

    def test_somebody_else_was_there(self):
        """A breakpoint in the entry: not patched, and the rest is."""
        process = self.service()
        program = os.readlink(f"/proc/{process.pid}/exe")
        symbols = subprocess.run(["nm", program], check=True, capture_output=True,
                                 text=True).stdout
        address = int(re.search(r"^([0-9a-f]+) T patched_get$", symbols, re.M).group(1), 16)
        with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps:
            base = int(maps.readline().split("-")[0], 16)
        with open(f"/proc/{process.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(base + address)
            first = memory.read(1)
            memory.seek(base + address)
            memory.write(b"\x90" if first != b"\x90" else b"\xcc")
            path = self.trace()
            self.attach(process.pid, "--patch", trace=path)
            self.detach(process.pid)
            memory.seek(base + address)
            memory.write(first)
        reasons = {i["function"]: i["reason"] for i in self.report(path)["unseen_inside"]}
        self.assertIn("in memory", reasons["patched_get"])
        self.assertNotIn("patched_put", reasons)
        self.end_service(process)

    def end_service(self, process):
        answer = self.ask(process, "q")
        self.assertEqual(answer["wrong"], 0)
        self.assertEqual(process.wait(20), 0)


if __name__ == "__main__":
    harness.main()
