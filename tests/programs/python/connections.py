#!/usr/bin/python3
"""sqlite3 without any pool: each way in which a connection ends.

    connections.py [--exit]     --exit: leave by os._exit, so that nobody closes what is open
"""

import gc
import os
import sqlite3
import sys
from contextlib import closing


class Own(sqlite3.Connection):
    def close(self):
        super().close()


def close_it():
    sqlite3.connect(":memory:").close()  # site: close


def with_closing():
    with closing(sqlite3.connect(":memory:")) as connection:  # site: closing
        connection.execute("select 1")


def with_connection():
    with sqlite3.connect(":memory:") as connection:  # site: with
        connection.execute("select 1")


def in_a_cycle():
    connection = sqlite3.connect(":memory:", factory=Own)  # site: cycle
    connection.itself = connection


def own_close():
    sqlite3.connect(":memory:", factory=Own).close()  # site: own


def failed():
    try:
        sqlite3.connect("/nonexistent/file")  # site: failed
    except sqlite3.OperationalError:
        pass


def close_twice():
    connection = sqlite3.connect(":memory:")  # site: twice
    connection.close()
    connection.close()


class Cache:
    def fill(self):
        self.connection = sqlite3.connect(":memory:")  # site: kept


for _ in range(4):
    close_it()
    with_closing()
    with_connection()
    in_a_cycle()
    own_close()
    failed()
    close_twice()
gc.collect()
caches = [Cache() for _ in range(3)]
for cache in caches:
    cache.fill()
print("done")
sys.stdout.flush()
if "--exit" in sys.argv:
    os._exit(0)
