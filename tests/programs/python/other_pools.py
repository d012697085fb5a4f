#!/usr/bin/python3
"""Pools that are known by call spec only, each with one session that is never closed.

    other_pools.py aiosqlite|peewee|psycopg2|psycopg_pool|psycopg_pool_async|dbutils|django
                   DATABASE

The two psycopgs are given connections that talk to no server.
"""

import asyncio
import gc
import os
import sys
import threading


class Connection:
    """In the place of a connection to a server."""

    closed = False

    class info:
        transaction_status = 0

    def close(self):
        self.closed = True

    def rollback(self):
        pass


def aiosqlite_():
    import aiosqlite

    async def leak():
        return await aiosqlite.connect(sys.argv[2])

    async def right():
        async with aiosqlite.connect(sys.argv[2]) as connection:  # site: aiosqlite right
            await connection.execute("select 1")

    async def main():
        kept = await leak()  # site: aiosqlite
        for _ in range(3):
            await right()
        print("done", kept.is_alive())
        sys.stdout.flush()
        os._exit(0)

    asyncio.run(main())


def peewee_():
    from playhouse.pool import PooledSqliteDatabase

    database = PooledSqliteDatabase(sys.argv[2], max_connections=4)
    for _ in range(3):
        database.connect()  # site: peewee right
        database.execute_sql("select 1")
        database.close()
    database.connect()  # site: peewee
    print("done")


def psycopg2_():
    import psycopg2
    from psycopg2 import pool

    psycopg2.connect = lambda *args, **kwargs: Connection()
    connections = pool.ThreadedConnectionPool(1, 3)
    for _ in range(3):
        connection = connections.getconn()  # site: psycopg2 right
        connections.putconn(connection)
    kept = [connections.getconn() for _ in range(3)]  # site: psycopg2
    try:
        connections.getconn()  # site: psycopg2 dry
    except pool.PoolError as error:
        print(error)
    print("done", len(kept))


class PsycopgConnection(Connection):
    _pool = None

    class pgconn:
        transaction_status = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def psycopg_pool_():
    import psycopg_pool.pool
    from psycopg_pool import ConnectionPool

    ConnectionPool._connect = lambda *args, **kwargs: None
    pool = ConnectionPool("", min_size=1, max_size=2, timeout=0.3, open=False)
    pool._lock = threading.RLock()  # since 3.2 made by open()
    pool._check_open_getconn = lambda: None
    pool._maybe_grow_pool = lambda: None
    pool._return_connection = lambda connection, **more: pool._pool.append(connection)
    pool._maybe_close_connection = lambda connection: False
    pool._pool.extend([PsycopgConnection(), PsycopgConnection()])
    with pool.connection():  # site: psycopg_pool right
        pass
    first = pool.getconn()  # site: psycopg_pool
    pool.getconn()  # site: psycopg_pool dropped
    gc.collect()
    try:
        pool.getconn()  # site: psycopg_pool dry
    except psycopg_pool.PoolTimeout as error:
        print(type(error).__name__)
    print("done", first.closed)


def psycopg_pool_async_():
    from psycopg_pool import AsyncConnectionPool

    async def main():
        pool = AsyncConnectionPool("", min_size=1, max_size=2, timeout=0.3, open=False)
        pool._lock = asyncio.Lock()
        pool._check_open_getconn = lambda: None
        pool._maybe_grow_pool = lambda: None

        async def return_connection(connection, **more):
            pool._pool.append(connection)

        async def maybe_close(connection):
            return False

        pool._return_connection = return_connection
        pool._maybe_close_connection = maybe_close
        pool._pool.extend([PsycopgConnection(), PsycopgConnection()])
        connection = await pool.getconn()  # site: psycopg_pool_async right
        await pool.putconn(connection)
        task = asyncio.create_task(pool.getconn(), name="getter")  # a task of its own
        await pool.putconn(await task)
        kept = await pool.getconn()  # site: psycopg_pool_async
        print("done", kept.closed)

    asyncio.run(main())


def dbutils_():
    import sqlite3

    from dbutils.pooled_db import PooledDB

    pool = PooledDB(sqlite3, mincached=1, maxconnections=3, blocking=False, database=sys.argv[2],
                    check_same_thread=False)
    for _ in range(3):
        with pool.connection(shareable=False) as connection:  # site: dbutils with
            connection.cursor().execute("select 1")
        connection = pool.dedicated_connection()  # site: dbutils right
        connection.close()
        connection.close()

    def dropped():
        connection = pool.connection(shareable=False)  # site: dbutils dropped
        connection.cursor().execute("select 1")
    dropped()
    dropped()
    gc.collect()
    kept = [pool.connection(shareable=False) for _ in range(3)]  # site: dbutils
    try:
        pool.connection(shareable=False)  # site: dbutils dry
    except Exception as error:
        print(type(error).__name__)
    print("done", len(kept))


def django_():
    import threading

    import django
    from django.conf import settings
    from django.db import connection

    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                                              "NAME": sys.argv[2]}})
    django.setup()

    def query():
        with connection.cursor() as cursor:  # site: django
            cursor.execute("select 1")

    def right():
        query()
        connection.close()

    def stay():
        with connection.cursor() as cursor:  # site: django daemon
            cursor.execute("select 1")
        ready.set()
        threading.Event().wait()

    for function in (query, right, right):
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()
    gc.collect()
    ready = threading.Event()
    threading.Thread(target=stay, daemon=True).start()
    ready.wait()
    with connection.cursor() as cursor:  # site: django main
        cursor.execute("select 1")
    print("done")


globals()[sys.argv[1] + "_"]()
