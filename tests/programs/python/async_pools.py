#!/usr/bin/python3
"""Tasks that take connections from an async driver or pool, and what they leave, by number.

    async_pools.py DRIVER PORT|FILE

DRIVER: asyncpg, asyncpg_pool, aiomysql, aiomysql_pool, asyncmy, asyncmy_pool, aiopg, aiopg_pool,
psycopg, psycopg_pool, psycopg_null_pool, aiosqlite, redis_pool; with ":uvloop" on that loop.
At the end it says so, waits for the file "go" in its folder while somebody asks the server what it has
got, and leaves without closing.
"""

import asyncio
import gc
import os
import sys

NAME, _, LOOP = sys.argv[1].partition(":")
PLACE = sys.argv[2]
SIZE = 4  # of pools
POSTGRES = f"host=127.0.0.1 port={PLACE} user=postgres dbname=postgres"
URL = f"postgresql://postgres@127.0.0.1:{PLACE}/postgres"
MYSQL = {"host": "127.0.0.1", "port": int(PLACE) if PLACE.isdigit() else 0, "user": "t",
         "password": "t", "db": "test"}
kept = []


async def right(acquire, release):
    connection = await acquire()  # site: right
    try:
        await asyncio.sleep(0.01)
    finally:
        await finish(release(connection))


async def with_(enter):
    async with enter() as connection:  # site: with
        assert connection


async def finish(what):
    """What a release gives back: nothing, a future, a coroutine."""
    if what is not None:
        await what


async def keep(acquire):
    kept.append(await acquire())  # site: kept


async def early(acquire, release, number):
    connection = await acquire()  # site: early return
    kept.append(connection)
    if number % 2:
        return
    kept.remove(connection)
    await finish(release(connection))


async def cancel(acquire, release):
    connection = await acquire()  # site: cancelled
    kept.append(connection)
    await asyncio.sleep(60)
    await finish(release(connection))


async def starve(acquire):
    return await asyncio.wait_for(acquire(), 0.3)  # site: starved


async def cancelled(count, *how):
    tasks = [asyncio.create_task(cancel(*how)) for _ in range(count)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def pooled(acquire, release, enter):
    """SIZE places: 3 rights at a time and one with; then all are taken by 1 + 1 + 2 that leak."""
    await asyncio.gather(*[right(acquire, release) for _ in range(6)])
    await asyncio.gather(*[with_(enter) for _ in range(3)])
    await keep(acquire)
    for number in range(2):
        await early(acquire, release, number)
    await cancelled(2, acquire, release)
    try:
        await starve(acquire)
    except Exception as error:  # pylint: disable=broad-exception-caught
        print(type(error).__name__)


async def direct(connect, close):
    await asyncio.gather(*[right(connect, close) for _ in range(3)])
    await keep(connect)
    for number in range(2):
        await early(connect, close, number)
    await cancelled(2, connect, close)


async def asyncpg_():
    import asyncpg
    await direct(lambda: asyncpg.connect(URL), lambda connection: connection.close())


async def asyncpg_pool_():
    import asyncpg
    pool = await asyncpg.create_pool(URL, min_size=1, max_size=SIZE)
    await pooled(pool.acquire, pool.release, pool.acquire)


async def aiomysql_():
    import aiomysql
    await direct(lambda: aiomysql.connect(**MYSQL), lambda connection: connection.ensure_closed())


async def aiomysql_pool_():
    import aiomysql
    pool = await aiomysql.create_pool(minsize=1, maxsize=SIZE, **MYSQL)
    await pooled(pool.acquire, pool.release, pool.acquire)


async def asyncmy_():
    import asyncmy
    await direct(lambda: asyncmy.connect(**MYSQL), lambda connection: connection.ensure_closed())


async def asyncmy_pool_():
    import asyncmy
    pool = await asyncmy.create_pool(minsize=1, maxsize=SIZE, **MYSQL)
    await pooled(pool.acquire, pool.release, pool.acquire)


async def aiopg_():
    import aiopg
    await direct(lambda: aiopg.connect(POSTGRES), lambda connection: connection.close())


async def aiopg_pool_():
    import aiopg
    pool = await aiopg.create_pool(POSTGRES, minsize=1, maxsize=SIZE)
    await pooled(pool.acquire, pool.release, pool.acquire)


async def psycopg_():
    import psycopg
    await direct(lambda: psycopg.AsyncConnection.connect(POSTGRES),
                 lambda connection: connection.close())


async def psycopg_pool_(kind="AsyncConnectionPool", least=1):
    import psycopg_pool
    pool = getattr(psycopg_pool, kind)(POSTGRES, min_size=least, max_size=SIZE, open=False)
    await pool.open()
    await pooled(pool.getconn, pool.putconn, pool.connection)


async def psycopg_null_pool_():
    await psycopg_pool_("AsyncNullConnectionPool", 0)


async def aiosqlite_():
    import aiosqlite
    await direct(lambda: aiosqlite.connect(PLACE), lambda connection: connection.close())


async def redis_pool_():
    import redis.asyncio
    pool = redis.asyncio.BlockingConnectionPool(host="127.0.0.1", port=int(PLACE),
                                                max_connections=SIZE, timeout=None)
    client = redis.asyncio.Redis(connection_pool=pool)
    for _ in range(3):
        await client.ping()  # site: command
    await pooled(lambda: pool.get_connection("_"), pool.release, client.client)


async def main():
    await globals()[NAME + "_"]()
    gc.collect()
    print(f"kept={len(kept)}", flush=True)
    for _ in range(600):
        if os.path.exists("go"):
            break
        await asyncio.sleep(0.05)
    os._exit(0)


if LOOP == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run(main())
