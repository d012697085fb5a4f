"""Python pieces of generated programs: see program.py for what a piece is."""

IMPORTS = """\
import asyncio, contextlib, functools, os, sqlite3, sys, threading
from concurrent.futures import ThreadPoolExecutor
DB = sys.argv[1]
KEEP = []
"""

# Each is (text, truth). In text, $ is the name of the piece, M and R decide which call is faulty: the one of
# `i % M == R`; "#@ x" marks a line. truth: {mark: (opened by a call, of these left open by a faulty one)}.
PIECES = {
    "straight": ("""
def $(i):
    c = sqlite3.connect(DB)  #@ a
    c.execute("select 1").fetchall()
    c.close()
""", {"a": (1, 0)}),
    "early": ("""
def $(i):
    c = sqlite3.connect(DB)  #@ a
    rows = c.execute("select 1").fetchall()
    if i % M == R:
        return rows
    c.close()
    return rows
""", {"a": (1, 1)}),
    "raises": ("""
def $_inner(i):
    c = sqlite3.connect(DB)  #@ a
    if i % M == R:
        raise ValueError(i)
    c.close()
def $(i):
    with contextlib.suppress(ValueError):
        $_inner(i)
""", {"a": (1, 1)}),
    "finally": ("""
def $(i):
    c = sqlite3.connect(DB)  #@ a
    try:
        if i % M == R:
            raise KeyError(i)
        c.execute("select 2")
    except KeyError:
        return
    finally:
        c.close()
""", {"a": (1, 0)}),
    "factory": ("""
def $_open():
    return sqlite3.connect(DB)
def $_good(i):
    c = $_open()  #@ good
    c.execute("select 1")
    c.close()
def $_bad(i):
    c = $_open()  #@ bad
    c.execute("select 1")
    if i % M != R:
        c.close()
def $(i):
    $_good(i)
    $_bad(i)
""", {"good": (1, 0), "bad": (1, 1)}),
    "factories": ("""
def $_raw(timeout):
    c = sqlite3.connect(DB, timeout=timeout)
    c.row_factory = sqlite3.Row
    return c
def $_open():
    return $_raw(1)
def $_one(i):
    c = $_open()  #@ one
    try:
        c.execute("select 1")
    finally:
        c.close()
def $_two(i):
    c = $_open()  #@ two
    c.execute("select 1")
    if i % M == R:
        return False
    c.close()
    return True
def $(i):
    $_two(i)
    $_one(i)
""", {"one": (1, 0), "two": (1, 1)}),
    "repository": ("""
class $_Repository:
    def __init__(self):
        self.db = sqlite3.connect(DB)
    def names(self):
        return self.db.execute("select 1").fetchall()
    def close(self):
        self.db.close()
def $_good(i):
    r = $_Repository()  #@ good
    r.names()
    r.close()
def $(i):
    $_good(i)
    r = $_Repository()  #@ bad
    r.names()
    if i % M != R:
        r.close()
""", {"good": (1, 0), "bad": (1, 1)}),
    "manager": ("""
@contextlib.contextmanager
def $_db():
    c = sqlite3.connect(DB)
    try:
        yield c
    finally:
        c.close()
def $(i):
    with contextlib.suppress(ValueError), $_db() as c:
        c.execute("select 1")
        if i % M == R:
            raise ValueError(i)
""", {None: (1, 0)}),
    "manager_skips": ("""
@contextlib.contextmanager
def $_db():
    c = sqlite3.connect(DB)  #@ a
    yield c
    c.close()
def $(i):
    try:
        with $_db() as c:
            c.execute("select 1")
            if i % M == R:
                raise ValueError(i)
    except ValueError:
        pass
""", {"a": (1, 1)}),
    "rows": ("""
def $_rows():
    c = sqlite3.connect(DB)  #@ a
    for row in c.execute("select 1 union select 2 union select 3"):
        yield row
    c.close()
def $(i):
    for row in $_rows():
        if i % M == R:
            break
""", {"a": (1, 1)}),
    "decorated": ("""
def $_with_db(function):
    @functools.wraps(function)
    def wrapper(i):
        c = sqlite3.connect(DB)  #@ a
        result = function(c, i)
        c.close()
        return result
    return wrapper
@$_with_db
def $_work(c, i):
    c.execute("select 1")
    if i % M == R:
        raise LookupError(i)
def $(i):
    try:
        $_work(i)
    except LookupError:
        pass
""", {"a": (1, 1)}),
    "kept": ("""
def $(i):
    c = sqlite3.connect(DB, check_same_thread=False)  #@ a
    c.execute("select 1")
    if i % M == R:
        KEEP.append(c)
    else:
        c.close()
""", {"a": (1, 1)}),
    "lambda_": ("""
$_open = lambda: sqlite3.connect(DB)
def $_good(i):
    with contextlib.closing($_open()) as c:  #@ good
        c.execute("select 1")
def $(i):
    c = $_open()  #@ bad
    c.execute("select 1")
    $_good(i)
    if i % M != R:
        c.close()
""", {"good": (1, 0), "bad": (1, 1)}),
    "partial": ("""
$_open = functools.partial(sqlite3.connect, DB, timeout=2)
def $(i):
    c = $_open()  #@ a
    if i % M == R:
        return
    c.close()
""", {"a": (1, 1)}),
    "stack": ("""
def $(i):
    with contextlib.ExitStack() as stack:
        c = stack.enter_context(contextlib.closing(sqlite3.connect(DB)))  #@ a
        d = sqlite3.connect(DB)  #@ b
        stack.callback(d.close)
        if i % M == R:
            stack.pop_all()
            KEEP.append((c, d))
""", {"a": (1, 1), "b": (1, 1)}),
    "classmethod_": ("""
class $_Store:
    @classmethod
    def open(cls, path):
        self = cls()
        self.c = sqlite3.connect(path)
        return self
    def __enter__(self):
        return self
    def __exit__(self, *why):
        self.c.close()
def $(i):
    with $_Store.open(DB) as s:  #@ good
        s.c.execute("select 1")
    t = $_Store.open(DB)  #@ bad
    t.c.execute("select 1")
    if i % M != R:
        t.c.close()
""", {"good": (1, 0), "bad": (1, 1)}),
    "several": ("""
def $(i):
    all_ = [sqlite3.connect(DB) for _ in range(3)]  #@ a
    if i % M == R:
        all_.pop()
    for c in all_:
        c.close()
""", {"a": (3, 1)}),
    "recursive": ("""
def $_down(i, depth):
    c = sqlite3.connect(DB)  #@ a
    if depth:
        $_down(i, depth - 1)
    elif i % M == R:
        return
    c.close()
def $(i):
    $_down(i, 2)
""", {"a": (3, 1)}),
    "pair": ("""
def $(i):
    a, b = sqlite3.connect(DB), sqlite3.connect(DB)  #@ a
    b.close()
    if i % M != R:
        a.close()
""", {"a": (2, 1)}),
    "continues": ("""
def $(i):
    for k in range(2):
        c = sqlite3.connect(DB)  #@ a
        if k == 1 and i % M == R:
            continue
        c.close()
""", {"a": (2, 1)}),
    "again": ("""
def $(i):
    c = sqlite3.connect(DB)  #@ first
    c.execute("select 1")
    if i % M == R:
        c = sqlite3.connect(DB)  #@ second
    c.close()
""", {"first": (1, 1), "second": ("faulty", 0)}),
    "method": ("""
class $_Job:
    def open(self):
        self.c = sqlite3.connect(DB)  #@ a
    def done(self):
        self.c.close()
    def run(self, i):
        self.open()
        self.c.execute("select 1")
        if i % M == R:
            raise OSError(i)
        self.done()
def $(i):
    try:
        $_Job().run(i)
    except OSError:
        pass
""", {"a": (1, 1)}),
    "coroutine": ("""
async def $_work(i):
    c = sqlite3.connect(DB)  #@ a
    await asyncio.sleep(0)
    c.execute("select 1")
    if i % M == R:
        return
    await asyncio.sleep(0)
    c.close()
async def $_all(i):
    await asyncio.gather($_work(i), $_work(i))
def $(i):
    asyncio.run($_all(i))
""", {"a": (2, 2)}),
    "cancelled": ("""
async def $_work():
    c = sqlite3.connect(DB)  #@ a
    await asyncio.sleep(5)
    c.close()
async def $_safe():
    c = sqlite3.connect(DB)  #@ b
    try:
        await asyncio.sleep(5)
    finally:
        c.close()
async def $_all(i):
    work = $_work() if i % M == R else $_safe()
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
def $(i):
    asyncio.run($_all(i))
""", {"a": ("faulty", 1), "b": ("sound", 0)}),
    "async_manager": ("""
@contextlib.asynccontextmanager
async def $_db():
    c = sqlite3.connect(DB)
    try:
        yield c
    finally:
        c.close()
async def $_all(i):
    async with $_db() as c:
        c.execute("select 1")
        await asyncio.sleep(0)
    c = sqlite3.connect(DB)  #@ a
    if i % M != R:
        c.close()
def $(i):
    asyncio.run($_all(i))
""", {None: (1, 0), "a": (1, 1)}),
}

RUNNERS = {
    "loop": "for i in range(N):\n    $(i)\n",
    "threads": """for i in range(N):
    t = threading.Thread(target=$, args=(i,))
    t.start()
    t.join()
""",
    "at_once": """ts = [threading.Thread(target=$, args=(i,)) for i in range(N)]
for t in ts:
    t.start()
for t in ts:
    t.join()
""",
    "executor": """with ThreadPoolExecutor(3) as ex:
    list(ex.map($, range(N)))
""",
    "child": """pid = os.fork()
if pid == 0:
    for i in range(N):
        $(i)
    os._exit(0)
os.waitpid(pid, 0)
""",
    "layers": """def $_layer(i, depth=2):
    return $_layer(i, depth - 1) if depth else $(i)
for i in range(N):
    $_layer(i)
""",
    "generator": """def $_steps():
    for i in range(N):
        $(i)
        yield i
for _ in $_steps():
    pass
""",
    "to_thread": """async def $_main():
    for i in range(N):
        await asyncio.to_thread($, i)
asyncio.run($_main())
""",
}
