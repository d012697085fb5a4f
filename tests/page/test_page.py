"""The page in a headless browser: what it says against what the program knows, how it is used, that
text from a trace does nothing, and that it asks nobody for anything.

    E2E_CLI=unclosed PAGE_HTML=page.html PAGE_AXE=axe.min.js test_page.py [PICTURES]

With a folder PICTURES it leaves pictures there, to be looked at.
"""
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import browser as browsers  # noqa: E402  pylint: disable=wrong-import-position

CLI = os.environ["E2E_CLI"]
PAGE = os.environ["PAGE_HTML"]
AXE = os.environ["PAGE_AXE"]
SKIPPED = 77
PICTURES = None

# A function, file, thread, database and SQL that would run or break something if a page took them
# for HTML, or JSON for JavaScript.
EVIL = "</script><script>window.hostile=1</script><img src=x onerror=window.hostile=2><!--<script>"
HOSTILE = f'''
import sqlite3, threading
evil = {EVIL!r} + "\\u2028\\u2029\\u202e'\\"`${{}}"
def leak():
    db = sqlite3.connect("file:" + "x" + "?mode=memory&evil=" + evil.replace("#", ""), uri=True)
    db.execute("select 1 as \\"" + evil.replace('"', "") + "\\"")
    kept.append(db)
kept = []
leak.__code__ = leak.__code__.replace(co_name="f" + evil, co_filename="/tmp/" + evil + ".py")
thread = threading.Thread(target=leak, name="t" + evil[:9])
thread.start(); thread.join()
leak()
import ctypes
ctypes.CDLL(None).prctl(15, b"\\xff\\xfe</b>", 0, 0, 0)
leak()
'''
# Every function is a site of its own; every tenth forgets its session.
MANY = '''
import sqlite3
kept = []
code = "".join(f"""
def handler_{i:05}():
    db = sqlite3.connect(":memory:")
    {"kept.append(db)" if i % 10 == 0 else "db.close()"}
""" for i in range(10000))
exec(compile(code, "handlers.py", "exec"))
for i in range(10000):
    globals()[f"handler_{i:05}"]()
'''


def run(program, trace, *arguments):
    done = subprocess.run([CLI, "run", "-f", "-o", trace, "--", "/usr/bin/python3", program, *arguments],
                          capture_output=True, text=True, timeout=120, check=True,
                          cwd=os.path.dirname(trace))
    return done.stdout


