"""Holders of sessions in known places: each thread has the name of what it does.

Says "ready" when all of them are where they stay, and waits until its standard input ends. With
an argument it says "ready" before that, too, and waits for a line.
"""

import asyncio
import os
import sqlite3
import sys
import threading
import time

BUSY = f"busy.{os.getpid()}.db"
kept = []
there = []


def arrive():
    there.append(None)


def open_database():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    kept.append(connection)
    return connection


def asleep():
    arrive()
    time.sleep(3600)


def inside():
    database = open_database()
    asleep()
    return database


def leave():
    database = open_database()
    return database.total_changes


def returned():
    leave()
    asleep()


def busy():
    """Waits in C code of SQLite for the lock on a file."""
    database = sqlite3.connect(BUSY, timeout=3600, isolation_level=None)
    kept.append(database)
    arrive()
    database.execute("begin immediate")


def call_again():
    database = open_database()
    if len(there) >= call_again.until:
        asleep()
    return database.total_changes


def again():
    call_again.until = 0
    for turn in range(3):
        call_again.until = 0 if turn == 2 else 1 << 30
        call_again()


def rows():
    database = open_database()
    yield database.total_changes
    yield database.total_changes


def suspended():
    generator = rows()
    next(generator)
    kept.append(generator)
    asleep()


def consumed():
    for row in rows():
        asleep()
        print(row)


def deep(depth):
    if depth > 0:
        return deep(depth - 1)
    database = open_database()
    asleep()
    return database


def nested():
    deep(40)


def computing():
    database = open_database()
    arrive()
    value = 0
    while not stop.is_set():
        value += 1
    return database, value


def ended():
    open_database()
    arrive()


async def task_waits():
    database = open_database()
    arrive()
    await asyncio.sleep(3600)
    return database


async def two_tasks():
    task = asyncio.create_task(task_waits(), name="waiter")
    await asyncio.sleep(3600)
    await task


def tasks():
    asyncio.run(two_tasks())


if len(sys.argv) > 1: # to be attached to before anything is opened
    print("ready", flush=True)
    sys.stdin.readline()
stop = threading.Event()
threads = [inside, returned, busy, again, suspended, consumed, nested, computing, ended, tasks]

holder = sqlite3.connect(BUSY, isolation_level=None)
holder.execute("create table if not exists t(x)")
holder.execute("begin immediate")
for function in threads:
    threading.Thread(target=function, name=function.__name__, daemon=True).start()
while len(there) < len(threads):
    time.sleep(0.01)
time.sleep(0.2)
print("ready", flush=True)
sys.stdin.read()
stop.set()
sys.stdout.flush()
os._exit(0)
