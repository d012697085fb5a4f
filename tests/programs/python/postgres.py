#!/usr/bin/python3
"""Pools of real connections to a PostgreSQL server, each with sessions that are never closed.

    postgres.py psycopg2|psycopg2_pool|psycopg|psycopg_pool|psycopg_pool_async|peewee|sqlalchemy
                FOLDER        the one with the server's socket
"""

import asyncio
import gc
import os
import sys
import threading

DSN = f"host={sys.argv[2]} dbname=postgres user=postgres"


def select(connection):
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        assert cursor.fetchone()[0] == 1


def leave(kept):
    """Without the drivers' destructors, which close like anybody else."""
    print("done", len(kept))
    sys.stdout.flush()
    os._exit(0)


def psycopg2_():
    """No pool: the handles themselves."""
    import psycopg2
    for _ in range(3):
        connection = psycopg2.connect(DSN)  # site: psycopg2 right
        select(connection)
        connection.close()
    kept = [psycopg2.connect(DSN) for _ in range(2)]  # site: psycopg2 kept
    leave(kept)


def psycopg2_pool_():
    from psycopg2 import pool
    connections = pool.ThreadedConnectionPool(1, 3, DSN)
    for _ in range(5):
        connection = connections.getconn()  # site: psycopg2_pool right
        select(connection)
        connections.putconn(connection)
    kept = [connections.getconn() for _ in range(3)]  # site: psycopg2_pool
    for connection in kept:
        select(connection)
    try:
        connections.getconn()  # site: psycopg2_pool dry
    except pool.PoolError as error:
        print(error)
    print("done")


def psycopg_():
    import psycopg
    for _ in range(3):
        with psycopg.connect(DSN) as connection:  # site: psycopg right
            select(connection)
    kept = [psycopg.connect(DSN) for _ in range(2)]  # site: psycopg kept
    leave(kept)


def psycopg_pool_():
    from psycopg_pool import ConnectionPool, PoolTimeout

    def work():
        for _ in range(5):
            with pool.connection() as connection:  # site: psycopg_pool right
                select(connection)
    with ConnectionPool(DSN, min_size=2, max_size=4, timeout=1) as pool:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = [pool.getconn() for _ in range(4)]  # site: psycopg_pool
        for connection in kept:
            select(connection)
        try:
            pool.getconn()  # site: psycopg_pool dry
        except PoolTimeout:
            print("PoolTimeout")
    print("done", len(kept))


def psycopg_pool_async_():
    from psycopg_pool import AsyncConnectionPool

    async def leak(pool):
        return await pool.getconn()  # site: psycopg_pool_async

    async def right(pool):
        async with pool.connection() as connection:  # site: psycopg_pool_async right
            await connection.execute("select 1")

    async def main():
        async with AsyncConnectionPool(DSN, min_size=2, max_size=4, timeout=5) as pool:
            await asyncio.gather(*[right(pool) for _ in range(10)])
            tasks = [asyncio.create_task(leak(pool), name=f"leak-{n}") for n in range(2)]
            kept = await asyncio.gather(*tasks)
            print("done", len(kept))

    asyncio.run(main())


def peewee_():
    from playhouse.pool import PooledPostgresqlDatabase
    database = PooledPostgresqlDatabase("postgres", user="postgres", host=sys.argv[2],
                                        max_connections=4, stale_timeout=60)
    for _ in range(3):
        database.connect()  # site: peewee right
        database.execute_sql("select 1")
        database.close()
    database.connect()  # site: peewee
    database.execute_sql("select 1")
    print("done")


def sqlalchemy_():
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session
    engine = create_engine(f"postgresql+psycopg2://postgres@/postgres?host={sys.argv[2]}",
                           pool_size=3, max_overflow=2)
    for _ in range(5):
        with Session(engine) as session:  # site: sqlalchemy right
            session.execute(text("select 1"))

    def leak():
        session = Session(engine)  # site: sqlalchemy
        session.execute(text("select 1"))
    gc.disable()
    for _ in range(3):
        leak()
    gc.collect()
    print("done")


globals()[sys.argv[1] + "_"]()