def page_of(trace, *options):
    page = f"{trace}{'.redacted' if options else ''}.html"
    subprocess.run([CLI, "report", *options, "--html", page, trace], capture_output=True, timeout=60,
                   check=True)
    return page


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="page-")
        cls.browser = browsers.Browser(browsers.find())
        program = shutil.copy(os.path.join(HERE, "leaky.py"), cls.folder)
        cls.leaky_trace = os.path.join(cls.folder, "leaky.trace")
        cls.truth = json.loads(run(program, cls.leaky_trace, os.path.join(cls.folder, "app.db")))
        cls.leaky = page_of(cls.leaky_trace)

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.browser.errors.clear()

    def tearDown(self):
        self.assertEqual(self.browser.errors, [])
        self.assertEqual([url for url in self.browser.requests if not url.startswith(("file:///", "data:,"))], [])
        files = [url for url in self.browser.requests if url.startswith("file:")]
        self.assertLessEqual(len(set(files)), 1, files)  # the page itself

    def trace(self, name, source):
        program = os.path.join(self.folder, f"{name}.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(source)
        trace = os.path.join(self.folder, f"{name}.trace")
        run(program, trace)
        return trace

    def js(self, code):
        return self.browser.js(code)

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def rows(self):
        """The names of the sites in sight, from the top."""
        return self.js("""[...document.querySelectorAll('.rows > .row')]
            .sort((a, b) => a.dataset.index - b.dataset.index).map(row => row.querySelector('.c-site b').textContent)""")

    def search(self, text):
        self.js(f"""(() => {{ const e = document.querySelector('#sites input[type=search]'); e.value = {json.dumps(text)};
            e.dispatchEvent(new Event('input', {{bubbles: true}})); }})()""")
        time.sleep(0.25)
        self.browser.settle()

    def picture(self, name):
        if PICTURES:
            self.browser.picture(os.path.join(PICTURES, f"{name}.png"), whole=True)

    def axe(self, what):
        with open(AXE, encoding="utf-8") as file:
            self.js(file.read() + "; 1")
        found = self.js("""axe.run(document, {resultTypes: ['violations']}).then(result => result.violations.map(
            v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | ')))""")
        self.assertEqual(found, [], what)

    def test_verdict_and_autopsy(self):
        self.browser.open(self.leaky)
        self.assertRegex(self.text(".verdict h1"), r"^5 of 26 checkouts were never closed, at 2 sites in 1 file\..*ran dry: 2 acquires timed out")
        order = self.js("[...document.querySelectorAll('main > section')].map(s => s.id || s.className.split(' ')[0])")
        self.assertEqual(order, ["verdict", "autopsy", "sites", "pools", "flame", "times", "source", "processes"])
        self.assertEqual(self.js("document.querySelectorAll('.autopsy g rect:not(.waiter)').length"), 5)
        self.assertEqual(self.js("document.querySelectorAll('.autopsy rect.waiter.failed').length"), 2)
        labels = self.js("[...document.querySelectorAll('.autopsy .label')].map(e => e.textContent).join('; ')")
        for name, count in self.truth["leaked"].items():
            self.assertIn(f"{count} × {name} leaky.py:{self.truth['lines'][name]}", labels)
        self.picture("light")

    def test_table(self):
        self.browser.open(self.leaky)
        self.assertEqual(self.rows()[:2], ["settings", "export"])
        self.browser.click(*self.browser.middle("#sites [data-key=site] button")[:2])
        self.assertEqual(self.rows(), sorted(self.rows()))
        self.assertEqual(self.js("document.querySelector('#sites [data-key=site]').ariaSort"), "ascending")
        self.search("EXPORT leaky")
        self.assertEqual(set(self.rows()), {"export"})
        self.search("")
        self.browser.click(*self.browser.middle("#sites .check input")[:2])
        self.assertEqual(sorted(self.rows()), ["export", "settings"])

    def test_row_opens(self):
        self.browser.open(self.leaky)
        self.browser.click(*self.browser.middle(".rows .row .c-fault")[:2])
        self.assertEqual(self.js("document.querySelector('.rows .row .expand').ariaExpanded"), "true")
        panel = self.text(".panel")
        line = self.truth["lines"]["settings"]
        self.assertRegex(panel, rf"3 / 3\s+{line}\s+connection = engine.connect\(\)")
        self.assertIn("main leaky.py:", re.sub(r"\s+", " ", panel))  # its caller
        self.assertNotIn("pool/base.py", panel)
        self.js("document.querySelector('.panel .part .check input').click()")
        self.browser.until("document.querySelector('.panel').innerText.includes('pool/base.py')")
        self.assertGreater(self.js("document.querySelectorAll('.panel canvas').length"), 0)  # its history
        self.axe("a row open")
        top = self.js("document.querySelectorAll('.rows .row')[1].getBoundingClientRect().top - document.querySelector('.panel').getBoundingClientRect().bottom")
        self.assertLess(abs(top), 2)  # the next row is below
        self.picture("row")

    def test_keyboard(self):
        self.browser.open(self.leaky)
        self.js("document.querySelector('.rows .expand').focus()")
        self.browser.press("ArrowDown")
        self.assertIn("export", self.js("document.activeElement.ariaLabel"))
        self.browser.press("Enter")
        self.assertEqual(self.js("document.activeElement.ariaExpanded"), "true")
        self.assertIn("export", self.text(".panel .listing"))
        self.js("document.querySelector('.chart').focus()")
        self.browser.press("Home")
        before = self.js("document.querySelector('.chart').ariaValueText")
        self.browser.press("End")
        self.assertNotEqual(self.js("document.querySelector('.chart').ariaValueText"), before)
        self.js("document.querySelector('.flame').focus()")
        self.browser.press("ArrowDown")
        self.browser.press("ArrowDown")
        self.assertRegex(self.text(".frame-text"), r"never closed \(")

    def test_occupancy(self):
        self.browser.open(self.leaky)
        x, y, box = self.browser.middle(".chart .u-over")
        self.browser.click(box[0] + box[2] * 0.8, y)  # everything was out by then
        moment = re.sub(r"\s+", " ", self.text(".moment"))
        self.assertIn("5 out, 2 waiting", moment)
        for name, count in self.truth["leaked"].items():
            self.assertRegex(moment, rf"{name} leaky.py:{self.truth['lines'][name]} {count}\b")
        self.browser.click(box[0] + box[2] * 0.002, y)
        self.assertNotIn("5 out", self.text(".moment h4"))
        ticks = "Array.from(document.querySelectorAll('.chart canvas')).map(c => c.toDataURL()).join('')"
        before = self.js(ticks)
        self.browser.drag(box[0] + box[2] * 0.2, y, box[0] + box[2] * 0.5, y)
        self.assertNotEqual(self.js(ticks), before)  # zoomed
        self.js("[...document.querySelectorAll('#pools button')].find(b => b.textContent === 'Show all').click()")
        self.browser.settle()
        self.js("document.querySelector('.moment a').click()")  # from a holder to its row
        self.browser.until("document.querySelector('.panel') !== null")

    def test_flame(self):
        other = page_of(self.trace("other", "import sqlite3\nkept = [sqlite3.connect(':memory:') for _ in range(4)]\n"))
        self.browser.open(self.leaky)
        names = "[...document.querySelectorAll('.flame .d3-flame-graph-label')].map(e => e.textContent)"
        self.browser.until(f"{names}.some(n => n.startsWith('settings leaky.py'))")
        self.assertFalse(any("sqlalchemy" in name or "pool" in name for name in self.js(names)))
        self.browser.click(*self.browser.middle("#flame .check input")[:2])
        self.browser.until(f"{names}.length > 8", "library frames")
        self.js("(() => { const e = document.querySelector('#flame select'); e.value = 'opened'; e.dispatchEvent(new Event('change')); })()")
        self.browser.until("document.querySelector('.frame-text').textContent.includes('acquired')")
        document = self.browser.call("DOM.getDocument")["root"]["nodeId"]
        node = self.browser.call("DOM.querySelector", nodeId=document, selector="#flame input[type=file]")["nodeId"]
        self.browser.call("DOM.setFileInputFiles", nodeId=node, files=[other])
        self.browser.until("document.querySelector('#flame').innerText.includes('Compared with other.trace.html')")
        self.assertIn("the other run: 4 acquired", self.text(".frame-text"))
        self.picture("compared")
        self.call_csv("flame")

    def call_csv(self, name):
        """What a CSV button would save."""
        self.js("window.saved = []; URL.createObjectURL = blob => { window.saved.push(blob); return 'data:,'; }; HTMLAnchorElement.prototype.click = () => {}; 1")
        self.js(f"document.querySelector('#{name} [aria-label$=\"as CSV\"]').click()")
        return list(csv.reader(io.StringIO(self.js("window.saved.at(-1).text()"))))

    def test_csv(self):
        self.browser.open(self.leaky)
        rows = self.call_csv("sites")
        leaks = {row[2]: int(row[0]) for row in rows[1:] if row[0] != "0"}
        self.assertEqual(leaks, self.truth["leaked"])
        self.assertGreater(len(self.call_csv("pools")), 5)
        self.assertEqual(len(self.call_csv("autopsy")), 1 + 5)
        self.assertEqual(len(self.call_csv("processes")), 1 + 1)

    def test_theme(self):
        back = "getComputedStyle(document.body).backgroundColor"
        self.browser.open(self.leaky)
        light = self.js(back)
        self.browser.dark(True)
        self.browser.settle()
        dark = self.js(back)
        self.assertNotEqual(light, dark)  # as the system has it
        self.js("document.querySelector('#theme [data-value=light]').click()")
        self.assertEqual(self.js(back), light)
        self.browser.open(self.leaky, dark=True)
        self.assertEqual(self.js(back), light)  # remembered
        self.js("document.querySelector('#theme [data-value=auto]').click()")
        self.assertEqual(self.js(back), dark)
        self.picture("dark")
        self.axe("dark")

    def test_axe(self):
        for width in (1280, 390):
            self.browser.open(self.leaky, width=width)
            self.assertLessEqual(self.js("document.documentElement.scrollWidth"), width)
            self.axe(f"{width} wide")
        self.picture("narrow")

    def test_print(self):
        self.browser.open(self.leaky)
        data = self.browser.pdf()
        self.assertEqual(data[:5], b"%PDF-")
        self.assertGreaterEqual(data.count(b"/Type /Page\n") + data.count(b"/Type /Page "), 2)
        self.assertEqual(self.js("document.querySelectorAll('#printed').length"), 0)  # put away again
        if PICTURES:
            with open(os.path.join(PICTURES, "page.pdf"), "wb") as file:
                file.write(data)

    def test_hostile(self):
        page = page_of(self.trace("hostile", HOSTILE))
        self.browser.open(page)
        for opener in self.js("[...Array(document.querySelectorAll('.rows .expand').length).keys()]"):
            self.js(f"document.querySelectorAll('.rows .expand')[{opener}].click()")
            self.browser.settle()
        self.assertEqual(self.js("[typeof window.hostile, document.images.length, document.scripts.length]"),
                         ["undefined", 0, 2])
        self.assertIn("<script>window.hostile=1</script>", self.text("#sites"))  # shown as it is
        self.assertNotIn("\u202e", self.js("document.body.innerText"))
        with open(page, "rb") as file:
            self.assertEqual(file.read().count(b"</script"), 2)
        self.axe("hostile")

    def test_many_sites(self):
        page = page_of(self.trace("many", MANY))
        self.assertLess(os.path.getsize(page), 5 << 20)
        self.browser.open(page)
        self.assertIn("1,000 of 10,000 handles were never closed, at 1,000 sites", self.text(".verdict h1"))
        self.browser.click(*self.browser.middle("#sites .check input")[:2])
        self.assertIn("10,000 of 10,000 sites", self.text("#sites .controls"))
        # The work of a frame, in milliseconds; the machine may do other things meanwhile.
        frames = self.js("""(() => { const list = document.querySelector('.scroller'), times = [];
            for (let i = 0; i < 60; i++) { const begin = performance.now(); list.scrollTop += 5000;
                list.dispatchEvent(new Event('scroll')); document.body.offsetHeight; times.push(performance.now() - begin); }
            return times.sort((a, b) => a - b); })()""")
        self.assertLess(frames[30], 300)
        self.assertLess(self.js("document.querySelectorAll('.rows .row').length"), 60)
        self.js("document.querySelector('.scroller').scrollTop = 1e9")
        self.browser.settle()
        self.assertEqual(self.js("Math.max(...[...document.querySelectorAll('.rows .row')].map(r => +r.dataset.index))"), 9999)
        took = self.js("(() => { const t = performance.now(); document.querySelector('#sites [data-key=site] button').click(); return performance.now() - t; })()")
        self.assertLess(took, 1000)
        self.search("handler_04321")
        self.assertEqual(self.rows(), ["handler_04321"])
        self.picture("many")

    def test_redacted(self):
        page = page_of(self.leaky_trace, "--redact=all", "--redact=/exp[o]rt/")
        with open(page, encoding="utf-8") as file:
            data = re.search(r'id="data">(.*?)</script>', file.read())[1]
        for word in (self.folder, "export", "engine.connect", "/usr/"):
            self.assertNotIn(word, data)
        self.browser.open(page)
        self.assertIn("[redacted]", self.text("#sites"))
        self.assertIn("Left out of this page: paths, SQL, source lines, what matches a pattern", self.text(".verdict"))

    def test_clean(self):
        self.browser.open(page_of(self.trace("clean", "import sqlite3\nfor _ in range(9):\n    sqlite3.connect(':memory:').close()\n")))
        self.assertEqual(self.text(".verdict h1"), "All 9 handles were closed or given back.")
        self.assertTrue(self.js("document.querySelector('.verdict').classList.contains('clean')"))
        self.picture("clean")


def main():
    global PICTURES  # pylint: disable=global-statement
    if not browsers.find():
        print("skipped: NO BROWSER: scripts/setup --tests installs chromium")
        return SKIPPED
    if not os.path.getsize(PAGE):
        print("skipped: NO PAGE in this build, which had no npm: scripts/setup installs it")
        return SKIPPED
    if sys.argv[1:] and os.path.isdir(sys.argv[1]):
        PICTURES = sys.argv.pop(1)
    unittest.main(verbosity=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
