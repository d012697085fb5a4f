"""Connections that an exception takes from the function that would have closed them.

Usage: left.py FILE MODE; prints nothing. Half of six calls fail. MODE says what becomes of the
exception: it goes away ("plain"), is kept in a variable ("kept"), is in a cycle that the collector
takes apart ("gc") or that is there until the end ("cycle").
"""
import gc
import sqlite3
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite:///" + sys.argv[1], poolclass=QueuePool, pool_size=20)
mode = sys.argv[2]
kept = []


def view(fail):
    conn = engine.connect()  # site: view
    conn.execute(text("select 1"))
    if fail:
        raise KeyError("body")
    conn.close()


def always():
    conn = engine.connect()  # site: always
    conn.execute(text("select 1"))
    raise KeyError("body")


def handle(fail):
    db = sqlite3.connect(sys.argv[1])  # site: handle
    if fail:
        raise KeyError("body")
    db.close()


def call(function, *args):
    try:
        function(*args)
    except KeyError as error:
        if mode == "kept":
            kept.append(error)
        if mode in ("gc", "cycle"):
            error.me = error


gc.disable()
for i in range(6):
    call(view, i % 2)
    call(handle, i % 2)
for _ in range(3):
    call(always)
if mode == "gc":
    gc.collect()
