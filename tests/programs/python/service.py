#!/usr/bin/python3
"""A service as people write them: SQLAlchemy, SQLite, threads, asyncio, fifteen places that open a
session. Nine of them leak, in the three ways there are; six are right.

    service.py DATABASE [--collector on|off|forced]

Prints for each place how many sessions it opened, how many of those it never closed, and how many
of these because of an exception. The places are marked "site: NAME".
"""

import argparse
import asyncio
import collections
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

SELECT = text("select 1")
Session = sessionmaker()

opened = collections.Counter()
leaked = collections.Counter()
raised = collections.Counter()
counters = threading.Lock()


def count(place, leak=False, exception=False):
    with counters:
        opened[place] += 1
        leaked[place] += leak
        raised[place] += exception


def get_db():
    return Session()


class Refused(Exception):
    """What the service raises when a row is not to its liking."""


# No cleanup at all.


class SettingsTab:
    def render(self):
        count("settings", leak=True)
        session = get_db()  # site: settings
        return session.execute(SELECT).scalar()


def list_orders():
    count("orders", leak=True)
    session = get_db()  # site: orders
    session.execute(SELECT).scalar()
    session.commit()  # gives the connection back ...
    session.execute(SELECT)  # ... and this takes one again


def export_rows():
    count("export", leak=True)
    session = get_db()  # site: export
    rows = [row for row in session.execute(SELECT)]
    return len(rows)


def watch_in_thread():
    count("thread", leak=True)
    session = get_db()  # site: thread
    session.execute(SELECT)


async def poll():
    count("task", leak=True)
    session = get_db()  # site: task
    session.execute(SELECT)
    await asyncio.sleep(0)


# An early return in front of close().


def load_overview(number):
    leak = number % 5 == 0
    count("overview", leak=leak)
    session = get_db()  # site: overview
    value = session.execute(SELECT).scalar()
    if leak:
        return None
    session.close()
    return value


def find_user(number):
    leak = number % 3 == 0
    count("user", leak=leak)
    session = get_db()  # site: user
    for value in session.execute(SELECT).scalars():
        if leak:
            return value
    session.close()
    return None


# An exception in front of close().


def place_order(number):
    leak = number % 4 == 0
    count("place", leak=leak, exception=leak)
    session = get_db()  # site: place
    session.execute(SELECT)
    if leak:
        raise Refused(number)
    session.close()


def check_row(session, number):
    if session.execute(SELECT).scalar() == 1 and number % 6 == 0:
        raise Refused(number)


def import_row(number):
    leak = number % 6 == 0
    count("import", leak=leak, exception=leak)
    session = get_db()  # site: import
    check_row(session, number)
    session.close()


# Right.


def with_block():
    count("with")
    with get_db() as session:  # site: with
        session.execute(SELECT)


def try_finally():
    count("finally")
    session = get_db()  # site: finally
    try:
        return session.execute(SELECT).scalar()
    finally:
        session.close()


def with_exception():
    count("with exception")
    with get_db() as session:  # site: with exception
        session.execute(SELECT)
        raise Refused


def handled_inside():
    count("handled")
    session = get_db()  # site: handled
    try:
        check_row(session, 6)
    except Refused:
        session.rollback()
    session.close()


async def in_executor():
    count("executor")
    session = get_db()  # site: executor
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, session.execute, SELECT)
    finally:
        session.close()


def raw_connection(engine):
    count("raw")
    connection = engine.raw_connection()  # site: raw
    try:
        connection.cursor().execute("select 1")
    finally:
        connection.close()


def run_places(engine):
    for number in range(1, 21):
        if number % 5 == 0:
            SettingsTab().render()
        if number % 10 == 0:
            list_orders()
            export_rows()
        load_overview(number)
        find_user(number)
        for function in (place_order, import_row):
            try:
                function(number)
            except Refused:
                pass
        with_block()
        try_finally()
        try:
            with_exception()
        except Refused:
            pass
        handled_inside()
        raw_connection(engine)
        yield


def run_threads():
    with ThreadPoolExecutor(3, thread_name_prefix="worker") as executor:
        for _ in range(30):
            executor.submit(try_finally)
            executor.submit(with_block)
        for _ in range(3):
            executor.submit(watch_in_thread)


async def run_tasks():
    tasks = [asyncio.create_task(poll(), name=f"poll-{n}") for n in range(2)]
    tasks += [asyncio.create_task(in_executor()) for _ in range(10)]
    await asyncio.gather(*tasks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--collector", choices=["on", "off", "forced"], default="on")
    options = parser.parse_args()
    if options.collector == "off":
        gc.disable()
    engine = create_engine(f"sqlite:///{options.database}", poolclass=QueuePool, pool_size=20,
                           max_overflow=40, connect_args={"check_same_thread": False})
    Session.configure(bind=engine)
    for _ in run_places(engine):
        if options.collector == "forced":
            gc.collect()
    run_threads()
    asyncio.run(run_tasks())
    if options.collector == "forced":
        gc.collect()
    for place in opened:
        print(f"place={place.replace(' ', '_')} opened={opened[place]} leaked={leaked[place]} "
              f"raised={raised[place]}")


if __name__ == "__main__":
    main()
