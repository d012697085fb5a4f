#!/usr/bin/python3
"""Tasks that use SQLAlchemy's async engines; what they leave open is counted by the engine's pool.

    async_sqlalchemy.py URL
"""

import asyncio
import gc
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

kept = []


async def query(connection):
    await connection.execute(text("select 1"))


async def right_session(engine):
    async with AsyncSession(engine) as session:  # site: right session
        await query(session)
        await asyncio.sleep(0.02)


async def right_connection(engine):
    async with engine.connect() as connection:  # site: right connection
        await query(connection)


async def keep(engine):
    session = AsyncSession(engine)  # site: kept
    kept.append(session)
    await query(session)


async def cancel(engine):
    session = AsyncSession(engine)  # site: cancelled
    kept.append(session)
    await query(session)
    await asyncio.sleep(60)
    await session.close()


async def drop(engine):
    connection = await engine.connect()  # site: dropped
    await query(connection)


async def many(function, engine, count):
    await asyncio.gather(*[function(engine) for _ in range(count)])


async def cancelled(engine, count):
    tasks = [asyncio.create_task(cancel(engine)) for _ in range(count)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def main():
    engine = create_async_engine(sys.argv[1], poolclass=AsyncAdaptedQueuePool, pool_size=4,
                                 max_overflow=4, pool_timeout=5)
    await many(right_session, engine, 8)
    await many(right_connection, engine, 8)
    await many(keep, engine, 2)
    await cancelled(engine, 3)
    print(f"kept={engine.pool.checkedout()}")
    await drop(engine)
    gc.collect()
    print(f"after={engine.pool.checkedout()}")


asyncio.run(main())
