"""Programs with sessions out before they are attached to, for test_python_service.py.

    python_pools.py classes|tasks|old|waiting|many|psycopg2 DATABASE

Says "ready"; then does what each line of standard input says, and answers with a line.
"""

import asyncio
import gc
import sys
import threading
import time


def answer(commands):
    print("ready", flush=True)
    for line in sys.stdin:
        print(commands[line.strip()](), flush=True)


def classes(database):
    """Each class of pool, with some connections out; "close" closes all, "leak" takes others."""
    from sqlalchemy import create_engine
    from sqlalchemy import pool

    url = "sqlite:///" + database
    engines = [create_engine(url, poolclass=getattr(pool, name),
                             connect_args={"check_same_thread": False})
               for name in ("NullPool", "StaticPool", "SingletonThreadPool", "AssertionPool",
                            "QueuePool")]
    kept = []
    for engine, count in zip(engines, (3, 2, 1, 1, 4)):
        kept.extend(engine.connect() for _ in range(count))

    def close():
        while kept:
            kept.pop().close()

    def detach():
        kept.pop().detach()

    def invalidate():
        kept[-1].invalidate()
        kept.pop().close()

    def leak():
        for engine in engines:
            if not isinstance(engine.pool, pool.AssertionPool):  # it gives out one only
                kept.append(engine.connect())  # site: leak

    answer({"close": close, "leak": leak, "detach": detach, "invalidate": invalidate})


def tasks(database):
    """Twenty tasks wait with an AsyncSession; "leak" has three more take one, "end" ends all."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.pool import AsyncAdaptedQueuePool

    async def job(engine, event):
        session = AsyncSession(engine)
        await session.execute(text("select 1"))
        await event.wait()  # site: job
        await session.close()

    async def late(engine, kept):
        session = AsyncSession(engine)  # site: late
        await session.execute(text("select 1"))
        kept.append(session)

    async def main():
        engine = create_async_engine("sqlite+aiosqlite:///" + database, pool_size=10,
                                     max_overflow=20, poolclass=AsyncAdaptedQueuePool)
        event = asyncio.Event()
        jobs = [asyncio.create_task(job(engine, event), name=f"job-{i}") for i in range(20)]
        kept = []
        loop = asyncio.get_running_loop()
        while engine.sync_engine.pool.checkedout() < 20:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        print("ready", flush=True)
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if line == "leak\n":
                for _ in range(3):
                    await late(engine, kept)
            elif line == "end\n":
                event.set()
                await asyncio.gather(*jobs)
            else:
                return
            print("done", flush=True)

    asyncio.run(main())


def old(database):
    """A session created early takes its connection when told."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import sessionmaker

    Session = sessionmaker(bind=create_engine("sqlite:///" + database))

    def get_db():
        return Session()

    early = get_db()
    kept = []

    def take():
        early.execute(text("select 1"))  # site: early

    def new():
        session = get_db()  # site: new
        session.execute(text("select 1"))
        kept.append(session)

    answer({"take": take, "new": new})


def waiting(database):
    """All five connections are out, and three threads wait for one; "give" gives two back."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite:///" + database, poolclass=QueuePool, pool_size=5,
                           max_overflow=0, pool_timeout=60,
                           connect_args={"check_same_thread": False})
    kept = [engine.connect() for _ in range(5)]
    got = []

    def wait():
        connection = engine.connect()
        got.append(connection)
        time.sleep(1000)

    for _ in range(3):
        threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.3)

    def give():
        for _ in range(2):
            kept.pop().close()
        while len(got) < 2:
            time.sleep(0.01)

    def touch():
        time.sleep(0.2)
        kept.pop().close()
        while len(got) < 3:
            time.sleep(0.01)
        engine.pool._timeout = 0.01
        try:
            engine.connect()
        except Exception as error:
            return type(error).__name__

    def close():
        while kept or got:
            (kept or got).pop().close()

    answer({"give": give, "touch": touch, "close": close})


def many(database):
    """Two million objects; "others" tells in ms, since the last time, how long a busy thread had to
    do without the interpreter at most, and the processor time of threads that are not Python's."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite:///" + database, poolclass=QueuePool, pool_size=30)
    objects = [{} for _ in range(2000000)]
    gc.collect()
    kept = [engine.connect() for _ in range(20)]
    longest = [0.0]  # of each time between two questions
    spent = [0.0]  # processor time of the thread that spins

    def spin():
        before = time.perf_counter()
        while True:
            now = time.perf_counter()
            if now - before > longest[-1]:
                longest[-1] = now - before
            spent[0] = time.thread_time()
            before = now

    threading.Thread(target=spin, daemon=True).start()
    told = [0.0]

    def others():
        longest.append(0.0)
        used = time.process_time() - time.thread_time() - spent[0]
        since, told[0] = used - told[0], used
        return f"{longest[-2] * 1000:.1f} {since * 1000:.1f} {len(objects) + len(kept)}"

    answer({"others": others})


def psycopg2(_):
    """Three of a pool by call spec are out; "put" gives them back."""
    from psycopg2.pool import ThreadedConnectionPool

    class Connection:
        closed = False

        class info:
            transaction_status = 0

        def close(self):
            self.closed = True

        def rollback(self):
            pass

    class Pool(ThreadedConnectionPool):
        def _connect(self, key=None):
            connection = Connection()
            if key is None:
                self._pool.append(connection)
            else:
                self._used[key] = connection
                self._rused[id(connection)] = key
            return connection

    pool = Pool(1, 10)
    kept = [pool.getconn() for _ in range(3)]

    def put():
        while kept:
            pool.putconn(kept.pop())

    def leak():
        kept.append(pool.getconn())  # site: getconn

    answer({"put": put, "leak": leak})


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
