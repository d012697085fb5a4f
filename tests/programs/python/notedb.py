"""A driver that nobody has described: it follows PEP 249. A connection is an open file."""

import os
import threading

apilevel = "2.0"
paramstyle = "qmark"
threadsafety = 1


class Error(Exception):
    pass


class Connection:
    def __init__(self, name):
        self._file = open(name, "ab")  # pylint: disable=consider-using-with

    def cursor(self):
        return iter(())

    def commit(self):
        self._file.flush()

    def rollback(self):
        pass

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(name):
    if os.path.isdir(name):
        raise Error(f"{name} is a folder")
    return Connection(name)


class Depot:
    """A pool that refers to what is out."""

    def __init__(self, name, limit):
        self.name, self.limit, self.out, self.lock = name, limit, set(), threading.Lock()

    def acquire(self):
        with self.lock:
            if len(self.out) == self.limit:
                raise Error("MaxConnections")
            connection = connect(self.name)
            self.out.add(connection)
            return connection

    def release(self, connection):
        with self.lock:
            self.out.remove(connection)
            connection.close()
