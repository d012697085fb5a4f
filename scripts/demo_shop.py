#!/usr/bin/env python3
"""A shop that runs out of database connections, for the demo: nothing in here knows of unclosed.

    demo_shop.py DATABASE
"""
import contextlib
import sqlite3
import sys

DATABASE = sys.argv[1]
OPEN = []  # what a framework would keep alive for its callers


def get_db():
    connection = sqlite3.connect(DATABASE, isolation_level=None)  # no transactions
    OPEN.append(connection)
    return connection


def create():
    with contextlib.closing(get_db()) as db:
        db.execute("create table stock (item text primary key, count integer)")
        db.executemany("insert into stock values (?, ?)", [("apple", 3), ("pear", 0)])


def count(item):  # never closes
    db = get_db()
    return db.execute("select count from stock where item = ?", (item,)).fetchone()[0]


def buy(item):  # an early return skips close()
    db = get_db()
    (left,) = db.execute("select count from stock where item = ?", (item,)).fetchone()
    if left == 0:
        return False
    db.execute("update stock set count = count - 1 where item = ?", (item,))
    db.close()
    return True


def add(item):  # an exception skips close()
    db = get_db()
    db.execute("insert into stock values (?, 1)", (item,))
    db.close()


def remove(item):  # correct
    db = get_db()
    try:
        db.execute("delete from stock where item = ?", (item,))
    finally:
        db.close()


def main():
    create()
    for item in ("apple", "pear", "apple", "pear", "apple"):
        print(item, "sold" if buy(item) else "sold out", "- left:", count(item))
    for item in ("plum", "apple"):
        try:
            add(item)
            print(item, "added")
        except sqlite3.IntegrityError:
            print(item, "is there already")
    remove("plum")


if __name__ == "__main__":
    main()
