#!/usr/bin/python3
"""SQLAlchemy's asyncio engine over aiosqlite: tasks that close their session, and tasks that do not.

    tasks.py DATABASE [--exit]     --exit: leave by os._exit while the sessions are out
"""

import asyncio
import gc
import os
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SELECT = text("select 1")
engine = create_async_engine(f"sqlite+aiosqlite:///{sys.argv[1]}")


async def leak():
    session = AsyncSession(engine)  # site: leak
    await session.execute(SELECT)
    return session


async def right():
    async with AsyncSession(engine) as session:  # site: right
        await session.execute(SELECT)


async def main():
    kept = await asyncio.gather(*[asyncio.create_task(leak(), name=f"job-{n}") for n in range(3)])
    for _ in range(5):
        await right()
    print("done")
    if "--exit" in sys.argv:
        sys.stdout.flush()
        os._exit(0)
    del kept
    gc.collect()
    await asyncio.sleep(0.1)
    await engine.dispose()
    os._exit(0)  # aiosqlite's threads of the dropped connections would wait for ever


asyncio.run(main())
