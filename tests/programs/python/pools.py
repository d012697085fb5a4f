#!/usr/bin/python3
"""Every pool class of SQLAlchemy, and every way in which a checkout ends.

    pools.py DATABASE
"""

import gc
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.pool import AssertionPool, NullPool, QueuePool, SingletonThreadPool, StaticPool

SELECT = text("select 1")
kept = []


def closed(engine):
    connection = engine.connect()  # site: closed
    connection.execute(SELECT)
    connection.close()


def detached(engine):
    connection = engine.connect()  # site: detached
    connection.detach()
    connection.close()


def invalidated(engine):
    connection = engine.connect()  # site: invalidated
    connection.invalidate()
    connection.close()


def dropped(engine):
    connection = engine.connect()  # site: dropped
    connection.execute(SELECT)


def nested(engine):
    first = engine.connect()  # site: first
    second = engine.connect()  # site: second
    second.close()
    first.close()


def raw(engine):
    engine.raw_connection().close()  # site: raw


def never_closed(engine):
    kept.append(engine.raw_connection())  # site: kept


for pool in (QueuePool, NullPool, StaticPool, SingletonThreadPool, AssertionPool):
    engine_of_pool = create_engine(f"sqlite:///{sys.argv[1]}", poolclass=pool)
    for use in (closed, detached, invalidated, dropped, nested, raw, never_closed):
        if use is nested and pool is AssertionPool:
            continue  # allows one at a time
        use(engine_of_pool)
        gc.collect()
print("done")
