#!/usr/bin/python3
"""What people use around SQLAlchemy: SQLModel, uvloop, gevent. Each with leaks and without.

    libraries.py sqlmodel|uvloop|gevent DATABASE
"""

import asyncio
import os
import sys

kept = []


def sqlmodel_():
    from typing import Optional

    from sqlmodel import Field, Session, SQLModel, create_engine, select

    class Hero(SQLModel, table=True):
        id: Optional[int] = Field(default=None, primary_key=True)
        name: str

    engine = create_engine(f"sqlite:///{sys.argv[2]}")
    SQLModel.metadata.create_all(engine)

    def add(name):
        with Session(engine) as session:  # site: sqlmodel right
            session.add(Hero(name=name))
            session.commit()

    def find(name):
        session = Session(engine)  # site: sqlmodel
        return session.exec(select(Hero).where(Hero.name == name)).first()

    def get_session():
        with Session(engine) as session:
            yield session

    for number in range(4):
        add(f"hero {number}")
    print([find(f"hero {number}").id for number in range(3)])
    for session in get_session():  # site: sqlmodel dependency
        print(len(session.exec(select(Hero)).all()))


def uvloop_():
    import uvloop
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    engine = create_async_engine(f"sqlite+aiosqlite:///{sys.argv[2]}")

    async def leak():
        session = AsyncSession(engine)  # site: uvloop
        await session.execute(text("select 1"))
        kept.append(session)

    async def right():
        async with AsyncSession(engine) as session:  # site: uvloop right
            await session.execute(text("select 1"))

    async def main():
        await asyncio.gather(*[asyncio.create_task(leak(), name=f"job-{n}") for n in range(3)])
        await asyncio.gather(*[right() for _ in range(5)])
        print(type(asyncio.get_running_loop()))
        sys.stdout.flush()
        os._exit(0)  # aiosqlite's threads would wait for ever

    uvloop.install()
    asyncio.run(main())


def gevent_():
    import gevent
    from sqlalchemy import create_engine, exc, text
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import QueuePool
    engine = create_engine(f"sqlite:///{sys.argv[2]}", poolclass=QueuePool, pool_size=3,
                           max_overflow=2, pool_timeout=5,
                           connect_args={"check_same_thread": False})

    def leak():
        session = Session(engine)  # site: gevent
        session.execute(text("select 1"))
        gevent.sleep(0.001)
        kept.append(session)

    def right():
        with Session(engine) as session:  # site: gevent right
            session.execute(text("select 1"))
            gevent.sleep(0.001)

    gevent.joinall([gevent.spawn(right) for _ in range(50)], raise_error=True)
    gevent.joinall([gevent.spawn(leak) for _ in range(5)], raise_error=True)
    engine.pool._timeout = 0.1
    try:
        right()
    except exc.TimeoutError as error:
        print(str(error).split(",")[0])


if sys.argv[1] == "gevent":
    import gevent.monkey
    gevent.monkey.patch_all()
globals()[sys.argv[1] + "_"]()
