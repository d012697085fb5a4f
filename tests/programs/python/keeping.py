"""A module with a database that nobody closes: the interpreter does, when the module dies."""
import os
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
database.execute("pragma journal_mode=wal")
database.execute("create table t(a)")
database.execute("insert into t values (1)")
database.commit()


class Probe:
    """Says when it dies; by then there may be no print."""

    def __init__(self, write=os.write):
        self.write = write

    def __del__(self):
        self.write(1, b"the module's variables are gone\n")


probe = Probe()


class Item:
    pass


class Depot:
    def take(self):
        return Item()

    def give(self, item):
        assert item is not None
